"""Where one message ends and the next begins on a stream (RFC 3261 sections 7.5 and 18.3, RFC 5626
section 3.5.1).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.sip.grammar import SipSyntaxError, decimal

PING = b"\r\n\r\n"
PONG = b"\r\n"
MOST_HEAD = 64 * 1024
MOST_BODY = 1024 * 1024
_LENGTH = re.compile(rb"(?im)^(?:content-length|l)[ \t]*:([^\r\n]*)")
_FOLD = re.compile(rb"\r?\n[ \t]+")
_START = re.compile(rb"[A-Za-z0-9\-.!%*_+`'~]")


class FramingError(SipSyntaxError):
    """A stream that can no longer be cut into messages; ``head`` is what stood there."""

    def __init__(self, message: str, head: bytes) -> None:
        super().__init__(message)
        self.head = head


class StreamFramer:
    """Cuts one direction of a TCP or TLS connection into messages, however the segments fall."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Whole messages as they complete; a keep-alive ping comes out as `PING`, a pong is
        swallowed.

        Raises FramingError when Content-Length is missing or unusable, or the text cannot be SIP;
        the stream is then of no further use.
        """
        self._buffer += data
        while (message := self._next()) is not None:
            yield message

    def _next(self) -> bytes | None:
        buffer = self._buffer
        while buffer.startswith((b"\r", b"\n")):
            if buffer.startswith(PING):
                del buffer[: len(PING)]
                return PING
            if len(buffer) < len(PING) and PING.startswith(bytes(buffer)):
                # A lone CRLF may be a pong or half a ping: nothing can follow from it yet, so wait
                # for more.
                return None
            del buffer[0]
        if not buffer:
            return None
        if not _START.match(buffer):
            raise FramingError("the stream does not speak SIP", bytes(buffer[:MOST_HEAD]))
        end = buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(buffer) > MOST_HEAD:
                raise FramingError(
                    f"a message head of more than {MOST_HEAD} bytes", bytes(buffer[:MOST_HEAD])
                )
            return None
        head = bytes(buffer[:end])
        total = end + 4 + _body_length(head)
        if len(buffer) < total:
            return None
        message = bytes(buffer[:total])
        del buffer[:total]
        return message


def _body_length(head: bytes) -> int:
    found = {value.strip() for value in _LENGTH.findall(_FOLD.sub(b" ", head))}
    if len(found) != 1:
        # RFC 3261 section 20.14: over a stream the header must be there.
        raise FramingError("no Content-Length, or several that differ, on a stream", head)
    text = found.pop()
    length = decimal(text.decode("latin-1"), most=MOST_BODY)
    if length is None:
        raise FramingError(f"unusable Content-Length: {text[:20]!r}", head)
    return length
