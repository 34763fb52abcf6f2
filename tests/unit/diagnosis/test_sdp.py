"""Several streams in one description, and what stands for all of them."""

from __future__ import annotations

import pytest

from harness.diagnosis.sdp import address, holds, offered

HEAD = "v=0\r\no=- 1 1 IN IP4 10.0.0.10\r\ns=-\r\nc=IN IP4 10.0.0.10\r\nt=0 0\r\n"
AUDIO = "m=audio 4000 RTP/AVP 0\r\n"


@pytest.mark.parametrize(
    ("media", "held"),
    [
        (AUDIO, False),
        (AUDIO + "a=inactive\r\n", True),
        (AUDIO + "a=sendrecv\r\nm=video 0 RTP/AVP 96\r\na=inactive\r\n", False),
        ("a=sendonly\r\n" + AUDIO, True),
        ("a=sendonly\r\n" + AUDIO + "a=sendrecv\r\n", False),
        ("m=audio 0 RTP/AVP 0\r\na=inactive\r\n" + AUDIO, False),
        (AUDIO + "c=IN IP4 0.0.0.0\r\n", True),
    ],
)
def test_a_hold_is_the_audio_s(media: str, held: bool) -> None:
    assert holds(HEAD + media) is held


@pytest.mark.parametrize(
    ("media", "where"),
    [
        (AUDIO, "10.0.0.10"),
        (AUDIO + "c=IN IP4 198.51.100.70\r\n", "198.51.100.70"),
        (AUDIO + "m=video 4002 RTP/AVP 96\r\nc=IN IP4 198.51.100.70\r\n", "10.0.0.10"),
        (
            "m=audio 0 RTP/AVP 0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 0\r\nc=IN IP6 2001:db8::1\r\n",
            "2001:db8::1",
        ),
    ],
)
def test_an_address_is_the_audio_s_own_or_the_session_s(media: str, where: str) -> None:
    assert address(HEAD + media) == where
    assert address("v=0\r\n") is None


@pytest.mark.parametrize(
    ("media", "what"),
    [
        ("m=audio 4000 RTP/SAVP 0\r\n" + AUDIO, "G.711"),
        (AUDIO + "m=audio 4000 RTP/SAVP 0\r\n", "G.711"),
        ("m=audio 4000 RTP/SAVP 0\r\nm=audio 0 RTP/AVP 0\r\n", "SRTP alone"),
        ("m=video 4000 RTP/AVP 96\r\n" + AUDIO, "G.711"),
        ("m=video 4000 RTP/AVP 0\r\n", "no audio"),
        (
            "m=audio 4000 RTP/AVP 96\r\na=rtpmap:96 opus/48000\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 PCMU/8000\r\n",
            "no G.711",
        ),
    ],
)
def test_what_one_stream_offers_is_enough(media: str, what: str) -> None:
    assert offered(HEAD + media) == what
