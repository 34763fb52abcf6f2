"""Offer and answer (RFC 3264): what is taken of an offer, and in which order."""

from __future__ import annotations

import pytest

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
SUITE = "AES_CM_128_HMAC_SHA1_80"


def audio(description: Description) -> Media:
    assert description.audio is not None
    return description.audio


def codecs(description: Description) -> list[str]:
    return [codec.name for codec in audio(description).codecs]


def answered(*offered: Codec) -> Description:
    return answer(offer("192.0.2.1", 1, offered), "192.0.2.2", 2)


def test_the_first_example_of_rfc_3264() -> None:
    theirs = Description.parse(ALICE)
    ours = answer(theirs, "192.0.2.4", 49920, [PCMU])
    assert [(m.kind, m.port) for m in ours.media] == [("audio", 49920), ("video", 0), ("video", 0)]
    assert ours.media[1].formats == ("31",)  # a refused section keeps its kind and a format
    assert agreed(ours, theirs) == PCMU


def test_session_ids_fit_31_bits_and_differ() -> None:
    """Several stacks read them as signed integers."""
    made = {int(offer("192.0.2.1", 1).lines[1][1].split()[1]) for _ in range(60)}
    assert len(made) > 50
    assert (
        2**30 <= max(made) < 2**31
    )  # that none of 60 has the highest bit is as likely as 1 to 2^60


def test_one_voice_codec_is_answered_the_offer_s_first() -> None:
    """RFC 3264 section 10.2, so that the codec in use is certain; telephone-event beside it, if of
    the same rate.
    """
    assert codecs(answered(G722, PCMA, PCMU, TELEPHONE_EVENT)) == ["PCMA", "telephone-event"]
    assert codecs(answered(PCMU, PCMA)) == ["PCMU"]
    assert codecs(answered(PCMU, Codec("telephone-event", 48000, 102))) == ["PCMU"]
    assert codecs(answer(offer("192.0.2.1", 1), "192.0.2.2", 2, [PCMA])) == ["PCMA"]


def test_the_answer_takes_the_offers_payload_types_and_packet_time() -> None:
    offered = [Codec("opus", 48000, 111, 2), Codec("telephone-event", 8000, 120)]
    theirs = offer("192.0.2.1", 4000, offered, ptime=30)
    ours = answer(
        theirs, "192.0.2.2", 4002, [Codec("opus", 48000, 96, 2, "useinbandfec=1"), TELEPHONE_EVENT]
    )
    assert (audio(ours).formats, audio(ours).ptime) == (("111", "120"), 30)
    assert audio(answer(offer("192.0.2.1", 1, ptime=None), "192.0.2.2", 2)).ptime is None
    assert agreed(theirs, ours) == audio(ours).codecs[0] == Codec("opus", 48000, 111, 2)


def test_the_first_audio_that_can_be_had_is_taken_and_all_else_refused() -> None:
    text = "v=0\r\nm=audio 0 RTP/AVP 0\r\nm=audio 4 RTP/AVP 9\r\nm=video 5 RTP/AVP 0\r\nm=audio 6 RTP/AVP 0\r\nm=audio 7 RTP/AVP 0\r\n"
    made = answer(Description.parse(text), "192.0.2.2", 2)
    assert [media.port for media in made.media] == [0, 0, 0, 2, 0]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("v=0\r\n", "the offer has no media"),
        ("v=0\r\nm=video 5 RTP/AVP 31\r\n", "video is not wanted"),
        ("v=0\r\nm=audio 5 RTP/AVP 9 101\r\n", "no codec in common \\(offered: G722\\)"),
        ("v=0\r\nm=audio 5 RTP/AVP 101\r\n", "no codec in common \\(offered: none\\)"),
        (
            "v=0\r\nm=audio 0 RTP/AVP 0\r\nm=video 5 RTP/AVP 31\r\n",
            "audio is not wanted; video is not wanted",
        ),
    ],
)
def test_why_there_is_no_agreement(text: str, said: str) -> None:
    with pytest.raises(NoAgreementError, match=f"^{said}$"):
        answer(Description.parse(text), "192.0.2.2", 2)


@pytest.mark.parametrize(
    ("offered", "wanted", "got"),
    [  # RFC 3264 section 6.1
        ("sendrecv", "sendrecv", "sendrecv"),
        ("sendrecv", "recvonly", "recvonly"),
        ("sendonly", "sendrecv", "recvonly"),
        ("sendonly", "sendonly", "inactive"),
        ("recvonly", "sendrecv", "sendonly"),
        ("inactive", "sendrecv", "inactive"),
    ],
)
def test_directions(offered: Direction, wanted: Direction, got: Direction) -> None:
    theirs = offer("192.0.2.1", 4000, direction=offered)
    assert answer(theirs, "192.0.2.2", 4002, direction=wanted).direction == got


def test_directions_are_algebra() -> None:
    for one in DIRECTIONS:
        assert reverse(reverse(one)) == one
        for other in DIRECTIONS:
            assert meet(one, other) == meet(other, one)
            assert reverse(meet(one, other)) == meet(reverse(one), reverse(other))


def test_srtp() -> None:
    key = Crypto.fresh(SUITE)
    theirs = offer(
        "192.0.2.1",
        4000,
        crypto=[Crypto.fresh("AES_256_CM_HMAC_SHA1_80", 1), Crypto(2, SUITE, key.key)],
    )
    ours = audio(answer(theirs, "192.0.2.2", 4002, suites=[SUITE]))
    (chosen,) = ours.crypto
    assert (ours.protocol, chosen.tag, chosen.suite) == ("RTP/SAVP", 2, SUITE)
    assert chosen.key != key.key  # each side its own (RFC 4568 section 5.1.2)
    with pytest.raises(NoAgreementError, match="SRTP is not wanted"):
        answer(theirs, "192.0.2.2", 4002)
    with pytest.raises(NoAgreementError, match="SRTP is needed"):
        answer(offer("192.0.2.1", 4000), "192.0.2.2", 4002, suites=[SUITE])
    with pytest.raises(NoAgreementError, match="no SRTP suite"):
        answer(theirs, "192.0.2.2", 4002, suites=["AES_CM_128_HMAC_SHA1_32"])


def test_what_both_sides_come_to() -> None:
    assert agreed(offer("192.0.2.1", 1), offer("192.0.2.2", 2, [PCMA, PCMU])) == PCMA
    assert agreed(offer("192.0.2.1", 1, [PCMU]), offer("192.0.2.2", 2, [PCMA, PCMU])) == PCMU


@pytest.mark.parametrize(
    "other",
    [
        "v=0\r\nm=audio 4 RTP/AVP 0\r\n",
        "v=0\r\nm=video 4 RTP/AVP 0\r\nc=IN IP4 192.0.2.2\r\n",
        "v=0\r\nm=audio 0 RTP/AVP 0\r\nc=IN IP4 192.0.2.2\r\n",
        "v=0\r\nm=audio 4 RTP/AVP 9\r\nc=IN IP4 192.0.2.2\r\n",
    ],
)
def test_without_audio_address_or_common_codec_nothing_comes_of_it(other: str) -> None:
    theirs = Description.parse(other)
    assert agreed(offer("192.0.2.1", 1), theirs) is None
    if theirs.rtp is None:
        assert agreed(theirs, offer("192.0.2.1", 1, [G722])) is None
