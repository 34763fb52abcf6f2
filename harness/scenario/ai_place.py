"""The AI's place as a whole: how it behaves in a row, what became of calls to it, and calls that come from there."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.audio.marks import reply_to
from harness.checks import reach
from harness.checks.finding import not_observable
from harness.deployment import Transport
from harness.errors import BrokenError, ResourceError
from harness.events import SipMessage
from harness.phone import Early, PhoneConfig, Policy
from harness.phone.waiter import NeverCame
from harness.scenario.ends import Call
from harness.scenario.people import Line
from harness.scenario.phones import stand_in
from harness.scenario.seats import Seat, StandInSeat, SynthflowSeat
from harness.sip.message import Request

if TYPE_CHECKING:
    from harness.phone.phone import Phone
    from harness.scenario.stage import Stage

#: Statuses of a call that Synthflow was asked to take, whatever became of it.
_TRIED = {"ringing", "no-answer", "busy", "failed", "canceled", "in-progress", "completed"}


def request_user_of(invite: SipMessage) -> str:
    """The number an INVITE is for."""
    request = Request.parse(invite.text)
    assert isinstance(request, Request)
    return (request.uri.user or "").split(";")[0]


class AiPlace:
    """Synthflow, or the phone that stands in for it."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._seat: Seat | None = None

    @property
    def is_ours(self) -> bool:
        """Whether a phone of ours is there."""
        return self._stage.case.axes["ai"] == "stand-in"

    def take_seat(self) -> None:
        """From here on it can be called."""
        if self.is_ours or self._stage.deployment.synthflow is not None:
            self._seat = self._take()

    @property
    def seat(self) -> Seat:
        """Who can be called there."""
        if self._seat is None:
            raise BrokenError("synthflow: this deployment names no API, so nobody can look at the AI's side")
        return self._seat

    def _take(self, **more: object) -> Seat:
        stage = self._stage
        if not self.is_ours:
            return SynthflowSeat(stage, stage.api)
        phone = stage.phone(stand_in(stage.deployment, stage.trunk, **more), register=False)
        if stage.deployment.stand_in.shared:
            phone.is_ours = stage.may_be_ours
        return StandInSeat(stage, phone, stage.trunk)

    # -- how it behaves; Synthflow's assistants behave by their own configuration, a stand-in has to be told

    def does(self, policy: Policy) -> None:
        """What it does with calls."""
        if isinstance(self.seat, StandInSeat):
            self.seat.phone.policy = policy

    def answers_early(self, *, reliable: bool = False) -> None:
        """It says 183 with audio before it answers."""
        if self.is_ours:
            self._seat = self._take(reliable_provisional="optional" if reliable else "off")
            self.does(Early())

    def takes_srtp(self) -> None:
        """It accepts encrypted media."""
        if self.is_ours:
            self._seat = self._take(srtp="optional")

    def shows_certificate(self, kind: str) -> None:
        """It answers TLS connections with a bad certificate."""
        bad = self._stage.deployment.stand_in.bad_certificates.get(kind)  # type: ignore[call-overload]
        if bad is None:
            raise ResourceError(f"stand_in.bad_certificates.{kind}: is missing")
        config = stand_in(self._stage.deployment, self._stage.trunk)
        tls = replace(config.tls, certificate=bad.certificate, private_key=bad.private_key)
        self._seat = self._take(tls=tls)

    # -- what became of calls

    def was_tried(self, of: Call, line: Line) -> None:
        """The AI was asked to take the call that ``of`` began, at the line's assistant."""
        wanted, subject = line.assistant.did, f"the call to {line.did}"
        seen = self._asked(of, wanted)
        if seen is None:
            expected, why = f"an INVITE for {wanted} reaches the AI", "nobody can look at the AI's side"
            self._stage.add(not_observable("route.tried", subject, expected=expected, why=why))
            return
        self._stage.add(reach.tried(subject, wanted, seen))

    def _asked(self, of: Call, wanted: str) -> list[str] | None:
        deadline = time.monotonic() + self._stage.patience
        seat = self.seat
        while True:
            if isinstance(seat, StandInSeat):
                found = [request_user_of(leg.invite) for leg in seat.phone.incoming]
            elif isinstance(seat, SynthflowSeat):
                found = [str(r.number_to) for r in seat.records(of) if r.status in _TRIED]
                if seat.blind and time.monotonic() >= deadline:
                    return None
            else:
                return None
            if wanted in found or time.monotonic() >= deadline:
                return found
            self._stage.pause(self._stage.poll_s)

    def answered_nothing(self, of: Call) -> None:
        """No call since ``of`` began was answered by the AI."""
        answered = self.seat.answered_by(of)
        if isinstance(self.seat, SynthflowSeat) and self.seat.blind:
            expected, why = "no call is set up", "its interface does not say"
            self._stage.add(not_observable("route.not_answered", "the AI", expected=expected, why=why))
            return
        if isinstance(self.seat, StandInSeat):
            answered = [leg.id for leg in self.seat.phone.incoming if leg.state in ("confirmed", "connecting")]
        self._stage.add(reach.not_answered("the AI", answered))

    def was_not_reached(self, of: Call) -> None:
        """No INVITE came to the AI since ``of`` began: one that only rang was sent all the same."""
        seat = self.seat
        if isinstance(seat, StandInSeat):
            reached = [leg.id for leg in seat.phone.incoming if leg.events[0].at >= of.began]
        else:
            assert isinstance(seat, SynthflowSeat)
            reached = [record.id for record in seat.records(of)]
            if seat.blind and not reached:
                expected, why = "no INVITE is sent to the AI", "its interface does not say"
                self._stage.add(not_observable("route.not_reached", "the AI", expected=expected, why=why))
                return
        self._stage.add(reach.not_reached("the AI", reached))

    def early(self, of: Call) -> tuple[str, set[int]]:
        """Who can be heard before the answer, and by which marks; a stand-in's leg is taken but not answered."""
        seat = self.seat
        if isinstance(seat, StandInSeat):
            try:
                leg = seat.hold_back(within=self._stage.patience)
            except NeverCame:
                return "stand-in", set()
            return leg.id, {leg.mark}
        line = self._stage.line(self._stage.case.row.line or "early-media")
        voices = set() if line.assistant.voice is None else {line.assistant.voice}
        if self._stage.deployment.synthflow and "in-band" in self._stage.deployment.synthflow.witness:
            voices.add(reply_to(of.mark))  # the caller may be heard there, and answered, before the call is
        return f"assistant {line.entry.assistant}", voices

    # -- calls that come from there

    def calls(self, number: str, *, transport: Transport | None = None, from_outside: bool = False) -> Call:
        """A call to the platform from the AI's address, or from one that no allowlist has; over another transport if asked."""
        stage = self._stage
        trunk = stage.trunk
        place = stage.deployment.stand_in
        config = stand_in(stage.deployment, trunk, bind_port=0)
        bind = place.stranger_bind if from_outside else place.bind
        if bind is None:
            raise BrokenError("stand_in.stranger_bind: is missing")
        name = "stranger" if from_outside else f"ai-{transport or trunk.transport}"
        config = replace(config, name=name, bind_address=bind, transport=transport or trunk.transport)
        phone = self._phone_outside(config)
        with stage.step(f"{name} calls {number}"):
            uri = f"sip:{number}@{trunk.termination}"
            if config.transport != "udp":
                uri += f";transport={config.transport}"
            return stage.called(Call(stage, phone.dial(uri), "ai"))

    def _phone_outside(self, config: PhoneConfig) -> Phone:
        return self._stage.phone(config, register=False)
