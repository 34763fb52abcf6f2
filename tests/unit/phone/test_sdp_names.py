"""Host names in SDP: which there are, and the same SDP with their addresses."""

from __future__ import annotations

import pytest

from harness.phone.child.sdp_names import names_in, with_addresses


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (b"c=IN IP4 media.carrier.example", "media.carrier.example"),
        (b"c=in ip6 media", "media"),
        (b"a=rtcp:4001 IN IP4 rtcp.carrier.example", "rtcp.carrier.example"),
        (b"c=IN IP4 300.1.1.1", "300.1.1.1"),
        (b"c=IN IP4 \xff\x00", "\ufffd\x00"),
        (b"c=IN IP4 198.51.100.7", None),
        (b"c=IN IP4 224.2.36.42/127", None),
        (b"c=IN IP6 2001:db8::a", None),
        (b"o=- 1 1 IN IP4 host.example", None),
        (b"a=note:c=IN IP4 media.carrier.example", None),
    ],
)
def test_a_name_is_told_from_an_address(line: bytes, name: str | None) -> None:
    assert names_in(b"v=0\r\n" + line + b"\r\nt=0 0\r\n") == ({name} if name else set())


def test_each_name_gets_its_address_and_nothing_else_changes() -> None:
    body = b"v=0\r\nc=IN IP4 a.example\r\nm=audio 4000 RTP/AVP 0\r\na=rtcp:4001 IN IP4 b.example\r\n"
    filled = with_addresses(body, {"a.example": "198.51.100.7", "b.example": "2001:db8::7"})
    assert filled == (b"v=0\r\nc=IN IP4 198.51.100.7\r\nm=audio 4000 RTP/AVP 0\r\na=rtcp:4001 IN IP6 2001:db8::7\r\n")


def test_a_name_without_an_address_is_left_for_nobody_to_look_up() -> None:
    assert with_addresses(b"\nc=IN IP4 a.example\r\n", {}) == b"\nc=IN IP0 a.example\r\n"
