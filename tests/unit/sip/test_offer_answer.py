"""Offer and answer (RFC 3264): what is taken of an offer, and in which order."""

from __future__ import annotations

import pytest

from harness.sip.offer_answer import NoAgreementError, agreed, answer, offer
from harness.sip.sdp import G722, PCMA, PCMU, TELEPHONE_EVENT, Codec, Crypto, Description


def test_an_offer_says_what_it_was_told() -> None:
    made = offer("192.0.2.1", 4000, username="x", session_id=0, version=7)
    assert made.origin == ("x", "0", 7)
    assert made.audio is not None
    assert made.audio.ptime == 20
    assert made.direction == "sendrecv"
    assert offer("192.0.2.1", 4000).origin[2] == 1
    assert answer(made, "192.0.2.2", 4002).origin[2] == 1
    silent = offer("192.0.2.1", 4000, ptime=None).audio
    assert silent is not None
    assert silent.ptime is None


def test_session_ids_fit_31_bits_and_differ() -> None:
    """Several stacks read them as signed integers."""
    made = {int(offer("192.0.2.1", 1).origin[1]) for _ in range(60)}
    assert len(made) > 50
    assert 2**30 <= max(made) < 2**31  # that none of 60 has the highest bit is as likely as 1 to 2^60


@pytest.mark.parametrize(("address", "kind"), [("192.0.2.1", "IP4"), ("2001:db8::1", "IP6")])
def test_an_offer_names_the_kind_of_its_address(address: str, kind: str) -> None:
    assert f"c=IN {kind} {address}\r\n" in str(offer(address, 4000))
    assert f" IN {kind} {address}\r\n" in str(offer(address, 4000)).splitlines(keepends=True)[1]


def test_keys_make_it_srtp() -> None:
    plain, secure = offer("192.0.2.1", 1).audio, offer("192.0.2.1", 1, crypto=[Crypto.fresh()]).audio
    assert plain is not None
    assert secure is not None
    assert (plain.protocol, secure.protocol) == ("RTP/AVP", "RTP/SAVP")


def voices(description: Description) -> list[str]:
    assert description.audio is not None
    return [codec.name for codec in description.audio.codecs]


def test_one_voice_codec_is_answered_the_offer_s_first() -> None:
    theirs = offer("192.0.2.1", 1, [G722, PCMA, PCMU, TELEPHONE_EVENT])
    assert voices(answer(theirs, "192.0.2.2", 2)) == ["PCMA", "telephone-event"]
    assert voices(answer(theirs, "192.0.2.2", 2, prefer="ours")) == ["PCMU", "telephone-event"]
    assert voices(answer(theirs, "192.0.2.2", 2, single=False)) == ["PCMA", "PCMU", "telephone-event"]
    assert voices(answer(theirs, "192.0.2.2", 2, [PCMU])) == ["PCMU"]
    assert voices(answer(offer("192.0.2.1", 1, [PCMU]), "192.0.2.2", 2)) == ["PCMU"]


def test_telephone_event_of_another_rate_is_not_taken() -> None:
    wide = Codec("telephone-event", 48000, 102)
    assert voices(answer(offer("192.0.2.1", 1, [PCMU, wide]), "192.0.2.2", 2)) == ["PCMU"]


def test_the_offer_s_packet_time_is_taken() -> None:
    slow = answer(offer("192.0.2.1", 1, ptime=30), "192.0.2.2", 2).audio
    silent = answer(offer("192.0.2.1", 1, ptime=None), "192.0.2.2", 2).audio
    assert slow is not None
    assert silent is not None
    assert (slow.ptime, silent.ptime) == (30, None)


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
        ("v=0\r\nm=audio 0 RTP/AVP 0\r\nm=video 5 RTP/AVP 31\r\n", "audio is not wanted; video is not wanted"),
    ],
)
def test_why_there_is_no_agreement(text: str, said: str) -> None:
    with pytest.raises(NoAgreementError, match=f"^{said}$"):
        answer(Description.parse(text), "192.0.2.2", 2)


def test_what_both_sides_come_to() -> None:
    theirs = offer("192.0.2.2", 2, [PCMA, PCMU, Codec("telephone-event", 8000, 96)], ptime=30, direction="sendonly")
    got = agreed(offer("192.0.2.1", 1), theirs)
    assert got is not None
    assert (got.codec, got.telephone_event, got.remote, got.direction) == (PCMA, 96, ("192.0.2.2", 2), "recvonly")
    assert (got.ptime, got.secure) == (30, False)
    without = agreed(offer("192.0.2.1", 1, [PCMU]), offer("192.0.2.2", 2, ptime=None, crypto=[Crypto.fresh()]))
    assert without is not None
    assert (without.telephone_event, without.ptime, without.secure, without.codec) == (None, 20, True, PCMU)
    silent = agreed(offer("192.0.2.1", 1), offer("192.0.2.2", 2, [PCMU]))
    assert silent is not None
    assert silent.telephone_event is None


@pytest.mark.parametrize(
    "text", ["v=0\r\nm=audio 4 RTP/AVP 0\r\n", "v=0\r\nm=video 4 RTP/AVP 0\r\nc=IN IP4 192.0.2.2\r\n"]
)
def test_without_audio_or_address_nothing_comes_of_it(text: str) -> None:
    other = Description.parse(text)
    assert agreed(offer("192.0.2.1", 1), other) is None
    if other.audio is None:
        assert agreed(other, offer("192.0.2.1", 1)) is None
