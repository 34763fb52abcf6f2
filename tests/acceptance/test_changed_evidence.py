"""Evidence that others replace, cut short or remove while a run is under way breaks the run: what is
left is not what the harness recorded.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.acceptance.conftest import Tree

SCENARIO = """
    @scenario("INBOUND")
    def test_inbound(see, case):
        see()
        name = f"{case.axes['transport']}-{case.axes['codec']}"
        Path(f"begun-{name}").touch()
        while not Path(f"go-{len(list(Path().glob('begun-*')))}").exists():
            time.sleep(0.02)
        see()
"""


def replaced(path: Path) -> None:
    """As ``sed -i``, editors and programs that synchronise folders do."""
    copy = path.with_name("copy")
    shutil.copy2(path, copy)
    copy.replace(path)


def linked(path: Path) -> None:
    path.rename(path.with_name("moved"))
    path.symlink_to("moved")


def removed(path: Path) -> None:
    path.unlink()


def directory_removed(path: Path) -> None:
    shutil.rmtree(path.parent)


def directory_replaced(path: Path) -> None:
    copy = path.parent.with_name("copy")
    shutil.copytree(path.parent, copy)
    shutil.rmtree(path.parent)
    copy.rename(path.parent)


def emptied(path: Path) -> None:
    os.truncate(path, 0)


def cut_short(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def added_to(path: Path) -> None:
    with path.open("a") as file:
        file.write("\n")


def rewritten(path: Path) -> None:
    """In place, and as long as before."""
    with path.open("r+b") as file:
        file.write(b" ")


Change = Callable[[Path], None]
NIGHTLY = pytest.mark.nightly


def ended(tree: Tree, change: Change, of: str, *, begun: int) -> tuple[int | None, str]:
    """A run of two cases, one after the other, changed when ``begun`` of them have begun."""
    tree.scenarios(SCENARIO)
    process = tree.start("--deployment", str(tree.deployment()), "-n", "0", "--codec", "pcmu")
    try:
        for number in (1, 2):
            waited(tree, process, number)
            if number == begun:
                first = min(tree.run_directory.glob(of), key=lambda path: path.stat().st_ctime_ns)
                change(first)
            (tree.path / f"go-{number}").touch()
        output, _ = process.communicate(timeout=120)
    finally:
        process.kill()
    return process.returncode, output


def waited(tree: Tree, process: subprocess.Popen[str], count: int) -> None:
    while len(list(tree.path.glob("begun-*"))) < count:
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.02)


def test_untouched_run_passes(tree: Tree) -> None:
    code, output = ended(tree, lambda path: None, "scope.json", begun=1)
    assert code == 0, output


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (replaced, "was replaced"),
        pytest.param(linked, "was replaced", marks=NIGHTLY),
        (removed, "is missing"),
        (emptied, "was cut short"),
        (rewritten, "was changed"),
        pytest.param(cut_short, "was cut short", marks=NIGHTLY),
        pytest.param(added_to, "was added to", marks=NIGHTLY),
        pytest.param(directory_replaced, "was replaced", marks=NIGHTLY),
    ],
)
def test_case_whose_events_are_changed_is_broken(tree: Tree, change: Change, said: str) -> None:
    code, output = ended(tree, change, "cases/*/events.jsonl", begun=1)
    assert code == 3, output
    assert f"events.jsonl: {said}" in output
    assert "1 passed, 0 failed, 0 not observable, 1 broken" in output
    assert "Traceback" not in output
    tree.nothing_left()


@pytest.mark.parametrize("name", ["events.jsonl", "case.json"])
@pytest.mark.parametrize(
    ("change", "said"),
    [
        (replaced, "was replaced"),
        pytest.param(removed, "is missing", marks=NIGHTLY),
        (cut_short, "was cut short"),
        pytest.param(rewritten, "was changed", marks=NIGHTLY),
        pytest.param(added_to, "was added to", marks=NIGHTLY),
        pytest.param(directory_removed, "is missing", marks=NIGHTLY),
    ],
)
def test_evidence_of_a_case_that_has_ended_may_not_change_before_the_run_ends(
    tree: Tree, name: str, change: Change, said: str
) -> None:
    code, output = ended(tree, change, f"cases/*/{name}", begun=2)
    assert code == 3, output
    assert "BROKEN" in output
    assert f"{name}: {said}" in output
    tree.nothing_left()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (replaced, "was replaced"),
        pytest.param(linked, "was replaced", marks=NIGHTLY),
        (removed, "is missing"),
        (rewritten, "was changed"),
        pytest.param(emptied, "was cut short", marks=NIGHTLY),
        pytest.param(added_to, "was added to", marks=NIGHTLY),
    ],
)
@pytest.mark.parametrize("begun", [1, pytest.param(2, marks=NIGHTLY)])
def test_scope_that_is_changed_breaks_the_run(
    tree: Tree, change: Change, said: str, begun: int
) -> None:
    code, output = ended(tree, change, "scope.json", begun=begun)
    assert code == 3, output
    assert "BROKEN" in output
    assert f"scope.json: {said}" in output
    assert "Traceback" not in output
    tree.nothing_left()


def test_workers_tell_their_controller_of_evidence(tree: Tree) -> None:
    tree.scenarios(SCENARIO)
    (tree.path / "go-1").touch()
    options = ("--deployment", str(tree.deployment()), "-n", "1", "--codec", "pcmu")
    process = tree.start(*options)
    try:
        waited(tree, process, 2)
        events = tree.run_directory.glob("cases/*/events.jsonl")
        replaced(min(events, key=lambda path: path.stat().st_ctime_ns))
        (tree.path / "go-2").touch()
        output, _ = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 3, output
    assert "events.jsonl: was replaced" in output
