"""Session descriptions, each line at its limits: codecs, keys, media, origin, addresses."""

from __future__ import annotations

import base64
import re

import pytest

from harness.sip.sdp import (
    DIRECTIONS,
    G729,
    PCMA,
    PCMU,
    STATIC,
    TELEPHONE_EVENT,
    Codec,
    Crypto,
    Description,
    Direction,
    Media,
    SdpError,
)

HEAD = "v=0\r\no=- 1 2 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\n"


def described(*lines: str, head: str = HEAD) -> Description:
    return Description.parse(head + "".join(f"{line}\r\n" for line in lines))


def audio(*lines: str, formats: str = "0") -> Media:
    found = described(f"m=audio 4000 RTP/AVP {formats}", *lines).audio
    assert found is not None
    return found


# -- codecs


def test_payload_types_that_need_no_rtpmap() -> None:
    """RFC 3551 section 6, tables 4 and 5; G.722 is told with half its rate (section 4.5.2)."""
    assert [codec.rtpmap for _, codec in sorted(STATIC.items())] == [
        "0 PCMU/8000", "3 GSM/8000", "4 G723/8000", "5 DVI4/8000", "8 PCMA/8000", "9 G722/8000", "10 L16/44100/2",
        "11 L16/44100", "13 CN/8000", "15 G728/8000", "18 G729/8000",
    ]  # fmt: skip
    assert all(codec.payload_type == number for number, codec in STATIC.items())
    assert TELEPHONE_EVENT.rtpmap == "101 telephone-event/8000"


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (Codec("pcmu", 8000, 96), True),
        (Codec("PCMU", 16000), False),
        (Codec("PCMU", 8000, 0, 2), False),
        (Codec("PCMA", 8000), False),
    ],
)
def test_a_codec_is_the_same_whatever_its_payload_type(other: Codec, same: bool) -> None:
    assert PCMU.is_same(other) is other.is_same(PCMU) is same


@pytest.mark.parametrize(
    ("rtpmap", "codec"),
    [
        ("96 opus/48000/2", Codec("opus", 48000, 96, 2)),
        ("96 opus/48000", Codec("opus", 48000, 96, 1)),
        ("96 X/8000 ", Codec("X", 8000, 96)),
        *((text, None) for text in ("127 X/8000", "128 X/8000", "96 X", "96 X/8000/2/3", f"96 X/{'9' * 5000}", "96 X/8000/²")),
    ],
)  # fmt: skip
def test_an_rtpmap(rtpmap: str, codec: Codec | None) -> None:
    assert audio(f"a=rtpmap:{rtpmap}", formats="96").codecs == (() if codec is None else (codec,))


def test_an_rtpmap_goes_before_the_static_meaning_and_a_dynamic_type_without_one_is_left_out() -> (
    None
):
    lines = ("a=rtpmap:0 X/16000", "a=rtpmap:127 Y/8000", "a=fmtp:127 a=b")
    found = audio(*lines, formats="0 127 8 96").codecs
    assert found == (Codec("X", 16000, 0), Codec("Y", 8000, 127, 1, "a=b"), PCMA)


@pytest.mark.parametrize(
    ("line", "fmtp"),
    [
        ("18 annexb=no", "annexb=no"),
        ("18  annexb=no ", "annexb=no"),
        ("19 annexb=no", None),
        ("² y", None),
        ("18", ""),
    ],
)
def test_an_fmtp_is_of_its_payload_type(line: str, fmtp: str | None) -> None:
    (codec,) = audio(f"a=fmtp:{line}", formats="18").codecs
    assert codec.is_same(G729)
    assert codec.fmtp == fmtp


@pytest.mark.parametrize("name", ["telephone-event", "CN", "red", "Telephone-Event"])
def test_what_carries_no_speech(name: str) -> None:
    media = audio(f"a=rtpmap:96 {name}/8000", formats="96 8")
    assert media.voice == (PCMA,)
    assert (media.telephone_event is not None) is (name.lower() == "telephone-event")


