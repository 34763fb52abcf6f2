"""Whose call a record of the AI's is, where cases run beside each other: the case's own, or it is run again alone."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from harness.scenario.case_phones import ConcurrentCases
from tests.unit.scenario.conftest import MakeContext
from tests.unit.scenario.synthflow_api import CALLER, FakeApi, Place, call, leg, record

BESIDE, THIRD, NOBODYS = "+14155550150", "+14155550151", "+17735550199"
HIDDEN = [None, "anonymous", "Restricted", ""]


@pytest.fixture
def beside(make_context: MakeContext) -> Callable[..., Place]:
    def make(withholds: bool = False) -> Place:
        place = Place(make_context, FakeApi([]))
        place.context.company = ConcurrentCases(
            numbers=(CALLER,), others=frozenset({BESIDE, THIRD}), withholds=withholds
        )
        return place

    return make


SHOWN = st.sampled_from([CALLER, BESIDE, NOBODYS, *HIDDEN])


@given(
    mine=SHOWN,
    theirs=st.lists(SHOWN, min_size=0, max_size=3),
    withholds=st.booleans(),
    order=st.randoms(use_true_random=False),
    late=st.booleans(),
)
@example(
    mine="anonymous", theirs=[NOBODYS], withholds=True, order=None, late=True
)  # from-other-number beside ANONYMOUS
@example(mine="anonymous", theirs=["anonymous"], withholds=True, order=None, late=True)
@example(mine=BESIDE, theirs=[], withholds=False, order=None, late=False)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_case_has_its_own_record_or_is_run_again_alone(
    beside: Callable[..., Place], mine: Any, theirs: list[Any], withholds: bool, order: Any, late: bool
) -> None:
    """But where a platform interchanges two callers' numbers, which is what it then is found to do."""
    if mine == BESIDE and (CALLER in theirs or (withholds and set(HIDDEN) & set(theirs))):
        return
    place = beside(withholds)
    others = [record(call_id=f"theirs{n}", phone_number_from=number) for n, number in enumerate(theirs)]
    own = record(call_id="mine", phone_number_from=mine)
    both = [*others, own]
    if order is not None:
        order.shuffle(both)
    of = call()
    looks = itertools.count()
    # whose record the list has first is chance
    place.api.calls = _growing(place.api, others if late else both, both, looks)
    talk = place.endpoint.expect_call(of, "main", within=0.01)
    if talk is not None:
        place.endpoint.others(of, "main")  # the case's last look
    assume(not late or next(looks) > 1)  # on a busy machine the time may be up before a second look
    has_own = talk is not None and talk.record.id == "mine"
    assert has_own or place.context.guessed


def _growing(api: FakeApi, first: list[Any], then: list[Any], looks: Any) -> Callable[..., Any]:
    calls = api.calls

    def look(since: float, models: Any = ()) -> Any:
        api.records = first if next(looks) == 0 else then
        return calls(since, models)

    return look


@pytest.mark.parametrize("theirs", [[], [BESIDE], [BESIDE, THIRD]])
@pytest.mark.parametrize(("mine", "withholds"), [(CALLER, False), (CALLER, True), ("anonymous", True)])
def test_numbers_that_tell_leave_no_doubt(
    beside: Callable[..., Place], mine: str, withholds: bool, theirs: list[str]
) -> None:
    place = beside(withholds)
    place.api.records = [
        *(record(call_id=number, phone_number_from=number) for number in theirs),
        record(call_id="mine", phone_number_from=mine),
    ]
    of = call()
    talk = place.endpoint.expect_call(of, "main", within=0.0)
    assert talk is not None
    assert talk.record.id == "mine"
    assert place.endpoint.others(of, "main") == []
    assert not place.context.guessed


def test_an_id_leaves_no_doubt_either(beside: Callable[..., Place]) -> None:
    place = beside()
    place.api.records = [record(call_id="c7", phone_number_from=CALLER), record(call_id="x", phone_number_from=CALLER)]
    of = call(leg=leg(("received", "SIP/2.0 200 OK\r\nx-ci: c7\r\n\r\n")))
    talk = place.endpoint.expect_call(of, "main", within=0.0)
    assert talk is not None
    assert talk.record.id == "c7"
    place.endpoint.others(of, "main")
    assert not place.context.guessed


def test_a_call_that_nobody_answered_is_no_guess(beside: Callable[..., Place]) -> None:
    place = beside()
    place.api.records = [record(phone_number_from=BESIDE)]
    assert place.endpoint.expect_call(call(answered=False), "main", within=0.0) is None
    assert not place.context.guessed
