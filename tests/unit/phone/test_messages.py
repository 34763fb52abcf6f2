"""Messages as the child reads them, pjsua's log, the log ring, and recordings that were not closed."""

from __future__ import annotations

import ctypes
import time
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from harness.phone import recording
from harness.phone.child.log_ring import LogRing
from harness.phone.child.messages import StackLog, read_text
from harness.phone.child.taps import place
from harness.phone.protocol import last_lines
from harness.sip.grammar import quote
from harness.sip.message import Message

INVITE = (
    "INVITE sip:+12065550102@127.0.0.12:5070 SIP/2.0\r\n"
    "v: SIP/2.0/UDP 127.0.0.11:5060;rport;branch=z9hG4bKabc\r\n"
    'From: "A;tag=no" <sip:+12065550101@example.com;x=1>;tag=from-tag\r\n'
    "t: <sip:+12065550102@example.com>\r\n"
    "i: call@example\r\n"
    "CSeq: 17 INVITE\r\n\r\n"
)
OK = (
    "SIP/2.0 200 OK\r\n"
    "Via: SIP/2.0/UDP 127.0.0.11:5060;rport=5060;branch=z9hG4bKabc\r\n"
    "From: <sip:+12065550101@example.com>;tag=from-tag\r\n"
    "To: <sip:+12065550102@example.com>;tag=to-tag\r\n"
    "Call-ID: call@example\r\n"
    "CSeq: 17 INVITE\r\n\r\n"
)


def test_a_sent_message_is_read_from_the_log_even_if_it_is_cut_off() -> None:
    head = f"          pjsua_core.c TX {len(OK)} bytes Response msg 200/INVITE/cseq=17 (tdta0x55) to TLS 127.0.0.11:5060"
    whole = f"{head}:\n{OK}\n--end msg--"
    message, cut_off = StackLog.sent(whole), StackLog.sent(whole[:-40])
    assert message is not None
    assert (message.direction, message.transport, message.remote) == (
        "sent",
        "tls",
        "127.0.0.11:5060",
    )
    assert (message.text, message.ours, message.local_tag) == (OK, False, "to-tag")
    assert cut_off is not None
    assert OK.startswith(cut_off.text)
    received = whole.replace("TX", "RX").replace(" to ", " from ")
    assert (StackLog.sent(received), StackLog.holds_received(received)) == (None, True)
    assert not StackLog.holds_received(whole)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("v: ", "X: a\r\n b" + " " * 60_000 + "c\r\nv: "),
        ("From: ", 'From: "' + '\\"' * 30_000 + "\r\nX: "),
        ("From: ", "From: " + "<" * 60_000 + "\r\nX: "),
        ("From: ", "From: a" + " " * 60_000 + "b\r\nX: "),
        ("t: ", 't: "' + '\\"' * 30_000 + "\r\nX: "),
        ("t: ", "t: " + "<" * 60_000 + "\r\nX: "),
    ],
    ids=[
        "folded",
        "quotes of From",
        "angles of From",
        "blanks of From",
        "quotes of To",
        "angles of To",
    ],
)
def test_long_messages_are_read_in_linear_time(old: str, new: str) -> None:
    began = time.process_time()
    message = read_text(INVITE.replace(old, new), direction="received")
    assert message.local_tag == ""
    assert message.from_uri
    assert message.begins_call
    assert len(message.targets()) <= 2
    assert time.process_time() - began < 0.4


NAMES = st.one_of(
    st.just(""),
    st.text(st.sampled_from('a ;,<>@=:tagsip1"\\'), max_size=20).map(
        lambda text: quote(text) + " "
    ),
)
FOLDS = st.sampled_from(["", " ", "\t", "\r\n ", " \r\n\t "])


