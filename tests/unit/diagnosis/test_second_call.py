"""Facts from the call that a case placed after its failure."""

from __future__ import annotations

from typing import Any

import pytest

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
