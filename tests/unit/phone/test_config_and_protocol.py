"""Messages between a phone's process and its parent."""

from __future__ import annotations

import dataclasses
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.case.events import Event, from_values, to_values
from harness.phone.protocol import Wire


@pytest.fixture
def wires() -> Iterator[tuple[Wire, Wire]]:
    one, two = socket.socketpair()
    ends = Wire(one), Wire(two)
    yield ends
    for end in ends:
        end.close()


@pytest.mark.parametrize("raw", [b"\xff\xff\xff\xff", b"\x00\x00\x00\x02{}", b"\x00\x00\x00\x01{"])
def test_an_invalid_message_is_a_value_error(raw: bytes) -> None:
    one, two = socket.socketpair()
    with one:
        one.sendall(raw)
        wire = Wire(two)
        with pytest.raises(ValueError):  # noqa: PT011 - of three kinds
            wire.receive(1)
        wire.close()


@given(
    st.lists(st.text(st.characters(exclude_categories=())), max_size=5),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(),
)
def test_any_plain_value_survives(texts: list[str], number: int, real: float) -> None:
    one, two = socket.socketpair()
    ends = Wire(one), Wire(two)
    try:
        ends[0].send("done", number, [texts, repr(real), real])
        what, came, (words, spelled, value) = ends[1].receive(1) or []
        assert [what, came, words, spelled, repr(value)] == [
            "done",
            number,
            texts,
            repr(real),
            repr(real),
        ]
    finally:
        for end in ends:
            end.close()


@pytest.mark.parametrize(
    "kind", {kind.__name__: kind for kind in Event.__subclasses__()}.values()
)  # with slots it was made twice
def test_every_kind_of_event_survives_the_border(kind: type[Any], wires: tuple[Wire, Wire]) -> None:
    """Each field has a different value, so that swapped fields are noticed."""
    event = kind(**{field.name: f"\udcff {field.name}" for field in dataclasses.fields(kind)})
    one, two = wires
    one.send("tell", "events", {"events": [to_values(event)]})
    assert from_values((two.receive(5) or [])[2]["events"][0]) == event
    with pytest.raises(ValueError, match="zip"):
        from_values(to_values(event)[:-1])
