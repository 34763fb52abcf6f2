"""SDP beside other parts of a body (RFC 5621), in any shape that RFC 2046 allows: a host name in it is as good as its address."""

from __future__ import annotations

import itertools
import string
import time
from dataclasses import dataclass, field

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from harness.phone.phone import Phone
from harness.phone.protocol import Answer
from harness.sip.sdp import Description
from tests.process.phone.conftest import Desk
from tests.process.phone.stranger import Stranger
from tests.sip_peer import PATIENCE_S

#: /etc/hosts has it: no name server is asked.
NAME, ADDRESS = "localhost", "127.0.0.1"
NUMBERS = itertools.count(1)
_TOKEN = string.ascii_letters + string.digits + "'+_-."
_LINES = st.text(string.ascii_letters + " =:/\n", max_size=40)
_OTHERS = [
    ("text/plain", "v=0\nc=IN IP4 {nobody}\n"),
    ("application/isup;version=itu-t92+", "\x01\x11\x48\x00\x0a\x03"),
    ("application/pidf+xml", '<presence xmlns="urn:ietf:params:xml:ns:pidf"/>'),
]


@dataclass(frozen=True)
class Shape:
    """A body of several parts; SDP is one of them, unless ``place`` is beyond the last."""

    boundary: str = "p"
    kind: str = "mixed"
    preamble: str = ""
    epilogue: str = ""
    others: list[tuple[str, str]] = field(default_factory=list)
    place: int = 0
    header: str = "Content-Type"
    sdp: str = "application/sdp"
    more: tuple[str, ...] = ()
    by_media: bool = False
    rtcp: bool = False

    @property
    def content(self) -> str:
        """Its Content-Type."""
        quoted = self.boundary if all(char in _TOKEN for char in self.boundary) else f'"{self.boundary}"'
        return f"multipart/{self.kind};boundary={quoted}"

    def body(self, host: str) -> str:
        """The same with a name as with an address."""
        nobody = "nobody.invalid" if host == NAME else host  # a name that is none of SDP's
        parts = [f"Content-Type: {kind}\n\n{text.format(nobody=nobody)}" for kind, text in self.others]
        connection = f"c=IN IP4 {host}\n"
        session = f"v=0\no=- 1 1 IN IP4 {ADDRESS}\ns=-\n{'' if self.by_media else connection}t=0 0\n"
        media = f"m=audio 40000 RTP/AVP 0\n{connection if self.by_media else ''}"
        head = "\n".join([f"{self.header}: {self.sdp}", *self.more])
        if self.place <= len(parts):
            rtcp = f"a=rtcp:40001 IN IP4 {host}\n" if self.rtcp else ""
            parts.insert(self.place, f"{head}\n\n{session}{media}{rtcp}")
        inner = "".join(f"--{self.boundary}\n{part}\n" for part in parts)
        return f"{self.preamble}\n{inner}--{self.boundary}--\n{self.epilogue}"


SHAPES = st.builds(
    Shape,
    boundary=st.text(_TOKEN + "()/:=?, ", min_size=1, max_size=70).filter(lambda text: not text.endswith(" ")),
    kind=st.sampled_from(["mixed", "alternative", "related", "Mixed"]),
    preamble=_LINES,
    epilogue=_LINES,
    others=st.lists(st.sampled_from(_OTHERS), max_size=3),
    place=st.integers(0, 4),
    header=st.sampled_from(["Content-Type", "CONTENT-TYPE", "content-type", "c"]),
    sdp=st.sampled_from(["application/sdp", "Application/SDP", "application/sdp;charset=utf-8"]),
    more=st.sampled_from([(), ("Content-Disposition: session;handling=required",), ("Content-ID: <a@b.example>",)]),
    by_media=st.booleans(),
    rtcp=st.booleans(),
)


def outcome(stranger: Stranger, phone: Phone, shape: Shape, host: str) -> tuple[int, list[bool]]:
    """What becomes of a call with that offer: the status, and which of its media are taken."""
    give_up = time.monotonic() + PATIENCE_S
    while True:
        stranger.call_id = f"{stranger.address}-{next(NUMBERS)}"
        response = stranger.calls(phone, shape.body(host), shape.content)
        if response.status != 486 or time.monotonic() > give_up:
            break  # else a call before it keeps its place for a moment
    if not response.is_success:
        return response.status, []
    stranger.hangs_up(phone, response)
    return response.status, [media.port > 0 for media in Description.parse(response.body).media]


def test_a_name_is_as_good_as_its_address(lease: Desk, stranger: Stranger) -> None:
    phone = lease("callee")
    phone.policy = Answer()
    taken = 0

    @settings(deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(SHAPES)
    @example(Shape(others=_OTHERS, place=3))
    @example(Shape(others=_OTHERS, place=4))
    def property_(shape: Shape) -> None:
        nonlocal taken
        expected = outcome(stranger, phone, shape, ADDRESS)
        assert outcome(stranger, phone, shape, NAME) == expected
        taken += expected == (200, [True])

    property_()
    assert phone.process.lost is None
    assert taken, "some of the shapes are offers"
