"""Calls that change, and end, while they are up."""

from __future__ import annotations

from harness.scenario import row


@row("HANGUP-CALLER")
def test_caller_hangs_up(caller, line, assistant, expect):
    call = caller.dial(line.did)
    talk = assistant.expect_call(call)
    expect(call).answered()
    expect(call).two_way_audio_with(talk)
    ended = call.hang_up()
    expect(talk).released(after=ended)
    expect(call).hang_up_is_answered()


@row("HANGUP-AI")
def test_ai_hangs_up(caller, line, assistant, expect):
    call = caller.dial(line.did)
    talk = assistant.expect_call(call)
    expect(call).answered()
    expect(call).two_way_audio_with(talk)
    ended = talk.hang_up()
    expect(call).released(after=ended)


@row("HOLD")
def test_hold_and_resume(caller, line, assistant, expect):
    call = caller.dial(line.did)
    talk = assistant.expect_call(call)
    expect(call).answered()
    expect(call).two_way_audio_with(talk)
    call.hold()
    expect(talk).silence_from(call)
    expect(call).silence_from(talk, seconds=0.4)
    call.resume()
    expect(call).two_way_audio_with(talk, changed=True)


@row("REINVITE-CODEC")
def test_codec_changes(stage, line, expect):
    caller = stage.caller(codecs=("PCMU", "PCMA"))
    call = caller.dial(line.did)
    talk = stage.assistant(line).expect_call(call)
    expect(call).answered()
    expect(call).two_way_audio_with(talk)
    expect(call).codec("PCMU")
    call.change_codec("PCMA")
    expect(call).codec("PCMA")
    expect(talk).codec("PCMA")
    expect(call).two_way_audio_with(talk, changed=True)


@row("DTMF-RFC4733", "DTMF-INFO")
def test_digits(case, caller, line, assistant, expect):
    method = "rfc4733" if case.row.id == "DTMF-RFC4733" else "info"
    call = caller.dial(line.did)
    talk = assistant.expect_call(call)
    expect(call).answered()
    expect(call).two_way_audio_with(talk)
    if case.axes["digits"] == "to-ai":
        call.press("12#A*", method)
        expect(talk).digits("12#A*", method)
    else:
        sent = talk.send_digits(method)
        expect(call).digits(sent, method)


@row("EARLYMEDIA")
def test_audio_before_the_answer(ai, caller, line, assistant, expect):
    ai.answers_early()
    call = caller.dial(line.did)
    expect(call).hears_early(ai)
    talk = assistant.expect_call(call)
    expect(call).answered()
    expect(call).two_way_audio_with(talk)


@row("PRACK")
def test_reliable_provisional_response(stage, ai, line, expect):
    ai.answers_early(reliable=True)
    caller = stage.caller(reliable_provisional="required")
    call = caller.dial(line.did)
    expect(call).acknowledged_provisional()
    talk = stage.assistant(line).expect_call(call)
    expect(call).answered()
    expect(call).two_way_audio_with(talk)


@row("SESSIONTIMER")
def test_session_is_refreshed(stage, line, expect):
    caller = stage.caller(session_timer="required", session_expires=90)
    call = caller.dial(line.did)
    talk = stage.assistant(line).expect_call(call)
    expect(call).answered()
    expect(call).session_interval_is_agreed()
    expect(call).little_delay_to(talk)
    expect(call).session_is_refreshed()
    expect(call).two_way_audio_with(talk, changed=True)


@row("SRTP")
def test_encrypted_media(stage, ai, line, expect):
    ai.takes_srtp()
    caller = stage.caller(srtp="mandatory")
    call = caller.dial(line.did)
    talk = stage.assistant(line).expect_call(call)
    expect(call).answered()
    expect(call).encrypted()
    expect(talk).encrypted()
    expect(call).two_way_audio_with(talk)


@row("LONGCALL")
def test_long_call(stage, case, caller, line, assistant, expect):
    minutes = int(case.axes["minutes"])
    call = caller.dial(line.did)
    talk = assistant.expect_call(call)
    expect(call).answered()
    expect(call).two_way_audio_with(talk)
    expect(call).little_delay_to(talk)
    for _ in ("middle", "end"):
        stage.scripted(minutes * 30, "the call goes on")
        stage.pause(minutes * 30)
        expect(call).two_way_audio_with(talk, changed=True)
