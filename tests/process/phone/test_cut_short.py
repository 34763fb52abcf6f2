"""Far ends that stop in the middle: of a message, of a connection, of a hang-up. The next call is
unharmed.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait

import pytest

from harness.case.events import SipMessage, TransportFailed
from tests.loopback import fresh_address
from tests.process.phone.conftest import Desk, connect, event_of, hears
from tests.sip_peer import PATIENCE_S
from tests.stranger import Stranger, talking

HALF = b"SIP/2.0 200 OK\r\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bK"


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A TCP server that nobody reads from yet."""
    with contextlib.closing(socket.create_server((fresh_address(), 0))) as server:
        server.settimeout(PATIENCE_S)
        yield server


def test_an_answer_that_is_cut_short_ends_the_call_alone(
    lease: Desk, listener: socket.socket
) -> None:
    """RFC 3261 section 18.3: a stream that ends within a message has said nothing."""
    alice, bob = lease("alice", transport="tcp", max_calls=2), lease("bob", transport="tcp")
    host, port = listener.getsockname()
    out = alice.dial(f"sip:+12065550177@{host}:{port}")
    connection, _ = listener.accept()
    with connection:
        assert connection.recv(65536).startswith(b"INVITE ")
        connection.sendall(HALF)
    listener.close()
    failed = event_of(alice, TransportFailed)
    assert failed.remote == f"{host}:{port}"
    ended = out.wait_state("disconnected", 10)
    assert ended.code in (408, 503)
    assert not [
        m for m in out.events if isinstance(m, SipMessage) and m.text.startswith("SIP/2.0 200")
    ]

    out, back = connect(alice, bob)
    hears(out, back)


def test_a_bye_that_nobody_answers_frees_the_phone_for_the_next_call(
    lease: Desk, stranger: Stranger
) -> None:
    """Timer F lets go of it after 32 s (RFC 3261 section 17.1.2.2); a phone does not wait so long
    to be of use.
    """
    phone, other = lease("callee"), lease("other")
    leg, _ = talking(phone, stranger)
    asked = threading.Event()

    def never_answers() -> None:
        while not asked.is_set():
            if stranger.sip.recv(65536).startswith(b"BYE "):
                asked.set()

    silent = threading.Thread(target=never_answers)
    silent.start()
    leg.hangup()
    leg.wait_closed()
    assert asked.wait(PATIENCE_S)
    silent.join()
    out, back = connect(other, phone)
    hears(out, back)
    assert not [m for m in leg.messages if m.direction == "received" and "CSeq: 1 BYE" in m.text]


def test_a_far_end_that_starts_anew_within_a_call_ends_it(lease: Desk, stranger: Stranger) -> None:
    """It knows nothing of the call any more: 481 to a request within it ends the dialog (RFC 3261
    section 12.2.1.2).
    """
    phone, other = lease("callee"), lease("other")
    leg, _ = talking(phone, stranger)
    leg.reinvite()
    stranger.refuses("481 Call/Transaction Does Not Exist")
    stranger.refuses("481 Call/Transaction Does Not Exist", method="BYE")
    leg.wait_state("disconnected", 10)
    out, back = connect(other, phone)
    hears(out, back)


def test_who_has_just_hung_up_may_dial_again_where_every_place_is_taken(
    own: Desk, stranger: Stranger
) -> None:
    """pjsua has a call's place until its BYE is answered: the next call waits for that."""
    caller, others = own("caller"), own("others", max_calls=own.process_holds - 1)
    assert caller.process is others.process
    leg, _ = talking(caller, stranger)
    with (
        contextlib.closing(Stranger(fresh_address())) as elsewhere,
        ThreadPoolExecutor(1) as thread,
    ):
        for _ in range(others.config.max_calls):
            others.dial(f"sip:1@{elsewhere.address}")
        leg.hangup()
        bye = stranger.request("BYE")
        again = thread.submit(caller.dial, f"sip:1@{stranger.address}")
        wait([again], timeout=0.2)  # it is refused by then, or waits
        stranger.respond(bye, 200)
        assert again.result().direction == "outgoing"
        assert stranger.request("INVITE").uri.user == "1"
