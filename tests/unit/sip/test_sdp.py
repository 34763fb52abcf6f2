"""Session descriptions and offer/answer, by the examples of RFC 3264 and RFC 4566."""

from __future__ import annotations

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.sip.offer_answer import NoAgreementError, agreed, answer, meet, offer, reverse
from harness.sip.sdp import (
    DIRECTIONS,
    G722,
    PCMA,
    PCMU,
    TELEPHONE_EVENT,
    Codec,
    Crypto,
    Description,
    Direction,
    Media,
    SdpError,
)

# RFC 3264 section 10.1: Alice's first offer.
ALICE = """v=0
o=alice 2890844526 2890844526 IN IP4 host.anywhere.com
s=
c=IN IP4 host.anywhere.com
t=0 0
m=audio 49170 RTP/AVP 0
a=rtpmap:0 PCMU/8000
m=video 51372 RTP/AVP 31
a=rtpmap:31 H261/90000
m=video 53000 RTP/AVP 32
a=rtpmap:32 MPV/90000
""".replace("\n", "\r\n")


def test_the_first_example_of_rfc_3264() -> None:
    theirs = Description.parse(ALICE)
    ours = answer(theirs, "192.0.2.4", 49920, [PCMU])
    assert [(m.kind, m.port) for m in ours.media] == [("audio", 49920), ("video", 0), ("video", 0)]
    assert ours.media[1].formats == ("31",)  # a refused section keeps its kind and a format
    assert theirs.rtp == ("host.anywhere.com", 49170)
    got = agreed(ours, theirs)
    assert got is not None
    assert (got.codec.name, got.remote) == ("PCMU", ("host.anywhere.com", 49170))


def test_the_third_example_of_rfc_3264_one_of_n_codecs() -> None:
    """Section 10.2: several codecs, telephone-event beside; the answer narrows it to what it takes."""
    theirs = offer("192.0.2.1", 62986, [PCMU, Codec("GSM", 8000, 3), PCMA, TELEPHONE_EVENT])
    ours = answer(theirs, "192.0.2.2", 54344, [PCMU, PCMA])
    assert ours.audio is not None
    assert [codec.name for codec in ours.audio.codecs] == ["PCMU"]
    wide = answer(theirs, "192.0.2.2", 54344, [PCMA, PCMU, TELEPHONE_EVENT], single=False, prefer="ours")
    assert wide.audio is not None
    assert [codec.name for codec in wide.audio.codecs] == ["PCMA", "PCMU", "telephone-event"]


def test_every_line_stays_where_it_was() -> None:
    text = (
        "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\ni=info\r\nc=IN IP4 192.0.2.1\r\nb=AS:64\r\nt=0 0\r\n"
        "a=x-unknown:yes\r\na=group:BUNDLE 0\r\nm=audio 4000/2 RTP/AVP 0 96 101\r\ni=title\r\nk=clear:x\r\n"
        "a=ice-ufrag:abcd\r\na=rtpmap:101 telephone-event/8000\r\na=rtpmap:96 opus/48000/2\r\na=flag\r\n"
        "y=strange\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n"
    )
    parsed = Description.parse(text)
    assert str(parsed) == text
    assert bytes(parsed) == text.encode()
    audio = parsed.audio
    assert audio is not None
    assert audio.port_count == 2
    assert [(c.name, c.payload_type, c.clock_rate, c.channels) for c in audio.codecs] == [
        ("PCMU", 0, 8000, 1),
        ("opus", 96, 48000, 2),
        ("telephone-event", 101, 8000, 1),
    ]
    assert audio.attribute("flag") == ""
    assert audio.attribute("missing") is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "o=- 1 1 IN IP4 x\r\n",
        "v=1\r\n",
        "v=0\r\nm=audio\r\n",
        "v=0\r\nm=audio x RTP/AVP 0\r\n",
        "v=0\r\nab\r\n",
        "s=-\r\nv=0\r\n",
        "m=audio 1 RTP/AVP 0\r\nv=0\r\n",
        "\r\n",
    ],
)
def test_what_is_no_description(text: str) -> None:
    with pytest.raises(SdpError):
        Description.parse(text)


def test_the_answer_takes_the_offers_payload_types() -> None:
    theirs = offer("192.0.2.1", 4000, [Codec("opus", 48000, 111, 2), Codec("telephone-event", 8000, 120)])
    ours = answer(theirs, "192.0.2.2", 4002, [Codec("opus", 48000, 96, 2, "useinbandfec=1"), TELEPHONE_EVENT])
    assert ours.audio is not None
    assert ours.audio.formats == ("111", "120")
    got = agreed(theirs, ours)
    assert got is not None
    assert (got.codec.payload_type, got.telephone_event) == (111, 120)


@pytest.mark.parametrize(
    ("supported", "said"),
    [([G722], "no codec in common"), ([TELEPHONE_EVENT], "no codec in common")],
)
def test_no_codec_in_common(supported: list[Codec], said: str) -> None:
    with pytest.raises(NoAgreementError, match=said):
        answer(offer("192.0.2.1", 4000, [PCMU, PCMA, TELEPHONE_EVENT]), "192.0.2.2", 4002, supported)


def test_no_audio_at_all() -> None:
    with pytest.raises(NoAgreementError):
        answer(Description.parse("v=0\r\nm=video 5000 RTP/AVP 31\r\n"), "192.0.2.2", 4002)


