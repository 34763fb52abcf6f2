"""Phones that several cases use at once: each case gets its own calls there, and no other's."""

from __future__ import annotations

import itertools
import math
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from harness.case.events import CallsRefused, Recorded, SipMessage
from harness.errors import PhoneLostError
from harness.phone import PhoneConfig
from harness.phone.phone import Phone
from harness.phone.pool import PhonePool
from harness.phone.rules import Rules
from harness.phone.switchboard import Reservation, Sharing, Switchboard
from harness.scenario.case_phones import send_options
from harness.sip.message import Message, Request
from tests.loopback import fresh_address
from tests.phones import recorded
from tests.process.phone.conftest import Desk, event_of, hears, uri_of
from tests.redis_server import until
from tests.stranger import Stranger

ANNE, BERT, EVE = "+12065550151", "+12065550152", "+12065550153"
NO_RULES = Rules()


@pytest.fixture
def board() -> Iterator[Switchboard]:
    board = Switchboard()
    yield board
    board.close()


class Case:
    """One process of a run, as far as phones go."""

    def __init__(self, board: Switchboard, directory: Path, first_mark: int) -> None:
        self.board, self.directory = board, directory
        self.pool = PhonePool(directory / "pool")
        self.marks = itertools.count(first_mark)
        self.events: list[Any] = []

    def share(self, config: PhoneConfig, rules: Rules = NO_RULES, **claim: Any) -> Phone:
        return self.pool.lease(
            config,
            sink=self.events.append,
            marks=self.marks,
            directory=self.directory / "case",
            rules=rules,
            sharing=Sharing(self.board.path, **claim),
        )


@pytest.fixture
def cases(board: Switchboard, tmp_path: Path) -> Iterator[list[Case]]:
    cases = [Case(board, tmp_path / str(number), 100 + 20 * number) for number in range(2)]
    yield cases
    for case in cases:
        case.pool.close()


def agent(**more: Any) -> PhoneConfig:
    return PhoneConfig(
        name="agent", user="agent-7", domain="example.com", bind_address=fresh_address(), **more
    )


def shared(cases: list[Case], **more: Any) -> list[Phone]:
    """The same phone in both cases, whose callers are Anne and Bert."""
    config = agent(**more)
    return [
        case.share(config, numbers=(number,))
        for case, number in zip(cases, (ANNE, BERT), strict=True)
    ]


def test_two_cases_share_a_phone_and_each_gets_the_calls_of_its_own_caller(
    lease: Desk, cases: list[Case]
) -> None:
    first, second = shared(cases)
    assert first.address == second.address
    anne, bert = lease("anne", user=ANNE), lease("bert", user=BERT)
    dialled = {
        caller.name: caller.dial(uri_of(first)) for caller in (bert, anne)
    }  # the second case's rings first
    for phone, caller in ((first, anne), (second, bert)):
        leg = phone.expect_call(within=10)
        assert leg.id == "agent.1", "named as in a case of its own"
        assert caller.config.user in leg.invite.text
        leg.wait_state("confirmed", within=10)
        hears(leg, dialled[caller.name])
        hears(dialled[caller.name], leg)
        assert len(phone.legs) == 1
        leg.hangup()
        saved = recorded(leg)
        assert Path(saved.path).parent == phone.directory
    for case, phone in zip(cases, (first, second), strict=True):
        phone.release()
        assert len([event for event in case.events if isinstance(event, Recorded)]) == 1
    assert not first.guessed
    assert not second.guessed


def test_a_call_with_an_unknown_number_goes_to_the_waiting_case_by_a_guess(
    lease: Desk, cases: list[Case]
) -> None:
    """It may be a misrouted call of the other case, which only checks whether this phone rings."""
    config = agent()
    looker = cases[0].share(config, numbers=(ANNE,))
    waiter = cases[1].share(config, numbers=(BERT,), lands=True)
    lease("eve", user=EVE).dial(uri_of(looker))
    waiter.expect_call(within=10)
    for phone in (looker, waiter):
        phone.command("free_slots")  # whatever was told is here before its answer
    assert not looker.incoming
    assert looker.guessed
    assert waiter.guessed


def test_a_late_call_of_a_case_that_is_over_is_no_next_case_s(
    lease: Desk, cases: list[Case]
) -> None:
    """A platform that sets calls up slowly calls the stand-in when the next case waits there."""
    config = agent()
    cases[0].share(config, numbers=(ANNE,)).release()
    waiter = cases[1].share(config, numbers=(BERT,), lands=True)
    anne, bert = lease("anne", user=ANNE), lease("bert", user=BERT)
    assert anne.dial(uri_of(waiter)).wait_state("disconnected", within=10).code == 480
    bert.dial(uri_of(waiter))
    waiter.expect_call(within=10)
    assert len(waiter.incoming) == 1
    assert waiter.guessed, "a platform may show the number of the call before: alone, it is told"
    received = [e for e in cases[1].events if isinstance(e, SipMessage) and "INVITE" in e.text]
    assert not [e for e in received if ANNE in e.text]


def test_a_call_from_before_the_case_placed_its_own_is_the_case_s_before(
    lease: Desk, cases: list[Case]
) -> None:
    """Both cases may have the same caller."""
    placed = [-math.inf]
    rules = Rules(first_placed=lambda: placed[0])
    waiter = cases[0].share(agent(max_calls=2), rules=rules, numbers=(ANNE,), lands=True)
    anne = lease("anne", user=ANNE, max_calls=2)
    anne.dial(uri_of(waiter)).wait_state("early", within=10)
    placed[0] = time.monotonic()
    assert not waiter.incoming
    anne.dial(uri_of(waiter))
    assert waiter.expect_call(within=10).id == "agent.2"
    placed[0] = time.monotonic()
    assert [leg.id for leg in waiter.incoming] == ["agent.2"], "a call that was awaited stays"


