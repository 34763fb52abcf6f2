"""What a session description says of its audio: of the stream that carries it, and of no other
beside it.
"""

from __future__ import annotations

import pytest

from harness.diagnosis.sdp import address, holds, is_beside, offered, own_reach, reach

HEAD = "v=0\r\no=- 1 1 IN IP4 10.0.0.10\r\ns=-\r\nc=IN IP4 10.0.0.10\r\nt=0 0\r\n"
AUDIO = "m=audio 4000 RTP/AVP 0\r\n"


@pytest.mark.parametrize(
    ("media", "held"),
    [
        (AUDIO, False),
        (AUDIO + "a=recvonly\r\n", True),
        (AUDIO + "a=sendrecv\r\nm=video 0 RTP/AVP 96\r\na=inactive\r\n", False),
        ("a=sendonly\r\n" + AUDIO, True),
        (AUDIO + "c=IN IP4 0.0.0.0\r\n", True),
    ],
)
def test_a_hold_is_the_audio_s(media: str, held: bool) -> None:
    assert holds(HEAD + media) is held


@pytest.mark.parametrize(
    ("media", "what"),
    [
        ("m=audio 4000 RTP/SAVP 0\r\n" + AUDIO, "G.711"),
        ("m=audio 4000 RTP/SAVP 0\r\nm=audio 0 RTP/AVP 0\r\n", "SRTP alone"),
        ("m=video 4000 RTP/AVP 96\r\n" + AUDIO, "G.711"),
        ("m=video 4000 RTP/AVP 0\r\n", "no audio"),
        (
            "m=audio 4000 RTP/AVP 96\r\na=rtpmap:96 opus/48000\r\na=rtpmap:0 PCMU/8000\r\n",
            "no G.711",
        ),
    ],
)
def test_what_one_stream_offers_is_enough(media: str, what: str) -> None:
    assert offered(HEAD + media) == what


def test_a_description_that_cannot_be_read_says_nothing() -> None:
    broken = HEAD + "m=audio 4000\r\na=inactive\r\n"
    assert (holds(broken), address(broken), offered(broken)) == (False, None, None)
    assert (reach(broken, "198.51.100.1:5060"), is_beside(broken, "198.51.100.1:5060")) == (
        None,
        None,
    )
    assert offered("") == "no audio"


@pytest.mark.parametrize(
    ("shown", "sender", "told"),
    [
        ("10.1.2.3", "198.51.100.20:5060", "private"),
        ("172.15.0.1", "192.0.2.9:5060", "reachable"),
        ("172.16.0.1", "192.0.2.9:5060", "private"),
        ("172.32.0.1", "192.0.2.9:5060", "reachable"),
        ("192.168.1.1", "192.0.2.9:5060", "private"),
        ("169.254.1.1", "192.0.2.9:5060", "private"),
        ("100.64.9.9", "198.51.100.20:5060", "private"),
        ("100.128.0.1", "192.0.2.9:5060", "reachable"),
        ("10.1.2.3", "[2001:db8::1]:5060", "private"),
        ("10.1.2.3", "10.9.9.9:5060", "reachable"),
        ("media.example", "198.51.100.20:5060", None),
        ("10.0.0.1", "sbc.example:5060", None),
    ],
)
def test_a_private_address_is_wrong_unless_all_is_private(
    shown: str, sender: str, told: str | None
) -> None:
    body = HEAD.replace("10.0.0.10", shown) + AUDIO
    assert reach(body, sender) == own_reach(body, sender) == told
    assert is_beside(body, sender) is (None if told is None else True)


def test_on_this_machine_every_own_address_can_be_reached() -> None:
    assert own_reach(HEAD + AUDIO, "127.0.0.1:5060") is None
    assert is_beside(HEAD + AUDIO, "10.0.0.10:5060") is None
