"""Two REFERs in one call: each has outcomes of its own (RFC 3515 section 2.4.6)."""

from __future__ import annotations

import pytest

from harness.phone import refer
from tests.process.phone.conftest import Desk, hears, uri_of
from tests.process.phone.stranger import AUDIO, SESSION, VOICE, Stranger, answered

OVER = ("Subscription-State: terminated;reason=noresource", "Content-Type: message/sipfrag")


@pytest.mark.parametrize("named", [True, False], ids=["with-ids", "without-ids"])
def test_the_second_refer_has_an_outcome_of_its_own(own: Desk, stranger: Stranger, named: bool) -> None:
    phone = own("transferor")
    leg, call = answered(phone, stranger, SESSION + AUDIO)
    leg.wait_state("confirmed", 10)
    for number, code in ((2, 486), (3, 200)):
        leg.transfer(f"sip:{VOICE}@{stranger.host}:{stranger.port}")
        asked = stranger.request("REFER")
        stranger.respond(asked, 202)
        event = f"Event: refer;id={asked.cseq.number}" if named else "Event: refer"
        said = stranger.within(phone, "NOTIFY", number, call, f"SIP/2.0 {code} x\r\n", (event, *OVER))
        assert said.status == 200
        assert refer.outcome(leg, 10) == code
    assert stranger.hangs_up(phone, call).status == 200
    leg.wait_state("disconnected", 10)


def test_the_call_of_a_second_refer_hides_no_first_when_it_is_refused(lease: Desk, stranger: Stranger) -> None:
    """An AI that asks twice for the same agent, who has the call by then."""
    phone, agent = lease("transferee", max_calls=3), lease("agent")
    leg, call = answered(phone, stranger, SESSION + AUDIO)
    leg.wait_state("confirmed", 10)
    for number, target in ((2, uri_of(agent)), (3, f"sip:{VOICE}@{stranger.address}")):
        assert stranger.within(phone, "REFER", number, call, headers=(f"Refer-To: <{target}>",)).status == 202
        if number == 2:
            landed = agent.expect_call(10)
    stranger.refuses("486 Busy Here")
    with phone.changed:  # the INVITE is on the wire before its leg is told of
        assert phone.changed.wait_for(lambda: len(phone.legs) == 3, 10)
    _, first, second = phone.legs
    second.wait_state("disconnected", 10)
    first.wait_state("confirmed", 10)
    assert leg.successor is first
    hears(first, landed)
