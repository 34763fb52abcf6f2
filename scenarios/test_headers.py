"""Headers that must reach the AI."""

from __future__ import annotations

from harness.scenario import row


@row("GL-HEADER-CALLER")
def test_caller_id_header(caller, line, assistant, expect):
    call = caller.dial(line.did)
    talk = assistant.expect_call(call)
    expect(call).answered()
    expect(talk).header("X-Gladly-Caller-Id", caller.number)
    expect(call).two_way_audio_with(talk)


@row("GL-HEADER-SELECTOR")
def test_routing_selector(stage, case, caller, expect):
    selector = case.axes["selector"]
    line = stage.line("inbound" if selector == "none" else f"inbound-{selector}")
    call = caller.dial(line.did)
    talk = stage.assistant(line).expect_call(call)
    expect(call).answered()
    if selector == "none":
        expect(talk).no_header("X-Gladly-Routing-Selector")
    else:
        expect(talk).header("X-Gladly-Routing-Selector", line.entry.selector)


@row("XEI")
def test_x_headers_arrive_unchanged(caller, line, assistant, expect):
    sent = (
        ("X-EI", f"S.check-7f3a;E.crm-456;O.{caller.number};"),
        ("X-Order-Id", "A-1001 / express; 50% off"),
        ("X-Locale", "pt-BR"),
    )
    call = caller.dial(line.did, headers=sent)
    talk = assistant.expect_call(call)
    expect(call).answered()
    for name, value in sent:
        expect(talk).header(name, value)


@row("ANONYMOUS")
def test_withheld_number_travels_in_pai(stage, line, assistant, expect):
    caller = stage.caller(privacy=True)
    call = caller.dial(line.did)
    talk = assistant.expect_call(call)
    expect(call).answered()
    expect(call).two_way_audio_with(talk)
    expect(talk).withheld_caller_id(caller.number)


@row("NUMBERFORMATS")
def test_number_in_every_form(stage, case, caller, line, assistant, expect):
    call = caller.dial(stage.number_as(line.did, case.axes["form"]))
    talk = assistant.expect_call(call)
    expect(call).answered()
    expect(talk).caller_id(caller.number)
    expect(talk).addressed_to(line)
