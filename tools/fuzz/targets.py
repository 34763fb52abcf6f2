"""What is fuzzed: each target reads bytes as one of the harness's readers does, and lets only
undocumented exceptions out.
"""

from __future__ import annotations

import contextlib
import functools
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

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

_SEEDS = Path(__file__).with_name("seeds")


@dataclass(frozen=True)
class Target:
    """A reader: ``ask`` gives it bytes; ``seeds``, files of ``seeds/``, are some that it understands."""

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


def _capture(data: bytes) -> None:
    path = _directory() / "capture"
    path.write_bytes(data)
    with contextlib.suppress(CaptureError):
        for stream in read_capture(path).streams:
            for _ in stream.sounds():
                pass


_READERS: dict[str, Callable[[bytes], None]] = {
    "sip": _sip,
    "sdp": _sdp,
    "digest": _digest,
    "uri": _uri,
    "stream": _stream,
    "log": _log,
    "stun": _stun,
    "csv": _csv,
    "wav": _wav,
    "sound": _sound,
    "capture": _capture,
    "api": _api,
    "evidence": _evidence,
}
TARGETS = {
    name: Target(ask, tuple(file.read_bytes() for file in sorted((_SEEDS / name).glob("*"))))
    for name, ask in _READERS.items()
}
# No file says more of these than an example.
TARGETS["deployment"] = Target(_deployment, (LAB.read_bytes(),))
