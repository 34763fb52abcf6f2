"""Where strangers call an agent, too: a call that does not say whose it is neither fails nor passes what must not come."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.calls.events import CallState
from harness.calls.verdict import Verdict
from harness.deployment import Expectations
from harness.deployment import Group as GroupEntry
from harness.phone.leg import accept_every_leg
from harness.phone.waiter import never_came
from harness.scenario.call import Call
from harness.scenario.case_phones import HEADER_NUMBER
from harness.scenario.cast import Cast
from harness.scenario.context import CaseContext
from harness.scenario.expect import Expect
from harness.scenario.expect_group import ExpectGroup
from harness.scenario.people import Group
from tests.unit.scenario.conftest import MakeContext

PASSED, FAILED, UNSEEN = Verdict.PASSED, Verdict.FAILED, Verdict.NOT_OBSERVABLE
CALLER, STRANGER = "+14155550101", "+13035550177"
quickly = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def ringing(phone: Any, shown: str, *states: str, at: float | None = None) -> Any:
    """A call at ``phone`` that shows a number, or a word where none is told, with the states it was in."""
    began = time.monotonic() if at is None else at
    text = (
        f"INVITE sip:ada@p SIP/2.0\r\nFrom: <sip:{shown}@b.example>;tag=1\r\n"
        "To: <sip:ada@p>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n\r\n"
    )
    name = f"{phone.name}.{len(phone.legs) + 1}"
    invite = SimpleNamespace(text=text, direction="received", unread=False)
    events = [CallState(at=began, phone=phone.name, leg=name, state=s) for s in states or ("incoming",)]  # type: ignore[arg-type]
    leg = SimpleNamespace(id=name, phone=phone, direction="incoming", successor=None, mark=1, invite=invite)
    leg.events, leg.messages, leg.state, leg.taken = events, [invite], events[-1].state, False
    leg.answer, leg.statistics, leg.hangup, leg.reject = (
        (lambda: None),
        (lambda: None),
        (lambda: None),
        lambda code: None,
    )

    def wait(goal: str, predicate: Any, within: float, **_: Any) -> Any:
        for event in events:
            if predicate(event):
                return event
        raise never_came(goal, within, phone.name, "nothing", "")

    leg.wait, leg.wait_state = wait, lambda state, within: wait(state, lambda e: e.state == state, within)
    phone.legs.append(leg)
    return leg


def agent(context: CaseContext, name: str, *, shared: bool = True, watched: bool = True) -> Any:
    is_ours = context.phones.may_be_ours if shared else accept_every_leg

    class Agent:
        def __init__(self) -> None:
            self.name, self.legs, self.is_ours = name, list[Any](), is_ours
            self.registration = SimpleNamespace(active=watched)
            self.process, self.fault, self.declined = SimpleNamespace(pid=id(self)), (lambda: None), None

        @property
        def incoming(self) -> list[Any]:
            return [leg for leg in self.legs if self.is_ours(leg)]

    context.phones._phones[name] = Agent()  # type: ignore[assignment]
    return context.phones._phones[name]


@pytest.fixture
def context(make_context: MakeContext) -> CaseContext:
    return prepared(make_context)


def prepared(make_context: MakeContext, **more: Any) -> CaseContext:
    """A case whose caller has called."""
    made = make_context(expect=Expectations(released_within_s=0.01, patience_s=0.01), **more)
    leg = SimpleNamespace(id="caller.1", messages=[], events=[])
    made.calls.own.append(cast("Any", SimpleNamespace(number=CALLER, first_leg=leg, leg=leg, label="caller.1")))
    made.evidence.starved = lambda begin, end: 0.0
    return made


def verdicts(context: CaseContext, check: str) -> list[Verdict]:
    return [finding.verdict for finding in context.evidence.findings if finding.check == check]


@given(
    shown=st.lists(st.sampled_from([CALLER, "anonymous", "the line's", "the AI's", STRANGER]), max_size=4),
    shared=st.booleans(),
    watched=st.booleans(),
)
@quickly
def test_who_must_not_ring_fails_for_the_case_s_own_calls_alone(
    make_context: MakeContext, shown: list[str], shared: bool, watched: bool
) -> None:
    context = prepared(make_context)
    deployment = context.deployment
    numbers = {
        "the line's": next(iter(deployment.all_dids()))[2],
        "the AI's": next(iter(deployment.assistants.values())).did,
    }
    phone = agent(context, "billing", shared=shared, watched=watched)
    for each in shown:
        ringing(phone, numbers.get(each, each))
    ExpectGroup(context, cast("Any", SimpleNamespace(name="billing", phones=[phone]))).never_rang()
    (found,) = context.evidence.findings
    may_be_ours = [each for each in shown if each != STRANGER]
    if not watched or (shown if not shared else CALLER in shown):
        assert found.verdict is FAILED
        assert not watched or found.facts["rang"] == (shown.count(CALLER) if shared else len(shown))
    else:
        assert found.verdict is (UNSEEN if may_be_ours else PASSED)
        told = [numbers[each] for each in may_be_ours if each in numbers]
        assert all(number in str(found.actual) for number in told)
        assert ("shows no number" in str(found.actual)) is (bool(may_be_ours) and not told)


@pytest.mark.parametrize(
    ("mode", "shown", "ours"),
    [
        ({"transfer_caller_id": "header", "caller_id_header": "X-Show-Number"}, HEADER_NUMBER, True),
        ({"transfer_caller_id": "original"}, HEADER_NUMBER, False),
        ({"transfer_caller_id": "fixed", "fixed_caller_id": "+15035550144"}, "+15035550144", False),
        ({"transfer_caller_id": "agent"}, "the AI's", False),
    ],
)
def test_what_a_handover_shows_is_ours_where_no_other_caller_can_have_asked_for_it(
    context: CaseContext, mode: dict[str, str], shown: str, ours: bool
) -> None:
    name = str(context.deployment.lines[str(context.case.line)].assistant)
    assistant = context.deployment.assistants[name]
    fields = {**assistant.model_dump(), "transfer": "warm", "transfer_to": "billing", **mode}
    changed = type(assistant).model_validate(fields)
    context.deployment = context.deployment.model_copy(update={"assistants": {name: changed}})
    context.phones._deployment = context.deployment
    leg = ringing(agent(context, "billing"), assistant.did if shown == "the AI's" else shown)
    assert context.phones.may_be_ours(leg)
    assert context.is_surely_ours(leg) is ours


@pytest.mark.parametrize("region", ["DE", "GB", "US"])
@pytest.mark.parametrize("shown", ["+442079460101", "442079460101", "00442079460101"])
def test_a_caller_from_abroad_is_known_without_its_plus(context: CaseContext, shown: str, region: str) -> None:
    """442079460101 may be a number in Germany, too, by its length; in North America 00 is no prefix for abroad."""
    caller = "+442079460101"
    phones = {name: each.model_copy(update={"number": caller}) for name, each in context.deployment.phones.items()}
    context.deployment = context.deployment.model_copy(update={"region": region, "phones": phones})
    context.phones._deployment = context.deployment
    phone = agent(context, "a softphone")
    leg = ringing(phone, shown)
    assert context.phones.shown_of_ours(leg) == [caller]
    assert context.phones.is_surely_of(leg, phone, {caller})


@pytest.mark.parametrize(("shown", "verdict"), [("anonymous", UNSEEN), (CALLER, FAILED)])
class TestWhatMustNotBe:
    """The same call fails it where it shows the case's caller."""

    def test_nobody_rings_out_of_turn(self, context: CaseContext, shown: str, verdict: Verdict) -> None:
        first, second = agent(context, "billing"), agent(context, "support")
        for phone in (first, second):
            ringing(phone, CALLER if phone is first else shown)
        entry = GroupEntry(did="+13125550147", agents=("billing", "support"), rings="one-by-one")
        Group(context, "x", entry, [first, second]).rings_in_turns(SimpleNamespace(is_over=lambda: False))  # type: ignore[arg-type]
        assert verdicts(context, "landing.turn") == [PASSED, verdict, PASSED]

    @pytest.mark.parametrize("late", [False, True])
    def test_who_rings_beside_stops_and_is_shown_the_caller(
        self, context: CaseContext, monkeypatch: pytest.MonkeyPatch, late: bool, shown: str, verdict: Verdict
    ) -> None:
        first, second = agent(context, "billing"), agent(context, "support")
        taken = ringing(first, CALLER, "confirmed")
        if not late:
            ringing(second, shown)
        monkeypatch.setattr(context.phones, "first_incoming", lambda *_, **__: taken)
        entry = GroupEntry(did="+13125550147", agents=("billing", "support"))
        of: Any = SimpleNamespace(is_over=lambda: False, obeyed=lambda at: None, answered_at=lambda: 1.0)
        landed = Group(context, "x", entry, [first, second]).expect_call(of)
        assert isinstance(landed, Call)
        Expect(context, landed).caller_id(CALLER)
        if late:
            ringing(second, shown)
        stops = [*verdicts(context, "landing.stops"), *(f.verdict for look in context.late_rings for f in look())]
        assert stops == [verdict]
        shows = PASSED if shown == CALLER else UNSEEN
        assert verdicts(context, "caller_id") == ([PASSED] if late else [shows, PASSED])

    def test_a_phone_has_one_call_up(self, context: CaseContext, shown: str, verdict: Verdict) -> None:
        phone = agent(context, "billing")
        call = Call(context, ringing(phone, CALLER, "confirmed"), "agent")
        call.first_leg_released_at = lambda deadline: None  # type: ignore[method-assign]
        ringing(phone, shown)
        Cast(context).one_call_each(call)
        assert verdicts(context, "one_call") == [verdict]

    def test_nothing_rings_any_more(self, context: CaseContext, shown: str, verdict: Verdict) -> None:
        ringing(agent(context, "billing"), shown)
        cast = Cast(context)
        cast._ais_leg_ends = lambda *_: None  # type: ignore[method-assign]
        cast.nothing_rings_any_more(SimpleNamespace(), after=time.monotonic() - 5.0)  # type: ignore[arg-type]
        assert verdicts(context, "released") == [verdict]
