"""RTP is heard from where the call's SDP and signalling say alone, and the far end's own account of
ours is told.
"""

from __future__ import annotations

import contextlib
import itertools
import socket
import struct
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

from harness.case.events import FarEndReport, ForeignRtp, MarkHeard, RtpStatistics
from harness.phone.leg import Leg
from harness.phone.phone import Phone
from harness.phone.waiter import NeverCame
from harness.scenario.call import Call
from tests.loopback import fresh_address
from tests.process.phone.conftest import Desk, event_of
from tests.stranger import AUDIO, SESSION, VOICE, Stranger, answered, port_of, rtp_of, talking

KEY = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz\n"

SENDER_REPORT = 200
_SINCE_1900 = 2_208_988_800  # seconds of NTP before those of Unix (RFC 3550 section 4)


def test_rtp_of_a_stranger_is_neither_heard_nor_counted(lease: Desk, stranger: Stranger) -> None:
    """Else whoever finds the port proves a call whose own audio never came."""
    phone = lease("callee")
    leg, answer = talking(phone, stranger)
    with contextlib.closing(Stranger(fresh_address())) as other:
        other.speaks_to(port_of(answer), phone)
        told = leg.wait("foreign RTP", lambda e: isinstance(e, ForeignRtp) and e.packets > 30, 10)
        assert isinstance(told, ForeignRtp)
        host, port = other.rtp.getsockname()
        assert told.source == f"{host}:{port}"
    counted = leg.statistics()
    assert counted is not None
    assert counted.rx_packets == 0
    assert not any(isinstance(event, MarkHeard) for event in leg.events)
    stranger.speaks_to(port_of(answer), phone)
    event_of(leg, MarkHeard, mark=VOICE)
    stranger.hangs_up(phone, answer)


def test_media_from_the_signalling_s_host_where_the_sdp_names_another(
    lease: Desk, stranger: Stranger
) -> None:
    """As of a platform that advertises a media address which is not its own: it is heard, and hears
    nothing.
    """
    phone = lease("callee")
    offer = SESSION.replace("c=IN IP4 {host}", f"c=IN IP4 {fresh_address()}") + AUDIO
    leg, answer = answered(phone, stranger, offer)
    stranger.speaks_to(port_of(answer), phone)
    event_of(leg, MarkHeard, mark=VOICE)
    counted = leg.statistics()
    assert counted is not None
    assert counted.rx_elsewhere == stranger.host
    stranger.hangs_up(phone, answer)


def test_rtp_that_the_keys_do_not_fit_is_not_no_rtp(lease: Desk, stranger: Stranger) -> None:
    """A far end that has agreed on SRTP and sends RTP, or encrypts with another key than its SDP
    names: no path is to blame.
    """
    phone = lease("callee", srtp="mandatory")
    leg, answer = answered(phone, stranger, SESSION + AUDIO.replace("RTP/AVP", "RTP/SAVP") + KEY)
    since = time.monotonic()
    context: Any = SimpleNamespace()
    assert Call(context, leg, "callee").account(since).undeciphered_from == ""
    stranger.speaks_to(port_of(answer), phone)
    leg.wait("its RTP", lambda e: isinstance(e, RtpStatistics) and bool(e.undeciphered_from), 10)
    account = Call(context, leg, "callee").account(since)
    host, port = stranger.rtp.getsockname()
    assert (account.rx_packets, account.undeciphered_from) == (0, f"{host}:{port}")
    stranger.hangs_up(phone, answer)


def test_who_speaks_from_another_port_is_heard_at_once(lease: Desk, stranger: Stranger) -> None:
    """As behind a NAT that binds anew (RFC 4961 only recommends one port); pjmedia drops the first
    nine packets of another source.
    """
    phone = lease("callee")
    leg, answer = talking(phone, stranger)
    target, pace, numbers = (
        (phone.address.rpartition(":")[0], port_of(answer)),
        threading.Event(),
        itertools.count(),
    )

    def is_heard(mark: int, by: socket.socket, packets: int) -> bool:
        for packet in rtp_of(mark, itertools.islice(numbers, packets)):
            by.sendto(packet, target)
            pace.wait(0.02)
        with contextlib.suppress(NeverCame):
            event_of(leg, MarkHeard, within=5, mark=mark)
            return True
        return False

    assert is_heard(VOICE, stranger.rtp, 20)
    with contextlib.ExitStack() as stack:
        others = [
            stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(4)
        ]
        for other in others:
            other.bind((stranger.host, 0))
        # a busy machine may tear nine packets apart, so that they hold no mark: none of four is
        # then heard only where they are dropped
        assert any(is_heard(VOICE + 1 + number, other, 9) for number, other in enumerate(others))
    stranger.hangs_up(phone, answer)


def reported(leg: Leg, received: int) -> FarEndReport:
    event = leg.wait(
        "a report", lambda e: isinstance(e, FarEndReport) and e.received >= received, 20
    )
    assert isinstance(event, FarEndReport)
    return event


