"""Facts on an established call: what was heard, who ended it, who called, which digits arrived."""

from __future__ import annotations

from typing import Any

import pytest

from harness.diagnosis.facts import Facts
from harness.diagnosis.talk import FEW_PACKETS
from tests.unit.diagnosis.building import CALLER, Example
from tests.unit.diagnosis.known import facts_of


def talk(**changes: Any) -> Example:
    return Example(now=0.0, **changes).dials().ai_gets().answered().taken()


# -- audio


@pytest.mark.parametrize(
    ("kind", "packets", "heard"),
    [
        ("no-rtp", 0, "nothing"),
        ("silence", FEW_PACKETS - 1, "nothing"),
        ("silence", FEW_PACKETS, "silent RTP"),
        ("silence", None, "silence"),
        ("other", FEW_PACKETS - 1, "nothing"),
        ("other", FEW_PACKETS, "noise"),
        ("other", None, "noise"),
        ("unmarked", FEW_PACKETS - 1, "nothing"),
        ("unmarked", FEW_PACKETS, "no mark"),
        ("echo", 1, "echo"),
        ("crossed", 1, "crossed"),
        ("other-codec", 1, "RTP of another codec"),
        ("unknown", 1, None),
    ],
)
def test_what_arrived_in_a_voice_s_place(kind: str, packets: int | None, heard: str | None) -> None:
    assert facts_of(talk().to_caller(kind, packets)).value("audio.to_caller") == heard
    assert facts_of(talk().to_ai(kind, packets)).value("audio.to_ai") == heard


@pytest.mark.parametrize("instead", ["announcement", "music", "speech", "tone", "voicemail", "another party"])
def test_a_sound_that_somebody_made_is_no_noise(instead: str) -> None:
    assert facts_of(talk().to_caller("other", 200, instead=instead)).value("audio.to_caller") == "another sound"
    assert facts_of(talk().to_caller("silence", 200, instead=instead)).value("audio.to_caller") == "silent RTP"
    assert facts_of(talk().to_caller("other", 200, instead="noise")).value("audio.to_caller") == "noise"


@pytest.mark.parametrize(("mark", "heard"), [(239, "crossed"), (240, None), (99, "crossed")])
def test_without_the_ai_s_side_only_a_phone_s_mark_is_another_call_s(mark: int, heard: str | None) -> None:
    """Voices of assistants begin at 240: one of them may be the right one."""
    example = talk().to_caller("crossed", 200, foreign=[mark])
    assert facts_of(example, "caller").value("audio.to_caller") == heard
    assert facts_of(example).value("audio.to_caller") == "crossed"


def test_of_several_strange_marks_one_voice_leaves_it_open() -> None:
    example = talk().to_caller("crossed", 200, foreign=[99, 240])
    assert facts_of(example, "caller").value("audio.to_caller") is None


def test_the_first_that_failed_is_told() -> None:
    facts = facts_of(talk().to_caller().after(1).to_caller("no-rtp"))
    assert facts.value("audio.to_caller") == "nothing"
    assert facts.value("audio.stopped") is True
    assert facts_of(talk().to_caller("no-rtp").to_caller()).value("audio.stopped") is False
    assert facts_of(talk().to_caller("no-rtp").to_caller("no-rtp")).value("audio.stopped") is False
    assert "audio.stopped" not in facts_of(talk())


def test_another_codec_is_one_whatever_was_agreed_on() -> None:
    assert facts_of(talk().to_caller("other-codec", 200)).value("codec.sides") == "different"
    assert facts_of(talk().to_caller("silence", 200)).value("codec.sides") is None


def test_a_strange_voice_beneath_the_right_one_is_told_of_its_listener() -> None:
    def crossed(subject: str, *, passed: bool = False) -> Facts:
        return facts_of(talk().to_ai().to_caller().finding("audio.crossed", subject, passed))

    assert crossed("caller.1").value("audio.to_caller") == "crossed"
    assert crossed("assistant main").value("audio.to_ai") == "crossed"
    assert crossed("billing.1").value("audio.agent") == "crossed"
    assert crossed("probe").value("audio.to_caller") == "heard"
    assert crossed("caller.1", passed=True).value("audio.to_caller") == "heard"


@pytest.mark.parametrize(
    ("to_agent", "to_caller", "value"),
    [
        ("heard", "heard", "both ways"),
        ("no-rtp", "heard", "one way"),
        ("heard", "no-rtp", "one way"),
        ("no-rtp", "no-rtp", "none either way"),
        ("crossed", "heard", "crossed"),
        ("no-rtp", "crossed", "crossed"),
    ],
)
def test_audio_with_an_agent(to_agent: str, to_caller: str, value: str) -> None:
    facts = facts_of(talk().to_ai().to_caller().with_agent("billing", to_agent, to_caller))
    assert facts.value("audio.agent") == value
    assert facts.value("audio.phase") == (None if value == "both ways" else "with the agent only")


