"""Streams cut into messages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.sip.framing import MOST_BODY, MOST_HEAD, PING, FramingError, StreamFramer


def framed(length: str, body: bytes = b"") -> bytes:
    return f"MESSAGE sip:x SIP/2.0\r\n{length}\r\n\r\n".encode() + body


def message(body: bytes) -> bytes:
    return framed(f"Content-Length: {len(body)}", body)


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


def test_pings_come_out_and_pongs_and_stray_line_breaks_are_swallowed() -> None:
    framer = StreamFramer()
    assert list(framer.feed(b"\r\n" + message(b"a") + b"\r\n")) == [message(b"a")]
    assert list(framer.feed(message(b"b"))) == [message(b"b")]
    assert list(framer.feed(b"\r\n")) == []
    assert list(framer.feed(b"\r\n")) == [PING]
    assert list(framer.feed(b"\n\r\n\r\n" + message(b"c") + PING)) == [PING, message(b"c"), PING]


@pytest.mark.parametrize("line_break", [b"\r", b"\n"])
def test_a_hundred_thousand_line_breaks_are_swallowed(line_break: bytes) -> None:
    framer = StreamFramer()
    assert list(framer.feed(line_break * 100_000)) == []
    assert list(framer.feed(b"\n" + message(b"a"))) == [message(b"a")]


@pytest.mark.parametrize(
    "header",
    [
        "Content-Length: 3",
        "l:3",
        "L : 3",
        "CONTENT-LENGTH \t: 3 ",
        "Content-Length:\r\n 3",
        "l: 3\r\nContent-Length: 3",
    ],
)
def test_a_body_is_as_long_as_the_header_says(header: str) -> None:
    framer = StreamFramer()
    whole = framed(header, b"abc")
    assert list(framer.feed(whole[:-1])) == []
    assert list(framer.feed(whole[-1:] + whole)) == [whole, whole]


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (framed("X: 3"), "no Content-Length"),
        (framed("Xl: 3"), "no Content-Length"),
        (framed("l: 3\r\nl: 4"), "several that differ"),
        (framed("l: x"), "unusable Content-Length: b'x'"),
        (framed("l: -1"), "unusable"),
        (framed(f"l: {MOST_BODY + 1}"), "unusable Content-Length: b'1048577'"),
        (framed("l: " + "9" * 40), f"unusable Content-Length: b'{'9' * 20}'$"),
        (b"\x16\x03\x01", "does not speak SIP"),
        (b"\x00", "does not speak SIP"),
        (b"O" * (MOST_HEAD + 1), "more than 65536 bytes"),
    ],
)
def test_what_cannot_be_cut(raw: bytes, said: str) -> None:
    messages = StreamFramer().feed(message(b"good") + raw)
    assert next(messages) == message(b"good")
    with pytest.raises(FramingError, match=said) as caught:
        next(messages)
    assert raw.startswith(caught.value.head)
    assert len(caught.value.head) <= MOST_HEAD


def test_the_longest_head_and_the_longest_body() -> None:
    assert (MOST_HEAD, MOST_BODY) == (65_536, 1_048_576)
    start = f"MESSAGE sip:x SIP/2.0\r\nl: {MOST_BODY}\r\nX: ".encode()
    framer = StreamFramer()
    assert list(framer.feed(start + b"a" * (MOST_HEAD - len(start)))) == []
    assert list(framer.feed(b"\r\n\r\n")) == []
    assert len(list(framer.feed(b"b" * MOST_BODY))) == 1
