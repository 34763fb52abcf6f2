"""Which calls of a case reached the AI, or were answered there: other people's calls do not count."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from harness.case.events import Event, TlsHandshake
from harness.case.verdict import Verdict
from harness.scenario.ai import Ai
from harness.scenario.endpoints import AiEndpoint, StandInEndpoint, SynthflowEndpoint
from harness.witness.clock import to_wall
from tests.unit.scenario.conftest import MakeContext
from tests.unit.scenario.legs import CALLER, STRANGER, ScriptedPhone
from tests.unit.scenario.synthflow_api import FakeApi, call, record

PASSED, FAILED, UNSEEN = Verdict.PASSED, Verdict.FAILED, Verdict.NOT_OBSERVABLE
LOOKS = ("was_not_reached", "waited_for", "answered_nothing")


def verdict(endpoint: AiEndpoint, look: str, of: Any) -> Verdict:
    ai = Ai(endpoint._context)
    ai._endpoint = endpoint
    getattr(ai, look)(of)
    return endpoint._context.evidence.findings[-1].verdict


@pytest.mark.parametrize(
    ("shown", "named", "at", "shared", "verdicts"),
    [
        (CALLER, ("incoming", "confirmed"), 15.0, False, (FAILED, FAILED, FAILED)),
        (CALLER, ("incoming", "confirmed", "disconnected"), 15.0, False, (FAILED, FAILED, FAILED)),
        (CALLER, ("incoming", "early"), 15.0, False, (FAILED, FAILED, PASSED)),
        (
            CALLER,
            ("incoming", "early"),
            75.0,
            False,
            (FAILED, PASSED, PASSED),
        ),  # the caller had chosen
        (
            CALLER,
            ("incoming", "confirmed"),
            9.0,
            False,
            (PASSED, PASSED, PASSED),
        ),  # a call of before
        ("anonymous", ("incoming", "confirmed"), 15.0, False, (FAILED, FAILED, FAILED)),
        (
            "anonymous",
            ("incoming", "confirmed"),
            15.0,
            True,
            (UNSEEN, UNSEEN, UNSEEN),
        ),  # strangers call as well
    ],
)
def test_a_call_at_the_stand_in(
    make_context: MakeContext,
    shown: str,
    named: tuple[str, ...],
    at: float,
    shared: bool,
    verdicts: tuple[Verdict, ...],
) -> None:
    context, of, phone = make_context(ai="stand-in"), call(), ScriptedPhone("stand-in")
    of.began, of.chosen = 10.0, 70.0
    context.calls.add(of)
    phone.rings(shown, *named, at=at)
    if shared:
        phone.is_ours = context.phones.may_be_ours
    there: Any = phone
    assert (
        tuple(verdict(StandInEndpoint(context, there, context.trunk), look, of) for look in LOOKS)
        == verdicts
    )


@pytest.mark.parametrize(
    ("fields", "after_s", "verdicts"),
    [
        ({}, 5.0, (FAILED, FAILED, FAILED)),
        ({"status": "ringing"}, 5.0, (FAILED, FAILED, PASSED)),
        ({}, 60.2, (FAILED, PASSED, FAILED)),  # the caller had chosen
        ({}, None, (UNSEEN, UNSEEN, UNSEEN)),
        ({"phone_number_from": None}, 5.0, (FAILED, FAILED, FAILED)),
        (
            {"phone_number_from": STRANGER},
            5.0,
            (UNSEEN, UNSEEN, UNSEEN),
        ),  # a stranger, or a wrong number
        (
            {"call_id": "p1", "status": "registered"},
            -1.0,
            (PASSED, PASSED, PASSED),
        ),  # given out, and not called
        (
            {"call_id": "p1", "status": "ringing"},
            -1.0,
            (FAILED, UNSEEN, PASSED),
        ),  # it has the time of its preparation
    ],
)
def test_a_call_in_synthflow_s_list(
    make_context: MakeContext,
    fields: dict[str, Any],
    after_s: float | None,
    verdicts: tuple[Verdict, ...],
) -> None:
    of = call(prepared="p1")
    of.chosen = of.began + 60.0
    started = None if after_s is None else f"{to_wall(of.began + after_s):.3f}"
    api: Any = FakeApi([record(start_time=started, **fields)])
    context = make_context(api=api)
    assert tuple(verdict(SynthflowEndpoint(context), look, of) for look in LOOKS) == verdicts


@pytest.mark.parametrize(
    ("shaken_at", "rings", "expected"),
    [
        (11.0, False, PASSED),
        (11.0, True, FAILED),
        (None, True, FAILED),
        (9.0, False, UNSEEN),  # of a call before
        (None, False, UNSEEN),  # a platform that never connected has refused no certificate
    ],
)
def test_a_bad_certificate_is_refused_by_a_platform_that_saw_it(
    make_context: MakeContext, shaken_at: float | None, rings: bool, expected: Verdict
) -> None:
    context, phone = make_context(ai="stand-in"), ScriptedPhone("stand-in")
    about: Any = {"phone": "stand-in", "remote": "127.0.0.1:40004", "failed": True}
    shaken: list[Event] = [] if shaken_at is None else [TlsHandshake(at=shaken_at, **about)]
    if rings:
        phone.rings(CALLER, at=12.0)
    there: Any = phone
    there.events = shaken
    endpoint = StandInEndpoint(context, there, context.trunk)
    assert (
        verdict(endpoint, "was_refused_for_its_certificate", SimpleNamespace(began=10.0))
        is expected
    )
