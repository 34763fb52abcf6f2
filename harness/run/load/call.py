"""A lane, one number over one trunk with its phones; and one call of it: placed, verified, verified
again, ended.

Of the other calls of its lane a call knows only the marks.
"""

from __future__ import annotations

import copy
import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from harness.case.events import CallState
from harness.case.legs import is_request
from harness.case.recorder import CaseRecorder
from harness.case.verdict import CaseOutcome, Strength, Verdict
from harness.deployment import CALLS_A_PHONE, Deployment, Timings
from harness.deployment.limits import CallGate
from harness.errors import HarnessError
from harness.integrations.matrix import Case
from harness.phone import recording, rtp_log
from harness.phone.leg import Leg
from harness.phone.options_seen import patience
from harness.phone.phone import Phone
from harness.phone.pool import PhonePool
from harness.phone.waiter import NeverCame
from harness.report.case_document import names
from harness.report.run_directory import case_directory
from harness.run.load.result import CallResult
from harness.run.plugin import starvation
from harness.scenario import audio_quality
from harness.scenario.ai import Ai
from harness.scenario.ai_calls import AiCall, SynthflowCall
from harness.scenario.call import Call
from harness.scenario.calls import Calls, Party
from harness.scenario.conclusion import conclude, look_at_audio
from harness.scenario.context import CaseContext, line_of
from harness.scenario.endpoints import StandInEndpoint
from harness.scenario.expect import Expect
from harness.scenario.people import AssistantOf, Caller
from harness.scenario.phones import own_phone
from harness.support.heartbeat import Listener
from harness.witness.synthflow import SynthflowApi


@dataclass(frozen=True)
class CallerSlot:
    """A phone that calls, and the number it shows."""

    phone: Phone
    number: str
    #: Held from dialling until the AI's side is found: two calls from one number cannot be
    #: distinguished.
    turn: threading.Lock


