"""Workers: what they share, what they have for themselves, and what happens when one dies.

A case that meets another waits for it for 90 s: the first worker begins before the others are
started, and each of them is an interpreter that a busy machine takes many seconds to start.
"""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

from harness.deployment.limits import places
from tests.acceptance.conftest import Tree
from tests.acceptance.worlds import TALKDESK


def spans(directory: Path) -> list[tuple[float, float]]:
    return sorted(tuple(json.loads(path.read_text())) for path in directory.glob("span-*"))


SPANS = """
    @scenario("INBOUND", "HANGUP-CALLER", "HANGUP-AI")
    def test_span(see, case):
        see()
        began = time.monotonic()
        time.sleep(0.2)
        name = "".join(letter if letter.isalnum() else "-" for letter in case.id)
        Path(f"span-{case.deployment}-{name}").write_text(f"[{began}, {time.monotonic()}]")
"""


def test_cases_of_a_real_deployment_never_overlap(tree: Tree) -> None:
    tree.scenarios(SPANS)
    code, output = tree.run_lab("-n", "3")
    assert code == 0, output
    found = spans(tree.path)
    assert len(found) >= 5
    assert all(ended <= began for (_, ended), (began, _) in itertools.pairwise(found))


def test_cases_of_two_deployments_run_side_by_side(tree: Tree) -> None:
    tree.scenarios("""
        @scenario("INBOUND")
        def test_inbound(see, case):
            Path(f"begun-{case.deployment}").touch()
            other = Path({"begun-one": "begun-other", "begun-other": "begun-one"}[f"begun-{case.deployment}"])
            deadline = time.monotonic() + 90
            while not other.exists():
                assert time.monotonic() < deadline, "the other deployment waits for this one"
                time.sleep(0.02)
            see()
    """)
    one, other = tree.deployment("one"), tree.deployment("other")
    code, output = tree.run("--deployment", str(one), "--deployment", str(other), "-n", "2")
    assert code == 0, output


def test_killed_worker_breaks_only_its_case(tree: Tree) -> None:
    tree.scenarios("""
        @scenario("INBOUND")
        def test_inbound(see, case):
            see()
            if case.axes["transport"] == "tcp" and case.axes["codec"] == "pcma":
                os.kill(os.getpid(), 9)
    """)
    code, output = tree.run_lab("-n", "2")
    assert code == 3, output
    assert "BROKEN   TD-INBOUND[lab:synthflow-tcp-ip-pcma]  its worker process died" in output
    assert "3 passed, 0 failed, 0 not observable, 1 broken" in output


GIVES_UP = """
import os
from pathlib import Path
from harness.run.plugin import parallel

def gives_up(run, watch=parallel.Watch):
    if Path("mended").exists():
        return watch(run)
    {then}
    raise RuntimeError("no thread is to be had")

if "PYTEST_XDIST_WORKER" in os.environ:
    parallel.Watch = gives_up
"""


@pytest.mark.parametrize(("then", "passed"), [("Path('mended').touch()", 4), ("pass", 0)])
def test_failed_worker_frees_its_slot_for_the_next(tree: Tree, then: str, passed: int) -> None:
    """Its process serves on, and kept the slot that its successor waits for: the run never ended.
    Each is told.
    """
    tree.scenarios("""
        @scenario("INBOUND")
        def test_inbound(see, case):
            see()
    """)
    (tree.path / "scenarios" / "conftest.py").write_text(GIVES_UP.format(then=then))
    code, output = tree.run_lab("-n", "1")
    assert code == 3, output
    assert f"{passed} passed, 0 failed, 0 not observable, 0 broken" in output
    assert (
        "BROKEN   pytest or a plugin of it failed: RuntimeError: no thread is to be had" in output
    )
    assert "no case is left" not in output


def test_each_worker_has_its_own_marks(tree: Tree) -> None:
    tree.scenarios("""
        @scenario("INBOUND", "HANGUP-CALLER", "HANGUP-AI", "HOLD", "BUSY")
        def test_marks(see, case, case_marks):
            see()
            Path(f"here-{os.getpid()}").touch()
            deadline = time.monotonic() + 90
            while len(list(Path().glob("here-*"))) < 2:
                assert time.monotonic() < deadline, "no other worker comes"
                time.sleep(0.02)
            name = "".join(letter if letter.isalnum() else "-" for letter in case.id)
            Path(f"marks-{os.getpid()}-{name}").write_text(f"{[next(case_marks) for _ in range(8)]}")
    """)
    one, other = tree.deployment("one"), tree.deployment("other")
    code, output = tree.run("--deployment", str(one), "--deployment", str(other), "-n", "3")
    assert code == 0, output
    marks: dict[str, set[int]] = {}
    for path in tree.path.glob("marks-*"):
        marks.setdefault(path.name.split("-")[1], set()).update(json.loads(path.read_text()))
    assert len(marks) > 1
    assert sum(map(len, marks.values())) == len(set().union(*marks.values()))
    assert all(0 <= mark < 240 for found in marks.values() for mark in found)


