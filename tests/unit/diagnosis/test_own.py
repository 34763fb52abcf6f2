"""Facts that harness phones report of themselves, and those of the call that a case places after
its failure.
"""

from __future__ import annotations

from typing import Any

import pytest

from harness.case.events import PasswordWithheld, WithheldBy
from tests.unit.diagnosis.case import Example, dialled, named, value
from tests.unit.diagnosis.own_examples import asked_by_options, connects
from tests.unit.diagnosis.stories import GROUP


@pytest.mark.parametrize(
    ("rules", "told"),
    [
        ((None,), None),
        (("realm configured",), "another realm than configured"),
        (("realm configured", "first realm"), "another realm than the first"),
        (("first realm", "stronger algorithm"), "a weaker algorithm"),
        (("first realm", None), None),
    ],
)
def test_why_the_password_was_withheld_last(
    rules: tuple[WithheldBy | None, ...], told: str | None
) -> None:
    example = dialled()
    for rule in rules:
        asked = {"realm": "x", "algorithm": "MD5", "why": "x", "rule": rule}
        example.tells(PasswordWithheld, "caller.1", **asked)
    assert value(example, "password.withheld") == told


def test_a_tls_connection_before_the_call_is_not_the_call_s() -> None:
    assert "certificate-refused" not in dict(named(connects(-1.0)))


@pytest.mark.parametrize(
    ("told", "confidence"),
    [
        ({"every_s": 30.0}, "likely"),
        ({"every_s": 30.0, "there_s": 900.0}, "likely"),
        ({"asked_after_s": 2.0}, "likely"),
        ({"every_s": 30.0, "asked_after_s": -0.2}, None),
        ({"every_s": 30.0, "answered": True}, None),
        ({"answered": True, "asked_after_s": 2.0}, None),
        ({"there_s": 118.0}, "possible"),  # nothing tells whether the platform asks
        ({"there_s": 121.0}, None),
    ],
)
def test_a_platform_that_had_not_asked_by_options(
    told: dict[str, Any], confidence: str | None
) -> None:
    assert dict(named(asked_by_options(**told))).get("trunk-not-asked") == confidence


def again(asks: str, number: str = "+14155550123", **outcome: object) -> Example:
    return dialled(row="TD-TRANSFER-BLIND").calls_again(asks, number, **outcome)


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        ({"refused": 404}, "refused"),
        ({"rang": ["stand-in"], "again_as_before": "refused"}, "taken"),
        ({"answered": True, "again_as_before": "refused"}, "taken"),
        ({"rang": ["stand-in"], "again_as_before": "not refused"}, None),
        ({"rang": ["billing"], "answered": True, "again_as_before": "refused"}, None),
        ({"again_as_before": "refused"}, None),
    ],
)
@pytest.mark.parametrize("asks", ["form", "codec"])
def test_a_second_call_in_another_form_or_codec(
    asks: str, outcome: dict[str, Any], told: str | None
) -> None:
    assert value(again(asks, **outcome), f"again.{asks}") == told


@pytest.mark.parametrize(
    ("dialled", "outcome", "told"),
    [
        (GROUP, {"rang": ["billing"]}, "the right group"),
        (GROUP, {"rang": ["reception"]}, "another group"),
        (GROUP, {"rang": ["stand-in"], "answered": True}, "another device"),
        ("+18155550106", {"answered": True}, "the platform itself"),
        (GROUP, {"refused": 404}, None),
    ],
)
def test_a_second_call_to_a_group(dialled: str, outcome: dict[str, Any], told: str | None) -> None:
    assert value(again("group", dialled, **outcome), "again.group") == told


def test_what_the_second_call_brought_about_is_not_evidence() -> None:
    example = dialled(ai="stand-in").after(0.1).state("disconnected", 404, "Not Found").not_taken()
    alone = example.copy().diagnose()
    example.calls_again("codec", "+14155550123", rang=["stand-in"], again_as_before="not refused")
    assert example.ai_gets().rings("reception").diagnose() == alone