# -- keys


@pytest.mark.parametrize(("cipher", "octets"), [("AES_CM_128", 30), ("AES_256_CM", 46)])
@pytest.mark.parametrize("tag", ["80", "32"])
def test_a_fresh_key_has_the_length_of_its_suite(cipher: str, octets: int, tag: str) -> None:
    """Master key and salt: RFC 4568 section 6.2, RFC 6188 section 3."""
    suite = f"{cipher}_HMAC_SHA1_{tag}"
    key = Crypto.fresh(suite)
    assert len(base64.b64decode(key.key.removeprefix("inline:"))) == octets
    assert key.tag == 1
    assert Crypto.fresh(suite).key != key.key
    assert key.key not in repr(key)


@pytest.mark.parametrize(
    "text", ["1 AES inline:x", "999999999 AES inline:x", "1 AES inline:x FEC_ORDER=FEC_SRTP WSH=60"]
)
def test_a_crypto_attribute_comes_back(text: str) -> None:
    assert str(Crypto.parse(text)) == text


@pytest.mark.parametrize(
    "text", ["", "1", "1 AES", "1000000000 AES inline:x", "x AES inline:x", "-1 AES inline:x"]
)
def test_what_is_no_crypto_attribute(text: str) -> None:
    with pytest.raises(SdpError):
        Crypto.parse(text)


# -- media


@pytest.mark.parametrize(
    ("line", "ports"),
    [
        ("audio 0 RTP/AVP 0", 1),
        ("audio 65535 RTP/AVP 127", 1),
        ("audio 4000/2 RTP/AVP 0", 2),
        ("image 9 udptl t38", 1),
    ],
)
def test_a_media_line_comes_back(line: str, ports: int) -> None:
    media = Media.parse(line)
    assert (str(media), media.port_count) == (f"m={line}\r\n", ports)
    assert Media.parse(line.replace(" RTP", "/ RTP")).port_count == 1 if ports == 1 else True
    assert media.is_rejected is (media.port == 0)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("audio 4000 RTP/AVP", "not a media line: 'audio 4000 RTP/AVP'"),
        ("audio x/1 RTP/AVP 0", "not a media port: 'x/1'"),
        ("audio 65536 RTP/AVP 0", "not a media port: '65536'"),
        ("audio ² RTP/AVP 0", "not a media port: '²'"),
        ("audio 4000/0 RTP/AVP 0", "not a media port: '4000/0'"),
        ("audio 4000/65536 RTP/AVP 0", "not a media port: '4000/65536'"),
        ("audio 4000/² RTP/AVP 0", "not a media port: '4000/²'"),
        ("audio 4000 RTP/AVP 0 x 8", "not a payload type: 'x'"),
        ("audio 4000 RTP/AVP 128", "not a payload type: '128'"),
        ("audio 4000 rtp/avp ²", "not a payload type: '²'"),
    ],
)
def test_what_is_wrong_with_a_media_line_is_quoted(line: str, said: str) -> None:
    """RFC 8866 section 5.14: over RTP a format is a payload type; RFC 3550 section 5.1: of seven
    bits.
    """
    with pytest.raises(SdpError, match=f"^{re.escape(said)}$"):
        Media.parse(line)


def test_a_refused_section_keeps_its_kind_and_a_format() -> None:
    refused = audio("a=sendonly", formats="0 8").rejected()
    assert (refused.kind, refused.port, refused.formats, refused.lines) == ("audio", 0, ("0",), ())


@pytest.mark.parametrize(
    ("protocol", "is_secure"), [("RTP/AVP", False), ("RTP/SAVP", True), ("udp/tls/rtp/savpf", True)]
)
def test_savp_is_srtp(protocol: str, is_secure: bool) -> None:
    assert Media("audio", 1, protocol, ("0",)).is_secure is is_secure


