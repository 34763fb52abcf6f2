"""Runs of the project's own scenarios against the simulated world, as a user starts them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

from harness.support.files.own_directories import MEMORY
from harness.support.resources import EXAMPLES
from tests.acceptance.conftest import Tree
from tests.acceptance.worlds import TALKDESK, case_under_way, control_of, world_of

GLADLY = str(EXAMPLES / "simulated-gladly.toml")


def test_injected_fault_fails_its_row(tree: Tree) -> None:
    arguments = (
        "--row",
        "TD-INBOUND",
        "--transport",
        "udp",
        "--codec",
        "pcmu",
        "-n",
        "2",
        "-v",
        "--fault",
        "from-anonymous",
    )
    code, output = tree.harness("verify", TALKDESK, *arguments, "--reports", "reports")
    assert code == 1, output
    assert "FAILED   TD-INBOUND[simulated-talkdesk:synthflow-udp-ip-pcmu]" in output


def test_silent_caller_is_handed_over(tree: Tree) -> None:
    """By an assistant that hands over whoever is silent for a second; and by a stand-in."""
    file = tree.path / "silent.toml"
    text = Path(TALKDESK).read_text()
    assert 'ways = ["digit", "prompt"]' in text
    shutil.copy(Path(TALKDESK).with_suffix(".csv"), tree.path)
    file.write_text(
        text.replace('ways = ["digit", "prompt"]', 'ways = ["silence"]\nsilence_s = 1.0', 1)
    )
    arguments = (
        "--row",
        "TD-TRANSFER-BLIND",
        "--transport",
        "udp",
        "--auth",
        "ip",
        "--codec",
        "pcmu",
        "-n",
        "2",
    )
    code, output = tree.finished(
        tree.start_harness("verify", str(file), *arguments, "--reports", "reports")
    )
    assert code == 0, output
    cases = [json.loads(path.read_text()) for path in tree.path.glob("reports/*/cases/*/case.json")]
    assert {case["axes"]["ask"] for case in cases} == {"silence"}
    assert {case["axes"]["ai"] for case in cases} == {"synthflow", "stand-in"}
    tree.nothing_left()


@pytest.mark.parametrize("more", [[], ["--plan"]], ids=["run", "plan"])
@pytest.mark.parametrize(
    "fault",
    ["gravity", pytest.param("from-anonymous@nowhere", marks=pytest.mark.nightly)],
)
def test_unknown_fault_is_refused(tree: Tree, fault: str, more: list[str]) -> None:
    (tree.path / "reports").mkdir()
    process = tree.start_harness(
        "verify", TALKDESK, "--row", "TD-INBOUND", "--fault", fault, "--reports", "reports", *more
    )
    code, output = tree.finished(process)
    assert code == 2, output
    assert fault in output
    assert "lists them" in output or "allowed: " in output
    assert len(output.splitlines()) == 1
    assert list((tree.path / "reports").iterdir()) == []
    tree.nothing_left()


@pytest.mark.nightly
def test_killed_world_breaks_every_case_at_once(tree: Tree) -> None:
    process = tree.start_harness(
        "verify",
        TALKDESK,
        "--row",
        "HOLD",
        "--row",
        "TD-INBOUND",
        "-n",
        "2",
        "--reports",
        "reports",
    )
    try:
        case_under_way(tree, process)
        control = control_of(tree)
        os.kill(world_of(tree), signal.SIGKILL)
    except BaseException:
        process.kill()
        raise
    code, output = tree.finished(process)
    assert control.parent == MEMORY, "on no disk: a call's permit would wait for it"
    assert not control.exists()
    assert code == 3, output
    assert "the simulated world of simulated-talkdesk died" in output
    assert "died (exit code -9)" in output
    tree.nothing_left()


@pytest.mark.nightly
def test_killed_runner_ends_its_world_and_phones(tree: Tree) -> None:
    """And its sockets and rings are removed by the next run, which leaves those of a run beside it
    alone.
    """
    process = tree.start_harness(
        "verify", TALKDESK, "--row", "HOLD", "-n", "2", "--reports", "reports"
    )
    try:
        case_under_way(tree, process)
        assert len(list(tree.processes())) > 4
        control = control_of(tree)
    finally:
        process.kill()
    process.communicate()
    tree.nothing_left()
    left = tree.scratch()
    assert left
    inbound = ("--row", "TD-INBOUND", "--transport", "udp", "--codec", "pcmu", "--auth", "ip")
    beside = tree.start_harness("simulate", TALKDESK)
    try:
        assert beside.stdout is not None
        assert beside.stdout.readline()
        own = tree.scratch() - left
        code, output = tree.finished(
            tree.start_harness("verify", TALKDESK, *inbound, "-n", "2", "--reports", "reports")
        )
        assert code == 0, output
        assert tree.scratch() == own
        assert not control.exists()
    finally:
        beside.send_signal(signal.SIGINT)
        beside.communicate()
    assert tree.scratch() == set()


def test_interrupted_run_hangs_up_its_calls(tree: Tree) -> None:
    process = tree.start_harness(
        "verify", TALKDESK, "--row", "HOLD", "-n", "2", "--reports", "reports"
    )
    try:
        directory = case_under_way(tree, process)
        process.send_signal(signal.SIGINT)
    except BaseException:
        process.kill()
        raise
    code, output = tree.finished(process)
    assert code == 130, output
    assert json.loads((directory / "case.json").read_text())["end"]["verdict"] == "broken"
    assert "calls left over" not in output  # the world saw every call hung up
    tree.nothing_left()


def test_simulate_shows_how_to_call_and_ends_on_ctrl_c(tree: Tree) -> None:
    process = tree.start_harness("simulate", GLADLY)
    assert process.stdout is not None
    try:
        lines: list[str] = []
        while not lines or lines[-1] != "Ctrl-C ends it.\n":
            lines.append(process.stdout.readline())
            assert lines[-1], lines
        process.send_signal(signal.SIGINT)
    except BaseException:
        process.kill()
        raise
    code, output = tree.finished(process)
    assert code == 0, output
    said = "".join(lines)
    assert "+16465550100" in said  # a line's number
    assert "agent-billing" in said  # an account
    assert "transport=udp and dial" in said
    tree.nothing_left()


KEPT = """
import gc, json
from _pytest.fixtures import SubRequest
from harness.phone.leg import Leg
from harness.case.recorder import CaseRecorder

