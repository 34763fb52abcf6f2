"""Offers that a phone can answer, and what pjsip sees of SDP."""

from __future__ import annotations

import pytest

from harness.phone.child.sdp import codec_of, disable_names, has_answer, make_readable, narrow
from harness.sip.sdp import Description

HEAD = "v=0\r\no=- 7 7 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\n"


@pytest.mark.parametrize(
    ("named", "rtpmap"),
    [
        ("PCMU/8000/1", "0 PCMU/8000"),
        ("G722/16000/1", "0 G722/8000"),
        ("L16/44100/2", "0 L16/44100/2"),
    ],
)
def test_codec_names_of_pjmedia(named: str, rtpmap: str) -> None:
    assert codec_of(named).rtpmap == rtpmap


@pytest.mark.parametrize(
    ("media", "expected"),
    [
        ("m=audio 40000 RTP/AVP 18 9\r\n", True),  # the second will do
        (
            "m=audio 40000 RTP/AVP 119\r\na=rtpmap:119 g722/8000/1\r\n",
            True,
        ),  # whatever its number, case and channels
        (
            "m=audio 40000 RTP/AVP 119\r\na=rtpmap:119 G722/16000\r\n",
            False,
        ),  # another clock is another codec
        ("m=audio 40000 RTP/AVP 119\r\na=rtpmap:119 G722/8000/2\r\n", False),
        ("m=audio 40000 RTP/AVP 0 8 18\r\n", False),
        ("m=audio 40000 RTP/AVP 9\r\na=inactive\r\n", True),  # on hold
        ("m=video 40000 RTP/AVP 9\r\n", False),
        ("m=image 40000 udptl t38\r\n", False),
        ("m=image 40000 udptl t38\r\nm=audio 40002 RTP/AVP 9\r\n", True),
        (
            "m=audio 0 RTP/AVP 9\r\nm=audio 40002 RTP/AVP 8\r\n",
            False,
        ),  # what is switched off is not offered
        ("m=audio 40000 RTP/SAVP 9\r\n", True),  # by which profile is pjsip's business
        (
            "m=audio 40000 RTP/AVP 13 101\r\na=rtpmap:101 telephone-event/8000\r\n",
            False,
        ),  # noise and digits
        ("m=audio 40000 RTP/AVP 119\r\n", False),  # of which nothing is known
        ("m=audio 0 RTP/AVP 8\r\n", True),  # all is switched off (RFC 3264 section 8.2)
        ("", True),
    ],
)
def test_an_offer_has_an_answer(media: str, expected: bool) -> None:
    assert (
        has_answer(
            memoryview((HEAD + media).encode()), [codec_of("G722/16000/1"), codec_of("GSM/8000/1")]
        )
        is expected
    )


@pytest.mark.parametrize("unread", ["", "hello", HEAD + "m=audio many RTP/AVP 0\r\n"])
def test_unreadable_sdp_is_left_to_pjsip(unread: str) -> None:
    assert has_answer(memoryview(unread.encode()), [])


KEY = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz"
G711, A_LAW = "m=audio 40000 RTP/AVP 0\r\n", "m=audio 40002 RTP/AVP 8\r\n"
SDES = f"m=audio 40004 RTP/SAVP 0\r\n{KEY}|2^20\r\n"
MKI = f"m=audio 40006/1 RTP/SAVP 0\r\n{KEY}|2^20|1:4\r\n"
TWO_KEYS = f"m=audio 40006 RTP/SAVP 0\r\n{KEY};inline:abc\r\n"
DTLS = "m=audio 40008 UDP/TLS/RTP/SAVPF 0\r\na=fingerprint:sha-256 00\r\n"
VIDEO = "m=video 40010 UDP/TLS/RTP/SAVPF 96\r\na=rtpmap:96 VP8/90000\r\n"


def shown(media: str, srtp: str) -> tuple[list[bool], str]:
    """The sections that pjsip sees as offered, and the unsupported encryption."""
    octets = bytearray((HEAD + media).encode())
    length = len(octets)
    why = narrow(memoryview(octets), [codec_of("PCMU/8000/1")], srtp)
    assert len(octets) == length
    return [not section.is_rejected for section in Description.parse(bytes(octets)).media], why


