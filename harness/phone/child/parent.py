"""The connection to the parent: its commands in order, and notifications and questions to it."""

from __future__ import annotations

import contextlib
import os
import queue
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final

from harness.case.events import Event, to_values
from harness.phone.child.log_ring import LogRing
from harness.phone.protocol import FAREWELL_SECONDS, Questions, Wire

_ANSWER_S: Final = 1.0  # all calls of the process wait for the answer

#: A command: its name, the number that its answer carries, and its arguments.
Command = tuple[str, int, dict[str, Any]]


class Parent:
    """The parent at the other end of ``wire``. Sending is thread-safe; one thread takes commands.

    The parent sends commands, which `done` or `failed` answers by their numbers, and answers to
    this process's questions. This process sends notifications, and questions that cannot wait for
    long. When the connection closes, the process ends.
    """

    def __init__(self, wire: Wire, ring: LogRing) -> None:
        self._wire = wire
        self._ring = ring
        self._commands: queue.SimpleQueue[Command] = queue.SimpleQueue()
        self.waiting: Command | None = None  #: the oldest command, if it has to wait
        self._questions = Questions(wire)
        self.gone = threading.Event()  #: the parent's end is closed, or this process is to end

    def listen(self, wake: Callable[[], None]) -> None:
        """Read the parent's messages in a new thread, which calls ``wake`` for each command."""
        threading.Thread(target=self._read, args=(wake,), name="commands", daemon=True).start()

    def _read(self, wake: Callable[[], None]) -> None:
        """Queue the parent's commands, and hand over its answers; the process ends with the
        connection.
        """
        for message in self._wire:
            if message[0] == "answer":
                self._questions.take(message[1:])
            else:
                _, call, name, arguments = message
                self._commands.put((name, call, arguments))
                wake()
        self.gone.set()
        wake()
        # If the main thread hangs, this thread ends the process.
        time.sleep(3 * FAREWELL_SECONDS)
        os._exit(2)

    # Commands.

    def next_command(self, waits: Callable[[str], bool]) -> Command | None:
        """The oldest command, or None if it ``waits``; later commands then wait too."""
        if self.waiting is None and not self._commands.empty():
            self.waiting = self._commands.get()
        command = self.waiting
        if command is None or waits(command[0]):
            return None
        self.waiting = None
        return command

    def done(self, call: int, value: Any) -> None:
        """Send a command's result. Raises ``OSError`` when the parent is gone."""
        self._wire.send("done", call, value)

    def failed(self, call: int, kind: str, text: str) -> None:
        """Send why a command failed; ``kind`` names the error that the parent raises. Raises
        ``OSError``.
        """
        self._wire.send("failed", call, kind, text)

    # Notifications and questions.

    def notify(self, topic: str, /, **arguments: Any) -> None:
        with contextlib.suppress(OSError):  # the reader thread notices that the parent is gone
            self._wire.send("notify", topic, arguments)

    def emit(self, events: Sequence[Event], phone: int, leg: int | None = None) -> None:
        """Send events of the phone, and leg, with these keys."""
        self.notify("events", phone=phone, leg=leg, events=[*map(to_values, events)])

    def together(self) -> AbstractContextManager[None]:
        """See :meth:`Wire.together`."""
        return self._wire.together()

    def ask(self, name: str, arguments: dict[str, Any]) -> Any:
        """The parent's answer to a question. Without an answer in time this process counts as lost,
        a fault of the harness.
        """
        with contextlib.suppress(OSError, queue.Empty):
            return self._questions.ask(name, arguments, _ANSWER_S)
        late = f"the harness took more than {_ANSWER_S:g} s to answer {name!r}"
        self.notify("lost", reason=late)
        return None

    def fault(self, text: str) -> None:
        """Report a defect of this process; the parent then kills it."""
        for line in text.splitlines():
            self._ring.write(line)
        print(text, file=sys.stderr, flush=True)
        self.notify("fault", text=text)
