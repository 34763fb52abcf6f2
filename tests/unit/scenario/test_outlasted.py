"""What a platform still sends to an AI that was down: it is waited for, and refused, before the next case begins."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.calls.checks import landing
from harness.calls.verdict import ExpectationError
from harness.errors import BrokenError, PhoneLostError, ResourceError
from harness.phone import Reject
from harness.phone.leg import accept_every_leg
from harness.phone.waiter import never_came
from harness.run.plugin import fixtures
from harness.scenario.ai import Ai
from harness.scenario.context import CaseContext
from harness.scenario.endpoints import StandInEndpoint
from tests.unit.scenario.conftest import MakeContext

CALLER = "+13125550142"
STRANGERS = ["+13125550143", "+442079460100", "anonymous"]


class Phone:
    """The stand-in's phone: the calls come one after the other, and then none."""

    def __init__(self, shown: list[str], is_ours: Any) -> None:
        self.is_ours = is_ours
        self.policy: Any = None
        self.left = list(shown)

    def next_call(self, within: float) -> Any:
        if not self.left:
            raise never_came("a call", within, "stand-in", "none", "")
        text = (
            f"INVITE sip:ai@a.example SIP/2.0\r\nVia: SIP/2.0/UDP x;branch=z9hG4bK1\r\n"
            f"From: <sip:{self.left.pop(0)}@b.example>;tag=1\r\n"
            "To: <sip:ai@a.example>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n"
        )
        return SimpleNamespace(messages=[SimpleNamespace(text=text)], phone=SimpleNamespace(name="stand-in"))


def waited(context: CaseContext, phone: Phone) -> list[str]:
    """The calls that are left to the next case."""
    ai = Ai(context)
    context.calls.own.append(cast("Any", SimpleNamespace(number=CALLER)))
    ai._take = lambda **more: StandInEndpoint(context, phone, context.trunk)  # type: ignore[arg-type,method-assign]
    ai._take_what_comes_late()
    assert phone.policy == Reject(480)
    return phone.left


@given(st.lists(st.sampled_from(STRANGERS), max_size=5), st.lists(st.sampled_from([*STRANGERS, CALLER]), max_size=3))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_stranger_s_call_is_not_what_is_waited_for(
    make_context: MakeContext, before: list[str], after: list[str]
) -> None:
    context = make_context(ai="stand-in")
    shown = [*before, CALLER, *after]
    assert waited(context, Phone(shown, context.phones.may_be_ours)) == after


def test_where_no_stranger_calls_the_first_call_is_the_platform_s(make_context: MakeContext) -> None:
    assert waited(make_context(ai="stand-in"), Phone(["anonymous", CALLER], accept_every_leg)) == [CALLER]


def test_where_none_comes_the_wait_ends(make_context: MakeContext) -> None:
    assert waited(make_context(ai="stand-in"), Phone(STRANGERS, make_context().phones.may_be_ours)) == []


@pytest.mark.parametrize("error", [ResourceError("no free port"), PhoneLostError("the phone was lost")])
def test_a_phone_that_cannot_be_there_again_breaks_no_case(
    make_context: MakeContext, monkeypatch: pytest.MonkeyPatch, error: BrokenError
) -> None:
    context = make_context(ai="stand-in")
    notes: list[str] = []
    monkeypatch.setattr(context.evidence, "note_once", notes.append)

    def take(**more: object) -> Any:
        raise error

    ai = Ai(context)
    ai._take = take  # type: ignore[method-assign]
    ai._take_what_comes_late()
    (note,) = notes
    assert str(error) in note


def go_on(wrapper: Any, error: BaseException | None) -> None:
    """As pytest does when the scenario has ended."""
    if error is None:
        wrapper.send(True)
    else:
        wrapper.throw(error)


BROKE = BrokenError("the scenario broke")
FAILED = ExpectationError(landing.landed("the call", "support", {}))


@pytest.mark.parametrize("of_scenario", [None, BROKE, FAILED, KeyboardInterrupt()])
@pytest.mark.parametrize("of_conclusion", [None, PhoneLostError("lost")])
def test_it_is_waited_for_however_the_case_ends(
    make_context: MakeContext,
    monkeypatch: pytest.MonkeyPatch,
    of_scenario: BaseException | None,
    of_conclusion: BaseException | None,
) -> None:
    """But for a run that is interrupted, which has no next case."""

    def conclude(context: CaseContext) -> None:
        if of_conclusion is not None:
            raise of_conclusion

    monkeypatch.setattr(fixtures, "conclude", conclude)
    monkeypatch.setattr(fixtures, "require_promised_findings", lambda context: None)
    context = make_context()
    waits: list[str] = []
    context.outlasted.append(lambda: waits.append("once"))
    item: Any = SimpleNamespace(stash={fixtures._CONTEXT: context})
    wrapper: Any = fixtures.pytest_pyfunc_call(item)
    next(wrapper)
    with pytest.raises((StopIteration, BrokenError, ExpectationError, KeyboardInterrupt)):
        go_on(wrapper, of_scenario)
    assert waits == ["once"] * (not isinstance(of_scenario, KeyboardInterrupt))
