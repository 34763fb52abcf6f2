"""What a diagnosis says: headlines, lists, unknown failures, several causes, and its plain form."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from harness.calls.events import LegStarted
from harness.calls.measurement import Direction
from harness.calls.verdict import Strength, Verdict
from harness.diagnosis import Diagnosis, diagnose
from harness.diagnosis.catalogue import causes, rules_of
from harness.diagnosis.facts import Facts
from tests.unit.diagnosis.building import Example, not_shown, unless, when
from tests.unit.diagnosis.example_case import CALLER, SDP
from tests.unit.diagnosis.stories import refused
from tests.unit.diagnosis.told_examples import UNALLOCATED, refused_by_platform


def _unreached() -> Example:
    """The platform's agents rang at once, the ports answer, and nothing came to the AI."""
    example = Example(transport="tcp").dials().after(0.1).rings("reception").after(4).gives_up()
    return example.all_ports_answer().not_taken("the phone reception")


def test_the_headline_is_the_guides_issue_and_the_cause() -> None:
    example = Example().dials().ai_gets().answered().taken().caller_id("assistant main", "anonymous", anonymous=True)
    assert example.diagnose().headline == "Caller ID missing: the platform sends the AI an anonymous From"


def test_a_list_says_that_it_is_one_and_what_would_settle_it() -> None:
    diagnosis = _unreached().diagnose()
    assert diagnosis.headline.startswith(
        "Calls not reaching Synthflow / Registration fails: one of 4: the number has no"
    )
    assert len(diagnosis.candidates) == 4
    assert {cause.confidence for cause in diagnosis.candidates} == {"possible"}
    assert {c.separating_observation for c in diagnosis.candidates} == {"look at the platform's call log for this call"}


def test_a_cause_says_whose_it_is_and_how_it_is_mended() -> None:
    example = Example("gladly", "GL-HEADER-CALLER", transport="tls").dials().ai_gets().answered().taken()
    example.finding("header", "assistant main", header="X-Gladly-Caller-Id", values=[], value=CALLER)
    (cause,) = example.diagnose().causes
    assert cause.owner == "platform routing"
    assert cause.fix == "Add X-Gladly-Caller-Id: {caller_e164} to the X-headers of the SIP forwarding configuration."
    assert cause.link == "https://docs.synthflow.ai/sip-with-gladly#pass-caller-id-via-x-header"
    assert cause.confidence == "certain"
    assert any("X-Gladly-Caller-Id" in line for line in cause.evidence)


def test_evidence_names_the_message_it_stands_in() -> None:
    example = Example(ai="stand-in").dials().ai_gets(offer="no G.711").ai_answers(488, "Not Acceptable Here")
    (cause,) = example.not_taken().diagnose().causes
    assert cause.id == "no-g711"
    # the caller's INVITE and its 100 come first
    assert "the media offered to the AI: no G.711 (m3, offered: m=audio 4000 RTP/AVP 9 18)" in cause.evidence


def test_an_unknown_failure_is_not_guessed_at() -> None:
    example = Example().dials().ai_gets().answered().taken().to_ai().to_caller().finding("prack", "caller.1")
    diagnosis = example.diagnose()
    assert diagnosis.is_unknown
    assert diagnosis.causes == ()
    assert diagnosis.headline == "No documented cause fits: prack of caller.1: expected promised; seen"
    assert diagnosis.nearest_facts[0] == "prack of caller.1: expected promised; seen"
    assert len(diagnosis.nearest_facts) == 9
    (plain,) = diagnosis.to_plain()["causes"]
    assert plain["id"] == "unknown"
    assert plain["cause"] == diagnosis.headline
    assert plain["settles"] == diagnosis.next_look
    assert diagnosis.next_look.startswith("look at the AI's own record of the call")


def test_a_known_cause_does_not_hide_an_unknown_failure() -> None:
    example = Example().dials().ai_gets().answered().taken().caller_id("assistant main", "+12025550177")
    diagnosis = example.finding("prack", "caller.1").diagnose()
    assert [cause.id for cause in diagnosis.causes] == ["from-other-number"]
    assert diagnosis.unexplained == ("prack of caller.1: expected promised; seen",)