def test_audio_that_failed_with_the_ai_failed_before_any_agent_came() -> None:
    facts = facts_of(talk().to_ai("no-rtp").to_caller().with_agent("billing", "no-rtp"))
    assert facts.value("audio.phase") == "with the AI"
    assert facts_of(talk().to_ai().to_caller("no-rtp")).value("audio.phase") == "with the AI"
    assert facts_of(talk().to_ai().to_caller()).value("audio.phase") is None


def test_an_echo_is_told_where_it_is_one() -> None:
    assert facts_of(talk().finding("audio.echo", "caller.1")).value("echo") is True
    assert facts_of(talk().finding("audio.echo", "caller.1", True)).value("echo") is None


def _stopped(at_change: float, *, heard: bool = True, at_agent: bool = False) -> Facts:
    """A voice, last heard at 10 s; a re-INVITE so much later or earlier."""
    example = Example(now=0.0, row="HOLD").dials().ai_gets().answered().taken().to_caller()
    example.now = 10.0 + at_change
    example.reinvites()
    if heard:
        example.now = 10.0
        example.hears_mark("billing.1" if at_agent else "caller.1", 240)
    example.now = 20.0
    return facts_of(example.to_caller("no-rtp"))


@pytest.mark.parametrize(("at_change", "what"), [(0.9, "a re-INVITE"), (-0.9, "a re-INVITE"), (0.0, "a re-INVITE")])
def test_audio_that_stopped_when_the_call_was_changed(at_change: float, what: str) -> None:
    assert _stopped(at_change).value("audio.stopped_at") == what


@pytest.mark.parametrize("at_change", [1.0, -1.0, 5.0])
def test_audio_that_stopped_by_itself(at_change: float) -> None:
    facts = _stopped(at_change)
    assert facts.value("audio.stopped_at") == "nothing in particular"
    assert facts["audio.stopped_at"].evidence == ("10.0 s into the call",)


def test_nobody_can_tell_when_audio_stopped_at_a_listener_that_does_not_say() -> None:
    assert _stopped(0.0, heard=False).value("audio.stopped_at") is None
    assert _stopped(0.0, at_agent=True).value("audio.stopped_at") is None


@pytest.mark.parametrize("at_change", [-10.0, 10.0, 11.0])
def test_a_change_before_the_call_or_after_the_failure_is_none(at_change: float) -> None:
    facts = _stopped(at_change, heard=False)
    assert facts["audio.stopped_at"].evidence == ("assistant main was heard, and nobody changed the call",)


def test_an_invite_that_begins_a_call_and_one_of_another_leg_change_nothing() -> None:
    example = Example(now=0.0).dials().ai_gets().answered().taken().to_caller().after(10)
    example._at_caller("sent", "INVITE sip:platform SIP/2.0\r\nTo: <sip:platform>")
    example._at_caller("sent", "INFO sip:platform SIP/2.0\r\nTo: <sip:platform>;tag=p")
    example.at_phone("caller", "INVITE", within=True)
    facts = facts_of(example.after(1).to_caller("no-rtp"))
    assert facts["audio.stopped_at"].evidence == ("assistant main was heard, and nobody changed the call",)


def test_a_mark_after_the_failure_is_not_the_last_before_it() -> None:
    example = Example(now=0.0).dials().ai_gets().answered().taken().to_caller().after(5).hears_mark("caller.1", 240)
    example.after(5).to_caller("no-rtp").hears_mark("caller.1", 240)
    assert facts_of(example)["audio.stopped_at"].evidence == ("5.0 s into the call",)


@pytest.mark.parametrize(("mark", "stopped"), [(240, True), (241, False), (7, False), (7 + 256, True), (99, False)])
def test_a_voice_that_was_heard_before_has_stopped(mark: int, stopped: bool) -> None:
    """Its own mark, or its answer to the listener's: the listener's own mark is an echo."""
    example = talk().hears_mark("caller.1", mark).after(5).to_caller("no-rtp")
    assert facts_of(example).value("audio.stopped") is stopped


