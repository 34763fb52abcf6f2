"""Which REFER of a dialog a NOTIFY is of (RFC 3515 section 2.4.6)."""

from __future__ import annotations

from typing import Final

from harness.sip.grammar import decimal
from harness.sip.message import Message

_HIGHEST: Final = 2**31 - 1  # of a CSeq number (RFC 3261 section 8.1.1.5)


class Referrals:
    """The REFERs that one side has sent in one dialog, by their CSeq numbers; what passes is shown in order."""

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

    @property
    def last_alone(self) -> bool:
        """Whether news that name no REFER can be of no other than the last."""
        return not [number for number in self._open if number != self.last]

    def refused(self, number: int) -> None:
        """It made no subscription, whether or not it was sent again with credentials."""
        if number in self._open:
            self._open.remove(number)

    def of(self, notify: Message, status: int) -> int | None:
        """Whose the NOTIFY with that status is; None where no REFER is known.

        Its id is the REFER's CSeq number. The first one's may lack it; of who leaves it out of the others', or names a number
        that nobody has sent, it is the earliest whose outcome has not come.
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
