"""Facts on whether a call or a registration got where it should, and what stood in its way."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.diagnosis.reach import UNHEARD
from tests.unit.diagnosis.building import SDP, Example
from tests.unit.diagnosis.known import facts_of


def call(**changes: Any) -> Example:
    return Example(now=0.0, **changes).dials()


# -- the ports, asked directly


def test_a_stand_in_is_ours() -> None:
    facts = facts_of(call(ai="stand-in", transport="tls"))
    assert facts.value("probe.ai") == "ours"
    assert facts.value("probe.certificate") == "ours"


def test_only_tls_needs_a_certificate() -> None:
    assert facts_of(call(transport="udp")).value("probe.certificate") == "none needed"
    assert facts_of(call(transport="tls")).value("probe.certificate") is None
    assert facts_of(call(transport="tls").probed("ai", "answers", "expired")).value("probe.certificate") == "expired"


@pytest.mark.parametrize(
    ("transport", "of", "reach", "icmp"),
    [
        ("udp", "termination", "refuses", "rejected"),
        ("tcp", "termination", "refuses", None),
        ("udp", "termination", "answers", None),
        ("udp", "ai", "refuses", None),
    ],
)
def test_datagrams_that_are_refused_are_answered_by_icmp(transport: str, of: str, reach: str, icmp: str | None) -> None:
    facts = facts_of(call(transport=transport).probed(of, reach))
    assert facts.value(f"probe.{of}") == reach
    assert facts.value("icmp") == icmp


def test_what_synthflow_s_record_says_is_no_probe() -> None:
    facts = facts_of(call().record(of="ai", reach="refuses"))
    assert facts.value("probe.ai") is None


# -- registration


def registers(code: int, reason: str = "", *, check: str = "registration", **changes: Any) -> Example:
    return Example(row="TD-REGISTER-OK", **changes).finding(check, "Synthflow's number", code=code, reason=reason)


@pytest.mark.parametrize("check", ["registration", "registration.refused"])
@pytest.mark.parametrize(
    ("code", "reason", "answer"),
    [
        (0, "", "none"),
        (408, "Request Timeout", "none"),
        (503, "", "none"),
        (503, "Maintenance", 503),
        (503, "connection reset by peer", "connection refused"),
        (502, "connection reset by peer", 502),
        (504, "", 504),
        (407, "x", 407),
        (409, "x", 409),
    ],
)
def test_the_final_answer_to_register(check: str, code: int, reason: str, answer: object) -> None:
    assert facts_of(registers(code, reason, check=check)).value("registration.answer") == answer


@pytest.mark.parametrize(
    ("code", "answer"),
    [(0, "connection refused"), (408, "connection refused"), (503, "connection refused"), (403, 403), (1, 1)],
)
def test_a_refused_connection_explains_only_what_no_server_said(code: int, answer: object) -> None:
    example = registers(code, "x", transport="tcp", ai="stand-in")
    assert facts_of(example.transport_failed("sip-number", "Connection refused")).value("registration.answer") == answer


def test_another_failure_of_the_transport_is_no_refused_connection() -> None:
    example = registers(408, "x", transport="tcp", ai="stand-in")
    facts = facts_of(example.transport_failed("sip-number", "certificate verify failed"))
    assert facts.value("registration.answer") == "none"


@pytest.mark.parametrize(
    ("granted", "asked", "value"),
    [
        (59, 60, "shorter"),
        (60, 60, "as asked"),
        (61, 60, "as asked"),
        (0, 60, None),
        (None, 60, None),
        (60, None, None),
    ],
)
def test_the_interval_that_was_granted(granted: int | None, asked: int | None, value: str | None) -> None:
    what: dict[str, Any] = {"what": "the registration is refreshed", "granted_s": granted, "asked_s": asked}
    facts = facts_of(Example(row="TD-REGISTER-OK").finding("timing.within", "Synthflow's number", **what))
    assert facts.value("registration.granted") == value
    assert facts.value("registration.lapsed") is True
    passed = facts_of(Example(row="TD-REGISTER-OK").finding("timing.within", "Synthflow's number", True, **what))
    assert passed.value("registration.lapsed") is False
    what["what"] = "the call"
    assert "registration.lapsed" not in facts_of(Example().finding("timing.within", "Synthflow's number", **what))


@pytest.mark.parametrize(
    ("said", "target", "user"),
    [
        ({}, "the Termination URI", "the trunk's"),
        ({"termination_uri": "x.example"}, "another host", "the trunk's"),
        ({"username": "x"}, "the Termination URI", "another"),
        ({"termination_uri": None, "username": None}, None, None),
    ],
)
def test_what_synthflow_says_of_its_number(said: dict[str, Any], target: str | None, user: str | None) -> None:
    example = registers(403, authentication="digest").sip_number(**said)
    facts = facts_of(example)
    assert facts.value("registration.target") == target
    assert facts.value("registration.user") == user
    without = facts_of(example, has_deployment=False)
    assert (without.value("registration.target"), without.value("registration.user")) == (None, None)


def test_a_trunk_without_a_user_name_has_none_to_compare() -> None:
    assert facts_of(registers(403).sip_number(username="x")).value("registration.user") is None


def test_a_stand_in_registers_where_it_is_told() -> None:
    assert facts_of(registers(403, ai="stand-in")).value("registration.target") == "the Termination URI"
    assert facts_of(registers(403)).value("registration.target") is None
    assert facts_of(call(ai="stand-in")).value("registration.target") is None


@pytest.mark.parametrize(
    ("codes", "challenged"),
    [
        ([401, 403], True),
        ([407], True),
        ([403], False),
        ([400], False),
        ([408], False),
        ([402], False),
        ([100], None),
        ([200], False),
        ([], None),
    ],
)
def test_whether_register_was_challenged(codes: list[int], challenged: bool | None) -> None:
    example = registers(403)
    for code in codes:
        example._sip("received", f"SIP/2.0 {code} x", "REGISTER")
    assert facts_of(example).value("registration.challenged") is challenged
    other = registers(403)
    for code in codes:
        other._sip("sent", f"SIP/2.0 {code} x", "REGISTER")
    assert facts_of(other).value("registration.challenged") is None


@pytest.mark.parametrize("header", ["Authorization", "Proxy_Authorization"])
def test_the_user_name_in_the_register_s_credentials(header: str) -> None:
    def user(method: str, direction: str, value: str) -> object:
        example = registers(403, authentication="digest")
        example._sip(direction, f"{method} sip:x SIP/2.0", method, **{header: value})
        return facts_of(example).value("registration.user")

    right = f'Digest username="{registers(403, authentication="digest").trunk.username}", response="x"'
    assert user("REGISTER", "sent", right) == "the trunk's"
    assert user("REGISTER", "sent", 'Digest username="", response="x"') == "another"
    assert user("REGISTER", "sent", "Digest response=x") is None
    assert user("REGISTER", "received", right) is None
    assert user("OPTIONS", "sent", right) is None


# -- what the AI's side saw


@pytest.mark.parametrize(
    ("answered", "attempted", "saw"),
    [
        (["main"], [], "answered"),
        (["main", "the phone reception"], [], "answered"),
        (["sales"], [], "another assistant answered"),
        (["main", "sales"], [], "another assistant answered"),
        (["somebody"], [], "answered"),
        ([], ["failed:x"], "refused"),
        ([], ["busy:x"], "refused"),
        ([], ["canceled:x"], "refused"),
        ([], ["no-answer:x"], "rang"),
        ([], ["no-answer:x", "failed:x"], "refused"),
        ([], [], "nothing"),
        (["the phone reception"], [], "nothing"),
    ],
)
def test_what_the_ai_s_side_saw(answered: list[str], attempted: list[str], saw: str) -> None:
    facts = facts_of(call().not_taken(*answered, attempted=attempted))
    assert facts.value("ai.saw") == saw
    assert facts.value("ai.did") == ("another assistant's" if saw == "another assistant answered" else None)


def test_without_a_deployment_any_other_name_is_another_assistant_s() -> None:
    facts = facts_of(call().not_taken("somebody"), has_deployment=False)
    assert facts.value("ai.saw") == "another assistant answered"


@pytest.mark.parametrize(
    ("code", "saw"),
    [(200, "rang"), (299, "rang"), (300, "refused"), (486, "refused"), (487, "rang"), (488, "refused"), (180, "rang")],
)
def test_an_invite_that_reached_the_ai_rang_or_was_refused(code: int, saw: str) -> None:
    assert facts_of(call().ai_gets().ai_answers(code).not_taken()).value("ai.saw") == saw


@pytest.mark.parametrize(
    ("code", "saw"), [(180, "rang"), (199, "rang"), (200, None), (299, None), (300, "refused"), (487, "rang")]
)
def test_where_no_check_asked_who_answered(code: int, saw: str | None) -> None:
    assert facts_of(call().ai_gets().ai_answers(code)).value("ai.saw") == saw
    assert facts_of(call()).value("ai.saw") is None


@pytest.mark.parametrize(("reached", "saw"), [(["sales"], "another assistant answered"), ([], "nothing")])
def test_an_ai_that_was_not_tried(reached: list[str], saw: str) -> None:
    assert facts_of(call().finding("route.tried", "the AI", reached=reached)).value("ai.saw") == saw
    assert facts_of(call().finding("route.tried", "the AI", True, reached=reached)).value("ai.saw") is None
    rang = facts_of(call().ai_gets().finding("route.tried", "the AI", reached=reached))
    assert rang.value("ai.saw") == ("rang" if not reached else saw)


@pytest.mark.parametrize("code", [404, 486])
def test_of_several_invites_each_may_be_refused(code: int) -> None:
    example = call().ai_gets(call_id="a").ai_answers(code, call_id="a").ai_gets(call_id="b")
    assert facts_of(example.not_taken()).value("ai.saw") == "refused"


@pytest.mark.parametrize(
    ("check", "fact", "right"),
    [("route.transport", "ai.transport", "the trunk's"), ("route.trunk", "ai.trunk", "the right one")],
)
def test_the_way_a_call_came(check: str, fact: str, right: str) -> None:
    assert facts_of(call().finding(check, "assistant main")).value(fact) == "another"
    assert facts_of(call().finding(check, "assistant main", True)).value(fact) == right


@pytest.mark.parametrize(
    ("user", "did"),
    [
        ("+12065550100", "the line's"),
        ("12065550100", "the line's, in another form"),
        ("+12065550106", "another assistant's"),
        ("+12025550177", "nobody's"),
        ("", None),
    ],
)
def test_the_number_the_ai_was_asked_for(user: str, did: str | None) -> None:
    assert facts_of(call().finding("route.request_uri", "assistant main", request_user=user)).value("ai.did") == did
    if user:
        assert facts_of(call().ai_gets(did=user)).value("ai.did") == did
        assert facts_of(call().ai_gets(did=user), has_deployment=False).value("ai.did") is None


@pytest.mark.parametrize(
    ("over", "local", "value"),
    [
        ("udp", "192.0.2.60:32681", "the trunk's"),
        ("udp", "", "the trunk's"),
        ("udp", "192.0.2.60:32682", "another"),
        ("tcp", "192.0.2.60:32681", "another"),
    ],
)
def test_the_transport_a_call_came_over(over: str, local: str, value: str) -> None:
    example = call().ai_gets()
    example._messages[-1] |= {"transport": over, "local": local}
    assert facts_of(example).value("ai.transport") == value


def test_the_trunk_cannot_be_told_where_two_have_one_address() -> None:
    example = call().ai_gets()
    assert facts_of(example).value("ai.trunk") == "the right one"
    example._messages[-1]["remote"] = ""
    assert facts_of(example).value("ai.trunk") is None


@pytest.mark.parametrize("is_tls", [True, False])
def test_whether_tls_was_asked_for(is_tls: bool) -> None:
    assert facts_of(call().ai_gets(tls=is_tls)).value("ai.tls_asked") is is_tls


def test_an_invite_without_audio_offers_none() -> None:
    example = call()._sip("received", "INVITE sip:+12065550100@192.0.2.60 SIP/2.0", "INVITE")
    facts = facts_of(example)
    assert facts.value("ai.offer") is None
    assert facts.value("sdp.to_ai") is None


HELD = SDP.format(host="192.0.2.2", protocol="RTP/AVP", formats="0", lines="a=inactive\r\n")
OPEN = SDP.format(host="192.0.2.2", protocol="RTP/AVP", formats="0", lines="")


def test_who_put_the_media_on_hold() -> None:
    assert facts_of(call().ai_gets().ai_answers(200, sdp=HELD)).value("sdp.hold") == "the AI"
    assert facts_of(call().ai_gets().ai_answers(200, sdp=OPEN)).value("sdp.hold") is None
    assert facts_of(call().ai_gets().ai_answers(200, sdp=OPEN).ai_answers(200, sdp=HELD)).value("sdp.hold") is None
    assert facts_of(call().ai_gets().ai_answers(183, sdp=HELD)).value("sdp.hold") is None
    assert facts_of(call().ai_gets().ai_answers(200, sdp=HELD, call_id="z")).value("sdp.hold") is None
    offered = call()._sip("received", "INVITE sip:x@192.0.2.60 SIP/2.0", "INVITE", HELD)
    assert facts_of(offered).value("sdp.hold") == "the platform"
    theirs = call().ai_gets()._sip("received", "SIP/2.0 200 OK", "INVITE", HELD)
    assert facts_of(theirs).value("sdp.hold") is None


@pytest.mark.parametrize(
    ("remote", "address", "value"),
    [
        ("[2001:db8::1]:5060", "10.0.0.1", "private"),
        ("192.0.2.9:5060", "192.168.1.1", "private"),
        ("192.0.2.9:5060", "169.254.1.1", "private"),
        ("192.0.2.9:5060", "172.15.0.1", "reachable"),
        ("192.0.2.9:5060", "172.16.0.1", "private"),
        ("192.0.2.9:5060", "172.32.0.1", "reachable"),
        ("192.0.2.9:5060", "100.63.0.1", "reachable"),
        ("192.0.2.9:5060", "100.127.0.1", "private"),
        ("192.0.2.9:5060", "100.128.0.1", "reachable"),
        ("sbc.example:5060", "10.0.0.1", None),
    ],
)
def test_which_addresses_are_private(remote: str, address: str, value: str | None) -> None:
    assert facts_of(call().ai_gets(address=address, remote=remote)).value("sdp.to_ai") == value


DIGEST = 'Digest username="x", response="y"'


@pytest.mark.parametrize(
    ("shown", "code", "challenge", "final"),
    [
        ("", 401, "not answered", 401),
        ("", 407, "not answered", 407),
        ("", 403, "none", 403),
        (DIGEST, 401, "credentials refused", 401),
        (DIGEST, 407, "credentials refused", 407),
        (DIGEST, 403, "credentials refused", 403),
        (DIGEST, 402, "none", 402),
        (DIGEST, 404, "none", 404),
        (DIGEST, 400, "none", 400),
        (DIGEST, 406, "none", 406),
        (DIGEST, 408, "none", 408),
        ("", 487, "none", None),
        ("", 300, "none", 300),
        ("", 200, "none", None),
    ],
)
def test_what_became_of_a_challenge(shown: str, code: int, challenge: str, final: int | None) -> None:
    facts = facts_of(call(authentication="digest").ai_gets(authorization=shown).ai_answers(code))
    assert facts.value("ai.challenge") == challenge
    assert facts.value("ai.code") == final
    assert facts_of(call()).value("ai.challenge") is None


def test_what_the_platform_sends_is_no_answer_of_the_ai_s() -> None:
    example = call().ai_gets()._sip("received", "SIP/2.0 404 Not Found", "INVITE")
    assert facts_of(example).value("ai.code") is None


def test_the_last_final_response_counts() -> None:
    example = call().ai_gets().ai_answers(407).ai_answers(404, "Not Found: no assistant")
    facts = facts_of(example)
    assert facts.value("ai.code") == 404
    assert facts.value("ai.refusal") == "the assistant"
    unanswered = call().ai_gets().ai_answers(404).ai_gets(call_id="b")
    assert facts_of(unanswered).value("ai.code") == 404


@pytest.mark.parametrize(
    ("said", "code", "about"),
    [
        ({"error_message": "404 no assistant"}, 404, "the assistant"),
        ({"error_message": " 699 x"}, 699, None),
        ({"error_message": "299 x"}, None, None),
        ({"error_message": "799 x"}, None, None),
        ({"error_message": "4041 x"}, None, None),
        ({"telephony_disconnect_reason": "trunk inactive"}, None, "the trunk"),
        ({"error_message": "wrong password", "telephony_disconnect_reason": "trunk inactive"}, None, "the password"),
        ({}, None, None),
    ],
)
def test_what_the_record_says_of_a_refusal(said: dict[str, str], code: int | None, about: str | None) -> None:
    facts = facts_of(call().record(status="failed", **said))
    assert facts.value("ai.code") == code
    assert facts.value("ai.refusal") == about


# -- why the AI could not be had


def test_a_line_that_is_declared_down() -> None:
    down = Example(row="TD-FALLBACK-DOWN", line="fallback-down").dials()
    assert facts_of(down).value("ai.lost") == "its port does not answer"
    assert facts_of(call()).value("ai.lost") is None


@pytest.mark.parametrize(
    ("of", "reach", "lost"),
    [("ai", "silent", True), ("ai", "refuses", True), ("termination", "silent", True), ("ai", "answers", False)],
)
def test_a_port_that_does_not_answer(of: str, reach: str, lost: bool) -> None:
    assert facts_of(call().probed(of, reach)).value("ai.lost") == ("its port does not answer" if lost else None)


@pytest.mark.parametrize("certificate", ["expired", "wrong name", "untrusted", "valid"])
def test_a_certificate_that_is_bad(certificate: str) -> None:
    facts = facts_of(call(transport="tls").probed("ai", "answers", certificate))
    assert facts.value("ai.lost") == (None if certificate == "valid" else "its certificate is bad")


@pytest.mark.parametrize(("code", "lost"), [(404, "it refused"), (180, "it only rang"), (200, None)])
def test_an_ai_that_refused_or_only_rang(code: int, lost: str | None) -> None:
    assert facts_of(call().ai_gets().ai_answers(code)).value("ai.lost") == lost


# -- who rang instead, and what the caller was told


@pytest.mark.parametrize(
    ("code", "end", "final"),
    [(300, "refused", 300), (486, "refused", 486), (487, "refused", 487), (299, None, None), (200, None, None)],
)
def test_how_the_caller_s_call_ended(code: int, end: str | None, final: int | None) -> None:
    facts = facts_of(call().after(2).ends_here(code, "x"))
    assert facts.value("caller.end") == end
    assert facts.value("final.code") == final


def test_a_refusal_that_says_what_it_is_about() -> None:
    facts = facts_of(call().after(2).ends_here(480, "nobody logged in"))
    assert facts.value("final.refusal") == "the agents"
    assert facts_of(call().after(2).ends_here(480, ""))["final.code"].evidence == ("caller.1: 480",)


def test_a_call_that_was_up_was_answered_whatever_ended_it() -> None:
    facts = facts_of(call().answered().after(2).ends_here(486, "x"))
    assert facts.value("caller.end") == "answered"
    assert facts.value("final.code") is None
    assert facts_of(call()).value("caller.end") == "still ringing"
    assert facts_of(Example()).value("caller.end") is None


def test_only_our_own_cancel_gives_a_call_up() -> None:
    assert facts_of(call().gives_up()).value("caller.end") == "still ringing"
    theirs = call().caller_gets("CANCEL sip:caller SIP/2.0").ends_here(487, "x")
    assert facts_of(theirs).value("caller.end") == "refused"
    other = call()
    other._at_caller("sent", "CANCEL sip:x SIP/2.0")
    other.events[-1] = replace(other.events[-1], leg="caller.2")
    assert facts_of(other.ends_here(487, "x")).value("caller.end") == "refused"
    refused = call()
    refused._at_caller("sent", "CANCEL sip:x SIP/2.0")
    assert facts_of(refused.ends_here(486, "x")).value("caller.end") == "refused"


@pytest.mark.parametrize(("waited", "unheard"), [(0.9, False), (1.0, True), (5.0, True)])
def test_a_platform_that_answers_nothing_within_a_second(waited: float, unheard: bool) -> None:
    facts = facts_of(Example(now=0.0).dials(taken=False).after(waited).ends_here(408, "Request Timeout"))
    assert (facts.value("caller.end") == UNHEARD) is unheard


def test_a_call_that_went_on_was_heard() -> None:
    silent = Example(now=0.0).dials(taken=False)
    assert facts_of(silent.copy().ai_gets().after(5).ends_here(408, "x")).value("caller.end") == "refused"
    assert facts_of(silent.copy().rings("reception").after(5).ends_here(408, "x")).value("caller.end") == "refused"
    assert facts_of(silent.copy().dials_too("caller-2").after(5).ends_here(408, "x")).value("caller.end") == UNHEARD
    assert facts_of(call().after(5).ends_here(408, "x")).value("caller.end") == "refused"


def test_a_leg_without_an_invite_or_that_came_in_is_not_unheard() -> None:
    assert (
        facts_of(Example(now=0.0).rings("customer").after(5).ends_here(408, "x")).value("caller.end") == "still ringing"
    )
    bare = Example(now=0.0).dials(taken=False)
    bare.events = bare.events[:1]
    assert facts_of(bare.after(5).ends_here(408, "x")).value("caller.end") == "refused"


@pytest.mark.parametrize(("after", "when"), [(0.99, "at once"), (1.0, "after waiting")])
def test_when_somebody_rang_instead(after: float, when: str) -> None:
    facts = facts_of(call().after(after).rings("reception"))
    assert facts.value("instead.when") == when
    assert facts.value("instead") == "the fallback group"
    refused = facts_of(call().after(after).ends_here(486, "x"))
    assert refused.value("instead.when") == when
    assert refused.value("instead") == "nobody"


@pytest.mark.parametrize(("after", "when"), [(0.99, "at once"), (1.0, None)])
def test_a_caller_alone_may_be_answered_too_soon(after: float, when: str | None) -> None:
    """Later, it may have been an agent who took a while."""
    facts = facts_of(call().after(after).answered(), "caller")
    assert facts.value("instead.when") == when
    assert facts.value("instead") is None


def test_an_agent_s_phone_is_of_the_fallback_or_of_another_group() -> None:
    assert facts_of(call().rings("billing")).value("instead") == "another group"
    assert facts_of(call().rings("billing"), has_deployment=False).value("instead") == "an agent"
    assert facts_of(Example(line="busy").dials().rings("billing")).value("instead") == "an agent"
    first = facts_of(call().rings("reception").after(1).rings("billing"))
    assert first.value("instead") == "the fallback group"
    assert first["instead"].evidence == ("reception.1 rang", "billing.1 rang")
    three = call().rings("reception").after(1).rings("billing").rings("support")
    assert len(facts_of(three)["instead"].evidence) == 2


def test_a_campaign_s_call_has_nobody_in_its_place() -> None:
    assert facts_of(Example().rings("customer").rings("billing")).value("instead") is None


@pytest.mark.parametrize(("line", "configured"), [("inbound", True), ("busy", False)])
def test_whether_a_fallback_is_configured(line: str, configured: bool) -> None:
    assert facts_of(Example(line=line).dials()).value("fallback.configured") is configured


@pytest.mark.parametrize(("subject", "code"), [("caller.1", 486), ("OPTIONS", None), ("caller.1's BYE", None)])
def test_the_answer_to_something_else_is_no_final_response_of_the_call(subject: str, code: int | None) -> None:
    facts = facts_of(Example().finding("final_response", subject, code=486, wanted=[200]))
    assert facts.value("final.code") == code
    both = Example().finding("final_response", subject, code=486, wanted=[200])
    assert (
        facts_of(both.finding("final_response", "caller.1", code=404, wanted=[200])).value("final.code") == code or 404
    )