def test_a_call_refused_because_cases_share_the_phone_is_reported(
    lease: Desk, cases: list[Case]
) -> None:
    holds = lease.process_holds
    phones = shared(cases, max_calls=holds)
    bert = lease("bert", user=BERT, max_calls=holds)
    for call in [bert.dial(uri_of(phones[1])) for _ in range(holds)]:
        call.wait_state("early", within=10)
    anne = lease("anne", user=ANNE)
    assert anne.dial(uri_of(phones[0])).wait_state("disconnected", within=10).code == 486
    for phone in phones:
        refused = event_of(phone, CallsRefused)
        assert refused.source == anne.config.bind_address


def test_each_case_knows_that_a_phone_it_shares_stood_still(cases: list[Case]) -> None:
    phones = shared(cases)
    assert [phone.fault() for phone in phones] == [None, None]
    stopped = time.monotonic()
    os.kill(phones[0].process.pid, signal.SIGSTOP)
    with ThreadPoolExecutor() as threads:
        try:
            deadline = stopped + 1.5
            while time.monotonic() < deadline:
                time.sleep(0.1)
            faults = [threads.submit(phone.fault) for phone in phones]  # known for two seconds
        finally:
            os.kill(phones[0].process.pid, signal.SIGCONT)
    for phone, fault in zip(phones, faults, strict=True):
        assert "had not stirred for" in str(fault.result())
        assert sum(stall.seconds for stall in phone.process.stalls(stopped, deadline)) > 1.2


def test_a_case_that_ends_or_dies_hangs_up_its_own_calls_alone(
    lease: Desk, cases: list[Case]
) -> None:
    first, second = shared(cases)
    mine, other = (
        lease("anne", user=ANNE).dial(uri_of(first)),
        lease("bert", user=BERT).dial(uri_of(first)),
    )
    for phone, leg in ((first, mine), (second, other)):
        phone.expect_call(within=10)
        leg.wait_state("confirmed", within=10)
    first.process.close()  # as when its process dies: the socket closes
    mine.wait_state("disconnected", within=10)
    second.command("free_slots")
    assert other.state == "confirmed"
    second.release()
    other.wait_state("disconnected", within=10)


def test_an_address_belongs_to_one_phone_at_a_time(cases: list[Case]) -> None:
    address = fresh_address()
    one, other = agent(), agent(realm="another.example")
    place = {"bind_address": address, "bind_port": 5060}
    first = cases[0].share(PhoneConfig(**{**plain(one), **place}))
    first.release()
    second = cases[1].share(
        PhoneConfig(**{**plain(other), **place})
    )  # the first has left the address to it
    assert first.address == second.address
    second.release()
    reserved = Reservation(cases[0].board.path, second.config)
    own = cases[0].pool.lease(
        second.config,
        sink=cases[0].events.append,
        marks=cases[0].marks,
        directory=cases[0].directory / "case",
    )
    assert own.address == second.address
    own.release()
    reserved.release()
    cases[1].share(second.config).release()


def test_a_phone_that_waits_for_an_address_gets_it_next(
    board: Switchboard, cases: list[Case], tmp_path: Path
) -> None:
    """Further cases of the phone that has it would keep it away for as long as they overlap."""
    place = {"bind_address": fresh_address(), "bind_port": 5060}
    one, other = (
        PhoneConfig(**{**plain(agent(**more)), **place}) for more in ({}, {"realm": "b.example"})
    )
    third = Case(board, tmp_path / "third", 140)
    first = cases[0].share(one)

    def waiting() -> int:
        return sum(map(len, board._turns.values()))

    with ThreadPoolExecutor() as threads:
        next_one = threads.submit(cases[1].share, other)
        until("one waits", lambda: waiting() == 1, 10.0)
        behind = threads.submit(third.share, one)
        until("two wait", lambda: waiting() == 2, 10.0)
        first.release()
        second = next_one.result(10.0)
        assert not behind.done()
        second.release()
        behind.result(10.0).release()
    third.pool.close()


def plain(config: PhoneConfig) -> dict[str, Any]:
    return {
        "name": config.name,
        "user": config.user,
        "domain": config.domain,
        "realm": config.realm,
    }


def test_a_shared_phone_whose_process_dies_is_lost_to_all(cases: list[Case]) -> None:
    config = agent()
    phones = [case.share(config, numbers=(ANNE,)) for case in cases]
    os.kill(phones[0].process.pid, signal.SIGKILL)
    for phone in phones:
        with pytest.raises(PhoneLostError, match="SIGKILL"):
            phone.next_call(within=10)
    again = cases[0].share(config, numbers=(ANNE,))  # the next case gets a new one
    assert again.process.pid != phones[0].process.pid


def test_requests_outside_calls_belong_to_the_case_that_sent_them(
    stranger: Stranger, cases: list[Case]
) -> None:
    first, second = shared(cases)
    with ThreadPoolExecutor(2) as threads:
        asked = [
            threads.submit(send_options, phone, f"sip:{stranger.address}")
            for phone in (first, second)
        ]
        while not all(one.done() for one in asked):
            request = stranger.next(0.05)
            if isinstance(request, Request):
                stranger.respond(request, 200)
    assert [one.result() for one in asked] == [(200, "OK"), (200, "OK")]
    calls = [
        {Message.parse(e.text).call_id for e in case.events if isinstance(e, SipMessage)}
        for case in cases
    ]
    assert [len(ids) for ids in calls] == [1, 1]
    assert not calls[0] & calls[1]
