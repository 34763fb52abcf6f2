"""When a call is over for both sides. pjsua forgets a call as soon as it hangs up; the messages that follow decide."""

from __future__ import annotations

from harness.phone.child.sip_log import LoggedMessage
from harness.phone.protocol import FAREWELL_SECONDS


class Ending:
    """The end of one call, whose ``direction`` is ``outgoing`` or ``incoming``."""

    def __init__(self, direction: str) -> None:
        self._direction = direction
        self.began = False  #: the call is over for pjsua
        self.settled = False  #: the far end knows that it is over
        self._answered = self._hung_up = False
        self._gives_up_at = 0.0

    def hung_up(self) -> None:
        """Note that the phone ended or refused the call."""
        self._hung_up = True

    def begin(self, now: float) -> None:
        """Note that the call is over for pjsua; the far end may not know it yet."""
        self.began = True
        # The phone's refusal must be acknowledged, even after a CANCEL (RFC 3261 section 17.2.1).
        refused = self._direction == "incoming" and not self._answered
        self.settled = self.settled or not (self._hung_up or refused)
        self._gives_up_at = now + FAREWELL_SECONDS

    def gives_up(self, now: float) -> bool:
        """Whether the time for the far end's answer and for the recordings has passed."""
        return now >= self._gives_up_at

    def saw(self, message: LoggedMessage) -> None:
        """Follow the dialog."""
        if message.method == "BYE":
            self.settled = self.settled or message.is_last
        elif message.method == "INVITE" and not self._answered:
            if 200 <= message.status < 300:
                self._answered = True
            else:
                # After 401, 407 or 422 there is another attempt.
                self.settled = message.ours and message.status >= 300
        elif message.method == "ACK" and not message.ours and not self._answered:
            self.settled = True  # the refusal has arrived
