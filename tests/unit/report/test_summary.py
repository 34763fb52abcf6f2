"""A run in figures."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markupsafe import escape

from harness.calls.verdict import Verdict
from harness.report import history, html, metrics
from harness.report.case_page import CasePage
from harness.report.causes import grouped
from harness.report.evidence import CaseEvidence
from harness.report.run_directory import read_cases
from harness.report.summary import Summary, latest, summarise
from harness.support.files import json_file


def of(made: Any, **changes: Any) -> Summary:
    plain: dict[str, Any] = {"run": made.directory.name, "wall_s": 12.5, "workers": 4, **changes}
    return summarise(read_cases(made.directory), made.planned, **plain)


class TestSummary:
    def test_every_planned_case_is_counted_once(self, run: Any) -> None:
        plain = json.loads(json_file.text(of(run).plain()))

        assert {name: plain[name] for name in ("cases", "passed", "failed", "not_observable", "broken")} == {
            "cases": 5,
            "passed": 1,
            "failed": 1,
            "not_observable": 1,
            "broken": 2,
        }
        assert plain["planned"] == {
            "planned": 5,
            "missing": ["TD-FALLBACK-REFUSED[talkdesk-sim:udp-ip-pcmu-synthflow]"],
            "unplanned": [],
        }
        assert plain["rows"]["TD-FALLBACK-REFUSED"]["broken"] == 1
        assert plain["integrations"]["talkdesk"]["rows"]["TD-INBOUND"]["passed"] == 1
        assert plain["scripted_s"] == pytest.approx(3.0)
        assert plain["case_overhead_s_median"] == pytest.approx(0.14)
        assert plain["wall_s"] == 12.5
        assert plain["workers"] == 4
        assert {"python", "harness", "pjsua2", "pytest", "xdist", "allure"} <= plain["versions"].keys()

    def test_what_one_deployment_cannot_see_is_not_said_of_another(self, tmp_path: Path, samples: ModuleType) -> None:
        def play(name: str, verdict: Verdict) -> CaseEvidence:
            case = samples.case_of("TD-INBOUND", deployment=name)
            with samples.playing(tmp_path / name, case) as sample:
                sample.finding("codec", "the AI", verdict, expected="PCMU", actual="none", dispensable=True)
                sample.finding("answered", "caller.1", Verdict.PASSED, expected="an answer", actual="one")
                sample.recorder.close(Verdict.PASSED, "")
            return CaseEvidence.read(tmp_path / name)

        dark, light = play("dark", Verdict.NOT_OBSERVABLE), play("light", Verdict.PASSED)
        both = summarise([dark, light], [], run="r", wall_s=1.0, workers=1).coverage
        assert {name: len(found.unseen) for name, found in both.items()} == {
            "TD-INBOUND of dark": 1,
            "TD-INBOUND of light": 0,
        }
        assert list(summarise([dark], [], run="r", wall_s=1.0, workers=1).coverage) == ["TD-INBOUND"]

    def test_overhead_is_of_passed_cases_alone(self, tmp_path: Path, samples: ModuleType) -> None:
        """A failed case waits for audio that never comes: that time is nobody's overhead."""
        passed = CaseEvidence.read(samples.passed(tmp_path / "a"))
        failed = CaseEvidence.read(samples.failed(tmp_path / "b"))
        both = summarise([passed, failed], [], run="r", wall_s=1.0, workers=1)
        alone = summarise([failed], [], run="r", wall_s=1.0, workers=1)
        assert both.overhead_s_median == pytest.approx(passed.wall_s - passed.scripted_s)
        assert alone.overhead_s_median is None
        assert alone.plain()["case_overhead_s_median"] is None

    def test_exit_codes(self, run: Any, tmp_path: Path, samples: ModuleType) -> None:
        assert of(run).exit_code == 1

        def only(name: str, play: Any, **changes: Any) -> Summary:
            case = samples.case_of()
            evidence = CaseEvidence.read(play(tmp_path / name, case))
            return summarise([evidence], [case], **{"run": "r", "wall_s": 1.0, "workers": 1, **changes})

        assert only("a", samples.passed).exit_code == 0
        assert only("b", samples.unobserved).exit_code == 1
        assert only("c", samples.died).exit_code == 3
        assert only("d", samples.passed, interrupted="Ctrl-C").exit_code == 3
        assert summarise([], [], run="r", wall_s=0.0, workers=1).exit_code == 3

    def test_an_unplanned_case_is_named(self, run: Any) -> None:
        run.planned = run.planned[1:]
        summary = of(run)

        assert summary.unplanned == ["TD-INBOUND[talkdesk-sim:udp-ip-pcmu-synthflow]"]
        assert not summary.consistent

    def test_the_last_attempt_counts_and_says_so(self, tmp_path: Path, samples: ModuleType) -> None:
        first, second = samples.case_of(), samples.case_of(attempt=2)
        samples.failed(tmp_path / "a", first)
        samples.passed(tmp_path / "b", second)
        evidences = [CaseEvidence.read(tmp_path / name) for name in ("b", "a")]
        summary = summarise(evidences, [first], run="r", wall_s=1.0, workers=1)

        assert [e.attempt for e in latest(evidences)] == [2]
        assert (summary.total.cases, summary.total.passed) == (1, 1)
        assert summary.passed_on_retry == [first["id"]]
        (earlier,) = (e for e in evidences if e.attempt == 1)
        assert summary.tried_before == {first["id"]: [f"attempt 1, failed: {earlier.headline}"]}
        assert summary.began == min(e.began_wall for e in evidences), "the run began with what it tried first"
        assert html.headline(summary) == ("passed", "1 case passed, on retry")
        html.write(tmp_path / "report.html", summary, latest(evidences))
        assert f"<br>attempt 1, failed: {escape(earlier.headline)}</li>" in (tmp_path / "report.html").read_text()

    def test_waits_at_once_are_one_wait(self, tmp_path: Path, samples: ModuleType) -> None:
        case = samples.case_of()
        with samples.playing(tmp_path / "case", case) as sample:
            sample.recorder.scripted(3.0, "a ring timeout that is not waited out", began=sample.now + 2.0)
            sample.after(3.0)
            for why in ("the prompt", "what tells who is heard"):
                sample.recorder.scripted(2.5, why)
            sample.after(1.0).finding("answered", "caller.1")
            sample.recorder.close(Verdict.PASSED, "")
        evidence = CaseEvidence.read(tmp_path / "case")
        assert [evidence.wall_s, evidence.scripted_s] == pytest.approx([4.0, 3.5])
        summary = summarise([evidence], [case], run="r", wall_s=4.0, workers=1)
        assert summary.overhead_s_median == pytest.approx(0.5)
        assert [time.seconds for time in metrics.times(evidence, (), ())] == [pytest.approx(0.5)]
        html.write(tmp_path / "report.html", summary, [evidence])
        assert "4.00 s, of which 3.50 s scripted" in CasePage.of(evidence, tmp_path, "").html()

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
    @pytest.mark.parametrize("each", ["an attempt of one run", "a run"])
    def test_what_broke_or_could_not_be_seen_afterwards_hides_no_failure(
        self, tmp_path: Path, samples: ModuleType, plays: list[str], counts: str, each: str
    ) -> None:
        for number, verdict in enumerate(plays, start=1):
            run = {"attempt": number, "run": "r"} if each == "an attempt of one run" else {"run": f"r{number}"}
            with samples.playing(tmp_path / str(number), samples.case_of(**run)) as sample:
                sample.recorder.close(Verdict(verdict), verdict)
            case = tmp_path / str(number) / "case.json"
            case.write_text(json.dumps(json.loads(case.read_text()) | {"began_wall": 1.8e9 + number}))
        evidences = [CaseEvidence.read(tmp_path / str(number)) for number in range(1, len(plays) + 1)]
        for order in (evidences, evidences[::-1]):
            (found,) = latest(order)
            assert found.verdict == counts
            total = summarise(order, [found.case], run="r", wall_s=1.0, workers=1).total
            assert getattr(total, counts.replace(" ", "_")) == 1

    def test_a_failure_that_may_be_another_cases_is_none_where_the_attempt_alone_broke(
        self, tmp_path: Path, samples: ModuleType
    ) -> None:
        for attempt, verdict in enumerate([Verdict.FAILED, Verdict.BROKEN], start=1):
            with samples.playing(tmp_path / str(attempt), samples.case_of(attempt=attempt)) as sample:
                if attempt == 1:
                    sample.recorder.guessed()
                sample.recorder.close(verdict, "")
        (found,) = latest(CaseEvidence.read(tmp_path / name) for name in "12")
        assert found.verdict is Verdict.BROKEN

    @pytest.mark.parametrize("verdict", [Verdict.PASSED, Verdict.FAILED])
    @pytest.mark.parametrize("failed_before", [True, False])
    def test_a_guess_counts_for_nothing_where_the_case_was_not_run_again_alone(
        self, tmp_path: Path, samples: ModuleType, verdict: Verdict, failed_before: bool
    ) -> None:
        """Its worker died while it waited for the others to end: it passed, or failed, by what may be another case's call."""
        for attempt in (1, 2)[not failed_before :]:
            with samples.playing(tmp_path / str(attempt), samples.case_of(attempt=attempt)) as sample:
                if attempt == 2:
                    sample.recorder.guessed()
                sample.recorder.close(verdict if attempt == 2 else Verdict.FAILED, "")
        evidences = [CaseEvidence.read(path) for path in tmp_path.iterdir()]
        (found,) = latest(evidences)
        summary = summarise(evidences, [found.case], run="r", wall_s=1.0, workers=1)
        if failed_before:
            assert (found.attempt, found.verdict, summary.exit_code) == (1, Verdict.FAILED, 1)
        else:
            assert (found.verdict, summary.total.broken, summary.exit_code) == (Verdict.BROKEN, 1, 3)
            assert found.message == "it was a guess that a call was this case's, and it was not run again alone"

    def test_a_guess_that_was_not_run_again_alone_has_no_cause(self, tmp_path: Path, samples: ModuleType) -> None:
        """What its call showed may be another case's: views named that cause, its fix and owner, of a case that broke."""
        with samples.playing(tmp_path / "1", samples.case_of()) as sample:
            sample.recorder.guessed()
            sample.recorder.close(
                Verdict.FAILED, "nobody answered", [{"cause": "a firewall drops INVITEs", "fix": "open it"}]
            )
        (found,) = latest([CaseEvidence.read(tmp_path / "1")])
        (group,) = grouped([found])
        told = "it was a guess that a call was this case's, and it was not run again alone"
        assert (group.verdict, group.headline, group.said("fix")) == (Verdict.BROKEN, told, "")

    @pytest.mark.parametrize("starved_s", [0.5, None])
    def test_an_attempt_without_a_processor_is_no_retry(
        self, tmp_path: Path, samples: ModuleType, starved_s: float | None
    ) -> None:
        with samples.playing(tmp_path / "1", samples.case_of(attempt=1)) as sample:
            sample.finding("audio", "caller.1", Verdict.BROKEN, starved_s=starved_s)
            sample.recorder.close(Verdict.BROKEN, str(sample.recorder.outcome.findings[0]))
        samples.passed(tmp_path / "2", samples.case_of(attempt=2))
        evidences = [CaseEvidence.read(tmp_path / name) for name in ("1", "2")]
        summary = summarise(evidences, [evidences[0].case], run="r", wall_s=1.0, workers=1)
        (found,) = history.runs_of("r", evidences, [evidences[0].case], None)
        is_retry = starved_s is None
        assert summary.passed_on_retry == [evidences[0].id] * is_retry
        assert [result.attempts for result in found.results] == [1 + is_retry]

    def test_what_passed_and_was_run_again_alone_is_no_retry(self, tmp_path: Path, samples: ModuleType) -> None:
        """A call was the case's by a guess; both attempts passed."""
        for attempt in (1, 2):
            samples.passed(tmp_path / str(attempt), samples.case_of(attempt=attempt))
        evidences = [CaseEvidence.read(tmp_path / str(attempt)) for attempt in (1, 2)]
        summary = summarise(evidences, [evidences[0].case], run="r", wall_s=1.0, workers=1)
        (found,) = history.runs_of("r", evidences, [evidences[0].case], None)

        assert (summary.total.cases, summary.passed_on_retry) == (1, [])
        assert [result.attempts for result in found.results] == [1]
        # the second is all that there is: nobody knows how the first ended
        assert summarise(evidences[1:], [], run="r", wall_s=1.0, workers=1).passed_on_retry == [evidences[0].id]

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # it only plays cases
    @given(
        st.lists(
            st.lists(st.tuples(st.sampled_from(["passed", "failed"]), st.floats(-9e3, 9e3)), min_size=1, max_size=3),
            min_size=1,
            max_size=3,
        )
    )
    def test_a_clock_that_is_set_back_turns_no_attempts_around(
        self, tmp_path_factory: pytest.TempPathFactory, samples: ModuleType, drawn: list[list[tuple[str, float]]]
    ) -> None:
        """Runs a day apart; within each the wall clock goes where it likes."""
        directory = tmp_path_factory.mktemp("cases")
        evidences = []
        for day, attempts in enumerate(drawn):
            for number, (play, jump) in enumerate(attempts, start=1):
                case = samples.case_of(attempt=number, run=f"run-{day}")
                home = getattr(samples, play)(directory / f"{day}.{number}", case)
                plain = json.loads((home / "case.json").read_text()) | {"began_wall": 1.8e9 + 86_400 * day + jump}
                (home / "case.json").write_text(json.dumps(plain))
                evidences.append(CaseEvidence.read(home))
        for order in (evidences, evidences[::-1]):
            assert latest(order) == [evidences[-1]]
