"""What other stacks may send a softphone, and pjsua2's own phones never do."""

from __future__ import annotations

import contextlib
import itertools
import socket
import struct
import threading
from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from harness.audio import g711, marks
from harness.errors import PhoneDeafError
from harness.events import MarkHeard, MediaState, RtpStatistics, SipMessage
from harness.phone import refer
from harness.phone.leg import Leg
from harness.phone.phone import Phone
from harness.phone.waiter import NeverCame
from harness.sip.message import Message, Request, Response
from tests.process.phone.conftest import Desk, fresh_address

VOICE = 240
SESSION = "v=0\no=- 1 1 IN IP4 {host}\ns=-\nc=IN IP4 {host}\nt=0 0\n"
VIDEO = "m=video 5000 RTP/AVP 96\na=rtpmap:96 H264/90000\n"
AUDIO = "m=audio {port} RTP/AVP 0\n"
KEY = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz\n"
ENCRYPTED = f"m=audio 5002 RTP/SAVP 0\n{KEY}"


class Stranger:
    """Calls a phone, message by message."""

    def __init__(self, host: str) -> None:
        self.sip = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.rtp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for sock in (self.sip, self.rtp):
            sock.bind((host, 0))
            sock.settimeout(5.0)
        self.host, self.port = self.sip.getsockname()
        self._ended = threading.Event()
        self._speaker: threading.Thread | None = None

    def calls(self, phone: Phone, offer: str) -> Response:
        """The final response to an INVITE with that offer, acknowledged; ``{host}`` and ``{port}`` are filled in."""
        body = offer.format(host=self.host, port=self.rtp.getsockname()[1])
        answer = self._asks(phone, "INVITE", 1, body)
        self._send(phone, "ACK", 1, to=answer)
        return answer

    def is_referred(self, phone: Phone, call: Response, steps: Sequence[str]) -> None:
        """Accept a REFER; then BYE, or a NOTIFY with that status line, ``…`` at its end while the subscription goes on."""
        refer, sender = self._request("REFER")
        self.sip.sendto(Response.to_request(refer, 202).serialize(), sender)
        for number, step in enumerate(steps, start=2):
            if step == "BYE":
                self._asks(phone, "BYE", number, to=call)
                continue
            state = "active" if step.endswith("…") else "terminated;reason=noresource"
            headers = ("Event: refer", f"Subscription-State: {state}", "Content-Type: message/sipfrag")
            self._asks(phone, "NOTIFY", number, f"SIP/2.0 {step.strip('…')}\n", call, headers)

    def hangs_up(self, phone: Phone, answer: Response) -> Response:
        return self._asks(phone, "BYE", 2, to=answer)

    def refuses(self, line: str, *headers: tuple[str, str]) -> None:
        """Refuse the next INVITE."""
        invite, sender = self._request("INVITE")
        status, _, reason = line.partition(" ")
        answer = Response.to_request(invite, int(status), reason, tag="stranger", headers=headers)
        self.sip.sendto(answer.serialize(), sender)

    def speaks_to(self, port: int, phone: Phone, by: socket.socket | None = None) -> None:
        """Its mark, from now on, from the port its SDP names or from another."""
        host = phone.address.rpartition(":")[0]
        target = ((host, port), by or self.rtp)
        self._speaker = threading.Thread(target=self._speak, args=target, name="stranger speaks")
        self._speaker.start()

    def _speak(self, to: tuple[str, int], by: socket.socket) -> None:
        voice = g711.encode_ulaw(np.rint(marks.waveform(VOICE, 8000) * 32767).astype(np.int16))
        for number in itertools.count():
            begin = number * 160 % len(voice)
            header = struct.pack("!BBHII", 0x80, 0, number & 0xFFFF, number * 160, 1)
            by.sendto(header + voice[begin : begin + 160], to)
            if self._ended.wait(0.02):
                return

    def _request(self, method: str) -> tuple[Request, tuple[str, int]]:
        while True:
            data, sender = self.sip.recvfrom(65536)
            message = Message.parse(data)
            if isinstance(message, Request) and message.method == method:
                return message, sender

    def _asks(
        self,
        phone: Phone,
        method: str,
        number: int,
        body: str = "",
        to: Response | None = None,
        headers: Sequence[str] = ("Content-Type: application/sdp",),
    ) -> Response:
        self._send(phone, method, number, body, to, headers)
        while True:
            message = Message.parse(self.sip.recv(65536))
            if isinstance(message, Response) and message.status >= 200 and message.cseq.method == method:
                return message

    def _send(
        self,
        phone: Phone,
        method: str,
        number: int,
        body: str = "",
        to: Response | None = None,
        headers: Sequence[str] = (),
    ) -> None:
        uri = f"sip:{phone.config.user}@{phone.address}"
        lines = [
            f"{method} {uri} SIP/2.0",
            f"Via: SIP/2.0/UDP {self.host}:{self.port};branch=z9hG4bK-{method}-{number}-{self.port}",
            "Max-Forwards: 70",
            f"From: <sip:stranger@{self.host}:{self.port}>;tag=1",
            f"To: {to.get('To') if to else f'<{uri}>'}",
            f"Call-ID: {self.host}-{self.port}",
            f"CSeq: {number} {method}",
            f"Contact: <sip:stranger@{self.host}:{self.port}>",
            *(headers if body else ()),
        ]
        text = body.replace("\n", "\r\n")
        message = "\r\n".join([*lines, f"Content-Length: {len(text)}", "", text])
        host, port = phone.address.rsplit(":", 1)
        self.sip.sendto(message.encode(), (host, int(port)))

    def falls_silent(self) -> None:
        self._ended.set()
        if self._speaker is not None:
            self._speaker.join()

    def close(self) -> None:
        self.falls_silent()
        self.sip.close()
        self.rtp.close()


