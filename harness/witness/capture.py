"""Reads a capture that somebody else made (pcap, pcapng): its SIP messages, and its RTP streams
with their sound.

``read_capture(path)`` is pure: a file in, data out. What cannot be read is a note; only a file that
is no capture is an error.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness.errors import MistakeError
from harness.sip.framing import StreamFramer
from harness.sip.grammar import SipSyntaxError
from harness.sip.message import Message, Request, Response
from harness.sip.sdp import Description
from harness.support.files import user_files
from harness.witness.packets import Address, Notes, Payload, Transport, Way, payloads
from harness.witness.rtp_streams import Described, RtpStreams, Stream

#: Three hours of a call in both directions, with Ethernet headers.
CAPTURE: Final = user_files.FileKind(512 << 20)
_SIP: Final = re.compile(
    rb"[\r\n]*(?:SIP/2\.0 [1-6][0-9]{2}[ \r]|[A-Za-z]{1,32} [^ \r\n]{1,2048} SIP/2\.0\r?\n)"
)
_TLS: Final = re.compile(rb"[\x14-\x17]\x03[\x00-\x04]")
_DTLS: Final = re.compile(rb"[\x14-\x19]\xfe[\xfd\xff]")


class CaptureError(MistakeError):
    """A file that cannot be read as a capture."""


@dataclass(frozen=True)
class CapturedMessage:
    """A SIP message on its way."""

    at: float  #: seconds since the epoch, by the capture's clock
    source: Address
    target: Address
    transport: Transport
    message: Request | Response


@dataclass(frozen=True)
class Capture:
    """What passed one point of the network."""

    path: Path
    messages: tuple[CapturedMessage, ...]
    streams: tuple[Stream, ...]
    notes: tuple[str, ...]  #: what could not be read, a sentence each
    first: float  #: the time of its first and last packet, seconds since the epoch by its clock; 0 without any
    last: float


def read_capture(path: Path) -> Capture:
    """Everything of a capture. Raises :class:`CaptureError`, one line."""
    reader = _Reader()
    try:
        with user_files.opened(path, CAPTURE) as file:
            for payload in payloads(file, reader.notes):
                reader.take(payload)
    except OSError as error:
        raise CaptureError(
            f"{path}: cannot be read: {error.strerror}; give a capture file (pcap or pcapng)"
        ) from error
    except ValueError as error:
        raise CaptureError(
            f"{path}: is not a capture: {error}; give a pcap or pcapng file"
        ) from error
    return reader.capture(path)


class _Reader:
    def __init__(self) -> None:
        self.notes = Notes()
        self._messages: list[CapturedMessage] = []
        self._streams = RtpStreams(self.notes)
        self._connections: dict[Way, StreamFramer | None] = {}
        self._ports = Counter[tuple[str, int]]()  #: of all packets' targets
        self._first = self._last = 0.0

    def take(self, payload: Payload) -> None:
        self._first = min(self._first, payload.at) if self._last else payload.at
        self._last = max(self._last, payload.at)
        self._ports[payload.transport, payload.target[1]] += 1
        if payload.transport == "tcp":
            self._take_tcp(payload)
        elif _SIP.match(payload.octets):
            self._read(payload, payload.octets)
        elif _DTLS.match(payload.octets):
            self.notes.add("RTP with keys exchanged by DTLS cannot be decrypted")
        else:
            self._streams.take(payload)

    def _take_tcp(self, payload: Payload) -> None:
        key = payload.source, payload.target
        if not payload.follows or key not in self._connections:
            self._connections[key] = StreamFramer()
            if _TLS.match(payload.octets):
                self.notes.add("TLS cannot be read, nor SIP in it")
        framer = self._connections[key]
        if framer is None:  # not at a message's beginning, or not SIP
            if not _SIP.match(payload.octets):
                return
            framer = self._connections[key] = StreamFramer()
        try:
            for octets in framer.feed(payload.octets):
                if octets.strip():  # a keep-alive has none
                    self._read(payload, octets)
        except SipSyntaxError:
            self._connections[key] = None

    def _read(self, payload: Payload, octets: bytes) -> None:
        if not _SIP.match(octets):
            raise SipSyntaxError("not SIP")
        try:
            message = Message.parse(octets)
        except SipSyntaxError as error:
            self.notes.add(f"SIP messages that cannot be read were left out: {str(error)[:120]}")
            return
        self._messages.append(
            CapturedMessage(payload.at, payload.source, payload.target, payload.transport, message)
        )

    def capture(self, path: Path) -> Capture:
        descriptions = [found for found in map(described, self._messages) if found is not None]
        streams = self._streams.streams(descriptions)
        if not self._messages and not streams:
            self.notes.add(f"neither SIP nor RTP was found; {self._where_packets_went()}")
        messages = tuple(sorted(self._messages, key=lambda captured: captured.at))
        return Capture(path, messages, streams, self.notes.lines(), self._first, self._last)

    def _where_packets_went(self) -> str:
        ports = [
            f"{transport} port {port} ({count})"
            for (transport, port), count in self._ports.most_common(3)
        ]
        return f"most packets went to {', '.join(ports)}" if ports else "no packet of UDP or TCP"


def described(captured: CapturedMessage) -> Described | None:
    """The audio of a message's session description; None where it has none that can be read."""
    try:
        body = captured.message.part("application/sdp")
        description = Description.parse(body) if body else None
    except SipSyntaxError:
        return None
    if description is None or description.audio is None or description.rtp is None:
        return None
    return Described(captured.at, captured.message.call_id, description.rtp, description.audio)
