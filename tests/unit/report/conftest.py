"""Cases made of synthetic events, as a run would leave them on disk."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import numpy as np
import pytest

from harness.audio.wav import write_wav
from harness.case import recorder as recorder_module
from harness.case.events import (
    CallState,
    Event,
    FarEndRecord,
    LegStarted,
    Listened,
    MarkEnded,
    MarkHeard,
    MediaState,
    Recorded,
    RtpStatistics,
    SipMessage,
    TransferProgress,
    phone_of,
)
from harness.case.recorder import CaseRecorder
from harness.case.verdict import Finding, Strength, Verdict
from harness.report.run_directory import case_directory, create


@pytest.fixture(autouse=True)
def no_allure_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """Allure's report takes seconds to make, where its program is."""
    monkeypatch.setenv("PATH", "/nonexistent")


CALLER, AGENT = "+13125550100", "+13125550142"
CARRIER, PLATFORM = "127.0.3.1:5060", "127.0.3.2:5060"

SDP = """v=0\r
o=- 3900000000 3900000000 IN IP4 {host}\r
s=-\r
c=IN IP4 {host}\r
t=0 0\r
m=audio {port} RTP/AVP 0 8 101\r
a=rtpmap:0 PCMU/8000\r
a=rtpmap:8 PCMA/8000\r
a=rtpmap:101 telephone-event/8000\r
a={direction}\r
"""


def sip(start: str, cseq: str, *, call: str = "call-1", body: str = "", **headers: str) -> str:
    lines = [
        start,
        "Via: SIP/2.0/UDP 127.0.2.1:5070;rport;branch=z9hG4bK1",
        f"From: <sip:{CALLER}@127.0.3.1>;tag=a",
        "To: <sip:+12065550110@127.0.3.1>",
        f"Call-ID: {call}",
        f"CSeq: {cseq}",
        *(f"{name.replace('_', '-')}: {value}" for name, value in headers.items()),
        *(["Content-Type: application/sdp"] if body else []),
        f"Content-Length: {len(body.encode())}",
    ]
    return "\r\n".join(lines) + "\r\n\r\n" + body


