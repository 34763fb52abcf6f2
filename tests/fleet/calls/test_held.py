"""Calls that wait far more than they compute: each is held for some seconds."""

from __future__ import annotations

import os

from harness.scenario import scenario


@scenario("INBOUND")
def test_call_is_held(cast, context, caller, line, assistant, expect):  # type: ignore[no-untyped-def]
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
    context.pause(float(os.environ["HELD_S"]))
