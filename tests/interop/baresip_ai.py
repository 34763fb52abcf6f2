"""baresip in Synthflow's place: it answers, speaks, hears and transfers by itself; a small API
tells of its calls.

The API has the shape of Synthflow's, and says only what baresip's SIP trace, its DTMF events and
its recordings say.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from bisect import bisect_left
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.sip.message import Message, Request, Response
from harness.sip.uri import NameAddr
from harness.world.pki import Certificate
from tests.interop.calls_api import CallsApi
from tools.interop.baresip import Baresip, Recording, Traced, account

_LOOK_S = 0.02


@dataclass
class _Heard:
    """A recording, and when it had grown how far: RTP that pauses leaves no gap in it."""

    recording: Recording
    clock: list[tuple[int, float]] = field(default_factory=list)  #: octets of sound, and when

    def look(self, now: float) -> None:
        size = self.recording.path.stat().st_size - 44
        if not self.clock or self.clock[-1][0] != size:
            self.clock.append((size, now))

    def marks(self) -> list[dict[str, Any]]:
        """The marks in it, with the time they arrived."""
        return [
            {
                "mark": heard.mark,
                "at": self._when(heard.began),
                "until": self._when(heard.decided),
                "level_dbov": heard.level_dbov,
            }
            for heard in self.recording.marks()
        ]

    def _when(self, seconds: float) -> float:
        index = bisect_left(
            [size for size, _ in self.clock], int(seconds * 16_000)
        )  # 8000 Hz, two octets a sample
        return self.clock[min(index, len(self.clock) - 1)][1]


@dataclass
class _Call:
    """One SIP call, by Call-ID."""

    call_id: str
    began: float
    invite: Request
    messages: list[dict[str, Any]] = field(default_factory=list)
    answered_at: float | None = None
    released_at: float | None = None
    status: str = "ringing"
    heard: list[_Heard] = field(default_factory=list)  #: a re-INVITE begins a new recording
    digits: list[dict[str, Any]] = field(default_factory=list)
    actions: list[dict[str, Any]] = field(default_factory=list)


class BaresipAi(Baresip):
    """Takes calls for ``numbers``. On the digit 9 it hangs up, on 0 it transfers to the URI
    ``escalate``: ``{area}`` in it is the area code of the number called.
    """

    def __init__(
        self,
        directory: Path,
        host: str,
        numbers: list[str],
        *,
        mark: int,
        certificate: Certificate,
        ca_file: Path,
        escalate: str,
        token: str,
        voice: NDArray[np.int16] | None = None,
        witness: bool = True,
    ) -> None:
        """``voice`` is what it plays, if that is not its mark; without ``witness`` its API has
        records alone.
        """
        self._escalate = escalate
        self._witness = witness
        self._lock = threading.Lock()
        self._calls: dict[str, _Call] = {}
        self._read_messages = self._read_events = 0
        self._numbers = itertools.count()
        self._ended = threading.Event()
        directory.mkdir(parents=True)
        joined = directory / "certificate-and-key.pem"
        joined.write_text(certificate.certificate.read_text() + certificate.key.read_text())
        accounts = "\n".join(account(number, "{host}") for number in numbers)
        super().__init__(
            directory,
            host,
            accounts,
            mark=mark,
            port=32681,
            certificate=joined,
            ca_file=ca_file,
            voice=voice,
        )
        self._api = CallsApi(host, token, self.records)
        self.api_base = self._api.base
        self._watcher = threading.Thread(target=self._watch, name="watcher of baresip")
        self._watcher.start()

    def end(self) -> None:
        """See :class:`Program`."""
        self._ended.set()
        with contextlib.suppress(AttributeError):
            self._api.end()
            self._watcher.join()
        super().end()

    # -- watching

    def _watch(self) -> None:
        while not self._ended.wait(_LOOK_S):
            with self._lock:
                self._look()

    def _look(self) -> None:
        now = time.time()
        messages = self.messages()
        for message in messages[self._read_messages :]:
            self._take(message, now)
        self._read_messages = len(messages)
        for path in sorted(self.recordings.glob("dump-*-dec.wav")):
            if call := self._newest(lambda c: c.released_at is None):
                # its name has the second alone, which the next call may begin in
                own = path.rename(path.with_name(f"{next(self._numbers):04}-dec.wav"))
                call.heard.append(_Heard(Recording(own)))
        for call in self._calls.values():
            for heard in call.heard if call.released_at is None else ():
                heard.look(now)
        self._read()
        for event in self.events[self._read_events :]:
            self._happened(event, now)
        self._read_events = len(self.events)

    def _newest(self, fits: Any) -> _Call | None:
        found = [call for call in self._calls.values() if fits(call)]
        return found[-1] if found else None

    def _take(self, traced: Traced, now: float) -> None:
        message = Message.parse(traced.text)
        call = self._calls.get(message.call_id)
        received = traced.target == f"{self.host}:{self.port + (traced.transport == 'tls')}"
        if call is None:
            if not (received and isinstance(message, Request) and message.method == "INVITE"):
                return
            call = self._calls[message.call_id] = _Call(message.call_id, now, message)
        call.messages.append(
            {
                "at": now,
                "direction": "received" if received else "sent",
                "transport": traced.transport,
                "local": traced.target if received else traced.source,
                "remote": traced.source if received else traced.target,
                "text": traced.text,
            }
        )
        if isinstance(message, Response):
            if (
                message.cseq.method == "INVITE"
                and message.status == 200
                and call.answered_at is None
            ):
                call.status, call.answered_at = "in-progress", now
            return
        if message.method in ("BYE", "CANCEL") and call.released_at is None:
            call.status, call.released_at = (
                ("completed" if message.method == "BYE" else "canceled"),
                now,
            )
        if message.method == "NOTIFY" and (found := message.body.split(b" ")[1:2]):
            call.actions.append({"action": "transfer", "status_code": int(found[0])})

    def _happened(self, event: dict[str, Any], now: float) -> None:
        call = self._newest(lambda c: c.status == "in-progress")
        if call is None or event.get("type") != "CALL_DTMF_START":
            return
        digit = str(event.get("param"))
        by_info = any(m["text"].startswith("INFO ") for m in call.messages)
        call.digits.append(
            {"digit": digit, "method": "info" if by_info else "rfc4733", "duration_ms": 0}
        )
        if digit == "0":
            self.do("transfer", self._escalate.format(area=(call.invite.uri.user or "")[2:5]))
        elif digit == "9":
            self.do("hangup")

    # -- telling

    def records(self) -> list[dict[str, Any]]:
        """All calls so far, oldest first."""
        with self._lock:
            self._look()  # so that what has happened is told, however busy the machine is
            return [self._plain(call) for call in self._calls.values()]

    def _plain(self, call: _Call) -> dict[str, Any]:
        record = {
            "call_id": call.call_id,
            "status": call.status,
            "start_time": call.began,
            "phone_number_from": _caller(call.invite),
            "phone_number_to": call.invite.uri.user,
            "executed_actions": {
                f"action_{i}": action
                for i, action in enumerate(call.actions)
                if action["status_code"] >= 200
            },
            "witness": {
                "marks": [mark for heard in call.heard for mark in heard.marks()],
                "digits": call.digits,
                "messages": call.messages,
                "codec": self._codec(call),
                "answered_at": call.answered_at,
                "released_at": call.released_at,
            },
        }
        if not self._witness:
            del record["witness"]
        return record

    def _codec(self, call: _Call) -> str | None:
        answers = [
            m["text"]
            for m in call.messages
            if m["text"].startswith("SIP/2.0 200") and "\nm=audio" in m["text"]
        ]
        if not answers:
            return None
        payload_type = answers[-1].partition("\nm=audio ")[2].split()[2]
        return {"0": "PCMU", "8": "PCMA"}.get(payload_type)


def _caller(invite: Request) -> str | None:
    """Who calls; of an anonymous caller what the platform asserts (RFC 3325)."""
    asserted = invite.get("P-Asserted-Identity")
    return NameAddr.parse(asserted).uri.user if asserted else invite.from_.uri.user