@dataclass
class Sample:
    """Plays a case into a recorder, on a clock of its own."""

    recorder: CaseRecorder
    clock: _Clock

    @property
    def now(self) -> float:
        return self.clock.now

    def after(self, seconds: float) -> Sample:
        self.clock.now += seconds
        return self

    def event(self, kind: type[Event], where: str, **values: Any) -> None:
        """``where``: the phone, or one of its legs."""
        phone, dot, _ = where.partition(".")
        leg = where if dot else None
        self.recorder.event(kind(at=self.now, phone=phone, leg=leg, **values))

    def message(
        self, direction: str, text: str, leg: str = "caller.1", remote: str = CARRIER, **values: Any
    ) -> SipMessage:
        phone = phone_of(leg)
        local = {"caller": "127.0.2.1:5070", "billing": "127.0.2.2:5072"}.get(
            phone, "127.0.2.3:5074"
        )
        message = SipMessage(
            at=self.now,
            phone=phone,
            leg=leg,
            **{
                "direction": direction,
                "transport": "udp",
                "local": local,
                "remote": remote,
                "text": text,
            }
            | values,
        )
        self.recorder.event(message)
        return message

    def hears(self, leg: str, mark: int, seconds: float) -> None:
        """A mark heard for so long; the clock stays where it is."""
        phone = leg.partition(".")[0]
        at = self.now + 0.11
        while at < self.now + seconds:
            self.recorder.event(
                MarkHeard(
                    at=at,
                    phone=phone,
                    leg=leg,
                    mark=mark,
                    began=self.now,
                    level_dbov=-14.2,
                    quality=0.93,
                )
            )
            at += 0.2
        self.recorder.event(MarkEnded(at=self.now + seconds, phone=phone, leg=leg, mark=mark))

    def wav(self, leg: str, seconds: float) -> None:
        rate = 8000
        t = np.arange(int(seconds * rate)) / rate
        tones = (6000 * (np.sin(2 * np.pi * 700 * t) + np.sin(2 * np.pi * 1885 * t))).astype(
            np.int16
        )
        received = self.recorder.directory / f"{leg}.received.wav"
        sent = self.recorder.directory / f"{leg}.sent.wav"
        write_wav(received, tones, rate)
        write_wav(sent, tones, rate)
        self.event(Recorded, leg, path=str(received), sent_path=str(sent))

    def statistics(self, leg: str, packets: int = 120, lost: int = 0) -> None:
        self.event(
            RtpStatistics,
            leg,
            tx_packets=packets,
            tx_bytes=packets * 160,
            rx_packets=packets - lost,
            rx_bytes=(packets - lost) * 160,
            rx_lost=lost,
            rx_discarded=0,
            rx_reordered=0,
            rx_duplicated=0,
            rx_jitter_ms=0.4,
            tx_lost=0,
            tx_jitter_ms=0.3,
            rtt_ms=1.2,
        )

    def finding(
        self, check: str, subject: str, verdict: Verdict = Verdict.PASSED, **values: Any
    ) -> None:
        plain: dict[str, Any] = {
            "expected": "what was promised",
            "actual": "what was seen",
            "at": self.now,
            **values,
        }
        self.recorder.raised(Finding(check=check, subject=subject, verdict=verdict, **plain))

    def inbound(self, *, talk: float = 1.0) -> None:
        """A call from 200 OK and two-way audio to BYE, by the caller's softphone alone."""
        self.event(
            LegStarted,
            "caller.1",
            direction="outgoing",
            mark=12,
            remote_uri="sip:+12065550110@127.0.3.1",
        )
        offer = SDP.format(host="127.0.2.1", port=4000, direction="sendrecv")
        with self.recorder.step("the caller dials the line"):
            self.message(
                "sent", sip("INVITE sip:+12065550110@127.0.3.1 SIP/2.0", "1 INVITE", body=offer)
            )
            self.event(CallState, "caller.1", state="calling")
            self.after(0.01).message("received", sip("SIP/2.0 100 Trying", "1 INVITE"))
            self.after(0.02).message("received", sip("SIP/2.0 180 Ringing", "1 INVITE"))
            self.event(CallState, "caller.1", state="early", code=180, reason="Ringing")
            answer = SDP.format(host="127.0.3.1", port=20000, direction="sendrecv")
            self.after(0.05).message("received", sip("SIP/2.0 200 OK", "1 INVITE", body=answer))
            self.message("sent", sip("ACK sip:+12065550110@127.0.3.1 SIP/2.0", "1 ACK"))
            self.event(CallState, "caller.1", state="confirmed", code=200, reason="OK")
            self.event(
                MediaState,
                "caller.1",
                active=True,
                direction="sendrecv",
                codec="PCMU",
                clock_rate=8000,
            )
        with self.recorder.step("they hear each other"):
            self.event(Listened, "caller.1", seconds=0.1, level_dbov=-15.0)
            self.after(0.05).hears("caller.1", 240, talk / 2)
            self.after(talk / 2).hears("caller.1", 268, talk / 2)
            self.recorder.scripted(talk, "listening")
            self.after(talk / 2)
        self.statistics("caller.1")

    def hang_up(self) -> None:
        self.message("sent", sip("BYE sip:+12065550110@127.0.3.1 SIP/2.0", "2 BYE"))
        self.after(0.01).message("received", sip("SIP/2.0 200 OK", "2 BYE"))
        self.event(
            CallState,
            "caller.1",
            state="disconnected",
            code=200,
            reason="Normal call clearing",
        )

    def transfer(self) -> None:
        """The caller's call moves to the billing group's agent."""
        self.event(
            LegStarted,
            "billing.1",
            direction="incoming",
            mark=13,
            remote_uri=f"sip:{CALLER}@127.0.3.2",
        )
        offer = SDP.format(host="127.0.3.2", port=20010, direction="sendrecv")
        self.message(
            "received",
            sip(
                f"INVITE sip:{AGENT}@127.0.2.2 SIP/2.0",
                "7 INVITE",
                call="call-2",
                body=offer,
                X_EI="S.abc;",
            ),
            "billing.1",
            PLATFORM,
        )
        answer = SDP.format(host="127.0.2.2", port=4004, direction="sendrecv")
        self.after(0.02).message(
            "sent",
            sip("SIP/2.0 200 OK", "7 INVITE", call="call-2", body=answer),
            "billing.1",
            PLATFORM,
        )
        self.event(CallState, "billing.1", state="confirmed", code=200, reason="OK")
        self.event(
            MediaState,
            "billing.1",
            active=True,
            direction="sendrecv",
            codec="PCMU",
            clock_rate=8000,
        )
        self.event(TransferProgress, "caller.1", code=200, reason="OK", final=True)
        self.after(0.1).hears("billing.1", 12, 0.8)
        self.hears("caller.1", 13, 0.8)
        self.after(0.8).statistics("billing.1")


