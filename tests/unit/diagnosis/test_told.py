"""What a refusal or a BYE says of its reason sharpens the diagnosis, and is quoted in it."""

from __future__ import annotations

import pytest

from tests.unit.diagnosis.building import Example
from tests.unit.diagnosis.known import facts_of
from tests.unit.diagnosis.stories import GROUP, lost, talk, transfer
from tests.unit.diagnosis.told_examples import (
    CONGESTED,
    NO_CIRCUIT,
    NO_ROUTE,
    UNALLOCATED,
    ended,
    refused_by_ai,
    refused_by_platform,
    registrar_says,
    taken_and_ended,
    transfer_refused,
)


def first(example: Example) -> str:
    return example.diagnose().causes[0].id


@pytest.mark.parametrize(
    ("code", "reason", "cause"),
    [
        (404, UNALLOCATED, "number-unknown-at-platform"),
        (404, NO_ROUTE, "platform-refuses-caller"),
        (404, "Q.850;cause=16", "number-unknown-at-platform"),
        (503, NO_ROUTE, "platform-refuses-caller"),
        (503, NO_CIRCUIT, "platform-refuses-caller"),
        (503, CONGESTED, "platform-refuses-caller"),
    ],
)
def test_the_same_status_with_another_cause_is_told_otherwise(code: int, reason: str, cause: str) -> None:
    example = refused_by_platform(code, "x", f"Reason: {reason}")
    assert first(example) == cause
    quoted = (
        f"Reason {reason.partition(';')[0].strip()} cause {int(reason.partition('cause=')[2].split()[0].split(';')[0])}"
    )
    assert any(quoted in line for line in example.diagnose().causes[0].evidence)


@pytest.mark.parametrize(
    ("code", "reason", "cause"),
    [
        (404, UNALLOCATED, "assistant-not-attached"),
        (404, NO_ROUTE, "ai-refuses"),
        (503, NO_CIRCUIT, "concurrency-exhausted"),
        (503, CONGESTED, "ai-refuses"),
    ],
)
def test_so_it_is_with_what_the_ai_answers(code: int, reason: str, cause: str) -> None:
    example = refused_by_ai(code, "x", Reason=reason)
    assert first(example) == cause
    assert any("Reason Q.850 cause" in line for line in example.diagnose().causes[0].evidence)


@pytest.mark.parametrize(
    ("code", "reason", "cause"),
    [
        (404, UNALLOCATED, "number-unknown-at-platform"),
        (404, NO_ROUTE, "transfer-call-refused"),
        (503, NO_CIRCUIT, "transfer-call-refused"),
        (503, "Q.850;cause=41", "trunk-inactive"),
    ],
)
def test_and_with_the_answer_to_a_transfer(code: int, reason: str, cause: str) -> None:
    assert first(transfer_refused(code, "x", reason)) == cause


def test_a_warning_is_read_by_its_words() -> None:
    example = refused_by_ai(503, "Service Unavailable", Warning='399 ai.example "No Route To Destination"')
    assert first(example) == "ai-refuses"
    assert facts_of(example).value("ai.refusal") == "the route"
    shown = example.diagnose().causes[0].evidence
    assert any('Warning 399 of ai.example: "No Route To Destination"' in line for line in shown)


@pytest.mark.parametrize(
    ("warning", "what"),
    [
        ('305 gw.example:5080 "SDP: b=AS"', "the codec"),
        ('302 gw.example "Incompatible transport protocol"', "the encryption"),
        ('370 192.0.2.77 "Insufficient Bandwidth"', "congestion"),
        ('301 gw.example "Incompatible network address formats"', None),
        ('304 gw.example "Media type not available"', None),
        ('399 gw.example "Congestion", 305 gw.example "x"', "congestion"),
        ('399 gw.example "x", 370 gw.example "x"', "congestion"),
    ],
)
def test_a_warning_is_read_by_its_code_where_its_words_say_nothing(warning: str, what: str | None) -> None:
    """RFC 3261 section 20.43."""
    assert facts_of(refused_by_ai(606, "Not Acceptable", Warning=warning)).value("ai.refusal") == what


@pytest.mark.parametrize(
    ("warning", "causes"),
    [
        ('370 gw.example:5080 "Insufficient Bandwidth"', ["platform-refuses-caller"]),
        ('305 gw.example:5080 "Incompatible media format"', ["no-g711", "platform-refuses-caller"]),
        ('302 gw.example:5080 "Incompatible transport protocol"', ["srtp-mismatch", "platform-refuses-caller"]),
        ('304 gw.example:5080 "Media type not available"', ["no-g711", "srtp-mismatch", "platform-refuses-caller"]),
    ],
)
@pytest.mark.parametrize("code", [488, 606])
def test_a_warning_leaves_fewer_causes_of_a_refusal_for_the_media(code: int, warning: str, causes: list[str]) -> None:
    found = refused_by_platform(code, "Not Acceptable Here", f"Warning: {warning}").diagnose()
    assert [cause.id for cause in found.causes] == causes


