"""Facts from the call that a case placed after its failure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.calls.events import FarEndRecord
from harness.diagnosis.probes import without_second_call as left_out
from tests.unit.diagnosis.building import Example
from tests.unit.diagnosis.known import facts_of

GROUP = str(Example().deployment.groups["billing"].did)


def again(asks: str, dialled: str = "+14155550123", **outcome: object) -> Example:
    return Example(row="TD-TRANSFER-BLIND").dials().calls_again(asks, dialled, **outcome)


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        ({"refused": 404}, "refused"),
        ({"rang": ["stand-in"], "again_as_before": "refused"}, "taken"),
        ({"answered": True, "again_as_before": "refused"}, "taken"),
        ({"rang": ["stand-in"], "again_as_before": "not refused"}, None),
        ({"rang": ["billing"], "answered": True, "again_as_before": "refused"}, None),
        ({"again_as_before": "refused"}, None),
        ({}, None),
    ],
)
@pytest.mark.parametrize(("asks", "fact"), [("form", "again.form"), ("codec", "again.codec")])
def test_another_form_or_codec(asks: str, fact: str, outcome: dict[str, Any], told: str | None) -> None:
    assert facts_of(again(asks, **outcome)).value(fact) == told


@pytest.mark.parametrize(
    ("dialled", "outcome", "told"),
    [
        (GROUP, {"rang": ["billing"]}, "the right group"),
        (GROUP, {"rang": ["reception"]}, "another group"),
        (GROUP, {"rang": ["stand-in"], "answered": True}, "another device"),
        (GROUP, {"answered": True}, "another device"),
        ("+18155550106", {"answered": True}, "the platform itself"),
        (GROUP, {"refused": 404}, None),
        (GROUP, {}, None),
        ("+14155550123", {"rang": ["billing"]}, "another group"),
    ],
)
def test_the_number_of_a_group(dialled: str, outcome: dict[str, Any], told: str | None) -> None:
    assert facts_of(again("group", dialled, **outcome)).value("again.group") == told


def test_of_a_group_nothing_is_known_where_the_agents_are_not_seen_or_no_group_is() -> None:
    example = again("group", GROUP, rang=["billing"])
    assert facts_of(example, "caller").value("again.group") is None
    assert facts_of(example, has_deployment=False).value("again.group") is None


def test_only_the_probe_s_own_record_of_it_counts() -> None:
    for changed in ({"phone": "synthflow"}, {"record": {"of": "ai", "asks": "group", "rang": ["billing"]}}):
        example = again("group", GROUP, rang=["billing"])
        told = example.events[-2] if not isinstance(example.events[-1], FarEndRecord) else example.events[-1]
        assert isinstance(told, FarEndRecord)
        example.events[example.events.index(told)] = replace(told, **changed)
        assert facts_of(example).value("again.group") is None


def test_what_came_from_the_second_call_on_is_left_out_but_for_records() -> None:
    example = Example().dials()
    before = list(example.events)
    assert left_out(before) == before
    kept = left_out(example.calls_again("group", GROUP, rang=["billing"]).events)
    assert kept[: len(before)] == before
    assert all(isinstance(event, FarEndRecord) for event in kept[len(before) :])
    assert len(kept) == len(before) + 2
