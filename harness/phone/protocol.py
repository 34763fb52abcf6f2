"""The messages between parent and child process, which are names and plain arguments; reads the
child's last log lines.

Each message is a list in MessagePack, after a length of four bytes:

=============================  ==================  =====================================================================
``["call", id, name, args]``   parent → child      a command; answered by ``done`` or ``failed`` with the same id
``["done", id, value]``        child → parent      what the call returned
``["failed", id, kind, text]`` child → parent      why the call failed; ``kind`` names the error the parent raises
``["notify", name, args]``     child → parent      a notification (events, a stall, a leg started, a leg closed)
``["ask", id, name, args]``    child → parent      a question; the child waits (may this REFER be followed?)
``["answer", id, value]``      parent → child      the answer to the question
=============================  ==================  =====================================================================

That a child's main loop runs, its parent reads from memory that they share (:class:`Pulse`).
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import mmap
import os
import queue
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import msgpack

from harness.support.files import user_files

_LENGTH: Final = struct.Struct("!I")
_LONGEST: Final = 16 * 1024 * 1024
#: Keeps the lone surrogates of a SIP message that is not UTF-8.
_UNICODE: Final = "surrogatepass"

#: Seconds between two pulses of a child's main loop.
PULSE_INTERVAL: Final = 0.25
#: The same while it only waits.
IDLE_PULSE_INTERVAL: Final = 2.0
#: A pulse this much later than due is late; a jitter buffer cannot hide a longer gap.
LATE_S: Final = 0.2
#: How long a child that lost its parent waits for answers to its BYEs and un-REGISTERs.
FAREWELL_SECONDS: Final = 1.0


def unpacked(body: bytes) -> Any:
    """The plain data of a message."""
    return msgpack.unpackb(body, unicode_errors=_UNICODE)


class Wire:
    """One end of the socket pair. Sending is thread-safe; one thread may receive."""

    def __init__(
        self, connection: socket.socket, unpack: Callable[[bytes], Any] = unpacked
    ) -> None:
        self._socket = connection
        self._unpack = unpack
        self._sending = threading.Lock()
        self._kept = threading.local()
        self._received = bytearray()
        self._packing = threading.Lock()
        self._packer = msgpack.Packer(unicode_errors=_UNICODE)

    def send(self, *message: Any) -> None:
        """Raises ``OSError`` when the other end is closed."""
        with self._packing:
            body: bytes = self._packer.pack(message)
        kept: bytearray | None = getattr(self._kept, "messages", None)
        if kept is not None:
            kept += _LENGTH.pack(len(body)) + body
            return
        self._send(_LENGTH.pack(len(body)) + body)

    def _send(self, framed: bytes | bytearray) -> None:
        with self._sending:
            self._socket.sendall(framed)

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Collect what the calling thread sends, and send it at once at the end, so that the other
        end wakes only once.
        """
        kept = self._kept.messages = bytearray()
        try:
            yield
        finally:
            del self._kept.messages
            if kept:
                with contextlib.suppress(OSError):  # the reader thread finds the reason
                    self._send(kept)

    def receive(self, within: float | None = None) -> list[Any] | None:
        """The next message; None when the other end is closed. Raises ``TimeoutError`` when nothing
        was received.
        """
        while True:
            message = self._take()
            if message is not None:
                return message
            try:
                if within != self._socket.gettimeout():  # settimeout() costs a system call
                    self._socket.settimeout(within)
                chunk = self._socket.recv(65536)
            except TimeoutError:
                raise
            except OSError:
                return None
            if not chunk:
                return None
            self._received += chunk

    def __iter__(self) -> Iterator[list[Any]]:
        """Each message, until the other end is closed or sends an invalid one."""
        with contextlib.suppress(ValueError):
            while (message := self.receive()) is not None:
                yield message

    def _take(self) -> list[Any] | None:
        if len(self._received) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(self._received)
        if length > _LONGEST:
            raise ValueError(f"a message of {length} bytes is too long")
        end = _LENGTH.size + length
        if len(self._received) < end:
            return None
        body = bytes(self._received[_LENGTH.size : end])
        del self._received[:end]
        message = self._unpack(body)
        if not isinstance(message, list):
            raise ValueError("a message is a list")
        return message

    def close(self) -> None:
        """Close this end; the other one sees the end of the stream."""
        # shutdown() wakes a thread that is blocked in recv(); close() alone does not.
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


