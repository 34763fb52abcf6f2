"""Headers that pjsip (2.15.1) mishandles, as it may see them. The evidence has each message as
received.

- Responses: headers that make pjsip abort or send requests in a loop are removed. A fuzzer found them. Without the header, pjsip
  keeps the dialog's target, assumes the requested registration time, and treats a 423 as a refusal.
- The next hop: a phone has one transport, and if a URI asks for another, pjsip aborts over an answer whose ACK it cannot send, and
  ends a call without a BYE. Without the parameter, requests go to the URI's host and port over the phone's transport.
- REFER: pjsip knows only the long names of its headers and no parameters after the address. Compact forms and parameters are legal
  (RFC 3515 section 2.1, RFC 3892 section 3), but pjsip would answer 400 or place no call.
- Digest challenges (RFC 3261 section 22, RFC 7616, RFC 8760): pjsip would answer the first one that it can compute, in any realm. A
  challenge that must not be answered is removed.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from harness.case.events import WithheldBy
from harness.phone.child.messages import WireMessage, unquoted
from harness.sip.grammar import decimal

UNSAFE: Final = (
    b"Contact",
    b"Record-Route",
    b"Expires",
    b"Service-Route",
    b"Min-Expires",
    b"Flow-Timer",
)

_SCHEME: Final = re.compile(r"<[ \t]*([^:>]*):")
_EXPIRES: Final = re.compile(
    r"(?:^Expires|;[ \t]*expires)[ \t]*[:=][ \t]*(\d+)", re.IGNORECASE | re.ASCII
)
_LONGEST_S: Final = (1 << 31) - 1
_MOST_ROUTES: Final = 8  # PJSUA_ACC_MAX_PROXIES: more are written beyond the end of an array
_TOO_BRIEF: Final = 423
#: pjsip obeys each further Min-Expires at once, in a loop; a registrar needs only one (RFC 3261
#: section 10.3).
_MOST_TOO_BRIEF: Final = 1
_SHORTEST_PING_S: Final = 2


class UnsafeHeaders:
    """Checks the responses of one process."""

    def __init__(self) -> None:
        #: Consecutive 423 responses, by Call-ID.
        self._too_brief: OrderedDict[str, int] = OrderedDict()

    def of(self, message: WireMessage, headers: Sequence[str]) -> list[bool]:
        """For each header of a response, whether pjsip must not see it."""
        removed = []
        if self._count(message.call_id, message.status):
            removed.append("Min-Expires")
        routes = [header.count("<") for header in headers if _named(header, "Service-Route")]
        if sum(routes) > _MOST_ROUTES:
            removed.append("Service-Route")
        is_register = message.method == "REGISTER"

        def is_unsafe(header: str) -> bool:
            if any(_named(header, name) for name in removed):
                return True
            if is_register and _lasts_too_long(header):
                return True
            return _leads_nowhere(header, message.status) or _floods(header)

        return [is_unsafe(header) for header in headers]

    def _count(self, call_id: str, status: int) -> bool:
        """Whether this is a repeated 423 of a registrar."""
        if status != _TOO_BRIEF:
            if status >= 200 and status not in (401, 407):
                self._too_brief.pop(call_id, None)
            return False
        self._too_brief[call_id] = self._too_brief.pop(call_id, 0) + 1
        while len(self._too_brief) > _MOST_REMEMBERED:
            self._too_brief.popitem(last=False)
        return self._too_brief[call_id] > _MOST_TOO_BRIEF


def _named(header: str, name: str) -> bool:
    return header.partition(":")[0].strip().lower() == name.lower()


def _floods(header: str) -> bool:
    """Whether pjsip would send pings without a pause: it rounds one second to zero, and truncates
    times to 32 bits.
    """
    if not _named(header, "Flow-Timer"):
        return False
    seconds = decimal(header.partition(":")[2].strip(), most=_LONGEST_S)
    return seconds is None or seconds < _SHORTEST_PING_S


def _leads_nowhere(header: str, status: int) -> bool:
    """Whether the dialog's target would not be a SIP URI, as RFC 3261 sections 12.1.2 and 20.10
    require.
    """
    if status >= 300 or not (_named(header, "Contact") or _named(header, "Record-Route")):
        return False
    scheme = _SCHEME.search(unquoted(header))
    return scheme is None or scheme.group(1).strip().lower() not in ("sip", "sips")


def _lasts_too_long(header: str) -> bool:
    """Whether a time exceeds pjsip's timers (RFC 3261 section 20.19 allows up to 2**32 - 1 s)."""
    if not (_named(header, "Contact") or _named(header, "Expires")):
        return False
    found = _EXPIRES.search(unquoted(header))
    if found is None:
        return False
    digits = found.group(1)
    return len(digits) > 10 or int(digits) > _LONGEST_S  # `int` refuses thousands of digits


TARGETS: Final = (b"Contact", b"Record-Route")

#: Quoted strings are skipped; an unclosed one extends to the end.
_ADDRESS: Final = re.compile(
    r'"(?:[^"\\]|\\.)*(?:"|$)|<(sips?):([^>]*)>', re.IGNORECASE | re.DOTALL
)
_TRANSPORT: Final = re.compile(
    r";[ \t]*transport[ \t]*=[ \t]*(udp|tcp|tls|sctp)[ \t]*(?=[;?]|$)", re.IGNORECASE
)
_MOST_REMEMBERED: Final = 1000