def test_two_faults_are_both_named_in_the_order_of_a_call() -> None:
    example = Example().dials().ai_gets(address="10.0.0.10").answered().taken().to_ai("no-rtp").to_caller("no-rtp")
    example.caller_id("assistant main", "4155550101")
    assert [cause.id for cause in example.diagnose().causes] == ["sdp-private-address", "from-national"]


def test_what_a_cause_brings_about_is_not_named_as_another() -> None:
    """An AI that hears nothing is not asked for a person, so nobody's phone rings."""
    example = Example(row="TD-TRANSFER-BLIND").dials().ai_gets().answered().taken().to_ai("no-rtp").to_caller()
    example.codec("caller.1", "PCMU").record(witness={"codec": "PCMU"}).landed("billing")
    assert [cause.id for cause in example.diagnose().causes] == ["rtp-blocked-to-ai"]


def test_a_wrong_number_is_told_though_the_case_ended_before_it_looked() -> None:
    example = Example().dials().ai_gets(shown="<sip:anonymous@anonymous.invalid>;tag=a").answered().taken()
    example.counted().finding("audio.loss", "caller.1", share=0.3)
    assert [cause.id for cause in example.diagnose().causes] == ["heavy-loss", "from-anonymous"]


def test_of_several_callers_each_may_show_a_number() -> None:
    example = Example(row="TD-CAPACITY").dials()
    uri = "sip:+13125550100@carrier.example"
    example.events.append(
        LegStarted(at=1000.2, phone="caller-2", leg="caller-2.1", direction="outgoing", mark=8, remote_uri=uri)
    )
    example.ai_gets(shown="<sip:+14155550102@platform.example>;tag=b").taken().finding("audio.loss", "caller.1")
    assert [cause.id for cause in example.diagnose().causes] == ["heavy-loss"]
    example.ai_gets(shown="<sip:anonymous@anonymous.invalid>;tag=c")
    assert [cause.id for cause in example.diagnose().causes] == ["heavy-loss", "from-anonymous"]


def test_a_leg_that_stays_up_without_a_transfer_was_not_left_behind_by_one() -> None:
    example = Example(row="HANGUP-CALLER").dials().ai_gets().answered().taken()
    assert example.finding("released", "assistant main", seconds=None).diagnose().is_unknown


def test_a_leg_that_ends_late_was_not_left_behind() -> None:
    example = Example(row="TD-TRANSFER-BLIND").dials().ai_gets().answered().taken().to_ai().to_caller()
    example.ai_refers("+18155550101").platform_says(202).notified(200).rings("billing")
    example.landed("billing", "billing")
    assert example.finding("released", "assistant main", seconds=1.7).diagnose().is_unknown


def test_a_withheld_number_is_no_wrong_number() -> None:
    example = (
        Example(row="ANONYMOUS")
        .dials(withheld=True)
        .ai_gets(shown="<sip:anonymous@anonymous.invalid>;tag=a")
        .answered()
    )
    example.taken().finding("caller_id.withheld", "assistant main", anonymous=True, asserted=[])
    assert [cause.id for cause in example.diagnose().causes] == ["pai-stripped"]


def test_what_was_ruled_out_says_why() -> None:
    example = Example().dials().ai_gets(offer="no G.711").ai_answers(488).after(0.1).rings("reception").gives_up()
    ruled_out = {rule.rule: rule.why for rule in example.not_taken("the phone reception").diagnose().ruled_out}
    assert ruled_out["reach.srtp"].startswith("the media offered to the AI: SRTP alone – it is no G.711 (message 1 of")
    assert "reach.no-g711" not in ruled_out


def test_a_campaigns_customer_is_no_group() -> None:
    example = Example(row="TD-OUTBOUND-CAMPAIGN", line="campaign").landed("customer")
    assert [cause.id for cause in example.diagnose().causes] == ["campaign-not-dialled"]


def test_the_plain_form_is_json_and_comes_back() -> None:
    for example in (_unreached(), Example().dials().taken().finding("prack", "caller.1")):
        diagnosis = example.diagnose()
        plain = json.loads(json.dumps(diagnosis.to_plain()))
        assert Diagnosis.from_plain(plain) == diagnosis