@pytest.mark.parametrize("code", [415, 488, 606])
def test_a_stand_in_that_no_call_came_to_was_offered_nothing(code: int) -> None:
    """That the AI refused what it was offered is false then: the platform did."""
    example = Example(ai="stand-in").dials().after(0.1).state("disconnected", code, "x").all_ports_answer().not_taken()
    assert [(cause.id, cause.confidence) for cause in example.diagnose().causes] == [
        ("platform-refuses-caller", "likely")
    ]
    example.calls_again("codec", "+14155550123", rang=["stand-in"], again_as_before="refused")
    assert [cause.id for cause in example.diagnose().causes] == ["platform-refuses-caller"]


def test_a_platform_without_bandwidth_has_no_objection_to_the_media() -> None:
    text = "\r\n".join(("SIP/2.0 488 x", "CSeq: 1 INVITE", 'Warning: 370 gw.example:5080 "Insufficient Bandwidth"'))
    example = Example(ai="stand-in").dials().caller_gets(text).state("disconnected", 488, "x").not_taken()
    assert [cause.id for cause in example.diagnose().causes] == ["platform-refuses-caller"]


def test_the_words_of_the_status_line_come_before_the_cause() -> None:
    example = refused_by_ai(503, "Concurrency limit", Reason='Q.850;cause=3;text="congestion"')
    assert facts_of(example).value("ai.refusal") == "concurrency"
    example = refused_by_ai(503, "x", Reason='Q.850;cause=34;text="NORMAL_CIRCUIT_CONGESTION"')
    assert facts_of(example).value("ai.refusal") == "the channels"
    example = refused_by_ai(503, "x", Reason='SIP;cause=503;text="congestion"')
    assert facts_of(example).value("ai.refusal") == "congestion"


def test_a_registrar_that_says_when_to_try_again_is_no_inactive_trunk() -> None:
    assert first(registrar_says(503, "Service Unavailable").sip_number()) == "trunk-inactive"
    later = registrar_says(503, "Service Unavailable", Retry_After="60").sip_number()
    assert first(later) == "registration-refused"
    assert any("Retry-After: 60" in line for line in later.diagnose().causes[0].evidence)


def test_the_reason_of_a_bye_is_quoted() -> None:
    example = talk(Example())
    example._sip("received", "BYE sip:x SIP/2.0", "BYE", to="<sip:x@y.example>;tag=p", number="3", Reason=NO_CIRCUIT)
    example.caller_gets('BYE sip:caller SIP/2.0\r\nReason: SIP;cause=200;text="RTP Timeout"').to_caller("no-rtp")
    facts = facts_of(example)
    assert 'Reason SIP cause 200: "RTP Timeout"' in facts["call.cut"].evidence
    assert "Reason Q.850 cause 34 (no circuit/channel available)" in facts["call.cut_by"].evidence


@pytest.mark.parametrize(
    ("reason", "what"),
    [
        ("Q.850;cause=88", "the codec"),
        ('Q.850;cause=65;text="BEARERCAPABILITY_NOTIMPL"', "the codec"),
        ("SIP;cause=488", "the codec"),
        ("SIP;cause=415", "the codec"),
        ("SIP;cause=414", None),
        ('SIP ;cause=606 ;text="no media format in common"', "the codec"),
        ("Q.850;cause=16, SIP;cause=488", "the codec"),
        ('SIP;cause=488;text="SRTP required"', "the encryption"),
        ("Q.850;cause=42", "congestion"),
        ("Q.850;cause=34", "the channels"),
        ("Q.850;cause=3", "the route"),
        ("Q.850;cause=16", None),
        ('SIP;cause=200;text="Call completed elsewhere"', None),
        ("X.int;reasoncode=0x00000000;add-info=05CC.0001.0001", None),
        ("SIP;cause=503", None),
        ("Q.850;cause=", None),
    ],
)
def test_what_a_bye_was_sent_for(reason: str, what: str | None) -> None:
    assert facts_of(taken_and_ended(reason)).value("call.reason") == what


def test_a_bye_for_the_codec_is_not_believed_where_both_sides_have_the_same() -> None:
    example = taken_and_ended("Q.850;cause=88").codec("caller.1", "PCMU").record(witness={"codec": "PCMU"})
    assert facts_of(example).value("call.reason") is None
    assert [cause.id for cause in example.diagnose().causes] == ["call-dropped"]


@pytest.mark.parametrize(
    ("reason", "cause"),
    [
        (UNALLOCATED, "number-unknown-at-platform"),
        (NO_ROUTE, "platform-refuses-caller"),
        (NO_CIRCUIT, "platform-refuses-caller"),
        (CONGESTED, "platform-refuses-caller"),
    ],
)
def test_a_platform_that_has_answered_refuses_by_its_bye(reason: str, cause: str) -> None:
    """Nothing came to the AI: what a final response would have said the Reason says."""
    example = ended(reason).all_ports_answer().not_taken()
    assert [each.id for each in example.diagnose().causes] == [cause]


