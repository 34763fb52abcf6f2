"""Facts on an established call: who ended it, its quality, who called, which digits arrived."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.diagnosis.building import Example
from tests.unit.diagnosis.example_case import CALLER
from tests.unit.diagnosis.known import facts_of, talk

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


# -- digits


@pytest.mark.parametrize(
    ("seen", "passed", "value"),
    [("12", True, "right"), ("12", False, "by another method"), ("1", False, "wrong"), ("", False, "none")],
)
def test_digits_that_arrived(seen: str, passed: bool, value: str) -> None:
    facts = facts_of(talk().finding("dtmf", "assistant main", passed, sent="12", seen=seen))
    assert facts.value("digits") == value


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


@pytest.mark.parametrize("check", ["audio.delay", "audio.one_way_delay"])
@pytest.mark.parametrize(
    ("delay_ms", "passed", "delay"), [(700.0, False, "high"), (100.0, True, None), (None, False, None)]
)
def test_a_probe_that_was_not_heard_had_no_delay(
    check: str, delay_ms: float | None, passed: bool, delay: str | None
) -> None:
    facts = facts_of(talk().finding(check, "caller.1 → assistant main", passed, delay_ms=delay_ms))
    assert facts.value("delay") == delay


# -- codecs


@pytest.mark.parametrize(("theirs", "sides"), [("PCMU", "the same"), ("pcmu", "the same"), ("PCMA", "different")])
def test_the_codecs_of_both_sides(theirs: str, sides: str) -> None:
    recorded = Example().dials().codec("caller.1", "PCMU").record(witness={"codec": theirs})
    assert facts_of(recorded).value("codec.sides") == sides
    stood = Example(ai="stand-in").dials().codec("caller.1", "PCMU").codec("stand-in.1", theirs)
    assert facts_of(stood).value("codec.sides") == sides


def test_what_an_announcement_before_the_answer_had_is_no_codec_of_the_call() -> None:
    """Of another party than the one that answers, as where a call is forked (RFC 3960 section 3.1)."""
    example = Example(ai="stand-in").dials().codec("caller.1", "PCMA").codec("stand-in.1", "PCMU").after(1.0)
    example = example.codec("caller.1", "PCMU").state("confirmed", 200).after(1.0).codec("caller.1", "G722")
    facts = facts_of(example)
    assert facts["codec.sides"].evidence == ("caller.1 has PCMU", "stand-in.1 has PCMU")
    assert facts.value("codec.sides") == "the same"


# -- who calls


@pytest.mark.parametrize(
    ("user", "shown"),
    [
        (CALLER, "in another form"),
        ("4155550101", "in another form"),
        ("+12025550177", "another number"),
        ("anonymous", "no number"),
        ("+12065550100", "a number of the deployment's own"),
        ("12065550100", "a number of the deployment's own"),
        ("5550101", "in another form"),
        ("550101", "another number"),
    ],
)
def test_which_number_was_shown_in_the_caller_s_place(user: str, shown: str) -> None:
    assert facts_of(talk().caller_id("assistant main", user)).value("caller_id.ai") == shown


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


@pytest.mark.parametrize(("asserted", "value"), [([CALLER], "present"), ([], "absent")])
def test_an_asserted_identity(asserted: object, value: str) -> None:
    example = Example().finding("caller_id.withheld", "assistant main", anonymous=True, asserted=asserted)
    facts = facts_of(example)
    assert facts.value("caller_id.asserted") == value
    assert facts.value("caller_id.ai") is None
    shown = facts_of(Example().finding("caller_id.withheld", "assistant main", anonymous=False, asserted=asserted))
    assert shown.value("caller_id.ai") == "shown, though withheld"


@pytest.mark.parametrize(
    ("answers", "outcome"),
    [
        ([], None),
        ([200], "accepted"),
        ([0], "none"),
        ([481], "refused"),
        ([491, 200], "accepted"),
        ([407, 200], "accepted"),
        ([200, 500], "refused"),
        ([200, 0], "none"),
    ],
)
def test_what_became_of_the_ai_s_last_session_refresh(answers: list[int], outcome: str | None) -> None:
    assert facts_of(talk().ai_refreshes(*answers)).value("ai.refresh") == outcome
    assert (
        facts_of(talk().ai_refreshes(*answers, interval="")).value("ai.refresh") is None
    )  # another change of the call


def test_a_wrong_number_in_any_invite_is_told() -> None:
    example = Example().dials().ai_gets(shown="<sip:+12025550177@p.example>;tag=a").ai_gets()
    assert facts_of(example).value("caller_id.ai") == "another number"
    assert facts_of(Example().dials().ai_gets().ai_gets()).value("caller_id.ai") == "right"
    assert facts_of(Example().ai_gets()).value("caller_id.ai") is None
    assert facts_of(Example().dials().ai_gets(shown="<<>")).value("caller_id.ai") is None
    assert facts_of(Example().dials().dials_too("stranger").ai_gets()).value("caller_id.ai") == "right"
    broken = Example().dials().ai_gets(shown="<sip:+12025550177@p.example>;tag=a").ai_gets(shown="<<>")
    assert facts_of(broken).value("caller_id.ai") == "another number"


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
