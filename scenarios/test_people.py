"""Numbers that lead to people, and what a group of people does with a call."""

from __future__ import annotations

from harness.scenario import scenario


@scenario("PEOPLE")
def test_number_of_people_only(cast, ai, caller, line, expect):
    people = cast.group(line.entry.group)
    call = caller.call(line)
    landed = people.expect_call(call)
    expect(landed).caller_id(caller.number)
    expect(call).answered()
    expect(call).two_way_audio_with(landed)
    for group in cast.all_groups(but=people):
        expect(group).never_rang()
    ai.was_not_reached(call)
    expect(call).still_hears(landed)


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


@scenario("VOICEMAIL")
def test_voicemail_where_nobody_is_there(cast, context, ai, caller, line, expect):
    queue_s = cast.group(line.entry.group).entry.queue_s
    call = caller.call(line)
    expect(call).answered(within=context.patience + queue_s)  # a queue may let it ring
    expect(call).takes_message(after_s=queue_s)
    for group in cast.all_groups():
        expect(group).never_rang()
    ai.was_not_reached(call)


@scenario("CLOSED-VOICEMAIL")
def test_voicemail_out_of_hours(cast, context, ai, caller, line, expect):
    before_s = line.entry.announcement_s + cast.group(line.entry.closed).entry.queue_s
    call = caller.dial(line.did)
    expect(call).answered(within=context.patience + before_s)
    expect(call).takes_message(after_s=before_s)
    for group in cast.all_groups():
        expect(group).never_rang()
    ai.was_not_reached(call)


@scenario("CLOSED")
def test_number_out_of_its_hours(cast, context, ai, caller, line, expect):
    people = cast.group(line.entry.closed)
    call = caller.dial(line.did)
    landed = people.expect_call(call, within=line.entry.announcement_s + context.patience)
    expect(landed).caller_id(caller.number)
    expect(call).answered()
    expect(call).two_way_audio_with(landed)
    for group in cast.all_groups(but=people):
        expect(group).never_rang()
    ai.was_not_reached(call)
    expect(call).still_hears(landed)