def test_where_nobody_sees_the_ai_a_call_that_is_ended_need_not_have_come_to_it() -> None:
    unseen = {cause.id for cause in ended("Q.850;cause=16").diagnose("caller").causes}
    assert "platform-answers-first" in unseen
    heard = talk(Example()).ends("received").to_caller().to_ai("no-rtp")
    assert "platform-answers-first" not in {cause.id for cause in heard.diagnose("caller").causes}


def sure(example: Example) -> tuple[str, str]:
    cause = example.diagnose().causes[0]
    return cause.id, cause.confidence


@pytest.mark.parametrize(
    ("code", "phrase", "headers", "told"),
    [
        (404, "Not Found", {}, ("assistant-not-attached", "likely")),
        (404, "No assistant is attached to this number", {}, ("assistant-not-attached", "certain")),
        (404, "Not Found", {"Reason": UNALLOCATED}, ("assistant-not-attached", "likely")),
        (503, "x", {"Reason": UNALLOCATED}, ("assistant-not-attached", "certain")),
        (429, "Provide Referrer Identity", {}, ("concurrency-exhausted", "likely")),
        (429, "Rate limit exceeded", {}, ("concurrency-exhausted", "likely")),
        (429, "Concurrency limit reached", {}, ("concurrency-exhausted", "certain")),
        (503, "Maximum Calls In Progress", {"Retry_After": "300"}, ("concurrency-exhausted", "certain")),
    ],
)
def test_what_the_ai_says_makes_certain_what_its_status_makes_likely(
    code: int, phrase: str, headers: dict[str, str], told: tuple[str, str]
) -> None:
    assert sure(refused_by_ai(code, phrase, **headers)) == told


def test_so_it_is_with_the_platform() -> None:
    unknown = "number-unknown-at-platform"
    assert sure(refused_by_platform(404, "Not Found")) == (unknown, "likely")
    assert sure(refused_by_platform(404, "Not Found", f"Reason: {UNALLOCATED}")) == (unknown, "likely")
    assert sure(transfer_refused(404, "Not Found", "Q.850;cause=16")) == (unknown, "likely")
    assert sure(transfer_refused(404, "Not Found", UNALLOCATED)) == (unknown, "likely")
    assert sure(transfer_refused(500, "x", UNALLOCATED)) == (unknown, "certain")
    assert sure(transfer_refused(480, "Temporarily Unavailable", "Q.850;cause=20")) == ("nobody-available", "likely")


def test_a_user_who_is_in_no_access_list_is_no_wrong_user_name_for_certain() -> None:
    causes = registrar_says(403, "User not found in ACL").diagnose().causes
    assert causes
    assert all(cause.confidence != "certain" for cause in causes)


@pytest.mark.parametrize(
    ("code", "cause", "what"),
    [(404, 1, None), (604, 1, None), (485, 1, None), (410, 22, None), (503, 1, "the number"), (404, 3, "the route")],
)
def test_a_cause_that_gateways_derive_from_the_status_says_no_more_than_it(
    code: int, cause: int, what: str | None
) -> None:
    """RFC 3398 section 8.2.6.1 has the table."""
    facts = facts_of(refused_by_ai(code, "x", Reason=f"Q.850;cause={cause}"))
    assert facts.value("ai.refusal") == what
    assert f"Reason Q.850 cause {cause} " in facts["ai.code"].evidence[2]


@pytest.mark.parametrize("end", ["", "\r\n", "\r\n\r\n"])
def test_the_reason_in_a_notify_is_quoted(end: str) -> None:
    """RFC 3515 section 2.4.5: the sipfrag may have header fields of the response that it tells of."""
    example = transfer(Example()).ai_refers(GROUP).platform_says(202, "Accepted")
    body = f"SIP/2.0 503 Service Unavailable\r\nReason: {NO_CIRCUIT}{end}"
    example._sip("received", "NOTIFY sip:ai SIP/2.0", "NOTIFY", body, number="9", Content_Type="message/sipfrag")
    outcome = facts_of(lost(example))["transfer.outcome"]
    assert outcome.value == 503
    assert outcome.evidence[1:] == (
        "SIP/2.0 503 Service Unavailable",
        "Reason Q.850 cause 34 (no circuit/channel available)",
    )


def test_a_call_that_ends_behind_an_announcement_need_not_have_got_to_the_ai() -> None:
    """Unless its voice was heard, or the BYE says what it was for."""
    announced = Example(line="ivr").all_ports_answer()
    reached = {"ai-hangs-up", "call-dropped"}
    unheard = ended("Q.850;cause=16", announced.copy()).diagnose()
    assert {"no-g711", "assistant-not-attached", "route-missing", *reached} <= {
        cause.id for cause in unheard.candidates
    }
    heard = announced.copy().dials().answered().after(2.0).caller_gets("BYE sip:caller SIP/2.0").ends_here(200, "OK")
    assert {
        cause.id for cause in heard.after(0.5).to_caller().finding("call.up", "caller.1").diagnose().causes
    } == reached
    assert first(ended("Q.850;cause=88", announced.copy())) == "g711-one-side"
