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
    """Of one call's REFERs: whether either side has sent any; of ours the statuses of their NOTIFYs (RFC 3515 section 2.4.5), and
    those they were refused with.
    """

    def __init__(self) -> None:
        self.has_referred = False  #: a REFER was sent: NOTIFYs may come of it
        self.was_referred = False  #: one of the far end's was accepted: it may extend its subscription
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
        """Whether the far end has said so."""
        return code in self._said
