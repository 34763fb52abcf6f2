"""RTP that the harness's own firewall or NAT keeps back looks as if it were lost between platform and AI."""

from __future__ import annotations

import pytest

from harness.calls.events import FarEndReport, MediaState
from tests.unit.diagnosis.building import Example, named
from tests.unit.diagnosis.example_case import SDP
from tests.unit.diagnosis.known import facts_of
from tests.unit.diagnosis.stories import taken, talk, transfer

OWN = ("own-rtp-blocked", "possible")


def at(example: Example, leg: str, remote_rtp: str) -> Example:
    """Where a leg's RTP goes."""
    fields = {"active": True, "direction": "sendrecv", "codec": "PCMU", "clock_rate": 8000}
    phone = leg.partition(".")[0]
    media = MediaState(at=example.now, phone=phone, leg=leg, remote_rtp=remote_rtp, **fields)  # type: ignore[arg-type]
    example.events.append(media)
    return example


def reported(example: Example, leg: str) -> Example:
    """The far end's RTCP came."""
    report = FarEndReport(
        at=example.now,
        phone=leg.partition(".")[0],
        leg=leg,
        sent=100,
        received=0,
        lost=0,
        fraction_lost=0.0,
        jitter_ms=0.0,
        names_us=False,
    )
    example.events.append(report)
    return example


@pytest.mark.parametrize(("to_ai", "cause"), [("heard", "rtp-blocked-to-caller"), ("no-rtp", "rtp-blocked-both")])
def test_a_phone_that_never_got_any_rtp_may_be_behind_a_firewall_of_its_own(to_ai: str, cause: str) -> None:
    assert named(taken().to_ai(to_ai).to_caller("no-rtp")) == [(cause, "likely"), OWN]


def test_what_a_phone_has_got_in_the_case_shows_that_nothing_of_its_own_keeps_it_back() -> None:
    sure = [("rtp-blocked-to-caller", "certain")]
    assert named(taken().counted(received=60).to_ai().to_caller("no-rtp")) == sure
    assert named(reported(taken(), "caller.1").to_ai().to_caller("no-rtp")) == sure
    assert named(taken().counted("billing.1").to_ai().to_caller("no-rtp")) != sure, "another phone's says nothing"


@pytest.mark.parametrize(
    ("place", "confidence"),
    [("127.0.0.9:4000", "certain"), ("[::1]:4000", "certain"), ("192.0.2.9:4000", "likely"), ("", "likely")],
)
def test_between_two_ends_on_this_machine_there_is_no_firewall(place: str, confidence: str) -> None:
    assert named(at(taken(), "caller.1", place).to_ai().to_caller("no-rtp"))[0] == ("rtp-blocked-to-caller", confidence)


def test_a_stand_in_has_a_firewall_of_its_own_too() -> None:
    unheard = [("rtp-blocked-to-ai", "likely"), OWN]
    assert named(taken("stand-in").to_ai("no-rtp").to_caller()) == unheard
    assert named(taken("stand-in").counted("stand-in.1").to_ai("no-rtp").to_caller()) == [
        ("rtp-blocked-to-ai", "certain")
    ]
    assert named(taken().to_ai("no-rtp").to_caller()) == [("rtp-blocked-to-ai", "certain")], "Synthflow is not ours"


@pytest.mark.parametrize(
    ("counted", "told"),
    [(False, [("transfer-no-audio", "likely"), OWN]), (True, [("transfer-no-audio", "certain")])],
)
def test_so_has_an_agent_s_phone(counted: bool, told: list[tuple[str, str]]) -> None:
    example = transfer(Example()).rings("billing").landed("billing", "billing")
    if counted:
        example.counted("billing.1")
    assert named(example.with_agent("billing", "no-rtp")) == told


def test_an_agent_who_hears_is_within_reach() -> None:
    example = transfer(Example()).rings("billing").landed("billing", "billing").counted("billing.1")
    assert named(example.with_agent("billing", to_caller="no-rtp")) == [("transfer-no-audio", "certain")]


def test_where_nobody_can_tell_what_the_ai_hears_it_is_one_of_the_candidates() -> None:
    example = taken().to_caller("no-rtp")
    diagnosis = example.diagnose()
    assert [cause.id for cause in diagnosis.candidates] == ["rtp-blocked-both", "rtp-blocked-to-caller", OWN[0]]
    assert facts_of(example).value("rtp.caller") == "none came"


def test_who_sees_no_agent_does_not_know_what_came_to_it() -> None:
    example = (
        transfer(Example()).rings("billing").landed("billing", "billing").with_agent("billing", "no-rtp", "no-rtp")
    )
    assert OWN in named(example)
    assert OWN[0] not in {cause.id for cause in example.diagnose("caller").causes}


def test_what_explains_the_silence_otherwise_leaves_no_firewall() -> None:
    silent = talk(Example(ai="stand-in")).counted("stand-in.1", received=0).to_ai().to_caller("no-rtp")
    assert [cause.id for cause in silent.diagnose().causes] == ["ai-silent"]
    held = SDP.format(host="192.0.2.2", protocol="RTP/AVP", formats="0", lines="a=inactive\r\n")
    example = taken().ai_answers(200, "OK", sdp=held).to_ai("no-rtp").to_caller("no-rtp")
    assert [cause.id for cause in example.diagnose().causes] == ["media-on-hold"]