def bound(host: str) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind((host, 0))
    return made


class Reporter:
    """Sends RTCP to the port above a phone's RTP port."""

    def __init__(self, stranger: Stranger, phone: Phone, port: int) -> None:
        self._target = (phone.address.rpartition(":")[0], port + 1)
        self._stranger = stranger
        _, _, self.sequence, _, self.ssrc = struct.unpack_from("!BBHII", stranger.rtp.recv(2048))

    def says_goodbye(self, by: socket.socket) -> None:
        """BYE for the source that the phone hears (RFC 3550 section 6.6)."""
        by.sendto(struct.pack("!BBHI", 0x81, 203, 1, 1), self._target)

    def says(
        self,
        ssrc: int | None,
        highest: int = 0,
        lost: int = 0,
        by: socket.socket | None = None,
        round_trip_s: int = 0,
    ) -> None:
        """A receiver's report; without a block for ``None``."""
        seen = (
            int(time.time() - round_trip_s) + _SINCE_1900 << 16 & 0xFFFFFFFF if round_trip_s else 0
        )
        block = (
            b""
            if ssrc is None
            else struct.pack("!IIIIII", ssrc, lost, highest, 80, seen, bool(seen))
        )
        header = struct.pack("!BBHI", 0x80 | bool(block), 201, 1 + len(block) // 4, 5)
        with contextlib.closing(bound(self._stranger.host)) as own:
            (by or own).sendto(header + block, self._target)


@pytest.mark.parametrize("forged", [False, True])
def test_a_report_on_no_packets_grows_by_nothing(
    lease: Desk, stranger: Stranger, forged: bool
) -> None:
    phone = lease("callee")
    leg, answer = talking(phone, stranger)
    reporter = Reporter(stranger, phone, port_of(answer))
    reporter.says(
        reporter.ssrc ^ 1 if forged else None, highest=reporter.sequence + 50
    )  # who never saw our stream
    event = reported(leg, 0)
    assert (event.names_us, event.received, event.lost) == (False, 0, 0)
    assert event.sent > 0
    reporter.says(reporter.ssrc, highest=reporter.sequence + 9, lost=4)
    event = reported(leg, 1)
    assert (event.names_us, event.received, event.lost, event.jitter_ms) == (True, 6, 4, 10.0)
    since = time.monotonic()
    reporter.says(None)
    later = event_of(leg, FarEndReport, since=since)
    assert (later.names_us, later.received) == (False, 6)
    stranger.hangs_up(phone, answer)


def test_reports_of_a_stranger_count_for_nothing_and_have_no_answer(
    lease: Desk, stranger: Stranger
) -> None:
    """pjmedia takes them from anywhere and on any source, and sends its own to who sends it three:
    the SSRC stands in them.
    """
    phone = lease("callee")
    with (
        contextlib.closing(Stranger(fresh_address())) as other,
        contextlib.closing(bound(stranger.host)) as own,
    ):
        leg, answer = answered(
            phone, stranger, SESSION + AUDIO + f"a=rtcp:{own.getsockname()[1]}\n"
        )
        reporter = Reporter(stranger, phone, port_of(answer))
        for _ in range(5):
            reporter.says(None, by=other.rtp)
            reporter.says(reporter.ssrc ^ 1, lost=99, by=other.rtp, round_trip_s=8)
        reporter.says(reporter.ssrc, highest=reporter.sequence + 9, by=own)
        first = event_of(leg, FarEndReport)
        assert (first.names_us, first.received) == (True, 10)
        counted = leg.statistics()
        assert counted is not None
        assert counted.rtt_ms == 0.0
        own.settimeout(20)
        while (
            own.recv(2048)[1] != SENDER_REPORT
        ):  # the first, before it has sent anything, is a receiver's
            pass
        other.rtp.setblocking(False)
        with pytest.raises(BlockingIOError):
            other.rtp.recv(2048)
        stranger.hangs_up(phone, answer)


def test_a_goodbye_by_rtcp_ends_neither_call_nor_stream(lease: Desk, stranger: Stranger) -> None:
    """RFC 3261 section 15: a session is ended by SIP's BYE; RTCP's (RFC 3550 section 6.6) anybody
    can send.
    """
    phone = lease("callee")
    leg, answer = talking(phone, stranger)
    stranger.speaks_to(port_of(answer), phone)
    event_of(leg, MarkHeard, mark=VOICE)
    reporter = Reporter(stranger, phone, port_of(answer))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as elsewhere:
        elsewhere.bind((fresh_address(), 0))
        for by in (elsewhere, stranger.rtp):
            reporter.says_goodbye(by)
    before = leg.statistics()
    assert before is not None
    leg.wait(
        "more packets",
        lambda e: isinstance(e, RtpStatistics) and e.rx_packets > before.rx_packets + 50,
        within=10,
    )
    assert leg.state == "confirmed"
    stranger.hangs_up(phone, answer)