def test_without_the_ai_s_side_any_strange_sound_was_a_voice() -> None:
    assert facts_of(talk().hears_mark("caller.1", 99).to_caller("no-rtp"), "caller").value("audio.stopped") is True
    assert facts_of(talk().hears_mark("caller.1", 7).to_caller("no-rtp"), "caller").value("audio.stopped") is False
    assert facts_of(talk().hears_mark("caller.2", 99).to_caller("no-rtp"), "caller").value("audio.stopped") is False


# -- who ended it


def test_a_bye_before_what_failed_cut_the_call() -> None:
    facts = facts_of(talk().after(1).ends("sent").to_caller("no-rtp"))
    assert facts.value("call.cut") is True
    assert facts.value("call.cut_by") == "the AI"
    assert facts.value("agent.cut") is None
    assert facts_of(talk().after(1).ends("received").to_caller("no-rtp")).value("call.cut_by") == "the platform"
    assert facts_of(talk().to_caller("no-rtp").after(1).ends("sent")).value("call.cut") is None
    assert facts_of(talk().ends("sent").to_caller()).value("call.cut") is None


def test_a_bye_at_another_leg_or_of_our_own_cut_nothing() -> None:
    own = talk()
    own._at_caller("sent", "BYE sip:platform SIP/2.0")
    assert facts_of(own.to_caller("no-rtp")).value("call.cut") is None
    info = talk().caller_gets("INFO sip:caller SIP/2.0")
    assert facts_of(info.to_caller("no-rtp")).value("call.cut") is None
    assert facts_of(talk().ends("sent").finding("audio", "billing.1 → support.1")).value("agent.cut") is None


def test_a_bye_before_the_agent_was_heard_cut_the_call_with_the_agent() -> None:
    facts = facts_of(talk().to_ai().to_caller().after(1).ends("received").with_agent("billing", "no-rtp"))
    assert facts.value("agent.cut") is True
    assert facts.value("call.cut") is None


@pytest.mark.parametrize(("why", "cut"), [("the call has ended", True), ("it never came", None)])
def test_a_wait_that_the_end_of_the_call_ended(why: str, cut: bool | None) -> None:
    assert facts_of(talk().ends("sent").never(why)).value("call.cut") is cut
    agent = talk().ends("sent").finding("phone.wait", "billing.1", why=why)
    assert facts_of(agent).value("call.cut") is None


# -- whether the AI spoke


def test_a_stand_in_s_packets_tell_whether_the_ai_spoke() -> None:
    stood = Example(ai="stand-in").dials().answered()
    assert facts_of(stood.copy().counted("stand-in.1", received=10)).value("ai.spoke") is True
    assert facts_of(stood.copy().counted("stand-in.1", received=0)).value("ai.spoke") is False
    assert facts_of(stood.copy().counted("caller.1", received=10)).value("ai.spoke") == "nobody says otherwise"


@pytest.mark.parametrize(
    ("transcript", "spoke"),
    [("bot: hello", True), ("human: hello", "nobody says otherwise"), ("", None), (None, "nobody says otherwise")],
)
def test_a_transcript_that_quotes_the_ai_shows_that_it_spoke(transcript: str | None, spoke: object) -> None:
    assert facts_of(Example().dials().record(transcript=transcript)).value("ai.spoke") == spoke


# -- digits


@pytest.mark.parametrize(
    ("seen", "passed", "value"),
    [("12", True, "right"), ("12", False, "by another method"), ("1", False, "wrong"), ("", False, "none")],
)
def test_digits_that_arrived(seen: str, passed: bool, value: str) -> None:
    facts = facts_of(talk().finding("dtmf", "assistant main", passed, sent="12", seen=seen))
    assert facts.value("digits") == value


def test_a_digit_that_could_not_be_sent() -> None:
    assert facts_of(talk().never("no telephone-event was negotiated")).value("digits") == "could not be sent"
    assert facts_of(talk().never("no answer")).value("digits") is None


@pytest.mark.parametrize(("listed", "value"), [(["0"], "arrived"), ([], "none"), (None, None), ("0", None)])
def test_a_digit_that_asks_for_a_person(listed: object, value: str | None) -> None:
    example = Example(axes={"ask": "digit"}).dials().record(witness={"digits": listed})
    assert facts_of(example).value("digits") == value
    assert facts_of(Example(axes={"ask": "words"}).dials().record(witness={"digits": listed})).value("digits") is None


# -- quality


@pytest.mark.parametrize(
    ("received", "lost", "loss"),
    [(95, 5, "little"), (94, 6, "heavy"), (47, 3, "heavy"), (46, 3, "little"), (0, 0, "little"), (0, 50, "heavy")],
)
def test_loss_by_a_leg_s_counters(received: int, lost: int, loss: str) -> None:
    assert facts_of(talk().counted(received=received, lost=lost)).value("loss") == loss


