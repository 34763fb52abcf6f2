"""baresip as the AI, as an agent, as a caller: what it says is a mark, what it hears is recorded,
its events come by TCP.

Written for baresip 1.0 (Debian 12): its ``net_interface`` takes an address, which then stands in
Contact and SDP; RTP sockets and outgoing TCP and TLS connections are bound to the wildcard address
all the same.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.audio.detector import Heard, marks_heard
from harness.audio.marks import SAMPLE_RATE, waveform
from harness.audio.wav import read_wav, write_wav
from tools.interop.processes import PATIENCE, Program, free_port, until

#: It plays a file once and then falls silent: longer than any call here.
_VOICE_SECONDS = 120
_RTP_PORTS = 40

_CONFIG = """\
poll_method epoll
sip_listen {host}:{port}
sip_certificate {certificate}
sip_cafile {ca_file}
call_max_calls 8
audio_player aubridge,nobody
audio_alert aubridge,nobody
audio_source aufile,{voice}
ausrc_srate 8000
auplay_srate 8000
ausrc_channels 1
auplay_channels 1
rtp_ports {first_port}-{last_port}
net_interface {host}
module_path {modules}
module g711.so
module aubridge.so
module aufile.so
module sndfile.so
snd_path {recordings}
module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen {host}:{control}
"""


@dataclass(frozen=True)
class Recording:
    """What one call of baresip's heard, as it grows."""

    path: Path

    def marks(self) -> list[Heard]:
        """The marks in it so far. ``began`` counts from the beginning of the recording."""
        try:
            samples, rate = read_wav(self.path)
        except Exception:  # it has no header yet
            return []
        return [said for said in marks_heard(samples, rate) if isinstance(said, Heard)]


