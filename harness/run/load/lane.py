"""One number over one trunk: the phones that call it, who answers there, and where the evidence goes."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from harness.calls.checks.finding import not_observable
from harness.calls.events import Event, SipMessage
from harness.deployment import CALLS_A_PHONE, Deployment, Timings
from harness.deployment.limits import CallGate
from harness.integrations.matrix import Case
from harness.phone.options_seen import patience
from harness.phone.phone import Phone
from harness.phone.pool import PhonePool
from harness.phone.waiter import NeverCame
from harness.report.case_document import names
from harness.report.recorder import CaseRecorder
from harness.report.run_directory import case_directory
from harness.run.plugin import starvation
from harness.scenario.ai import Ai
from harness.scenario.context import CaseContext, line_of
from harness.scenario.endpoints import StandInEndpoint
from harness.scenario.phones import own_phone
from harness.witness.synthflow import SynthflowApi


def _is_options(event: Event) -> bool:
    return isinstance(event, SipMessage) and event.text.startswith("OPTIONS ")


@dataclass(frozen=True)
class CallerSlot:
    """A phone that calls, and the number it shows."""

    phone: Phone
    number: str
    #: Held from dialling until the AI's side is found: two calls from one number cannot be told apart.
    turn: threading.Lock


class SharedMarks:
    """Marks for the legs of several threads' calls."""

    def __init__(self, marks: Iterator[int]) -> None:
        self._marks = marks
        self._lock = threading.Lock()

    def __iter__(self) -> SharedMarks:
        return self

    def __next__(self) -> int:
        with self._lock:
            return next(self._marks)


class Lane:
    """One number over one trunk, for ``calls`` of the load's calls at most."""

    def __init__(
        self,
        run: Path,
        case: Case,
        deployment: Deployment,
        timings: Timings,
        pool: PhonePool,
        marks: SharedMarks,
        api: SynthflowApi | None,
        gate: CallGate,
        calls: int,
        stood_still: Callable[[float, float], list[float]],
    ) -> None:
        plain = {**case.plain(), **names(deployment)}
        self.recorder = CaseRecorder(case_directory(run, plain), plain)
        self.context = CaseContext(case, deployment, timings, self.recorder, pool, marks, api, gate)
        self.context.phones.keeps_registrations = False
        starvation.observe(self.context.evidence, pool, stood_still)
        assert case.line is not None
        self.line = line_of(deployment, self.context.trunk, case.line)
        self.ai = Ai(self.context)
        self.calls = calls
        self.notes: list[str] = []  #: of what may have kept its calls from being set up
        self._slots: list[CallerSlot] = []
        self._next = 0

    def get_ready(self) -> None:
        """Take the AI's place, and register the phones. Raises as :meth:`CasePhones.lease` does."""
        with self.step("phones are ready"):
            self.ai.take_place(**{"max_calls": max(self.calls, CALLS_A_PHONE)} if self.ai.is_ours else {})
            self._slots = list(self._leased())
        self._wait_until_asked()

    def _wait_until_asked(self) -> None:
        """Wait for the platform's first OPTIONS to the stand-in, if the file declares OPTIONS: it may place no calls before."""
        deployment = self.context.deployment
        every = deployment.stand_in.options_every_s if deployment.kind != "simulated" else None
        if every is None or not isinstance(self.ai.endpoint, StandInEndpoint):
            return
        within, phone = patience(every), self.ai.endpoint.phone
        with self.step("the platform asks the stand-in by OPTIONS"):
            try:
                phone.wait("OPTIONS", _is_options, within)
            except NeverCame:
                self.notes.append(f"no OPTIONS came to {phone.address} in {within:g} s before the first call")

    def _leased(self) -> Iterator[CallerSlot]:
        """As many phones as the calls need, of different callers as far as there are some."""
        deployment, phones = self.context.deployment, self.context.phones
        callers = deployment.callers
        count = max(min(len(callers), self.calls), math.ceil(self.calls / CALLS_A_PHONE))
        codec = self.context.case.axes.get("codec")
        more: dict[str, object] = {"codecs": (codec.upper(),)} if codec else {}
        of_all, turns = threading.Lock(), {caller: threading.Lock() for caller in callers}
        for index in range(count):
            caller, again = callers[index % len(callers)], index // len(callers)
            named = {"name": f"{caller}~{again + 1}"} if again else {}
            config = own_phone(deployment, caller, max_calls=math.ceil(self.calls / count), **more, **named)
            entry = deployment.phones[caller]
            # One registration for each caller is enough to call from, and two would be each other's rivals.
            phone = phones.lease(config, register=not again)
            yield CallerSlot(phone, entry.number or entry.aor_user, of_all if self.ai.is_ours else turns[caller])

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
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the phones back, which hangs up what is left, and end the evidence: broken, where an error ended the load."""
        if error is not None:
            self.recorder.outcome.raised(error)
        elif not self._next:
            why = "no call of the load came to this trunk"
            self.recorder.finding(not_observable("case", self.line.name, expected="calls are placed", why=why))
        self.hang_up()
        try:
            self.context.phones.release()
        except Exception as broke:
            self.recorder.outcome.raised(broke)
            raise
        finally:
            conclusion = self.recorder.outcome.conclusion
            self.recorder.close(conclusion.verdict, conclusion.message)