@pytest.mark.parametrize(
    ("received", "lost", "reordered", "order"),
    [(100, 0, 20, None), (100, 0, 21, "broken"), (50, 0, 11, "broken"), (49, 0, 40, None), (40, 10, 11, "broken")],
)
def test_packets_out_of_order(received: int, lost: int, reordered: int, order: str | None) -> None:
    facts = facts_of(talk().counted(received=received, lost=lost, reordered=reordered))
    assert facts.value("order") == order


@pytest.mark.parametrize(("rtt_ms", "delay"), [(800.0, "low"), (800.1, "high")])
def test_delay_by_rtcp(rtt_ms: float, delay: str) -> None:
    assert facts_of(talk().counted(rtt_ms=rtt_ms)).value("delay") == delay


def test_without_counters_nothing_is_known_of_loss() -> None:
    facts = facts_of(talk())
    assert facts.value("loss") is None
    assert facts.value("delay") is None


def test_the_last_counters_of_a_leg_count() -> None:
    assert facts_of(talk().counted(lost=100).counted(lost=1)).value("loss") == "little"


@pytest.mark.parametrize("check", ["audio.delay", "audio.one_way_delay"])
@pytest.mark.parametrize(
    ("delay_ms", "passed", "delay"), [(700.0, False, "high"), (100.0, True, None), (None, False, None)]
)
def test_a_probe_that_was_not_heard_had_no_delay(
    check: str, delay_ms: float | None, passed: bool, delay: str | None
) -> None:
    facts = facts_of(talk().finding(check, "caller.1 → assistant main", passed, delay_ms=delay_ms))
    assert facts.value("delay") == delay


@pytest.mark.parametrize(
    ("check", "fact", "value"), [("audio.loss", "loss", "heavy"), ("audio.level", "level", "wrong")]
)
def test_loss_and_level_by_their_checks(check: str, fact: str, value: str) -> None:
    assert facts_of(talk().finding(check, "caller.1")).value(fact) == value
    assert facts_of(talk().finding(check, "caller.1", True)).value(fact) is None


def test_a_path_that_loses_all_digits_and_no_voice_loses_the_digits_alone() -> None:
    def loss(example: Example, seen: str) -> object:
        return facts_of(
            example.finding("dtmf", "assistant main", sent="12", seen=seen).finding("audio.loss", "x")
        ).value("loss")

    assert loss(talk().to_ai().to_caller(), "") == "of digits alone"
    assert loss(talk().to_ai().to_caller(), "1") == "heavy"
    assert loss(talk().to_ai("no-rtp").to_caller(), "") == "heavy"
    assert loss(talk().to_ai().to_caller("no-rtp"), "") == "heavy"


# -- codecs


@pytest.mark.parametrize(("theirs", "sides"), [("PCMU", "the same"), ("pcmu", "the same"), ("PCMA", "different")])
def test_the_codecs_of_both_sides(theirs: str, sides: str) -> None:
    recorded = Example().dials().codec("caller.1", "PCMU").record(witness={"codec": theirs})
    assert facts_of(recorded).value("codec.sides") == sides
    stood = Example(ai="stand-in").dials().codec("caller.1", "PCMU").codec("stand-in.1", theirs)
    assert facts_of(stood).value("codec.sides") == sides


def test_one_side_s_codec_alone_tells_nothing() -> None:
    assert "codec.sides" not in facts_of(Example().dials().codec("caller.1", "PCMU"))
    assert "codec.sides" not in facts_of(Example().dials().record(witness={"codec": "PCMU"}))
    assert "codec.sides" not in facts_of(Example().codec("caller.1", "PCMU").record(witness={"codec": "PCMU"}))
    assert "codec.sides" not in facts_of(Example().dials().codec("caller.1", "").record(witness={"codec": "PCMU"}))
    other = Example().dials().codec("caller.2", "PCMU").record(witness={"codec": "PCMU"})
    assert "codec.sides" not in facts_of(other)


def test_a_phone_s_own_codec_comes_before_a_record_s() -> None:
    example = Example(ai="stand-in").dials().codec("caller.1", "PCMU").codec("stand-in.1", "PCMA")
    facts = facts_of(example.record(witness={"codec": "PCMU"}))
    assert facts.value("codec.sides") == "different"
    assert facts["codec.sides"].evidence == ("caller.1 has PCMU", "stand-in.1 has PCMA")


# -- who calls


