"""Calls that are not answered."""

from __future__ import annotations

import time

from harness.phone import Reject, Ring
from harness.scenario import scenario

#: A platform that takes the AI's 487 for a refusal has rung its fallback by then, or called the AI
#: once more.
_RINGS_LATER_S = 0.5


@scenario("BUSY")
def test_busy(context, ai, caller, line, expect):
    ai.does(Reject(486))
    call = caller.call(line)
    expect(call).ends_with(context.deployment.expect.busy)
    ai.was_tried(call, line)


@scenario("REJECTED")
def test_rejected(context, ai, caller, line, expect):
    ai.does(Reject(603))
    call = caller.call(line)
    expect(call).ends_with(context.deployment.expect.rejected)
    ai.was_tried(call, line)


@scenario("NOSUCHNUMBER")
def test_number_nobody_has(cast, context, caller, expect):
    call = caller.dial(context.deployment.numbers.no_such_number)
    expect(call).ends_with(context.deployment.expect.no_such_number)
    for group in cast.all_groups():
        expect(group).never_rang()


@scenario("NOANSWER")
def test_nobody_answers(cast, context, ai, caller, line, timings, expect):
    ai.does(Ring())
    call = caller.call(line)
    context.evidence.scripted(timings.ring_timeout_s, "the ring timeout", began=call.began)
    ended = expect(call).ends_with(
        context.deployment.expect.no_answer, within=timings.ring_timeout_s + context.patience
    )
    expect(call).took("the final response", ended, timings.ring_timeout_s, ai.rang(call))
    ai.was_tried(call, line)
    cast.nothing_rings_any_more(
        call, after=ended
    )  # what nobody answers in time is cancelled (RFC 3261 section 16.8)


@scenario("ABANDON")
def test_caller_gives_up(cast, context, ai, caller, line, timings, expect):
    ai.does(Ring())
    call = caller.call(line)
    expect(call).rings()
    ai.was_tried(call, line)
    given_up = call.cancel()
    cast.nothing_rings_any_more(call, after=given_up)
    expect(call).ends_with((487,))
    context.pause(_RINGS_LATER_S)
    context.evidence.scripted(_RINGS_LATER_S, "listening for who rings for a caller who is gone")
    cast.nothing_rings_any_more(call, after=time.monotonic())  # nor who was called since
    if (
        given_up - call.began < timings.ring_timeout_s
    ):  # from then on the call may have been the fallback's
        for group in cast.all_groups():
            expect(group).never_rang()
