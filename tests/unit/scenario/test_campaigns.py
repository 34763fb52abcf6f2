"""Calls of campaigns: the platform's own pace, and late calls of another case's campaign."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.calls.verdict import ExpectationError, Verdict
from harness.deployment import Campaign
from harness.errors import FarEndError
from harness.phone.protocol import Ring
from harness.phone.waiter import never_came
from harness.scenario.cast import Cast
from harness.scenario.context import CaseContext
from harness.scenario.people import Caller, Campaigns
from harness.sip.identity import dialled_at_home, national
from harness.witness import campaign
from tests.unit.scenario.conftest import MakeContext

TRIGGER = Campaign(trigger="http", url="https://campaigns.example", calls_within_s=60.0)
CUSTOMER, NOBODYS = "+12065550100", "+12065550188"
_NO_RESET = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


class Incoming:
    """A call that has come to the customer's phone."""

    successor, state = None, "incoming"

    def __init__(self, number: int, shown: str, *, readable: bool = True) -> None:
        self.id, self.taken, self.answered, self.refused_with = f"customer.{number}", False, False, 0
        self._text = f"INVITE sip:customer@192.0.2.1 SIP/2.0\r\nFrom: <sip:{shown}@platform.example>;tag=a\r\n\r\n"
        self._readable = readable

    @property
    def invite(self) -> Any:
        if not self._readable:
            raise LookupError
        return SimpleNamespace(text=self._text)

    @property
    def events(self) -> list[Any]:
        return [SimpleNamespace(at=time.monotonic())]

    def answer(self) -> None:
        self.answered = True

    def hangup(self, code: int) -> None:
        self.refused_with = code


class Phone:
    """The customer's phone: what is to come comes when it is waited for."""

    name, policy = "caller", Ring()

    def __init__(self, *there: Incoming, to_come: tuple[Incoming, ...] = ()) -> None:
        self.incoming, self._to_come = list(there), list(to_come)

    def come(self) -> None:
        self.incoming += [self._to_come.pop(0)] if self._to_come else []

    def next_call(self, within: float) -> Incoming:
        self.come()
        for leg in self.incoming:
            if not leg.taken:
                leg.taken = True
                return leg
        raise never_came("a call at caller", within, "caller", "it never came", "")


class Case:
    """A case whose campaign is of the first of the file's numbers that lead to an AI."""

    def __init__(self, context: CaseContext, monkeypatch: pytest.MonkeyPatch, phone: Phone, fails: str = "") -> None:
        def start(*_: Any) -> None:
            if fails:
                raise FarEndError(fails)

        monkeypatch.setattr(campaign, "start", start)
        monkeypatch.setattr(context.phones.guard, "number", lambda number: None)
        monkeypatch.setattr(context, "pause", lambda seconds: phone.come())
        self.cast, self.phone = Cast(context), phone
        self.line = self.cast.line(str(context.case.line))
        self.customer = Caller(context, "caller", phone, CUSTOMER)  # type: ignore[arg-type]

    def starts(self) -> None:
        self.cast.start_campaign(self.line, self.customer)

    def taken(self) -> Any:
        return self.customer.expect_call(within=0.01).leg


@pytest.fixture
def context(make_context: MakeContext) -> CaseContext:
    return make_context(campaign=TRIGGER)


def numbers(context: CaseContext) -> tuple[str, list[str]]:
    """The number of the case, and those of the other lines."""
    own = Cast(context).line(str(context.case.line)).did
    return own, sorted({number for _, _, number in context.deployment.all_dids()} - {own})


def _with_00(number: str) -> str:
    return f"00{number[1:]}"


_WAYS: tuple[Callable[[str], str], ...] = (str, national, dialled_at_home, _with_00)
SPELLINGS = st.sampled_from(_WAYS)


