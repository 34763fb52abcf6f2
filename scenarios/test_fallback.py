"""The AI is not there: the caller is not left alone."""

from __future__ import annotations

import time

from harness.phone import Reject, Ring
from harness.scenario import scenario


@scenario("FALLBACK-TIMEOUT")
def test_ai_never_answers(cast, context, ai, caller, line, timings, fallback, expect):
    ai.does(Ring())
    call = caller.call(line)
    context.evidence.scripted(timings.ring_timeout_s, "the ring timeout", began=call.routed)
    landed = fallback.expect_call(call, within=timings.ring_timeout_s + context.patience)
    expect(fallback).took_over(landed, call, timings.ring_timeout_s, ai.rang(call))
    expect(landed).caller_id(caller.number)
    expect(call).answered()
    expect(call).two_way_audio_with(landed)
    for group in cast.all_groups(but=fallback):
        expect(group).never_rang()
    ai.was_tried(call, line)
    ai.answered_nothing(call)
    # an AI that rings on may answer a call that an agent has: what is pending is cancelled (RFC
    # 3261 section 16.7, step 10)
    cast.nothing_rings_any_more(call, after=time.monotonic(), but=fallback.phones)
    expect(call).still_hears(landed)


@scenario("FALLBACK-REFUSED")
def test_ai_refuses(cast, context, ai, caller, line, timings, fallback, expect):
    ai.does(Reject(503))
    call = caller.call(line)
    landed = fallback.expect_call(call, within=timings.ring_timeout_s + context.patience)
    expect(fallback).came_within(landed, call, timings.ring_timeout_s + 1.0, ai.rang(call))
    expect(landed).caller_id(caller.number)
    expect(call).answered()
    expect(call).two_way_audio_with(landed)
    for group in cast.all_groups(but=fallback):
        expect(group).never_rang()
    ai.was_tried(call, line)
    ai.answered_nothing(call)
    expect(call).still_hears(landed)


@scenario("FALLBACK-DOWN")
def test_ai_cannot_be_reached(cast, context, ai, caller, line, timings, fallback, expect):
    ai.goes_down(line)
    call = caller.call(line)
    landed = fallback.expect_call(call, within=timings.ring_timeout_s + context.patience)
    context.evidence.scripted(
        landed.began - call.routed, "the platform's attempts to reach the AI", began=call.routed
    )
    expect(fallback).came_within(landed, call, timings.ring_timeout_s + 1.0)
    expect(landed).caller_id(caller.number)
    expect(call).answered()
    expect(call).two_way_audio_with(landed)
    for group in cast.all_groups(but=fallback):
        expect(group).never_rang()
    expect(call).still_hears(landed)