class Questions:
    """Questions to the other end of a wire. One thread passes on the answers."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._numbers = itertools.count(1)
        self._answers: queue.SimpleQueue[list[Any]] = queue.SimpleQueue()

    def take(self, answer: list[Any]) -> None:
        """Note an answer: the number of the question, and the value."""
        self._answers.put(answer)

    def ask(self, name: str, arguments: dict[str, Any], within: float) -> Any:
        """The answer. Raises ``OSError`` when the other end is closed, ``queue.Empty`` without an
        answer in time.
        """
        number = next(self._numbers)
        self._wire.send("ask", number, name, arguments)
        while (answer := self._answers.get(timeout=within))[0] != number:
            pass  # the answer to an earlier question
        return answer[1]


class Pulse(ctypes.Structure):
    """When a child's main loop last ran, and when it is to run again at the latest (monotonic)."""

    _fields_ = (("at", ctypes.c_double), ("due", ctypes.c_double))

    @classmethod
    def shared(cls, descriptor: int) -> Pulse:
        """The one in a file of memory, which may be closed after this."""
        os.ftruncate(descriptor, ctypes.sizeof(cls))
        return cls.from_buffer(mmap.mmap(descriptor, ctypes.sizeof(cls)))


@dataclass(frozen=True, slots=True)
class Mark:
    """Play the leg's mark in a loop."""


@dataclass(frozen=True, slots=True)
class Silence:
    """Send silence: RTP flows without sound."""


@dataclass(frozen=True, slots=True)
class Wav:
    """Play a WAV file (mono; 16-bit PCM, µ-law or A-law): once, followed by the mark, or in a loop."""

    path: str | Path
    loop: bool = False


Source = Mark | Silence | Wav


@dataclass(frozen=True, slots=True)
class Ring:
    """Send 180 and wait for :meth:`Leg.answer`: the default."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer automatically, after ``after`` seconds of ringing (0: at once, without 180)."""

    after: float = 0.0
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Reject:
    """Refuse with a final response."""

    code: int = 486
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Early:
    """Send 183 with SDP: early media."""

    code: int = 183


Policy = Ring | Answer | Reject | Early

_KINDS: Final[dict[str, type[Any]]] = {
    kind.__name__: kind for kind in (Mark, Silence, Wav, Ring, Answer, Reject, Early)
}


def choice_to_plain(choice: Source | Policy) -> list[Any]:
    """A source or a policy as ``[name, arguments]``."""
    arguments = asdict(choice)
    if isinstance(choice, Wav):
        arguments["path"] = str(choice.path)
    return [type(choice).__name__, arguments]


def choice_from_plain(plain: list[Any]) -> Any:
    """The inverse of :func:`choice_to_plain`. Raises ``KeyError`` for an unknown name."""
    name, arguments = plain
    if "headers" in arguments:
        arguments = {
            **arguments,
            "headers": tuple((key, value) for key, value in arguments["headers"]),
        }
    return _KINDS[name](**arguments)


#: Octets written to the ring of log lines since its beginning; the ring follows.
_WRITTEN: Final = struct.Struct("!Q")


def last_lines(path: Path, most: int = 40) -> list[str]:
    """The last lines of a ring, oldest first; none when there is no such file."""
    try:
        raw = user_files.read(path, user_files.EVIDENCE)
    except OSError:
        return []
    if len(raw) < _WRITTEN.size:
        return []
    (written,) = _WRITTEN.unpack_from(raw)
    body = raw[_WRITTEN.size :]
    if written > len(body):
        at = written % len(body)
        body = body[at:] + body[:at]
        body = body[body.find(b"\n") + 1 :]  # the oldest line is incomplete
    else:
        body = body[:written]
    return body.decode("utf-8", "replace").splitlines()[-most:]
