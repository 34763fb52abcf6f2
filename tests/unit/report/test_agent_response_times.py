"""Voice agent responsiveness, from what the caller's phone sent and received."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from harness.audio.marks import waveform
from harness.audio.prompts import prompt_path
from harness.audio.wav import read_wav, write_wav
from harness.case.check_table import RESPONSIVENESS, Held
from harness.case.checks.responsiveness import ResponseTime, responsive
from harness.case.events import CallState, LegStarted
from harness.case.verdict import Finding, Verdict
from harness.deployment import Responsiveness
from harness.report import callfacts as module
from harness.report import html
from harness.report.callfacts import measured_times, medians, response_times
from harness.report.evidence import CaseEvidence
from harness.report.summary import summarise
from tests.unit.conftest import run_of
from tests.unit.report import samples

AI, AGENT = 240, 13
Samples = NDArray[np.int16]


@pytest.fixture
def spoken(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[tuple[float, float]]]:
    """What the leg's recordings hold of speech, in seconds after the answer."""
    told: dict[str, list[tuple[float, float]]] = {"sent": [], "received": []}

    def words(evidence: CaseEvidence, leg: str, which: str) -> Any:
        answered = next(
            e.at for e in evidence.legs[leg] if isinstance(e, CallState) and e.state == "confirmed"
        )
        return [(answered + began, answered + ended) for began, ended in told[which]]

    monkeypatch.setattr(module, "_words", words)
    return told


def call(
    directory: Path,
    *heard: tuple[int, float, float],
    agent: tuple[float, float] | None = None,
) -> CaseEvidence:
    """A call that is answered, and then hears marks: mark, from, to, in seconds after the answer;
    when an agent's phone rang, and was answered.
    """
    with samples.playing(directory) as sample:
        sample.dials()
        sample.after(0.5).event(CallState, "caller.1", state="confirmed", code=200)
        answered = sample.now
        if agent is not None:
            way = {"direction": "incoming", "mark": AGENT, "remote_uri": "sip:b"}
            sample.clock.now = answered + agent[0]
            sample.event(LegStarted, "maria.1", **way)
            sample.clock.now = answered + agent[1]
            sample.event(CallState, "maria.1", state="confirmed", code=200)
        for mark, began, ended in heard:
            sample.clock.now = answered + began
            sample.hears("caller.1", mark, ended - began)
        sample.clock.now = answered + 20.0
        return sample.ends()


def said(evidence: CaseEvidence) -> dict[str, float | None]:
    return {
        m.title: None if m.seconds is None else round(m.seconds, 2)
        for m in response_times(evidence)
    }


@pytest.mark.parametrize(
    ("rang_from", "silence"), [(5.0, 1.5), (3.5, 0.5)]
)  # the AI speaks until 4.0
def test_that_our_own_phone_lets_it_ring_is_no_silence_of_its(
    tmp_path: Path, spoken: Any, rang_from: float, silence: float
) -> None:
    marks = (AI, 1.0, 4.0), (AGENT, 7.0, 10.0)
    found = said(call(tmp_path, *marks, agent=(rang_from, 6.5)))
    assert found["silence in the transfer"] == pytest.approx(silence, abs=0.01)


def test_answer_time_counts_from_the_last_word(tmp_path: Path, spoken: Any) -> None:
    spoken["sent"] = [(3.0, 3.8), (4.0, 5.0)]
    figures = said(call(tmp_path, (AI, 0.5, 2.0), (AI, 6.2, 8.0)))
    assert figures == {"dead air before the first word": 0.5, "answer time": 1.2}


@pytest.mark.parametrize(("ended", "seconds"), [(2.6, 0.6), (9.0, None)])
def test_whether_it_stops_when_interrupted(
    tmp_path: Path, spoken: Any, ended: float, seconds: float | None
) -> None:
    spoken["sent"] = [(2.0, 4.0)]
    assert said(call(tmp_path, (AI, 0.5, ended)))["stops when interrupted"] == seconds


