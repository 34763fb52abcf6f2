"""The AI hands a caller to people."""

from __future__ import annotations

import time

from harness.scenario import row


@row("TD-TRANSFER-BLIND")
def test_escalation_lands_in_the_ring_group(stage, case, caller, billing, support, expect):
    line = stage.line("inbound" if case.axes["refer"] == "consumed" else "inbound-passed-on")
    call = caller.dial(line.did)
    talk = stage.assistant(line).expect_call(call)
    expect(call).answered()
    expect(call).two_way_audio_with(talk)
    call.ask_for_a_person()
    talk.hand_over(billing, "cold")
    landed = billing.expect_call(call)
    expect(landed).caller_id(caller.number)
    expect(call).two_way_audio_with(landed)
    expect(talk).released(after=landed.answered_at())
    expect(support).never_rang()
    stage.one_call_each(call, landed)


@row("TD-TRANSFER-WARM")
def test_the_ai_calls_the_ring_group_and_joins(stage, case, caller, billing, support, expect):
    mode = case.axes["caller_id"]
    line = stage.line("inbound-warm" if mode == "original" else f"inbound-warm-{mode}")
    shown = stage.shown_number(line, caller)
    call = caller.dial(line.did, headers=stage.header_for_caller_id(line))
    talk = stage.assistant(line).expect_call(call)
    expect(call).answered()
    expect(call).two_way_audio_with(talk)
    call.ask_for_a_person()
    talk.hand_over(billing, "warm", caller_id=shown)
    landed = billing.expect_call(call)
    expect(landed).caller_id(shown)
    expect(call).two_way_audio_with(landed)
    expect(call).silence_from(talk)  # the AI has left the conversation
    expect(support).never_rang()
    stage.one_call_each(call, landed)


@row("GL-TRANSFER-PLAIN")
def test_escalation_lands_in_the_queue(stage, caller, line, assistant, queue, expect):
    call = caller.dial(line.did)
    talk = assistant.expect_call(call)
    expect(call).answered()
    expect(call).two_way_audio_with(talk)
    call.ask_for_a_person()
    talk.hand_over(queue, "cold")
    landed = queue.expect_call(call)
    expect(landed).caller_id(caller.number)
    expect(call).two_way_audio_with(landed)
    expect(talk).released(after=landed.answered_at())
    for group in stage.all_groups(but=queue):
        expect(group).never_rang()
    stage.one_call_each(call, landed)


@row("GL-TRANSFER-TOPIC")
def test_escalation_lands_with_the_topic(stage, caller, line, assistant, queue, expect):
    topic = line.assistant.transfer_topic
    agents = stage.group_of_topic(topic)
    call = caller.dial(line.did)
    talk = assistant.expect_call(call)
    expect(call).answered()
    expect(call).two_way_audio_with(talk)
    call.ask_for_a_person()
    talk.hand_over(queue, "cold", topic=topic)
    landed = agents.expect_call(call)
    expect(landed).header("X-Gladly-Routing-Selector", topic)
    expect(landed).caller_id(caller.number)
    expect(call).two_way_audio_with(landed)
    expect(talk).released(after=landed.answered_at())
    for group in stage.all_groups(but=agents):
        expect(group).never_rang()
    stage.one_call_each(call, landed)


@row("TRANSFER-UNAVAILABLE")
def test_nobody_in_the_group(stage, caller, line, assistant, expect):
    call = caller.dial(line.did)
    talk = assistant.expect_call(call)
    expect(call).answered()
    expect(call).two_way_audio_with(talk)
    call.ask_for_a_person(once=True)
    talk.hand_over(stage.group("nobody"), "cold")
    expect(talk).transfer_fails()
    if stage.deployment.expect.transfer_unavailable == "returns":
        expect(call).two_way_audio_with(talk, changed=True)
    else:
        expect(call).released()
    for group in stage.all_groups():
        expect(group).never_rang()


@row("HANGUP-AGENT")
def test_agent_hangs_up(stage, caller, line, assistant, expect):
    group = stage.group(line.assistant.transfer_to)
    call = caller.dial(line.did)
    talk = assistant.expect_call(call)
    expect(call).answered()
    call.ask_for_a_person()
    talk.hand_over(group, "cold")
    landed = group.expect_call(call)
    expect(call).two_way_audio_with(landed)
    ended = landed.hang_up()
    expect(call).released(after=ended)
    expect(landed).hang_up_is_answered()
    expect(talk).released(after=max(ended, time.monotonic()))
