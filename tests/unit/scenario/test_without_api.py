"""A deployment without an API: the AI's side is not seen, and nobody waits for it."""

from __future__ import annotations

import time

import pytest

from harness.calls.verdict import ExpectationError, Verdict
from harness.errors import FarEndError
from harness.scenario.ai import Ai
from harness.scenario.context import line_of
from harness.scenario.endpoints import SynthflowEndpoint
from harness.scenario.people import AssistantOf
from harness.witness.synthflow import AbsentApi
from tests.unit.scenario.conftest import MakeContext
from tests.unit.scenario.synthflow_api import Place, call


def test_an_answered_call_is_one_of_which_nothing_is_known(make_context: MakeContext) -> None:
    place = Place(make_context, AbsentApi())
    began = time.monotonic()
    talk = place.endpoint.expect_call(call(), "main", within=120.0)
    assert time.monotonic() - began < 60.0
    assert talk is not None
    assert talk.is_unknown
    assert talk.is_blind
    assert place.troubles == ["no API is declared (synthflow.api_base), so nothing is known from the AI's side"]


def test_a_call_that_nobody_answers_is_none(make_context: MakeContext) -> None:
    assert Place(make_context, AbsentApi()).endpoint.expect_call(call(answered=False), "main", 0.05) is None


def test_it_never_tells_and_is_never_waited_for() -> None:
    api = AbsentApi()
    assert api.is_down
    for asked in (lambda: api.calls(since=0.0), lambda: api.call("c1"), lambda: api.prepare_inbound("+1", "+2")):
        with pytest.raises(FarEndError, match="no API is declared"):
            asked()
    api.close()


def test_a_file_without_a_table_for_it_has_no_api(make_context: MakeContext) -> None:
    ai = Ai(make_context(api=None, synthflow=None))
    ai.take_place()
    assert isinstance(ai.endpoint, SynthflowEndpoint)
    talk = ai.endpoint.expect_call(call(), "main", within=0.05)
    assert talk is not None
    assert talk.is_unknown


def test_a_call_that_others_took_is_told_with_nobody_having_looked(make_context: MakeContext) -> None:
    context = make_context(api=None, synthflow=None)
    ai = Ai(context)
    ai.take_place()
    of = call(answered=False, over=True)
    of.state = lambda: None
    with pytest.raises(ExpectationError) as failed:
        AssistantOf(context, ai, line_of(context.deployment, context.trunk, "inbound")).expect_call(of)
    assert failed.value.finding.facts["unseen"] is True


def test_nobody_waits_to_see_that_the_ai_was_tried(make_context: MakeContext) -> None:
    """Meanwhile a platform's ring timeout runs out, and what the caller does then comes too late."""
    context = make_context(api=None, synthflow=None)
    paused: list[float] = []
    context.pause = paused.append  # type: ignore[method-assign,assignment]
    ai = Ai(context)
    ai.take_place()
    ai.was_tried(call(answered=False), line_of(context.deployment, context.trunk, "inbound"))
    assert context.evidence.findings[-1].verdict is Verdict.NOT_OBSERVABLE
    assert paused == []