@_NO_RESET
@given(data=st.data())
def test_the_late_calls_of_other_campaigns_are_refused_and_the_own_is_taken(
    make_context: MakeContext, data: st.DataObject
) -> None:
    """A case before gave up, the dialer called for it all the same, and that call was this case's: with the wrong number."""
    context = make_context(campaign=TRIGGER)
    own, others = numbers(context)
    late = data.draw(st.lists(st.tuples(st.sampled_from(others), SPELLINGS), min_size=1, max_size=3))
    legs = [Incoming(n, spell(number)) for n, (number, spell) in enumerate(late)]
    right = Incoming(9, data.draw(SPELLINGS)(own))
    there = data.draw(st.integers(0, len(legs)))
    with pytest.MonkeyPatch.context() as monkeypatch:
        case = Case(context, monkeypatch, Phone(*legs[:there], to_come=(*legs[there:], right)))
        case.starts()
        assert case.taken() is right
    assert right.answered
    assert {(leg.refused_with, leg.answered) for leg in legs} == {(603, False)}
    assert right.refused_with == 0


def test_digits_that_may_spell_either_number_are_the_own_campaigns(context: CaseContext) -> None:
    """In North America 2065550100 is a national number, and one of Egypt without its plus."""
    home, abroad = "+12065550100", "+2065550100"
    lines = [("abroad", "sip", abroad), ("home", "sip", home)]
    deployment: Any = SimpleNamespace(all_dids=lambda: lines, region_at=lambda phone: "US", phones={})
    there: Any = SimpleNamespace(deployment=deployment, evidence=context.evidence)
    for awaited, is_taken in ((home, True), (abroad, True), (NOBODYS, False)):
        phone: Any = Phone(Incoming(1, "2065550100"))
        campaigns = Campaigns(there, phone)
        campaigns.await_from(awaited)
        assert campaigns.has_called() is is_taken


@pytest.mark.parametrize("shown", [NOBODYS, "anonymous", CUSTOMER])
def test_a_number_that_is_none_of_the_files_is_taken_and_judged(
    context: CaseContext, monkeypatch: pytest.MonkeyPatch, shown: str
) -> None:
    wrong = Incoming(1, shown)
    case = Case(context, monkeypatch, Phone(wrong))
    case.starts()
    assert case.taken() is wrong
    assert wrong.answered


def test_a_call_whose_invite_cannot_be_read_is_taken(context: CaseContext, monkeypatch: pytest.MonkeyPatch) -> None:
    strange = Incoming(1, numbers(context)[1][0], readable=False)
    case = Case(context, monkeypatch, Phone(strange))
    case.starts()
    assert case.taken() is strange