@given(NAMES, NAMES, st.lists(FOLDS, min_size=8, max_size=8), st.booleans(), st.booleans())
def test_headers_are_read_as_the_parser_reads_them(
    caller: str, callee: str, folds: list[str], tagged: bool, body: bool
) -> None:
    fold = iter(folds)
    to_tag = f"{next(fold)};{next(fold)}tag=to-tag" if tagged else ""
    text = (
        "INVITE sip:+12065550102@127.0.0.12:5070 SIP/2.0\r\n"
        f"Via:{next(fold)}SIP/2.0/UDP 127.0.0.11:5060{next(fold)};branch=z9hG4bKabc\r\n"
        f"From:{next(fold)}{caller}<sip:+12065550101@example.com;tag=no>;tag=from-tag\r\n"
        f"To:{next(fold)}{callee}<sip:+12065550102@example.com;tag=no>{to_tag}\r\n"
        f"Call-ID:{next(fold)}call@example\r\nCSeq:{next(fold)}17 INVITE\r\n\r\n"
    ) + ("To: <sip:a@b>;tag=of-the-body\r\n" if body else "")
    parsed, message = Message.parse(text), read_text(text, direction="received")
    assert (message.call_id, message.method) == (parsed.call_id, parsed.cseq.method)
    assert (message.branch, message.sent_by) == (parsed.via.branch, "127.0.0.11:5060")
    assert message.local_tag == (parsed.to.tag or "")
    assert message.begins_call is not tagged
    assert message.from_user == parsed.from_.uri.user
    assert message.from_uri.endswith("<sip:+12065550101@example.com;tag=no>")
    assert message.targets()[1] == (parsed.to.uri.user, "example.com")


@pytest.mark.parametrize(
    "uri",
    [
        "sip:+12065550102@127.0.0.12:5070;user=phone",
        "SIPS:%2B1206555%30102@127.0.0.12:5070",
        "sip:+12065550102;npdi;rn=+12065550999@127.0.0.12:5070?Subject=a",
        "sip:+12065550102:secret@127.0.0.12:5070",
        "sip:+12065550102;phone-context=a.example@127.0.0.12:5070;x=y",
    ],
)
def test_the_user_of_a_uri_is_read_in_every_legal_form(uri: str) -> None:
    text = INVITE.replace("sip:+12065550102@127.0.0.12:5070", uri).replace(
        "sip:+12065550101@example.com;x=1", uri
    )
    message = read_text(text, direction="received")
    assert message.targets()[0] == ("+12065550102", "127.0.0.12:5070")
    assert message.from_user == "+12065550102"


@pytest.mark.parametrize(
    ("headers", "host"),
    [
        ("", ""),
        ("m: <sip:a@192.0.2.1:5062;transport=tcp>\r\n", "192.0.2.1"),
        ('Contact: "sip:x@192.0.2.9" <sips:a:b@[2001:DB8::1]:5061>;expires=60\r\n', "2001:db8::1"),
        (
            "Contact: sip:192.0.2.1\r\nRecord-Route: <sip:192.0.2.2;lr>, <sip:192.0.2.3;lr>\r\n",
            "192.0.2.2",
        ),
        (
            "Record-Route:\r\n <sip:r@192.0.2.2;lr>\r\nRecord-Route: <sip:192.0.2.3>\r\nm: <sip:a@192.0.2.1>\r\n",
            "192.0.2.2",
        ),
        ("Contact: *\r\n", ""),
    ],
)
def test_the_next_hop_is_the_topmost_route_or_the_contact(headers: str, host: str) -> None:
    assert (
        read_text(INVITE.removesuffix("\r\n") + headers + "\r\n", direction="received").next_hop
        == host
    )


def test_the_ring_keeps_the_last_lines(tmp_path: Path) -> None:
    path = tmp_path / "ring"
    ring = LogRing(path)
    assert last_lines(path) == []
    for number in range(3):
        ring.write(f"line {number}")
    assert last_lines(path, 2) == ["line 1", "line 2"]
    for number in range(20_000):
        ring.write(f"line {number} é")
    assert last_lines(path, 3) == [f"line {number} é" for number in range(19_997, 20_000)]
    assert path.stat().st_size < 70_000
    assert len(last_lines(path, 10**6)) > 1000
    assert last_lines(tmp_path / "none") == []


