"""How a run ends when it is asked to: by Ctrl-C, by SIGTERM, or because its terminal closes."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from types import FrameType
from typing import Final, NoReturn

import pytest

#: As shells report a program that Ctrl-C ended.
_INTERRUPTED: Final = 128 + signal.SIGINT
ENDED: Final = "interrupted while it ended: calls are being hung up"


class Interruption:
    """The first signal raises ``KeyboardInterrupt``, so that the run ends in order: everything is
    hung up, and reports are made. It has no effect where it was ignored before (``nohup``).

    Ctrl-C while the run :attr:`is_ending` ends this process at once. Its workers and softphones
    then hang up by themselves, as when the runner is killed. An exception would be raised anywhere:
    in a plugin's cleanup, or where Python ignores it. Other signals are ignored then: a program that sends
    one may send it to the process group as well (systemd), or to a parent that passes it on
    (``harness nightly``).
    """

    def __init__(self) -> None:
        self.is_ending = False
        #: Keeps what only this process knows, and returns the line for the terminal.
        self.keep: Callable[[], str] = lambda: ENDED
        self.output = 2  #: the terminal's file descriptor
        for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(each) is not signal.SIG_IGN:
                signal.signal(each, self._end)

    def _end(self, signum: int, frame: FrameType | None) -> None:
        if not self.is_ending:
            self.is_ending = True
            raise KeyboardInterrupt
        if signum == signal.SIGINT:
            self._end_at_once()

    def _end_at_once(self) -> NoReturn:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        line = ENDED
        with contextlib.suppress(Exception):  # whatever was interrupted, the process ends
            line = self.keep()
        with contextlib.suppress(OSError):
            os.write(self.output, f"{line}\n".encode(errors="replace"))
        os._exit(_INTERRUPTED)


INTERRUPTION = pytest.StashKey[Interruption]()