def test_an_agent_without_a_mark_is_known_by_its_speech(tmp_path: Path, spoken: Any) -> None:
    spoken["received"] = [(0.8, 2.0), (9.0, 10.0)]
    figures = said(call(tmp_path, (AGENT, 5.0, 8.0)))
    assert figures == {"dead air before the first word": 0.8, "silence in the transfer": 3.0}


class TestSent:
    """What a phone sent is looked at for words only where it is more than the phone's mark."""

    @pytest.fixture
    def mark(self) -> Samples:
        return (np.tile(waveform(12), 20) * 32767).astype(np.int16)

    def test_words_amid_it_are_found(self, mark: Samples, tmp_path: Path) -> None:
        rate, words = 8000, read_wav(prompt_path("agent-please-en"))
        assert words[1] == rate
        write_wav(tmp_path / "sent.wav", np.concatenate([mark, words[0], mark]), rate)
        found = [span for span in module._sent(tmp_path / "sent.wav") if span.kind == "speech"]
        assert found
        assert 3.0 < found[0].began < found[-1].ended < 3.6 + len(words[0]) / rate


def test_the_run_s_figures_are_medians_of_what_passed(tmp_path: Path) -> None:
    cases = [
        CaseEvidence.read(samples.passed(tmp_path / "a")),
        CaseEvidence.read(samples.failed(tmp_path / "b")),
    ]
    run = run_of(*cases, directory=tmp_path)
    times = html.write(tmp_path / "report.html", run, summarise(run))
    found = {entry["key"]: entry for entry in medians("run", cases, times)}
    assert found["answered-after"]["value"] == 80.0
    assert found["answered-after"]["title"] == "answered after, median of 1"
    assert found["post-dial-delay"]["unit"] == "ms"
    assert all(entry["start"] <= entry["stop"] for entry in found.values())
    assert medians("run", cases[1:], []) == []


def held_to(limits: Responsiveness, measured: list[ResponseTime]) -> list[Finding]:
    held = limits.held
    return [
        responsive(held[one.title][0], one.leg, one.seconds, held[one.title][1], one.basis)
        for one in measured
        if one.title in held
    ]


class TestLimits:
    """A figure is only shown; with a limit in the deployment it is held to it."""

    @pytest.mark.parametrize(("limit", "verdict"), [(1.0, Verdict.FAILED), (2.0, Verdict.PASSED)])
    def test_one_is_held_to(
        self, tmp_path: Path, spoken: Any, limit: float, verdict: Verdict
    ) -> None:
        measured = response_times(call(tmp_path, (AI, 1.5, 4.0)))
        (found,) = held_to(Responsiveness(dead_air_s=limit), measured)
        assert (found.check, found.subject, found.verdict) == (
            "responsiveness.dead_air",
            "caller.1",
            verdict,
        )
        assert "1.50 s from the answer" in found.actual

    @pytest.mark.parametrize(("limit", "verdict"), [(0.07, Verdict.FAILED), (0.09, Verdict.PASSED)])
    def test_a_time_of_a_placed_call_is_held_to_a_limit(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        limit: float,
        verdict: Verdict,
    ) -> None:
        answered = Held("the call is answered", "answered after", "answer_s")
        monkeypatch.setitem(RESPONSIVENESS, "responsiveness.answer", answered)
        evidence = CaseEvidence.read(samples.passed(tmp_path))
        (found,) = held_to(Responsiveness(answer_s=limit), measured_times(evidence))
        assert (found.check, found.subject, found.verdict) == (
            "responsiveness.answer",
            "caller.1",
            verdict,
        )
        assert "0.08 s" in found.actual

    def test_each_limit_is_a_key_of_the_deployment_and_none_holds_without_a_value(self) -> None:
        limits = {held.limit for held in RESPONSIVENESS.values()}
        assert limits == set(Responsiveness.model_fields)
        assert Responsiveness().held == {}
