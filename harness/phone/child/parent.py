"""The line to the parent: its commands in order, what it is told, and the questions that it answers."""

from __future__ import annotations

import contextlib
import itertools
import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Final

from harness.phone.log_ring import LogRing
from harness.phone.protocol import FAREWELL_SECONDS, Wire

_ANSWER_S: Final = 1.0  # all calls of the process wait meanwhile

#: A command: its name, the number that its answer carries, and its arguments.
Command = tuple[str, int, dict[str, Any]]


class Parent:
    """At the other end of ``wire``. Telling is thread-safe; commands are taken by one thread."""

    def __init__(self, wire: Wire, ring: LogRing) -> None:
        self._wire, self._ring = wire, ring
        self._commands: queue.SimpleQueue[Command] = queue.SimpleQueue()
        self._next: Command | None = None
        self._questions = itertools.count(1)
        self._answers: queue.SimpleQueue[list[Any]] = queue.SimpleQueue()
        self._gone = threading.Event()

    def listen(self, wake: Callable[[], None]) -> None:
        """Take what it says in a thread of its own; ``wake`` the one that waits for commands."""
        threading.Thread(target=self._read, args=(wake,), name="commands", daemon=True).start()

    def _read(self, wake: Callable[[], None]) -> None:
        for message in self._wire:
            if message[0] == "answer":
                self._answers.put(message[1:])
            else:
                _, call, name, arguments = message
                self._commands.put((name, call, arguments))
                wake()
        self._gone.set()
        wake()
        # Should the main thread hang, nobody is left to end this process.
        time.sleep(3 * FAREWELL_SECONDS)
        os._exit(2)

    @property
    def is_gone(self) -> bool:
        """Whether its end is closed, or :meth:`leave` was called."""
        return self._gone.is_set()

    def leave(self) -> None:
        """Serve it no more."""
        self._gone.set()

    # Its commands.

    def next_command(self, waits: Callable[[str], bool]) -> Command | None:
        """The oldest, unless it is one that ``waits``; what comes after it waits as well."""
        if self._next is None and not self._commands.empty():
            self._next = self._commands.get()
        command = self._next
        if command is None or waits(command[0]):
            return None
        self._next = None
        return command

    @property
    def has_to_wait(self) -> bool:
        """Whether the last :meth:`next_command` left one for later."""
        return self._next is not None

    def done(self, call: int, value: Any) -> None:
        """A command's answer. Raises ``OSError`` when nobody is there for it."""
        self._wire.send("done", call, value)

    def failed(self, call: int, kind: str, text: str) -> None:
        """Why a command could not be done; ``kind`` names the error that the parent raises. Raises ``OSError`` as well."""
        self._wire.send("failed", call, kind, text)

    # What it is told and asked.

    def tell(self, what: str, /, **arguments: Any) -> None:
        """Something happened."""
        with contextlib.suppress(OSError):  # the reader sees the end of the line, and acts on it
            self._wire.send("tell", what, arguments)

    def together(self) -> AbstractContextManager[None]:
        """What the calling thread tells meanwhile leaves at once, at the end."""
        return self._wire.together()

    def ask(self, name: str, arguments: dict[str, Any]) -> Any:
        """Its answer to a question. Without one in time this process is lost: nobody else is to blame."""
        question = next(self._questions)
        with contextlib.suppress(OSError, queue.Empty):
            self._wire.send("ask", question, name, arguments)
            while (answer := self._answers.get(timeout=_ANSWER_S))[0] != question:
                pass  # of an earlier one
            return answer[1]
        self.tell("lost", reason=f"the harness took more than {_ANSWER_S:g} s to answer {name!r}")
        return None

    def fault(self, text: str) -> None:
        """A defect of this process: say so; the parent gives it up."""
        for line in text.splitlines():
            self._ring.write(line)
        print(text, file=sys.stderr, flush=True)
        self.tell("fault", text=text)