def test_the_plain_form_has_the_keys_that_reports_read() -> None:
    first, *rest = _unreached().diagnose().to_plain()["causes"]
    assert first["cause"].startswith("Calls not reaching Synthflow / ")
    assert {"issue", "fix", "owner", "confidence", "settles", "link"} <= set(first)
    assert rest[0]["cause"] == f"Calls not reaching Synthflow: {causes()['trunk-transport-mismatch'].title}"


@pytest.mark.parametrize("visibility", ["caller+agents", "caller"])
def test_what_only_the_ai_can_show_is_not_seen_without_it(visibility: str) -> None:
    example = Example().dials().ai_gets().answered().taken().to_ai().to_caller()
    example.caller_id("assistant main", "anonymous", anonymous=True)
    assert example.diagnose(visibility) == Diagnosis()  # type: ignore[arg-type]


def test_one_way_audio_is_a_list_where_the_ais_side_is_not_seen() -> None:
    example = Example().dials().ai_gets().answered().taken().counted().to_ai().to_caller("no-rtp")
    example.codec("caller.1", "PCMU").record(witness={"codec": "PCMU"})
    assert [c.id for c in example.diagnose().causes] == ["rtp-blocked-to-caller"]
    alone = example.diagnose("caller")
    assert {c.id for c in alone.candidates} >= {"rtp-blocked-to-caller", "rtp-blocked-both", "sdp-private-address"}
    assert alone.causes[0].separating_observation


def test_the_platforms_agents_tell_a_fallback_from_a_dead_line() -> None:
    example = (
        Example(transport="tls")
        .dials()
        .after(0.1)
        .rings("reception")
        .after(4)
        .gives_up()
        .not_taken("the phone reception")
    )
    example.probed("ai", "refuses").probed("termination", "refuses")
    for visibility in ("caller+agents", "caller"):
        diagnosis = example.diagnose(visibility)
        assert "firewall-tls-32682-rejected" in {cause.id for cause in diagnosis.causes}


def test_without_a_deployment_it_says_less_and_does_not_fail() -> None:
    example = Example().dials().ai_gets().answered().taken().caller_id("assistant main", "anonymous", anonymous=True)
    case = {"row": "TD-INBOUND", "integration": "talkdesk", "axes": {"ai": "synthflow"}}
    diagnosis = diagnose(case, example.findings, [*example.events, *example._records()], None)
    assert [cause.id for cause in diagnosis.causes] == ["from-anonymous"]


def test_an_unknown_integration_has_no_guide() -> None:
    example = Example().dials().ai_gets().answered().taken().caller_id("assistant main", "anonymous", anonymous=True)
    case = {"row": "X", "integration": "genesys", "axes": {}}
    (cause,) = diagnose(case, example.findings, example.events, example.deployment).causes
    assert cause.link == ""
    assert "the platform" in cause.fix


def test_conditions_answer_yes_no_or_not_known() -> None:
    facts = Facts()
    facts.record("ai.saw", "nothing", "the record")
    assert when("ai.saw", "nothing", "rang").holds(facts) is True
    assert when("ai.saw", "rang").holds(facts) is False
    assert unless("ai.saw", "nothing").holds(facts) is False
    assert when("ai.code", 404).holds(facts) is None
    assert unless("ai.code", 404).holds(facts) is None
    assert not_shown("ai.code", 404).holds(facts) is True
    assert (
        when("ai.saw", "rang").answered(facts)
        == "what the AI's side saw of the call: rang – it is nothing (the record)"
    )
    assert unless("ai.code", 404).answered(facts) == "the AI's final response: not 404 – not known"


def test_facts_are_told_once_and_have_to_be_known_kinds() -> None:
    facts = Facts()
    facts.record("loss", None)
    assert "loss" not in facts
    facts.record("loss", "heavy")
    facts.record("loss", "little")
    assert facts.value("loss") == "heavy"
    with pytest.raises(KeyError, match="is no known fact"):
        facts.record("los", "heavy")


