"""Why a request was refused or a call ended: Reason (RFC 3326), Warning and Retry-After (RFC 3261
sections 20.43 and 20.33).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.sip.grammar import Params, SipSyntaxError, decimal, split_outside, unquote
from harness.sip.message import Message, Response

#: The cause values of ITU-T Q.850, by number.
Q850: dict[int, str] = {
    1: "unallocated (unassigned) number",
    2: "no route to specified transit network",
    3: "no route to destination",
    4: "send special information tone",
    5: "misdialled trunk prefix",
    6: "channel unacceptable",
    7: "call awarded and being delivered in an established channel",
    8: "pre-emption",
    16: "normal call clearing",
    17: "user busy",
    18: "no user responding",
    19: "no answer from user (user alerted)",
    20: "subscriber absent",
    21: "call rejected",
    22: "number changed",
    25: "exchange routing error",
    26: "non-selected user clearing",
    27: "destination out of order",
    28: "invalid number format (address incomplete)",
    29: "facility rejected",
    31: "normal, unspecified",
    34: "no circuit/channel available",
    38: "network out of order",
    41: "temporary failure",
    42: "switching equipment congestion",
    43: "access information discarded",
    44: "requested circuit/channel not available",
    47: "resource unavailable, unspecified",
    50: "requested facility not subscribed",
    55: "incoming calls barred within CUG",
    57: "bearer capability not authorized",
    58: "bearer capability not presently available",
    63: "service or option not available, unspecified",
    65: "bearer capability not implemented",
    69: "requested facility not implemented",
    79: "service or option not implemented, unspecified",
    88: "incompatible destination",
    95: "invalid message, unspecified",
    97: "message type non-existent or not implemented",
    99: "information element non-existent or not implemented",
    102: "recovery on timer expiry",
    111: "protocol error, unspecified",
    127: "interworking, unspecified",
}
#: Digits, a host or name, and a quoted text, which not everybody quotes.
_WARNING = re.compile(r"(\d{3})\s+(\S+)\s+(.+)", re.S)


@dataclass(frozen=True, slots=True)
class Reason:
    """One value of a Reason header. ``cause`` is None where it has none that is a number."""

    protocol: str
    cause: int | None = None
    text: str = ""

    def __str__(self) -> str:
        named = Q850.get(self.cause or 0) if self.protocol.upper() == "Q.850" else None
        cause = (
            "" if self.cause is None else f" cause {self.cause}" + (f" ({named})" if named else "")
        )
        return f"Reason {self.protocol}{cause}" + (f': "{self.text}"' if self.text else "")


@dataclass(frozen=True, slots=True)
class SipWarning:
    """One value of a Warning header."""

    code: int
    agent: str
    text: str

    def __str__(self) -> str:
        return f'Warning {self.code} of {self.agent}: "{self.text}"'


def reasons(message: Message) -> list[Reason]:
    """The values of its Reason headers, those that can be read."""
    return [found for value in _values(message, "Reason") if (found := _reason(value)) is not None]


def warnings(message: Message) -> list[SipWarning]:
    """The values of its Warning headers, those that can be read."""
    found = (_WARNING.match(value) for value in _values(message, "Warning"))
    return [SipWarning(int(each[1]), each[2], unquote(each[3])) for each in found if each]


def q850(message: Message) -> int | None:
    """The first Q.850 cause; 0 is none."""
    found = (reason.cause for reason in reasons(message) if reason.protocol.upper() == "Q.850")
    return next((cause for cause in found if cause), None)


def retry_after(message: Message) -> str:
    """Its Retry-After as written (seconds, comment, duration); empty where it has none."""
    return (message.get("Retry-After") or "").strip()


def stated(message: Message | None) -> tuple[str, ...]:
    """All that its headers say of why, for a reader; nothing where there is no message."""
    if message is None:
        return ()
    after = retry_after(message)
    redirects = isinstance(message, Response) and 300 <= message.status < 400
    return (
        *([f"Contact: {contact}"] if redirects and (contact := message.get("Contact")) else []),
        *map(str, reasons(message)),
        *map(str, warnings(message)),
        *([f"Retry-After: {after}"] if after else []),
    )


def _values(message: Message, name: str) -> list[str]:
    """The values of a header; a line with an unclosed quoted string counts as one value."""
    values: list[str] = []
    for line in message.get_all(name):
        try:
            values += [part for part in split_outside(line, ",", angles=False) if part]
        except SipSyntaxError:
            values.append(line.strip())
    return values


def _reason(value: str) -> Reason | None:
    try:
        protocol, _, rest = value.partition(";")
        params = Params.parse(rest)
    except SipSyntaxError:
        return None
    if not protocol.strip():
        return None
    cause = decimal(unquote(params.get("cause") or ""), most=999)
    return Reason(protocol.strip(), cause, unquote(params.get("text") or ""))
