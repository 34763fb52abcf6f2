"""Summary, table, JUnit and history."""

from __future__ import annotations

import io
import json
import threading
import xml.etree.ElementTree as ET
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from rich.console import Console

from harness.report import history, junit
from harness.report.evidence import CaseEvidence
from harness.report.run import read_cases
from harness.report.summary import Summary, latest, show, summarise
from harness.verdict import Verdict


def of(made: Any, **changes: Any) -> Summary:
    plain: dict[str, Any] = {"run": made.directory.name, "wall_s": 12.5, "workers": 4, **changes}
    return summarise(read_cases(made.directory), made.planned, **plain)


class TestSummary:
    def test_every_planned_case_is_counted_once(self, run: Any) -> None:
        summary = of(run)
        plain = summary.plain()

        assert {name: plain[name] for name in ("cases", "passed", "failed", "not_observable", "broken", "skipped")} == {
            "cases": 5,
            "passed": 1,
            "failed": 1,
            "not_observable": 1,
            "broken": 2,
            "skipped": 0,
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
        assert json.loads(json.dumps(plain)) == plain

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

    def test_a_skipped_case_is_neither_missing_nor_passed(self, run: Any) -> None:
        summary = of(run, skipped={run.planned[-1]["id"]: "opt-in"})

        assert summary.total.skipped == 1
        assert summary.total.broken == 1
        assert summary.missing == []

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

    def test_the_table_holds_in_eighty_columns(self, run: Any) -> None:
        out = io.StringIO()
        show(of(run), Console(file=out, width=80, color_system=None))
        lines = out.getvalue().splitlines()

        assert any(line.split() == ["TD-INBOUND", "1", "·", "·", "·", "1", "1.1"] for line in lines)
        assert any(line.split() == ["all", "1", "1", "1", "2", "5", "12.5"] for line in lines)
        assert "5 cases in 12.5 s: 1 passed, 1 failed, 1 not observable, 2 broken" in lines
        assert "TD-FALLBACK-REFUSED[talkdesk-sim:udp-ip-pcmu-synthflow]" in out.getvalue()
        assert "…" not in out.getvalue()


class TestJunit:
    @pytest.fixture
    def root(self, run: Any) -> ET.Element:
        junit.write(run.directory / "junit.xml", read_cases(run.directory), run.planned[-1:])
        return ET.parse(run.directory / "junit.xml").getroot()

    def test_counts(self, root: ET.Element) -> None:
        assert {name: root.get(name) for name in ("tests", "failures", "errors", "skipped")} == {
            "tests": "5",
            "failures": "2",
            "errors": "2",
            "skipped": "0",
        }
        (suite,) = root.findall("testsuite")
        assert suite.get("name") == "talkdesk"
        assert (suite.get("timestamp") or "").endswith("+00:00")

    def test_a_failure_says_its_cause_first(self, root: ET.Element) -> None:
        (case,) = [c for c in root.iter("testcase") if (c.get("name") or "").startswith("TD-TRANSFER")]
        failure = case.find("failure")
        assert failure is not None
        assert failure.get("message") == "The platform does not pass the caller's number on"
        assert "caller_id of billing.1" in (failure.text or "")
        properties = {p.get("name"): p.get("value") for p in case.iter("property")}
        assert properties["row"] == "TD-TRANSFER-BLIND"
        assert properties["codec"] == "pcmu"
        assert properties["verdict"] == "failed"
        assert properties["issue"] == "Caller ID missing"
        assert case.get("classname") == "talkdesk.TD-TRANSFER-BLIND"
        assert "failed: caller_id of billing.1" in (case.findtext("system-out") or "")

    def test_the_other_verdicts(self, root: ET.Element) -> None:
        problems = {
            str(case.get("classname")).partition(".")[2]: (child.tag, child.get("type"), child.get("message"))
            for case in root.iter("testcase")
            for child in case
            if child.tag in ("failure", "error", "skipped")
        }
        assert problems["TD-OUTBOUND-IVR"][:2] == ("failure", "not observable")
        assert str(problems["TD-OUTBOUND-IVR"][2]).startswith("not observable: ")
        assert problems["TD-FALLBACK-DOWN"][:2] == ("error", "broken")
        assert problems["TD-FALLBACK-REFUSED"] == ("error", "broken", "planned, but never reported")
        assert "TD-INBOUND" not in problems

    def test_skipped_and_hostile(self, tmp_path: Path, samples: ModuleType) -> None:
        with samples.playing(tmp_path / "case") as sample:
            sample.recorder.close(Verdict.FAILED, "a <b> & \x00 \ud800")
        missing = samples.case_of("LONGCALL")
        junit.write(tmp_path / "j.xml", [CaseEvidence.read(tmp_path / "case")], [missing], {missing["id"]: "opt-in"})
        root = ET.parse(tmp_path / "j.xml").getroot()

        assert root.get("skipped") == "1"
        assert [s.get("message") for s in root.iter("skipped")] == ["opt-in"]
        assert [f.get("message") for f in root.iter("failure")] == ["a <b> & � �"]


class TestHistory:
    def test_runs_come_back_in_order_and_a_torn_line_is_left_out(self, run: Any, tmp_path: Path) -> None:
        path = tmp_path / history.FILE
        assert history.read(path) == []
        for name in ("one", "two"):
            history.append(path, of(run, run=name))
        with path.open("a") as file:
            file.write('{"run": "torn')

        runs = history.read(path)
        assert [r.run for r in runs] == ["one", "two"]
        assert runs[0].rows["talkdesk/TD-INBOUND"][0] == "passed"
        assert runs[0].rows["talkdesk/TD-FALLBACK-DOWN"][0] == "broken"
        assert len(history.read(path, most=2)) == 1

    def test_many_at_once(self, run: Any, tmp_path: Path) -> None:
        path, summary = tmp_path / history.FILE, of(run)
        threads = [threading.Thread(target=history.append, args=(path, summary)) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert len(history.read(path, most=50)) == 20