@pytest.mark.parametrize(
    ("line", "ptime"),
    [("a=ptime:20", 20), ("a=ptime:65535", 65535), ("a=ptime:65536", None), ("a=ptime:²", None), ("a=ptime", None), ("a=x", None)],
)  # fmt: skip
def test_the_packet_time(line: str, ptime: int | None) -> None:
    assert audio(line).ptime == ptime


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("a=x:1", "1"),
        ("a=X : 1 ", "1"),
        ("a=x", ""),
        ("a=xy:1", None),
        ("b=x:1", None),
        ("a=y:x", None),
    ],
)
def test_an_attribute_by_its_name(line: str, value: str | None) -> None:
    assert audio(line).attribute("x") == value


def test_an_attribute_is_set_once_and_taken_away() -> None:
    media = audio("a=x:1", "a=y", "a=x:2")
    assert media.attributes("x") == ["1", "2"]
    assert media.with_attribute("x", "3").lines == (("a", "y"), ("a", "x:3"))


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_a_section_has_one_direction(direction: Direction) -> None:
    media = audio("a=sendonly", "a=x", "a=inactive").with_direction(direction)
    assert media.lines == (("a", "x"), ("a", direction))
    assert described("m=audio 4000 RTP/AVP 0", f"a= {direction.upper()} ").direction == direction
    assert described("m=audio 4000 RTP/AVP 0", f"b={direction}").direction == "sendrecv"


def test_codecs_are_written_where_they_are_usually_read() -> None:
    media = audio("i=title", "b=AS:64", "a=rtpmap:0 PCMU/8000", "a=fmtp:0 x", "a=x").with_codecs(
        [G729, TELEPHONE_EVENT]
    )
    assert media.formats == ("18", "101")
    assert media.lines == (
        ("i", "title"),
        ("b", "AS:64"),
        ("a", "rtpmap:18 G729/8000"),
        ("a", "rtpmap:101 telephone-event/8000"),
        ("a", "fmtp:101 0-16"),
        ("a", "x"),
    )
    assert audio("i=title").with_codecs([PCMU]).lines == (
        ("i", "title"),
        ("a", "rtpmap:0 PCMU/8000"),
    )


# -- the whole


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


@pytest.mark.parametrize(
    "text",
    ["", "\r\n", "hello", "v=1\r\n", "s=-\r\nv=0\r\n", "m=audio 1 RTP/AVP 0\r\nv=0\r\n", "v=0\r\nm=audio\r\n",
     *(f"v=0\r\n{line}\r\n" for line in ("x", "xy", "1=x", "=x", "?=x"))],
)  # fmt: skip
def test_what_is_no_description(text: str) -> None:
    with pytest.raises(SdpError):
        Description.parse(text)


def test_a_line_may_be_empty_and_end_in_lf_alone() -> None:
    text = "v=0\no=- 1 2 IN IP4 h\n\ns=\n  \nm=audio 4000 RTP/AVP 0\n"
    assert Description.parse(text).lines == (("v", "0"), ("o", "- 1 2 IN IP4 h"), ("s", ""))
    assert Description.parse(text.encode()) == Description.parse(text)


@pytest.mark.parametrize(
    ("session", "section", "address"),
    [
        ("IN IP4 192.0.2.1", None, "192.0.2.1"),
        ("IN IP4 192.0.2.1", "IN IP4 192.0.2.2", "192.0.2.2"),
        (None, "IN IP6 2001:db8::1", "2001:db8::1"),
        ("IN IP4 233.252.0.1/127/3", None, "233.252.0.1"),
        ("IN IP4", None, None),
        (None, None, None),
    ],
)
def test_where_the_audio_goes(
    session: str | None, section: str | None, address: str | None
) -> None:
    head = HEAD + (f"c={session}\r\n" if session else "")
    found = described("m=audio 4000 RTP/AVP 0", *([f"c={section}"] if section else []), head=head)
    assert found.rtp == (None if address is None else (address, 4000))


