"""A run's directory, from its making to its end."""

from __future__ import annotations

import datetime
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.errors import MistakeError
from harness.integrations import load
from harness.report import history, html
from harness.report.case_document import names
from harness.report.evidence import CaseEvidence
from harness.report.history import runs_of
from harness.report.html import CasePage
from harness.report.run import FinishedRun, finish, remake, remember
from harness.report.run_directory import RunEnd, case_directory, create, point_latest
from harness.report.signoff import manifest
from harness.report.signoff.decision import decide
from tests.unit import conftest as runs
from tests.unit.report import samples


def ended(run: Path, planned: Sequence[Mapping[str, object]], end: RunEnd) -> FinishedRun:
    """What happens at a run's end."""
    finished = finish(run, planned, end)
    remember(finished)
    return finished


class TestDirectories:
    @pytest.mark.parametrize("below", ["", "cases", "load"])
    def test_in_another_run_there_is_none(self, tmp_path: Path, below: str) -> None:
        """It would be no more as it was left, and could not be signed (``--reports
        reports/latest``, ``--into RUN``).
        """
        other = runs.hold(tmp_path / "reports").directory
        with pytest.raises(MistakeError, match=f"is in the directory of the run {other.name}"):
            create(other / below)
        point_latest(other)
        with pytest.raises(MistakeError, match="allowed: a directory of no run"):
            create(tmp_path / "reports" / "latest" / below)
        assert manifest.differences(other) == []

    def test_of_cases_are_told_apart_and_are_file_names(self, tmp_path: Path) -> None:
        ids = ["A[x:udp/ip]", "A[x:udp-ip]", "A[x:udp ip]", "../../etc/passwd", "x" * 300]
        found = [case_directory(tmp_path, {"id": case_id}) for case_id in ids]

        assert len(set(found)) == len(ids)
        assert all(path.parent == tmp_path / "cases" and len(path.name) < 150 for path in found)
        assert case_directory(tmp_path, {"id": "A", "attempt": 2}) != case_directory(
            tmp_path, {"id": "A"}
        )


class TestLatest:
    @pytest.mark.parametrize("kind", ["file", "directory"])
    def test_what_else_has_its_name_is_left_as_it_is_and_a_note_says_so(
        self, run: Any, kind: str
    ) -> None:
        taken = run.directory.parent / "latest"
        taken.mkdir() if kind == "directory" else taken.write_text("my notes")
        finished = ended(run.directory, run.planned, samples.END)
        (note,) = [note for note in finished.notes if "latest" in note]
        assert (
            note == f"{taken}: is not a link to the newest run, and is left as it is; move it away"
        )
        assert taken.is_dir() if kind == "directory" else taken.read_text() == "my notes"
        assert not list(taken.parent.glob(".latest*"))