class Lane:
    """One number over one trunk, for ``calls`` of the load's calls at most."""

    def __init__(
        self,
        run: Path,
        case: Case,
        deployment: Deployment,
        timings: Timings,
        pool: PhonePool,
        marks: Iterator[int],
        api: SynthflowApi | None,
        gate: CallGate,
        calls: int,
        world: Listener | None,
    ) -> None:
        plain = {**case.plain(), **names(deployment)}
        self.recorder = CaseRecorder(case_directory(run, plain), plain)
        self.context = CaseContext(case, deployment, timings, self.recorder, pool, marks, api, gate)
        self.context.phones.keeps_registrations = False
        starvation.observe(self.context.evidence, pool, world)
        assert case.line is not None
        self.line = line_of(deployment, self.context.trunk, case.line)
        self.ai = Ai(self.context)
        self.calls = calls
        self.notes: list[str] = []  #: possible reasons why its calls were not set up
        self._slots: list[CallerSlot] = []
        self._next = 0

    def get_ready(self) -> None:
        """Take the AI's place, and register the phones. Raises as :meth:`CasePhones.lease` does."""
        with self.step("phones are ready"):
            if self.ai.is_ours:
                self.ai.take_place(max_calls=max(self.calls, CALLS_A_PHONE))
            else:
                self.ai.take_place()
            self._slots = list(self._leased())
        self._wait_until_asked()

    def _wait_until_asked(self) -> None:
        """Wait for the platform's first OPTIONS to the stand-in, if the file declares OPTIONS: it
        may place no calls before.
        """
        deployment = self.context.deployment
        every = deployment.stand_in.options_every_s if deployment.kind != "simulated" else None
        if every is None or not isinstance(self.ai.endpoint, StandInEndpoint):
            return
        within, phone = patience(every), self.ai.endpoint.phone
        with self.step("the platform asks the stand-in by OPTIONS"):
            try:
                phone.wait("OPTIONS", lambda event: is_request(event, "OPTIONS"), within)
            except NeverCame:
                came = f"no OPTIONS came to {phone.address}"
                self.notes.append(f"{came} in {within:g} s before the first call")

    def _leased(self) -> Iterator[CallerSlot]:
        """As many phones as the calls need, of different callers as far as there are some."""
        deployment, phones = self.context.deployment, self.context.phones
        callers = deployment.callers
        count = max(min(len(callers), self.calls), math.ceil(self.calls / CALLS_A_PHONE))
        settings: dict[str, object] = {"max_calls": math.ceil(self.calls / count)}
        if codec := self.context.case.axes.get("codec"):
            settings["codecs"] = (codec.upper(),)
        of_all, turns = threading.Lock(), {caller: threading.Lock() for caller in callers}
        for index in range(count):
            again, place = divmod(index, len(callers))
            caller = callers[place]
            named = {"name": f"{caller}~{again + 1}"} if again else {}
            config = own_phone(deployment, caller, **settings, **named)
            entry = deployment.phones[caller]
            # One registration for each caller is enough, and two would compete.
            phone = phones.lease(config, register=not again)
            turn = of_all if self.ai.is_ours else turns[caller]
            yield CallerSlot(phone, entry.number or entry.aor_user, turn)

    def slot(self) -> CallerSlot:
        """The next phone that calls, in turns."""
        slot = self._slots[self._next % len(self._slots)]
        self._next += 1
        return slot

    def step(self, title: str) -> AbstractContextManager[None]:
        """A step of the evidence."""
        return self.context.evidence.step(title)

    def hang_up(self) -> None:
        """End all calls, without waiting for anything."""
        self.context.phones.hang_up()

    def interrupted(self) -> None:
        """Have the evidence say that the load was stopped."""
        self.recorder.outcome.interrupted()

    def __enter__(self) -> Lane:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give the phones back, which hangs up what is left, and end the evidence: broken, where an
        error ended the load.
        """
        if error is not None:
            self.recorder.outcome.raised(error)
        elif not self._next:
            why = "no call of the load came to this trunk"
            self.context.evidence.unseen("case", self.line.name, "calls are placed", why)
        self.hang_up()
        try:
            self.context.phones.release()
        except Exception as broke:
            self.recorder.outcome.raised(broke)
            raise
        finally:
            conclusion = self.recorder.outcome.conclusion
            self.recorder.close(conclusion.verdict, conclusion.message)


class _OwnCalls(Calls):
    """This call, among all those of its lane, whose voices it must not hear."""

    def __init__(self, lane: Lane) -> None:
        super().__init__(lane.context.deployment, lane.context.phones)
        self._lane = lane.context.calls
        self.of_the_ai = self._lane.of_the_ai

    def add(self, call: Call) -> Call:
        """Add it here and to the lane's calls."""
        self._lane.add(call)
        return super().add(call)

    @property
    def other_legs(self) -> list[Leg]:
        """None: the others of the lane are calls of the load themselves."""
        return []

    @property
    def numbers(self) -> set[str]:
        """Of all callers of the lane."""
        return self._lane.numbers

    def _parties(self) -> Sequence[Party]:
        return self._lane._parties()


def _own_context(lane: Lane, outcome: CaseOutcome) -> CaseContext:
    """The context of a case of its own, with the phones of its lane."""
    context = copy.copy(lane.context)
    context.began = time.monotonic()
    context.evidence = lane.context.evidence.of_call(outcome, context.began)
    context.calls = _OwnCalls(lane)
    context.looks_later, context.looks_when_over = [], []
    return context


