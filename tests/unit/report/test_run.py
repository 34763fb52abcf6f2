"""A run's directory, from its making to its end."""

from __future__ import annotations

import datetime
import errno
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from harness.errors import MistakeError, ResourceError
from harness.integrations import load
from harness.report import allure_report, hearing, history
from harness.report import summary as summaries
from harness.report.case_document import names
from harness.report.run import FinishedRun, finish, history_of, remake, remember
from harness.report.run_directory import RunEnd, case_directory, create, point_latest
from harness.report.signoff import manifest
from harness.report.signoff.decision import decide


def ended(run: Path, planned: Sequence[Mapping[str, object]], end: RunEnd) -> FinishedRun:
    """What happens at a run's end."""
    finished = finish(run, planned, end)
    remember(finished)
    return finished


@pytest.fixture(autouse=True)
def no_allure_program(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")


class TestDirectories:
    def test_each_run_has_its_own(self, tmp_path: Path) -> None:
        made = [create(tmp_path) for _ in range(3)]

        assert len(set(made)) == 3
        assert all((directory / "cases").is_dir() for directory in made)
        assert str(os.getpid()) in made[0].name

    def test_no_place_for_one(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(MistakeError, match=r"file: cannot be written: .*; allowed: a path that can be"):
            create(tmp_path / "file")

    @pytest.mark.parametrize("below", ["", "cases", "load"])
    def test_in_another_run_there_is_none(self, tmp_path: Path, runs: ModuleType, below: str) -> None:
        """It would be no more as it was left, and could not be signed (``--reports reports/latest``, ``--into RUN``)."""
        other = runs.make_run(tmp_path / "reports", rows=("HOLD",)).directory
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
        assert case_directory(tmp_path, {"id": "A", "attempt": 2}) != case_directory(tmp_path, {"id": "A"})

    def test_a_masked_cases_directory_holds_no_number(self, tmp_path: Path) -> None:
        assert "3125550100" not in case_directory(tmp_path, {"id": "A[+13125550100]", "mask": True}).name


class TestLatest:
    def test_points_to_the_newest(self, tmp_path: Path) -> None:
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            point_latest(tmp_path / name)
        assert (tmp_path / "latest").resolve() == tmp_path / "two"

    def test_is_always_there_while_runs_end(self, tmp_path: Path) -> None:
        directories = [tmp_path / str(number) for number in range(2)]
        for directory in directories:
            directory.mkdir()
        point_latest(directories[0])
        script = (
            "import sys; from pathlib import Path; from harness.report.run_directory import point_latest\n"
            "for _ in range(200): point_latest(Path(sys.argv[1]))"
        )
        movers = [subprocess.Popen([sys.executable, "-c", script, str(directory)]) for directory in directories]
        try:
            while any(mover.poll() is None for mover in movers):
                assert (tmp_path / "latest").readlink().name in ("0", "1")
        finally:
            for mover in movers:
                mover.wait(30)
        assert [mover.returncode for mover in movers] == [0, 0]
        assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".latest")] == []

    def test_where_there_are_no_links_a_run_ends_as_anywhere(self, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        def refused(self: Path, target: object) -> None:
            raise PermissionError(errno.EPERM, "Operation not permitted", str(self))

        monkeypatch.setattr(Path, "symlink_to", refused)
        finished = ended(run.directory, run.planned, RunEnd(workers=4, wall_s=9.0))
        assert finished.report.is_file()
        assert any("has no links" in note for note in finished.notes)
        assert not os.path.lexists(run.directory.parent / "latest")

    @pytest.mark.parametrize("kind", ["file", "directory"])
    def test_what_else_has_its_name_is_left_as_it_is_and_a_note_says_so(self, run: Any, kind: str) -> None:
        taken = run.directory.parent / "latest"
        taken.mkdir() if kind == "directory" else taken.write_text("my notes")
        finished = ended(run.directory, run.planned, RunEnd(workers=4, wall_s=9.0))
        (note,) = [note for note in finished.notes if "latest" in note]
        assert note == f"{taken}: is not a link to the newest run, and is left as it is; move it away"
        assert taken.is_dir() if kind == "directory" else taken.read_text() == "my notes"
        assert not list(taken.parent.glob(".latest*"))

    def test_a_link_to_a_run_that_is_gone_is_replaced(self, tmp_path: Path) -> None:
        (tmp_path / "one").mkdir()
        (tmp_path / "latest").symlink_to("gone")
        assert point_latest(tmp_path / "one") == ""
        assert (tmp_path / "latest").resolve() == tmp_path / "one"


class TestFinish:
    def test_leaves_every_report(self, run: Any) -> None:
        results = run.directory / "allure-results"
        finished = ended(run.directory, run.planned, RunEnd(workers=4, wall_s=9.0, allure_results=results))

        made = {path.name for path in run.directory.iterdir()}
        assert made >= {"summary.json", "junit.xml", "report.html", "allurerc.json", "allure-results"}
        assert json.loads((run.directory / "summary.json").read_text())["cases"] == 5
        assert (run.directory.parent / "latest" / "summary.json").exists()
        assert len(history.read(run.directory.parent / history.FILE)) == 1
        assert finished.summary.exit_code == 1
        assert finished.allure_report is None
        assert any("npx allure@3 generate" in note for note in finished.notes)

    def test_the_line_for_allure_is_one_to_copy(self, run: Any) -> None:
        """Also from a directory whose name has a blank."""
        directory = run.directory.rename(run.directory.with_name("of Zoë's"))
        results = directory / "allure-results"
        finished = ended(directory, run.planned, RunEnd(workers=4, wall_s=9.0, allure_results=results))

        (note,) = (note for note in finished.notes if "npx" in note)
        words = shlex.split(note.partition(": ")[2])
        assert words == allure_report.command(directory, results)

    def test_allure_has_as_many_results_as_there_are_cases(self, run: Any) -> None:
        results = run.directory / "allure-results"
        ended(run.directory, run.planned, RunEnd(workers=4, wall_s=9.0, allure_results=results))
        found = [json.loads(path.read_text()) for path in results.glob("*-result.json")]

        assert sorted(result["status"] for result in found) == ["broken", "broken", "failed", "failed", "passed"]
        assert "workers=4" in (results / "environment.properties").read_text()
        # a second end of the same run adds nothing that is there already
        ended(run.directory, run.planned[:-1], RunEnd(workers=4, wall_s=9.0, allure_results=results))
        assert len(list(results.glob("*-result.json"))) == 5

    def test_allure_has_every_case_of_a_run_that_was_killed(self, tmp_path: Path, runs: ModuleType) -> None:
        """Of what it was amid, and of what never began: the one that had ended is there already."""
        rows = ("HOLD", "BUSY", "ABANDON")
        made = runs.make_run(tmp_path, rows=rows, ended=False, lost=rows[1:])
        results = made.directory / "allure-results"
        results.mkdir()
        finished = remake(made.directory)
        found = [json.loads(path.read_text()) for path in results.glob("*-result.json")]
        assert len(found) == finished.summary.total.cases > len(rows) - 1
        assert sum(one["status"] == "broken" for one in found) == finished.summary.total.broken == len(made.cases) - 1

    def test_results_of_an_earlier_run_are_not_this_ones(self, tmp_path: Path, runs: ModuleType) -> None:
        """``--alluredir`` may name one place for all runs: a case that left no result was shown as it had passed before."""
        results = tmp_path / "results"
        for lost in ((), ("HOLD",)):
            made = runs.make_run(tmp_path / "reports", rows=("HOLD", "BUSY"), lost=lost)
            planned = [runs.plain(case, made.deployment) | {"run": made.directory.name} for case in made.cases]
            finish(made.directory, planned, RunEnd(workers=1, wall_s=1.0, allure_results=results))
            remake(made.directory)
        found = [json.loads(path.read_text()) for path in results.glob("*-result.json")]
        labels = [{label["name"]: label["value"] for label in one["labels"]} for one in found]
        seen = [(of["feature"], one["status"]) for one, of in zip(found, labels, strict=True)]
        assert sorted(seen) == [("BUSY", "passed"), ("BUSY", "passed"), ("HOLD", "broken"), ("HOLD", "passed")]
        assert len({of["run"] for of in labels}) == 2

    def test_a_run_whose_results_are_gone_leaves_others_alone(self, tmp_path: Path, runs: ModuleType) -> None:
        """A CI job empties the place, and its next run is there by now."""
        results = tmp_path / "results"
        for row in ("HOLD", "BUSY"):
            made = runs.make_run(tmp_path / "reports", rows=(row,))
            shutil.rmtree(results, ignore_errors=True)
            planned = [runs.plain(case, made.deployment) | {"run": made.directory.name} for case in made.cases]
            finish(made.directory, planned, RunEnd(workers=1, wall_s=1.0, allure_results=results))
        before = {path.name: path.read_bytes() for path in results.iterdir()}
        first = min(path for path in (tmp_path / "reports").iterdir() if path.is_dir() and not path.is_symlink())
        remake(first)
        assert {path.name: path.read_bytes() for path in results.iterdir()} == before
        assert len(list((first / "allure-results").glob("*-result.json"))) == 1

    def test_an_empty_run(self, tmp_path: Path) -> None:
        finished = ended(create(tmp_path), [], RunEnd(workers=1, wall_s=0.1))

        assert finished.summary.exit_code == 3
        assert "No case ran" in finished.report.read_text()

    def test_what_pytest_left_out_was_not_run(self, tmp_path: Path, runs: ModuleType) -> None:
        """By ``-k``, a path, ``--deselect`` or ``--lf``: that comes after the scope is put down, which has both rows."""
        made = runs.make_run(tmp_path, rows=("HOLD", "BUSY"), lost=("BUSY",), options={"require": ["BUSY"]})
        planned = [runs.plain(case, made.deployment) for case in made.cases]
        whole = history_of(made.directory)
        finished = finish(
            made.directory, [one for one in planned if one["row"] == "HOLD"], RunEnd(workers=1, wall_s=1.0)
        )

        assert (finished.summary.total.passed, finished.summary.missing) == (1, [])
        assert finished.summary.required == ["example: BUSY (not asked for in this run)"]
        assert finished.summary.exit_code == 1
        assert "BUSY" in {left["row"] for left in finished.summary.left_out}
        assert "HOLD" not in {left["row"] for left in finished.summary.left_out}
        assert remake(made.directory).summary.required == finished.summary.required
        assert history_of(made.directory)[0].key != whole[0].key, "it verified less"

    def test_before_pytest_has_chosen_everything_was_asked_for(self, tmp_path: Path, runs: ModuleType) -> None:
        made = runs.make_run(tmp_path, rows=("HOLD",), lost=("HOLD",), options={"require": ["HOLD"]})
        finished = finish(made.directory, [], RunEnd(workers=1, wall_s=1.0, interrupted="stopped"))

        assert finished.summary.required == []

    def test_reports_can_be_made_again(self, run: Any) -> None:
        results = run.directory / "allure-results"
        first = ended(run.directory, run.planned, RunEnd(workers=4, wall_s=9.0, allure_results=results))
        for name in ("summary.json", "report.html", "junit.xml"):
            (run.directory / name).unlink()
        again = remake(run.directory)

        assert again.summary.plain() == first.summary.plain()
        assert again.report.is_file()
        assert len(list(results.glob("*-result.json"))) == 5
        assert len(history.read(run.directory.parent / history.FILE)) == 1

    def test_of_no_run_nothing_can_be_made(self, tmp_path: Path) -> None:
        with pytest.raises(MistakeError, match="not a run's directory"):
            remake(tmp_path)

    def test_two_at_once(self, tmp_path: Path, samples: ModuleType) -> None:
        directories = [create(tmp_path) for _ in range(2)]
        case = samples.case_of()
        for directory in directories:
            samples.passed(case_directory(directory, case), case)
        ends: list[int] = []
        threads = [
            threading.Thread(
                target=lambda d=directory: ends.append(
                    ended(d, [case], RunEnd(workers=1, wall_s=1.0)).summary.exit_code
                )
            )
            for directory in directories
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert ends == [0, 0]
        assert (tmp_path / "latest").resolve() in directories
        assert len(history.read(tmp_path / history.FILE)) == 2

    def test_a_full_disk_is_said_to_be_one(self, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        def full(*_: object) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(summaries.Summary, "write", full)
        with pytest.raises(ResourceError, match="disk is full"):
            ended(run.directory, run.planned, RunEnd(workers=1, wall_s=1.0))
        assert not (run.directory.parent / "latest").exists()

    def test_reports_of_a_live_run_hold_no_number(self, tmp_path: Path, samples: ModuleType) -> None:
        directory = create(tmp_path)
        case = samples.case_of(mask=True, kind="live")
        lost = samples.case_of("TD-OUTBOUND-IVR", mask=True, kind="live", title="from +13125550142")
        samples.failed(case_directory(directory, case), case, sound=True)
        ended(directory, [case, lost], RunEnd(workers=1, wall_s=1.0, allure_results=directory / "allure-results"))

        for path in directory.rglob("*"):
            assert "55501" not in path.name
            if path.is_file() and path.suffix not in (".wav", ".mp3"):
                raw = path.read_bytes()
                for number in (b"3125550100", b"2065550110", b"3125550142", b"2065550190"):
                    assert number not in raw, path


def test_a_live_run_whose_names_are_numbers_is_whole_and_holds_none(tmp_path: Path, runs: ModuleType) -> None:
    """A deployment by its customer's number, lines by theirs; one of them is closed, and the file says why a row is left out."""
    deployment = runs.live()
    open_, closed = deployment.lines["inbound"], deployment.lines["out-of-hours"]
    lines = {
        "+13125550100": open_,
        "+13129990100": open_,
        "+1 (312) 555-0199": closed.model_copy(update={"closed": None}),
    }
    changes = {"name": "customer-0044205550", "lines": lines, "depth": "full", "site": "Berlin 0044205550"}
    changes["leave_out"] = {"HOLD": "asked of +1 312 555 0177"}
    made = runs.make_run(tmp_path, deployment=deployment.model_copy(update=changes), rows=("TD-INBOUND",))
    numbered = [{**runs.plain(case, made.deployment)} for case in made.cases]
    finished = ended(
        made.directory, numbered, RunEnd(workers=1, wall_s=1.0, allure_results=made.directory / "allure-results")
    )
    decision = decide(made.directory, today=datetime.date(2026, 11, 20))

    assert len(made.cases) >= 2
    assert (finished.summary.total.passed, finished.summary.exit_code) == (len(made.cases), 0)
    assert [(row.verdict, row.passed) for row in decision.rows if row.scope.row == "TD-INBOUND"] == [
        ("passed", len(made.cases))
    ]
    (entry,) = history.read(tmp_path / history.FILE)
    assert entry.key == history_of(made.directory)[0].key
    for path in made.directory.rglob("*"):
        assert not re.search(r"312555|312999|0044205550", path.name)
        if path.is_file() and path.suffix not in (".wav", ".mp3"):
            assert not re.search(rb"312[- ]?(555|999)[- ]?01|312\) 555-01|0044205550", path.read_bytes()), path


def test_recordings_are_encoded_once(tmp_path: Path, samples: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = create(tmp_path)
    case = samples.case_of()
    samples.passed(case_directory(directory, case), case, sound=True)
    encoded: list[Path] = []
    original = hearing.mp3

    def counted(wav: Path) -> bytes | None:
        encoded.append(wav)
        return original(wav)

    monkeypatch.setattr(hearing, "mp3", counted)
    ended(directory, [case], RunEnd(workers=1, wall_s=1.0, allure_results=directory / "allure-results"))
    assert not encoded, "nobody has asked for what passed"

    for _ in range(2):
        remake(directory, complete=True)
    assert [wav.name for wav in encoded] == ["caller.1.received.wav"]
    assert (case_directory(directory, case) / "capture.pcapng").is_file()


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
    assert names(deployment.model_copy(update={"platform": platform, "trunks": (trunk,)}))["hosts"] == {
        "192.0.2.7": "talkdesk",
        "192.0.2.8": "synthflow",
        "192.0.2.9": "talkdesk trunk",
    }