class TestFinish:
    def test_a_run_whose_results_are_gone_leaves_others_alone(self, tmp_path: Path) -> None:
        """A CI job empties the place, and its next run is there by now."""
        results = tmp_path / "results"
        for row in ("HOLD", "BUSY"):
            made = runs.make_run(tmp_path / "reports", rows=(row,))
            shutil.rmtree(results, ignore_errors=True)
            planned = [
                runs.plain(case, made.deployment) | {"run": made.directory.name}
                for case in made.cases
            ]
            finish(made.directory, planned, RunEnd(workers=1, wall_s=1.0, allure_results=results))
        before = {path.name: path.read_bytes() for path in results.iterdir()}
        first = min(
            path
            for path in (tmp_path / "reports").iterdir()
            if path.is_dir() and not path.is_symlink()
        )
        remake(first)
        assert {path.name: path.read_bytes() for path in results.iterdir()} == before
        assert len(list((first / "allure-results").glob("*-result.json"))) == 1

    def test_what_pytest_left_out_was_not_run(self, tmp_path: Path) -> None:
        """By ``-k``, a path, ``--deselect`` or ``--lf``: that comes after the scope is put down,
        which has both rows.
        """
        made = runs.make_run(
            tmp_path, rows=("HOLD", "BUSY"), lost=("BUSY",), options={"require": ["BUSY"]}
        )
        planned = [runs.plain(case, made.deployment) for case in made.cases]
        finished = finish(
            made.directory,
            [one for one in planned if one["row"] == "HOLD"],
            samples.END,
        )

        assert (finished.summary.passed, finished.summary.missing) == (1, [])
        assert finished.summary.required_missing == ["example: BUSY (not asked for in this run)"]
        assert finished.summary.exit_code == 1
        assert "BUSY" in {left["row"] for left in finished.summary.left_out}
        assert "HOLD" not in {left["row"] for left in finished.summary.left_out}
        assert remake(made.directory).summary.required_missing == finished.summary.required_missing

    def test_reports_can_be_made_again(self, run: Any) -> None:
        results = run.directory / "allure-results"
        first = ended(
            run.directory, run.planned, RunEnd(workers=4, wall_s=9.0, allure_results=results)
        )
        for name in ("summary.json", "report.html", "junit.xml"):
            (run.directory / name).unlink()
        again = remake(run.directory)

        assert again.summary == first.summary
        assert again.report.is_file()
        assert len(list(results.glob("*-result.json"))) == 5
        assert len(history.read(run.directory.parent / history.FILE)) == 1

    def test_the_page_of_a_passed_case_is_made_while_its_log_is_in_memory(
        self, run: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A log that was read again for the page took a seventh of what all reports take."""
        ended(run.directory, run.planned, samples.END)
        done = []
        read, page_of = CaseEvidence.read, CasePage.of

        def read_and_note(directory: Path) -> CaseEvidence:
            done.append(("read", directory))
            return read(directory)

        def make_and_note(case: CaseEvidence, home: Path, command: str) -> CasePage:
            done.append(("page", case.directory))
            return page_of(case, home, command)

        monkeypatch.setattr(CaseEvidence, "read", read_and_note)
        monkeypatch.setattr(CasePage, "of", make_and_note)
        finished = remake(run.directory)

        assert {case.directory for case in finished.evidence.cases} == {case for _, case in done}
        for case in finished.evidence.cases:
            read_at, page_at = (
                done.index(("read", case.directory)),
                done.index(("page", case.directory)),
            )
            assert done.count(("page", case.directory)) == 1
            assert (page_at == read_at + 1) is case.passed

    def test_the_parts_of_an_earlier_page_are_not_left(
        self, run: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(html, "MOST_WHOLE", 2)
        (run.directory / html.PARTS).mkdir()
        (run.directory / html.PARTS / "of-an-earlier-page.js").touch()
        finished = ended(run.directory, run.planned, samples.END)

        shown = set(re.findall(r' data-part="(\w+)"', finished.report.read_text()))
        assert {path.stem for path in (run.directory / html.PARTS).iterdir()} == shown | {"index"}


def test_a_live_run_whose_names_are_numbers_is_whole_and_holds_none(tmp_path: Path) -> None:
    """A deployment by its customer's number, lines by theirs; one of them is closed, and the file
    says why a row is left out.
    """
    deployment = runs.live()
    open_, closed = deployment.lines["inbound"], deployment.lines["out-of-hours"]
    lines = {
        "+13125550100": open_,
        "+13129990100": open_,
        "+1 (312) 555-0199": closed.model_copy(update={"closed": None}),
    }
    changes = {
        "name": "customer-0044205550",
        "lines": lines,
        "depth": "full",
        "site": "Berlin 0044205550",
    }
    changes["leave_out"] = {"HOLD": "asked of +1 312 555 0177"}
    made = runs.make_run(
        tmp_path, deployment=deployment.model_copy(update=changes), rows=("TD-INBOUND",)
    )
    numbered = [{**runs.plain(case, made.deployment)} for case in made.cases]
    finished = ended(
        made.directory,
        numbered,
        RunEnd(workers=1, wall_s=1.0, allure_results=made.directory / "allure-results"),
    )
    decision = decide(made.evidence, today=datetime.date(2026, 11, 20))

    assert len(made.cases) >= 2
    assert (finished.summary.passed, finished.summary.exit_code) == (len(made.cases), 0)
    assert [
        (row.verdict, row.passed) for row in decision.rows if row.scope.row == "TD-INBOUND"
    ] == [("passed", len(made.cases))]
    (entry,) = history.read(tmp_path / history.FILE)
    assert entry.key == runs_of(made.evidence)[0].key
    for path in made.directory.rglob("*"):
        assert not re.search(r"312555|312999|0044205550", path.name)
        if path.is_file() and path.suffix not in (".wav", ".mp3"):
            assert not re.search(
                rb"312[- ]?(555|999)[- ]?01|312\) 555-01|0044205550", path.read_bytes()
            ), path


def test_names_come_from_the_deployment() -> None:
    deployment = load(Path("scenarios/deployments/simulated-talkdesk.toml"))
    found = names(deployment)

    assert found["mask"] is False
    assert found["voices"]
    assert names(deployment.model_copy(update={"kind": "live"}))["mask"] is True
    platform = deployment.platform.model_copy(update={"host": "192.0.2.7"})
    trunk = deployment.trunks[0].model_copy(
        update={"ai": "synthflow", "host": "192.0.2.8", "termination": "192.0.2.9:5060"}
    )
    assert names(deployment.model_copy(update={"platform": platform, "trunks": (trunk,)}))[
        "hosts"
    ] == {
        "192.0.2.7": "Talkdesk",
        "192.0.2.8": "synthflow",
        "192.0.2.9": "Talkdesk trunk",
    }
