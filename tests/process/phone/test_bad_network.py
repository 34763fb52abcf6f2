"""What a bad network, and a far end in trouble, do to softphones' signalling over UDP."""

from __future__ import annotations

import contextlib
import random
import select
import socket
import threading
from collections import Counter
from collections.abc import Iterator

import pytest

from harness.phone import Answer
from tests.loopback import fresh_address
from tests.process.phone.conftest import Desk, connect, hears, once, told
from tests.stranger import AUDIO, SESSION, Stranger

#: Of what is sent, each way.
LOST = DOUBLED = OVERTAKEN = 0.12
CALLS = 8
#: What is lost is sent again for 64*T1 = 32 s (RFC 3261 section 17), and no call has failed before.
GIVEN_UP_S = 35


class BadWire:
    """Between two phones, each of which has one side of it as its proxy; it loses, doubles and
    swaps datagrams.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.did: Counter[str] = Counter()
        self._sides = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
        for side in self._sides:
            side.bind((fresh_address(), 0))
        self.places = ["{}:{}".format(*side.getsockname()) for side in self._sides]
        self._to: list[tuple[str, int]] = []
        self._held: list[tuple[int, bytes]] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bad wire")

    def between(self, *addresses: str) -> None:
        """From now on it leads from one phone to the other."""
        self._to = [
            (host, int(port))
            for host, _, port in (address.rpartition(":") for address in addresses)
        ]
        self._thread.start()

    def close(self) -> None:
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()
        for side in self._sides:
            side.close()

    def _run(self) -> None:
        while not self._ended.is_set():
            readable, _, _ = select.select(self._sides, [], [], 0.1)
            for side in readable:
                self._pass_on(self._sides.index(side), side.recv(65536))

    def _pass_on(self, side: int, data: bytes) -> None:
        draw = self._random.random()
        held, self._held = self._held, []
        if draw < LOST:
            self.did["lost"] += 1
        elif draw < LOST + DOUBLED:
            self.did["doubled"] += 1
            held = [(side, data), (side, data), *held]
        elif draw < LOST + DOUBLED + OVERTAKEN and not held:
            self.did["overtaken"] += 1  # by whatever comes next, a repetition if nothing else
            self._held = [(side, data)]
        else:
            held = [(side, data), *held]
        for came_from, kept in held:
            self._sides[1 - came_from].sendto(kept, self._to[1 - came_from])


@pytest.fixture
def wire() -> Iterator[BadWire]:
    with contextlib.closing(BadWire(seed=71)) as wire:
        yield wire


def test_calls_come_and_go_though_signalling_is_lost_doubled_and_overtaken(
    lease: Desk, wire: BadWire
) -> None:
    """RFC 3261 section 17: every request is repeated until it is answered, and a repetition is no
    other request.
    """
    alice, bob = (
        lease(name, proxy=place) for name, place in zip(("alice", "bob"), wire.places, strict=True)
    )
    wire.between(alice.address, bob.address)
    bob.policy = Answer()
    for number in range(1, CALLS + 1):
        out = alice.dial(f"sip:{bob.config.user}@{bob.address}")
        back = bob.next_call(GIVEN_UP_S)
        out.wait_state("confirmed", GIVEN_UP_S)
        back.wait_state("confirmed", GIVEN_UP_S)
        hears(out, back)
        (out if number % 2 else back).hangup()
        out.wait_state("disconnected", GIVEN_UP_S)
        back.wait_state("disconnected", GIVEN_UP_S)
        assert len(bob.incoming) == number  # a doubled INVITE is one call
    assert all(wire.did[what] >= 2 for what in ("lost", "doubled", "overtaken")), wire.did


def test_a_storm_of_5xx_is_told_call_by_call_and_harms_no_later_one(
    lease: Desk, stranger: Stranger
) -> None:
    """Section 21.5: each is a final response, which ends its own call only; no number is dialled
    again.
    """
    alice, bob = lease("alice"), lease("bob")
    lines = ["500 Server Internal Error", "503 Service Unavailable", "504 Server Time-out"]
    for number in range(40):
        line = lines[number % 3]
        out = alice.dial(f"sip:+12065550177@{stranger.host}:{stranger.port}")
        stranger.refuses(line, ("Retry-After", "1"))
        ended = out.wait_state("disconnected", 10)
        assert f"{ended.code} {ended.reason}" == line
        assert len([m for m in once(out.messages) if m.text.startswith("INVITE ")]) == 1
    out, back = connect(alice, bob)
    hears(out, back)
    assert len(alice.legs) == 41


@pytest.mark.parametrize("is_over", [False, True])
def test_an_invite_that_comes_once_more_after_its_ack_is_no_call(
    lease: Desk, stranger: Stranger, is_over: bool
) -> None:
    """The transaction stays for 64*T1 after a 2xx, and absorbs what comes of its INVITE (RFC 6026
    section 7.1).
    """
    phone = lease("callee")
    phone.policy = Answer()
    offer = (SESSION + AUDIO).format(host=stranger.host, port=stranger.rtp.getsockname()[1])
    answer = stranger.calls(phone, offer)
    leg = phone.expect_call(10)
    leg.wait_state("confirmed", 10)
    if is_over:
        stranger.hangs_up(phone, answer)
    stranger.says(phone, "INVITE", 1, None, ("Content-Type: application/sdp",), offer)
    stranger.says(phone, "OPTIONS", 100, None)
    came = [stranger.next()]
    while (
        last := came[-1]
    ) is not None and last.cseq.method != "OPTIONS":  # which shows that the copy was read
        came.append(stranger.next())
    assert last is not None
    assert [
        message for message in came if message is not None and message.cseq.method == "INVITE"
    ] == []
    told(phone)
    assert phone.incoming == [leg]
