"""The AI hands a caller to people."""

from __future__ import annotations

import time

from harness.scenario import scenario


@scenario("TRANSFER-BLIND", "TRANSFER-PLAIN")
def test_escalation_lands_in_the_group(cast, caller, line, assistant, target, expect):
    call = caller.call(line)
    talk = assistant.expect_call(call)
    expect(call).answered()
    expect(call).two_way_audio_with(talk)
    call.ask_for_a_person()
    talk.hand_over(target, "cold")
    landed = target.expect_call(call)
    expect(call).refer_is(line.entry.refer)
    expect(landed).caller_id(caller.number)
    expect(call).two_way_audio_with(landed)
    expect(talk).released(after=landed.answered_at())
    cast.landed_by_its_handover(call, talk, target)
    for group in cast.all_groups(but=target):
        expect(group).never_rang()
    expect(call).still_hears(landed)
    cast.one_call_each(call, landed)


@scenario("TRANSFER-WARM")
def test_the_ai_calls_the_group_and_joins(cast, caller, line, assistant, handover, target, expect):
    shown = cast.shown_number(line, caller)
    call = caller.call(line, headers=cast.header_for_caller_id())
    talk = assistant.expect_call(call)
    expect(call).answered()
    expect(call).two_way_audio_with(talk)
    call.ask_for_a_person()
    talk.hand_over(target, "warm", caller_id=shown)
    landed = target.expect_call(call)
    expect(landed).caller_id(shown)
    expect(call).two_way_audio_with(landed, joined_within_s=handover.briefing_s)
    expect(call).silence_from(talk)  # the AI has left the conversation, for both
    expect(landed).silence_from(talk, seconds=0.4)
    cast.landed_by_its_handover(call, talk, target)
    for group in cast.all_groups(but=target):
        expect(group).never_rang()
    expect(call).still_hears(landed)
    cast.one_call_each(call, landed)


@scenario("TRANSFER-TOPIC")
def test_escalation_lands_with_the_topic(cast, caller, line, assistant, handover, target, expect):
    topic = handover.transfer_topic
    agents = cast.group_of_topic(topic)
    call = caller.call(line)
    talk = assistant.expect_call(call)
    expect(call).answered()
    expect(call).two_way_audio_with(talk)
    call.ask_for_a_person()
    talk.hand_over(target, "cold", topic=topic)
    landed = agents.expect_call(call)
    expect(call).refer_is(line.entry.refer)
    cast.topic_arrives(call, talk, landed, topic, (agents, target))
    expect(landed).caller_id(caller.number)
    expect(call).two_way_audio_with(landed)
    expect(talk).released(after=landed.answered_at())
    for group in cast.all_groups(but=agents):
        expect(group).never_rang()
    expect(call).still_hears(landed)
    cast.one_call_each(call, landed)


@scenario("TRANSFER-UNAVAILABLE")
def test_nobody_in_the_group(cast, context, caller, line, assistant, target, expect):
    call = caller.call(line)
    talk = assistant.expect_call(call)
    expect(call).answered()
    expect(call).two_way_audio_with(talk)
    asked = time.monotonic()
    call.ask_for_a_person(once=True)
    talk.hand_over(target, "cold")
    expect(talk).transfer_fails()
    if context.deployment.expect.transfer_unavailable == "returns":
        expect(call).two_way_audio_with(talk, changed=True)
    else:
        talk.let_go()
        expect(call).released(
            farewell_s=context.patience
        )  # whoever tells the caller that nobody is there does so first
        expect(call).is_told(since=asked)
    for group in cast.all_groups():
        expect(group).never_rang()


@scenario("TRANSFER-OVERFLOW", "TRANSFER-CLOSED")
def test_another_group_takes_over(cast, caller, line, assistant, target, expect):
    taker = cast.taker_of(target)
    call = caller.call(line)
    talk = assistant.expect_call(call)
    expect(call).answered()
    expect(call).two_way_audio_with(talk)
    call.ask_for_a_person()
    talk.hand_over(target, "cold")
    landed = taker.expect_call(call)
    expect(landed).caller_id(caller.number)
    expect(call).two_way_audio_with(landed)
    expect(talk).released(after=landed.answered_at())
    for group in cast.all_groups(but=taker):
        expect(group).never_rang()
    expect(call).still_hears(landed)


@scenario("TRANSFER-ASSISTANT")
def test_ai_hands_over_to_another_assistant(cast, caller, line, assistant, target, expect):
    other = cast.assistant_behind(target)
    call = caller.call(line)
    talk = assistant.expect_call(call)
    expect(call).answered()
    expect(call).two_way_audio_with(talk)
    call.ask_for_a_person()
    talk.hand_over(target, "cold")
    landed = other.takes_over(call, target)
    expect(call).refer_is(line.entry.refer)
    expect(landed).caller_id(caller.number)
    expect(call).two_way_audio_with(landed)
    expect(talk).released(after=landed.answered_at())
    for group in cast.all_groups():
        expect(group).never_rang()


@scenario("TRANSFER-ABANDON")
def test_caller_hangs_up_while_an_agent_rings(
    cast, context, caller, line, assistant, handover, target, expect
):
    shown = cast.shown_number(line, caller)
    call = caller.call(line, headers=cast.header_for_caller_id())
    talk = assistant.expect_call(call)
    expect(call).answered()
    expect(call).two_way_audio_with(talk)
    call.ask_for_a_person()
    talk.hand_over(target, handover.transfer, caller_id=shown)
    target.rings(call)
    expect(call).still_up()
    gone = call.hang_up()
    talk.give_up()
    cast.nothing_rings_any_more(call, after=gone)
    expect(talk).released(after=gone)
    expect(call).hang_up_is_answered()
    later = target.entry.pause_s if target.entry.turns[1:] else 0.0
    context.pause(later)
    context.evidence.scripted(later, "listening for who rings for a caller who is gone")
    expect(target).never_rang(since=gone + context.deployment.expect.released_within_s)
    for group in cast.all_groups(but=target):
        expect(group).never_rang()


@scenario("HANGUP-AGENT")
def test_agent_hangs_up(caller, line, assistant, target, expect):
    call = caller.call(line)
    talk = assistant.expect_call(call)
    expect(call).answered()
    call.ask_for_a_person()
    talk.hand_over(target, "cold")
    landed = target.expect_call(call)
    expect(call).two_way_audio_with(landed)
    expect(call).still_up()
    ended = landed.hang_up()
    expect(call).released(after=ended)
    expect(landed).hang_up_is_answered()
    expect(talk).released(after=max(ended, time.monotonic()))