@pytest.fixture
def stranger() -> Iterator[Stranger]:
    with contextlib.closing(Stranger(fresh_address())) as stranger:
        yield stranger


def answered(phone: Phone, stranger: Stranger, offer: str) -> tuple[Leg, Response]:
    """The stranger's call, once the phone has answered it."""
    ring = threading.Thread(target=phone.expect_call, args=(5.0,), kwargs={"answer": True})
    ring.start()
    answer = stranger.calls(phone, offer)
    ring.join()
    (leg,) = phone.incoming
    return leg, answer


@pytest.mark.parametrize(
    ("offer", "srtp"),
    [
        pytest.param(SESSION + VIDEO + AUDIO, "off", id="video-before-audio"),
        pytest.param(SESSION + AUDIO + VIDEO, "off", id="video-behind-audio"),
        pytest.param(SESSION + ENCRYPTED + AUDIO, "off", id="the-second-of-two-ways-to-audio"),
        pytest.param(SESSION + AUDIO + VIDEO.replace("AVP", "SAVP") + KEY, "optional", id="encrypted-video-alone"),
    ],
)
def test_audio_is_taken_wherever_it_stands_in_the_offer(lease: Desk, stranger: Stranger, offer: str, srtp: str) -> None:
    """RFC 3264 section 6: what the answer refuses keeps its place, with port 0. A key belongs to its own stream alone."""
    phone = lease("callee", srtp=srtp)
    leg, answer = answered(phone, stranger, offer)
    media = [line for line in answer.body.decode().splitlines() if line.startswith("m=")]
    (port,) = (int(line.split()[1]) for line in media if line.split()[1] != "0")
    assert [line.split()[0] for line in media] == [line.split()[0] for line in offer.splitlines() if line[:2] == "m="]
    stranger.speaks_to(port, phone)
    leg.wait("the stranger's mark", lambda e: isinstance(e, MarkHeard) and e.mark == VOICE, within=4)
    state = [event for event in leg.events if isinstance(event, MediaState)][-1]
    assert (state.active, state.codec, state.secure) == (True, "PCMU", False)
    assert stranger.hangs_up(phone, answer).status == 200
    leg.wait_closed(4)


