"""What the command's process does before its command line is read: it says unexpected exceptions in
a line, and begins to import for simulated worlds.

Its own imports stand in functions: an exception in them is said in a line, too.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from harness.support.forkserver import ForkServer

BROKEN = 3


# -- unexpected exceptions


def end(error: Exception) -> NoReturn:
    """Say it, and exit with 3: Python's own exit code would say that the system under test has
    failed.
    """
    say(error)
    sys.exit(BROKEN)


def say(error: BaseException) -> None:
    """Print one line, with the name of a file of this user alone that has the traceback. Numbers
    are masked: it is made to be sent.
    """
    last = traceback.extract_tb(error.__traceback__)[-1:]
    where = "".join(f" at {Path(frame.filename).name}:{frame.lineno}" for frame in last)
    words, kept = f"{type(error).__name__}: {error}".rstrip(": "), ""
    with contextlib.suppress(
        Exception
    ):  # without a place for files, or whatever made the harness fail
        from harness.support.files import own_directories
        from harness.support.mask import mask_text
        from harness.support.network_text import printable

        words = printable(mask_text(words))
        text = mask_text(
            f"harness {' '.join(sys.argv[1:])}\n{''.join(traceback.format_exception(error))}"
        )
        kept = f"; please report it with {own_directories.new_file('fault', '.txt', text)}"
    print(
        f"ERROR: the harness has a fault: {' '.join(words.split())[:500]}{where}{kept}",
        file=sys.stderr,
    )


#: Whether an exception has ended a thread: the command then never exits with 0.
_thread_died = threading.Event()


def say_of_threads() -> None:
    """Say the exceptions of threads in the same way from now on."""

    def hook(arguments: threading.ExceptHookArgs) -> None:
        _thread_died.set()
        if arguments.exc_value is not None:
            say(arguments.exc_value)

    threading.excepthook = hook


def exit_code(code: int) -> int:
    """How a command exits that ended with ``code``: not with 0 once a thread of it has died."""
    return BROKEN if not code and _thread_died.is_set() else code


# -- the process that simulated worlds are forked from: it imports while this one does, and there are two cores

#: A run with one of these starts no world.
_STARTS_NOTHING = {"--plan", "--help", "-h"}
_SIMULATED = re.compile(r"""^\s*kind\s*=\s*["']simulated["']""", re.MULTILINE)

_begun: list[ForkServer] = []


@contextlib.contextmanager
def begun(arguments: Sequence[str]) -> Iterator[None]:
    """While this lasts there is a fork server for the worlds that these arguments of ``harness``
    ask for. A wrong guess costs time.
    """
    if _asks_for_worlds(arguments):
        from harness.support.forkserver import ForkServer, of_a_child

        with contextlib.suppress(OSError):  # then each is started for itself
            # aiohttp reads all authorities when it is imported (45 ms); a world connects to none
            environment = of_a_child() | {"SSL_CERT_FILE": os.devnull}
            _begun.append(ForkServer("harness.world.world", environment))
    try:
        yield
    finally:
        while _begun:
            _begun.pop().close()


def world_fork_server() -> ForkServer | None:
    """Where worlds are forked; None where there is no such process."""
    return _begun[0] if _begun else None


def _asks_for_worlds(arguments: Sequence[str]) -> bool:
    from harness.support import resources

    if arguments[:1] != ["verify"] or _STARTS_NOTHING.intersection(arguments):
        return False
    # os.path.isfile: no argument is too long for it, and no directory unreadable
    files = [
        file
        for argument in arguments[1:]
        if os.path.isfile(file := resources.deployment_file(Path(argument)))
    ]
    return not files or any(map(_is_simulated, files))


def _is_simulated(file: Path) -> bool:
    from harness.support.files import user_files

    try:
        return bool(_SIMULATED.search(user_files.read_text(file, user_files.SETTINGS)))
    except (OSError, ValueError):
        return False
