"""Floods of calls at a phone that answers strangers, as one in a lab may: it refuses what it has no
room for, and lives.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.case.events import CallsRefused, CallState, StrangerRefused
from harness.phone import Answer, Policy, Reject
from harness.phone.child.socket_limits import LONGEST_TRANSACTION
from harness.phone.phone import Phone
from harness.phone.pool import PhonePool
from harness.sip.message import Message, Response
from tests.loopback import fresh_address
from tests.process.phone.conftest import Authority, Desk, event_of, hears, uri_of
from tests.stranger import AUDIO, SESSION, Stranger

CALLS = 400


class Flood(Stranger):
    """Calls, acknowledges every final response, and hangs up what was answered."""

    def __init__(self) -> None:
        super().__init__(fresh_address())
        self._settled = False
        self.answers: Counter[int] = Counter()
        self.told_when: Counter[str | None] = Counter()  #: Retry-After of each 486

    def comes_over(self, phone: Phone) -> None:
        """All its calls; returns when nothing has been answered for a while."""
        offer = (SESSION + AUDIO).format(host=self.host, port=self.rtp.getsockname()[1])
        for number in range(CALLS):
            self.call_id = f"flood-{number}-{self.port}"
            self._send(phone, "INVITE", 1, offer, headers=("Content-Type: application/sdp",))
            self._react(phone, 0.005)
        self._until_all_has_been_read(phone)
        while self._react(phone, 1.0):
            pass

    def _until_all_has_been_read(self, phone: Phone) -> None:
        """An OPTIONS behind the calls, repeated since a full socket drops it: once it is answered,
        nothing waits there.
        """
        self.call_id, self._settled = f"last-{self.port}", False
        for number in range(1, 100):
            if self._settled:
                return
            self.call_id = f"last-{self.port}"
            self._send(phone, "OPTIONS", number)
            while not self._settled and self._react(phone, 0.5):
                pass
        raise AssertionError("the phone answers nothing any more")

    def _react(self, phone: Phone, within: float) -> bool:
        readable, _, _ = select.select([self.sip], [], [], within)
        if not readable:
            return False
        message = Message.parse(self.sip.recv(65536))
        self._settled = self._settled or (
            isinstance(message, Response) and message.cseq.method == "OPTIONS"
        )
        if isinstance(message, Response) and message.is_final and message.cseq.method == "INVITE":
            self.call_id = message.call_id
            self._send(phone, "ACK", 1, to=message)
            if message.status == 200:
                self._send(phone, "BYE", 2, to=message)
            self.answers[message.status] += 1
            if message.status == 486:
                self.told_when[message.get("Retry-After")] += 1
        return True


@pytest.fixture
def flood() -> Iterator[Flood]:
    with contextlib.closing(Flood()) as flood:
        yield flood


@pytest.mark.parametrize("policy", [Answer(), Reject(603)])
def test_a_flood_of_calls_ends_no_process(lease: Desk, flood: Flood, policy: Policy) -> None:
    """RFC 3261 section 21.4.18: what an end system cannot take now is 486, which may say when to
    try again.
    """
    phone, caller = lease("callee", max_calls=2), lease("caller")
    phone.policy = policy
    flood.comes_over(phone)
    assert flood.answers[486] > CALLS / 4
    assert flood.told_when["1"] > 0
    assert phone.process.lost is None
    event_of(phone, CallsRefused, source=flood.host)
    phone.policy = Answer()
    strangers = phone.incoming
    for leg in strangers:
        leg.hangup()
        leg.wait(
            "its end",
            lambda event: isinstance(event, CallState) and event.state == "disconnected",
            10,
            outlives_call=True,
        )
    out = caller.dial(uri_of(phone))
    out.wait_state("confirmed", 10)
    while (back := phone.next_call(10)) in strangers:
        pass
    hears(out, back)


def come(many: contextlib.ExitStack, place: tuple[str, int], count: int) -> None:
    """Opens that many connections, or as many as are accepted, from an address of no platform."""
    host = fresh_address()
    waiting = []
    for _ in range(count):
        comer = many.enter_context(socket.socket())
        comer.bind((host, 0))
        comer.setblocking(False)
        comer.connect_ex(place)
        waiting.append(comer)
    while waiting and (taken := select.select([], waiting, [], 0.1)[1]):
        waiting = [comer for comer in waiting if comer not in taken]


@pytest.mark.parametrize("transport", ["tcp", "tls"])
def test_a_flood_of_connections_ends_no_process(
    own: Desk, authority: Authority, transport: str
) -> None:
    """Of strangers, who need no more than the port: the kernel keeps what pjlib has no places for."""
    phone = own("callee", accepts_from=(), **authority.settings(transport))
    place = (phone.config.bind_address, int(phone.address.rpartition(":")[2]))
    with contextlib.ExitStack() as stay:
        come(stay, place, 40)
        for _ in range(15):
            with contextlib.ExitStack() as go:
                come(go, place, 30)
                phone.process.call("free_slots")
    caller = own("caller", **authority.settings(transport))
    assert phone.process.lost is None
    leg = caller.dial(f"{uri_of(phone)};transport={transport}")
    # a full queue of the kernel's drops a SYN, which comes again after 1, 3, 7 and 15 s (RFC 6298
    # section 5)
    event_of(phone, StrangerRefused, within=30)
    leg.hangup()


def test_who_holds_connections_keeps_nobody_of_the_platforms_out(lease: Desk) -> None:
    there = fresh_address()
    phone = lease("callee", transport="tcp", accepts_from=(there,))
    caller = lease("caller", transport="tcp", bind_address=there, max_calls=lease.process_holds)
    assert caller.process is not phone.process
    host, _, port = phone.address.rpartition(":")
    with contextlib.ExitStack() as many:
        for _ in range(20):
            come(
                many, (host, int(port)), 5
            )  # the kernel keeps no more for a listener that is not quick
        out = caller.dial(f"{uri_of(phone)};transport=tcp")
        back = phone.expect_call(10)
        out.wait_state("confirmed", 10)
        hears(out, back)


#: The phones' process imports this first: it gives up after two seconds what it gives up after 33
#: otherwise.
SHORT_S = 2.0
SHORTENED = f"from harness.phone.child import socket_limits\nsocket_limits.LONGEST_TRANSACTION = {SHORT_S}\n"


def test_a_tls_handshake_that_never_ends_gives_its_place_back(
    tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether its client says nothing or half of it; a connection that is up stays up."""
    assert LONGEST_TRANSACTION > 64 * 0.5, (
        "no request that waits for the handshake is given up yet (RFC 3261 table 4)"
    )
    (tmp_path / "sitecustomize.py").write_text(SHORTENED)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    here, there = fresh_address(), fresh_address()
    context = ssl.create_default_context(cafile=authority.ca_file)
    with PhonePool(tmp_path) as pool, contextlib.ExitStack() as many:
        desk = many.enter_context(contextlib.closing(Desk(pool, tmp_path)))
        phone = desk(
            "callee",
            transport="tls",
            bind_address=here,
            tls=authority.server(here),
            accepts_from=(there,),
        )
        place = (here, int(phone.address.rpartition(":")[2]))
        began = time.monotonic()
        silent, cut, whole = (
            many.enter_context(socket.create_connection(place, source_address=(there, 0)))
            for _ in range(3)
        )
        cut.sendall(
            b"\x16\x03\x01\x02\x00\x01"
        )  # a record of a ClientHello (RFC 8446 section 5.1), and then nothing
        up = many.enter_context(context.wrap_socket(whole, server_hostname=here))
        for one in (silent, cut):
            one.settimeout(SHORT_S + 20)
            assert one.recv(4096) == b"", "a handshake that never ends holds its place"
        assert time.monotonic() - began >= SHORT_S
        up.setblocking(False)
        with pytest.raises(ssl.SSLWantReadError):  # neither octets nor an end
            up.recv(1)
