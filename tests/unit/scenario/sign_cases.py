"""Cases whose callers show signs of what the AI heard."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest

from harness.audio.prompts import prompt_samples
from harness.case.checks.audio import ListenerReport, Sound
from harness.case.checks.claims import Observation
from harness.case.legs import LegEvents
from harness.deployment import Expectations, Synthflow
from harness.scenario import signs
from harness.scenario.context import CaseContext
from harness.scenario.signs import DirectionSigns, Look, Words
from harness.witness.call_record import CallRecord
from tests.unit.audio.sounds import join, silence
from tests.unit.scenario.conftest import MakeContext

NEVER = float("inf")


HELLO = "human: Hello, who is there?"


class Caller:
    """A caller of the harness: what its leg heard and was told, and what it did."""

    label, role, mark, voices = "caller.1", "caller", 7, ()
    is_ours = True
    began = routed = 0.0

    def __init__(
        self, heard: bool = True, counts: tuple[int, int] | None = None, packets: int = 100
    ) -> None:
        self.looks: list[Any] = []
        self.is_quiet = False
        self.did: list[str] = []
        self.waited: list[tuple[float, float]] = []  #: for what comes after, and until when
        self.obeyed_digit: Sound | None = None
        self.counts = counts
        answer = join(silence(1.5), prompt_samples("how-can-i-help-en"), silence(0.6))
        self.leg = SimpleNamespace(
            id="caller.1",
            received_since=lambda since: answer,
            events=[],
            facts=LegEvents(),
            statistics=lambda: None,
        )
        self._heard = heard
        self._packets = packets

    def voices_for(self, peer: object) -> set[int]:
        return {self.mark}

    def speak(self, prompt: str) -> tuple[float, bool]:
        self.did.append(f"says {prompt}")
        return time.monotonic(), True

    def hear_greeting(self, within: float) -> None:
        if self.is_quiet:
            self.did.append("hears the greeting")

    def end_quiet(self) -> None:
        pass

    def let_answer(self, since: float, within: float) -> None:
        self.did.append("lets the AI answer")

    def hears(self, talk: Any, since: float, deadline: float) -> Sound | None:
        return Sound(since, Observation.SOUND, "sound at caller.1") if self._heard else None

    def account(self, since: float, missing: Any = None) -> ListenerReport:
        return ListenerReport(2.0, -20.0, rx_packets=self._packets)

    @property
    def first_leg(self) -> Any:
        facts = SimpleNamespace(counted_by_far_end=lambda since, until: self.counts)
        return SimpleNamespace(facts=facts)

    def wait_for_far_end_report(self, since: float, deadline: float) -> None:
        self.did.append("waits for RTCP")
        self.waited.append((since, deadline))

    def is_over(self) -> bool:
        return False


class Case:
    """One look at a call of that caller's."""

    def __init__(
        self,
        make_context: MakeContext,
        caller: Caller,
        told: str,
        *,
        strength: str,
        **declared: Any,
    ) -> None:
        expect = Expectations(strength=strength)
        self._status = declared.pop("status", "completed")
        within_s = declared.pop("within_s", 0.01)
        self.transcripts = [told]  #: as the API tells them one after the other, the last for ever
        context: CaseContext = make_context(
            expect=expect, synthflow=Synthflow(poll_s=0.001, **declared)
        )
        api: Any = SimpleNamespace(is_down=False)
        context.far_end.api = api
        words = Words(context, self._read, within_s, lambda: False)
        talk: Any = SimpleNamespace(label="assistant main", role="ai", is_ours=False, words=words)
        self.context, self.caller = context, caller
        self.look = Look(context, talk, caller, 0.0)  # type: ignore[arg-type]
        self.look.begin()

    def _read(self) -> CallRecord:
        told = self.transcripts.pop(0) if self.transcripts[1:] else self.transcripts[0]
        return CallRecord("c1", {"status": self._status, "transcript": told})

    def settle(self, *, asking: bool = False) -> Case:
        self.look.settle(asking=asking)
        self.context.background.join(5.0)
        return self

    @property
    def heard_by_ai(self) -> tuple[str, str]:
        return _named(self.look.to_ai())

    @property
    def heard_by_caller(self) -> tuple[str, str]:
        return _named(self.look.to_caller())


def _named(signs: DirectionSigns) -> tuple[str, str]:
    """What shows that the direction works, and what denies it."""
    sound, _, denial = signs
    return sound.observation.name if sound else "", denial.observation.name if denial else ""


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the caller's pause nor recognition takes time."""
    monkeypatch.setattr(signs, "RECOGNISED_WITHIN_S", 0.01)
    monkeypatch.setattr(signs, "QUIET_S", 0.0)
