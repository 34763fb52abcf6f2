"""The parent's side of a phone process: it starts the process, sends commands, and notices when the
process dies or hangs.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import signal
import socket
import subprocess
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any, Final, Protocol

import harness
from harness.errors import (
    BrokenError,
    HarnessError,
    OfferPendingError,
    PhoneLostError,
    PhoneMisuseError,
    ResourceError,
)
from harness.phone.protocol import (
    FAREWELL_SECONDS,
    LATE_S,
    PULSE_INTERVAL,
    Pulse,
    Wire,
    last_lines,
    unpacked,
)
from harness.support import network_text
from harness.support.files import user_files
from harness.support.forkserver import ForkServer, interpreter, of_a_child
from harness.support.heartbeat import AFTERWARDS_S, DOUBTFUL_S
from harness.support.stalls import Stall, within

_KEPT: Final = 1200
#: What a child's other threads send, even while its main thread hangs.
_OF_OTHER_THREADS: Final = frozenset({"events", "stall"})
_START_SECONDS: Final = 20.0
_CALL_SECONDS: Final = 10.0
#: Extra time for a parent that was itself stopped (Ctrl-Z, a suspended machine): it must first read
#: the answers that arrived.
_AWAKE_SECONDS: Final = 1.0
_DYING_SECONDS: Final = 0.5
_ENDED: Final = "its process ended"
#: Last words of a process that aborts: assert(3) in pjproject, glibc about its heap, libstdc++
#: about an exception.
_ASSERTED: Final = re.compile(
    r"Assertion .* failed|^(?:malloc|free|corrupted|double free|munmap_chunk|realloc)\b|^terminate called"
)
_starts: Final = itertools.count(1)


class NotNegotiatedError(HarnessError):
    """A command needs something that the far end did not negotiate."""


ERRORS: Final[dict[str, type[HarnessError]]] = {
    "not_negotiated": NotNegotiatedError,
    "misuse": PhoneMisuseError,
    "pending": OfferPendingError,
    "resource": ResourceError,
    "broken": BrokenError,
}


def environment() -> dict[str, str]:
    """The environment of a phone process: this one's without secrets, and the path of the harness."""
    found = of_a_child()
    root = str(Path(harness.__file__).parent.parent)
    found["OPENBLAS_NUM_THREADS"] = "1"  # the matrices are small: threads only add cost
    found["PYTHONPATH"] = os.pathsep.join(filter(None, [root, found.get("PYTHONPATH")]))
    return found


class Owner(Protocol):
    """Receives the messages of a phone process. All methods are called in the process's reader
    thread.
    """

    def notified(self, process: PhoneProcess, name: str, arguments: dict[str, Any]) -> None:
        """Handle a notification."""

    def asked(self, process: PhoneProcess, name: str, arguments: dict[str, Any]) -> Any:
        """Answer a question; the child waits for it."""

    def stalled(self, process: PhoneProcess, stall: Stall) -> None:
        """Handle a stall of the process, which is over."""

    def lost(self, process: PhoneProcess, reason: str, log: str) -> None:
        """Handle the loss of the process: it died, hung or failed, and has been killed."""


def redacted(body: bytes) -> Any:
    """A child's message without known secrets: its events quote text from the network."""
    message = unpacked(body)
    return network_text.redacted_plain(message) if network_text.may_quote_secret(body) else message