def test_what_the_harness_brings_about_by_hanging_up_is_no_evidence() -> None:
    """Its own agents decline what still rings when a case is over."""
    example = Example(transport="tcp").dials().after(0.1).rings("reception").after(4).not_taken("the phone reception")
    example.all_ports_answer().after(0.2).state("disconnected", 603, "Decline")
    diagnosis = example.diagnose()
    assert "how the caller's call was set up: still ringing (caller.1 was never answered)" in diagnosis.facts
    assert {cause.id for cause in diagnosis.candidates} == {cause.id for cause in _unreached().diagnose().candidates}


def test_rtp_of_another_codec_than_agreed_is_neither_silence_nor_blocked() -> None:
    talk = Example().dials().ai_gets().answered().taken().codec("caller.1", "PCMU").record(witness={"codec": "PCMU"})
    diagnosis = talk.to_ai("silence", 0).to_caller("other-codec", 200).diagnose()
    assert [cause.id for cause in diagnosis.causes] == ["g711-one-side"]
    assert any("what the caller hears of the AI: RTP of another codec" in fact for fact in diagnosis.facts)


def test_a_strange_voice_besides_the_right_one_is_another_calls() -> None:
    example = Example().dials().ai_gets().answered().taken().to_ai().to_caller().finding("audio.crossed", "caller.1")
    assert [cause.id for cause in example.diagnose().causes] == ["audio-crossed"]


def test_a_platform_that_hands_the_refer_on_is_not_one_that_does_nothing() -> None:
    """It owes the AI a NOTIFY all the same (RFC 3515 section 2.4.4), but nobody may say that nothing followed."""

    def diagnosis(*, handed_on: bool) -> Diagnosis:
        example = Example(row="TD-TRANSFER-BLIND").dials().ai_gets().answered().taken().to_ai().to_caller()
        example.ai_refers("+18155550101").platform_says(202)
        if handed_on:
            example.caller_gets("REFER sip:caller@192.0.2.1 SIP/2.0\r\nRefer-To: <sip:+18155550101@192.0.2.2>")
        return example.finding("transfer.fails", "stand-in.1").diagnose()

    assert [cause.id for cause in diagnosis(handed_on=False).causes] == ["refer-never-notified"]
    assert diagnosis(handed_on=True).is_unknown
    assert "the platform handed the REFER on to the caller's side: yes (m3)" in diagnosis(handed_on=True).facts


def test_a_platform_that_takes_no_call_has_routed_none() -> None:
    """No trunk, no route and no firewall behind it is to blame for an INVITE to which nothing comes back."""
    diagnosis = Example().dials(taken=False).after(4).not_taken().all_ports_answer().diagnose()
    assert [(cause.id, cause.confidence) for cause in diagnosis.causes] == [("call-unanswered", "certain")]
    assert (
        "how the caller's call was set up: not at all: nothing came back to the INVITE "
        "(caller.1 sent it 1× to 192.0.2.2:5060 over UDP)" in diagnosis.facts
    )


def test_an_ai_that_names_user_and_password_leaves_both() -> None:
    shown = {"authorization": 'Digest username="x", response="y"'}
    example = refused(Example(authentication="digest"), 403, "Invalid user name or password", **shown)
    assert [(cause.id, cause.confidence) for cause in example.diagnose().causes] == [
        ("trunk-username-wrong", "possible"),
        ("trunk-password-wrong", "possible"),
    ]


@pytest.mark.parametrize("said", ["unknown user", "wrong password"])
def test_credentials_come_from_synthflow_so_that_the_trunk_s_copy_is_the_first_to_check(said: str) -> None:
    shown = {"authorization": 'Digest username="x", response="y"'}
    (cause,) = refused(Example(authentication="digest"), 403, said, **shown).diagnose().causes
    assert (cause.owner, cause.link.partition("#")[2]) == ("trunk", "create-the-sip-trunk")
    assert "from Synthflow, where it comes from, into the trunk" in cause.fix


def test_credentials_that_are_asked_for_again_and_again_are_wrong_ones() -> None:
    shown = 'Digest username="trunk", response="0"'
    example = Example(authentication="digest").dials().ai_gets().ai_answers(407, "Proxy Authentication Required")
    example.ai_gets(authorization=shown).ai_answers(407, "Proxy Authentication Required").rings("reception")
    diagnosis = example.not_taken("the phone reception").diagnose()
    assert {cause.id for cause in diagnosis.candidates} == {"trunk-username-wrong", "trunk-password-wrong"}


