"""Telephone numbers in E.164, and who is calling: what the caller shows, what is asserted, who sees it (RFC 3323, 3325)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from harness.deployment import Deployment
from harness.sip.grammar import SipSyntaxError
from harness.sip.identity import normalise
from harness.sip.message import Request
from harness.sip.uri import NameAddr, Uri


@lru_cache(maxsize=4096)
def e164(text: str, region: str) -> str | None:
    """A number as written in ``region``, in E.164; None if it is not a number."""
    return normalise(text, region)


def number_of(uri: Uri, region: str) -> str | None:
    """The number a ``sip:`` or ``tel:`` URI names, in E.164; None when its user part is no number (RFC 3261 19.1.6)."""
    return None if uri.user is None else e164(uri.user.partition(";")[0], region)


def unassigned_number(deployment: Deployment) -> str:
    """A number without a subscriber: the one that the deployment names, else a number reserved for fiction."""
    return deployment.numbers.no_such_number or "+12015550199"


ANONYMOUS = NameAddr(Uri("sip", "anonymous", "anonymous.invalid"), "Anonymous")


@dataclass(frozen=True, slots=True)
class Caller:
    """A caller's number in E.164 (or a user name), its display name, and whether the caller withholds them."""

    number: str
    display: str | None = None
    withheld: bool = False

    @classmethod
    def of(cls, request: Request, region: str, *, asserted: bool) -> Caller:
        """The caller of a request: by P-Asserted-Identity if ``asserted``, since its sender is trusted; else by From."""
        shown = request.from_
        privacy = request.tokens("Privacy") - {"none"}
        withheld = bool(privacy & {"id", "user", "header"}) or shown.uri.host.lower() == ANONYMOUS.uri.host
        known = shown
        if asserted:
            for value in request.values("P-Asserted-Identity"):
                try:
                    known = NameAddr.parse(value)
                    break
                except SipSyntaxError:
                    continue
        number = number_of(known.uri, region) or known.uri.user or "anonymous"
        return cls(number, None if withheld else shown.display, withheld)

    def showing(self, number: str) -> Caller:
        """The caller with another number to show."""
        return replace(self, number=number, display=None, withheld=False)

    def from_(self, host: str) -> NameAddr:
        """The From header that the next hop sees."""
        return ANONYMOUS if self.withheld else NameAddr(Uri("sip", self.number, host), self.display)

    def asserted(self, host: str) -> list[tuple[str, str]]:
        """The headers for a trusted peer: the real number, and Privacy if the caller withholds it."""
        headers = [("P-Asserted-Identity", str(NameAddr(Uri("sip", self.number, host), self.display)))]
        return [*headers, ("Privacy", "id")] if self.withheld else headers
