"""What crosses the border between a phone's parent and its child: names and plain arguments, framed as MessagePack.

Messages are lists in MessagePack behind a length of four bytes; one that has an integer of more than 64 bits is in JSON:

=============================  ==================  =====================================================================
``["call", id, name, args]``   parent → child      do something; answered by ``done`` or ``failed`` with the same id
``["done", id, value]``        child → parent      what the call returned
``["failed", id, kind, text]`` child → parent      why it could not; ``kind`` names the error the parent raises
``["tell", name, args]``       child → parent      something happened (events, a pulse, a leg began, a leg is closed)
``["ask", id, name, args]``    child → parent      a question the child waits for (may this REFER be followed?)
``["answer", id, value]``      parent → child      its answer
=============================  ==================  =====================================================================
"""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import msgpack

_LENGTH: Final = struct.Struct("!I")
_LONGEST: Final = 16 * 1024 * 1024
#: Keeps the lone surrogates of a SIP message that is not UTF-8.
_UNICODE: Final = "surrogatepass"
_JSON: Final = b"["  #: what a list begins with in JSON, and none does in MessagePack

#: Seconds between two pulses of a child's main loop.
PULSE_INTERVAL: Final = 0.25
#: How long a child that loses its parent waits for its BYEs and un-REGISTERs to be answered.
FAREWELL_SECONDS: Final = 1.0


class Wire:
    """One end of the socket pair. Sending is thread-safe; one thread may receive."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._sending = threading.Lock()
        self._kept = threading.local()
        self._received = bytearray()
        self._packing = threading.Lock()
        self._packer = msgpack.Packer(unicode_errors=_UNICODE)

    def send(self, *message: Any) -> None:
        """Raises ``OSError`` when the other end is gone."""
        body = self._packed(message)
        kept: bytearray | None = getattr(self._kept, "messages", None)
        if kept is not None:
            kept += _LENGTH.pack(len(body)) + body
            return
        self._send(_LENGTH.pack(len(body)) + body)

    def _packed(self, message: Sequence[Any]) -> bytes:
        try:
            with self._packing:
                packed: bytes = self._packer.pack(message)
        except OverflowError:
            packed = json.dumps(message).encode("ascii")
        return packed

    def _send(self, framed: bytes | bytearray) -> None:
        with self._sending:
            self._socket.sendall(framed)

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """What the calling thread sends meanwhile leaves at the end, at once: the other end wakes once for all of it."""
        kept = self._kept.messages = bytearray()
        try:
            yield
        finally:
            del self._kept.messages
            if kept:
                with contextlib.suppress(OSError):  # as for each of them alone, the reader finds out why
                    self._send(kept)

    def receive(self, within: float | None = None) -> list[Any] | None:
        """The next message; None when the other end is closed. Raises ``TimeoutError`` when nothing at all came."""
        while True:
            message = self._take()
            if message is not None:
                return message
            try:
                if within != self._socket.gettimeout():  # each setting asks the kernel
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
        """Each message until the other end is closed, or sends what is none."""
        with contextlib.suppress(ValueError):
            while (message := self.receive()) is not None:
                yield message

    def _take(self) -> list[Any] | None:
        if len(self._received) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(self._received)
        if length > _LONGEST:
            raise ValueError(f"a message of {length} bytes is none of ours")
        end = _LENGTH.size + length
        if len(self._received) < end:
            return None
        body = bytes(self._received[_LENGTH.size : end])
        del self._received[:end]
        message = json.loads(body) if body.startswith(_JSON) else msgpack.unpackb(body, unicode_errors=_UNICODE)
        if not isinstance(message, list):
            raise ValueError("a message is a list")
        return message

    def close(self) -> None:
        """Close this end; the other one sees the end of the stream."""
        # shutdown() wakes a thread that is blocked in recv(); close() alone does not.
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


@dataclass(frozen=True, slots=True)
class Mark:
    """Play the leg's mark, over and over."""


@dataclass(frozen=True, slots=True)
class Silence:
    """Send comfort silence: RTP flows, and says nothing."""


@dataclass(frozen=True, slots=True)
class Wav:
    """Play a WAV file (mono; 16-bit PCM, µ-law or A-law), once and then the mark again, or over and over."""

    path: str | Path
    loop: bool = False


Source = Mark | Silence | Wav


@dataclass(frozen=True, slots=True)
class Ring:
    """Say 180 and wait for :meth:`Leg.answer`: what a phone does unless told otherwise."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer by itself, ``after`` seconds of ringing (0: at once, without 180)."""

    after: float = 0.0
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Reject:
    """Refuse with a final response."""

    code: int = 486
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Early:
    """Say 183 with SDP: audio flows before anyone answers."""

    code: int = 183


@dataclass(frozen=True, slots=True)
class Silent:
    """Neither ring nor answer; the stack's own 100 Trying is all the caller gets (RFC 3261 section 17.2.1)."""


Policy = Ring | Answer | Reject | Early | Silent

_KINDS: Final[dict[str, type[Any]]] = {
    kind.__name__: kind for kind in (Mark, Silence, Wav, Ring, Answer, Reject, Early, Silent)
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
        arguments = {**arguments, "headers": tuple((key, value) for key, value in arguments["headers"])}
    return _KINDS[name](**arguments)
