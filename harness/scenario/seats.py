"""Who can be called in the AI's place: Synthflow, or a phone of ours standing in for it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from harness.checks import identity
from harness.deployment import Trunk
from harness.errors import FarEndError
from harness.far_end.clock import to_wall
from harness.far_end.synthflow import CallRecord, SynthflowApi
from harness.phone.leg import Leg
from harness.phone.phone import Phone
from harness.phone.waiter import NeverCame
from harness.scenario.ends import Call
from harness.scenario.synthflow_talk import UNKNOWN, SynthflowTalk
from harness.scenario.talks import StandInTalk, Talk
from harness.sip.message import Message, Request

if TYPE_CHECKING:
    from harness.scenario.stage import Stage


class Seat(Protocol):
    """Who can be called in the AI's place."""

    def expect_call(self, of: Call, assistant: str, within: float) -> Talk | None:
        """The AI's side of the call ``of``; None when none came."""

    def answered_by(self, of: Call) -> list[str]:
        """The assistants that took a call since ``of`` began."""


class SynthflowSeat:
    """Synthflow itself."""

    def __init__(self, stage: Stage, api: SynthflowApi) -> None:
        self._stage = stage
        self._api = api
        self.talks: list[SynthflowTalk] = []
        declared = stage.deployment.synthflow
        self.lag_s = declared.record_lag_s if declared else 0.0  #: how much later than a call its record may be
        self.blind = False  #: the last look showed nothing, for no fault of the platform's

    def expect_call(self, of: Call, assistant: str, within: float) -> SynthflowTalk | None:
        """Poll its list of calls. Where the interface fails and the call was answered, a talk that knows nothing."""
        number = self._stage.deployment.assistants[assistant].did
        deadline = time.monotonic() + within
        while True:
            if record := self.find(of, number):
                return self._talk(record, of, number)
            if time.monotonic() >= deadline or of.is_over():
                return self._talk(UNKNOWN, of, number) if self.blind and of.answered_at() is not None else None
            self._stage.pause(self._stage.poll_s)

    def _talk(self, record: CallRecord, of: Call, number: str) -> SynthflowTalk:
        talk = SynthflowTalk(self._stage, self._api, record, of, number)
        self.talks.append(talk)
        self._stage.talked(talk)
        return talk

    def find(self, of: Call, number: str) -> CallRecord | None:
        """The record of the call ``of`` at ``number``, once it is answered."""
        taken = {talk.record.id for talk in self.talks}
        found = (r for r in self.records(of) if r.number_to == number and r.answered and r.id not in taken)
        return next(found, None)

    def records(self, of: Call) -> list[CallRecord]:
        """Every call the AI saw that may be ``of``, answered or not; says whether it could look (:attr:`blind`)."""
        try:
            found = self._api.calls(since=to_wall(of.began))
        except FarEndError as error:
            self._stage.api_trouble(error)
            self.blind = True
            return []
        self.blind = not all(record.readable for record in found)
        if self.blind:
            why = "a record's status or phone_number_to is missing, or none that is known"
            self._stage.api_trouble(FarEndError(f"Synthflow API: GET /calls: {why}"))
        return [record for record in found if self._is_of(record, of)]

    def answered_by(self, of: Call) -> list[str]:
        """By number called."""
        taken = [record for record in self.records(of) if record.answered]
        return [self._stage.assistant_of(record.number_to) or str(record.number_to) for record in taken]

    def _is_of(self, record: CallRecord, of: Call) -> bool:
        if record.id in {of.prepared, *self._stage.ids_told(of)}:
            return True
        declared = self._stage.deployment.synthflow
        shown = record.number_from
        if declared is not None and declared.shared:
            return shown == of.number
        # several callers of one case are told apart by number; a call without any number is taken on trust, and then
        # fails its caller ID
        others = {number for number in self._stage.callers_numbers() if number != of.number}
        return shown == of.number or shown not in others


class StandInSeat:
    """A phone of ours at the trunk's address."""

    def __init__(self, stage: Stage, phone: Phone, trunk: Trunk) -> None:
        self._stage = stage
        self.phone = phone
        self.trunk = trunk
        self.talks: list[StandInTalk] = []
        self._waiting: list[Leg] = []  #: calls that came, and nobody has expected yet

    def hold_back(self, within: float) -> Leg:
        """Take the next call, but do not answer it until it is expected. Raises :class:`NeverCame`."""
        leg = self.phone.next_call(within)
        self._waiting.append(leg)
        return leg

    def expect_call(self, of: Call, assistant: str, within: float) -> StandInTalk | None:
        """Answer the next call."""
        leg = self._next_of(of, time.monotonic() + within)
        if leg is None:
            return None
        leg.answer()
        invite = Request.parse(leg.invite.text)
        assert isinstance(invite, Request)
        called = self._stage.assistant_of((invite.uri.user or "").split(";")[0])
        talk = StandInTalk(self._stage, leg, self.phone, self.trunk, called, of)
        self.talks.append(talk)
        self._stage.talked(talk)
        return talk

    def _next_of(self, of: Call, deadline: float) -> Leg | None:
        """The next call from the caller; a call that shows nobody's number may be anybody's."""
        others = self._stage.callers_numbers() - {of.number}
        while True:
            for leg in self._waiting:
                if self._shown_number(leg) not in others:
                    self._waiting.remove(leg)
                    return leg
            try:
                self._waiting.append(self.phone.next_call(within=max(0.0, deadline - time.monotonic())))
            except NeverCame:
                return None

    def _shown_number(self, leg: Leg) -> str | None:
        return identity.e164(identity.user_of(Message.parse(leg.invite.text).from_), self._stage.deployment.region)

    def answered_by(self, of: Call) -> list[str]:
        """By the Request-URI of what it answered."""
        return [talk.assistant or "an unknown number" for talk in self.talks]
