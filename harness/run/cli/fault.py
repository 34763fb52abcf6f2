"""The message for an unexpected exception: one line with the name of a file that has the traceback."""

from __future__ import annotations

import contextlib
import sys
import threading
import traceback
from pathlib import Path
from typing import NoReturn

BROKEN = 3


def end(error: Exception) -> NoReturn:
    """Say it, and exit with 3: Python's own exit code would say that the system under test has failed."""
    say(error)
    sys.exit(BROKEN)


def say(error: BaseException) -> None:
    """Say it, and go on."""
    last = traceback.extract_tb(error.__traceback__)[-1:]
    where = "".join(f" at {Path(frame.filename).name}:{frame.lineno}" for frame in last)
    words = f"{type(error).__name__}: {error}".rstrip(": ")
    kept = ""
    with contextlib.suppress(Exception):  # without a place for files, or whatever made the harness fail
        kept = f"; please report it with {_kept(error)}"
    print(f"ERROR: the harness has a fault: {_in_one_line(words)}{where}{kept}", file=sys.stderr)


def say_of_threads() -> None:
    """Say the faults of threads in the same way from now on."""

    def hook(arguments: threading.ExceptHookArgs) -> None:
        if arguments.exc_value is not None:
            say(arguments.exc_value)

    threading.excepthook = hook


def _kept(error: BaseException) -> Path:
    """A file of this user alone with the traceback; numbers are masked, since it is made to be sent."""
    from harness.support.files import own_directories
    from harness.support.mask import mask_text

    text = "".join(traceback.format_exception(error))
    return own_directories.new_file("fault", ".txt", mask_text(f"harness {' '.join(sys.argv[1:])}\n{text}"))


def _in_one_line(text: str) -> str:
    with contextlib.suppress(Exception):
        from harness.support.mask import mask_text
        from harness.support.network_text import printable

        text = printable(mask_text(text))
    return " ".join(text.split())[:500]
