"""Which calls a case is planned to place, whatever else the number is set up for."""

from __future__ import annotations

import pytest

from harness.deployment import Deployment
from harness.integrations.matrix import Selection, calls_of, cases, left_out, seconds_of
from tests.unit.matrix.conftest import of


@pytest.mark.parametrize(("ai", "who", "by"), [("synthflow", "AI", "the AI"), ("stand-in", "stand-in", "the harness")])
def test_a_warm_handover_is_a_call_of_the_ai_s_whatever_the_platform_does_with_a_refer(
    talkdesk: Deployment, ai: str, who: str, by: str
) -> None:
    """The caller's phone was said to call the group, and that call to be the harness's: there is no REFER that it could follow."""
    lines = {name: entry.model_copy(update={"refer": "passed-on"}) for name, entry in talkdesk.lines.items()}
    changed = talkdesk.model_copy(update={"lines": lines})
    found = [case for case in of(changed, "TD-TRANSFER-WARM") if case.axes["ai"] == ai]
    assert found
    for case in found:
        _, onward = calls_of(case, changed)
        assert (onward.who, onward.by) == (who, by)


def test_a_cold_handover_is_a_call_of_the_caller_s_where_the_platform_passes_the_refer_on(talkdesk: Deployment) -> None:
    found = [case for case in of(talkdesk, "TD-TRANSFER-BLIND") if case.axes["refer"] == "passed-on"]
    assert found
    for case in found:
        call, onward = calls_of(case, talkdesk)
        assert (onward.who, onward.by) == (call.who, "the harness")


def test_a_caller_s_phone_is_sent_to_numbers_alone_with_a_topic_as_well(gladly: Deployment) -> None:
    """From the telephone network nobody calls the user of a queue: the row with a topic was planned all the same."""
    lines = {name: entry.model_copy(update={"refer": "passed-on"}) for name, entry in gladly.lines.items()}
    users = {n: g.model_copy(update={"did": None, "user": f"q{i}"}) for i, (n, g) in enumerate(gladly.groups.items())}
    with_numbers, without = (gladly.model_copy(update={"lines": lines, **more}) for more in ({}, {"groups": users}))
    assert of(with_numbers, "GL-TRANSFER-TOPIC")
    assert not of(without, "GL-TRANSFER-TOPIC")
    (why,) = [left.why for left in left_out(without) if left.row == "GL-TRANSFER-TOPIC" and left.line is None]
    assert "number (did)" in why


def test_a_long_call_takes_the_minutes_of_its_case(talkdesk: Deployment) -> None:
    """The plan said of one of 10 minutes that it needs the 31 of the other, and to raise a limit that it would have kept."""
    found = cases([talkdesk], Selection(rows=("LONGCALL",), ais=("synthflow",)))
    times = {case.axes["minutes"]: seconds_of(case, talkdesk, talkdesk.timings) for case in found}
    assert times == {"10": 600.0, "31": 1860.0}