CASE: dict[str, Any] = {
    "id": "TD-INBOUND[talkdesk-sim:udp-ip-pcmu-synthflow]",
    "row": "TD-INBOUND",
    "integration": "talkdesk",
    "source": "guide, Verification 1",
    "title": "An outside call reaches the AI",
    "description": "The call to the Talkdesk number is answered by the AI alone; audio flows both ways.",
    "link": "https://docs.synthflow.ai/sip-with-talkdesk#verification",
    "axes": {"transport": "udp", "authentication": "ip", "codec": "pcmu", "ai": "synthflow"},
    "site": "local",
    "deployment": "talkdesk-sim",
    "voices": {"240": "assistant main"},
    "hosts": {"127.0.3.1": "Carrier", "127.0.3.2": "Talkdesk SBC", "127.0.4.1": "Synthflow"},
}


def case_of(row: str = "TD-INBOUND", **changes: Any) -> dict[str, Any]:
    """The case with another row, axes, or whatever is given."""
    case = {**CASE, "row": row, **changes}
    case["id"] = changes.get("id", f"{row}[{case['deployment']}:{'-'.join(case['axes'].values())}]")
    return case


class _Clock:
    """Stands in for the recorder's ``time``: the sample's own, so that a case takes as long as it
    says.
    """

    def __init__(self, now: float) -> None:
        self.now = now

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return 1_795_000_000.0 + self.now


@contextmanager
def playing(directory: Path, case: Mapping[str, Any] = CASE) -> Iterator[Sample]:
    clock = _Clock(1000.0)
    with mock.patch.object(recorder_module, "time", clock):
        yield Sample(CaseRecorder(directory, case), clock)


def passed(directory: Path, case: Mapping[str, Any] = CASE, *, sound: bool = False) -> Path:
    """A passed inbound call."""
    with playing(directory, case) as sample:
        sample.inbound()
        sample.hang_up()
        if sound:
            sample.wav("caller.1", 1.2)
        sample.finding("audio", "caller.1", strength=Strength.PROVED, evidence=("m4", "mark 268"))
        sample.finding(
            "caller_id",
            "assistant",
            evidence=("m1",),
            expected=f"From with {CALLER}",
            actual=CALLER,
        )
        sample.recorder.close(Verdict.PASSED, "passed")
    return directory


NOT_PASSED_ON = {
    "cause": "The platform does not pass the caller's number on",
    "issue": "Caller ID missing",
    "fix": "Set the From header to the caller's E.164 number.",
    "owner": "platform routing",
    "confidence": "certain",
    "evidence": ["the caller's number in From at the agent: anonymous (m8)"],
    "link": "https://docs.synthflow.ai/sip-with-talkdesk#quick-troubleshooting",
}


