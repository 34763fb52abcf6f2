"""Who is let in, and over what."""

from __future__ import annotations

from harness.scenario import row


@row("GL-ALLOWLIST-LISTED")
def test_listed_address_is_let_in(ai, queue, expect):
    call = ai.calls(queue.did)
    landed = queue.expect_call(call)
    expect(call).answered()
    expect(call).two_way_audio_with(landed)


@row("GL-ALLOWLIST-UNLISTED")
def test_any_other_address_is_refused(stage, ai, queue, expect):
    call = ai.calls(queue.did, from_outside=True)
    expect(call).ends_with((403,))
    for group in stage.all_groups():
        expect(group).never_rang()


@row("GL-PLAINTEXT")
def test_nothing_is_set_up_in_the_clear(ai, case, caller, line, reception, queue, expect):
    call = caller.dial(line.did)
    landed = reception.expect_call(call)
    expect(call).answered()
    expect(call).two_way_audio_with(landed)
    ai.answered_nothing(call)
    if case.axes["ai"] == "stand-in":
        for transport in ("udp", "tcp"):
            clear = ai.calls(queue.did, transport=transport)
            expect(clear).never_answered()
        expect(queue).never_rang()


@row("TLS-BADCERT")
def test_bad_certificate_is_not_talked_to(stage, ai, case, caller, line, reception, timings, expect):
    ai.shows_certificate(case.axes["certificate"])
    call = caller.dial(line.did)
    landed = reception.expect_call(call, within=timings.ring_timeout_s + stage.patience)
    expect(call).answered()
    expect(call).two_way_audio_with(landed)
    ai.was_not_reached(call)


@row("KEEPALIVE")
def test_options_is_answered(stage, caller, expect):
    code, reason = stage.options(caller)
    stage.responded("OPTIONS", code, reason, (200,))
