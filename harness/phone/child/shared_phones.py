"""Finds the case of an incoming call at a shared phone: by the caller's number, else by which case expects a call."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar
from urllib.parse import unquote

from harness.phone.child.sip_log import head_of, unquoted

#: Headers that show a caller: the platform's assertion first (RFC 3325), the caller's claim last.
_SHOWS: Final = tuple(
    re.compile(rf"^(?:{name})[ \t]*:([^\r\n]*)", re.IGNORECASE | re.MULTILINE)
    for name in ("P-Asserted-Identity", "Remote-Party-ID", "From|f")
)
#: The user part of a URI; a host may have as many digits as a number.
_USER: Final = re.compile(r"(?:sips?:([^@;:>\s,]+)(?:[;:][^@>\s]*)?@|tel:([^;>\s,]+))", re.IGNORECASE)
_NO_DIGIT: Final = re.compile(r"[^0-9]")
#: Fewer digits are an extension, which many numbers may end with.
_LEAST_DIGITS: Final = 7


@dataclass(frozen=True)
class CallFilter:
    """Which calls belong to a case: those that show one of ``numbers`` (E.164), those that show no number if ``withheld``, and
    others if the case expects a call (``lands``).
    """

    numbers: tuple[str, ...] = ()
    lands: bool = False
    withheld: bool = False


class SharingCase(Protocol):
    """A case that shares a phone."""

    claim: CallFilter
    calls: int  #: calls assigned to it


C = TypeVar("C", bound=SharingCase)


def case_of(claimants: Sequence[C], invite: str) -> tuple[C | None, list[C]]:
    """The case that takes the call of ``invite``; and, if that is a guess, all cases it may belong to.

    A call that shows no case's number may be misrouted: it may belong to a case that only checks whether this phone rings.
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
    first = min(waiting, key=lambda one: one.calls)  # ties: the case that joined first
    return first, list(claimants) if len(claimants) > 1 else []


def _shown(invite: str) -> Iterable[str]:
    """The digits of the shown numbers, without leading zeros."""
    head = head_of(invite)
    for pattern in _SHOWS:
        for value in pattern.findall(head):
            for sip, tel in _USER.findall(unquoted(value)):
                digits = _NO_DIGIT.sub("", unquote(sip or tel)).lstrip("0")
                if len(digits) >= _LEAST_DIGITS:
                    yield digits


def _same(digits: str, number: str) -> bool:
    """Whether the digits match the number, with or without country code and prefixes."""
    own = number.removeprefix("+")
    return own.endswith(digits) or digits.endswith(own)
