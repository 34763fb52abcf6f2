"""Removes response headers that make pjsip (2.15.1) abort or send requests in a loop. A fuzzer found them.

The evidence has the message as received. Without the header, pjsip keeps the dialog's target, assumes the requested registration
time, and treats a 423 as a refusal.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from harness.phone.child.sip_log import read_text, unquoted
from harness.sip.grammar import decimal

NAMES: Final = (b"Contact", b"Record-Route", b"Expires", b"Service-Route", b"Min-Expires", b"Flow-Timer")

_SCHEME: Final = re.compile(r"<[ \t]*([^:>]*):")
_EXPIRES: Final = re.compile(r"(?:^Expires|;[ \t]*expires)[ \t]*[:=][ \t]*(\d+)", re.IGNORECASE | re.ASCII)
_LONGEST_S: Final = (1 << 31) - 1
_MOST_ROUTES: Final = 8  # PJSUA_ACC_MAX_PROXIES: more are written beyond the end of an array
_TOO_BRIEF: Final = 423
#: pjsip obeys each further Min-Expires at once, in a loop; a registrar needs only one (RFC 3261 section 10.3).
_MOST_TOO_BRIEF: Final = 1
_MOST_REMEMBERED: Final = 1000
_SHORTEST_PING_S: Final = 2


class UnsafeHeaders:
    """Checks the responses of one process."""

    def __init__(self) -> None:
        self._too_brief: OrderedDict[str, int] = OrderedDict()  # consecutive 423 responses, by Call-ID

    def of(self, text: str, headers: Sequence[str]) -> list[bool]:
        """For each header of a response, whether pjsip must not see it."""
        message = read_text(text, direction="received")
        repeated = self._count(message.call_id, message.status)
        routes = sum(header.count("<") for header in headers if _named(header, "Service-Route"))
        register = message.method == "REGISTER"
        return [
            _leads_nowhere(header, message.status)
            or (register and _lasts_too_long(header))
            or (routes > _MOST_ROUTES and _named(header, "Service-Route"))
            or (repeated and _named(header, "Min-Expires"))
            or _floods(header)
            for header in headers
        ]

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
    """Whether pjsip would send pings without a pause: it rounds one second to zero, and truncates times to 32 bits."""
    if not _named(header, "Flow-Timer"):
        return False
    seconds = decimal(header.partition(":")[2].strip(), most=_LONGEST_S)
    return seconds is None or seconds < _SHORTEST_PING_S


def _leads_nowhere(header: str, status: int) -> bool:
    """Whether the dialog's target would not be a SIP URI, as RFC 3261 sections 12.1.2 and 20.10 require."""
    if status >= 300 or not (_named(header, "Contact") or _named(header, "Record-Route")):
        return False
    scheme = _SCHEME.search(unquoted(header))
    return scheme is None or scheme.group(1).strip().lower() not in ("sip", "sips")


def _lasts_too_long(header: str) -> bool:
    """Whether a time exceeds pjsip's timers (RFC 3261 section 20.19 allows up to 2**32 - 1 s)."""
    if not (_named(header, "Contact") or _named(header, "Expires")):
        return False
    found = _EXPIRES.search(unquoted(header))
    return found is not None and (len(found.group(1)) > 10 or int(found.group(1)) > _LONGEST_S)
