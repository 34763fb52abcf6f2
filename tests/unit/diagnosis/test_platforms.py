"""What is said of a cause fits the platform at hand, and the port, the file and the network that the case was about."""

from __future__ import annotations

import pytest

from harness.diagnosis.causes import CAUSES
from harness.diagnosis.causes.described import GLADLY_ISSUE
from harness.diagnosis.rules import COMMON
from tests.unit.diagnosis.building import Example


def test_no_cause_that_every_platform_has_is_told_under_the_name_of_one() -> None:
    assert [rule.id for rule in COMMON if CAUSES[rule.cause].issue == GLADLY_ISSUE] == []


@pytest.mark.parametrize("shown", ["expired", "wrong name", "untrusted"])
def test_a_bad_certificate_behind_talkdesk_is_no_matter_of_gladly(shown: str) -> None:
    example = Example(transport="tls").dials().rings("reception").answered().not_taken("the phone reception")
    example.probed("ai", "answers", shown).probed("termination", "answers")
    assert example.diagnose().headline.startswith("Calls not reaching Synthflow: ")
