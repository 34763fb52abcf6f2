"""Calls that reach the AI."""

from __future__ import annotations

from harness.scenario import row


@row("TD-INBOUND", "GL-INBOUND")
def test_outside_call_reaches_the_ai(stage, caller, line, assistant, expect):
    call = caller.dial(line.did)
    talk = assistant.expect_call(call)
    expect(call).answered()
    expect(call).two_way_audio_with(talk)
    expect(talk).caller_id(caller.number)
    expect(talk).addressed_to(line)
    expect(call).codec()
    expect(talk).codec()
    expect(call).nobody_but(talk)
    for group in stage.all_groups():
        expect(group).never_rang()


@row("TD-SKILLS-LANGUAGE", "TD-SKILLS-DEPARTMENT", "TD-SKILLS-MENU")
def test_routing_chooses_the_assistant(caller, line, assistant, expect):
    call = caller.dial(line.did)
    if line.entry.press:
        expect(call).answered()
        call.press(line.entry.press)
    talk = assistant.expect_call(call)  # this one, and no other
    expect(call).answered()
    expect(call).two_way_audio_with(talk)
    expect(talk).addressed_to(line)


@row("TD-OUTBOUND-IVR")
def test_menu_choice_reaches_the_ai(caller, line, assistant, expect):
    call = caller.dial(line.did)
    expect(call).answered()
    call.press(line.entry.press)
    talk = assistant.expect_call(call)
    expect(call).two_way_audio_with(talk)
    expect(talk).caller_id(caller.number)
    expect(talk).addressed_to(line)


@row("TD-OUTBOUND-CAMPAIGN")
def test_campaign_connects_its_customer_to_the_ai(stage, line, assistant, expect):
    customer = stage.caller("customer")
    stage.start_campaign(line, customer)
    call = customer.expect_call(within=stage.patience)
    expect(call).caller_id(line.did)
    talk = assistant.expect_call(call)
    expect(call).two_way_audio_with(talk)


@row("CONCURRENT")
def test_callers_at_once_keep_apart(stage, line, assistant, expect):
    callers = [stage.caller(name, max_calls=1) for name in ("caller", "caller-2", "caller-3")]
    calls = [each.dial(line.did) for each in callers]
    talks = [assistant.expect_call(call) for call in calls]
    for call, talk in zip(calls, talks, strict=True):
        expect(call).answered()
        expect(call).two_way_audio_with(talk)
        expect(talk).caller_id(call.number)
    for call, talk in zip(calls, talks, strict=True):
        expect(call).two_way_audio_with(talk, changed=True)  # still, with all of them up
        expect(call).nobody_but(talk)


@row("TD-CAPACITY")
def test_one_call_more_than_the_trunk_carries(stage, ai, line, assistant, reception, expect):
    most = line.trunk.max_concurrent_calls
    names = ["caller", "caller-2", "caller-3", "caller-4"][: most + 1]
    callers = [stage.caller(name) for name in names]
    calls = [each.dial(line.did) for each in callers[:most]]
    talks = [assistant.expect_call(call) for call in calls]
    for call, talk in zip(calls, talks, strict=True):
        expect(call).answered()
        expect(call).two_way_audio_with(talk)
    extra = callers[most].dial(line.did)
    landed = reception.expect_call(extra)
    ai.was_not_reached(extra)
    expect(landed).caller_id(callers[most].number)
    expect(extra).two_way_audio_with(landed)
    for call, talk in zip(calls, talks, strict=True):
        expect(call).two_way_audio_with(talk, changed=True)