class PhoneProcess:
    """One ``harness.phone.child``. Thread-safe. Raises :class:`PhoneLostError` when it does not
    start.
    """

    def __init__(
        self, owner: Owner, directory: Path, *, patience: float, fork_server: Path | None = None
    ) -> None:
        self._directory = directory
        self._errors = directory / f"child-{next(_starts)}.err"
        ours, theirs = socket.socketpair()
        memory = os.memfd_create("pulse")
        pulse = Pulse.shared(memory)
        with theirs, os.fdopen(memory, "wb"), self._errors.open("ab") as errors:
            self._process = subprocess.Popen(
                [
                    *interpreter(fork_server),
                    "-m",
                    "harness.phone.child",
                    str(theirs.fileno()),
                    str(memory),
                    str(directory),
                ],
                pass_fds=[theirs.fileno(), memory],
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                env=environment(),
                start_new_session=True,  # Ctrl-C reaches only the parent, which ends the calls in order
            )
        self.pid = self._process.pid
        self._prepare(owner, Wire(ours, redacted), pulse, patience)
        try:
            ready = self._wire.receive(_START_SECONDS)
        except (TimeoutError, ValueError):
            ready = None
        if not ready or ready[:2] != ["notify", "ready"]:
            self._kill()
            raise PhoneLostError(f"a phone process did not start\n{self.log()}")
        self.pid = ready[2]["pid"]  # with a fork server, Popen's pid is a stand-in
        self.most_calls: int = ready[2]["most_calls"]
        self.version: str = ready[2]["version"]
        self._reader = threading.Thread(target=self._read, name=f"phones {self.pid}", daemon=True)
        self._reader.start()

    def _prepare(
        self, owner: Owner, wire: Wire, pulse: Pulse | None = None, patience: float | None = None
    ) -> None:
        """Set up the state of the message exchange, with a child or with the switchboard, which
        watches the child itself.
        """
        self._owner, self._wire, self._pulse, self._patience = owner, wire, pulse, patience
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._replies: dict[int, _Reply] = {}
        self._lost: str | None = None
        #: When the main loop was last heard, asked whether it runs, and sent a command.
        self._heard_at = self._asked_at = self._sent_at = time.monotonic()
        # As the child itself measured them, and the gaps in its pulses.
        self._stalls: deque[Stall] = deque(maxlen=_KEPT)
        self._closing = False
        self._last_log = ""  # of a shared phone's process

    @property
    def lost(self) -> str | None:
        """Why this process can no longer be used; None while it can."""
        return self._lost

    def check(self) -> None:
        """Raise an error if the child does not answer, or has just stood still."""
        self.call("free_slots")
        if (still := self.stood_still) is not None:
            raise still

    @property
    def stood_still(self) -> PhoneLostError | None:
        """The error of a child that stands still, or just did, for example on a slow disk. Its
        phones then prove nothing.
        """
        if self._pulse is None:
            return None
        now = time.monotonic()
        recent = [stall for stall in self.stalls(0.0, now) if stall.ended > now - AFTERWARDS_S]
        longest_s = max((stall.seconds for stall in recent), default=0.0)
        if longest_s <= DOUBTFUL_S:
            return None
        return PhoneLostError(f"a softphone's process had not stirred for {longest_s:.1f} s")

    def stalls(self, begin: float, end: float) -> list[Stall]:
        """The child's stalls between two times: as it measured them, and the gaps in its pulses,
        also one that has not ended.
        """
        found = list(self._stalls)
        now = time.monotonic()
        pulse = self._pulse
        if pulse is not None and self._lost is None and self._is_late(pulse, now):
            found.append(Stall(pulse.at + PULSE_INTERVAL, now))  # perhaps since its last pulse
        return within(found, begin, end)

    def _is_late(self, pulse: Pulse, now: float) -> bool:
        due: float = pulse.due
        if self._sent_at > pulse.at:  # a command wakes it
            due = min(due, self._sent_at + PULSE_INTERVAL)
        return now - due > LATE_S

    def has_pulsed(self, since: float) -> bool:
        """Whether the child has answered since then, or never will. Asks it once: its pulse may show
        sooner that it runs than the message of a stall comes.
        """
        if self._pulse is None or self._lost is not None or self._heard_at >= since:
            return True
        if self._asked_at < since:
            self._asked_at = time.monotonic()
            self.post("free_slots")
        return False

    def log(self) -> str:
        """The child's last log lines."""
        lines = last_lines(self._directory / f"child-{self.pid}.ring")
        lines += self._words()[-20:]
        return network_text.redacted("\n".join(lines))

    def call(self, name: str, within: float = _CALL_SECONDS, /, **arguments: Any) -> Any:
        """Run a command in the child. Raises the error of its refusal, or :class:`PhoneLostError`."""
        reply = _Reply()
        number = next(self._numbers)
        with self._lock:
            if self._lost is None:
                self._replies[number] = reply
            else:
                raise PhoneLostError(self._lost)
        self._send(number, name, arguments)
        if not reply.done.wait(within) and not reply.done.wait(_AWAKE_SECONDS):
            self._replies.pop(number, None)
            raise BrokenError(f"the phone process did not answer {name} within {within:g} s")
        if reply.kind == "lost":
            raise PhoneLostError(reply.text)
        if reply.kind:
            raise ERRORS[reply.kind](reply.text)
        return reply.value

    def post(self, name: str, /, **arguments: Any) -> None:
        """Run a command in the child without waiting for its result: the reader thread cannot wait
        for itself.
        """
        self._send(0, name, arguments)

    def _send(self, number: int, name: str, arguments: dict[str, Any]) -> None:
        self._sent_at = time.monotonic()
        with contextlib.suppress(OSError):  # the reader thread finds the reason
            self._wire.send("call", number, name, arguments)

    def _read(self) -> None:
        reason = _ENDED
        within = self._patience
        while True:
            try:
                message = self._wire.receive(within)
            except TimeoutError:
                within = self._patience_left(time.monotonic())
                if within > 0:
                    continue
                reason = f"its process was silent for {self._patience:g} s"
                break
            except ValueError as error:
                reason = f"its process sent an invalid message: {error}"
                break
            if message is None:
                break
            kind = message[0]
            if kind != "notify" or message[1] not in _OF_OTHER_THREADS:
                self._heard_at = time.monotonic()
            if kind == "notify" and message[1] == "fault":
                reason = f"its process is defective: {message[2]['text'].strip().splitlines()[-1]}"
                break
            if kind == "notify" and message[1] == "lost":
                reason, self._last_log = message[2]["reason"], message[2].get("log", "")
                break
            self._take(kind, message)
        self._end(reason)

    def _patience_left(self, now: float) -> float:
        """How long to wait on before the child counts as hung; 0 once it does."""
        pulse = self._pulse
        assert pulse is not None
        assert self._patience is not None
        left: float = pulse.at + self._patience - now
        is_hung = left <= 0 and self._is_late(pulse, now)
        return 0.0 if is_hung else max(left, PULSE_INTERVAL)

    def _stalled(self, stall: Stall) -> None:
        self._stalls.append(stall)
        self._owner.stalled(self, stall)

    def _take(self, kind: str, message: list[Any]) -> None:
        if kind == "notify":
            if message[1] == "stall":
                self._stalled(Stall(**message[2]))
            else:
                self._owner.notified(self, message[1], message[2])
        elif kind == "ask":
            answer = self._owner.asked(self, message[2], message[3])
            with contextlib.suppress(OSError):
                self._wire.send("answer", message[1], answer)
        else:
            reply = self._replies.pop(message[1], None)
            if reply is not None:
                if kind == "done":
                    reply.value = message[2]
                else:
                    reply.kind, reply.text = message[2], message[3]
                reply.done.set()

    def _end(self, reason: str) -> None:
        closing = self._closing
        if not closing:
            self._kill()
            if reason == _ENDED:
                reason += self._how()
        log = self.log()
        with self._lock:
            self._lost = f"{reason}\n{log}" if not closing else "the phone process was closed"
            waiting = list(self._replies.values())
            self._replies.clear()
        for reply in waiting:
            reply.kind, reply.text = "lost", self._lost
            reply.done.set()
        if not closing:
            self._owner.lost(self, reason, log)

    def _how(self) -> str:
        code = self._process.returncode
        if code >= 0:
            return f" with code {code}"
        last_words = [line for line in self._words() if _ASSERTED.search(line)]
        return " by " + ": ".join(
            [signal.Signals(-code).name, *(line.strip() for line in last_words[-1:])]
        )

    def _words(self) -> list[str]:
        """The lines of the child's standard error."""
        try:
            return user_files.read_text(self._errors, user_files.EVIDENCE, "replace").splitlines()
        except OSError:
            return []

    def _kill(self) -> None:
        # A child that closed its end of the wire is about to exit; a child that hangs must be
        # killed.
        try:
            self._process.wait(_DYING_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._wire.close()

    def close(self) -> None:
        """Let the child hang up and exit; kill it if it does not."""
        self._closing = True
        self._wire.close()
        try:
            self._process.wait(3 * FAREWELL_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(1.0)
        for file in (self._directory / f"child-{self.pid}.ring", self._errors):
            with contextlib.suppress(OSError):
                file.unlink()


class PhoneForkServer(ForkServer):
    """A process that has loaded numpy and pjsua2, from which phone processes are forked: loading
    takes a third of a second.

    Pass its path to :class:`harness.phone.pool.PhonePool`.
    """

    def __init__(self) -> None:
        """Start it. Raises OSError when it cannot start; phones then start without it."""
        super().__init__("harness.phone.child.service", environment())


class _Reply:
    """The pending reply to a call."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.value: Any = None
        self.kind = ""
        self.text = ""
