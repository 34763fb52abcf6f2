"""Nights one after the other: what is compared, what is told, and what is kept."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import MagicMock

import pytest
from typer.testing import CliRunner

from harness.errors import MistakeError
from harness.report import allure, history
from harness.report.drawings import Ladder
from harness.report.history import Problem
from harness.report.nightly import night
from harness.report.nightly.night import check_fresh
from harness.report.nightly.problems import Bound, read_bounds
from harness.report.run import remake
from harness.report.terminal import show
from harness.run.cli.app import application
from harness.support import resources
from harness.support.terminal import SafeConsole
from tests.unit.nightly.conftest import ROWS, Nights

_TWO_LINES = """
import sys
print("a warning", "ERROR: acme.toml: name: is missing", "ERROR: +12065550100: and more", sep=chr(10), file=sys.stderr)
sys.exit(2)
"""

#: Makes a run by its own command line, and one by another, of which its last argument is the
#: pattern.
_TWO_RUNS = """
import json, pathlib, shlex, shutil, sys
for number, command in enumerate([["harness", *sys.argv[1:]], ["harness", "verify", "--fault", "heavy-loss"]], 1):
    run = pathlib.Path(sys.argv[sys.argv.index("--reports") + 1], f"20991231T000000Z-{number}")
    shutil.copytree(sys.argv[-1], run)
    scope = json.loads((run / "scope.json").read_text())
    (run / "scope.json").write_text(json.dumps(scope | {"command": shlex.join(command)}))
"""

#: Ends as a verification does.
_STOPPED = """
import pathlib, sys, time
from harness.run.plugin.interruption import Interruption
Interruption()
try:
    print("under way", file=sys.stderr, flush=True)
    while True:
        time.sleep(0.05)
except KeyboardInterrupt:
    pathlib.Path("hangs up").touch()
    sys.stdin.readline()
    pathlib.Path("ended").touch()