class Targets:
    """Rewrites the messages of one process."""

    def __init__(self) -> None:
        #: By Call-ID and the other end's tag.
        self._routed: OrderedDict[tuple[str, str], bool] = OrderedDict()

    def of(self, message: WireMessage, headers: Sequence[str]) -> list[str]:
        """The ``Contact`` and ``Record-Route`` headers of a received message, as pjsip may see
        them.
        """
        if message.method == "REGISTER" or message.status >= 300:
            return list(headers)
        routes = [header for header in headers if header.startswith("Record-Route")]
        if not self._has_routes(message, has_some=bool(routes)):
            hops = [header for header in headers if header not in routes]
        elif message.status:
            hops = routes[-1:]  # RFC 3261 section 12.1.2: the caller's next hop is the last
        else:
            hops = routes[:1]  # section 12.1.1
        rewritten = []
        for header in headers:
            bare = partial(_bare, message.transport, header in hops)
            rewritten.append(_ADDRESS.sub(bare, header))
        return rewritten

    def _has_routes(self, message: WireMessage, *, has_some: bool) -> bool:
        """Whether the dialog has a route set, which does not change once the dialog is confirmed
        (section 12.2).
        """
        dialog = (message.call_id, message.remote_tag)
        is_early = 0 < message.status < 200 and not has_some
        is_reinvite = not message.status and not message.begins_call
        if message.method != "INVITE" or is_early or is_reinvite:
            return self._routed.get(dialog, has_some)
        has_routes = self._routed[dialog] = self._routed.pop(dialog, has_some)
        while len(self._routed) > _MOST_REMEMBERED:
            self._routed.popitem(last=False)
        return has_routes


def _bare(transport: str, is_next: bool, address: re.Match[str]) -> str:
    """An address as pjsip may see it; ``is_next`` is that of the dialog's next hop."""
    scheme, rest = address.groups()
    if scheme is None:
        return address[0]
    if scheme.lower() == "sips" and transport != "tls":
        scheme = "sip"  # pjsip would require TLS even behind a route
    if is_next:
        rest = _TRANSPORT.sub(lambda asked: asked[0] if asked[1].lower() == transport else "", rest)
    return f"<{scheme}:{rest}>"


#: The received header name, and the name that pjsip looks for.
REFERRALS: Final = (
    (b"Refer-To", b"Refer-To"),
    (b"r", b"Refer-To"),
    (b"b", b"Referred-By"),
)

_REFER_TO: Final = re.compile(r'[^"<]*(?:"(?:[^"\\]|\\.)*"\s*)?(<[^>]*>)', re.DOTALL)


def plain(name: bytes, value: str) -> str:
    """The header's value for pjsip: a Refer-To keeps only its address, without display name and
    parameters.
    """
    address = _REFER_TO.match(value) if name == b"Refer-To" else None
    return address[1] if address else value.strip()


ANY: Final = "*"

_REALM: Final = re.compile(r'[\s,]realm[ \t]*=[ \t]*"((?:[^"\\]|\\.)*)"', re.IGNORECASE)
_ALGORITHM: Final = re.compile(r'[\s,]algorithm[ \t]*=[ \t]*"?([^\s,"]+)', re.IGNORECASE)
_QOP: Final = re.compile(r'[\s,]qop[ \t]*=[ \t]*"?([^"]*)', re.IGNORECASE)
_STRENGTH: Final = {"MD5": 0, "SHA-256": 1}  # the algorithms that pjsip computes (docs/interop.md)


@dataclass(frozen=True, slots=True)
class Withheld:
    """A challenge that gets no answer, and why."""

    realm: str
    algorithm: str
    why: str
    rule: WithheldBy


class Challenges:
    """Decides which challenges one phone answers: those of ``realm``; all for :data:`ANY`; without
    a realm, those of the first realm.

    The first realm is learnt separately for REGISTER and for other requests: registrar and proxy
    may have different realms, but other servers must not get the password's digest. Of a realm's
    algorithms the strongest is answered, and never a weaker one afterwards (RFC 7616 section 5.7).
    """

    def __init__(self, realm: str) -> None:
        self._realm = realm
        self._learnt: dict[bool, str] = {}  # by whether it was a REGISTER
        self._strongest: dict[str, int] = {}

    def withheld(self, method: str, offered: Sequence[str]) -> list[Withheld | None]:
        """For each challenge of a response, why it gets no answer, or None."""
        read = [_read(text) for text in offered]
        if not read:
            return []
        mine = self._realm or self._learnt.setdefault(method == "REGISTER", read[0][0])
        for realm, algorithm in read:
            if mine in (ANY, realm):
                strongest = self._strongest.get(realm, -1)
                self._strongest[realm] = max(_STRENGTH.get(algorithm, -1), strongest)
        return [self._why_not(mine, realm, algorithm) for realm, algorithm in read]

    def _why_not(self, mine: str, realm: str, algorithm: str) -> Withheld | None:
        """Why a challenge gets no answer: another realm, or a weaker algorithm than its realm has
        asked for.
        """
        if mine not in (ANY, realm):
            rule: WithheldBy = "realm configured" if self._realm else "first realm"
            how = "is configured" if self._realm else "asked first"
            return Withheld(realm, algorithm, f"its realm is {realm}, and {mine} {how}", rule)
        if 0 <= _STRENGTH.get(algorithm, -1) < self._strongest[realm]:
            why = f"it asks for {algorithm}, and has asked for a stronger algorithm"
            return Withheld(realm, algorithm, why, "stronger algorithm")
        return None


def _read(text: str) -> tuple[str, str]:
    """The realm and algorithm; ``qop="auth-int"`` alone, which pjsip does not support, counts as a
    different algorithm.
    """
    realm = _REALM.search(text)
    algorithm = _ALGORITHM.search(text)
    qop = _QOP.search(text)
    name = algorithm.group(1).upper() if algorithm else "MD5"
    tokens = qop.group(1).split(",") if qop else []
    offered = [token.strip().lower() for token in tokens if token.strip()]
    if offered and "auth" not in offered:
        name = f"{name} with {', '.join(offered)}"
    return realm.group(1) if realm else "", name
