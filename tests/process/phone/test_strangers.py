"""Messages and media of other stacks that pjsua2's own phones never send."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Sequence

import pytest

from harness.case.events import MarkHeard, MediaState, TransferProgress
from tests.process.phone.conftest import Desk, event_of, media_of, once
from tests.stranger import AUDIO, SESSION, VIDEO, VOICE, Stranger, answered, port_of, talking

KEY = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz\n"
ENCRYPTED = f"m=audio 5002 RTP/SAVP 0\n{KEY}"


@pytest.mark.parametrize(
    ("offer", "srtp"),
    [
        pytest.param(SESSION + VIDEO + AUDIO, "off", id="video-before-audio"),
        pytest.param(SESSION + AUDIO + VIDEO, "off", id="video-behind-audio"),
        pytest.param(SESSION + ENCRYPTED + AUDIO, "off", id="the-second-of-two-ways-to-audio"),
        pytest.param(
            SESSION + AUDIO + VIDEO.replace("AVP", "SAVP") + KEY,
            "optional",
            id="encrypted-video-alone",
        ),
    ],
)
def test_audio_is_accepted_at_any_place_in_the_offer(
    lease: Desk, stranger: Stranger, offer: str, srtp: str
) -> None:
    """RFC 3264 section 6: what the answer refuses keeps its place, with port 0. A key belongs to
    its own stream alone.
    """
    phone = lease("callee", srtp=srtp)
    leg, answer = answered(phone, stranger, offer)
    media = [line for line in answer.body.decode().splitlines() if line.startswith("m=")]
    (port,) = (int(line.split()[1]) for line in media if line.split()[1] != "0")
    assert [line.split()[0] for line in media] == [
        line.split()[0] for line in offer.splitlines() if line[:2] == "m="
    ]
    stranger.speaks_to(port, phone)
    event_of(leg, MarkHeard, mark=VOICE)
    state = [event for event in leg.events if isinstance(event, MediaState)][-1]
    assert (state.active, state.codec, state.secure) == (True, "PCMU", False)
    stranger.hangs_up(phone, answer)
    leg.wait_closed(10)


def test_rtp_goes_to_the_address_in_the_sdp(lease: Desk, stranger: Stranger) -> None:
    """RFC 3264 section 5.1; that both are the same (RFC 4961) is a recommendation."""
    phone = lease("callee")
    leg, answer = talking(phone, stranger)
    port = port_of(answer)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as elsewhere:
        elsewhere.bind((stranger.host, 0))
        elsewhere.setblocking(False)
        stranger.speaks_to(port, phone, elsewhere)
        event_of(leg, MarkHeard, mark=VOICE)
        for _ in range(100):  # two seconds of the phone's own, counted from the beginning
            stranger.rtp.recv(2048)
        stranger.falls_silent()
        with pytest.raises(BlockingIOError):
            elsewhere.recv(2048)
    stranger.hangs_up(phone, answer)


@pytest.mark.parametrize(
    "suite", ["F8_128_HMAC_SHA1_80", "AEAD_AES_256_GCM", "NULL", "x-unheard-of"]
)
def test_an_unsupported_srtp_suite_leaves_the_media_plain(
    lease: Desk, stranger: Stranger, suite: str
) -> None:
    """RFC 4568 section 5.1.2: the answer names the key that was chosen, or the media is as without
    any.
    """
    phone = lease("callee", srtp="optional")
    leg, answer = answered(
        phone, stranger, SESSION + AUDIO + KEY.replace("AES_CM_128_HMAC_SHA1_80", suite)
    )
    assert b"a=crypto" not in answer.body
    assert not media_of(leg, within=10).secure
    stranger.hangs_up(phone, answer)


def compact(head: str) -> str:
    short = {
        "Via": "v",
        "From": "f",
        "To": "t",
        "Call-ID": "i",
        "Contact": "m",
        "Content-Type": "c",
        "Content-Length": "l",
    }
    return re.sub(
        r"(?m)^([\w-]+):", lambda name: f"{short.get(name[1], name[1].upper())}\t :", head
    )


@pytest.mark.parametrize(
    "writes",
    [
        pytest.param(
            lambda head: re.sub(r"(?m)^([\w-]+):", "\\1:\r\n  ", head), id="folded-behind-each-name"
        ),
        pytest.param(
            lambda head: head.replace(";", "\r\n\t;").replace(" SIP/2.0/", "\r\n SIP/2.0/"),
            id="folded-within",
        ),
        pytest.param(
            lambda head: head.replace("To: <", 'To: "a;tag=b <sip:c;tag=d@e>" <'),
            id="a-tag-in-a-name",
        ),
        pytest.param(
            lambda head: head.replace("From: <", r'From: "\"<;tag=1\\" <'), id="escapes-in-a-name"
        ),
        pytest.param(compact, id="compact"),
    ],
)
def test_a_call_is_followed_in_every_legal_header_form(
    lease: Desk, stranger: Stranger, writes: Callable[[str], str]
) -> None:
    """RFC 3261 section 7.3: each of these is the same call."""
    stranger.writes = writes
    phone = lease("callee")
    leg, answer = talking(phone, stranger)
    stranger.hangs_up(phone, answer)
    leg.wait_closed(10)
    came = [
        message.text.split()[0] for message in once(leg.messages) if message.direction == "received"
    ]
    assert came == ["INVITE", "ACK", "BYE"]
    assert [event.local for event in leg.messages] == [phone.address] * len(leg.messages)


@pytest.mark.parametrize(
    ("steps", "status"),
    [
        (["200 OK"], 200),
        (
            ["100 Trying…", "BYE", "480 Temporarily Unavailable"],
            480,
        ),  # a usage of its own: RFC 5057 section 4.1
        (["BYE", "200 OK"], 200),
        (["603 Decline…"], 603),  # final, though the subscription goes on
        (["100 Trying…", "BYE"], 0),
        (["100 Trying"], 100),  # given up
        (["sip/2.0 486 Busy Here"], 486),
    ],
)
def test_transfer_outcomes(
    lease: Desk, stranger: Stranger, steps: Sequence[str], status: int
) -> None:
    phone = lease("transferor")
    leg, call = talking(phone, stranger)
    leg.transfer(f"sip:{VOICE}@{stranger.host}:{stranger.port}")
    stranger.is_referred(phone, call, steps)
    assert leg.transfer_outcome(within=10.0 if status else 1.0) == status


OVER = ("Subscription-State: terminated;reason=noresource", "Content-Type: message/sipfrag")


@pytest.mark.parametrize("named", [True, False], ids=["with-ids", "without-ids"])
def test_the_second_refer_has_its_own_outcome(own: Desk, stranger: Stranger, named: bool) -> None:
    phone = own("transferor")
    leg, call = talking(phone, stranger)
    for number, code in ((2, 486), (3, 200)):
        leg.transfer(f"sip:{VOICE}@{stranger.host}:{stranger.port}")
        asked = stranger.request("REFER")
        stranger.respond(asked, 202)
        event = f"Event: refer;id={asked.cseq.number}" if named else "Event: refer"
        said = stranger.within(
            phone, "NOTIFY", number, call, f"SIP/2.0 {code} x\r\n", (event, *OVER)
        )
        assert said.status == 200
        assert leg.transfer_outcome(10) == code
    stranger.hangs_up(phone, call)
    leg.wait_state("disconnected", 10)


def test_a_refer_without_subscription_has_no_outcome(lease: Desk, stranger: Stranger) -> None:
    """RFC 4488 section 4: there is no subscription then. pjsua would report the 202 as a success."""
    phone = lease("transferor")
    leg, call = talking(phone, stranger)
    leg.transfer(f"sip:{VOICE}@{stranger.host}:{stranger.port}")
    stranger.respond(stranger.request("REFER"), 202, [("Refer-Sub", "false")])
    assert leg.transfer_outcome(within=1.0) == 0
    assert not any(isinstance(event, TransferProgress) and event.final for event in leg.events)
    stranger.hangs_up(phone, call)


@pytest.mark.parametrize(
    "beyond",
    [
        pytest.param("?X-Long=" + "x" * 1500, id="a-long-header"),
        pytest.param("?" + "&".join(f"X-{number}=1" for number in range(40)), id="many-headers"),
        pytest.param("".join(f";p{number}" for number in range(60)), id="many-parameters"),
    ],
)
def test_a_long_refer_to_is_followed(own: Desk, stranger: Stranger, beyond: str) -> None:
    """pjsua's check of such a URI ended the process."""
    phone = own("caller")
    _, call = talking(phone, stranger)
    target = f"Refer-To: <sip:1@{stranger.host}:{stranger.port}{beyond}>"
    assert stranger.within(phone, "REFER", 2, call, headers=(target,)).status == 202
    stranger.refuses("486 Busy Here")
    stranger.hangs_up(phone, call)
