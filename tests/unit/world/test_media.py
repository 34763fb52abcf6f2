"""Packets, ports, relay, digits, and their impairments."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.sip.offer_answer import NoAgreementError
from harness.sip.sdp import G722, PCMA, PCMU, Description, SdpError
from harness.world.media import digits, sound
from harness.world.media.leg import LegMedia, couple, encrypted
from harness.world.media.rtp import Packet, RtpPort
from harness.world.media.sound import Ticker
from harness.world.platform import impairments
from tests.unit.world.media_peer import ADDRESS, Peer, packet


@given(
    st.builds(
        Packet,
        st.integers(0, 127),
        st.integers(0, 0xFFFF),
        st.integers(0, 0xFFFFFFFF),
        st.integers(0, 0xFFFFFFFF),
        st.binary(max_size=300),
        st.booleans(),
    )
)
def test_a_packet_survives_the_wire(original: Packet) -> None:
    assert Packet.parse(bytes(original)) == original


@given(st.binary(max_size=80))
def test_any_octets_are_a_packet_or_none(data: bytes) -> None:
    found = Packet.parse(data)
    assert found is None or len(found.payload) <= len(data)


def test_csrc_extension_and_padding_are_no_payload() -> None:
    head = bytes([0x80 | 0x20 | 0x10 | 1, 0, 0, 1]) + bytes(8)
    data = head + bytes(4) + b"\xbe\xde\x00\x01" + bytes(4) + b"sound" + b"\x00\x00\x03"
    found = Packet.parse(data)
    assert found is not None
    assert found.payload == b"sound"


# -- ports


def run(script: Callable[[RtpPort, Peer, Peer], Awaitable[None]]) -> None:
    async def main() -> None:
        port, one, other = RtpPort(ADDRESS), Peer(), Peer()
        try:
            await script(port, one, other)
        finally:
            port.close()
            assert port.closed
            one.socket.close()
            other.socket.close()

    asyncio.run(main())


async def until(fulfilled: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not fulfilled():  # noqa: ASYNC110 - a counter has no event to wait for
            await asyncio.sleep(0)


def test_a_port_is_even_and_sends_to_where_packets_come_from() -> None:
    async def script(port: RtpPort, announced: Peer, real: Peer) -> None:
        assert port.port % 2 == 0
        port.aim(ADDRESS, announced.port)
        real.send(bytes(packet()), port)
        await until(lambda: port.received == 1)
        port.send(bytes(packet(2)))
        assert (await real.receive()).sequence == 2

    run(script)


def test_the_announced_address_wins_over_a_stray_source() -> None:
    async def script(port: RtpPort, announced: Peer, stray: Peer) -> None:
        port.aim(ADDRESS, announced.port)
        stray.send(bytes(packet()), port)
        await until(lambda: port.received == 1)
        announced.send(bytes(packet()), port)
        await until(lambda: port.received == 2)
        stray.send(bytes(packet()), port)
        announced.send(bytes(packet()), port)
        await until(lambda: port.received == 3)
        port.send(bytes(packet(9)))
        assert (await announced.receive()).sequence == 9

    run(script)


def test_nothing_leaves_this_machine() -> None:
    async def script(port: RtpPort, one: Peer, other: Peer) -> None:
        port.aim("10.0.0.10", 4000)
        assert port.remote is None
        port.send(bytes(packet()))
        assert port.sent == 0

    run(script)


def test_a_new_source_goes_on_where_the_last_one_was() -> None:
    async def script(port: RtpPort, one: Peer, other: Peer) -> None:
        port.aim(ADDRESS, one.port)
        sent = [packet(65535, ssrc=1), packet(40, ssrc=2), packet(41, ssrc=2), packet(43, ssrc=2)]
        for each in sent:
            port.send(bytes(each))
        got = [await one.receive() for _ in sent]
        assert [p.sequence for p in got] == [65535, 0, 1, 3]  # what was lost on the way stays lost
        assert [p.ssrc for p in got] == [1, 2, 2, 2]
        assert [p.marker for p in got] == [False, True, False, False]
        assert got[2].timestamp - got[1].timestamp == 160

    run(script)


# -- offer and answer of a leg


def with_legs(script: Callable[[LegMedia, LegMedia], Awaitable[None]]) -> None:
    async def main() -> None:
        a, b = LegMedia(ADDRESS), LegMedia(ADDRESS)
        try:
            await script(a, b)
        finally:
            a.close()
            b.close()

    asyncio.run(main())


OFFER = (
    b"v=0\r\no=phone 1 1 IN IP4 127.0.0.9\r\ns=-\r\nc=IN IP4 127.0.0.9\r\nt=0 0\r\n"
    b"m=audio 4000 RTP/AVP 9 0 8 96\r\na=rtpmap:96 telephone-event/8000\r\na=rtcp:4001\r\na=sendrecv\r\n"
    b"m=video 4002 RTP/AVP 99\r\n"
)


def test_an_offer_passes_with_its_own_address_g711_only_and_no_video() -> None:
    async def script(a: LegMedia, b: LegMedia) -> None:
        passed = Description.parse(b.pass_on(a.learn(OFFER)))
        audio = passed.audio
        assert audio is not None
        assert passed.rtp == (ADDRESS, b.port.port)
        assert [codec.name for codec in audio.codecs] == ["PCMU", "PCMA", "telephone-event"]
        assert [media.port for media in passed.media] == [b.port.port, 0]
        assert b"127.0.0.9" not in bytes(passed)
        assert a.port.remote == ("127.0.0.9", 4000)

    with_legs(script)


def test_an_answer_names_one_codec() -> None:
    async def script(a: LegMedia, b: LegMedia) -> None:
        a.learn(OFFER)
        answered = Description.parse(a.answer(OFFER))
        assert answered.audio is not None
        assert [codec.name for codec in answered.audio.codecs] == ["PCMU", "telephone-event"]
        assert a.codec is not None
        assert (a.codec.name, a.event_type, sorted(a.voice_types)) == ("PCMU", 96, [0])

    with_legs(script)


def test_offers_without_agreement_raise() -> None:
    async def script(a: LegMedia, b: LegMedia) -> None:
        with pytest.raises(NoAgreementError):
            a.answer(b.offer((G722,)))
        with pytest.raises(NoAgreementError):
            a.answer(encrypted(b.offer()))
        with pytest.raises(SdpError):
            a.pass_on(Description.parse(b.offer((G722,))))
        with pytest.raises(SdpError):
            a.learn(b"v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\ns=-\r\nt=0 0\r\n")

    with_legs(script)


def test_payload_types_are_renumbered_where_the_legs_differ() -> None:
    async def script(a: LegMedia, b: LegMedia) -> None:
        a.learn(OFFER)
        a.answer(OFFER)  # a's peer numbers digits 96
        b.offer((PCMU, PCMA))
        b.learn(OFFER.replace(b" 96\r\n", b" 120\r\n").replace(b":96 ", b":120 ").replace(b"4000", b"4100"))
        got: list[bytes] = []
        b.port.send = got.append  # type: ignore[method-assign, assignment]
        couple(a, b)
        assert a.port.on_packet is not None
        for number in (0, 96, 13):
            a.port.on_packet(bytes(packet(payload_type=number)))
        assert [Packet.parse(data).payload_type for data in got] == [0, 120, 13]  # type: ignore[union-attr]

    with_legs(script)


def test_an_uncoupled_relay_leaves_a_port_that_was_coupled_anew() -> None:
    async def script(a: LegMedia, b: LegMedia) -> None:
        old, new = couple(a, b), couple(a, b)
        handler = a.port.on_packet
        old.uncouple()
        assert a.port.on_packet is handler
        new.uncouple()
        assert a.port.on_packet is None

    with_legs(script)


# -- digits


def test_each_telephone_event_is_reported_once_with_its_length() -> None:
    receiver, told, timestamp = digits.EventReceiver(), [], 1000
    for sent in digits.event_packets("1*D", 160):
        if sent is None:
            continue
        payload, start, marker = sent
        digit = receiver.take(Packet(101, 0, timestamp + start, 1, payload, marker))
        told += [digit] if digit else []
    assert [(d.digit, d.duration_ms, d.method) for d in told] == [(c, 100, "rfc4733") for c in "1*D"]


@pytest.mark.parametrize(
    ("content_type", "body", "digit"),
    [
        ("application/dtmf-relay", b"Signal=5\r\nDuration=160\r\n", ("5", 160)),
        ("application/dtmf-relay", b"Signal= #\nDuration= 90\n", ("#", 90)),
        ("application/dtmf", b"a", ("A", 0)),
        ("application/dtmf-relay", b"Signal=12\r\n", None),
        ("application/dtmf", b"", None),
        ("text/plain", b"5", None),
        (*digits.info_of_digit("7"), ("7", 100)),
    ],
)
def test_digits_of_info(content_type: str, body: bytes, digit: tuple[str, int] | None) -> None:
    found = digits.digit_of_info(content_type, body)
    assert (found and (found.digit, found.duration_ms)) == digit


def test_an_info_of_nothing_but_lines_takes_no_time() -> None:
    began = time.process_time()
    assert digits.digit_of_info("application/dtmf-relay", b"\n" * 60_000) is None
    assert time.process_time() - began < 0.4


# -- impairments_between


def through(impairment: Callable[[bytes, Callable[[bytes], None]], None], count: int) -> list[Packet]:
    got: list[bytes] = []
    for sequence in range(count):
        impairment(bytes(packet(sequence)), got.append)
    return [found for data in got if (found := Packet.parse(data)) is not None]


def test_loss_has_the_given_rate_and_comes_in_bursts() -> None:
    got = [p.sequence for p in through(impairments.lossy(0.3), 10000)]
    assert 0.27 < 1 - len(got) / 10000 < 0.33
    gaps = [b - a - 1 for a, b in itertools.pairwise(got) if b - a > 1]
    assert 2.5 < sum(gaps) / len(gaps) < 3.5


def test_blocking_begins_after_its_time() -> None:
    now = [0.0]
    impairment = impairments.blocked_after(10.0, lambda: now[0])
    assert len(through(impairment, 3)) == 3
    now[0] = 10.5
    assert through(impairment, 3) == []
    assert through(impairments.blocked, 3) == []


def test_crossed_audio_is_a_foreign_mark_and_noise_is_no_mark() -> None:
    crossed = through(impairments.crossed(), 4)
    period = sound.mark(impairments.FOREIGN_MARK, "PCMU")
    assert [p.payload for p in crossed] == list(period[1:5])
    assert [p.sequence for p in crossed] == [0, 1, 2, 3]
    original = bytes(range(160))
    got: list[bytes] = []
    impairments.noise(bytes(packet(payload=original)), got.append)
    noisy = Packet.parse(got[0])
    assert noisy is not None
    assert noisy.payload != original


def test_digits_are_not_impaired_with_the_sound() -> None:
    got: list[bytes] = []
    event = bytes(packet(payload_type=101, payload=b"\x01\x0a\x00\xa0"))
    impairments.noise(event, got.append)
    assert got == [event]


# -- sounds and clock


def test_the_ticker_survives_a_bad_subscriber_and_says_when_audio_stood_still() -> None:
    async def main() -> None:
        ticker, good, bad = Ticker(), [0], [0]

        def works() -> None:
            good[0] += 1
            if good[0] == 2:
                time.sleep(0.3)

        def fails() -> None:
            bad[0] += 1
            raise ValueError

        ticker.add(works)
        ticker.add(fails)
        await until(lambda: good[0] >= 5)
        ticker.stop()
        assert bad[0] == 1
        assert max(end - begin for begin, end in ticker.stood_still) >= 0.25

    asyncio.run(main())