"""


def test_every_view_says_the_same_of_a_case(
    nights: Nights, runs: ModuleType, tmp_path: Path
) -> None:
    good = nights.pass_one()
    first = nights.pass_one(code=1, plays={"HOLD": runs.fails})
    third = nights.pass_one(code=1, plays={"HOLD": runs.fails})
    run = nights.reports / third.night.run
    finished = remake(run)
    (standing,) = finished.past.standings.values()
    (case,) = (case for case in finished.evidence.cases if case.key in finished.past.standings)
    (tmp_path / "results").mkdir()
    allure.write(tmp_path / "results", case, Ladder.of(case), standing)
    compared = CliRunner().invoke(
        application(), ["compare", str(nights.reports / good.night.run), str(run)]
    )
    out = io.StringIO()
    show(finished.summary, finished.groups, SafeConsole(file=out), run=run, past=finished.past)

    assert third.differences[0].old == good.night.run
    assert third.alert is None
    known = f"failing since {first.night.run}"
    (result,) = (tmp_path / "results").glob("*-result.json")
    assert f'"history", "value": "{known}"' in result.read_text()
    assert f"(1 case; {known})" in " ".join(out.getvalue().split())
    for view in (finished.report.read_text(), third.page.read_text(), compared.output):
        assert known in view
    assert first.alert is not None
    assert "history: new" in first.alert.body


def test_first_run_says_that_there_is_nothing_to_compare_with(
    nights: Nights, runs: ModuleType
) -> None:
    run = nights.reports / nights.pass_one(code=1, plays={"HOLD": runs.fails}).night.run
    said = CliRunner().invoke(application(), ["report", str(run)]).output
    for view in (said, *((run / name).read_text() for name in ("report.html", "signoff.html"))):
        assert view.count("no earlier run to compare with") == 1


def test_injected_faults_are_never_mixed_and_a_narrower_night_has_lost_rows(
    nights: Nights, runs: ModuleType
) -> None:
    nights.pass_one()
    faulty = nights.pass_one(code=1, plays={"HOLD": runs.fails}, options={"fault": ["heavy-loss"]})
    other = nights.pass_one(rows=("HOLD",))

    assert faulty.differences == ()
    assert other.differences[0].lost_rows == ("BUSY",)
    assert len(faulty.histories[0]) == 1


@pytest.mark.parametrize(
    ("bounds", "problem"),
    [
        (
            [("answer_s", "HOLD", 0.4), ("rtp_loss", "*", 0.5)],
            "HOLD at local: answer_s above 0.4",
        ),
        # a row's name with a slip in it; one of every row says nothing of one in particular
        (
            [("answer_s", "HODL", 9.0), ("answer_s", "*", 9.0), ("answer_s", "HOLD", 9.0)],
            "HODL: answer_s has a bound, and was not measured",
        ),
    ],
)
def test_a_bound_that_is_exceeded_or_not_measured_is_a_problem_though_all_passed(
    nights: Nights, bounds: list[tuple[Any, str, float]], problem: str
) -> None:
    night = nights.pass_one(
        bound=tuple(Bound(kpi=kpi, row=row, max=most) for kpi, row, most in bounds)
    ).night

    assert (night.problems, night.code) == ((Problem(problem),), 1)


def test_a_preflight_that_fails_says_what_is_wrong(nights: Nights, runs: ModuleType) -> None:
    """Nobody is at the terminal, and the run that placed no call has no report to look at."""
    line = {
        "name": "registration of carrier",
        "status": "failed",
        "detail": "403 for +12065550100",
        "fix": "Ask the carrier.",
    }
    told = [
        {
            "deployment": "example",
            "lines": [{"name": "DNS", "status": "ok", "detail": ""}, *[line] * 5],
        }
    ]
    made = runs.make_run(
        nights.reports, rows=ROWS, lost=ROWS, ended=False, options={"preflight": "stop"}
    )
    (made.directory / "preflight.json").write_text(json.dumps(told))
    found = nights.conclude(made.directory.name, code=1)

    wrong = "; ".join(["registration of carrier: 403 for +1206•••0100"] * 3)
    problem = f"example at local: interrupted: preflight ended it before its first call: {wrong}; and 2 more"
    assert found.night.problems == (Problem(problem),)
    assert found.alert is not None
    assert f"See {found.page}" in found.alert.body

    scope = json.loads((made.directory / "scope.json").read_text())
    (made.directory / "scope.json").write_text(
        json.dumps(scope | {"options": scope["options"] | {"preflight": "tell"}})
    )
    again = nights.conclude(made.directory.name, code=1)
    assert "never came to its end" in again.night.problems[0].what, "it went on all the same"


def test_a_verification_that_leaves_no_results_has_not_passed(
    nights: Nights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the option ``--plan``, say, or another ``--reports``."""
    monkeypatch.setattr(night, "_HARNESS", "")
    found, again = (night.one_night([], tmp_path, series="s", bound=(), more=()) for _ in range(2))

    problem = f"the verification left no results in {tmp_path}"
    assert found.night.problems == (Problem(problem),)
    assert found.night.code == 1
    assert found.alert is not None
    assert "All passed" not in found.page.read_text()
    assert again.alert is None
    mistaken = nights.conclude(code=2)
    assert mistaken.news.unverified == (Problem(problem),), "it left no results either"
    assert nights.conclude().news.gone == mistaken.night.problems


def test_a_verification_that_a_mistake_ended_says_which(
    nights: Nights, capfd: pytest.CaptureFixture[str]
) -> None:
    """Who reads the alert in the morning has no terminal to look at."""
    code, mistakes = night._verify([sys.executable, "-c", _TWO_LINES])
    assert capfd.readouterr() == (
        "",
        "a warning\nERROR: acme.toml: name: is missing\nERROR: +12065550100: and more\n",
    )
    assert (code, mistakes) == (2, ("acme.toml: name: is missing", "+1206•••0100: and more"))
    found = nights.conclude(code=code, mistakes=mistakes)

    problem = "the verification ended with exit code 2: acme.toml: name: is missing"
    assert found.night.problems == (Problem(problem),)
    assert found.alert is not None
    assert f"- {problem}" in found.alert.body


