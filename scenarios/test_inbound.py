"""Calls that reach the AI."""

from __future__ import annotations

from harness.integrations.which import callers_at_once
from harness.scenario import scenario


@scenario("INBOUND")
def test_outside_call_reaches_the_ai(cast, caller, line, assistant, expect):
    call = caller.call(line)
    talk = assistant.expect_call(call)
    expect(call).answered()
    expect(call).two_way_audio_with(talk)
    expect(talk).caller_id(caller.number)
    expect(talk).addressed_to(line)
    expect(call).codec()
    expect(talk).codec()
    expect(call).hears_only(talk)
    for group in cast.all_groups():
        expect(group).never_rang()


@scenario("TRUNK-FAILOVER")
def test_failover_trunk_carries_the_call(
    cast, context, ai, caller, line, timings, assistant, expect
):
    over = ai.is_at_failover(line)
    call = caller.call(line)
    talk = assistant.expect_call(call, within=timings.ring_timeout_s + context.patience)
    expect(call).answered()
    expect(call).two_way_audio_with(talk)
    expect(talk).caller_id(caller.number)
    expect(talk).addressed_to(over)
    for group in cast.all_groups():
        expect(group).never_rang()


@scenario("SKILLS")
def test_routing_chooses_the_assistant(caller, line, assistant, expect):
    call = caller.call(line)
    talk = assistant.expect_call(call)  # this one, and no other
    expect(call).answered()
    expect(call).two_way_audio_with(talk)
    expect(talk).addressed_to(line)


@scenario("OUTBOUND-IVR")
def test_menu_choice_reaches_the_ai(ai, caller, line, assistant, expect):
    call = caller.call(line)
    talk = assistant.expect_call(call)
    ai.waited_for(call)
    expect(call).two_way_audio_with(talk)
    expect(talk).caller_id(caller.number)
    expect(talk).addressed_to(line)


@scenario("OUTBOUND-CAMPAIGN")
def test_campaign_connects_its_customer_to_the_ai(cast, context, line, assistant, expect):
    customer = cast.customer()
    cast.start_campaign(line, customer)
    call = customer.expect_call(within=context.patience)
    expect(call).caller_id(line.did)
    talk = assistant.expect_call(call)
    expect(call).two_way_audio_with(talk)
    expect(talk).addressed_to(line)


@scenario("CONCURRENT")
def test_callers_at_once_keep_apart(cast, context, line, assistant, expect):
    callers = cast.callers(
        callers_at_once(context.deployment, line.trunk.max_concurrent_calls), max_calls=1
    )
    answered = assistant.expect_calls(each.call(line) for each in callers)
    for call, talk in answered:
        expect(call).answered()
        expect(call).two_way_audio_with(talk)
        expect(talk).caller_id(call.number)
    for call, talk in answered:
        expect(call).two_way_audio_with(talk, changed=True)  # still, with all of them up
        expect(call).hears_only(talk)


@scenario("CAPACITY")
def test_one_call_more_than_the_trunk_carries(cast, ai, line, assistant, fallback, expect):
    most = line.trunk.max_concurrent_calls
    callers = cast.callers(most + 1)
    answered = assistant.expect_calls(each.call(line) for each in callers[:most])
    for call, talk in answered:
        expect(call).answered()
        expect(call).two_way_audio_with(talk)
    extra = callers[most].call(line)
    landed = fallback.expect_call(extra)
    ai.was_not_reached(extra)
    expect(landed).caller_id(callers[most].number)
    expect(extra).two_way_audio_with(landed)
    for group in cast.all_groups(but=fallback):
        expect(group).never_rang()
    for call, talk in answered:
        expect(call).two_way_audio_with(talk, changed=True)
    expect(extra).still_hears(landed)
