"""What is fuzzed: each target reads bytes as one of the harness's readers does, and lets only
undocumented exceptions out.
"""

from __future__ import annotations

import contextlib
import functools
import io
import json
import struct
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import dpkt
import numpy as np
import soundfile

from harness.audio.wav import WavError, read_wav
from harness.deployment import numbers_csv
from harness.deployment.file import load
from harness.deployment.safety import Guard
from harness.errors import DeploymentError, FarEndError, MistakeError, RefusedError
from harness.phone.child import messages
from harness.report.evidence import CaseEvidence
from harness.run.preflight.network import stun_address
from harness.sip import digest, identity, offer_answer
from harness.sip.framing import StreamFramer
from harness.sip.grammar import SipSyntaxError
from harness.sip.message import Message, Request
from harness.sip.sdp import Description
from harness.sip.uri import NameAddr, Uri
from harness.sip.validation import problem_of_request, problem_of_response, salvage
from harness.support.http_client import HttpResponse
from harness.witness import synthflow, transcript
from harness.witness.call_record import CallRecord
from harness.witness.capture import CaptureError, read_capture
from harness.witness.sound_file import SoundFileError, marks_in, sound_of
from tools import ROOT

LAB = ROOT / "scenarios" / "deployments" / "simulated-talkdesk.toml"

SDP = (
    b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/SAVP 0 8 101\r\n"
    b"a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=sendrecv\r\n"
    b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkw|2^20|1:4\r\n"
)
INVITE = (
    b"INVITE sip:+12065550100@127.0.0.1:5060;transport=udp SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK1;rport, SIP/2.0/TCP a.example\r\n"
    b'From: "A \\"b\\"" <sip:+14155550101@127.0.0.1>;tag=1\r\nTo: <tel:+1-206-555-0100;phone-context=+1>\r\n'
    b"Call-ID: a@b\r\nCSeq: 1 INVITE\r\nMax-Forwards: 70\r\nContact: <sip:a@127.0.0.1:5070;ob>\r\nX-EI: S.a;E.b;O.+1;\r\n"
    b"P-Asserted-Identity: <sip:+14155550101@a.example>\r\nPrivacy: id\r\nSession-Expires: 1800;refresher=uac\r\n"
    b"Route: <sip:p.example;lr>\r\nContent-Type: multipart/mixed; boundary=x\r\nContent-Length: %d\r\n\r\n"
)
BODY = b"--x\r\nContent-Type: application/sdp\r\n\r\n" + SDP + b"--x--\r\n"
OK = b"SIP/2.0 200 OK\r\n" + INVITE.split(b"\r\n", 1)[1]
CHALLENGE = (
    b'Digest realm="a", nonce="n", algorithm=SHA-256, qop="auth,auth-int", stale=true, opaque="o"'
)
RECORD = {
    "status": "ok",
    "response": {
        "calls": [
            {
                "call_id": "c1",
                "status": "completed",
                "phone_number_from": "+14155550101",
                "phone_number_to": "2065550100",
                "transcript": "bot: hello\nhuman: hi \ud83d\ude00",
                "executed_actions": {"a": {"status_code": 200}},
                "prompt_variables": {"x-ei": "S.a;"},
            }
        ]
    },
}
CASE = {
    "id": "TD-INBOUND[a]",
    "row": "TD-INBOUND",
    "title": "A call",
    "axes": {"codec": "pcmu"},
    "began": 1.0,
    "wall": 2.0,
}
EVENTS = (
    b'{"event": {"kind": "SipMessage", "at": 1.0, "phone": "caller", "leg": "caller.1", "direction": "sent", '
    b'"transport": "udp", "local": "127.0.0.1:5060", "remote": "127.0.0.2:5060", "text": "INVITE sip:a@b SIP/2.0"}}\n'
)


@dataclass(frozen=True)
class Target:
    """A reader: ``ask`` gives it bytes; ``seeds`` are some that it understands."""

    ask: Callable[[bytes], None]
    seeds: tuple[bytes, ...]


@functools.cache
def _scratch() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(
        prefix="harness-fuzz-"
    )  # removed at the process's end; libFuzzer's has none


def _directory() -> Path:
    return Path(_scratch().name)


