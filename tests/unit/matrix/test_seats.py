"""Who is the AI in a row: Synthflow, a stand-in, or whoever a trunk leads to."""

from __future__ import annotations

import pytest

from harness.deployment import Deployment
from tests.unit.matrix.conftest import of


@pytest.mark.parametrize("row", ["KEEPALIVE", "NOSUCHNUMBER"])
def test_what_the_platform_alone_answers_is_asked_once_whoever_the_ai_is(talkdesk: Deployment, row: str) -> None:
    def asked(*ais: str) -> list[str]:
        trunks = tuple(trunk for trunk in talkdesk.trunks if trunk.ai in ais)
        return [case.axes["ai"] for case in of(talkdesk.model_copy(update={"trunks": trunks}), row)]

    assert asked("synthflow", "stand-in") == ["synthflow"]
    assert asked("synthflow") == ["synthflow"]
    assert asked("stand-in") == ["stand-in"]


@pytest.mark.parametrize("row", ["BUSY", "NOANSWER", "REJECTED", "ABANDON"])
def test_a_stand_in_can_be_busy_and_decline_as_an_ai_can(talkdesk: Deployment, row: str) -> None:
    assert {case.axes["ai"] for case in of(talkdesk, row)} == {"synthflow", "stand-in"}
    talks = {name: each.model_copy(update={"behaviour": "talks"}) for name, each in talkdesk.assistants.items()}
    plain = talkdesk.model_copy(update={"assistants": talks})
    assert {case.axes["ai"] for case in of(plain, row)} == {"stand-in"}
    lines = {name: line.model_copy(update={"may_fail": False}) for name, line in plain.lines.items()}
    assert not of(plain.model_copy(update={"lines": lines}), row)