def test_packets_of_another_codec_are_told(lease: Desk, stranger: Stranger) -> None:
    phone = lease("callee", codecs=("PCMA",))
    leg, answer = answered(phone, stranger, SESSION + AUDIO.replace("AVP 0", "AVP 8"))
    (port,) = (int(line.split()[1]) for line in answer.body.decode().splitlines() if line.startswith("m="))
    stranger.speaks_to(port, phone)  # in mu-law all the same
    counted = leg.wait("counters", lambda e: isinstance(e, RtpStatistics) and e.rx_other_type > 10, within=4)
    assert isinstance(counted, RtpStatistics)
    assert counted.rx_other_type >= 0.9 * counted.rx_packets
    assert not any(isinstance(event, MarkHeard) for event in leg.events)
    assert stranger.hangs_up(phone, answer).status == 200


def test_rtp_goes_where_the_sdp_says_wherever_the_far_ends_comes_from(lease: Desk, stranger: Stranger) -> None:
    """RFC 3264 section 5.1; that both are the same (RFC 4961) is a recommendation."""
    phone = lease("callee")
    leg, answer = answered(phone, stranger, SESSION + AUDIO)
    (port,) = (int(line.split()[1]) for line in answer.body.decode().splitlines() if line.startswith("m="))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as elsewhere:
        elsewhere.bind((stranger.host, 0))
        elsewhere.setblocking(False)
        stranger.speaks_to(port, phone, elsewhere)
        leg.wait("the stranger's mark", lambda e: isinstance(e, MarkHeard) and e.mark == VOICE, within=4)
        for _ in range(100):  # two seconds of the phone's own, counted from the beginning
            stranger.rtp.recv(2048)
        stranger.falls_silent()
        with pytest.raises(BlockingIOError):
            elsewhere.recv(2048)
    assert stranger.hangs_up(phone, answer).status == 200


@pytest.mark.parametrize(
    ("challenge", "error", "words"),
    [
        # any scheme is legal (RFC 3261 section 25.1, other-challenge), so that the phone is at fault
        ('NTLM realm="x", targetname="y", version=4', PhoneDeafError, "though it is in order: PJSIP syntax error"),
        ('Basic realm="x"', NeverCame, "asks for Basic, which no server may"),
        ('Digest realm="x", nonce="1", Digest realm="y", nonce="2"', NeverCame, "several challenges share one"),
    ],
)
def test_what_the_stack_cannot_read_has_come_all_the_same(
    lease: Desk, stranger: Stranger, challenge: str, error: type[Exception], words: str
) -> None:
    phone = lease("caller")
    leg = phone.dial(f"sip:{VOICE}@{stranger.host}:{stranger.port}")
    stranger.refuses("407 Proxy Authentication Required", ("Proxy-Authenticate", challenge))
    with pytest.raises(error, match=words):
        leg.wait_state("confirmed", 1)
    (unread,) = (event for event in leg.events if isinstance(event, SipMessage) and event.unread)
    assert (unread.direction, unread.transport, unread.remote) == (
        "received",
        "udp",
        f"{stranger.host}:{stranger.port}",
    )
    assert unread.text.startswith("SIP/2.0 407 ")
    assert unread not in leg.messages


@pytest.mark.parametrize(
    ("steps", "status"),
    [
        (["200 OK"], 200),
        (["100 Trying…", "BYE", "480 Temporarily Unavailable"], 480),  # a usage of its own: RFC 5057 section 4.1
        (["BYE", "200 OK"], 200),
        (["603 Decline…"], 603),  # final, though the subscription goes on
        (["100 Trying…", "BYE"], 0),
        (["100 Trying"], 100),  # given up
    ],
)
def test_what_became_of_a_transfer(lease: Desk, stranger: Stranger, steps: Sequence[str], status: int) -> None:
    phone = lease("transferor")
    leg, call = answered(phone, stranger, SESSION + AUDIO)
    leg.wait_state("confirmed", 3)
    leg.transfer(f"sip:{VOICE}@{stranger.host}:{stranger.port}")
    stranger.is_referred(phone, call, steps)
    assert refer.outcome(leg, within=1.0) == status