@pytest.mark.parametrize(
    ("said", "address", "direction", "is_hold"),
    [
        ("sendrecv", "192.0.2.1", "sendrecv", False),
        ("sendonly", "192.0.2.1", "sendonly", True),
        ("recvonly", "192.0.2.1", "recvonly", False),
        ("inactive", "192.0.2.1", "inactive", True),
        ("sendrecv", "0.0.0.0", "sendonly", True),
        ("sendonly", "0.0.0.0", "sendonly", True),
        ("recvonly", "0.0.0.0", "inactive", True),
        ("inactive", "0.0.0.0", "inactive", True),
    ],
)
def test_direction_and_the_null_address(
    said: str, address: str, direction: Direction, is_hold: bool
) -> None:
    """RFC 3264 section 8.4: a null address is the way to hold from before there was sendonly."""
    found = described("m=audio 4000 RTP/AVP 0", f"c=IN IP4 {address}", f"a={said}")
    assert (found.direction, found.is_hold) == (direction, is_hold)


def test_a_session_direction_holds_unless_a_section_says_otherwise() -> None:
    head = f"{HEAD}a=sendonly\r\n"
    assert described("m=audio 4000 RTP/AVP 0", head=head).direction == "sendonly"
    assert described("m=audio 4000 RTP/AVP 0", "a=sendrecv", head=head).direction == "sendrecv"


def test_a_description_without_audio_is_inactive_and_stays_as_it_is() -> None:
    found = described("m=video 1 RTP/AVP 31")
    assert (found.audio, found.rtp, found.direction) == (None, None, "inactive")
    assert found.with_rtp("192.0.2.9", 1) is found.with_codecs([PCMU]) is found


def test_only_the_first_audio_that_is_not_refused_is_changed() -> None:
    found = described(
        "m=video 1 RTP/AVP 31", "m=audio 0 RTP/AVP 0", "m=audio 5 RTP/AVP 0", "m=audio 6 RTP/AVP 0"
    )
    assert [media.port for media in found.with_rtp("192.0.2.9", 7).media] == [1, 0, 7, 6]
    assert [media.formats for media in found.with_codecs([PCMA]).media] == [
        ("31",),
        ("0",),
        ("8",),
        ("0",),
    ]


@pytest.mark.parametrize(("address", "kind"), [("192.0.2.9", "IP4"), ("2001:db8::9", "IP6")])
def test_a_relay_writes_its_own_address_and_nothing_else(address: str, kind: str) -> None:
    head = (
        "v=0\r\no=- 1 2 IN IP4 10.0.0.1\r\ns=-\r\ni=x\r\nc=IN IP4 10.0.0.1\r\nb=AS:64\r\nt=0 0\r\n"
    )
    lines = ("a=candidate:1", "a=ice-ufrag:x", "a=ice-pwd:x", "a=rtcp:1", "a=x")
    moved = described("m=audio 4000 RTP/AVP 0", "c=IN IP4 10.0.0.2", *lines, head=head).with_rtp(
        address, 7
    )
    assert moved.rtp == (address, 7)
    assert moved.lines == (
        ("v", "0"),
        ("o", f"- 1 2 IN {kind} {address}"),
        ("s", "-"),
        ("i", "x"),
        ("c", f"IN {kind} {address}"),
        ("b", "AS:64"),
        ("t", "0 0"),
    )
    assert moved.media[0].lines == (("a", "x"),)


def test_a_relay_leaves_an_origin_that_it_cannot_read() -> None:
    odd = described("m=audio 4000 RTP/AVP 0", head="v=0\r\no=- 1 2\r\ns=a b c d e f\r\n").with_rtp(
        "192.0.2.9", 7
    )
    assert odd.lines == (
        ("v", "0"),
        ("o", "- 1 2"),
        ("s", "a b c d e f"),
        ("c", "IN IP4 192.0.2.9"),
    )
