"""A deployment without an API: the AI's side is not seen, and nobody waits for it."""

from __future__ import annotations

import time

import pytest

from harness.errors import FarEndError
from harness.far_end.synthflow import AbsentApi
from tests.unit.scenario.conftest import MakeContext
from tests.unit.scenario.test_synthflow_endpoint import Place, call


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
    assert not api.has_told("caller's words")
    for asked in (lambda: api.calls(since=0.0), lambda: api.call("c1"), lambda: api.prepare_inbound("+1", "+2")):
        with pytest.raises(FarEndError, match="no API is declared"):
            asked()
    api.close()