def _record_of_the_ai(sample: Sample) -> None:
    sample.event(
        FarEndRecord,
        "synthflow",
        source="GET /v2/calls/abc",
        record={
            "status": "completed",
            "phone_number_from": CALLER,
            "witness": {
                "messages": [
                    {
                        "at": sample.clock.time() - 1.9,
                        "direction": "received",
                        "transport": "udp",
                        "local": "127.0.4.1:32681",
                        "remote": "127.0.3.2:5060",
                        "text": sip(
                            "INVITE sip:+12065550190@127.0.4.1:32681 SIP/2.0",
                            "3 INVITE",
                            call="call-3",
                        ),
                    }
                ]
            },
        },
    )


def failed(directory: Path, case: Mapping[str, Any] | None = None, *, sound: bool = False) -> Path:
    """A transfer whose agent saw no caller's number."""
    case = case or case_of(
        "TD-TRANSFER-BLIND", title="The AI hands the caller to the ring group by REFER"
    )
    with playing(directory, case) as sample:
        sample.inbound()
        with sample.recorder.step("the caller asks for a person"):
            sample.transfer()
        sample.hang_up()
        if sound:
            sample.wav("caller.1", 2.0)
            sample.wav("billing.1", 0.9)
        _record_of_the_ai(sample)
        sample.finding("audio", "caller.1 and billing.1", strength=Strength.PROVED)
        sample.finding(
            "caller_id",
            "billing.1",
            Verdict.FAILED,
            expected=f"From with {CALLER}",
            actual="anonymous",
            evidence=("m8",),
        )
        sample.recorder.close(
            Verdict.FAILED,
            f"caller_id of billing.1: expected From with {CALLER}; anonymous",
            [NOT_PASSED_ON],
        )
    return directory


def unobserved(directory: Path, case: Mapping[str, Any] | None = None) -> Path:
    """A call nobody could listen to at the far end."""
    with playing(
        directory,
        case or case_of("TD-OUTBOUND-IVR", title="A menu choice sends the call to the AI"),
    ) as sample:
        sample.inbound()
        sample.hang_up()
        sample.finding(
            "audio",
            "assistant",
            Verdict.NOT_OBSERVABLE,
            actual="not observable: no witness",
            strength=Strength.UNKNOWN,
        )
        sample.recorder.close(
            Verdict.NOT_OBSERVABLE, "audio of assistant: not observable: no witness"
        )
    return directory


def died(directory: Path, case: Mapping[str, Any] | None = None) -> Path:
    """A case whose worker was killed amid a line."""
    with playing(
        directory, case or case_of("TD-FALLBACK-DOWN", title="The trunk is down")
    ) as sample:
        sample.event(
            LegStarted,
            "caller.1",
            direction="outgoing",
            mark=12,
            remote_uri="sip:+12065550110@127.0.3.1",
        )
        sample.message("sent", sip("INVITE sip:+12065550110@127.0.3.1 SIP/2.0", "1 INVITE"))
    with (directory / "events.jsonl").open("a") as file:
        file.write('{"event":{"kind":"CallState","at":1.0,"pho')
    return directory


@pytest.fixture
def samples() -> ModuleType:
    """This module: what a test plays its cases with."""
    return sys.modules[__name__]


@dataclass
class SampleRun:
    """A run's directory with one case of each verdict, one whose worker died, and one that never
    ran.
    """

    directory: Path
    planned: list[dict[str, Any]]


@pytest.fixture
def run(tmp_path: Path) -> SampleRun:
    directory = create(tmp_path / "reports")
    cases: dict[Callable[[Path, Mapping[str, Any]], Path], dict[str, Any]] = {
        passed: case_of(),
        failed: case_of(
            "TD-TRANSFER-BLIND", title="The AI hands the caller to the ring group by REFER"
        ),
        unobserved: case_of("TD-OUTBOUND-IVR", title="A menu choice sends the call to the AI"),
        died: case_of("TD-FALLBACK-DOWN", title="The trunk is down"),
    }
    for play, case in cases.items():
        play(case_directory(directory, case), case)
    return SampleRun(directory, [*cases.values(), case_of("TD-FALLBACK-REFUSED")])
