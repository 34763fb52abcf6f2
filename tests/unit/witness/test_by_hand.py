"""Asking a person."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

from harness.witness import by_hand

ASK = "from harness.witness.by_hand import ask; print(ask('start it now'))"


def test_without_a_terminal_nobody_is_asked() -> None:
    told = subprocess.run(
        [sys.executable, "-c", ASK], capture_output=True, text=True, start_new_session=True, check=True
    )
    assert told.stdout == "False\n"


def _at_a_terminal(silent: str) -> bytes:
    """What a terminal shows when somebody is asked at it."""
    child, terminal = pty.fork()
    if child == 0:
        os.execve(sys.executable, [sys.executable, "-c", ASK], {**os.environ, by_hand.SILENT_VARIABLE: silent})
    said = b""
    try:
        while chunk := os.read(terminal, 4096):
            said += chunk
    except OSError:
        pass  # Linux says EIO when the other side is closed
    finally:
        os.close(terminal)
        os.waitpid(child, 0)
    return said


def test_at_a_terminal_it_is_said_whatever_becomes_of_stdout() -> None:
    said = _at_a_terminal(silent="0")
    assert b">>> start it now" in said
    assert b"True" in said
