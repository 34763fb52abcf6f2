"""Offers with several audio sections, or with unsupported encryption: supported audio is accepted,
and no process ends.
"""

from __future__ import annotations

import pytest

from harness.case.events import CallsRefused, MarkHeard
from harness.errors import BrokenError
from harness.phone.phone import Phone
from harness.sip.sdp import Description
from tests.process.phone.conftest import Desk, event_of, media_of, uri_of
from tests.stranger import SESSION, Stranger, answered

KEY = "inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz"
DTLS = "m=audio {port} UDP/TLS/RTP/SAVPF 0\na=fingerprint:sha-256 00:11\na=setup:actpass\n"
SDES = f"m=audio {{port}} RTP/SAVP 0\na=crypto:1 AES_CM_128_HMAC_SHA1_80 {KEY}\n"
WITH_MKI = f"m=audio {{port}} RTP/SAVP 0\na=crypto:1 AES_CM_128_HMAC_SHA1_80 {KEY}|2^31|1:4\n"


def taken(answer: bytes) -> list[bool]:
    return [not media.is_rejected for media in Description.parse(answer).media]


@pytest.mark.parametrize("srtp", ["optional", "mandatory"])
@pytest.mark.parametrize(
    ("media", "expected"),
    [
        pytest.param(DTLS + SDES, [False, True], id="dtls-first"),
        pytest.param(SDES + DTLS, [True, False], id="dtls-behind"),
        pytest.param(WITH_MKI + SDES, [False, True], id="mki-first"),
        pytest.param(
            SDES.replace("{port} RTP/SAVP 0", "{port} RTP/SAVP 8") + SDES,
            [False, True],
            id="codecs",
        ),
    ],
)
def test_supported_audio_is_chosen_among_several_sections(
    own: Desk, stranger: Stranger, srtp: str, media: str, expected: list[bool]
) -> None:
    phone = own("callee", srtp=srtp, codecs=("PCMU",))
    leg, answer = answered(phone, stranger, SESSION + media)
    assert taken(answer.body) == expected
    assert media_of(leg, within=10).secure
    stranger.hangs_up(phone, answer)


@pytest.mark.parametrize("srtp", ["optional", "mandatory"])
@pytest.mark.parametrize(("media", "why"), [(DTLS, "DTLS"), (WITH_MKI, "master key identifier")])
def test_unsupported_encryption_breaks_the_wait(
    own: Desk, stranger: Stranger, srtp: str, media: str, why: str
) -> None:
    phone = own("callee", srtp=srtp)
    assert stranger.calls(phone, SESSION + media).status == 488
    refused = event_of(phone, CallsRefused)
    assert (refused.source, why in refused.why) == (stranger.host, True)
    with pytest.raises(BrokenError, match=why):
        phone.expect_call(0.1)
    lives(own, phone)


def lives(own: Desk, phone: Phone) -> None:
    """It takes the next call."""
    call = own("caller", srtp=phone.config.srtp).dial(uri_of(phone))
    phone.expect_call(10)
    call.wait_state("confirmed", 10)


def test_an_answer_with_a_master_key_identifier_breaks_the_wait(
    lease: Desk, stranger: Stranger
) -> None:
    phone = lease("caller", srtp="mandatory", codecs=("PCMU",))
    leg = phone.dial(f"sip:stranger@{stranger.address}")
    invite = stranger.request("INVITE")
    (key, *_) = Description.parse(invite.body).media[0].crypto
    made = f"m=audio {{port}} RTP/SAVP 0\na=crypto:{key.tag} {key.suite} {key.key}|1:4\n"
    sdp = (SESSION + made).format(host=stranger.host, port=stranger.rtp.getsockname()[1])
    stranger.respond(
        invite,
        200,
        [("Content-Type", "application/sdp"), ("Contact", f"<sip:{stranger.address}>")],
        sdp,
    )
    stranger.request("ACK")
    stranger.respond(stranger.request("BYE"), 200)
    with pytest.raises(BrokenError, match="master key identifier"):
        event_of(leg, MarkHeard)
