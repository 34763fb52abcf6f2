"""Who answers calls to the AI: Synthflow, or a harness phone that stands in for it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Sequence
from functools import cached_property

from harness.audio.marks import reply_to
from harness.case.events import SipMessage, Span
from harness.case.model import read
from harness.deployment import Trunk
from harness.deployment.safety import numbers_of
from harness.errors import BrokenError, FarEndError
from harness.phone.leg import Leg
from harness.phone.phone import Phone
from harness.phone.waiter import NeverCame
from harness.scenario.ai_calls import UNKNOWN, ReportedEnd, StandInCall, SynthflowCall, reported_end
from harness.scenario.call import Call
from harness.scenario.context import CaseContext, CasePart, line_of
from harness.sip.identity import digits_of, normalise
from harness.sip.message import Request
from harness.witness.call_record import REGISTERED, CallRecord
from harness.witness.clock import to_wall

_CANCELLED_S = 0.2  #: so much earlier than the ring timeout a CANCEL may come: the platform began to count before the INVITE came
#: By then a 200 without ACK was sent again twice (RFC 3261 section 13.3.1.4).
_ACKNOWLEDGED_WITHIN_S = 1.7
#: Statuses of a call that Synthflow was asked to take, whatever became of it.
_TRIED = {
    "ringing",
    "no-answer",
    "busy",
    "failed",
    "canceled",
    "user-canceled",
    "in-progress",
    "completed",
}


def request_user_of(invite: SipMessage) -> str:
    """The number an INVITE is for."""
    request = read(invite.text)
    assert isinstance(request, Request)
    return digits_of(request.uri)


class SynthflowEndpoint(CasePart):
    """Synthflow: the calls that its API lists since a harness call (``of``) began."""

    def __init__(self, context: CaseContext) -> None:
        super().__init__(context)
        self.taken: list[SynthflowCall] = []
        self.blind = False  # whether the last look could not tell, through no fault of the platform
        self._saw_others = False  #: whether the last look showed answered calls of concurrent cases

    def expect_call(self, of: Call, assistant: str, within: float) -> SynthflowCall | None:
        """The AI's side of the call ``of``, by polling the list of calls; None when none came.

        If the interface fails and the call was answered, a call without a known record. The record
        of an answered call may come as much later as its interface lags.
        """
        context, api = self._context, self._context.far_end.api
        number = context.deployment.assistants[assistant].address
        deadline = context.clock.monotonic() + within
        while True:
            now, answered = context.clock.monotonic(), of.answered_at() is not None
            if of.is_over():
                deadline = min(deadline, now)
            if record := self.find(of, number, now >= deadline or not context.concurrent.others):
                return self._call(record, of, number)
            # a dead interface is not waited for, and one that fails is asked again later; the
            # call's answer is waited for
            hopeless = answered and (api.is_down or (self.blind and now >= deadline))
            if hopeless or now >= deadline + (context.far_end.lag_s if answered else 0.0):
                if not answered:
                    return None
                # a platform may have shown the number of a concurrent case
                context.guessed = context.guessed or self._saw_others
                return self._call(UNKNOWN, of, number) if self.blind else None
            context.pause(context.far_end.poll_s)

    def _call(self, record: CallRecord, of: Call, number: str) -> SynthflowCall:
        call = SynthflowCall(self._context, record, of, number, lambda: self.find(of, number))
        self.taken.append(call)
        self._context.calls.of_the_ai.append(call)
        return call

    def find(self, of: Call, number: str, on_trust: bool = True) -> CallRecord | None:
        """The record of the call ``of`` at ``number``, once it is answered; ``on_trust``: also one
        that shows no known number.
        """
        taken = {call.record.id for call in self.taken}
        listed = self._listed(of, self._deployment.models(number), on_trust=on_trust)
        reported, goes_on = self._ids_told(of), not of.is_over()

        def unlikely(record: CallRecord) -> tuple[bool, bool, bool]:
            # an id says more than the number, which a platform may interchange, and the number more
            # than the place in the list
            return (
                record.id not in reported,
                record.number_from != of.number,
                goes_on and record.over,
            )

        found = (
            each
            for each in listed
            if each.answered and each.number_to == number and each.id not in taken
        )
        return min(found, key=unlikely, default=None)

    def records(self, of: Call) -> list[CallRecord]:
        """Every call the AI saw that may be ``of``, answered or not; says whether it could look
        (:attr:`blind`).
        """
        return self._listed(of, self._deployment.models())

    def _listed(
        self, of: Call, models: Sequence[str], *, on_trust: bool = True
    ) -> list[CallRecord]:
        """The records that may be the call's, by id, time and caller.

        Several callers of one case, and concurrent cases, are distinguished by number. A number that
        no caller has may be what became of the caller's on the way: where strangers call the
        assistant as well, it is theirs; elsewhere it is taken ``on_trust``.
        """
        context, began = self._context, to_wall(of.began)
        concurrent, reported = context.concurrent, self._ids_told(of)
        others = (context.calls.numbers | concurrent.others) - {of.number}
        self.blind = self._saw_others = False
        try:
            every = context.far_end.api.calls(since=began, models=models)
        except FarEndError as error:
            context.far_end.trouble(error)
            self.blind = True
            return []
        found = []
        for record in every:
            shown, since = record.number_from, record.is_since(began)
            self._saw_others |= bool(since) and record.answered and shown in concurrent.others
            is_told, is_unclear = record.id in reported, False
            if record.status == REGISTERED:  # an id that was given out, and not called yet
                continue
            if not is_told:
                if record.is_outbound or since is False or shown in others:
                    continue
                is_unclear = since is None
                if shown != of.number and context.far_end.is_shared:
                    if self._is_a_strangers(shown):
                        continue
                    is_unclear = True
                elif shown != of.number and concurrent.others and not self._is_withheld(shown):
                    context.guessed = context.guessed or on_trust
                    if not on_trust:
                        continue
            if record.readable and not is_unclear:
                found.append(record)
            else:
                self.blind = True
                why = (
                    "a record's status, phone_number_to, start_time or phone_number_from is missing, none that is known, or no "
                    "sign of who called, or its time is before the call by one clock and behind it by the other"
                )
                context.far_end.trouble(FarEndError(f"Synthflow API: GET /calls: {why}"))
        return found

    def _is_a_strangers(self, shown: str | None) -> bool:
        """Whether the file does not have the number. A withheld one, or the platform's, may be any
        caller's.
        """
        return shown is not None and shown.startswith("+") and shown not in self._platforms

    def _is_withheld(self, shown: str | None) -> bool:
        is_number = normalise(shown or "", self._deployment.region) is not None
        return self._context.concurrent.withholds and not is_number

    @cached_property
    def _platforms(self) -> frozenset[str | None]:
        """The deployment's numbers, without those of the harness phones."""
        deployment = self._deployment
        return frozenset(numbers_of(deployment)) - {
            phone.number for phone in deployment.phones.values()
        }

    def _ids_told(self, of: Call) -> set[str | None]:
        return {of.prepared, *self._context.calls.ids_told(of)}

    def answered_by(self, of: Call) -> list[str]:
        """The assistants that took a call that may be ``of``, by the number called.

        A record that is known to be another caller's does not count.
        """
        return self._answerers(self.records(of), of)

    def _answerers(self, records: Iterable[CallRecord], of: Call) -> list[str]:
        theirs = {call.record.id for call in self.taken if call.peer is not of}
        taken = [record for record in records if record.answered and record.id not in theirs]
        return [
            self._context.assistant_of(record.number_to) or str(record.number_to)
            for record in taken
        ]

    def others(self, of: Call, assistant: str) -> list[str]:
        """The assistants beside ``assistant`` that the call ``of`` certainly came to as well, by
        its caller's number or its ids.
        """
        reported, answered = (
            self._ids_told(of),
            [record for record in self.records(of) if record.answered],
        )
        if (
            self._context.concurrent.others
            and len(answered) > 1
            and not reported & {call.record.id for call in self.taken}
        ):
            self._context.guessed = True  # one of them may belong to a concurrent case
        found = [r for r in answered if r.id in reported or r.number_from == of.number]
        return self._context.assistants_at(
            (str(record.number_to) for record in found), but=assistant
        )

    def attempts(self, of: Call) -> list[str]:
        """What the list has of a call that was not answered: ``status:number``."""
        return [f"{record.status}:{record.number_to}" for record in self.records(of)]

    def asked_for(self, of: Call) -> list[str]:
        """The numbers that the AI was asked to take a call for."""
        return [str(record.number_to) for record in self.records(of) if record.status in _TRIED]

    def set_up(self, of: Call) -> list[str]:
        """The calls that were set up."""
        return self._answerers(self._own(self.records(of), of), of)

    def reached_by(self, of: Call) -> list[str]:
        """The calls whose INVITE came to the AI."""
        return [record.id for record in self._own(self.records(of), of)]

    def _own(self, records: list[CallRecord], of: Call) -> list[CallRecord]:
        """The records without a third party's number: that call may be a stranger's, or the case's
        under a wrong number.
        """
        reported, ours = self._ids_told(of), {of.number, *numbers_of(self._deployment)}
        theirs = [r for r in records if r.id not in reported and r.number_from not in ours]
        theirs = [record for record in theirs if (record.number_from or "").startswith("+")]
        self.blind = self.blind or bool(theirs)
        return [record for record in records if record not in theirs]

    def reached_before(self, of: Call, at: float) -> list[str]:
        """The calls whose INVITE certainly came to the AI before ``at``.

        A record under a prepared id may have the time of its preparation.
        """
        before = self._own(
            [record for record in self.records(of) if record.is_since(to_wall(at)) is False], of
        )
        if any(record.id == of.prepared for record in before):
            self.blind = True
        return [record.id for record in before if record.id != of.prepared]

    def released_at(self, of: Call, deadline: float) -> ReportedEnd | None:
        """When the last of the calls ended; waits until ``deadline``. None where the list does not
        say, or has lost the call.
        """

        def look() -> tuple[bool | None, float | None]:
            records = self._own(self.records(of), of)
            self.blind = self.blind or not records
            if self.blind or not all(record.over for record in records):
                return None if self.blind else False, None
            reported = [(record, record.witness("released_at")) for record in records]
            return True, None if any(at is None for _, at in reported) else max(
                record.moment(at) for record, at in reported
            )

        return reported_end(self._context, look, deadline)

    def early(self, of: Call) -> tuple[str, set[int]]:
        """Who can be heard before the answer, and by which marks: the line's assistant, and its
        answer in band.
        """
        context = self._context
        line = line_of(context.deployment, context.trunk, str(context.case.line))
        voices = set() if line.assistant.voice is None else {line.assistant.voice}
        if "in-band" in context.far_end.declared.witness:
            voices.add(
                reply_to(of.mark)
            )  # the caller may be heard there, and answered, before the call is
        return f"assistant {line.entry.assistant}", voices


