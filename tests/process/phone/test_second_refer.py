"""Two REFERs in one call: each has outcomes of its own (RFC 3515 section 2.4.6)."""

from __future__ import annotations

import pytest

from harness.phone import refer
from tests.process.phone.conftest import Desk
from tests.stranger import AUDIO, SESSION, VOICE, Stranger, answered

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