@pytest.mark.parametrize(
    "ending", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.nightly)]
)
# as a terminal and systemd do, or as `kill` does
@pytest.mark.parametrize(
    "who", ["its group", pytest.param("the night alone", marks=pytest.mark.nightly)]
)
def test_a_night_that_is_stopped_lets_its_verification_end(
    tmp_path: Path, ending: signal.Signals, who: str
) -> None:
    """It hangs up and makes its reports; it was killed amid that, or went on calling."""
    nightly = f"from harness.report.nightly import night\nnight._HARNESS = {_STOPPED!r}\nfrom harness.run.cli.entry import main\nmain()"
    command = [
        sys.executable,
        "-c",
        nightly,
        "nightly",
        str(resources.EXAMPLES / "simulated-talkdesk.toml"),
    ]
    pipes: dict[str, Any] = {
        "stdin": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "text": True,
        "cwd": tmp_path,
    }
    with subprocess.Popen(command, start_new_session=True, **pipes) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        try:
            assert process.stderr.readline() == "under way\n"
            (os.kill if who == "the night alone" else os.killpg)(process.pid, ending)
            until = time.monotonic() + 60
            while (
                not (tmp_path / "hangs up").exists()
                and process.poll() is None
                and time.monotonic() < until
            ):
                time.sleep(0.02)
            assert (tmp_path / "hangs up").exists()
            with contextlib.suppress(BrokenPipeError):
                process.communicate("\n", timeout=60)
            assert (tmp_path / "ended").exists()
            assert process.returncode == 130
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


class TestFresh:
    def test_one_in_time_and_one_too_long_ago(
        self, nights: Nights, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        nights.pass_one()
        assert check_fresh(nights.reports, "s", 26) == ""
        now = time.time()
        monkeypatch.setattr(time, "time", lambda: now + 27 * 3600)
        assert "27.0 hours ago" in check_fresh(nights.reports, "s", 26)
        assert "no night yet" in check_fresh(nights.reports, "another", 26)


def test_two_at_once_are_refused(tmp_path: Path) -> None:
    with night._alone(tmp_path), pytest.raises(MistakeError, match="another night"):
        night.one_night([], tmp_path, series="s", bound=(), more=())


def test_the_page_says_what_has_changed(nights: Nights, runs: ModuleType) -> None:
    assert "This is the first night." in nights.pass_one().page.read_text()
    assert "Since the night before: <b>nothing</b>." in nights.pass_one().page.read_text()
    failed = nights.pass_one(code=1, plays={"HOLD": runs.fails})
    (problem,) = failed.night.problems
    text = failed.page.read_text()
    assert "Since the night before: <b>1 new cause (1 case); 1 in all</b>." in text
    assert f"<li>{problem}</li>" in text
    assert (
        f'<td>newly failing</td><th scope="row">{problem.what.rpartition(" at ")[0]}</th>' in text
    )
    lost = nights.pass_one(code=3, lost=("HOLD",))
    assert lost.news.unverified == (problem,)
    assert "1 not verified this night (1 case)" in lost.page.read_text()
    mended = nights.pass_one()
    assert (problem.what, "broken") in [(one.what, one.verdict) for one in mended.news.gone]
    assert "all is well" in mended.page.read_text()


def test_a_night_whose_page_cannot_be_written_is_not_recorded(
    nights: Nights, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next night tells what this one could not."""
    monkeypatch.setattr("harness.report.nightly.page.write", MagicMock(side_effect=OSError("full")))
    with pytest.raises(OSError, match="full"):
        nights.pass_one()
    assert history.read_nights(nights.reports / history.FILE, "s") == []


def test_mistakes_in_bounds_are_told(tmp_path: Path) -> None:
    path = tmp_path / "bounds.toml"
    path.write_text('[[bound]]\nkpi = "nosuch"\nmax = 1\n')
    with pytest.raises(MistakeError, match="kpi"):
        read_bounds(path)
    path.write_text('[[bound]]\nkpi = "rtp_loss"\nmax = nan\n')  # which nothing is above
    with pytest.raises(MistakeError, match="max"):
        read_bounds(path)
    with pytest.raises(MistakeError, match="no such file"):
        read_bounds(tmp_path / "none")


def test_a_run_that_somebody_else_begins_meanwhile_is_not_the_nights(
    tmp_path: Path, runs: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With faults in it, say: they would be the night's problems."""
    made, reports = (
        runs.make_run(tmp_path / "made", rows=ROWS).directory,
        tmp_path / "nights of ours",
    )
    monkeypatch.setattr(night, "_HARNESS", _TWO_RUNS)
    found = night.one_night([Path("a b.toml")], reports, series="s", bound=(), more=(str(made),))
    assert found.night.run == "20991231T000000Z-1"