@pytest.mark.parametrize(
    ("user", "shown"),
    [
        (CALLER, "in another form"),
        ("4155550101", "in another form"),
        ("+12025550177", "another number"),
        ("anonymous", "no number"),
        ("+12065550100", "a number of the deployment's own"),
        ("5550101", "in another form"),
        ("550101", "another number"),
    ],
)
def test_which_number_was_shown_in_the_caller_s_place(user: str, shown: str) -> None:
    assert facts_of(talk().caller_id("assistant main", user)).value("caller_id.ai") == shown


def test_a_line_s_number_is_one_of_the_deployment_s_own() -> None:
    facts = facts_of(talk().caller_id("assistant main", Example().did))
    assert facts.value("caller_id.ai") == "a number of the deployment's own"
    alone = facts_of(talk().caller_id("assistant main", "+12065550100"), has_deployment=False)
    assert alone.value("caller_id.ai") == "another number"


@pytest.mark.parametrize(
    ("host", "anonymous", "shown"),
    [
        ("platform.example", True, "no number"),
        ("anonymous.invalid", True, "anonymous"),
        (None, True, "anonymous"),
        (None, False, "no number"),
    ],
)
def test_a_from_without_a_user(host: str | None, anonymous: bool, shown: str) -> None:
    example = talk().finding("caller_id", "assistant main", from_user="", from_host=host, anonymous=anonymous)
    assert facts_of(example).value("caller_id.ai") == shown


def test_the_number_at_an_agent_and_at_a_customer() -> None:
    assert facts_of(talk().caller_id("billing.1", CALLER, passed=True)).value("caller_id.agent") == "right"
    assert facts_of(talk().caller_id("billing.1", "1")).value("caller_id.customer") is None
    campaign = Example(row="TD-OUTBOUND-CAMPAIGN", line="campaign")
    assert facts_of(campaign.copy().caller_id("customer.1", CALLER, passed=True)).value("caller_id.customer") == "right"
    assert facts_of(campaign.copy().caller_id("billing.1", CALLER, passed=True)).value("caller_id.customer") is None
    assert facts_of(talk().caller_id("customer.1", CALLER, passed=True)).value("caller_id.customer") is None


@pytest.mark.parametrize(("asserted", "value"), [([CALLER], "present"), ([], "absent"), (None, "absent")])
def test_an_asserted_identity(asserted: object, value: str) -> None:
    example = Example().finding("caller_id.withheld", "assistant main", anonymous=True, asserted=asserted)
    facts = facts_of(example)
    assert facts.value("caller_id.asserted") == value
    assert facts.value("caller_id.ai") is None
    shown = facts_of(Example().finding("caller_id.withheld", "assistant main", anonymous=False, asserted=asserted))
    assert shown.value("caller_id.ai") == "shown, though withheld"


def test_a_wrong_number_in_any_invite_is_told() -> None:
    example = Example().dials().ai_gets(shown="<sip:+12025550177@p.example>;tag=a").ai_gets()
    assert facts_of(example).value("caller_id.ai") == "another number"
    assert facts_of(Example().dials().ai_gets().ai_gets()).value("caller_id.ai") == "right"
    assert facts_of(Example().ai_gets()).value("caller_id.ai") is None
    assert facts_of(Example().dials().ai_gets(shown="<<>")).value("caller_id.ai") is None
    assert facts_of(Example().dials().dials_too("stranger").ai_gets()).value("caller_id.ai") == "right"


# -- X-headers


@pytest.mark.parametrize(
    ("values", "wanted", "passed", "told"),
    [
        ([CALLER], CALLER, True, "right"),
        ([CALLER], CALLER, False, "right"),
        ([], CALLER, False, "missing"),
        ([], None, True, "right"),
        (["x"], None, False, "unexpected"),
        ([CALLER, CALLER], CALLER, False, "there more than once"),
        ([CALLER.lstrip("+")], CALLER, False, "without its plus"),
        (["x"], CALLER, False, "another value"),
    ],
)
def test_what_an_x_header_says(values: list[str], wanted: str | None, passed: bool, told: str) -> None:
    for header, fact in (("X-Gladly-Caller-Id", "header.caller"), ("x-gladly-routing-selector", "header.selector")):
        facts_: dict[str, Any] = {"header": header, "values": values, "value": wanted}
        example = Example("gladly", "GL-HEADER-CALLER", transport="tls").finding(
            "header", "assistant main", passed, **facts_
        )
        assert facts_of(example).value(fact) == told
        other = Example("gladly", "GL-HEADER-CALLER", transport="tls").finding("header", "billing.1", passed, **facts_)
        assert facts_of(other).value(fact) is None