def test_a_late_call_that_comes_while_the_phone_is_waited_for(
    context: CaseContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wait for the campaign is over, or there is none: it is known by its number all the same."""
    own, others = numbers(context)
    late, right = Incoming(1, others[0]), Incoming(2, own)
    case = Case(context, monkeypatch, Phone())
    case.customer.awaits_campaign(case.line)
    case.phone._to_come = [late, right]
    assert case.taken() is right
    assert late.refused_with == 603


def test_what_was_refused_stands_beside_a_call_that_never_came(
    context: CaseContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be the platform that shows the wrong number: the reader is told which."""
    late = Incoming(1, numbers(context)[1][0])
    case = Case(context, monkeypatch, Phone(late))
    case.customer.awaits_campaign(case.line)
    with pytest.raises(ExpectationError) as caught:
        case.taken()
    finding = caught.value.finding
    assert (finding.check, finding.verdict) == ("caller_id", Verdict.FAILED)  # and its cause is known by that
    (said,) = finding.evidence
    assert said.startswith(f"customer.1 shows {numbers(context)[1][0]}, of ")


def test_two_campaigns_of_one_case_are_both_waited_for(context: CaseContext, monkeypatch: pytest.MonkeyPatch) -> None:
    another = Cast(context).line(next(name for name in context.deployment.lines if name != context.case.line))
    first, second = Incoming(1, another.did), Incoming(2, numbers(context)[0])
    case = Case(context, monkeypatch, Phone(first, second))
    case.customer.awaits_campaign(another)
    case.starts()
    assert [case.taken(), case.taken()] == [first, second]


@pytest.mark.parametrize("whose", ["another campaign's", "the line's", "nobody's"])
def test_only_a_call_that_may_be_its_own_excuses_a_trigger_that_failed(
    context: CaseContext, monkeypatch: pytest.MonkeyPatch, whose: str
) -> None:
    own, others = numbers(context)
    shown = {"another campaign's": others[0], "the line's": own, "nobody's": NOBODYS}[whose]
    case = Case(context, monkeypatch, Phone(Incoming(1, shown)), fails="campaign trigger: 503")
    if whose == "another campaign's":
        with pytest.raises(FarEndError, match="503"):
            case.starts()
    else:
        case.starts()


def test_whoever_waits_for_no_campaign_refuses_nobody(context: CaseContext, monkeypatch: pytest.MonkeyPatch) -> None:
    called_back = Incoming(1, numbers(context)[1][0])
    assert Case(context, monkeypatch, Phone(called_back)).taken() is called_back


# -- A campaign that was started by a request: the platform calls at its own pace, and is given the time that it is said to take


CALLED = "+12065550100"


def called(context: CaseContext, incoming: list[Any]) -> Caller:
    phone: Any = SimpleNamespace(name="customer", incoming=incoming)
    return Caller(context, "customer", phone, CALLED)


def a_call(context: CaseContext) -> Any:
    """From the number that the case is about."""
    did = Cast(context).line(str(context.case.line)).did
    text = f"INVITE sip:customer@192.0.2.1 SIP/2.0\r\nFrom: <sip:{did}@platform.example>;tag=a\r\n\r\n"
    return SimpleNamespace(id="caller.1", invite=SimpleNamespace(text=text))


@pytest.mark.parametrize("calls_after_s", [0.0, 0.1])
def test_a_campaigns_call_may_come_as_late_as_is_said(
    make_context: MakeContext, monkeypatch: pytest.MonkeyPatch, calls_after_s: float
) -> None:
    incoming: list[Any] = []
    started: list[float] = []

    def start(trigger: Campaign, line: str, customer: str) -> None:
        started.append(time.monotonic())

    def pause(seconds: float) -> None:
        if time.monotonic() - started[0] >= calls_after_s:
            incoming.append(a_call(made))

    monkeypatch.setattr(campaign, "start", start)
    made = make_context(campaign=Campaign(trigger="http", url="https://campaigns.example", calls_within_s=60.0))
    monkeypatch.setattr(made, "pause", pause)
    monkeypatch.setattr(made.phones.guard, "number", lambda number: None)
    customer = called(made, incoming)
    Cast(made).start_campaign(Cast(made).line(str(made.case.line)), customer)
    assert len(incoming) == 1, "whoever expects the call now finds it there"


def test_a_campaign_that_is_said_to_call_at_once_is_not_waited_for(
    make_context: MakeContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(campaign, "start", lambda *_: None)
    made = make_context(campaign=Campaign(trigger="http", url="https://campaigns.example"))
    monkeypatch.setattr(made, "pause", lambda seconds: pytest.fail("it waited"))
    monkeypatch.setattr(made.evidence, "scripted", lambda *_: pytest.fail("a wait of no time is told"))
    monkeypatch.setattr(made.phones.guard, "number", lambda number: None)
    customer = called(made, [])
    Cast(made).start_campaign(Cast(made).line(str(made.case.line)), customer)


@pytest.mark.parametrize("has_called", [True, False])
def test_a_request_that_is_not_answered_before_the_call_is_taken(
    make_context: MakeContext, monkeypatch: pytest.MonkeyPatch, has_called: bool
) -> None:
    """As FreeSWITCH's originate, which waits for whom it calls: the customer's phone rang, and the case was broken."""
    incoming: list[Any] = []

    def start(trigger: Campaign, line: str, customer: str) -> None:
        if has_called:
            incoming.append(a_call(made))
        raise FarEndError("campaign trigger https://campaigns.example: no whole answer within 10 s")

    monkeypatch.setattr(campaign, "start", start)
    made = make_context(campaign=Campaign(trigger="http", url="https://campaigns.example"))
    monkeypatch.setattr(made.phones.guard, "number", lambda number: None)
    customer = called(made, incoming)
    cast = Cast(made)
    with nullcontext() if has_called else pytest.raises(FarEndError, match="no whole answer"):
        cast.start_campaign(cast.line(str(made.case.line)), customer)
