"""A command at a pseudo-terminal, as a user starts it: what it draws, and a window that changes its
size.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

#: Control sequences of a terminal: CSI, OSC, and two-character escapes (ECMA-48).
CONTROL: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
#: What selects a colour: SGR 30 to 37, 38, 40 to 47, 48, 90 to 97, 100 to 107.
COLOUR: Final = re.compile(r"\x1b\[(?:\d+;)*(?:[34][0-8]|9[0-7]|10[0-7])(?:;\d+)*m")
#: Erases the line that the cursor is in.
_ERASE: Final = "\x1b[2K"


#: What a window is like: its columns, and the environment of what is started in it.
WINDOWS: Final[Mapping[str, tuple[int, Mapping[str, str]]]] = {
    "80": (80, {}),
    "40": (40, {}),
    "200": (200, {}),
    "dumb": (80, {"TERM": "dumb"}),
    "no colour": (80, {"NO_COLOR": "1"}),
}
#: Variables that would decide how a command draws.
_LEFT_OUT: Final = (
    *("PYTEST_", "PYTHON", "GITHUB_"),
    *("NO_COLOR", "FORCE_COLOR", "TTY_", "COLUMNS", "LINES"),
)


class PseudoTerminal:
    """A running command whose three standard streams are a terminal that it controls."""

    def __init__(self, process: subprocess.Popen[bytes], terminal: int) -> None:
        self.process, self._terminal = process, terminal
        self.output = ""  #: everything it has written so far

    def resize(self, columns: int, rows: int = 24) -> None:
        """Change the window's size; the kernel sends SIGWINCH to the foreground processes."""
        fcntl.ioctl(self._terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def press_ctrl_c(self) -> None:
        """Type it: the kernel sends SIGINT to all foreground processes."""
        os.write(self._terminal, b"\x03")

    def wait_for(self, pattern: str, within_s: float = 300.0) -> None:
        """Read until the output, without control sequences, has the pattern."""
        deadline = time.monotonic() + within_s
        while not re.search(pattern, self.text):
            assert self._read(deadline), f"no {pattern!r} in {self.text}"

    def finish(self, within_s: float = 600.0) -> int:
        """Read the rest; the exit code."""
        deadline = time.monotonic() + within_s
        while self._read(deadline):
            pass
        return self.process.wait(max(0.0, deadline - time.monotonic()))

    def _read(self, deadline: float) -> bool:
        """Whether more may come: no process has the terminal open once the last one has ended."""
        ready, _, _ = select.select([self._terminal], [], [], max(0.0, deadline - time.monotonic()))
        assert ready, f"nothing more was written in time; so far: {self.text}"
        try:
            octets = os.read(self._terminal, 65536)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            octets = b""
        self.output += octets.decode(errors="replace")
        return bool(octets)

    @property
    def text(self) -> str:
        """The output without control sequences."""
        return CONTROL.sub("", self.output).replace("\r\n", "\n")

    @property
    def redrawn(self) -> list[str]:
        """What was written after the line was erased, up to its end: the frames of a live line."""
        frames = (part.splitlines()[0] for part in self.output.split(_ERASE)[1:] if part.strip())
        return [text for frame in frames if (text := CONTROL.sub("", frame).rstrip())]


@contextlib.contextmanager
def at_terminal(
    command: Sequence[str],
    *,
    columns: int = 80,
    directory: Path,
    environment: Mapping[str, str],
) -> Iterator[PseudoTerminal]:
    """Start a command; it is killed at the end if it still runs."""
    ours, theirs = pty.openpty()

    def take_terminal() -> None:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # ignored below a shell's background job

    size = struct.pack("HHHH", 24, columns, 0, 0)
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, size)
    process = subprocess.Popen(
        list(command),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=directory,
        env=environment,
        start_new_session=True,
        preexec_fn=take_terminal,
    )
    os.close(theirs)
    try:
        yield PseudoTerminal(process, ours)
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def environment(window: str, **more: str) -> dict[str, str]:
    """This process's environment, without what would decide how a command draws; with that of the
    window.
    """
    kept = {name: text for name, text in os.environ.items() if not name.startswith(_LEFT_OUT)}
    return {**kept, "TERM": "xterm-256color", **more, **WINDOWS[window][1]}


def shown(
    command: Sequence[str],
    window: str,
    directory: Path,
    *,
    resized: str = "",
    **more: str,
) -> PseudoTerminal:
    """What a command shows in a window. It must exit with 0, without a traceback. Once the pattern
    ``resized`` is shown, the window shrinks and grows.
    """
    columns = WINDOWS[window][0]
    given = environment(window, **more)
    with at_terminal(command, columns=columns, directory=directory, environment=given) as terminal:
        if resized:
            terminal.wait_for(resized)
            for other in (columns // 2, 3 * columns, columns):
                terminal.resize(other)
        code = terminal.finish()
    assert code == 0, terminal.text
    assert "Traceback" not in terminal.text
    assert "has a fault" not in terminal.text
    if window == "dumb":
        assert CONTROL.search(terminal.output) is None
    if window == "no colour":
        assert COLOUR.search(terminal.output) is None
    return terminal