def test_call_gate_holds_over_all_workers(tree: Tree) -> None:
    tree.scenarios("""
        @scenario("INBOUND", "HANGUP-CALLER")
        def test_gate(see, case, gate, run):
            see()
            for _ in range(5):
                permit = gate.admit(10.0)
                try:
                    with open("log", "a") as log:
                        log.write(f"{run.calls_up.total()}\\n")
                    Path(f"up-{case.deployment}").touch()
                    deadline = time.monotonic() + 90
                    while len(list(Path().glob("up-*"))) < 2:  # the first call stays up until another one is up
                        assert time.monotonic() < deadline, "no other deployment has a call up"
                        time.sleep(0.02)
                finally:
                    permit.release()
    """)
    names = ("one", "other", "third")
    files = [
        argument for name in names for argument in ("--deployment", str(tree.deployment(name)))
    ]
    code, output = tree.run(*files, "-n", "3")
    assert code == 0, output
    up = [int(line) for line in (tree.path / "log").read_text().split()]
    assert 1 < max(up) <= 3


def test_two_runs_at_once_do_not_disturb_each_other(tree: Tree) -> None:
    tree.scenarios(SPANS)
    files = [str(tree.deployment(name)) for name in ("one", "other")]
    both = [tree.start("--deployment", file, "-n", "2", forked=True) for file in files]
    ended = [tree.finished(process) for process in both]
    assert [code for code, _ in ended] == [0, 0], ended
    found = spans(tree.path)
    moments = sorted([(began, +1) for began, _ in found] + [(ended, -1) for _, ended in found])
    assert max(itertools.accumulate(change for _, change in moments)) <= places()
    finished = {
        path.resolve()
        for path in (tree.path / "reports").iterdir()
        if (path / "summary.json").is_file()
    }
    assert len(finished) == 2  # and latest is one of them


def test_no_worker_is_started_without_a_case(tree: Tree) -> None:
    cell = ("--row", "TD-INBOUND", "--transport", "udp", "--auth", "ip", "--codec", "pcmu")
    code, output = tree.harness("verify", TALKDESK, *cell, "-n", "4")
    assert code == 0, output
    summary = tree.summary()
    assert summary["workers"] == summary["cases"] < 4


REPORTS = """
import gc, os
from pytest import TestReport

def pytest_sessionfinish():
    kept = [one for one in gc.get_objects() if isinstance(one, TestReport)]
    with open("kept-" + os.environ.get("PYTEST_XDIST_WORKER", "controller"), "w") as file:
        file.writelines(f"{one.when} {one.outcome} {len(one.keywords)} {len(one.longreprtext)}\\n" for one in kept)
"""


def test_ended_cases_leave_almost_nothing_in_memory(tree: Tree) -> None:
    """A night has thousands. What failed stays whole, in the controller, which shows it."""
    tree.scenarios("""
        @scenario("INBOUND", "HANGUP-CALLER")
        def test_seen(see, case):
            see(Verdict.FAILED if case.row.id == "HANGUP-CALLER" else Verdict.PASSED)
    """)
    (tree.path / "kept.py").write_text(REPORTS)
    arguments = ["--deployment", str(tree.deployment()), "-n", "2", "-p", "kept"]
    code, output = tree.finished(tree.start(*arguments, PYTHONPATH=str(tree.path)))
    assert code == 1, output
    found = {path.name: path.read_text().splitlines() for path in tree.path.glob("kept-*")}
    kept = [line.split() for line in found.pop("kept-controller")]
    assert {(when, outcome) for when, outcome, *_ in kept} == {
        ("call", "passed"),
        ("call", "failed"),
    }, kept
    assert all(keywords == "0" for _, _, keywords, _ in kept), kept
    assert any(int(told) for _, outcome, _, told in kept if outcome == "failed"), kept
    assert set(found) == {"kept-gw0", "kept-gw1"}
    assert all(len(lines) <= 3 for lines in found.values()), found  # of the last case, perhaps