def test_the_right_assistant_is_no_other_because_somebody_else_answered_too() -> None:
    """Of three calls to it two were taken, the third rang an agent."""
    example = Example(row="TD-CAPACITY", ai="stand-in").dials().after(0.1).ai_gets().ai_answers(200, "OK").answered()
    example.taken().rings("reception").not_taken("main", "main", "the phone reception")
    example.findings = example.findings[1:]  # what the first call found says nothing of the last
    diagnosis = example.diagnose()
    assert "route-wrong-did" not in {cause.id for cause in diagnosis.causes}
    assert "what the AI's side saw of the call: answered" in "\n".join(diagnosis.facts)


@pytest.mark.parametrize(("at_the_ai", "cause"), [("sent", "ai-hangs-up"), ("received", "call-dropped")])
def test_a_call_that_is_cut_off_while_something_is_waited_for(at_the_ai: str, cause: str) -> None:
    example = Example(row="SESSIONTIMER").dials().after(0.1).ai_gets().answered().taken().to_ai().to_caller()
    example.after(5).ends(at_the_ai)
    assert [c.id for c in example.copy().never("the call has ended").diagnose().causes] == [cause]
    assert [c.id for c in example.copy().finding("call.up", "caller.1", ended_after_s=5.0).diagnose().causes] == [cause]


def test_a_call_that_the_phone_itself_gave_up_after_a_200_was_not_refused() -> None:
    example = Example().dials().after(0.1).ai_gets().ai_answers(200, "OK").taken()
    example.asks("INVITE", 200, "OK", within=False).ends_here(406, "SDP incomplete").unanswered()
    facts = "\n".join(example.diagnose().facts)
    assert "how the caller's call was set up: answered" in facts
    assert "the 200's answer to the caller's offer: no SDP" in facts
    assert "the final response the caller got" not in facts


def test_digits_that_arrive_by_another_method_are_not_as_sent() -> None:
    example = Example(row="DTMF-RFC4733").dials().ai_gets().answered().taken().to_ai().to_caller()
    diagnosis = example.finding("dtmf", "assistant main", sent="12", seen="12", methods=["inband"]).diagnose()
    assert [c.id for c in diagnosis.causes] == ["digits-lost"]
    assert "digits that arrived: by another method" in "\n".join(diagnosis.facts)


def test_what_a_transfer_came_to_when_the_case_had_given_up_is_no_outcome() -> None:
    example = Example(row="TD-TRANSFER-BLIND", ai="stand-in").dials().ai_gets().answered().taken().to_ai().to_caller()
    example.ai_refers("+18155550101").platform_says(202).after(4).landed("billing")
    diagnosis = example.after(0.1).notified(487, "Request Terminated").refer_ended(487, "Request Terminated").diagnose()
    assert [c.id for c in diagnosis.causes] == ["refer-never-notified"]


def test_what_options_got_is_no_answer_of_the_ai_s() -> None:
    example = Example(row="KEEPALIVE").finding("final_response", "OPTIONS", actual="it was 405", code=405, wanted=[200])
    assert [c.id for c in example.diagnose().causes] == ["options-not-answered"]


def test_an_answer_that_holds_the_caller_is_seen_at_the_caller() -> None:
    sdp = SDP.format(host="192.0.2.2", protocol="RTP/AVP", formats="0", lines="a=inactive\r\n")
    example = Example().dials().asks("INVITE", 200, "OK", within=False, answer=sdp).answered().ai_gets().taken()
    diagnosis = example.counted().to_ai("no-rtp").to_caller("no-rtp").diagnose()
    assert [c.id for c in diagnosis.causes] == ["media-on-hold"]


def test_another_call_s_voice_beneath_the_right_one_is_crossed_audio() -> None:
    example = Example().dials().ai_gets().answered().taken().to_ai().to_caller()
    diagnosis = example.finding("audio.crossed", "caller.1", actual="it heard mark 99 of another call").diagnose()
    assert [c.id for c in diagnosis.causes] == ["audio-crossed"]


