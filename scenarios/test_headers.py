"""Headers that must reach the AI."""

from __future__ import annotations

from harness.scenario import scenario


@scenario("HEADER-CALLER")
def test_caller_id_header(caller, line, assistant, expect):
    call = caller.call(line)
    talk = assistant.expect_call(call)
    expect(call).answered()
    expect(talk).header("X-Gladly-Caller-Id", caller.number)
    expect(call).two_way_audio_with(talk)


@scenario("HEADER-SELECTOR")
def test_routing_selector(caller, line, assistant, expect):
    call = caller.call(line)
    talk = assistant.expect_call(call)
    expect(call).answered()
    if line.entry.selector is None:
        expect(talk).no_header("X-Gladly-Routing-Selector")
    else:
        expect(talk).header("X-Gladly-Routing-Selector", line.entry.selector)


@scenario("XEI")
def test_x_headers_arrive_unchanged(caller, line, assistant, expect):
    sent = (
        ("X-EI", f"S.check-7f3a;E.crm-456;O.{caller.number};"),
        ("X-Order-Id", "A-1001 / express; 50% off"),
        ("X-Locale", "pt-BR"),
    )
    call = caller.call(line, headers=sent)
    talk = assistant.expect_call(call)
    expect(call).answered()
    for name, value in sent:
        expect(talk).header(name, value, sent_with=[name for name, _ in sent])


@scenario("ANONYMOUS")
def test_withheld_number_travels_in_pai(cast, line, assistant, expect):
    caller = cast.caller(privacy=True)
    call = caller.call(line)
    talk = assistant.expect_call(call)
    expect(call).answered()
    expect(call).two_way_audio_with(talk)
    expect(talk).withheld_caller_id(caller.number)


@scenario("NUMBERFORMATS")
def test_number_in_every_form(case, caller, line, assistant, expect):
    call = caller.call(line, form=case.axes["form"])
    talk = assistant.expect_call(call)
    expect(call).answered()
    expect(talk).caller_id(caller.number)
    expect(talk).addressed_to(line)
