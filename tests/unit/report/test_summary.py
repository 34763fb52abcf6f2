"""A run in figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.case.events import StrangerRefused
from harness.case.verdict import Verdict
from harness.report import history
from harness.report.evidence import CaseEvidence, latest
from harness.report.summary import Stranger, strangers, summarise
from tests.unit.conftest import run_of
from tests.unit.report import samples


class TestSummary:
    def test_what_one_deployment_cannot_see_is_not_said_of_another(self, tmp_path: Path) -> None:
        def play(name: str, verdict: Verdict) -> CaseEvidence:
            case = samples.case_of("TD-INBOUND", deployment=name)
            with samples.playing(tmp_path / name, case) as sample:
                sample.finding(
                    "codec", "the AI", verdict, expected="PCMU", actual="none", dispensable=True
                )
                sample.finding(
                    "answered", "caller.1", Verdict.PASSED, expected="an answer", actual="one"
                )
                return sample.ends()

        dark, light = play("dark", Verdict.NOT_OBSERVABLE), play("light", Verdict.PASSED)
        both = summarise(run_of(dark, light)).coverage
        assert {name: len(found.unseen) for name, found in both.items()} == {
            "TD-INBOUND of dark": 1,
            "TD-INBOUND of light": 0,
        }
        assert list(summarise(run_of(dark)).coverage) == ["TD-INBOUND"]

    @pytest.mark.parametrize(
        ("plays", "counts"),
        [
            (["failed", "broken"], "failed"),
            (["failed", "broken", "broken"], "failed"),
            (["failed", "passed", "broken"], "broken"),
            (["broken", "failed"], "failed"),
            (["passed", "broken"], "broken"),
            (["failed", "not observable"], "failed"),
            (["failed", "not observable", "broken"], "failed"),
            (["failed", "broken", "not observable"], "failed"),
            (["failed", "passed", "not observable"], "not observable"),
            (["broken", "not observable"], "not observable"),
            (["not observable", "broken"], "broken"),
        ],
    )
    def test_what_broke_or_could_not_be_seen_afterwards_hides_no_failure(
        self, tmp_path: Path, plays: list[str], counts: str
    ) -> None:
        for number, verdict in enumerate(plays, start=1):
            with samples.playing(
                tmp_path / str(number), samples.case_of(run=f"r{number}")
            ) as sample:
                sample.recorder.close(Verdict(verdict), verdict)
            case = tmp_path / str(number) / "case.json"
            case.write_text(
                json.dumps(json.loads(case.read_text()) | {"began_wall": 1.8e9 + number})
            )
        evidences = [
            CaseEvidence.read(tmp_path / str(number)) for number in range(1, len(plays) + 1)
        ]
        for order in (evidences, evidences[::-1]):
            (found,) = latest(order)
            assert found.verdict == counts
            total = summarise(run_of(*order))
            assert getattr(total, counts.replace(" ", "_")) == 1

    @pytest.mark.parametrize("verdict", [Verdict.PASSED, Verdict.FAILED])
    @pytest.mark.parametrize("failed_before", [True, False])
    def test_a_guess_counts_for_nothing_where_the_case_was_not_run_again_alone(
        self, tmp_path: Path, verdict: Verdict, failed_before: bool
    ) -> None:
        """Its worker died while it waited for the others to end: it passed, or failed, by what may
        be another case's call.
        """
        for attempt in (1, 2)[not failed_before :]:
            with samples.playing(
                tmp_path / str(attempt), samples.case_of(attempt=attempt)
            ) as sample:
                if attempt == 2:
                    sample.recorder.guessed()
                sample.recorder.close(verdict if attempt == 2 else Verdict.FAILED, "")
        evidences = [CaseEvidence.read(path) for path in tmp_path.iterdir()]
        (found,) = latest(evidences)
        summary = summarise(run_of(*evidences, planned=[found.case]))
        if failed_before:
            assert (found.attempt, found.verdict, summary.exit_code) == (1, Verdict.FAILED, 1)
        else:
            assert (found.verdict, summary.broken, summary.exit_code) == (Verdict.BROKEN, 1, 3)
            assert (
                found.message
                == "it was a guess that a call was this case's, and it was not run again alone"
            )

    @pytest.mark.parametrize("starved_s", [0.5, None])
    def test_an_attempt_without_a_processor_is_no_retry(
        self, tmp_path: Path, starved_s: float | None
    ) -> None:
        with samples.playing(tmp_path / "1", samples.case_of(attempt=1)) as sample:
            sample.finding("audio", "caller.1", Verdict.BROKEN, starved_s=starved_s)
            sample.recorder.close(Verdict.BROKEN, str(sample.recorder.outcome.findings[0]))
        samples.passed(tmp_path / "2", samples.case_of(attempt=2))
        evidences = [CaseEvidence.read(tmp_path / name) for name in ("1", "2")]
        run = run_of(*evidences, planned=[evidences[0].case])
        (found,) = history.runs_of(run)
        is_retry = starved_s is None
        assert summarise(run).passed_on_retry == [evidences[0].id] * is_retry
        assert [result.attempts for result in found.results] == [1 + is_retry]


def refused(
    at: float, count: int, source: str = "198.51.100.7", method: str = "INVITE", **more: Any
) -> StrangerRefused:
    fields = {
        "transport": "udp",
        "user_agent": "friendly-scanner",
        "phone": "stand-in",
        "why": "address",
    } | more
    return StrangerRefused(at=at, source=source, method=method, count=count, **fields)


def test_counts_of_one_lease_go_on_and_those_of_the_next_begin_anew() -> None:
    told = [refused(1.0, 1), refused(2.0, 4), refused(3.0, 1), refused(4.0, 2)]
    assert strangers(told) == [
        Stranger("198.51.100.7", 6, ("INVITE",), ("friendly-scanner",), ("address",))
    ]


def test_the_most_frequent_come_first_each_with_what_it_asked_for() -> None:
    told = [
        refused(1.0, 2, "203.0.113.9", "REGISTER", user_agent=""),
        refused(1.0, 5),
        refused(1.5, 1, method="OPTIONS", user_agent="sipvicious"),
    ]
    assert strangers(told) == [
        Stranger(
            "198.51.100.7",
            6,
            ("INVITE", "OPTIONS"),
            ("friendly-scanner", "sipvicious"),
            ("address",),
        ),
        Stranger("203.0.113.9", 2, ("REGISTER",), (), ("address",)),
    ]
    assert strangers([]) == []
