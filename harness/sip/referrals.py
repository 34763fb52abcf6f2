"""The outcome that a NOTIFY reports, and which REFER of the dialog it is of (RFC 3515 section 2.4)."""

from __future__ import annotations

import re
from typing import Final

from harness.sip.grammar import decimal
from harness.sip.message import Message

_HIGHEST: Final = 2**31 - 1  # of a CSeq number (RFC 3261 section 8.1.1.5)


_STATUS: Final = re.compile(
    r"\s*SIP/2\S*\s+([1-6]\d\d)\b[ \t]*([^\r\n]*)", re.IGNORECASE | re.ASCII
)


def outcome(body: str) -> tuple[int, str]:
    """The status and reason phrase in the body of a NOTIFY (RFC 3515 section 2.4.5); 0 without a
    status.
    """
    found = _STATUS.match(body)
    return (int(found[1]), found[2].strip()) if found else (0, "")


class Referrals:
    """The REFERs that one side has sent in one dialog, by their CSeq numbers; what passes is shown
    in order.
    """

    def __init__(self) -> None:
        self.last: int | None = None  #: the one that was sent last
        self._known: set[int] = set()
        self._open: list[int] = []  # those whose outcome may come yet

    def sent(self, number: int) -> None:
        """A REFER left, perhaps once more."""
        if number not in self._known:
            self._known.add(number)
            self._open.append(number)
            self.last = number

    def refused(self, number: int) -> None:
        """Note that a REFER was refused, and created no subscription."""
        if number in self._open:
            self._open.remove(number)

    def of(self, notify: Message, status: int) -> int | None:
        """The CSeq number of the REFER that the NOTIFY with that status is about; None when no
        REFER is known.

        The id is the REFER's CSeq number and may be missing for the first REFER. A NOTIFY without
        id, or with an unknown one, is attributed to the earliest REFER without an outcome.
        """
        number = _id(notify)
        if number not in self._known:
            number = next(iter(self._open), self.last)
        state = (notify.get("Subscription-State") or "").strip().lower()
        if number in self._open and (status >= 200 or state.startswith("terminated")):
            self._open.remove(number)
        return number


def _id(notify: Message) -> int | None:
    for parameter in (notify.get("Event") or "").split(";")[1:]:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "id":
            return decimal(value.strip(), most=_HIGHEST)
    return None
