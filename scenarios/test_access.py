"""Who is let in, and over what."""

from __future__ import annotations

from harness.scenario import scenario


@scenario("ALLOWLIST-LISTED")
def test_listed_address_is_let_in(ai, agents, expect):
    call = ai.calls(agents.address)
    landed = agents.expect_call(call)
    expect(call).answered()
    expect(call).two_way_audio_with(landed)
    expect(call).still_hears(landed)


@scenario("ALLOWLIST-UNLISTED")
def test_any_other_address_is_refused(cast, ai, agents, expect):
    call = ai.calls(agents.address, from_outside=True)
    expect(call).ends_with((403,))
    for group in cast.all_groups():
        expect(group).never_rang()


@scenario("PLAINTEXT")
def test_nothing_is_set_up_in_the_clear(
    context, ai, case, caller, line, fallback, agents, timings, expect
):
    call = caller.call(line)
    landed = fallback.expect_call(call, within=timings.ring_timeout_s + context.patience)
    expect(call).answered()
    expect(call).two_way_audio_with(landed)
    ai.answered_nothing(call)
    if case.axes["ai"] == "stand-in":
        begun = []
        for transport in ("udp", "tcp"):
            clear = ai.calls(agents.address, transport=transport)
            begun.append(clear.began)
            expect(clear).never_answered()
        expect(agents).never_rang(
            since=min(begun)
        )  # an agent of the fallback may be in this group as well


@scenario("TLS-BADCERT")
def test_bad_certificate_is_not_talked_to(
    context, ai, case, caller, line, fallback, timings, expect
):
    ai.shows_certificate(case.axes["certificate"])
    call = caller.call(line)
    landed = fallback.expect_call(call, within=timings.ring_timeout_s + context.patience)
    expect(call).answered()
    expect(call).two_way_audio_with(landed)
    ai.was_refused_for_its_certificate(call)


@scenario("KEEPALIVE")
def test_options_is_answered(cast):
    code, reason = cast.options()
    cast.responded("OPTIONS", code, reason, (200,))
