"""When a call is over for both sides. pjsua forgets one the moment it is told to hang up: its messages say the rest."""

from __future__ import annotations

from harness.phone.child.sip_log import LoggedMessage
from harness.phone.protocol import FAREWELL_SECONDS


class Ending:
    """Of one call, whose ``direction`` is ``outgoing`` or ``incoming``."""

    def __init__(self, direction: str) -> None:
        self._direction = direction
        self.began = False  #: for pjsua the call is over
        self.settled = False  #: the far end knows that it is over
        self._answered = self._hung_up = False
        self._gives_up_at = 0.0

    def hung_up(self) -> None:
        """We end the call, or refuse it."""
        self._hung_up = True

    def begin(self, now: float) -> None:
        """The call is over for pjsua; the far end may have to learn it yet."""
        self.began = True
        # A refusal of ours has to be acknowledged, whoever gave the call up (RFC 3261 section 17.2.1).
        refused = self._direction == "incoming" and not self._answered
        self.settled = self.settled or not (self._hung_up or refused)
        self._gives_up_at = now + FAREWELL_SECONDS

    def gives_up(self, now: float) -> bool:
        """Whether the far end has had its time to learn it, and the recordings theirs to be written."""
        return now >= self._gives_up_at

    def saw(self, message: LoggedMessage) -> None:
        """Follow the dialog."""
        if message.method == "BYE":
            self.settled = self.settled or message.is_last
        elif message.method == "INVITE" and not self._answered:
            if 200 <= message.status < 300:
                self._answered = True
            else:
                # What refuses one attempt (401, 407, 422) does not refuse the next.
                self.settled = message.ours and message.status >= 300
        elif message.method == "ACK" and not message.ours and not self._answered:
            self.settled = True  # our refusal has arrived