def test_a_bye_sent_again_and_again_is_one_that_nobody_answers() -> None:
    example = Example(row="HANGUP-CALLER").dials().ai_gets().answered().taken().to_ai().to_caller()
    example.asks("BYE").events.append(example.events[-1])
    example.after(1.5).finding("final_response", "caller.1's BYE", code=0, wanted=[200])
    again = replace(example.events[-1], at=example.now + 0.5)  # when the case was over
    example.events.append(again)
    assert [c.id for c in example.diagnose().causes] == ["hangup-not-taken"]


def test_a_cause_is_certain_only_where_no_other_is_possible() -> None:
    """The caller was told, before the AI was asked, that the number is nobody's; a route to another host's trunk may answer so too."""
    example = refused_by_platform(503, "Service Unavailable", f"Reason: {UNALLOCATED}")
    assert [(c.id, c.confidence) for c in example.diagnose().causes] == [("number-unknown-at-platform", "likely")]
    alone = [rule for rule in rules_of("talkdesk") if rule.cause == "number-unknown-at-platform"]
    assert [c.confidence for c in example.diagnose(rules=alone).causes] == ["certain"]


@pytest.mark.parametrize("packets", [1, 10, 24])
def test_a_few_packets_are_no_evidence_of_silence(packets: int) -> None:
    talk = Example().dials().ai_gets().answered().taken().codec("caller.1", "PCMU").record(witness={"codec": "PCMU"})
    diagnosis = talk.to_ai().to_caller("silence", packets).diagnose()
    assert [cause.id for cause in diagnosis.causes] == ["rtp-blocked-to-caller"]


@pytest.mark.parametrize(
    ("strength", "denied_by", "told"),
    [
        (Strength.UNKNOWN, "", False),  # nobody can tell what the AI hears
        (Strength.INDICATED, "", True),  # not as strongly as it was asked for
        (Strength.INDICATED, "words", False),
    ],
)
def test_what_nobody_can_tell_is_not_heard(strength: Strength, denied_by: str, told: bool) -> None:
    """Then the way may be blocked both ways, or one way only."""
    talk = (
        Example().dials().ai_gets().answered().taken().codec("caller.1", "PCMU").to_ai().to_caller("no-rtp").counted()
    )
    seen = talk.findings[-2]
    assert isinstance(seen.measured, Direction)
    measured = replace(seen.measured, denied_by=denied_by)
    talk.findings[-2] = replace(seen, verdict=Verdict.NOT_OBSERVABLE, strength=strength, measured=measured)
    diagnosis = talk.record(status="completed", transcript="bot: Hi.", witness={"codec": "PCMU"}).diagnose()
    assert "rtp-blocked-to-caller" in {cause.id for cause in diagnosis.causes}
    assert ("rtp-blocked-both" in {cause.id for cause in diagnosis.causes}) is not told


def test_silence_that_arrives_may_be_the_ais_own_where_its_record_has_no_words() -> None:
    talk = Example().dials().ai_gets().answered().taken().codec("caller.1", "PCMU").to_ai().to_caller("silence", 300)
    diagnosis = talk.counted().record(status="completed", witness={"codec": "PCMU"}).diagnose()
    assert {cause.id for cause in diagnosis.candidates} == {"audio-silenced", "rtp-blocked-to-caller", "ai-silent"}


def test_a_codec_that_is_only_named_and_not_offered_is_not_offered() -> None:
    example = Example(ai="stand-in").dials().ai_gets(offer="named only").ai_answers(488, "Not Acceptable Here")
    assert [cause.id for cause in example.not_taken().diagnose().causes] == ["no-g711"]


def test_what_a_stack_refused_by_itself_was_asked_of_it() -> None:
    """No scenario gets to see such an INVITE: to it the AI was never tried."""
    example = Example(row="TD-FALLBACK-REFUSED", ai="stand-in", line="fallback-refused").dials()
    example.ai_gets(offer="no G.711").ai_answers(488, "Not Acceptable Here").after(0.1).rings("reception")
    example.landed("reception", "reception").finding("route.tried", "the AI", reached=[])
    assert [cause.id for cause in example.diagnose().causes] == ["no-g711"]
