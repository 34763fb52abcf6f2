"""Numbers that lead to people, and what a group of people does with a call."""

from __future__ import annotations

from harness.scenario import scenario


@scenario("PEOPLE")
def test_number_of_people_only(cast, ai, caller, line, people, expect):
    call = caller.call(line)
    landed = people.expect_call(call)
    expect(landed).caller_id(caller.number)
    expect(call).answered()
    expect(call).two_way_audio_with(landed)
    for group in cast.all_groups(but=people):
        expect(group).never_rang()
    ai.was_not_reached(call)
    expect(call).still_hears(landed)


@scenario("AI-OVERFLOW")
def test_ai_takes_what_people_decline(cast, ai, caller, line, assistant, expect):
    people = cast.group(line.entry.group)
    call = caller.call(line)
    people.decline(call)
    talk = assistant.expect_call(call)
    ai.waited_for(call, "the agents declined")
    expect(call).answered()
    expect(call).two_way_audio_with(talk)
    expect(talk).caller_id(caller.number)
    expect(talk).addressed_to(line)
    for group in cast.all_groups(but=people):
        expect(group).never_rang()


@scenario("GROUP-RINGING")
def test_group_rings_as_it_is_set_up(cast, caller, line, expect):
    people = cast.group(line.entry.group)
    call = caller.call(line)
    people.rings_in_turns(call)
    landed = people.expect_call(call)
    expect(landed).caller_id(caller.number)
    expect(call).answered()
    expect(call).two_way_audio_with(landed)
    for group in cast.all_groups(but=people):
        expect(group).never_rang()
    expect(call).still_hears(landed)


@scenario("CLOSED")
def test_number_out_of_its_hours(cast, context, ai, caller, line, people, expect):
    call = caller.call_closed(line)
    landed = people.expect_call(call, within=line.entry.announcement_s + context.patience)
    expect(landed).caller_id(caller.number)
    expect(call).answered()
    expect(call).two_way_audio_with(landed)
    caller.goes_on_as_if_open(call, line, landed)
    for group in cast.all_groups(but=people):
        expect(group).never_rang()
    ai.was_not_reached(call)
    expect(call).still_hears(landed)
