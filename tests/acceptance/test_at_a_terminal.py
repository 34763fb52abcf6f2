"""Commands at a pseudo-terminal: windows of several widths, one that changes its size, terminals
without control sequences or colours.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from harness.audio.wav import write_wav
from harness.support.resources import EXAMPLES
from tests.acceptance.conftest import Tree
from tests.pseudo_terminal import WINDOWS, PseudoTerminal, at_terminal, environment, shown

HARNESS = str(Path(sys.executable).with_name("harness"))
WORLD = str(EXAMPLES / "simulated-talkdesk.toml")
ONE_TRUNK = ("--transport=udp", "--auth=ip", "--codec=pcmu")


def windows(*first: str) -> pytest.MarkDecorator:
    """In these; in the others in the nightly run."""
    others = (pytest.param(one, marks=pytest.mark.nightly) for one in WINDOWS if one not in first)
    return pytest.mark.parametrize("window", [*first, *others])


def surroundings(tree: Tree) -> dict[str, str]:
    token = "of an API that is never asked"
    return {"TMPDIR": str(tree.path / "tmp"), "HARNESS_LAB": token, "HARNESS_LIVE": "1"}


def at_the(tree: Tree, window: str, command: Sequence[str], resized: str = "") -> PseudoTerminal:
    resized = "" if window == "dumb" else resized
    return shown(command, window, tree.path, resized=resized, **surroundings(tree))


def run_of(file: Path) -> list[str]:
    """A run of the scenarios in the directory, without the command line's own startup."""
    command = [sys.executable, "-m", "pytest", "scenarios", "-p", "no:hypothesispytest"]
    return [*command, "-p", "no:anyio", "--preflight=off", "--deployment", str(file)]


#: Four cases that place no calls.
CASES = """
    @scenario("INBOUND")
    def test_inbound(see):
        time.sleep(0.5)
        see()
"""


def frames_of(terminal: PseudoTerminal) -> list[str]:
    return [frame for frame in terminal.redrawn if re.match(r" {9}\d+/\S+ cases", frame)]


def require_one_live_line(terminal: PseudoTerminal, columns: int) -> None:
    frames = frames_of(terminal)
    assert frames
    assert max(map(len, frames)) <= columns, "a second line would stay in the window"
    shows, hides = (terminal.output.rindex(f"\x1b[?25{end}") for end in "hl")
    assert shows > hides, "the cursor is back"


@windows("40", "dumb", "no colour")
def test_progress_is_drawn_in_one_line(tree: Tree, window: str) -> None:
    tree.scenarios(CASES)
    terminal = at_the(tree, window, [*run_of(tree.deployment()), "-n", "2"], "/4 cases")
    assert re.search(r"^4 cases in .*: 4 passed", terminal.text, re.MULTILINE)
    if window != "dumb":
        require_one_live_line(terminal, WINDOWS[window][0])


def test_verify_shows_its_progress_from_the_first_call_to_the_verdict(tree: Tree) -> None:
    """A whole verification, as a user starts it."""
    command = [HARNESS, "verify", "simulated-talkdesk", "--row", "TD-INBOUND"]
    terminal = at_the(tree, "80", command, resized=r"/\d+ cases")
    require_one_live_line(terminal, 80)
    assert re.search(r"^(\d+) cases in .*: \1 passed", terminal.text, re.MULTILINE)
    assert re.search(r"^report +reports/", terminal.text, re.MULTILINE)
    assert any("calls up · " in frame for frame in frames_of(terminal))


SLOWLY = """
    import threading

    @scenario("INBOUND")
    def test_inbound(see):
        see()
        try:
            Path("begun").touch()
            threading.Event().wait(50)
        finally:
            Path("ending").touch()
            threading.Event().wait(20)
"""
AT_ITS_END = """
import threading
from pathlib import Path


def pytest_sessionfinish(session):
    if not hasattr(session.config, "workerinput"):
        Path("ending").touch()
        threading.Event().wait(20)
"""


def press_ctrl_c(tree: Tree, terminal: PseudoTerminal, when: str) -> None:
    while not (tree.path / when).exists():
        assert terminal.process.poll() is None, terminal.text
        time.sleep(0.02)
    terminal.press_ctrl_c()


