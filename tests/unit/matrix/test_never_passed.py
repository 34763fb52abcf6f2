"""Cases that a deployment file's own words keep from ever passing: told before a call is placed."""

from __future__ import annotations

from typing import Any

import pytest

from harness.deployment import Deployment
from harness.finding_kinds import AUDIO_TO_AI
from harness.integrations import load
from harness.integrations.matrix import cases, why_never_passed
from harness.support.resources import EXAMPLES


def live(expect: dict[str, Any], synthflow: dict[str, Any] | None) -> Deployment:
    found = load(EXAMPLES / "live-talkdesk.toml", secrets=False)
    assert found.synthflow is not None
    told = None if synthflow is None else found.synthflow.model_copy(update=synthflow)
    return found.model_copy(update={"expect": found.expect.model_copy(update=expect), "synthflow": told})


@pytest.mark.parametrize(
    ("expect", "synthflow", "said"),
    [
        ({"strength": "proved"}, {}, "expect.strength"),  # what a file has that says nothing of it
        ({"strength": "proved"}, None, "expect.strength"),
        ({"strength": "proved"}, {"witness": ("record", "marks")}, None),
        ({"strength": "confirmed"}, {}, None),
        ({"strength": "confirmed"}, None, None),  # the experiment
        ({"strength": "confirmed", "experiment": False}, {}, None),
        ({"strength": "confirmed", "experiment": False}, {"transcript": "none"}, "expect.experiment"),
        ({"strength": "confirmed", "experiment": False}, None, "expect.experiment"),
        ({"strength": "indicated", "experiment": False}, None, None),
    ],
)
def test_audio_that_nothing_can_make_known_so_strongly_is_told_beforehand(
    expect: dict[str, Any], synthflow: dict[str, Any] | None, said: str | None
) -> None:
    deployment = live(expect, synthflow)
    found = {case: why_never_passed(case, deployment) for case in cases([deployment])}
    with_the_ai = {case: why for case, why in found.items() if AUDIO_TO_AI in case.required_findings}
    assert with_the_ai
    assert all(why is None for case, why in found.items() if case not in with_the_ai)
    assert all((said in why) if said and why else said is why for why in with_the_ai.values())


def test_a_phone_of_ours_in_the_ai_s_place_proves_audio(talkdesk: Deployment) -> None:
    strict = talkdesk.model_copy(update={"synthflow": None})
    found = [case for case in cases([strict]) if case.axes["ai"] == "stand-in"]
    assert found
    assert {why_never_passed(case, strict) for case in found} == {None}