class LoadCall:
    """One call and its results. Only one thread at a time may call its methods."""

    def __init__(self, index: int, step: int, lane: Lane) -> None:
        self.index = index  #: from 1, in the order in which they are placed
        self.step = step  #: in which step it was placed, from 1
        self.failed_in: int | None = None  #: the step in which it was seen not to pass
        self.lane = lane
        self.ended = False  #: hung up, and over
        self._outcome = CaseOutcome()
        self._context = _own_context(lane, self._outcome)
        self._ai_call: AiCall | None = None
        self._concluded = False

    # -- its course

    def place(self, may_dial: Callable[[], bool]) -> None:
        """Dial, and verify: answered, by the right assistant alone, heard both ways.

        ``may_dial`` waits for its turn in the rate, and is false when nothing more is to be placed.
        """
        with self._judged(self.step):
            lane, context = self.lane, self._context
            slot = lane.slot()
            with slot.turn:
                if not may_dial():
                    return
                caller = Caller(context, slot.phone.name, slot.phone, slot.number)
                call = caller.call(lane.line)
                self._ai_call = AssistantOf(context, lane.ai, lane.line).expect_call(call)
            Expect(context, call).answered()
            Expect(context, call).two_way_audio_with(self._ai_call)

    def verify_again(self, step: int) -> None:
        """Verify that the call is up and heard both ways, with little loss and no voice of another
        call.

        If only a transcript shows the far end, hearing is verified after the call.
        """
        with self._judged(step):
            call, ai_call = self._call, self._ai_call
            assert call is not None
            assert ai_call is not None
            if self._still_up(call):
                if self._is_known_by_words:
                    audio_quality.wait_for_packets(self._context, (call,))
                else:
                    Expect(self._context, call).two_way_audio_with(ai_call, changed=True)
                self._look_at_audio()

    def _look_at_audio(self) -> None:
        for own in self._context.calls.own:
            for leg in own.legs:
                look_at_audio(self._context, leg)

    def _still_up(self, call: Call) -> bool:
        """Record whether the call is still up. Raises the phone's error if the phone itself ended
        it.
        """
        if (overrun := call.leg.phone.overrun) is not None:
            raise overrun
        ended = call.released_at(0.0)
        self._context.evidence.expect(call.is_up(ended))
        return ended is None

    def end(self, step: int | None = None) -> None:
        """Hang up, and verify that both ends are released and the BYE is answered. A call that
        never came up is cancelled.

        ``step``: the step in which the call must not end early; None when all calls were hung up at
        once.
        """
        call = self._call
        if call is None:
            self.ended = True
            return
        with self._judged(step or self.step):
            after = time.monotonic()
            if step is not None and self.failed_in is None:
                self._still_up(call)
            if not call.is_over():
                after = call.hang_up()
                if call.answered_at() is not None:
                    Expect(self._context, call).hang_up_is_answered()
            if self._ai_call is not None and not self._ai_call.is_unknown:
                Expect(self._context, self._ai_call).released(after)
        self.ended = call.released_at(time.monotonic() + self._context.patience) is not None

    def conclude(self, step: int) -> None:
        """Add the last findings, above all those that a far end reports only when its call is over.

        ``step``: the last one, in which whatever has happened since the call was verified again is
        seen.
        """
        if self._concluded:
            return
        self._concluded = True
        with self._judged(step):
            self._look_at_audio()
            self._seen_in(step)
            conclude(self._context, probe=False)
            # findings that come only now, as from a transcript, concern its beginning
            self._seen_in(self.step)
        if self.verdict is Verdict.PASSED and self._call is not None:
            self._forget_recordings(self._call)

    def interrupted(self, step: int) -> None:
        """Note that the load was stopped while the call was up."""
        with self._judged(step):
            self._outcome.interrupted()

    @property
    def _call(self) -> Call | None:
        """The call; set as soon as it was dialled, even if the AI's side failed."""
        return next(iter(self._context.calls.own), None)

    @property
    def _is_known_by_words(self) -> bool:
        return isinstance(self._ai_call, SynthflowCall) and self._ai_call.is_known_by_words

    @contextmanager
    def _judged(self, step: int) -> Iterator[None]:
        """Take an error of the body into the outcomes of this call and of its lane, and note the
        step in which the call first did not pass.
        """
        try:
            yield
        except BaseException as error:
            self._context.evidence.ended_by(error)
            for outcome in (self._outcome, self.lane.recorder.outcome):
                outcome.raised(error)
            if not isinstance(error, Exception):
                raise
        finally:
            self._seen_in(step)

    def _seen_in(self, step: int) -> None:
        if self.failed_in is None and self.verdict is not Verdict.PASSED:
            self.failed_in = step

    def _forget_recordings(self, call: Call) -> None:
        """Remove the recordings of a call that passed: they are not needed, and a load test makes
        many.
        """
        legs = [call.first_leg]
        if isinstance(self._ai_call, Call):
            legs.append(self._ai_call.leg)
        for leg in legs:
            # its phone may be lost: what it has written goes all the same
            with suppress(HarnessError, NeverCame):
                leg.wait_closed()
            directory = leg.phone.directory
            for path in (*recording.paths(directory, leg.id), rtp_log.path_of(directory, leg.id)):
                path.unlink(missing_ok=True)

    # -- its results

    @property
    def verdict(self) -> Verdict:
        """By the findings so far."""
        return self._outcome.conclusion.verdict

    @property
    def message(self) -> str:
        """Why it did not pass; empty when it did."""
        return self._outcome.conclusion.message.partition("\n")[0]

    @property
    def was_placed(self) -> bool:
        """Whether an INVITE left."""
        return self._invited_at is not None

    @property
    def is_up(self) -> bool:
        """Whether it is answered, and not over."""
        call = self._call
        return call is not None and call.answered_at() is not None and not call.is_over()

    @property
    def _invited_at(self) -> float | None:
        """When its first INVITE left (monotonic)."""
        if self._call is None:
            return None
        with suppress(LookupError):
            return self._call.first_leg.invite.at
        return None

    def _ms_until(self, least: int) -> float | None:
        """From its first INVITE until a response of at least that status, and no refusal, changed
        its state.
        """
        began = self._invited_at
        if began is None or self._call is None:
            return None
        for state in self._call.first_leg.facts.of(CallState):
            if least <= state.code < 300:
                return round((state.at - began) * 1000, 1)
        return None

    def _refused_with(self, call: Call) -> str:
        """What refused it, as ``486 Busy Here``; empty where nothing did.

        The 487 to a CANCEL of the harness is no refusal (RFC 3261 section 9.1).
        """
        code, reason = call.final_response(0.0)
        if code < 300:
            return ""
        messages = call.first_leg.messages
        if code == 487 and any(message.text.startswith("CANCEL ") for message in messages):
            return ""
        return f"{code} {reason}"

    def _two_way_ms(self) -> float | None:
        """From the answer until both directions were heard; None where one was not, or only a
        transcript shows it.
        """
        proved = []
        for finding in self._outcome.findings:
            if finding.check != "audio" or finding.facts.get("again"):
                continue
            if finding.verdict is Verdict.PASSED and finding.strength is Strength.PROVED:
                proved.append(finding)
        delays = [float(finding.facts["delay_ms"]) for finding in proved[:2]]
        return round(max(delays), 1) if len(delays) == 2 else None

    def result(self, began: float) -> CallResult:
        """Its figures; ``began`` is when the load did (monotonic)."""

        def since(at: float | None) -> float | None:
            return None if at is None else round(at - began, 3)

        setup_ms = self._ms_until(200)
        leg = refused_with = ""
        answered = over = counters = None
        if (call := self._call) is not None:
            leg = call.label
            answered = call.answered_at()
            counters = call.first_leg.statistics()
            if answered is not None:
                over = call.released_at(0.0)
            if setup_ms is None:
                refused_with = self._refused_with(call)
        return CallResult(
            call=self.index,
            step=self.step,
            leg=leg,
            lane=self.lane.context.case.id,
            verdict=self.verdict,
            message=self.message,
            refused_with=refused_with,
            failed_in=self.failed_in,
            ended=self.ended,
            invited_s=since(self._invited_at),
            answered_s=since(answered),
            over_s=since(over),
            setup_ms=setup_ms,
            post_dial_delay_ms=self._ms_until(180),
            two_way_ms=self._two_way_ms(),
            rx_packets=counters.rx_packets if counters else 0,
            rx_lost=counters.rx_lost if counters else 0,
        )