@pytest.mark.parametrize(
    ("entry", "is_kept"),
    [
        ("          conference.c  Removed port 3 (sip:a@b), port count=2", True),
        ("           pjsua_aud.c  ..Conf connect: 3 --> 4", True),
        ("        strm0x55d0c1d0  Stream destroyed\n", True),
        ("         udp0x55d0c1d0  .UDP media transport destroyed", True),
        ("         udp0x55d0c1d0  SIP UDP transport destroyed", False),
        (
            "          pjsua_core.c  .TX 9 bytes Request msg to UDP 127.0.0.1:5060:\nconference.c",
            False,
        ),
        ("          pjsua_call.c  Unable to accept incoming call (too many calls)", False),
        ("", False),
    ],
)
def test_only_entries_of_the_media_modules_are_kept_without_python(
    tmp_path: Path, entry: str, is_kept: bool
) -> None:
    log_entry = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_int)
    passed: list[tuple[int, bytes]] = []
    of_pjsua = log_entry(lambda level, text, length: passed.append((level, text[:length])))
    library = Mock()
    library.pj_log_get_log_func.return_value = ctypes.cast(of_pjsua, ctypes.c_void_p).value
    ring = LogRing(tmp_path / "ring")
    ring.keep_media_entries(library)
    (replaced,) = library.pj_log_set_log_func.call_args.args
    before = time.monotonic()
    log_entry(place(replaced))(4, entry.encode(), len(entry))
    kept = [line.split(" ", 2) for line in last_lines(tmp_path / "ring")]
    assert [(level, text) for _, level, text in kept] == [("4", entry.strip())] * is_kept
    assert all(before - 0.001 <= float(at) <= time.monotonic() + 0.001 for at, _, _ in kept)
    assert passed == [(4, entry.encode())] * (not is_kept)


def test_an_unclosed_recording_is_mended(tmp_path: Path) -> None:
    received, sent = recording.paths(tmp_path, "alice.1")
    samples = (1000 * np.sin(np.arange(800))).astype(np.int16)
    soundfile.write(received, samples, 8000, subtype="PCM_16")
    assert recording.is_whole(received)
    raw = bytearray(received.read_bytes())
    raw[4:8] = raw[40:44] = b"\x00" * 4
    received.write_bytes(raw)
    assert not recording.is_whole(received)
    assert recording.mend(received)
    assert recording.is_whole(received)
    assert np.array_equal(soundfile.read(received, dtype="int16")[0], samples)
    assert not recording.mend(sent)
    sent.write_bytes(b"RIFF")
    assert not recording.mend(sent)
    sent.write_bytes(raw[:44])  # it had nothing to record
    assert not recording.mend(sent)


WHY = "PJSIP syntax error exception when parsing 'Proxy-Authenticate' header on line 7 col 26"
DROPPING = f"     sip_transport.c Dropping 439 bytes packet from UDP 127.0.0.11:5060 : {WHY}"


def test_a_packet_that_was_dropped_is_read_from_two_entries() -> None:
    dropped = StackLog()
    assert dropped.unread(DROPPING) is None
    message = dropped.unread(f"     sip_transport.c Dropped packet:{OK}\n-- end of packet.")
    assert message is not None
    assert (message.direction, message.transport, message.remote) == (
        "received",
        "udp",
        "127.0.0.11:5060",
    )
    assert (message.text, message.call_id, message.status, message.unread) == (
        OK,
        "call@example",
        200,
        WHY,
    )


@pytest.mark.parametrize("end", ["\n-- end of packet.", ""])
def test_an_unprocessed_packet_is_read_from_one_entry(end: str) -> None:
    text = OK.replace("SIP/2.0/UDP", "SIP/2.0/TLS")
    why = "Rx buffer overflow (PJSIP_ERXOVERFLOW)"
    message = StackLog().unread(
        f"sip_endpoint.c Error processing packet from 127.0.0.11:5061: {why}  [code 171062]:\n{text}{end}"
    )
    assert message is not None
    assert (message.direction, message.transport, message.remote) == (
        "received",
        "tls",
        "127.0.0.11:5061",
    )
    assert (message.text, message.call_id, message.unread) == (text, "call@example", why)


def test_packets_that_are_not_sip_are_ignored() -> None:
    dropped = StackLog()
    assert dropped.unread(DROPPING) is None
    assert dropped.unread("sip_transport.c Dropped packet:hello\n-- end of packet.") is None
    assert dropped.unread(f"sip_transport.c Dropped packet:{OK}\n-- end of packet.") is None, (
        "nothing said that it was"
    )
    assert (
        dropped.unread(
            "sip_endpoint.c Error processing packet from 127.0.0.11:5061: why [code 1]:\nhello"
        )
        is None
    )
    assert dropped.unread("pjsua_core.c something else") is None
