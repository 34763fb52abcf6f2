"""Bodies of several parts, and what is found in them."""

from __future__ import annotations

import pytest

from harness.sip.message import Message

SDP = "application/sdp"


def part(content: str, body: str | bytes, wanted: str = SDP) -> bytes | None:
    octets = body.encode() if isinstance(body, str) else body
    head = f"INVITE sip:x SIP/2.0\r\nContent-Type: {content}\r\n\r\n"
    return Message.parse(head.encode() + octets).part(wanted)


@pytest.mark.parametrize(
    "body",
    [
        "--a\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--a--",
        "--a\nContent-Type: application/sdp\n\nv=0\n--a--\n",
        "preamble\r\n--b\r\n--a  \r\nCONTENT-TYPE : Application/SDP;x=y\r\n\r\nv=0\r\n--a--\r\nepilogue\r\n--a\r\n",
        "--a\r\n--a\r\n\r\ntext\r\n--a\r\nc: application/sdp\r\nContent-ID: <x>\r\n\r\nv=0\r\n--a--",
        "--a\r\nContent-Disposition: session\r\nContent-Type:\r\n application/sdp\r\n\r\nv=0",
        "--a\r\nContent-Type: application/sdp\r\nContent-Transfer-Encoding: base64\r\n\r\ndj0w\r\n--a--",
        "--a\r\nContent-Type: application/sdp\r\nContent-Transfer-Encoding: Quoted-Printable\r\n\r\nv=3D0\r\n--a--",
        "--a\r\nContent-Type: application/sdp\r\nContent-Transfer-Encoding: base64\r\n\r\nv=0\r\n--a--",
        "--a\r\nc: multipart/alternative;boundary=b\r\n\r\n--b\r\nc: application/sdp\r\n\r\nv=0\r\n--b--\r\n--a--",
    ],
)
def test_the_description_is_found(body: str) -> None:
    assert part("multipart/mixed;boundary=a", body) == b"v=0"


@pytest.mark.parametrize(
    ("content", "body"),
    [
        ("multipart/mixed", "--\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n----"),
        ("multipart/mixed;boundary=", "--\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n----"),
        ('multipart/mixed;boundary="a', "--a\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--a--"),
        (
            f"multipart/mixed;boundary={'a' * 71}",
            f"--{'a' * 71}\r\nContent-Type: application/sdp\r\n\r\nv=0",
        ),
        (
            "multipart/mixed;boundary=a",
            "--a--\r\n--a\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--a--",
        ),
        (
            "multipart/mixed;boundary=a",
            "--a\r\n\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n--a--",
        ),
    ],
)
def test_where_there_is_none(content: str, body: str) -> None:
    assert part(content, body) is None


def test_octets_stay_as_they_are() -> None:
    body = b"--a b\r\nContent-Type: application/isup\r\n\r\n\r\n\x00\xff\r\r\n\r\n--a b--"
    assert part('multipart/mixed;boundary="a b"', body, "application/isup") == b"\r\n\x00\xff\r\r\n"


HOSTILE = {
    "comments": (
        "multipart/mixed;boundary=a",
        f"--a\r\nContent-Type: {'(' * 60_000}\r\n\r\nx\r\n--a--",
    ),
    "messages": (
        "multipart/mixed;boundary=a",
        "--a\r\n" + "Content-Type: message/rfc822\r\n\r\n" * 2_000,
    ),
    "nested": (
        "multipart/mixed;boundary=b0",
        "".join(
            f"--b{at}\r\nContent-Type: multipart/mixed;boundary=b{at + 1}\r\n\r\n"
            for at in range(1_200)
        ),
    ),
    "blanks": (
        "multipart/mixed;boundary=a",
        f"--a\r\nc:{' ' * 30_000}x\r\n\r\n{' ' * 30_000}\r\n--a{' ' * 3_000}x",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_one_raises_nothing(name: str) -> None:
    assert part(*HOSTILE[name]) is None
