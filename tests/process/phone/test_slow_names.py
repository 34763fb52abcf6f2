"""Slow and mute name servers, and unknown names: no process counts as hung, and the verdict names
DNS.
"""

from __future__ import annotations

import contextlib
import select
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.case.events import CallsRefused, MarkHeard, NameLookup
from harness.errors import BrokenError
from harness.phone.phone import Phone
from harness.phone.pool import PhonePool
from harness.phone.waiter import NeverCame
from tests.process.phone.conftest import Desk, connect, event_of, hears
from tests.stranger import Stranger

PATIENCE_S = 3.0
NAME = "slow.example.com"
#: What the phones' process imports first: one name is asked for at a name server of the test's own.
CUSTOM = f"""
import socket

real = socket.getaddrinfo


def asked(host, *arguments, **options):
    if host != "{NAME}":
        return real(host, *arguments, **options)
    with socket.create_connection(("127.0.0.1", %d)) as server:
        answer = server.recv(100).decode()
    if answer[:1].isdigit():
        return real(answer, *arguments, **options)
    raise socket.gaierror(getattr(socket, answer), answer)


socket.getaddrinfo = asked
"""


class NameServer:
    """Answers when it is told to."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(10.0)
        self.port: int = self._listener.getsockname()[1]

    def is_asked(self) -> socket.socket:
        """The next question."""
        return self._listener.accept()[0]

    @property
    def has_a_question(self) -> bool:
        """Whether one waits for its answer."""
        return bool(select.select([self._listener], [], [], 0)[0])

    def answers(self, text: str) -> None:
        """Answer the next question: an address, or the name of getaddrinfo's error."""
        with self.is_asked() as question:
            question.sendall(text.encode())

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def server() -> Iterator[NameServer]:
    with contextlib.closing(NameServer()) as server:
        yield server


@pytest.fixture
def desk(server: NameServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """Phones in a process that has that name server."""
    (tmp_path / "sitecustomize.py").write_text(CUSTOM % server.port)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with (
        PhonePool(tmp_path / "phones", patience=PATIENCE_S) as pool,
        contextlib.closing(Desk(pool, tmp_path)) as desk,
    ):
        yield desk


def slow(phone: Phone) -> NameLookup:
    return event_of(phone, NameLookup)


def told_while_others_talk(phone: Phone, caller: Phone, callee: Phone) -> NameLookup:
    """The event of a slow lookup, while other phones of the process are in a call for longer than a
    process may be silent.
    """
    assert phone.process is caller.process
    out, back = connect(caller, callee)
    hears(out, back)
    event = slow(phone)
    hears(out, back, since=out.events[0].at + PATIENCE_S)
    return event


def test_a_slow_lookup_delays_its_own_call_only(
    desk: Desk, server: NameServer, stranger: Stranger
) -> None:
    """Longer than a process may be silent before it counts as hung; its other phones call
    meanwhile.
    """
    phone, alice, bob = desk("callee"), desk("alice"), desk("bob")
    leg = phone.dial(f"sip:7001@{NAME}:{stranger.port}")
    with server.is_asked() as question:
        event = told_while_others_talk(phone, alice, bob)
        assert (event.name, event.problem, event.denied) == (NAME, "no answer yet", False)
        with pytest.raises(
            BrokenError, match=rf"DNS: {NAME} was looked up for \d\.\d s: no answer yet"
        ):
            leg.wait_state("early", 0.05)
        question.sendall(stranger.host.encode())
    stranger.refuses("480 Temporarily Unavailable")
    assert leg.wait_state("disconnected", 10).code == 480
    assert phone.process.lost is None


def test_a_mute_name_server_breaks_the_wait(desk: Desk, server: NameServer) -> None:
    leg = desk("caller").dial(f"sip:7001@{NAME}:5060")
    server.answers("EAI_AGAIN")
    with pytest.raises(BrokenError, match=rf"DNS: {NAME} was looked up for \d\.\d s: EAI_AGAIN"):
        leg.wait_state("early", 10)


def test_a_name_that_does_not_exist_fails_the_wait(desk: Desk, server: NameServer) -> None:
    leg = desk("caller", proxy=f"{NAME}:5060").dial("sip:7001@example.com")
    server.answers("EAI_NONAME")
    with pytest.raises(NeverCame, match=rf"DNS has no address for {NAME}: EAI_NONAME"):
        leg.wait_state("early", 10)


NAMED = f"v=0\no=- 1 1 IN IP4 {{host}}\ns=-\nc=IN IP4 {NAME}\nt=0 0\nm=audio {{port}} RTP/AVP 0\n"
#: With a part that is no SDP, so that its name counts for nothing.
PARTS = f"--p\nContent-Type: text/plain\n\nsee\nc=IN IP4 never.asked.example\n--p\nContent-Type: application/sdp\n\n{NAMED}\n--p--\n"
SDP, MIXED = "application/sdp", "multipart/mixed;boundary=p"


@pytest.mark.parametrize("answer", [(NAMED, SDP), (PARTS, MIXED)], ids=["alone", "one part"])
def test_an_answer_with_a_host_name_breaks_the_case_without_a_lookup(
    desk: Desk, server: NameServer, stranger: Stranger, answer: tuple[str, str]
) -> None:
    """RFC 4566 section 5.7 allows a name, and the phones take addresses only."""
    body, content = answer
    leg = desk("caller").dial(f"sip:7001@{stranger.address}")
    invite = stranger.request("INVITE")
    headers = [("Contact", f"<sip:100@{stranger.address}>"), ("Content-Type", content)]
    sdp = body.format(host=stranger.host, port=stranger.rtp.getsockname()[1]).replace("\n", "\r\n")
    stranger.respond(invite, 200, headers, sdp)
    stranger.request("ACK")
    stranger.respond(stranger.request("BYE"), 200)
    with pytest.raises(BrokenError, match=rf"the host name {NAME} in its SDP .* does not support"):
        event_of(leg, MarkHeard)
    assert not server.has_a_question


@pytest.mark.parametrize("offer", [(NAMED, SDP), (PARTS, MIXED)], ids=["alone", "one part"])
def test_an_offer_with_a_name_is_refused_and_not_looked_up(
    desk: Desk, server: NameServer, stranger: Stranger, offer: tuple[str, str]
) -> None:
    phone = desk("callee")
    assert stranger.calls(phone, *offer).status == 488
    event_of(phone, CallsRefused)
    with pytest.raises(BrokenError, match=rf"does not support host names in SDP \({NAME}\)"):
        phone.next_call(0.1)
    assert not server.has_a_question
