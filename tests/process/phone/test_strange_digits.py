"""Digits as other stacks and bad networks deliver them to a softphone."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.case.events import DtmfReceived, Event, MediaState
from harness.phone import NeverCame
from harness.phone.protocol import last_lines
from tests.process.phone.conftest import Desk, connect, event_of
from tests.stranger import AUDIO, SESSION, Stranger, answered, port_of

EVENTS = SESSION + AUDIO.replace("AVP 0", "AVP 0 97") + "a=rtpmap:97 telephone-event/8000\n"

#: Digit, timestamp, duration, whether it has ended.
Packet = tuple[int, int, int, bool]
ONE: Sequence[Packet] = [
    (1, 800, 160, False),
    (1, 800, 480, False),
    (1, 800, 640, True),
    (1, 800, 640, True),
]
TWO: Sequence[Packet] = [(2, 8800, 160, False), (2, 8800, 480, True), (2, 8800, 480, True)]


@pytest.mark.parametrize(
    ("packets", "digits", "lasted"),
    [
        pytest.param([ONE[0], ONE[2], ONE[1], ONE[3], *TWO], "12", (80, 60), id="one-is-late"),
        pytest.param([*TWO, *ONE[:2]], "21", (60, 60), id="the-last-ends-are-lost"),
    ],
)
def test_each_press_arrives_once(
    lease: Desk, stranger: Stranger, packets: Sequence[Packet], digits: str, lasted: tuple[int, ...]
) -> None:
    """RFC 4733 section 2.5.1.2: an event is known by its timestamp."""
    phone = lease("callee")
    leg, answer = answered(phone, stranger, EVENTS)
    port = port_of(answer)
    for number, (digit, timestamp, duration, ends) in enumerate(packets, start=1):
        header = struct.pack("!BBHII", 0x80, 97, number, timestamp, 1)
        event = struct.pack("!BBH", digit, 0x8A if ends else 0x0A, duration)
        stranger.rtp.sendto(header + event, (phone.address.rpartition(":")[0], port))
    came: list[DtmfReceived] = []

    def are_all(event: Event) -> bool:
        if isinstance(event, DtmfReceived):
            came.append(event)
        return len(came) == len(digits)

    leg.wait("the digits", are_all, within=10)
    stranger.hangs_up(phone, answer)
    leg.wait_closed(10)
    told = [event for event in leg.events if isinstance(event, DtmfReceived)]
    assert ("".join(event.digit for event in told), tuple(event.duration_ms for event in told)) == (
        digits,
        lasted,
    )


@pytest.mark.parametrize(
    ("kind", "body", "status", "digits"),
    [
        ("application/dtmf-relay", "Signal=5\nDuration=160\n", 200, [("5", 160)]),
        ("Application/DTMF ; charset=utf-8", "11\n", 200, [("#", 0)]),
        ("application/dtmf-relay", "Duration=160\n", 400, []),
    ],
)
def test_digits_by_info_are_read_in_both_forms(
    lease: Desk,
    stranger: Stranger,
    kind: str,
    body: str,
    status: int,
    digits: Sequence[tuple[str, int]],
) -> None:
    phone = lease("callee")
    leg, answer = answered(phone, stranger, EVENTS)
    assert (
        stranger.within(phone, "INFO", 2, answer, body, (f"Content-Type: {kind}",)).status == status
    )
    stranger.hangs_up(phone, answer)
    leg.wait_closed(10)
    told = [event for event in leg.events if isinstance(event, DtmfReceived)]
    assert [(event.digit, event.duration_ms) for event in told] == digits
    assert {event.method for event in told} <= {"info"}


def test_digits_are_sent_for_any_spelling_of_telephone_event(
    lease: Desk, stranger: Stranger
) -> None:
    """An encoding's name has no case (RFC 4855 section 3)."""
    phone = lease("callee")
    leg, answer = answered(phone, stranger, EVENTS.replace("telephone-event", "TELEPHONE-EVENT"))
    leg.wait_state("confirmed", within=10)
    leg.send_digits("1")
    stranger.rtp.settimeout(10)
    while stranger.rtp.recv(1500)[1] & 0x7F != 97:
        pass
    stranger.hangs_up(phone, answer)


@pytest.mark.parametrize("ends", ["hangs up", "offers anew"])
def test_a_stream_that_ends_during_a_digit_leaves_the_bridge_first(
    own: Desk, tmp_path: Path, ends: str
) -> None:
    """Otherwise two threads of pjmedia handle the digit, and the process aborts (once in some
    thousand transfers).
    """
    alice, bob = own("alice", max_calls=own.process_holds), own("bob")
    out, back = connect(alice, bob)
    out.send_digits("1", duration_ms=1000)
    with pytest.raises(NeverCame):
        event_of(back, DtmfReceived, within=0.2)
    if ends == "hangs up":
        back.hangup()
        out.wait_closed(10)
    else:
        back.reinvite(["PCMA"])
        event_of(out, MediaState, codec="PCMA")
    (ring,) = tmp_path.rglob(f"child-{alice.process.pid}.ring")
    said = "\n".join(last_lines(ring, most=400))
    begins = said.index("Sending DTMF digit")
    assert "Removed port" in said[begins : said.index("Stream destroying", begins)]