class StandInEndpoint(CasePart):
    """A harness phone at the trunk's address."""

    def __init__(self, context: CaseContext, phone: Phone, trunk: Trunk) -> None:
        super().__init__(context)
        self.phone = phone
        self.trunk = trunk
        self.taken: list[StandInCall] = []
        self._waiting: list[Leg] = []  #: calls that came and are not expected yet
        self.blind = False  # the last look showed calls that may be strangers'

    def others(self, of: Call, assistant: str) -> list[str]:
        """The assistants beside ``assistant`` in the Request-URIs of the caller's own calls."""
        own = [leg for leg in self._came(of) if self._context.phones.shows(leg, {of.number})]
        called = (request_user_of(leg.invite) for leg in own)
        return self._context.assistants_at(called, but=assistant)

    def _called(self, leg: Leg) -> str | None:
        """The assistant it is for; None where no assistant has its number."""
        return self._context.assistant_of(request_user_of(leg.invite))

    def attempts(self, of: Call) -> list[str]:
        """Empty: nothing lists them."""
        return []

    def asked_for(self, of: Call) -> list[str]:
        """The users of the Request-URIs; an assistant's number in E.164, however it is spelled."""
        assistants = self._deployment.assistants
        called = [(self._called(leg), request_user_of(leg.invite)) for leg in self.phone.incoming]
        return [user if name is None else assistants[name].address for name, user in called]

    def rang(self, of: Call) -> Span | None:
        """From the first INVITE until the CANCEL."""
        legs = [leg.facts for leg in self.phone.incoming]
        ends = [leg.ended.at for leg in legs if leg.ended is not None]
        ended = [at for at in ends if at >= of.began]
        if not ended:
            return None
        return min(event.at for leg in legs for event in leg if event.at >= of.began), max(ended)

    def set_up(self, of: Call) -> list[str]:
        """Its answered legs, also those that are over."""
        return self._own([leg for leg in self._came(of) if leg.facts.was_accepted])

    def reached_by(self, of: Call) -> list[str]:
        return self._own(self._came(of))

    def reached_before(self, of: Call, at: float) -> list[str]:
        return self._own([leg for leg in self._came(of) if leg.facts.began < at])

    def _came(self, of: Call) -> list[Leg]:
        return [leg for leg in self.phone.incoming if leg.facts.began >= of.began]

    def _own(self, came: Sequence[Leg]) -> list[str]:
        """The ids of those that certainly belong to the case; where strangers call as well, the
        others may be theirs.
        """
        own = [leg.id for leg in came if self._context.is_surely_ours(leg)]
        self.blind = len(own) < len(came)
        return own

    def early(self, of: Call) -> tuple[str, set[int]]:
        """Its next leg, which is taken but not answered."""
        try:
            leg = self.hold_back(within=self._context.patience)
        except NeverCame:
            return "stand-in", set()
        return leg.id, {leg.mark}

    def hold_back(self, within: float) -> Leg:
        """Take the next call, but do not answer it until it is expected. Raises :class:`NeverCame`."""
        leg = self.phone.next_call(within)
        self._waiting.append(leg)
        return leg

    def expect_call(self, of: Call, assistant: str, within: float) -> StandInCall | None:
        """The call ``of`` here, answered; None when none came.

        Raises :class:`BrokenError` where it came and rang for as long as it may, but the harness
        was too busy to answer.
        """
        leg = self._next_of(of, time.monotonic() + within)
        if leg is None:
            self._rang_out(of)
            return None
        leg.answer()
        with contextlib.suppress(NeverCame):  # that no ACK comes is a finding of its own
            leg.wait_state("confirmed", within=_ACKNOWLEDGED_WITHIN_S)
        call = StandInCall(self._context, leg, self.phone, self.trunk, self._called(leg), of)
        self.taken.append(call)
        self._context.calls.of_the_ai.append(call)
        return call

    def _rang_out(self, of: Call) -> None:
        others, limit = (
            self._context.calls.numbers - {of.number},
            self._context.timings.ring_timeout_s,
        )
        for leg in self.phone.incoming:
            began = leg.facts.began
            ended = leg.facts.ended.at if leg.facts.ended else began
            is_its = (
                began >= of.began
                and not leg.facts.was_accepted
                and not self._context.phones.shows(leg, others)
            )
            if is_its and ended - began >= limit - _CANCELLED_S:
                raise BrokenError(
                    f"{leg.id} rang for {ended - began:.1f} s, and the harness was too busy to answer it"
                )

    def _next_of(self, of: Call, deadline: float) -> Leg | None:
        """The next call from the caller that is not over yet; a call without a known number may be
        any caller's.
        """
        others = self._context.calls.numbers - {of.number}
        while True:
            self._waiting = [leg for leg in self._waiting if leg.state != "disconnected"]
            for leg in self._waiting:
                if not self._context.phones.shows(leg, others):
                    self._waiting.remove(leg)
                    return leg
            try:
                self._waiting.append(
                    self.phone.next_call(within=max(0.0, deadline - time.monotonic()))
                )
            except NeverCame:
                return None

    def answered_by(self, of: Call) -> list[str]:
        """The assistants whose calls it answered for ``of``; another caller's call does not count."""
        return [call.assistant or "an unknown number" for call in self.taken if call.peer is of]


#: Who answers calls to the AI.
AiEndpoint = SynthflowEndpoint | StandInEndpoint