def pytest_runtest_logstart():
    gc.collect()
    kept = [type(one).__name__ for one in gc.get_objects() if isinstance(one, (Leg, CaseRecorder, SubRequest))]
    with open("kept", "a") as file:
        file.write(json.dumps({"requests": kept.count("SubRequest"), "calls": len(kept) - kept.count("SubRequest")}) + "\\n")
"""


@pytest.mark.nightly
def test_worker_keeps_nothing_of_ended_cases(tree: Tree) -> None:
    """But for the last, which an interrupt may come to. Session fixtures keep how they were first
    asked for, and no more.
    """
    (tree.path / "kept.py").write_text(KEPT)
    arguments = [
        "--row=TD-INBOUND",
        "--codec=pcmu",
        "--auth=ip",
        "--preflight=off",
        "--no-reports",
        "-n0",
        "-pkept",
    ]
    scenarios = str(EXAMPLES.parent)
    command = [
        sys.executable,
        "-m",
        "pytest",
        scenarios,
        "--deployment",
        TALKDESK,
        *arguments,
        "--reports",
        "reports",
    ]
    code, output = tree.finished(tree.command(command, PYTHONPATH=str(tree.path)))
    assert code == 0, output
    first, second, *later = map(json.loads, (tree.path / "kept").read_text().splitlines())
    assert len(later) > 1
    assert max(kept["calls"] for kept in (first, second, *later)) <= 1, later
    assert {kept["requests"] for kept in later} == {second["requests"]}, later