@pytest.mark.parametrize(
    ("offered", "wanted", "answered"),
    [  # RFC 3264 section 6.1
        ("sendrecv", "sendrecv", "sendrecv"),
        ("sendrecv", "recvonly", "recvonly"),
        ("sendonly", "sendrecv", "recvonly"),
        ("sendonly", "sendonly", "inactive"),
        ("recvonly", "sendrecv", "sendonly"),
        ("inactive", "sendrecv", "inactive"),
    ],
)
def test_directions(offered: Direction, wanted: Direction, answered: Direction) -> None:
    theirs = offer("192.0.2.1", 4000, direction=offered)
    assert answer(theirs, "192.0.2.2", 4002, direction=wanted).direction == answered
    assert theirs.is_hold is (offered in ("sendonly", "inactive"))


def test_directions_are_algebra() -> None:
    for one in DIRECTIONS:
        assert reverse(reverse(one)) == one
        for other in DIRECTIONS:
            assert meet(one, other) == meet(other, one)
            assert reverse(meet(one, other)) == meet(reverse(one), reverse(other))


def test_the_old_way_to_hold() -> None:
    """RFC 3264 section 8.4: a null address, from before there was sendonly."""
    held = Description.parse("v=0\r\nc=IN IP4 0.0.0.0\r\nm=audio 4000 RTP/AVP 0\r\n")
    assert held.direction == "sendonly"
    assert answer(held, "192.0.2.2", 4002).direction == "recvonly"


def test_a_session_direction_holds_unless_a_section_says_otherwise() -> None:
    text = "v=0\r\na=sendonly\r\nm=audio 4000 RTP/AVP 0\r\n"
    assert Description.parse(text).direction == "sendonly"
    assert Description.parse(text + "a=sendrecv\r\n").direction == "sendrecv"


def test_a_relay_moves_the_media_and_nothing_else() -> None:
    theirs = Description.parse(
        "v=0\r\no=x 5 7 IN IP4 10.0.0.5\r\ns=-\r\nc=IN IP4 10.0.0.5\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8 101\r\n"
        "c=IN IP4 10.0.0.6\r\na=rtcp:4001\r\na=rtpmap:101 telephone-event/8000\r\na=x-odd:1\r\na=ptime:30\r\n"
    )
    assert theirs.rtp == ("10.0.0.6", 4000)
    moved = theirs.with_rtp("127.0.0.9", 12000)
    assert moved.rtp == ("127.0.0.9", 12000)
    assert b"10.0.0." not in bytes(moved)
    assert moved.origin == ("x", "5", 7)
    assert moved.audio is not None
    assert (moved.audio.ptime, moved.audio.attribute("x-odd"), moved.audio.attribute("rtcp")) == (30, "1", None)
    assert Description.parse(bytes(moved)) == moved


def test_codecs_can_be_narrowed() -> None:
    narrowed = offer("192.0.2.1", 4000, [PCMU, PCMA, TELEPHONE_EVENT]).with_codecs([PCMA])
    assert b"PCMU" not in bytes(narrowed)
    assert narrowed.audio is not None
    assert narrowed.audio.formats == ("8",)


def test_srtp() -> None:
    key = Crypto.fresh()
    theirs = offer(
        "192.0.2.1", 4000, crypto=[Crypto.fresh("AES_256_CM_HMAC_SHA1_80", 1), Crypto(2, key.suite, key.key)]
    )
    ours = answer(theirs, "192.0.2.2", 4002, suites=["AES_CM_128_HMAC_SHA1_80"])
    assert ours.audio is not None
    assert ours.audio.protocol == "RTP/SAVP"
    (chosen,) = ours.audio.crypto
    assert (chosen.tag, chosen.suite) == (2, "AES_CM_128_HMAC_SHA1_80")
    assert chosen.key != key.key  # each side its own (RFC 4568 section 5.1.2)
    assert key.key not in repr(key)
    with pytest.raises(NoAgreementError, match="SRTP is not wanted"):
        answer(theirs, "192.0.2.2", 4002)
    with pytest.raises(NoAgreementError, match="SRTP is needed"):
        answer(offer("192.0.2.1", 4000), "192.0.2.2", 4002, suites=["AES_CM_128_HMAC_SHA1_80"])
    with pytest.raises(NoAgreementError, match="no SRTP suite"):
        answer(theirs, "192.0.2.2", 4002, suites=["AES_CM_128_HMAC_SHA1_32"])


def test_nothing_comes_of_descriptions_that_do_not_meet() -> None:
    assert agreed(offer("192.0.2.1", 4000, [PCMU]), offer("192.0.2.2", 4002, [PCMA])) is None
    assert agreed(offer("192.0.2.1", 4000), Description.parse("v=0\r\nm=audio 0 RTP/AVP 0\r\n")) is None


@given(st.text(max_size=200))
def test_garbage_gives_an_error_or_a_description(text: str) -> None:
    for raw in (text, "v=0\r\n" + text, "v=0\r\nm=audio 1 RTP/AVP 0\r\na=" + text):
        try:
            parsed = Description.parse(raw)
        except SdpError:
            continue
        _ = parsed.audio, parsed.rtp, parsed.direction, parsed.audio and parsed.audio.codecs
        with contextlib.suppress(NoAgreementError, SdpError):
            answer(parsed, "192.0.2.2", 4002)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("audio 4000 RTP/AVP", "not a media line: 'audio 4000 RTP/AVP'"),
        ("audio x/1 RTP/AVP 0", "not a media port: 'x/1'"),
        ("audio 4000/0 RTP/AVP 0", "not a media port: '4000/0'"),
        ("audio 4000 RTP/AVP 0 x 8", "not a payload type: 'x'"),
    ],
)
def test_what_is_wrong_with_a_media_line_is_quoted(line: str, said: str) -> None:
    with pytest.raises(SdpError, match=f"^{re.escape(said)}$"):
        Media.parse(line)
