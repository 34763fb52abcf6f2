"""Facts on what the AI's side saw of the call, and what the probes say of its port."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.calls.events import SipMessage
from harness.diagnosis.facts import Facts
from tests.unit.diagnosis.building import Example
from tests.unit.diagnosis.example_case import SDP
from tests.unit.diagnosis.known import call, facts_of, scene_of
from tests.unit.diagnosis.stories import fallback, refused

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


# -- what the AI's side saw


def test_an_offer_of_no_media_at_all_has_no_g711() -> None:
    """RFC 3264 section 5: zero or more media streams. A platform whose list of codecs has none that it knows sends that."""
    example = refused(Example(), 488, "Not Acceptable", offer="no media")
    assert facts_of(example).value("ai.offer") == "no audio"
    assert [cause.id for cause in example.diagnose().causes] == ["no-g711"]


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
        ([], ["canceled:x"], "rang"),  # by who called
        ([], ["user-canceled:x"], "rang"),
        ([], ["canceled:x", "failed:x"], "refused"),
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
    [
        (200, "rang"),
        (299, "rang"),
        (300, "refused"),
        (486, "refused"),
        (487, "refused"),
        (488, "refused"),
        (180, "rang"),
    ],
)
def test_an_invite_that_reached_the_ai_rang_or_was_refused(code: int, saw: str) -> None:
    assert facts_of(call().ai_gets().ai_answers(code).not_taken()).value("ai.saw") == saw


@pytest.mark.parametrize(
    ("code", "saw"), [(180, "rang"), (199, "rang"), (200, None), (299, None), (300, "refused"), (487, "refused")]
)
def test_where_no_check_asked_who_answered(code: int, saw: str | None) -> None:
    assert facts_of(call().ai_gets().ai_answers(code)).value("ai.saw") == saw
    assert facts_of(call()).value("ai.saw") is None


@pytest.mark.parametrize("method", ["CANCEL", "BYE"])
def test_487_to_what_the_platform_gave_up_is_no_refusal(method: str) -> None:
    """RFC 3261 sections 9.2 and 15.1.2. One that nobody asked for is."""

    def rang(direction: str = "received", call_id: str = "at-the-ai") -> Facts:
        example = call().ai_gets()._sip(direction, f"{method} sip:ai SIP/2.0", method, call_id=call_id)
        return facts_of(example.ai_answers(487, "Request Terminated").not_taken())

    assert (rang().value("ai.saw"), rang().value("ai.lost"), rang().value("ai.code")) == ("rang", "it only rang", None)
    for other in (rang(call_id="another"), rang(direction="sent")):
        assert (other.value("ai.saw"), other.value("ai.code")) == ("refused", 487)


@pytest.mark.parametrize(
    ("status", "name"),
    [
        ("487 Request Terminated", "ai-refuses"),
        ("503 Agent pool drained", "ai-refuses"),
        ("486 Busy (all 12 workers)", "concurrency-exhausted"),
    ],
)
def test_a_refusal_of_the_ai_s_is_quoted(status: str, name: str) -> None:
    code, _, reason = status.partition(" ")
    (cause,) = refused(Example(), int(code), reason).diagnose().causes
    assert (cause.id, cause.confidence) == (name, "likely")
    assert any(f"SIP/2.0 {status}" in line for line in cause.evidence)


@pytest.mark.parametrize("field", ["error_message", "telephony_disconnect_reason"])
def test_what_the_ai_s_record_says_of_its_refusal_is_quoted(field: str) -> None:
    words = "SIP 480 worker pool drained in eu-west"
    example = fallback(Example()).record(status="failed", **{field: words}).all_ports_answer()
    (cause,) = example.not_taken("the phone reception", attempted=["failed:+441632960961"]).diagnose().causes
    assert (cause.id, facts_of(example).value("ai.code")) == ("ai-refuses", 480)
    assert any(words in line for line in cause.evidence)


def test_of_several_invites_that_rang_the_last_is_the_evidence() -> None:
    facts = facts_of(call().ai_gets(call_id="a").ai_gets(call_id="b"))
    assert facts["ai.saw"].evidence == ("message 2 of GET /v2/calls/c1",)


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
        ("2065550106", "another assistant's"),
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


def test_the_trunk_cannot_be_told_where_two_have_one_address(monkeypatch: pytest.MonkeyPatch) -> None:
    example = call().ai_gets()
    assert facts_of(example).value("ai.trunk") == "the right one"
    example._messages[-1]["remote"] = ""
    assert facts_of(example).value("ai.trunk") is None
    again = call().ai_gets()
    trunks = [t.model_copy(update={"termination": again.trunk.termination}) for t in again.deployment.trunks]
    shared = again.deployment.model_copy(update={"trunks": tuple(trunks)})
    monkeypatch.setattr(Example, "deployment", property(lambda _: shared))
    assert facts_of(again).value("ai.trunk") is None


@pytest.mark.parametrize("is_tls", [True, False])
def test_whether_tls_was_asked_for(is_tls: bool) -> None:
    assert facts_of(call().ai_gets(tls=is_tls)).value("ai.tls_asked") is is_tls


@pytest.mark.parametrize(
    ("asked", "is_asked"), [("sip:x@y;transport=TLS", True), ("sips:x@y", True), ("sip:x@y;transport=tcp", False)]
)
def test_tls_is_asked_for_in_capitals_and_by_sips_as_well(asked: str, is_asked: bool) -> None:
    """RFC 3261 sections 19.1.4 and 26.2.2: a call that then comes in the clear does not lack it."""
    example = Example("gladly", "GL-INBOUND", transport="tls").dials().ai_gets(tls=False, over="tcp")
    headers = example._messages[-1]["text"].partition("\r\n")[2]
    example._messages[-1]["text"] = f"INVITE {asked} SIP/2.0\r\n{headers}"
    example.after(0.1).state("disconnected", 503, "x").not_taken().all_ports_answer()
    assert facts_of(example).value("ai.tls_asked") is is_asked
    assert ("tls-not-appended" in [cause.id for cause in example.diagnose().causes]) is not is_asked


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
        ("", 487, "none", 487),
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


# -- why the AI could not be reached


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


@pytest.mark.parametrize(
    ("remote", "transport", "direction", "known"),
    [
        (None, "udp", "received", "answers"),
        (None, "udp", "sent", "silent"),  # what we sent shows nothing
        (None, "tcp", "received", "silent"),
        ("192.0.2.2:5060", "udp", "received", "silent"),
    ],
)
def test_a_port_that_takes_the_caller_s_call_is_deaf_to_options_alone(
    remote: str | None, transport: Any, direction: Any, known: str
) -> None:
    """RFC 3261 section 11 asks it to answer; that it does not says nothing of a firewall."""
    example = Example(ai="stand-in").dials()
    trunk = scene_of(example).trunk
    assert trunk is not None
    message = example.events[-1]
    assert isinstance(message, SipMessage)
    place = {"remote": remote or str(trunk.termination), "transport": transport, "direction": direction}
    example.events[-1] = replace(message, **place)
    facts = facts_of(example.after(0.1).ends_here(480, "x").probed("termination", "silent"))
    assert facts.value("probe.termination") == known


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("Telephony - 404 - Not Found", 404),  # as docs.synthflow.ai/telephony-errors has them
        ("Telephony - 403 - Invalid credentials", 403),
        ("429: Rate limit exceeded.", 429),
        ("404 Not Found", 404),
        ("Telephony - 5031 - x", None),
        ("the number +1234567 is unverified", None),
        ("it took 404 tries", None),
    ],
)
def test_the_status_in_the_words_of_the_ai_s_record(words: str, code: int | None) -> None:
    assert facts_of(Example().dials().record(status="failed", error_message=words)).value("ai.code") == code


def test_a_stand_in_that_was_not_called_has_refused_nothing() -> None:
    """A number that nobody has may be answered with another status than agreed; that is nothing of the AI's."""
    example = (
        Example(row="NOSUCHNUMBER", ai="stand-in")
        .dials(number="+13125550199")
        .ends_here(480, "Temporarily Unavailable")
    )
    example.finding("final_response", "caller.1", code=480, wanted=[404])
    assert facts_of(example).value("ai.saw") == "nothing"
    assert "assistant-not-attached" not in [cause.id for cause in example.diagnose().causes]
