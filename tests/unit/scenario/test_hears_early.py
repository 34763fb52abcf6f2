"""How long audio before the answer is waited for: not from the dialling on, which is before the call has come anywhere."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.calls.checks.audio import Sound
from harness.calls.checks.claims import Observation
from harness.calls.verdict import Verdict
from harness.scenario import expect_audio
from harness.scenario.call import Call
from harness.scenario.expect import Expect
from tests.unit.clock import Clock
from tests.unit.scenario.conftest import MakeContext
from tests.unit.scenario.legs import leg, message

EARLY = "SIP/2.0 183 Session Progress"


def listened(
    make_context: MakeContext, comes_after_s: float, heard_after_s: float, *, ours: bool, ring_s: float
) -> Any:
    """The finding, where the call comes to the AI so late, and is heard so much later; and what its time was."""
    context, clock = make_context("EARLYMEDIA", ai="stand-in" if ours else "synthflow"), Clock()
    context.timings = context.timings.model_copy(update={"ring_timeout_s": ring_s})
    opened = message(clock.now + comes_after_s, "received", EARLY, "t")
    opened = opened.__class__(**{**_fields(opened), "text": opened.text + "v=0\r\nm=audio 4000 RTP/AVP 0\r\n"})
    call: Any = Call(context, leg([], [opened]), "caller")
    at = clock.now + comes_after_s + heard_after_s

    def hears(marks: Any, since: float, deadline: float) -> Sound | None:
        return Sound(at, Observation.MARK, "mark 3") if at <= deadline else None

    def early(of: Any) -> tuple[str, set[int]]:
        if ours:  # a phone of ours takes the call, when it comes
            clock.now += comes_after_s
        return "the AI", {3}

    call.hears_marks = hears
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(expect_audio, "time", clock)
        Expect(context, call).hears_early(SimpleNamespace(early=early, is_ours=ours))  # type: ignore[arg-type]
    return context.evidence.findings[-1]


def _fields(event: Any) -> dict[str, Any]:
    return {name: getattr(event, name) for name in event.__dataclass_fields__}


@given(comes=st.floats(0.0, 3.9), heard=st.floats(0.2, 1.3), ours=st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_a_call_may_take_its_way_to_the_ai(make_context: MakeContext, comes: float, heard: float, ours: bool) -> None:
    found = listened(make_context, comes, heard, ours=ours, ring_s=2.0)
    assert found.verdict is Verdict.PASSED, found.actual


def test_a_phone_of_ours_has_to_answer_before_the_platform_gives_up(make_context: MakeContext) -> None:
    found = listened(make_context, 1.0, 1.6, ours=True, ring_s=2.0)
    assert found.verdict is Verdict.FAILED
