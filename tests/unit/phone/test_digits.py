"""Digits from lost, late or repeated telephone-events (RFC 4733), and from the bodies of INFO."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.phone.child.digits import Digits, read_body
from harness.sip.message import Message

KEYS = "0123456789*#ABCD"


@dataclass(frozen=True)
class Packet:
    digit: str
    timestamp: int
    duration_ms: int
    ends: bool


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


class Far:
    """A call's digits, as reported."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.told: list[tuple[str, int, str]] = []
        self.digits = Digits(lambda *digit: self.told.append(digit), self.clock)

    def sends(self, *packets: Packet) -> None:
        for packet in packets:
            self.digits.event(packet.digit, packet.timestamp, packet.duration_ms, ends=packet.ends)

    @property
    def pressed(self) -> str:
        return "".join(digit for digit, _, _ in self.told)


def press(digit: str, timestamp: int, packets: int, ends: int = 3) -> list[Packet]:
    goes_on = [Packet(digit, timestamp, 20 * number, False) for number in range(1, packets)]
    return goes_on + [Packet(digit, timestamp, 20 * packets, True)] * ends


@st.composite
def arrivals(draw: st.DrawFn) -> tuple[str, list[Packet]]:
    """Digits, and their packets as a network delivers them: at least one of each in its order,
    others lost, doubled or late.
    """
    keys = draw(st.text(st.sampled_from(KEYS), min_size=1, max_size=6))
    arrived: list[Packet] = []
    late: list[Packet] = []
    for number, key in enumerate(keys):
        sent = press(key, 1000 + 500 * number, draw(st.integers(2, 12)), draw(st.integers(1, 3)))
        came = draw(st.lists(st.sampled_from(sent), min_size=1, max_size=20))
        arrived.append(came[0])
        for packet in draw(st.permutations(came[1:] + late)):
            (arrived if draw(st.booleans()) else late).append(packet)
        late = [packet for packet in late if packet not in arrived]
    return keys, arrived + late


@given(arrivals())
def test_each_press_is_one_digit_despite_loss_and_reordering(
    drawn: tuple[str, list[Packet]],
) -> None:
    keys, packets = drawn
    far = Far()
    far.sends(*packets)
    far.digits.close()
    assert far.pressed == keys


def test_a_digit_without_end_packets_is_reported_after_silence() -> None:
    far = Far()
    far.sends(*press("5", 1000, 8)[:-3])
    far.digits.tick(0.4)
    assert far.digits.are_open
    assert far.pressed == ""
    far.digits.tick(0.6)
    assert not far.digits.are_open
    assert far.told == [("5", 140, "rfc4733")]
    far.sends(*press("5", 1000, 8)[-3:])  # late beyond measure
    assert far.pressed == "5"


@pytest.mark.parametrize("name", ["Signal", "signal", " SIGNAL "])
@given(
    st.integers(0, 15),
    st.booleans(),
    st.one_of(st.none(), st.integers(0, 5000)),
    st.booleans(),
    st.booleans(),
)
def test_a_dtmf_relay_body_is_read(
    name: str, code: int, by_code: bool, duration: int | None, first: bool, ends: bool
) -> None:
    lines = [f"{name}= {code if by_code else KEYS[code].lower()}"]
    if duration is not None:
        lines.insert(0 if first else 1, f"Duration={duration}")
    assert read_body("\r\n".join(lines) + "\r\n" * ends) == (KEYS[code], duration or 0)


@given(st.integers(0, 15), st.booleans(), st.sampled_from(["", "\n", "\r\n", " \r\n"]))
def test_a_digit_may_be_the_whole_body(code: int, by_code: bool, end: str) -> None:
    assert read_body((str(code) if by_code else KEYS[code]) + end) == (KEYS[code], 0)


@given(st.text(max_size=30))
def test_any_body_is_read_as_a_key_or_none(body: str) -> None:
    found = read_body(body)
    assert found is None or (found[0] in KEYS and found[1] >= 0)


@pytest.mark.parametrize(
    "body", ["", "Duration=160", "Signal=", "Signal=16", "55", "hold", "²", "Signal=ß"]
)
def test_invalid_keys_are_none(body: str) -> None:
    assert read_body(body) is None


def info(number: int, body: str, kind: str = "application/dtmf") -> Message:
    return Message.parse(
        f"INFO sip:a@b SIP/2.0\r\nCSeq: {number} INFO\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    )


def test_repeated_and_late_infos_add_no_digit() -> None:
    far = Far()
    answers = [
        far.digits.info(info(*asked))
        for asked in ((2, "1"), (2, "1"), (4, "1"), (3, "7"), (5, "x"), (5, "x"))
    ]
    assert answers == [200, 200, 200, 500, 400, 400]
    assert far.told == [("1", 0, "info")] * 2
