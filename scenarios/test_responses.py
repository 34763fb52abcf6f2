"""Calls that are not answered."""

from __future__ import annotations

from harness.phone import Ring
from harness.scenario import row


@row("BUSY")
def test_busy(stage, caller, line, expect):
    call = caller.dial(line.did)
    expect(call).ends_with(stage.deployment.expect.busy)


@row("REJECTED")
def test_rejected(stage, caller, line, expect):
    call = caller.dial(line.did)
    expect(call).ends_with(stage.deployment.expect.rejected)


@row("NOSUCHNUMBER")
def test_number_nobody_has(stage, caller, expect):
    call = caller.dial(stage.deployment.numbers.no_such_number)
    expect(call).ends_with(stage.deployment.expect.no_such_number)
    for group in stage.all_groups():
        expect(group).never_rang()


@row("NOANSWER")
def test_nobody_answers(stage, ai, caller, line, timings, expect):
    call = caller.dial(line.did)
    stage.scripted(timings.ring_timeout_s, "the ring timeout")
    ended = expect(call).ends_with(stage.deployment.expect.no_answer, within=timings.ring_timeout_s + stage.patience)
    expect(call).took("the final response", ended - call.began, timings.ring_timeout_s)
    ai.was_tried(call, line)


@row("ABANDON")
def test_caller_gives_up(stage, ai, caller, line, expect):
    ai.does(Ring())
    call = caller.dial(line.did)
    expect(call).rings()
    ai.was_tried(call, line)
    given_up = call.cancel()
    stage.nothing_rings_any_more(call, after=given_up)
    expect(call).ends_with((487,))