@pytest.mark.parametrize("workers", ["0", "2"])
@pytest.mark.parametrize("when", ["a case ends", "reports are made"])
def test_ctrl_c_while_the_run_ends_is_one_line_and_keeps_the_evidence(
    tree: Tree, workers: str, when: str
) -> None:
    """It left warnings of plugins and no report, or a report that knew of no interruption."""
    if when == "a case ends":
        tree.scenarios(SLOWLY)
    else:
        tree.scenarios(CASES)
        (tree.path / "scenarios" / "conftest.py").write_text(AT_ITS_END)
    command = [*run_of(tree.deployment()), "--codec", "pcmu", "-n", workers]
    with at_terminal(
        command, directory=tree.path, environment=environment("80", **surroundings(tree))
    ) as terminal:
        if when == "a case ends":
            press_ctrl_c(tree, terminal, "begun")
        press_ctrl_c(tree, terminal, "ending")
        assert terminal.finish() == 130, terminal.text
    tree.nothing_left()
    assert "Warning" not in terminal.text
    line, *more = terminal.output.rpartition("\x1b[?25h")[2].splitlines()
    assert more == []
    assert line.startswith("BROKEN   interrupted while it ended: calls are being hung up; no ")
    (report,) = re.findall("`harness (report reports/.*)` makes", line)
    code, output = tree.finished(tree.start_harness(*report.split()))
    assert code == 130, output
    assert "the run was interrupted: stopped by the user" in output
    assert tree.summary()["passed"] == (0 if when == "a case ends" else 2)


DIES = """
import threading
import pytest


@pytest.fixture(autouse=True, scope="session")
def listener():
    thread = threading.Thread(target=lambda: [][0], name="listener")
    thread.start()
    thread.join()
"""


def test_dead_thread_of_a_worker_is_one_line_and_breaks_the_run(tree: Tree) -> None:
    """pytest turns it into a warning, which a verification does not show."""
    (tree.path / "scenarios" / "conftest.py").write_text(DIES)
    (tree.path / "scenarios" / "test_none.py").write_text("")
    code, output = tree.finished(
        tree.start_harness("verify", "simulated-talkdesk", "--row=TD-INBOUND", *ONE_TRUNK, "-n1")
    )
    assert code == 3, output
    assert "Traceback" not in output
    (line,) = tree.summary()["broke"]
    assert (
        line == "the thread listener ended by IndexError: list index out of range at conftest.py:8"
    )
    assert output.count(line) == 1


@pytest.mark.parametrize("window", WINDOWS)
def test_listen_fits_the_window(tree: Tree, window: str) -> None:
    write_wav(tree.path / "heard.wav", np.zeros(8000, np.int16), 8000)
    assert "silence" in at_the(tree, window, [HARNESS, "listen", "heard.wav"]).text


@windows("40")
def test_call_is_watched(tree: Tree, window: str) -> None:
    command = [HARNESS, "call", WORLD, "+13125550100", "--seconds", "1"]
    terminal = at_the(tree, window, command, resized="confirmed")
    assert "BYE" in terminal.text


@windows("40")
def test_load_shows_its_steps(tree: Tree, window: str) -> None:
    command = [HARNESS, "load", WORLD, "--calls", "2", "--step", "1", "--for", "1"]
    terminal = at_the(tree, window, command, resized="step 1")
    assert "passed: 2 of 2 calls held" in terminal.text


@windows("40")
def test_nightly_shows_its_verification(tree: Tree, window: str) -> None:
    options = " ".join(("--row=TD-INBOUND", *ONE_TRUNK, "-n 2"))
    command = [HARNESS, "nightly", WORLD, "--verify", options]
    terminal = at_the(tree, window, command, "/2 cases")
    assert re.search(r"^2 cases in .*: 2 passed", terminal.text, re.MULTILINE)
    assert re.search(r"^nights +reports/", terminal.text, re.MULTILINE)
    if window != "dumb":
        require_one_live_line(terminal, WINDOWS[window][0])
