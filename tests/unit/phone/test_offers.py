"""Which offers within a call a phone has an answer to."""

from __future__ import annotations

import pytest

from harness.phone.child.offers import codec_of, has_answer

HEAD = "v=0\r\no=- 7 7 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\n"


@pytest.mark.parametrize(
    ("named", "rtpmap"),
    [("PCMU/8000/1", "0 PCMU/8000"), ("G722/16000/1", "0 G722/8000"), ("L16/44100/2", "0 L16/44100/2")],
)
def test_what_pjmedia_calls_a_codec(named: str, rtpmap: str) -> None:
    assert codec_of(named).rtpmap == rtpmap


@pytest.mark.parametrize(
    ("media", "expected"),
    [
        ("m=audio 40000 RTP/AVP 18 9\r\n", True),  # the second will do
        ("m=audio 40000 RTP/AVP 119\r\na=rtpmap:119 g722/8000/1\r\n", True),  # whatever its number, case and channels
        ("m=audio 40000 RTP/AVP 119\r\na=rtpmap:119 G722/16000\r\n", False),  # another clock is another codec
        ("m=audio 40000 RTP/AVP 119\r\na=rtpmap:119 G722/8000/2\r\n", False),
        ("m=audio 40000 RTP/AVP 0 8 18\r\n", False),
        ("m=audio 40000 RTP/AVP 9\r\na=inactive\r\n", True),  # on hold
        ("m=video 40000 RTP/AVP 9\r\n", False),
        ("m=image 40000 udptl t38\r\n", False),
        ("m=image 40000 udptl t38\r\nm=audio 40002 RTP/AVP 9\r\n", True),
        ("m=audio 0 RTP/AVP 9\r\nm=audio 40002 RTP/AVP 8\r\n", False),  # what is switched off is not offered
        ("m=audio 40000 RTP/SAVP 9\r\n", True),  # by which profile is pjsip's business
        ("m=audio 40000 RTP/AVP 13 101\r\na=rtpmap:101 telephone-event/8000\r\n", False),  # noise and digits
        ("m=audio 40000 RTP/AVP 119\r\n", False),  # of which nothing is known
        ("m=audio 0 RTP/AVP 8\r\n", True),  # all is switched off (RFC 3264 section 8.2)
        ("", True),
    ],
)
def test_an_offer_has_an_answer(media: str, expected: bool) -> None:
    assert has_answer(HEAD + media, [codec_of("G722/16000/1"), codec_of("GSM/8000/1")]) is expected


@pytest.mark.parametrize("unread", ["", "hello", HEAD + "m=audio many RTP/AVP 0\r\n"])
def test_what_cannot_be_read_is_left_to_pjsip(unread: str) -> None:
    assert has_answer(unread, [])
