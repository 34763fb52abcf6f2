"""Offers within a call that are refused: the session goes on as it was (RFC 3261 sections 14.1 and
14.2).
"""

from __future__ import annotations

import pytest

from harness.case.events import MarkHeard, MediaState
from tests.process.phone.conftest import Desk, event_of, told
from tests.stranger import AUDIO, SESSION, VOICE, Stranger, port_of, talking

SDP = ("Content-Type: application/sdp",)
#: More than pjsua2 shows of an offer.
LONG = "".join(f"a=x-note-{number}:{'x' * 60}\n" for number in range(25))
NOTHING_FOR_IT = {
    "another-codec": "m=audio {port} RTP/AVP 8\n",
    "another-codec-at-length": "m=audio {port} RTP/AVP 8\n" + LONG,
    "its-codec-at-another-rate": "m=audio {port} RTP/AVP 97\na=rtpmap:97 PCMU/16000\n",
    "digits-alone": "m=audio {port} RTP/AVP 101\na=rtpmap:101 telephone-event/8000\n",
    "a-fax": "m=image {port} udptl t38\n",
    "video-in-place-of-audio": "m=audio 0 RTP/AVP 0\nm=video {port} RTP/AVP 96\na=rtpmap:96 H264/90000\n",
}


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
@pytest.mark.parametrize("media", NOTHING_FOR_IT.values(), ids=NOTHING_FOR_IT.keys())
def test_an_offer_of_nothing_the_phone_has_changes_nothing(
    lease: Desk, stranger: Stranger, media: str, method: str
) -> None:
    phone = lease("callee", codecs=("PCMU",))
    leg, call = talking(phone, stranger)
    port = port_of(call)

    def asks(number: int, media: str) -> int:
        offer = (SESSION + media).format(host=stranger.host, port=stranger.rtp.getsockname()[1])
        answer = stranger.within(phone, method, number, call, offer, SDP)
        if method == "INVITE":
            stranger.says(phone, "ACK", number, answer)
        return answer.status

    told(phone)
    before = [event for event in leg.events if isinstance(event, MediaState)]
    assert asks(2, media) == 488
    told(phone)
    assert [event for event in leg.events if isinstance(event, MediaState)] == before
    stranger.speaks_to(port, phone)
    event_of(leg, MarkHeard, mark=VOICE)
    assert asks(3, AUDIO) == 200
    stranger.hangs_up(phone, call)


def test_an_offer_of_the_phones_that_is_refused_changes_nothing(
    lease: Desk, stranger: Stranger
) -> None:
    """RFC 3261 section 14.1: the session goes on as before the re-INVITE. The far end may still
    refresh it.
    """
    phone = lease("callee", codecs=("PCMU",))
    leg, call = talking(phone, stranger)
    leg.reinvite(["PCMA"])
    refused = stranger.request("INVITE")
    assert b"PCMA" in refused.body
    stranger.respond(refused, 488)
    stranger.request("ACK")
    refresh = (SESSION + AUDIO).format(host=stranger.host, port=stranger.rtp.getsockname()[1])
    answer = stranger.within(phone, "UPDATE", 2, call, refresh, SDP)
    assert answer.status == 200
    assert leg.codec == "PCMU"
    stranger.hangs_up(phone, call)
