"""Later offers and answers (RFC 3264 section 8) of phones in one process that have different
codecs.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest

from harness.phone import PhoneConfig
from harness.phone.leg import Leg
from harness.phone.phone import Phone
from harness.sip.message import Response
from harness.sip.sdp import Description
from tests.loopback import fresh_address
from tests.process.phone.conftest import Desk
from tests.stranger import SESSION, Stranger, answered

#: Three phones, each with codecs of its own; the last one's is what pjsua would offer by itself.
HOSTED: tuple[tuple[str, ...], ...] = (("PCMA",), ("G722", "PCMU"), ("PCMU",))
SDP = ("Content-Type: application/sdp",)


def described(stranger: Stranger, formats: str) -> str:
    """Its SDP with those payload types; 101 is telephone-event."""
    events = "a=rtpmap:101 telephone-event/8000\n" if "101" in formats.split() else ""
    media = f"m=audio {{port}} RTP/AVP {formats}\n{events}"
    return (SESSION + media).format(host=stranger.host, port=stranger.rtp.getsockname()[1])


EVERYTHING = "0 8 9 101"


def resumes(_phone: Phone, leg: Leg, stranger: Stranger, _call: Response) -> bytes:
    leg.resume()
    return accepts(stranger)


def accepts(stranger: Stranger) -> bytes:
    """Accept what the phone offers next; returns the offer."""
    offer = stranger.request("INVITE")
    first = Description.parse(offer.body).media[0].formats[0]
    headers = [("Content-Type", "application/sdp"), ("Contact", f"<sip:{stranger.address}>")]
    stranger.respond(offer, 200, headers, described(stranger, first))
    stranger.request("ACK")
    return offer.body


def answers_update(phone: Phone, _: Leg, stranger: Stranger, call: Response) -> bytes:
    answer = stranger.within(phone, "UPDATE", 20, call, described(stranger, EVERYTHING), SDP)
    assert answer.status == 200
    return answer.body


@pytest.fixture
def strangers() -> Iterator[list[Stranger]]:
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(contextlib.closing(Stranger(fresh_address()))) for _ in HOSTED]


Later = Callable[[Phone, Leg, Stranger, Response], bytes]


def one_after_the_other(
    own: Desk, strangers: list[Stranger], later: Later
) -> Iterator[tuple[PhoneConfig, list[str]]]:
    """Each phone's SDP in ``later``, while all of them are in calls."""
    phones = [own(f"phone-{number}", codecs=codecs) for number, codecs in enumerate(HOSTED)]
    assert len({phone.process.pid for phone in phones}) == 1, "one process hosts them"
    calls = [
        answered(phone, stranger, described(stranger, EVERYTHING))
        for phone, stranger in zip(phones, strangers, strict=True)
    ]
    for phone, stranger, (leg, call) in zip(phones, strangers, calls, strict=True):
        leg.wait_state("confirmed", 10)
        sdp = later(phone, leg, stranger, call)
        yield phone.config, [codec.name for codec in Description.parse(sdp).media[0].codecs]
        stranger.hangs_up(phone, call)


def has(config: PhoneConfig) -> list[str]:
    return [*config.codecs, "telephone-event"]


def test_each_phone_offers_its_own_codecs_again(own: Desk, strangers: list[Stranger]) -> None:
    for config, said in one_after_the_other(own, strangers, resumes):
        assert said == has(config)


def test_each_phone_answers_with_its_own_codecs_again(own: Desk, strangers: list[Stranger]) -> None:
    for config, said in one_after_the_other(own, strangers, answers_update):
        assert set(said) <= set(has(config))
        assert set(said) & set(config.codecs)
