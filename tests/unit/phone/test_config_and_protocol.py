"""What a phone is told to be, and what crosses the process border."""

from __future__ import annotations

import dataclasses
import json
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.calls.events import Event, from_values, to_values
from harness.phone import Answer, Early, Mark, PhoneConfig, Reject, Ring, Silence, TlsConfig, Wav
from harness.phone.protocol import Wire, choice_from_plain, choice_to_plain

FULL = PhoneConfig(
    "alice",
    "+12065550101",
    "example.com",
    transport="tls",
    username="alice",
    password="correct-horse",
    tls=TlsConfig(ca_file="ca.pem"),
    codecs=("PCMA",),
    rtp_ports=(20000, 20100),
)


def test_a_configuration_survives_the_border() -> None:
    assert PhoneConfig.from_plain(json.loads(json.dumps(FULL.to_plain()))) == FULL
    plain = PhoneConfig("bob", "102", "example.com")
    assert PhoneConfig.from_plain(json.loads(json.dumps(plain.to_plain()))) == plain


@pytest.mark.parametrize(
    "choice",
    [Mark(), Silence(), Wav("a.wav", loop=True), Ring(), Answer(0.5, (("X-A", "b"),)), Reject(603), Early()],
)
def test_sources_and_policies_survive_the_border(choice: Mark) -> None:
    assert choice_from_plain(json.loads(json.dumps(choice_to_plain(choice)))) == choice


@pytest.fixture
def wires() -> Iterator[tuple[Wire, Wire]]:
    one, two = socket.socketpair()
    ends = Wire(one), Wire(two)
    yield ends
    for end in ends:
        end.close()


def test_messages_arrive_whole_and_in_order(wires: tuple[Wire, Wire]) -> None:
    one, two = wires
    sent = [["tell", "events", {"text": "x" * size, "odd": "\udcff é"}] for size in (0, 1, 70_000, 3)]

    def send() -> None:
        for message in sent:
            one.send(*message)

    sender = threading.Thread(target=send)
    sender.start()
    assert [two.receive(5) for _ in sent] == sent
    sender.join()


def test_an_end_that_closes_is_none_and_one_that_is_silent_a_timeout(wires: tuple[Wire, Wire]) -> None:
    one, two = wires
    with pytest.raises(TimeoutError):
        two.receive(0.01)
    one.close()
    assert two.receive(1) is None
    with pytest.raises(BrokenPipeError):
        two.send("tell")


@pytest.mark.parametrize("raw", [b"\xff\xff\xff\xff", b"\x00\x00\x00\x02{}", b"\x00\x00\x00\x01{"])
def test_nonsense_is_a_value_error(raw: bytes) -> None:
    one, two = socket.socketpair()
    with one:
        one.sendall(raw)
        wire = Wire(two)
        with pytest.raises(ValueError):  # noqa: PT011 - of three kinds
            wire.receive(1)
        wire.close()


@given(
    st.lists(st.text(st.characters(exclude_categories=())), max_size=5), st.integers(-(2**63), 2**64 - 1), st.floats()
)
def test_any_plain_value_survives(texts: list[str], number: int, real: float) -> None:
    one, two = socket.socketpair()
    ends = Wire(one), Wire(two)
    try:
        ends[0].send("done", number, [texts, repr(real), real])
        what, came, (words, spelled, value) = ends[1].receive(1) or []
        assert [what, came, words, spelled, repr(value)] == ["done", number, texts, repr(real), repr(real)]
    finally:
        for end in ends:
            end.close()


@pytest.mark.parametrize(
    "kind", {kind.__name__: kind for kind in Event.__subclasses__()}.values()
)  # with slots it was made twice
def test_every_kind_of_event_survives_the_border(kind: type[Any], wires: tuple[Wire, Wire]) -> None:
    """Whatever its fields hold: each has a value of its own, so that none can take another's place."""
    event = kind(**{field.name: f"\udcff {field.name}" for field in dataclasses.fields(kind)})
    one, two = wires
    one.send("tell", "events", {"events": [to_values(event)]})
    assert from_values((two.receive(5) or [])[2]["events"][0]) == event
    with pytest.raises(ValueError, match="zip"):
        from_values(to_values(event)[:-1])
