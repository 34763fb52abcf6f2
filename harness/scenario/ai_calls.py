"""A call as the AI has it; and the one that a phone of ours took in the AI's place."""

from __future__ import annotations

import contextlib
import time
from typing import Literal, Protocol

from harness.calls.events import SipMessage
from harness.deployment import TOPIC_HEADER, Trunk
from harness.errors import PhoneMisuseError
from harness.phone import refer
from harness.phone.leg import Leg
from harness.phone.phone import Phone
from harness.phone.waiter import NeverCame
from harness.scenario.context import CaseContext
from harness.scenario.end import End
from harness.scenario.ends import Call
from harness.scenario.handover import SentTransfer, in_messages
from harness.sip.uri import Uri


class TransferTarget(Protocol):
    """Whom a caller is transferred to."""

    name: str
    address: str | None  #: the user of its address


class AiCall(End, Protocol):
    """A call as the AI has it."""

    @property
    def is_unknown(self) -> bool:
        """Whether its record could not be found, since the interface failed."""

    def keep_record(self) -> None:
        """Keep the last that an interface says of it."""

    @property
    def assistant(self) -> str | None:
        """The assistant that took it, by the deployment's name; None when nobody says."""

    def hand_over(
        self, group: TransferTarget, how: str, caller_id: str | None = None, topic: str | None = None
    ) -> None:
        """Have the caller, who has asked for a person, transferred to ``group``: ``cold`` or ``warm``."""

    def transfers(self) -> list[SentTransfer]:
        """Where the AI transferred to, as its side tells; nothing where nobody does."""

    def hang_up(self) -> float:
        """Have the AI hang up; the moment it did, or where nobody tells (:attr:`farewell_s`), was asked to."""

    def let_go(self) -> None:
        """Have a caller whom nobody can take released: by the AI, unless the platform does."""

    @property
    def farewell_s(self) -> float:
        """For how long it may still speak after that moment, before it hangs up."""

    def send_digits(self, method: Literal["rfc4733", "info"]) -> str:
        """Have the AI send digits; which."""


class StandInCall(Call):
    """A call that a phone of ours took in the AI's place."""

    is_unknown = False
    farewell_s = 0.0

    def __init__(
        self, context: CaseContext, leg: Leg, phone: Phone, trunk: Trunk, assistant: str | None, peer: Call
    ) -> None:
        super().__init__(context, leg, "ai", peer=peer)
        self._phone = phone
        self._trunk = trunk
        self.assistant = assistant

    @property
    def received_on(self) -> tuple[str, str] | None:
        """Where the INVITE came to."""
        first = self._first_invite()
        return (first.transport, first.local) if first else None

    @property
    def came_from(self) -> str | None:
        """Where it came from."""
        first = self._first_invite()
        return first.remote if first else None

    def _first_invite(self) -> SipMessage | None:
        return next((m for m in self.messages() if m.direction == "received" and m.text.startswith("INVITE ")), None)

    def hand_over(
        self, group: TransferTarget, how: str, caller_id: str | None = None, topic: str | None = None
    ) -> None:
        """What Synthflow's transfer action does: REFER, or a call of its own that is joined to the caller's."""
        heading = f"the stand-in hands the caller to {group.name} ({how})"
        with self._context.evidence.step(heading):
            self._heard_the_request()
            uri = f"sip:{group.address}@{self._trunk.termination}"
            if self._trunk.transport != "udp":
                uri += f";transport={self._trunk.transport}"
            if topic is not None:
                uri = str(Uri.parse(uri).with_header(TOPIC_HEADER, topic))
            if how == "cold":
                self.leg.transfer(uri)
                self._context.background.start(self._leave_after_transfer)
                return
            onward = self._phone.dial(uri, identity=caller_id)
            self._context.background.start(lambda: self._join(onward))

    def _leave_after_transfer(self) -> None:
        # RFC 5589 section 6.1: the transferor ends its own call once the transfer has succeeded
        # people take their time to answer, so it waits for as long as the call is up
        code = refer.outcome(self.leg, self._context.deployment.limits.seconds_per_call, outlives_call=False)
        if 200 <= code < 300 and not self.is_over():
            with contextlib.suppress(PhoneMisuseError):  # the platform may have ended it in the meantime
                self.leg.hangup()

    def transfers(self) -> list[SentTransfer]:
        """By its messages."""
        return list(in_messages(message.text for message in self.messages() if message.direction == "sent"))

    def transfer_outcome(self, within: float) -> int | None:
        """The final status of the REFER's NOTIFYs, or of the REFER itself; 0 when none came."""
        return refer.outcome(self.leg, within)

    def _join(self, onward: Leg) -> None:
        # the group's agent answers while the scenario goes on
        with contextlib.suppress(NeverCame):
            onward.wait_state("confirmed", within=self._context.deployment.limits.seconds_per_call)
            try:
                self.leg.bridge(onward)
            except PhoneMisuseError:
                if onward.state != "disconnected":  # else who answered has ended it, and there is nobody to join
                    raise

    def _heard_the_request(self) -> None:
        if self._context.asks_by == "digit":
            self.digits(1, within=3.0)

    def keep_record(self) -> None:
        """Its events are the record."""

    def hang_up(self) -> float:
        """Hang up."""
        at = time.monotonic()
        self.leg.hangup()
        return at

    def let_go(self) -> None:
        """Hang up, as the assistant would, unless the platform ends the call at once."""
        if self.released_at(time.monotonic() + self._context.deployment.expect.released_within_s) is None:
            self.hang_up()

    def send_digits(self, method: Literal["rfc4733", "info"]) -> str:
        """Send the deployment's digits."""
        digits = self._context.deployment.escalation.digits_back or "159D"
        self.press(digits, method)
        return digits
