"""The state that all parts of a scenario share: the case, its evidence, its phones and calls."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from harness.case.events import Expected, Span
from harness.case.recorder import CaseRecorder
from harness.case.verdict import is_failure
from harness.deployment import Assistant, Deployment, Handover, Synthflow, Timings, Trunk
from harness.deployment import Line as LineEntry
from harness.deployment.limits import Gate
from harness.errors import BrokenError, FarEndError
from harness.finding_kinds import AUDIO_TO_AI
from harness.integrations.matrix import Case
from harness.phone.leg import Leg
from harness.phone.pool import PhonePool
from harness.scenario.calls import Calls
from harness.scenario.case_phones import ALONE, HEADER_NUMBER, CasePhones, ConcurrentCases
from harness.scenario.evidence import Evidence
from harness.sip.identity import dialled_at_home
from harness.witness.synthflow import AbsentApi, SynthflowApi

if TYPE_CHECKING:
    from harness.scenario.ends import End

T = TypeVar("T")
#: Between two looks at a phone of this machine.
LOOKS_EVERY_S = 0.05
#: The signs of a call's id.
_CALL_ID = re.compile(r"[A-Za-z0-9_.-]{1,80}")


class Background:
    """Work in separate threads; its error breaks the case."""

    def __init__(self) -> None:
        self._threads: list[threading.Thread] = []
        self._error: BaseException | None = None

    def start(self, work: Callable[[], None]) -> None:
        """Do ``work`` while the scenario goes on."""

        def guarded() -> None:
            try:
                work()
            except BaseException as error:  # raised by join(), in the scenario's own thread
                self._error = error

        thread = threading.Thread(target=guarded, name="background", daemon=True)
        self._threads.append(thread)
        thread.start()

    @property
    def fatal_error(self) -> BaseException | None:
        """The error that broke the work; None for a failed expectation."""
        return None if is_failure(self._error) else self._error

    def join(self, within: float) -> None:
        """Wait for all work. Raises its error."""
        for thread in self._threads:
            thread.join(timeout=within)
        if self._error is not None:
            raise self._error


@dataclass(frozen=True)
class Line:
    """A number at the platform, over the trunk of the case."""

    name: str
    did: str
    entry: LineEntry
    trunk: Trunk
    leads_to: Assistant | None  #: the assistant that its routing should reach; None: people only

    @property
    def assistant(self) -> Assistant:
        """The assistant it leads to. Only for a line that leads to one."""
        assert self.leads_to is not None, f"{self.name} leads to people only"
        return self.leads_to


def line_of(deployment: Deployment, trunk: Trunk, name: str) -> Line:
    """A line of the deployment, over ``trunk``."""
    entry = deployment.lines[name]
    assistant = deployment.assistants[entry.ai] if entry.ai else None
    return Line(name, deployment.did(name, trunk.name), entry, trunk, assistant)


def number_as(number: str, form: str) -> str:
    """A number to dial, as ``e164``, ``national`` or ``tel`` (RFC 3966). A user has the first form
    alone.
    """
    match form:
        case "national":
            return dialled_at_home(number)
        case "tel":
            return f"tel:{number}"
        case _:
            return number


#: A look at what only comes when the scenario is over: what is expected of that.
LaterLook = Callable[[], Sequence[Expected]]


class Clock:
    """Time as a case sees it. A test passes a clock that it advances."""

    def monotonic(self) -> float:
        """As ``time.monotonic()``, the clock of all events."""
        return time.monotonic()

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        time.sleep(seconds)


class FarRecords:
    """The far end's records of the case's calls, as far as the deployment shows them."""

    def __init__(
        self, deployment: Deployment, api: SynthflowApi | None, evidence: Evidence
    ) -> None:
        self._deployment, self._evidence = deployment, evidence
        #: What the interface shows: nothing, where the file declares none.
        declared = self.declared = deployment.synthflow or Synthflow(lag_s=0.0)
        self.poll_s = declared.poll_s  #: between two looks at the records
        self.lag_s = declared.record_lag_s  #: how much later than a call its record may be
        self.is_shared = declared.shared  #: whether other people's calls are among the records
        self.api = api or AbsentApi()

    def trouble(self, error: FarEndError) -> None:
        """Note once that the interface failed. That lowers what can be known, and fails no call."""
        self._evidence.note_once(str(error))

    def note_earlier(self) -> None:
        """Read the records before a call is placed, so that no earlier one is taken for the new
        call.
        """
        if not self.api.is_down:
            with suppress(FarEndError):  # the next look asks again and notes the trouble
                self.api.note_earlier(self._deployment.models())

    def prepared(self, caller: str, assistant: Assistant) -> str | None:
        """The id under which the interface will keep the next call's record; None when it gives
        none.
        """
        if not self.declared.prepare:
            return None
        try:
            found = self.api.prepare_inbound(caller, assistant.address, assistant.model_id)
        except FarEndError as error:
            self.trouble(error)
            return None
        if not _CALL_ID.fullmatch(found):  # it goes into a header
            self.trouble(
                FarEndError("Synthflow API: POST /prepare_inbound: an id that no header can carry")
            )
            return None
        return found


class CasePart:
    """Has a case, and what most of its methods need of that."""

    def __init__(self, context: CaseContext) -> None:
        self._context = context

    @property
    def _evidence(self) -> Evidence:
        return self._context.evidence

    @property
    def _deployment(self) -> Deployment:
        return self._context.deployment


class CaseContext:
    """One case: its deployment, its evidence, its phones and calls, and the far end's records."""

    def __init__(
        self,
        case: Case,
        deployment: Deployment,
        timings: Timings,
        recorder: CaseRecorder,
        pool: PhonePool,
        marks: Iterator[int],
        api: SynthflowApi | None,
        gate: Gate,
        concurrent: ConcurrentCases = ALONE,
        clock: Clock | None = None,
    ) -> None:
        self.clock = clock or Clock()
        self.concurrent = concurrent
        self.ai_trunk = case.trunk  #: the trunk over which calls come to the AI
        self.guessed = False  #: whether a finding may be about a call of a concurrent case
        self.case = case
        self.deployment = deployment
        self.timings = timings
        self.patience = deployment.expect.patience_s  #: for waits without a time limit, in seconds
        self.more_patience = 0.0  #: extra seconds for a caller who may have to ask again
        self.asked: list[Span] = []  #: from when to when a caller asked for a person
        self.began = self.clock.monotonic()
        #: The case's landing with people whom no harness phone hears.
        self.unheard: End | None = None
        self.background = Background()
        self.evidence = Evidence(
            recorder,
            case.dispensable,
            lambda: self.background.fatal_error or self.phones.fatal_error,
            {name: group.agents for name, group in deployment.groups.items()},
        )
        self.phones = CasePhones(deployment, self.evidence, pool, marks, gate, concurrent)
        self.calls = Calls(deployment, self.phones)
        self.far_end = FarRecords(deployment, api, self.evidence)
        self.looks_later: list[LaterLook] = []  #: in the order in which they were asked for
        self.looks_when_over: list[LaterLook] = []  #: those for which the harness hangs up before
        #: When the harness hung up to end the case, or had made its last check.
        self.over_at: float | None = None
        #: Waits for calls that would otherwise reach the next case.
        self.outlasted: list[Callable[[], None]] = []

    @cached_property
    def trunk(self) -> Trunk:
        """The trunk of the case."""
        return self.deployment.trunk(self.case.trunk)

    @property
    def handover(self) -> Handover:
        """The handover that the case is about. Raises :class:`BrokenError` where the number's
        assistant has none.
        """
        found = self.case.handover(self.deployment)
        if found is None:
            name = self.case.axes.get("handover", "")
            raise BrokenError(
                f"{self.case.line}: its assistant does not hand over{name and f' ({name})'}"
            )
        return found

    @property
    def asks_by(self) -> str:
        """How its caller asks for a person: digit, prompt or silence."""
        return self.case.axes.get("ask") or self.handover.ways[0]

    @property
    def lets_ai_greet(self) -> bool:
        """Whether a caller is silent until the AI has greeted it: an AI that names no marks takes a
        mark for an interruption.
        """
        return (
            not self.has_stand_in
            and not self.deployment.names_marks
            and AUDIO_TO_AI in self.case.required_findings
        )

    @property
    def has_stand_in(self) -> bool:
        """Whether a harness phone stands in for the AI."""
        return self.case.axes["ai"] == "stand-in"

    def end_here(self) -> None:
        """Mark the end of the evidence: from now on the harness itself causes what happens."""
        self.over_at = self.over_at or self.clock.monotonic()

    def before_the_end(self, expected: Expected) -> Expected:
        """The expectation, dated to the end of the evidence at the latest: the diagnosis reads
        events up to the last finding.
        """
        at = expected.at if expected.dated_at is None else expected.dated_at
        is_later = self.over_at is not None and at > self.over_at
        return replace(expected, dated_at=self.over_at) if is_later else expected

    @property
    def own_numbers(self) -> set[str]:
        """The numbers that only this case's calls show: its callers', and the one that a caller
        requests in a header.

        The AI's own number, or a fixed one, may be shown by any handover.
        """
        handover = self.case.handover(self.deployment)
        by_header = handover is not None and handover.transfer_caller_id == "header"
        return self.calls.numbers | ({HEADER_NUMBER} if by_header else set())

    def is_surely_ours(self, leg: Leg) -> bool:
        """Whether an incoming call certainly belongs to this case, also where strangers call."""
        return self.phones.is_surely_of(leg, self.own_numbers)

    def strangers_of(self, legs: Iterable[Leg]) -> list[str] | None:
        """The numbers that these calls show, where each may be a stranger's call; None where one
        certainly belongs to this case.
        """
        doubtful = list(legs)
        if any(map(self.is_surely_ours, doubtful)):
            return None
        shown = (number for leg in doubtful for number in self.phones.shown_of_ours(leg))
        return list(dict.fromkeys(shown))

    def assistant_of(self, number: str | None) -> str | None:
        """Which assistant has this number, however it is written."""
        assistants, region = self.deployment.assistants.items(), self.deployment.region
        exactly = (name for name, assistant in assistants if assistant.address == number)
        spelled = (name for name, assistant in assistants if assistant.is_at(number or "", region))
        return next(exactly, None) or next(spelled, None)

    def assistants_at(self, numbers: Iterable[str], *, but: str) -> list[str]:
        """The assistants that have these numbers, without ``but``."""
        found = set(map(self.assistant_of, numbers)) - {but, None}
        return sorted(filter(None, found))

    def pause(self, seconds: float, why: str = "") -> None:
        """Let time pass on purpose; with ``why`` it is time that the case takes by design.

        The loss of the world is raised out of it, by a signal.
        """
        self.clock.wait(seconds)
        if why:
            self.evidence.scripted(seconds, why)

    def wait_for(
        self,
        look: Callable[[], T],
        within: float,
        why: str = "",
        *,
        every_s: float = LOOKS_EVERY_S,
        given_up: Callable[[], bool] = lambda: False,
    ) -> T:
        """What ``look`` returns: the first true value, or the last one after ``within`` seconds, or
        when the wait is ``given_up``.

        With ``why``, the wait is recorded as time that the case takes by design. The time in which a
        process of the case did not run does not count.
        """
        began, granted_s = self.clock.monotonic(), 0.0
        until = began + within
        while True:
            # before it looks: the last look is no earlier than `until`
            now = self.clock.monotonic()
            if found := look():
                break
            if now >= until:
                more_s = self.evidence.kept_from(began, now).stalled_s - granted_s
                until, granted_s = until + more_s, granted_s + more_s
            if now >= until or given_up():
                break
            self.pause(min(every_s, until - now))
        if why:
            self.evidence.scripted(self.clock.monotonic() - began, why, began=began)
        return found

    def ask_interface(
        self,
        look: Callable[[], T],
        within: float,
        is_over: Callable[[], bool] = lambda: False,
        why: str = "",
    ) -> T:
        """The same of what the AI's interface tells; one that is down is not waited for."""
        api = self.far_end.api
        return self.wait_for(
            look,
            within,
            why,
            every_s=self.far_end.poll_s,
            given_up=lambda: is_over() or api.is_down,
        )
