"""Which calls of a case reached a stand-in: those of others do not count."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.calls.events import CallState
from harness.calls.verdict import Verdict
from harness.phone.leg import accept_every_leg
from harness.scenario.ai import Ai
from harness.scenario.endpoints import StandInEndpoint, SynthflowEndpoint
from harness.witness.clock import to_wall
from tests.unit.scenario.conftest import MakeContext
from tests.unit.scenario.synthflow_api import CALLER, FakeApi, call, record


def place(*legs: Any, is_ours: Any = accept_every_leg) -> Any:
    """The stand-in's phone."""
    phone = SimpleNamespace(name="stand-in", incoming=list(legs), is_ours=is_ours)
    for leg in legs:
        leg.phone = phone
    return phone


@pytest.mark.parametrize(
    ("after_s", "verdict"),
    [(-30.0, Verdict.FAILED), (-2.0, Verdict.FAILED), (0.2, Verdict.PASSED), (None, Verdict.NOT_OBSERVABLE)],
)
def test_the_same_by_the_moments_of_synthflow_s_records(
    make_context: MakeContext, after_s: float | None, verdict: Verdict
) -> None:
    of = call()
    of.chosen, of.began = of.began + 60.0, of.began
    started = None if after_s is None else f"{to_wall(of.chosen + after_s):.3f}"
    api: Any = FakeApi([record(start_time=started)])
    context = make_context(api=api)
    ai = Ai(context)
    ai._endpoint = SynthflowEndpoint(context)
    ai.waited_for_choice(of)
    assert context.evidence.findings[-1].verdict is verdict


@pytest.mark.parametrize(
    ("began", "states", "expected"),
    [
        (10.1, ("incoming", "early"), Verdict.PASSED),
        (10.1, ("incoming", "early", "disconnected"), Verdict.PASSED),
        (10.1, ("incoming", "connecting"), Verdict.FAILED),
        (10.1, ("incoming", "connecting", "confirmed"), Verdict.FAILED),
        (10.1, ("incoming", "connecting", "confirmed", "disconnected"), Verdict.FAILED),  # taken, and over by now
        (9.0, ("incoming", "connecting", "confirmed"), Verdict.PASSED),  # of a call before
    ],
)
def test_a_call_that_was_set_up_was_answered_whatever_became_of_it(
    make_context: MakeContext, began: float, states: tuple[Any, ...], expected: Verdict
) -> None:
    context = make_context(ai="stand-in")
    told: Any = {"phone": "stand-in", "leg": "stand-in.1"}
    events = [CallState(at=began + number / 10, state=state, **told) for number, state in enumerate(states)]
    leg = SimpleNamespace(id="stand-in.1", events=events, state=states[-1])
    ai = Ai(context)
    ai._endpoint = StandInEndpoint(context, place(leg), context.trunk)
    ai.answered_nothing(cast("Any", SimpleNamespace(began=10.0)))
    assert [found.verdict for found in context.evidence.findings] == [expected]


@pytest.mark.parametrize(
    ("shown", "verdict"),
    [
        ("+14155550101", Verdict.FAILED),  # the caller's own
        (None, Verdict.FAILED),  # a call that shows none is taken for ours where nobody says that others call as well
        ("anonymous", Verdict.FAILED),
        ("+13035550177", Verdict.NOT_OBSERVABLE),
        ("(303) 555-0177", Verdict.NOT_OBSERVABLE),
    ],
)
@pytest.mark.parametrize("look", ["was_not_reached", "waited_for_choice", "answered_nothing"])
def test_a_call_of_a_strangers_number_speaks_against_nobody(
    make_context: MakeContext, shown: str | None, verdict: Verdict, look: str
) -> None:
    """A customer who called the same assistant meanwhile failed the case, where the file does not say that others do."""
    of = call()
    of.chosen = of.began + 60.0
    api: Any = FakeApi([record(phone_number_from=shown, start_time=f"{to_wall(of.began + 5.0):.3f}")])
    context = make_context(api=api)
    ai = Ai(context)
    ai._endpoint = SynthflowEndpoint(context)
    getattr(ai, look)(of)
    assert context.evidence.findings[-1].verdict is verdict


@pytest.mark.parametrize(
    ("shown", "shared", "verdict"),
    [
        (CALLER, True, Verdict.FAILED),
        ("anonymous", True, Verdict.NOT_OBSERVABLE),  # where strangers call as well, it may be theirs
        ("anonymous", False, Verdict.FAILED),
    ],
)
@pytest.mark.parametrize("look", ["was_not_reached", "waited_for_choice", "answered_nothing"])
def test_the_same_at_a_stand_in(
    make_context: MakeContext, shown: str, shared: bool, verdict: Verdict, look: str
) -> None:
    context = make_context(ai="stand-in")
    of = call()
    of.began, of.chosen = 10.0, 70.0
    context.calls.add(of)
    text = f"INVITE sip:ai@p SIP/2.0\r\nFrom: <sip:{shown}@b.example>;tag=1\r\nTo: <sip:ai@p>\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n\r\n"
    answered = CallState(at=15.0, phone="stand-in", leg="stand-in.1", state="confirmed")
    leg = SimpleNamespace(id="stand-in.1", events=[answered], messages=[SimpleNamespace(text=text)])
    phone = place(leg, is_ours=context.phones.may_be_ours if shared else accept_every_leg)
    ai = Ai(context)
    ai._endpoint = StandInEndpoint(context, phone, context.trunk)
    getattr(ai, look)(of)
    assert context.evidence.findings[-1].verdict is verdict
