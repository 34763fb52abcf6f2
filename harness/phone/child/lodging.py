"""Whose call it is, where several cases share a phone: by the number it shows, else by who waits for one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar
from urllib.parse import unquote

from harness.phone.child.sip_log import head_of, unquoted

#: Headers that show a caller: what the platform vouches for first (RFC 3325), what the caller says last.
_SHOWS: Final = tuple(
    re.compile(rf"^(?:{name})[ \t]*:([^\r\n]*)", re.IGNORECASE | re.MULTILINE)
    for name in ("P-Asserted-Identity", "Remote-Party-ID", "From|f")
)
#: Its user. A host may have as many digits as a number.
_USER: Final = re.compile(r"(?:sips?:([^@;:>\s,]+)(?:[;:][^@>\s]*)?@|tel:([^;>\s,]+))", re.IGNORECASE)
_NO_DIGIT: Final = re.compile(r"[^0-9]")
#: Fewer digits are an extension, and may be the end of anybody's number.
_LEAST_DIGITS: Final = 7


@dataclass(frozen=True)
class CallFilter:
    """Which calls a case takes: those that show one of ``numbers`` (E.164); ``lands``: others, too, where it waits for one;
    ``withheld``: those that show none.
    """

    numbers: tuple[str, ...] = ()
    lands: bool = False
    withheld: bool = False


class Claimant(Protocol):
    """A case at a phone."""

    claim: CallFilter
    calls: int  #: that it has been given


C = TypeVar("C", bound=Claimant)


def whose(claimants: Sequence[C], invite: str) -> tuple[C | None, list[C]]:
    """Who takes the call that ``invite`` asks for; and whose it may be, where that is a guess.

    A call that shows no case's number may have been led astray: it may be of a case that only watches whether this phone rings.
    """
    shown = list(_shown(invite))
    for number in shown:
        owners = [one for one in claimants if any(_same(number, own) for own in one.claim.numbers)]
        if len(owners) == 1:
            return owners[0], []
    if not shown:
        withholding = [one for one in claimants if one.claim.withheld and not one.calls]
        if len(withholding) == 1:
            return withholding[0], []
    waiting = [one for one in claimants if one.claim.lands] or list(claimants)
    if not waiting:
        return None, []
    first = min(waiting, key=lambda one: one.calls)  # the one that has waited longest: they stand in order
    return first, list(claimants) if len(claimants) > 1 else []


def _shown(invite: str) -> Iterable[str]:
    """The digits of the numbers that it shows, without a prefix's zeros."""
    head = head_of(invite)
    for pattern in _SHOWS:
        for value in pattern.findall(head):
            for sip, tel in _USER.findall(unquoted(value)):
                digits = _NO_DIGIT.sub("", unquote(sip or tel)).lstrip("0")
                if len(digits) >= _LEAST_DIGITS:
                    yield digits


def _same(digits: str, number: str) -> bool:
    """Whether the digits are that number, with or without country code and prefixes."""
    own = number.removeprefix("+")
    return own.endswith(digits) or digits.endswith(own)
