"""Processes of a run that are stopped, as a debugger, a container's freezer or a loop without end
would have it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from harness.case.verdict import Verdict
from harness.report.evidence import latest
from harness.report.run_directory import read_cases
from harness.run.plugin.watch import STALLED_S
from harness.support.heartbeat import PERIOD_S, Listener
from tests.acceptance.conftest import Tree
from tests.acceptance.worlds import TALKDESK, case_under_way, world_of

#: So many cases that some begin seconds after the first.
MORE = ("--row", "TD-INBOUND", "-n", "2", "-v", "--reports", "reports")
#: Pytest registers what a fixture leaves to tidy up so slowly that most interruptions come amid
#: that.
SLOW_PYTEST = """
import time
__name__ = "_pytest.slow"  # it stands for pytest's own code
from _pytest.fixtures import FixtureDef

at_once = FixtureDef.addfinalizer

def dawdling(self, finalizer):
    at_once(self, finalizer)
    if self.argname in ("replica", "timings"):
        time.sleep(0.2)

FixtureDef.addfinalizer = dawdling
"""
#: Cases that are up for some seconds, and more of them than workers.
CASES = ("--transport", "udp", *MORE)


def until(goal: str, reached: Callable[[], object], process: subprocess.Popen[str]) -> None:
    while not reached():
        assert process.poll() is None, f"{goal}: {process.communicate()[0]}"
        time.sleep(0.02)


def stopped(
    tree: Tree, whom: Callable[[Path], int], cases: Sequence[str] = CASES, **environment: str
) -> tuple[subprocess.Popen[str], int, Path]:
    """A run in the midst of a case, one process of which, found by the case's directory, has been
    stopped; and that directory.
    """
    process = tree.start_harness("verify", TALKDESK, *cases, **environment)
    try:
        directory = case_under_way(tree, process)
        pid = whom(directory)
        os.kill(pid, signal.SIGSTOP)
    except BaseException:
        process.kill()
        raise
    return process, pid, directory


def verdicts(tree: Tree) -> dict[str, str]:
    """Of the cases that have ended."""
    ends = {
        path.parent.name: json.loads(path.read_text()).get("end")
        for path in tree.path.glob("reports/*/cases/*/case.json")
    }
    return {name: end["verdict"] for name, end in ends.items() if end}


def opened(pid: int) -> list[str]:
    """What a process has open; it may end, or close some of it, while it is looked at."""
    found = []
    with contextlib.suppress(OSError):
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                found.append(os.readlink(entry))
    return found


def who_has_open(tree: Tree, files: str) -> Callable[[Path], int]:
    """Finds the process that has such a file in a case's directory open, as soon as one has."""

    def find(directory: Path) -> int:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            for pid in tree.processes():
                if any(Path(file).match(f"{directory}/{files}") for file in opened(pid)):
                    return pid
            time.sleep(0.02)
        raise AssertionError(f"nobody has {files} open")

    return find


@pytest.mark.nightly
def test_paused_world_breaks_its_cases_and_fails_none(tree: Tree) -> None:
    (tree.path / "slow_pytest.py").write_text(SLOW_PYTEST)
    slow = {"PYTEST_PLUGINS": "slow_pytest", "PYTHONPATH": str(tree.path)}
    process, pid, directory = stopped(tree, lambda _: world_of(tree), MORE, **slow)
    listener = Listener(next(tree.path.glob("reports/*/control/world-*/beat")))
    try:  # long enough to spoil a case, too short to be taken for one that hangs; others begin afterwards
        while listener.silent_s < STALLED_S + 1:
            time.sleep(PERIOD_S)
            listener.look()
    finally:
        os.kill(pid, signal.SIGCONT)
    code, output = tree.finished(process)
    assert code == 3, output
    found = verdicts(tree)
    assert found[directory.name] == "broken"
    assert set(found.values()) == {"broken", "passed"}, output
    assert "AssertionError" not in output, "pytest was cut short"
    tree.nothing_left()


@pytest.mark.nightly
def test_paused_softphone_fails_no_case(tree: Tree) -> None:
    """As for a slow disk: shorter than one that counts as hung, and longer than the case waits for
    audio.
    """
    process, phone, _ = stopped(tree, who_has_open(tree, "*.rtp.gz"), MORE)
    try:
        resumes = time.monotonic() + 3.5
        while time.monotonic() < resumes:
            time.sleep(PERIOD_S)
    finally:
        os.kill(phone, signal.SIGCONT)
    code, output = tree.finished(process)
    assert code in (0, 3), output
    assert set(verdicts(tree).values()) <= {"broken", "passed"}, output
    tree.nothing_left()


@pytest.mark.nightly
def test_hung_world_is_killed_and_breaks_every_case(tree: Tree) -> None:
    process, _, _ = stopped(tree, lambda _: world_of(tree))
    code, output = tree.finished(process)
    assert code == 3, output
    assert "it had not stirred for 10 s, and was ended" in output
    assert "0 passed, 0 failed, 0 not observable, 5 broken" in output
    tree.nothing_left()


@pytest.mark.nightly
def test_hung_worker_is_killed_and_breaks_only_its_case(tree: Tree) -> None:
    process, _, directory = stopped(tree, who_has_open(tree, "events.jsonl"))
    code, output = tree.finished(process)
    assert code == 3, output
    assert directory.name not in verdicts(tree)
    assert "its worker process died" in output
    assert "4 passed, 0 failed, 0 not observable, 1 broken" in output
    tree.nothing_left()


@pytest.mark.nightly
def test_paused_runner_changes_no_verdict(tree: Tree) -> None:
    process = tree.start_harness("verify", TALKDESK, *CASES)
    try:
        directory = case_under_way(tree, process)
        os.kill(process.pid, signal.SIGSTOP)
        until("its worker has ended the case", lambda: directory.name in verdicts(tree), process)
    finally:
        os.kill(process.pid, signal.SIGCONT)
    code, output = tree.finished(process)
    assert code == 0, output
    assert {case.verdict for case in latest(read_cases(tree.run_directory))} == {Verdict.PASSED}
    tree.nothing_left()


@pytest.mark.nightly
def test_suspended_run_loses_no_process(tree: Tree) -> None:
    """Ctrl-Z and ``fg``: those that listen have slept as long as those that they listen to."""
    process = tree.start_harness("verify", TALKDESK, *CASES)
    try:
        case_under_way(tree, process)
        os.killpg(
            process.pid, signal.SIGSTOP
        )  # runner and workers; worlds and phones have sessions of their own
        time.sleep(50 * PERIOD_S)  # longer than what hangs is given
    finally:
        os.killpg(process.pid, signal.SIGCONT)
    _, output = tree.finished(process)
    assert "worker process died" not in output
    assert {case.verdict for case in latest(read_cases(tree.run_directory))} <= {
        Verdict.PASSED,
        Verdict.FAILED,
    }, output
    tree.nothing_left()