def _sip(data: bytes) -> None:
    try:
        message = Message.parse(data)
    except SipSyntaxError:
        salvage(data)
        return
    _ = (
        message.expires,
        message.content_type,
        message.vias_are_plain,
        message.contact_is_star,
        str(message),
    )
    with contextlib.suppress(SipSyntaxError):
        _ = message.part("application/sdp")
    with contextlib.suppress(SipSyntaxError):
        identity.numbers_shown(message, "US")
    with contextlib.suppress(SipSyntaxError):
        identity.x_ei(message)
    if not isinstance(message, Request):
        problem_of_response(message)
    elif problem_of_request(message) is None:
        message.with_top_via(message.via.stamped("127.0.0.1", 5060)).serialize()


def _sdp(data: bytes) -> None:
    with contextlib.suppress(SipSyntaxError, offer_answer.NoAgreementError):
        description = Description.parse(data)
        _ = description.rtp, description.direction, description.is_hold, str(description)
        for media in description.media:
            _ = media.codecs, media.voice, media.ptime
        answered = offer_answer.answer(
            description, "127.0.0.2", 5000, suites=("AES_CM_128_HMAC_SHA1_80",)
        )
        offer_answer.agreed(answered, description)
        bytes(description.with_rtp("::1", 4))


def _digest(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape").translate({0: 32, 10: 32, 13: 32})
    server = digest.DigestServer("a", {"u": "p"}.get)
    request = Request.build("REGISTER", "sip:a", [("Authorization", text)])
    server.verify(request)
    response = Message.parse(
        f"SIP/2.0 401 No\r\nWWW-Authenticate: {text}\r\n\r\n".encode("utf-8", "surrogateescape")
    )
    assert not isinstance(response, Request)
    with (
        contextlib.suppress(SipSyntaxError, ValueError)
        if "\ufffd" in text
        else contextlib.nullcontext()
    ):
        digest.DigestClient(digest.Credentials("u", "p")).answer(
            Request.build("REGISTER", "sip:a", []), response
        )


@functools.cache
def _guard() -> Guard:
    return Guard(load(LAB, {}))


def _uri(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    for parse in (Uri.parse, NameAddr.parse):
        with contextlib.suppress(SipSyntaxError):
            str(parse(text))
    with contextlib.suppress(RefusedError):
        _guard()(text)


def _stream(data: bytes) -> None:
    framer = StreamFramer()
    with contextlib.suppress(SipSyntaxError):
        for at in range(0, len(data), 7):
            for _ in framer.feed(data[at : at + 7]):
                pass


def _log(data: bytes) -> None:
    messages.read_text(data.decode("utf-8", "replace"), direction="received")


def _stun(data: bytes) -> None:
    stun_address(data, data[8:20])


def _deployment(data: bytes) -> None:
    path = _directory() / "deployment.toml"
    path.write_bytes(data)
    with contextlib.suppress(DeploymentError):
        load(path, {})


def _csv(data: bytes) -> None:
    path = _directory() / "numbers.csv"
    path.write_bytes(data)
    with contextlib.suppress(DeploymentError):
        numbers_csv.merged({}, numbers_csv.read(path))


def _wav(data: bytes) -> None:
    path = _directory() / "recording.wav"
    path.write_bytes(data)
    with contextlib.suppress(WavError):
        read_wav(path)


def _sound(data: bytes) -> None:
    with contextlib.suppress(SoundFileError):
        marks_in(sound_of(data, "recording"))


def _api(data: bytes) -> None:
    try:
        plain = synthflow.payload("GET /calls", HttpResponse(200, "OK", {}, data))
    except FarEndError:
        return
    json.dumps(plain, ensure_ascii=False).encode()  # evidence is made of it
    fields = plain if isinstance(plain, dict) else {"transcript": plain}
    record = CallRecord("c1", fields)
    _ = (
        record.readable,
        record.over,
        record.number_from,
        record.actions,
        record.lacks("x-order"),
        record.variable("x-ei"),
    )
    transcript.times_heard(record.transcript, "I would like to speak to a person")
    transcript.said(record.transcript, "bot")
    with contextlib.suppress(FarEndError):
        synthflow.path_segment(fields.get("call_id"))


def _evidence(data: bytes) -> None:
    directory = _directory() / "case"
    directory.mkdir(exist_ok=True)
    case, _, events = data.partition(b"\n--\n")
    (directory / "case.json").write_bytes(case)
    (directory / "events.jsonl").write_bytes(events)
    with contextlib.suppress(MistakeError):
        evidence = CaseEvidence.read(directory)
        _ = (
            evidence.id,
            evidence.title,
            evidence.axes,
            evidence.legs,
            evidence.marks,
            evidence.strength,
            evidence.cause,
        )


def _encoded(kind: str, subtype: str) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.zeros((800, 2)), 16000, format=kind, subtype=subtype)
    return file.getvalue()


def _wave() -> bytes:
    return (
        b"RIFF\x34\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x80\x3e\x00\x00\x02\x00\x10\x00"
        b"data\x10\x00\x00\x00" + bytes(range(16))
    )


def _capture(data: bytes) -> None:
    path = _directory() / "capture"
    path.write_bytes(data)
    with contextlib.suppress(CaptureError):
        for stream in read_capture(path).streams:
            for _ in stream.sounds():
                pass


def _captures() -> tuple[bytes, ...]:
    """A call over UDP with RTP after a fragmented answer, and requests over TCP; as pcap and as
    pcapng.
    """
    rtp = [
        struct.pack("!BBHII", 0x80, 0, number, 160 * number, 7) + bytes(20) for number in range(12)
    ]
    datagrams = [(5060, INVITE % len(BODY) + BODY), *((4000, octets) for octets in rtp)]
    packets = [
        _ip(17, bytes(dpkt.udp.UDP(dport=port, ulen=8 + len(data), data=data)))
        for port, data in datagrams
    ]
    answer = bytes(
        dpkt.udp.UDP(dport=5060, ulen=8 + len(OK % len(SDP) + SDP), data=OK % len(SDP) + SDP)
    )
    packets += [
        _ip(17, answer[:400], id=9, _flags_offset=0x2000),
        _ip(17, answer[400:], id=9, _flags_offset=50),
    ]
    segments = [(1, b"", dpkt.tcp.TH_SYN), (42, b"b", 0), (2, INVITE % 0, 0), (60, OK % 0, 0)]
    packets += [
        _ip(6, bytes(dpkt.tcp.TCP(dport=5060, seq=at, data=data, flags=flags)))
        for at, data, flags in segments
    ]
    old, new = io.BytesIO(), io.BytesIO()
    writers = dpkt.pcap.Writer(old), dpkt.pcapng.Writer(new)
    for at, packet in enumerate(packets):
        for writer in writers:
            writer.writepkt(bytes(12) + b"\x08\x00" + bytes(packet), 1e9 + at / 50)
    return old.getvalue(), new.getvalue()


def _ip(protocol: int, inside: bytes, **more: int) -> dpkt.ip.IP:
    return dpkt.ip.IP(src=b"\x7f\0\0\1", dst=b"\x7f\0\0\2", p=protocol, data=inside, **more)


TARGETS: dict[str, Target] = {
    "sip": Target(_sip, (INVITE % len(BODY) + BODY, OK % len(SDP) + SDP)),
    "sdp": Target(_sdp, (SDP, SDP.replace(b"SAVP", b"AVP"))),
    "digest": Target(_digest, (CHALLENGE, b'Digest username="u", realm="a", nonce="n", uri="sip:a", response="0", nc=00000001')),
    "uri": Target(_uri, (b'"A" <sip:+13125550100@127.0.0.1:5060;transport=tcp?X-A=b>;tag=1', b"tel:+1-312;phone-context=+1")),
    "stream": Target(_stream, (b"\r\n\r\n" + INVITE % 0, OK % 3 + b"abc")),
    "log": Target(_log, (INVITE % 0, OK % 0)),
    "stun": Target(_stun, (b"\x01\x01\x00\x0c\x21\x12\xa4\x42" + bytes(12) + b"\x00\x20\x00\x08\x00\x01\x12\x34\x7f\x00\x00\x01",)),
    "deployment": Target(_deployment, (LAB.read_bytes(),)),
    "csv": Target(_csv, (b"name,did,trunk,assistant\na,+13125550100,udp,main\n", b"\xef\xbb\xbfname;did\n\"a;b\";+13125550100\n")),
    "wav": Target(_wav, (_wave(),)),
    "sound": Target(_sound, (_encoded("MP3", "MPEG_LAYER_III"), _encoded("OGG", "OPUS"), _encoded("FLAC", "PCM_16"), _wave())),
    "capture": Target(_capture, _captures()),
    "api": Target(_api, (json.dumps(RECORD).encode(),)),
    "evidence": Target(_evidence, (json.dumps(CASE).encode() + b"\n--\n" + EVENTS,)),
}  # fmt: skip
