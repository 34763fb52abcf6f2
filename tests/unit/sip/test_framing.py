"""Streams cut into messages."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.sip.framing import PING, FramingError, StreamFramer


def message(body: bytes, name: bytes = b"Content-Length") -> bytes:
    return b"MESSAGE sip:x SIP/2.0\r\n" + name + b": " + str(len(body)).encode() + b"\r\n\r\n" + body


@given(
    st.lists(st.one_of(st.binary(max_size=40).map(message), st.just(PING)), max_size=6),
    st.lists(st.integers(1, 30), min_size=1),
)
def test_however_the_segments_fall(parts: list[bytes], sizes: list[int]) -> None:
    framer, stream, found = StreamFramer(), b"".join(parts), list[bytes]()
    position = 0
    for turn in range(len(stream) + 1):
        step = sizes[turn % len(sizes)]
        found += framer.feed(stream[position : position + step])
        position += step
    assert found == parts
    assert list(framer.feed(PING)) == [PING]  # nothing of it was held back


def test_pongs_and_stray_line_breaks_are_swallowed() -> None:
    framer = StreamFramer()
    assert list(framer.feed(b"\r\n" + message(b"a") + b"\r\n")) == [message(b"a")]
    assert list(framer.feed(message(b"b"))) == [message(b"b")]


@pytest.mark.parametrize("line_break", [b"\r", b"\n"])
def test_many_line_breaks_take_no_longer_by_the_square(line_break: bytes) -> None:
    framer, began = StreamFramer(), time.process_time()
    assert list(framer.feed(line_break * 1_000_000)) == []
    assert time.process_time() - began < 2
    assert list(framer.feed(b"\n" + message(b"a"))) == [message(b"a")]


@pytest.mark.parametrize("name", [b"content-length", b"L", b"l ", b"CONTENT-LENGTH  "])
def test_the_header_may_be_spelt_as_it_likes(name: bytes) -> None:
    assert list(StreamFramer().feed(message(b"body", name))) == [message(b"body", name)]


def test_a_folded_length() -> None:
    raw = b"MESSAGE sip:x SIP/2.0\r\nContent-Length:\r\n 2\r\n\r\nhi"
    assert list(StreamFramer().feed(raw)) == [raw]


@pytest.mark.parametrize(
    "raw",
    [
        b"MESSAGE sip:x SIP/2.0\r\nTo: x\r\n\r\n",
        b"MESSAGE sip:x SIP/2.0\r\nContent-Length: -5\r\n\r\n",
        b"MESSAGE sip:x SIP/2.0\r\nContent-Length: 5\r\nl: 6\r\n\r\n",
        b"MESSAGE sip:x SIP/2.0\r\nContent-Length: 99999999\r\n\r\n",
        b"\x16\x03\x01",
        b"\x00",
        b"A" * 70_000,
    ],
)
def test_what_cannot_be_cut(raw: bytes) -> None:
    with pytest.raises(FramingError):
        list(StreamFramer().feed(raw))


def test_messages_ahead_of_the_trouble_still_come_out() -> None:
    messages = StreamFramer().feed(message(b"good") + b"MESSAGE sip:x SIP/2.0\r\nTo: x\r\n\r\n")
    assert next(messages) == message(b"good")
    with pytest.raises(FramingError) as caught:
        next(messages)
    assert caught.value.head.startswith(b"MESSAGE sip:x")