@pytest.mark.parametrize(
    ("media", "srtp", "left", "why"),
    [
        (G711, "off", [True], ""),
        (A_LAW, "off", [True], ""),  # which pjsip refuses
        (A_LAW + G711, "off", [False, True], ""),
        (G711 + A_LAW, "off", [True, False], ""),
        (SDES + G711, "off", [False, True], ""),
        (SDES + G711, "optional", [True, True], ""),
        (SDES + G711, "mandatory", [True, False], ""),
        (G711, "mandatory", [True], ""),
        (MKI + G711, "optional", [False, True], ""),
        (MKI + SDES, "mandatory", [False, True], ""),
        (MKI, "mandatory", [True], "SRTP with a master key identifier (RFC 4568 section 6.1)"),
        (TWO_KEYS, "mandatory", [True], "SRTP with a master key identifier (RFC 4568 section 6.1)"),
        (DTLS + VIDEO, "optional", [False, True], "DTLS-SRTP (RFC 5764)"),
        (VIDEO + DTLS + SDES, "optional", [True, False, True], ""),
        (
            DTLS.replace("audio", "AUDIO"),
            "mandatory",
            [False],
            "DTLS-SRTP (RFC 5764)",
        ),  # which pjsip takes for audio
        (DTLS.replace("UDP/TLS/", ""), "mandatory", [True], "DTLS-SRTP (RFC 5764)"),
        (
            "a=fingerprint:sha-256 00\r\nm=audio 40000 RTP/SAVPF 0\r\n",
            "optional",
            [True],
            "DTLS-SRTP (RFC 5764)",
        ),
        ("m=audio 40000 RTP/SAVPF 0\r\n", "optional", [True], ""),  # without any key
        (DTLS, "off", [False], ""),  # the deployment has no SRTP
        (
            DTLS.replace("SAVPF 0", "SAVPF 8"),
            "optional",
            [False],
            "",
        ),  # its codec is another as well
        (DTLS + A_LAW, "optional", [False, True], "DTLS-SRTP (RFC 5764)"),
        ("m=audio 0 RTP/AVP 0\r\n", "off", [False], ""),
        ("m=audio 40000 RTP/SAVP 0\r\na=crypto:what\r\n", "optional", [True], ""),
    ],
)
def test_pjsip_sees_only_usable_audio_of_an_offer(
    media: str, srtp: str, left: list[bool], why: str
) -> None:
    assert shown(media, srtp) == (left, why)


@pytest.mark.parametrize(
    ("media", "keys"),
    [
        (MKI, [0]),
        (SDES, [1]),
        (MKI + f"{KEY}\r\n" + SDES + G711, [1, 1, 0]),
        (G711 + f"{KEY}|1:1\r\n", [0]),
    ],
)
def test_keys_with_a_master_key_identifier_are_left_out(media: str, keys: list[int]) -> None:
    octets = bytearray((HEAD + media).encode())
    make_readable(memoryview(octets))
    sections = Description.parse(bytes(octets)).media
    assert [len(section.crypto) for section in sections] == keys
    assert [section.is_rejected for section in sections] == [
        media == MKI,
        *[False] * (len(sections) - 1),
    ]


@pytest.mark.parametrize(
    "broken", ["m=audio 40000/0 RTP/AVP 0\r\n", "m=audio 40000/99999 RTP/AVP 0\r\n"]
)
def test_an_unknown_profile_is_disabled_in_unreadable_sdp_too(broken: str) -> None:
    octets = bytearray((HEAD + broken + DTLS + VIDEO).encode())
    assert narrow(memoryview(octets), [codec_of("PCMU/8000/1")], "optional") == ""
    assert octets.decode() == HEAD + broken + DTLS.replace("40008", "00000") + VIDEO


def test_an_empty_body_is_not_changed() -> None:
    make_readable(memoryview(b""))
    assert narrow(memoryview(b""), [], "optional") == ""


@pytest.mark.parametrize("name", ["telephone-event", "TELEPHONE-EVENT", "Telephone-Event"])
def test_the_case_of_telephone_event_is_ignored(name: str) -> None:
    """pjsip accepts any spelling, but sends digits only if the name is in lower case: all digit
    rows failed (RFC 4855 section 3).
    """
    sdp = f"v=0\r\nm=audio 4000 RTP/AVP 0 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 {name}/8000\r\na=fmtp:101 0-15\r\n"
    octets = bytearray(sdp.encode())
    make_readable(memoryview(octets))
    assert octets.decode() == sdp.replace(name, "telephone-event")


@pytest.mark.parametrize(
    ("line", "shown", "name"),
    [
        (
            b"c=IN IP4 media.carrier.example",
            b"c=IN IP0 media.carrier.example",
            "media.carrier.example",
        ),
        (b"c=in ip6 media", b"c=in ip0 media", "media"),
        (b"c=IN IP4 300.1.1.1", b"c=IN IP0 300.1.1.1", "300.1.1.1"),
        (b"c=IN IP4 \xff\x00", b"c=IN IP0 \xff\x00", "\ufffd\x00"),
        (
            b"a=rtcp:4001 IN IP4 rtcp.carrier.example",
            b"a=x-no:4001 IN IP4 rtcp.carrier.example",
            None,
        ),
        (b"a=rtcp:4001 IN IP4 198.51.100.7", None, None),
        (b"c=IN IP4 198.51.100.7", None, None),
        (b"c=IN IP4 224.2.36.42/127", None, None),
        (b"c=IN IP6 2001:db8::a", None, None),
        (b"o=- 1 1 IN IP4 host.example", None, None),
        (b"a=note:c=IN IP4 media.carrier.example", None, None),
    ],
)
def test_host_names_are_hidden_from_pjsip(
    line: bytes, shown: bytes | None, name: str | None
) -> None:
    octets = bytearray(b"v=0\r\n" + line + b"\r\nt=0 0\r\n")
    assert disable_names(memoryview(octets)) == ([name] if name else [])
    assert octets == b"v=0\r\n" + (shown or line) + b"\r\nt=0 0\r\n"
