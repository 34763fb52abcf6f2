"""What switches of others answer to a transfer, in their own words, and what is told of it."""

from __future__ import annotations

from tests.unit.diagnosis.building import Example, named
from tests.unit.diagnosis.stories import GROUP, lost, warm


def test_a_call_that_a_platform_answers_before_it_rings_anybody_was_not_taken_by_another_device_for_certain() -> None:
    """Contact centres answer a group's number themselves, with a queue's music; a file may not tell of it."""
    example = warm(Example(ai="stand-in")).ai_invites(GROUP).platform_says(200, "OK", "INVITE")
    assert named(lost(example)) == [("another-device-answered", "likely"), ("nobody-available", "possible")]
    rings = lost(example).calls_again("group", GROUP, rang=["billing"])
    assert named(rings) == [("another-device-answered", "likely")], "somebody of the group is there"
