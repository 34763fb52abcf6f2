"""What the far end has said of a REFER: pjsua tells of outcomes that nobody has sent as well.

Of a 202 with ``Refer-Sub: false`` (RFC 4488 section 4) it makes a 200, and then a 500; of a REFER without an answer a 408, and of
a subscription that ends by itself a 500.
"""

from __future__ import annotations

import re
from typing import Final

from harness.phone.child.sip_log import LoggedMessage

_STATUS: Final = re.compile(r"\s*SIP/2\.0 +(\d{3})\b", re.IGNORECASE | re.ASCII)


class Outcomes:
    """Of one call's REFERs: the statuses of its NOTIFYs (RFC 3515 section 2.4.5), and those it was refused with."""

    def __init__(self) -> None:
        self.are_due = False  #: a REFER was sent
        self._said: set[int] = set()

    def saw(self, message: LoggedMessage) -> None:
        """A message of the call passed."""
        if message.direction != "received":
            self.are_due = self.are_due or (message.method == "REFER" and not message.status)
            return
        if message.method == "REFER" and message.status >= 300:
            self._said.add(message.status)
        elif message.method == "NOTIFY" and not message.status:
            status = _STATUS.match(message.text.partition("\r\n\r\n")[2])
            if status is not None:
                self._said.add(int(status[1]))

    def include(self, code: int) -> bool:
        """Whether the far end has said so."""
        return code in self._said
