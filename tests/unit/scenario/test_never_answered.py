"""A call that must not be set up: refused, or taken by nobody; not one that waits to be answered a little later."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest

from harness.calls.events import CallState
from harness.calls.verdict import Verdict
from harness.phone.waiter import never_came
from harness.scenario.call import Call
from harness.scenario.expect import Expect
from tests.unit.scenario.conftest import MakeContext


def leg(*states: tuple[str, int, str]) -> Any:
    """A call of ours that went through these states."""
    told: dict[str, Any] = {"phone": "ai", "leg": "ai.1", "at": time.monotonic()}
    events = [CallState(state=state, code=code, reason=reason, **told) for state, code, reason in states]  # type: ignore[arg-type]

    def wait(goal: str, predicate: Any, within: float, **_: Any) -> Any:
        if found := next(filter(predicate, events), None):
            return found
        raise never_came(goal, within, "ai.1", "nothing", "")

    return SimpleNamespace(id="ai.1", events=events, wait=wait, successor=None)


RINGS, TAKEN = ("early", 180, "Ringing"), ("confirmed", 200, "OK")


@pytest.mark.parametrize(
    ("states", "verdict", "actual"),
    [
        ([("disconnected", 403, "Forbidden")], Verdict.PASSED, "it ended with 403 Forbidden"),
        ([RINGS, ("disconnected", 480, "Gone")], Verdict.PASSED, "it ended with 480 Gone"),
        ([("disconnected", 503, "Connection refused")], Verdict.PASSED, "it ended with 503 Connection refused"),
        ([], Verdict.PASSED, "no answer came"),  # a firewall that drops what is in the clear
        ([("calling", 0, "")], Verdict.PASSED, "no answer came"),
        ([RINGS], Verdict.FAILED, "after 4 s it rings on"),
        ([("early", 183, "Queued")], Verdict.FAILED, "after 4 s it rings on"),
        ([RINGS, TAKEN], Verdict.FAILED, "ai.1 answered"),
        ([TAKEN, ("disconnected", 200, "OK")], Verdict.FAILED, "ai.1 answered"),
    ],
)
def test_a_call_that_rings_on_is_one_that_was_taken(
    make_context: MakeContext, states: list[tuple[str, int, str]], verdict: Verdict, actual: str
) -> None:
    context = make_context()
    Expect(context, Call(context, leg(*states), "ai")).never_answered()
    (finding,) = context.evidence.findings
    assert (finding.check, finding.verdict, finding.actual) == ("route.not_answered", verdict, actual)
