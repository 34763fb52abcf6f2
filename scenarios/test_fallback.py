"""The AI is not there: the caller is not left alone."""

from __future__ import annotations

from harness.phone import Reject, Ring
from harness.scenario import row


@row("TD-FALLBACK-TIMEOUT", "GL-FALLBACK-TIMEOUT")
def test_ai_never_answers(stage, ai, caller, line, timings, reception, expect):
    ai.does(Ring())
    call = caller.dial(line.did)
    stage.scripted(timings.ring_timeout_s, "the ring timeout")
    landed = reception.expect_call(call, within=timings.ring_timeout_s + stage.patience)
    expect(reception).took("the fallback", landed.began - call.began, timings.ring_timeout_s)
    expect(landed).caller_id(caller.number)
    expect(call).answered()
    expect(call).two_way_audio_with(landed)
    ai.was_tried(call, line)


@row("TD-FALLBACK-REFUSED", "GL-FALLBACK-REFUSED")
def test_ai_refuses(ai, caller, line, timings, reception, expect):
    ai.does(Reject(503))
    call = caller.dial(line.did)
    landed = reception.expect_call(call)
    expect(landed).came_within(timings.ring_timeout_s + 1.0, after=call.began)
    expect(landed).caller_id(caller.number)
    expect(call).answered()
    expect(call).two_way_audio_with(landed)
    ai.was_tried(call, line)


@row("TD-FALLBACK-DOWN", "GL-FALLBACK-DOWN")
def test_ai_cannot_be_reached(stage, caller, line, timings, reception, expect):
    call = caller.dial(line.did)
    landed = reception.expect_call(call, within=timings.ring_timeout_s + stage.patience)
    stage.scripted(landed.began - call.began, "the platform's attempts to reach the AI")
    expect(landed).came_within(timings.ring_timeout_s + 1.0, after=call.began)
    expect(landed).caller_id(caller.number)
    expect(call).answered()
    expect(call).two_way_audio_with(landed)
