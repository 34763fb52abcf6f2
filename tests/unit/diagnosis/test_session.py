"""Facts on an established call: who ended it, how it was kept up, and whether the AI spoke."""

from __future__ import annotations

import pytest

from tests.unit.diagnosis.case import named, talk, value
from tests.unit.diagnosis.reach_examples import starved


def test_a_later_bye_another_leg_s_or_the_caller_s_own_cut_nothing() -> None:
    assert value(talk().to_caller("no-rtp").after(1).ends("sent"), "call.cut") is None
    assert value(talk().ends("sent").to_caller(), "call.cut") is None
    own = talk()
    own._at_caller("sent", "BYE sip:platform SIP/2.0")
    assert value(own.to_caller("no-rtp"), "call.cut") is None
    assert (
        value(talk().caller_gets("INFO sip:caller SIP/2.0").to_caller("no-rtp"), "call.cut") is None
    )
    assert value(talk().ends("sent").finding("audio", "billing.1 → support.1"), "agent.cut") is None


def test_only_a_reason_for_want_of_rtp_is_another_cause() -> None:
    """Asterisk's rtp_timeout hangs up with cause 44, which in a BYE says nothing of channels."""
    assert value(starved("the platform"), "call.reason") == "that no RTP came"
    example = talk().both_hear().ends("received")
    example.caller_gets("BYE sip:caller SIP/2.0\r\nReason: Q.850;cause=44").to_ai(
        "no-rtp"
    ).to_caller("no-rtp")
    assert value(example, "call.reason") is None
    assert named(example) == [("call-dropped", "certain")]


@pytest.mark.parametrize(
    ("answers", "outcome"),
    [
        ([], None),
        ([200], "accepted"),
        ([0], "none"),
        ([481], "refused"),
        ([407, 200], "accepted"),
        ([200, 0], "none"),
    ],
)
def test_what_became_of_the_ai_s_last_session_refresh(
    answers: list[int], outcome: str | None
) -> None:
    assert value(talk().ai_refreshes(*answers), "ai.refresh") == outcome
    assert value(talk().ai_refreshes(*answers, interval=""), "ai.refresh") is None, (
        "another change of the call"
    )


@pytest.mark.parametrize(("invite", "ack"), [("1", "arrived"), ("2", "none")])
def test_an_ack_acknowledges_its_own_invite_alone(invite: str, ack: str) -> None:
    """The ACK of a re-INVITE that was answered with 491 is none of the 200 before."""
    example = talk(row="HOLD", ai="stand-in").ai_answers()
    example.after(0.5).ai_answers()
    example._sip("received", "ACK sip:ai SIP/2.0", number=invite)
    assert value(example.both_hear(), "ai.ack") == ack
