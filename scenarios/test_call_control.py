"""Calls that change, and end, while they are up."""

from __future__ import annotations

from harness.scenario import scenario


@scenario("HANGUP-CALLER")
def test_caller_hangs_up(caller, line, assistant, expect):
    call = caller.call(line)
    talk = assistant.expect_call(call)
    expect(call).answered()
    expect(call).two_way_audio_with(talk)
    expect(talk).still_up()
    ended = call.hang_up()
    expect(talk).released(after=ended)
    expect(call).hang_up_is_answered()


@scenario("HANGUP-AI")
def test_ai_hangs_up(caller, line, assistant, expect):
    call = caller.call(line)
    talk = assistant.expect_call(call)
    expect(call).answered()
    expect(call).two_way_audio_with(talk)
    expect(call).still_up()
    ended = talk.hang_up()
    expect(call).released(after=ended, farewell_s=talk.farewell_s)


@scenario("HOLD")
def test_hold_and_resume(caller, line, assistant, expect):
    call = caller.call(line)
    talk = assistant.expect_call(call)
    expect(call).answered()
    expect(call).two_way_audio_with(talk)
    call.hold()
    expect(talk).silence_from(call)
    expect(call).silence_from(talk, seconds=0.4)
    call.resume()
    expect(call).two_way_audio_with(talk, changed=True)


@scenario("REINVITE-CODEC")
def test_codec_changes(cast, line, expect):
    caller = cast.caller(codecs=("PCMU", "PCMA"))
    call = caller.call(line)
    talk = cast.assistant(line).expect_call(call)
    expect(call).answered()
    expect(call).two_way_audio_with(talk)
    expect(call).codec()  # whichever of the two the platform has chosen (RFC 3264 section 6.1)
    other = "PCMU" if call.codec == "PCMA" else "PCMA"
    call.change_codec(other)
    expect(call).codec(other)
    expect(talk).codec()  # a platform between may transcode
    expect(call).two_way_audio_with(talk, changed=True)


@scenario("DTMF")
def test_digits(case, caller, line, assistant, expect):
    method = "rfc4733" if case.row.id == "DTMF-RFC4733" else "info"
    call = caller.call(line)
    talk = assistant.expect_call(call)
    expect(call).answered()
    expect(call).two_way_audio_with(talk)
    if case.axes["digits"] == "to-ai":
        call.press(assistant.idle_digits, method)
        expect(talk).digits(assistant.idle_digits, method)
    else:
        sent = talk.send_digits(method)
        expect(call).digits(sent, method)


@scenario("EARLYMEDIA")
def test_audio_before_the_answer(ai, caller, line, assistant, expect):
    ai.answers_early()
    call = caller.call(line)
    expect(call).hears_early(ai)
    talk = assistant.expect_call(call)
    expect(call).answered()
    expect(call).two_way_audio_with(talk)


@scenario("PRACK")
def test_reliable_provisional_response(cast, ai, line, expect):
    ai.answers_early(reliable=True)
    caller = cast.caller(reliable_provisional="required")
    call = caller.call(line)
    expect(call).acknowledged_provisional()
    talk = cast.assistant(line).expect_call(call)
    expect(call).answered()
    expect(call).two_way_audio_with(talk)


@scenario("SESSIONTIMER")
def test_session_is_refreshed(cast, line, expect):
    caller = cast.caller(session_timer="required", session_expires=90)
    call = caller.call(line)
    talk = cast.assistant(line).expect_call(call)
    expect(call).answered()
    expect(call).session_interval_is_agreed()
    expect(call).one_way_delay_ok(talk)
    expect(call).session_is_refreshed()
    expect(call).two_way_audio_with(talk, changed=True)
    expect(call).one_way_delay_ok(talk)  # still: clocks that differ fill a buffer on the way


@scenario("SRTP")
def test_encrypted_media(cast, ai, line, expect):
    ai.takes_srtp()
    caller = cast.caller(srtp="mandatory")
    call = caller.call(line)
    talk = cast.assistant(line).expect_call(call)
    expect(call).answered()
    expect(call).two_way_audio_with(talk)
    expect(call).encrypted()
    expect(talk).encrypted()


@scenario("LONGCALL")
def test_long_call(context, case, caller, line, assistant, expect):
    minutes = int(case.axes["minutes"])
    call = caller.call(line)
    talk = assistant.expect_call(call)
    expect(call).answered()
    expect(call).two_way_audio_with(talk)
    expect(call).one_way_delay_ok(talk)
    for _ in ("middle", "end"):
        context.pause(minutes * 30)
        context.evidence.scripted(minutes * 30, "the call goes on")
        expect(call).two_way_audio_with(talk, changed=True)
    expect(call).one_way_delay_ok(talk)
