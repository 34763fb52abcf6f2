"""What a final status is said of: the caller, the request, the number, and so of nothing behind the platform."""

from __future__ import annotations

import pytest

from tests.unit.diagnosis.building import Example
from tests.unit.diagnosis.stories import GROUP, lost, transfer
from tests.unit.diagnosis.told_examples import refused_by_platform


@pytest.mark.parametrize("code", [428, 433, 436, 437, 438, 607, 608])  # RFC 8224, 5079, 8197, 8688
def test_a_caller_refused_for_who_it_is(code: int) -> None:
    first = refused_by_platform(code, "x").diagnose().causes[0]
    assert (first.id, first.confidence) == ("caller-identity-refused", "likely")
    assert any(str(code) in line for line in first.evidence)


@pytest.mark.parametrize("code", [401, 407, 414, 416, 420, 421, 433, 438, 494, 505, 513, 607, 608])
def test_what_is_said_of_the_request_is_no_firewalls_work(code: int) -> None:
    causes = {cause.id for cause in refused_by_platform(code, "x").diagnose().causes}
    assert not [name for name in causes if name.startswith(("firewall", "trunk-transport"))]


@pytest.mark.parametrize("code", [404, 410, 484, 485, 604])  # RFC 3261 sections 21.4.5, .11, .22, .23 and 21.6.3
def test_what_is_said_of_the_number_is_told_of_the_number(code: int) -> None:
    first = refused_by_platform(code, "x").diagnose().causes[0]
    assert (first.id, first.confidence) == ("number-unknown-at-platform", "likely")


def test_a_refer_answered_with_busy_has_a_cause() -> None:
    found = lost(transfer(Example()).ai_refers(GROUP).platform_says(486, "Busy Here")).diagnose()
    assert [(cause.id, cause.confidence) for cause in found.causes if not cause.candidate] == [
        ("nobody-available", "likely")
    ]
