"""A name server that is slow, mute or knows nothing: that calls no process dead, and is what the verdict names."""

from __future__ import annotations

import contextlib
import select
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.calls.events import MarkHeard, NameLookup
from harness.errors import BrokenError
from harness.phone.leg import Leg
from harness.phone.phone import Phone
from harness.phone.pool import PhonePool
from harness.phone.waiter import NeverCame
from harness.sip.sdp import Description
from tests.process.phone.conftest import Desk, connect, hears
from tests.stranger import VOICE, Stranger, answered

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
    with PhonePool(tmp_path / "phones", patience=PATIENCE_S) as pool, contextlib.closing(Desk(pool, tmp_path)) as desk:
        yield desk


def slow(phone: Phone) -> NameLookup:
    event = phone.wait("a slow lookup", lambda event: isinstance(event, NameLookup), within=10)
    assert isinstance(event, NameLookup)
    return event


def told_while_others_talk(phone: Phone, caller: Phone, callee: Phone) -> NameLookup:
    """What ``phone`` tells of its lookup; others of its process call meanwhile, for longer than a process may be silent."""
    assert phone.process is caller.process
    out, back = connect(caller, callee)
    hears(out, back)
    event = slow(phone)
    hears(out, back, since=out.events[0].at + PATIENCE_S)
    return event


def test_a_slow_lookup_is_no_hang_and_the_call_goes_on_when_it_ends(
    desk: Desk, server: NameServer, stranger: Stranger
) -> None:
    """Longer than a process may be silent before it counts as hung; its other phones call meanwhile."""
    phone, alice, bob = desk("callee"), desk("alice"), desk("bob")
    leg = phone.dial(f"sip:100@{NAME}:{stranger.port}")
    with server.is_asked() as question:
        event = told_while_others_talk(phone, alice, bob)
        assert (event.name, event.problem, event.denied) == (NAME, "no answer yet", False)
        with pytest.raises(BrokenError, match=rf"DNS: {NAME} was looked up for \d\.\d s: no answer yet"):
            leg.wait_state("early", 0.05)
        question.sendall(stranger.host.encode())
    stranger.refuses("480 Temporarily Unavailable")
    assert leg.wait_state("disconnected", 10).code == 480
    assert phone.process.lost is None


def test_a_name_server_that_does_not_answer_is_no_failure_of_the_far_end(desk: Desk, server: NameServer) -> None:
    leg = desk("caller").dial(f"sip:100@{NAME}:5060")
    server.answers("EAI_AGAIN")
    with pytest.raises(BrokenError, match=rf"DNS: {NAME} was looked up for \d\.\d s: EAI_AGAIN"):
        leg.wait_state("early", 10)


def test_a_name_that_does_not_exist_is_named(desk: Desk, server: NameServer) -> None:
    leg = desk("caller", proxy=f"{NAME}:5060").dial("sip:100@example.com")
    server.answers("EAI_NONAME")
    with pytest.raises(NeverCame, match=rf"DNS has no address for {NAME}: EAI_NONAME"):
        leg.wait_state("early", 10)


NAMED = f"v=0\no=- 1 1 IN IP4 {{host}}\ns=-\nc=IN IP4 {NAME}\nt=0 0\nm=audio {{port}} RTP/AVP 0\n"


def test_a_name_in_an_offer_holds_up_no_other_call(desk: Desk, server: NameServer, stranger: Stranger) -> None:
    """RFC 4566 section 5.7: a connection address may be a name."""
    phone, alice, bob = desk("callee"), desk("alice"), desk("bob")
    with ThreadPoolExecutor() as threads:
        answer = threads.submit(answered, phone, stranger, NAMED)
        with server.is_asked() as question:
            event = told_while_others_talk(phone, alice, bob)
            assert (event.name, event.problem, event.media) == (NAME, "no answer yet", True)
            question.sendall(stranger.host.encode())
        leg, response = answer.result()
    assert leg.invite.text.count(NAME) == 1
    stranger.speaks_to(Description.parse(response.body).media[0].port, phone)
    leg.wait("its mark", lambda event: isinstance(event, MarkHeard) and event.mark == VOICE, within=10)
    stranger.hangs_up(phone, response)
    assert phone.process.lost is None


#: With a part that nobody takes for SDP, so that its name is none.
PARTS = f"--p\nContent-Type: text/plain\n\nsee\nc=IN IP4 never.asked.example\n--p\nContent-Type: application/sdp\n\n{NAMED}\n--p--\n"


@pytest.mark.parametrize("kind", ["mixed", "alternative"])
def test_a_name_in_one_part_of_an_offer_is_found(desk: Desk, server: NameServer, stranger: Stranger, kind: str) -> None:
    """RFC 5621 section 3.1: SDP may come beside other parts, as it does with ISUP from a carrier's gateway."""
    phone = desk("callee")
    with ThreadPoolExecutor() as threads:
        answer = threads.submit(answered, phone, stranger, PARTS, f"multipart/{kind};boundary=p")
        server.answers(stranger.host)
        leg, response = answer.result()
    assert response.status == 200
    stranger.speaks_to(Description.parse(response.body).media[0].port, phone)
    leg.wait("its mark", lambda event: isinstance(event, MarkHeard) and event.mark == VOICE, within=5)
    stranger.hangs_up(phone, response)
    assert phone.process.lost is None


def answers_with_a_name(desk: Desk, stranger: Stranger, answer: str = NAMED, content: str = "application/sdp") -> Leg:
    leg = desk("caller").dial(f"sip:100@{stranger.address}")
    headers = [("Contact", f"<sip:100@{stranger.address}>"), ("Content-Type", content)]
    sdp = answer.format(host=stranger.host, port=stranger.rtp.getsockname()[1]).replace("\n", "\r\n")
    stranger.respond(stranger.request("INVITE"), 200, headers, sdp)
    return leg


@pytest.mark.parametrize("answer", [(), (PARTS, "multipart/mixed;boundary=p")], ids=["alone", "one part"])
def test_a_name_in_an_answer_is_found_as_well(
    desk: Desk, server: NameServer, stranger: Stranger, answer: tuple[str, ...]
) -> None:
    leg = answers_with_a_name(desk, stranger, *answer)
    server.answers(stranger.host)
    leg.wait_state("confirmed", 10)
    stranger.request("ACK")


def test_a_name_in_sdp_that_does_not_exist_is_named(desk: Desk, server: NameServer, stranger: Stranger) -> None:
    leg = answers_with_a_name(desk, stranger)
    server.answers("EAI_NONAME")
    with pytest.raises(NeverCame, match=rf"DNS has no address for {NAME} \(in the far end's SDP\): EAI_NONAME"):
        leg.wait("its mark", lambda event: isinstance(event, MarkHeard), within=10)
    stranger.request("ACK")
    stranger.request("BYE")


def test_an_offer_with_a_name_that_does_not_exist_is_refused(
    desk: Desk, server: NameServer, stranger: Stranger
) -> None:
    phone = desk("callee")
    with ThreadPoolExecutor() as threads:
        refusal = threads.submit(stranger.calls, phone, NAMED)
        server.answers("EAI_NONAME")
        assert refusal.result().status == 488
    assert slow(phone).denied
    assert not phone.incoming
