"""Collects the outcomes of REFERs that the far end really sent, because pjsua also reports outcomes that it makes up.

pjsua turns a 202 with ``Refer-Sub: false`` (RFC 4488 section 4) into a 200 and then a 500, a REFER without an answer into a 408, and
a subscription that expires into a 500.
"""

from __future__ import annotations

import re
from typing import Final

from harness.phone.child.sip_log import LoggedMessage

_STATUS: Final = re.compile(r"\s*SIP/2\.0 +(\d{3})\b", re.IGNORECASE | re.ASCII)


class Outcomes:
    """The REFERs of one call: whether each side sent one; for sent REFERs, the statuses of NOTIFYs (RFC 3515 section 2.4.5) and
    of refusals.
    """

    def __init__(self) -> None:
        self.has_referred = False  #: the phone sent a REFER, so NOTIFYs may come
        self.was_referred = False  #: a REFER of the far end was accepted; it may extend its subscription
        self._said: set[int] = set()

    def saw(self, message: LoggedMessage) -> None:
        """A message of the call passed."""
        if message.direction != "received":
            if message.method == "REFER":
                self.has_referred = self.has_referred or not message.status
                self.was_referred = self.was_referred or 200 <= message.status < 300
            return
        if message.method == "REFER" and message.status >= 300:
            self._said.add(message.status)
        elif message.method == "NOTIFY" and not message.status:
            status = _STATUS.match(message.text.partition("\r\n\r\n")[2])
            if status is not None:
                self._said.add(int(status[1]))

    def include(self, code: int) -> bool:
        """Whether the far end sent this status."""
        return code in self._said