class Baresip(Program):
    """One baresip with one account, on an address of its own."""

    def __init__(
        self,
        directory: Path,
        host: str,
        account: str,
        *,
        mark: int,
        port: int = 0,
        certificate: Path,
        ca_file: Path,
        voice: NDArray[np.int16] | None = None,
    ) -> None:
        """``account`` is a line of its accounts file, where ``{host}`` and ``{port}`` are its own;
        ``voice`` is played, or its mark.
        """
        self.host, self.mark = host, mark
        self._buffer = b""
        self._reading = threading.Lock()
        self._read_until = 0
        self._messages: list[Traced] = []
        self.port = port or free_port(host)
        self.control = free_port(host, but=[self.port])
        self.recordings = directory / "heard"
        self.recordings.mkdir(parents=True)
        sound = directory / "voice.wav"
        write_wav(
            sound,
            np.tile(waveform(mark), int(_VOICE_SECONDS / 0.16)) if voice is None else voice,
            SAMPLE_RATE,
        )
        first = free_port(host, _RTP_PORTS, but=[self.port, self.control])
        modules = next(Path("/usr/lib").glob("**/baresip/modules"))
        config = _CONFIG.format(
            host=host,
            port=self.port,
            certificate=certificate,
            ca_file=ca_file,
            voice=sound,
            first_port=first,
            last_port=first + _RTP_PORTS - 2,
            modules=modules,
            recordings=self.recordings,
            control=self.control,
        )
        (directory / "config").write_text(config)
        (directory / "accounts").write_text(account.format(host=host, port=self.port) + "\n")
        (directory / "contacts").write_text("")
        super().__init__("baresip", ["-4", "-s", "-f", str(directory)], directory)
        with self.starting():
            self.said("baresip is ready")
            self._socket = socket.create_connection((host, self.control), timeout=PATIENCE)
        self.events: list[dict[str, Any]] = []

    def end(self) -> None:
        """See :class:`Program`."""
        with contextlib.suppress(AttributeError):
            self._socket.close()
        super().end()

    # -- control (ctrl_tcp: JSON in netstrings)

    def do(self, command: str, parameters: str = "") -> None:
        """Give it a command of its menu, without the slash."""
        plain = json.dumps(
            {"command": command, "params": parameters, "token": str(time.monotonic_ns())}
        ).encode()
        self._socket.sendall(b"%d:%s," % (len(plain), plain))

    def event(
        self, kind: str, since: int = 0, within: float = PATIENCE, **fields: str
    ) -> dict[str, Any]:
        """The first event of that type after the first ``since`` ones, e.g. ``CALL_ESTABLISHED``."""

        def probe() -> dict[str, Any] | None:
            self._read()
            for event in self.events[since:]:
                if event.get("type") == kind and all(
                    event.get(key) == value for key, value in fields.items()
                ):
                    return event
            return None

        return until(
            f"baresip's event {kind} {fields or ''}",
            probe,
            within,
            lambda: f"{self.events}\n{self.log}",
        )

    def _read(self) -> None:
        self._socket.setblocking(False)
        try:
            while chunk := self._socket.recv(65536):
                self._buffer += chunk
        except BlockingIOError:
            pass
        finally:
            self._socket.settimeout(PATIENCE)
        while found := re.match(rb"(\d+):", self._buffer):
            begin, length = found.end(), int(found[1])
            if len(self._buffer) < begin + length + 1:
                return
            message = json.loads(self._buffer[begin : begin + length])
            self._buffer = self._buffer[begin + length + 1 :]
            if message.get("event"):
                self.events.append(message)

    def registers(self, times: int = 1) -> None:
        """Wait until it has registered so many times."""

        def done() -> bool | None:
            accepted = [
                m
                for m in self.messages()
                if m.text.startswith("SIP/2.0 200") and " REGISTER" in m.text
            ]
            return len(accepted) >= times or None

        until("baresip's registration", done, log=lambda: self.log)

    # -- what it hears, and its signalling

    @property
    def newest_recording(self) -> Recording | None:
        """Of the call that got media last."""
        found = sorted(self.recordings.glob("*-dec.wav"), key=lambda path: path.stat().st_mtime_ns)
        return Recording(found[-1]) if found else None

    def hears(self, mark: int, within: float = PATIENCE) -> Heard:
        """Wait until its newest call hears ``mark``."""

        def probe() -> Heard | None:
            recording = self.newest_recording
            heard = recording.marks() if recording else []
            return next((each for each in heard if each.mark == mark), None)

        return until(f"baresip hears mark {mark}", probe, within, lambda: self.log)

    def messages(self) -> list[Traced]:
        """Its SIP messages so far, in order. What was read once is not read again."""
        with self._reading:
            new = self.log_file.read_bytes()[self._read_until :]
            last = new.rfind(_END_OF_BLOCK)
            if last >= 0:
                self._read_until += last + len(_END_OF_BLOCK)
                self._messages += _traced(new[:last].decode("utf-8", "replace"))
            return list(self._messages)


@dataclass(frozen=True)
class Traced:
    """A SIP message of baresip's trace (``-s``)."""

    transport: str
    source: str
    target: str
    text: str


#: baresip writes each message in colour, and switches it off behind.
_END_OF_BLOCK = b"\x1b[;m"
_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")
_HEAD = re.compile(r"^#\n(UDP|TCP|TLS) (\S+) -> (\S+)\n", re.M)


def _traced(log: str) -> Iterator[Traced]:
    plain = _ESCAPES.sub("\x1e", log).replace("\r\n", "\n")
    for block in plain.split("\x1e"):
        if found := _HEAD.match(block):
            yield Traced(
                found[1].lower(), found[2], found[3], block[found.end() :].replace("\n", "\r\n")
            )


_CODECS = "audio_codecs=PCMU/8000/1,PCMA/8000/1"


def account(user: str, domain: str) -> str:
    """A line of the accounts file that answers by itself, and does not register."""
    return f"<sip:{user}@{domain}>;answermode=auto;regint=0;{_CODECS}"


def registering(user: str, domain: str, password: str, server: str, transport: str = "udp") -> str:
    """A line of the accounts file that registers at ``server`` (``host:port``) with digest."""
    return (
        f'<sip:{user}@{domain};transport={transport}>;outbound="sip:{server};transport={transport}"'
        f";auth_user={user};auth_pass={password};answermode=auto;regint=300;{_CODECS}"
    )
