"""Cases made of synthetic events, as a run would leave them on disk."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from typer.testing import CliRunner, Result

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
    SipMessage,
    TransferProgress,
    phone_of,
)
from harness.case.recorder import CaseRecorder
from harness.case.verdict import Finding, Strength, Verdict
from harness.report.evidence import CaseEvidence
from harness.report.run_directory import RunEnd
from harness.run.cli.app import application
from tests.unit.phone_events import rtp_statistics, sip_message

#: How a run ended where nothing depends on it.
END = RunEnd(workers=1, wall_s=1.0)
CALLER, AGENT = "+13125550100", "+13125550142"
LINE = "sip:+12065550110@127.0.3.1"
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
        places = {"caller": "127.0.2.1:5070", "billing": "127.0.2.2:5072"}
        local = places.get(phone_of(leg), "127.0.2.3:5074")
        told = {"local": local, "remote": remote} | values
        message = sip_message(direction, text, self.now, leg, **told)
        self.recorder.event(message)
        return message

    def media(self, leg: str, direction: str = "sendrecv") -> None:
        codec = {"codec": "PCMU", "clock_rate": 8000}
        self.event(MediaState, leg, active=True, direction=direction, **codec)

    def hears(self, leg: str, mark: int, seconds: float) -> None:
        """A mark heard for so long; the clock stays where it is."""
        heard: dict[str, Any] = {"phone": leg.partition(".")[0], "leg": leg, "mark": mark}
        ended, at = self.now + seconds, self.now + 0.11
        while at < ended:
            self.recorder.event(
                MarkHeard(at=at, began=self.now, level_dbov=-14.2, quality=0.93, **heard)
            )
            at += 0.2
        self.recorder.event(MarkEnded(at=ended, **heard))

    def wav(self, leg: str, seconds: float) -> None:
        rate = 8000
        t = np.arange(int(seconds * rate)) / rate
        tones = (6000 * (np.sin(2 * np.pi * 700 * t) + np.sin(2 * np.pi * 1885 * t))).astype(
            np.int16
        )
        received, sent = (
            self.recorder.directory / f"{leg}.{way}.wav" for way in ("received", "sent")
        )
        for path in (received, sent):
            write_wav(path, tones, rate)
        self.event(Recorded, leg, path=str(received), sent_path=str(sent))

    def statistics(self, leg: str) -> None:
        sent = {"tx_packets": 120, "tx_bytes": 120 * 160, "tx_jitter_ms": 0.3}
        came = {"rx_packets": 120, "rx_bytes": 120 * 160}
        times = {"rx_jitter_ms": 0.4, "rtt_ms": 1.2}
        self.recorder.event(rtp_statistics(self.now, leg, **sent, **came, **times))

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

    def dials(self) -> None:
        self.event(LegStarted, "caller.1", direction="outgoing", mark=12, remote_uri=LINE)

    def ends(
        self,
        verdict: Verdict = Verdict.PASSED,
        message: str = "",
        causes: Sequence[Mapping[str, Any]] | None = None,
    ) -> CaseEvidence:
        """What was recorded, read again."""
        self.recorder.close(verdict, message, causes)
        return CaseEvidence.read(self.recorder.directory)

    def inbound(self) -> None:
        """A call from 200 OK and two-way audio to BYE, by the caller's softphone alone."""
        self.dials()
        offer = SDP.format(host="127.0.2.1", port=4000, direction="sendrecv")
        with self.recorder.step("the caller dials the line"):
            self.message("sent", sip(f"INVITE {LINE} SIP/2.0", "1 INVITE", body=offer))
            self.event(CallState, "caller.1", state="calling")
            self.after(0.01).message("received", sip("SIP/2.0 100 Trying", "1 INVITE"))
            self.after(0.02).message("received", sip("SIP/2.0 180 Ringing", "1 INVITE"))
            self.event(CallState, "caller.1", state="early", code=180, reason="Ringing")
            answer = SDP.format(host="127.0.3.1", port=20000, direction="sendrecv")
            self.after(0.05).message("received", sip("SIP/2.0 200 OK", "1 INVITE", body=answer))
            self.message("sent", sip(f"ACK {LINE} SIP/2.0", "1 ACK"))
            self.event(CallState, "caller.1", state="confirmed", code=200, reason="OK")
            self.media("caller.1")
        with self.recorder.step("they hear each other"):
            self.event(Listened, "caller.1", seconds=0.1, level_dbov=-15.0)
            self.after(0.05).hears("caller.1", 240, 0.5)
            self.after(0.5).hears("caller.1", 268, 0.5)
            self.recorder.scripted(1.0, "listening")
            self.after(0.5)
        self.statistics("caller.1")

    def hang_up(self) -> None:
        self.message("sent", sip(f"BYE {LINE} SIP/2.0", "2 BYE"))
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
        self.media("billing.1")
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


FAILED = case_of("TD-TRANSFER-BLIND", title="The AI hands the caller to the ring group by REFER")
UNOBSERVED = case_of("TD-OUTBOUND-IVR", title="A menu choice sends the call to the AI")
DIED = case_of("TD-FALLBACK-DOWN", title="The trunk is down")


def command(*words: object) -> Result:
    """What ``harness`` does with these words."""
    return CliRunner().invoke(application(), [str(word) for word in words])


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
    with playing(directory, case or FAILED) as sample:
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
    """A call whose far end could not be listened to."""
    with playing(directory, case or UNOBSERVED) as sample:
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
    with playing(directory, case or DIED) as sample:
        sample.dials()
        sample.message("sent", sip(f"INVITE {LINE} SIP/2.0", "1 INVITE"))
    with (directory / "events.jsonl").open("a") as file:
        file.write('{"event":{"kind":"CallState","at":1.0,"pho')
    return directory
