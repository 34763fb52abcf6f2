"""The guides' faults in the forms that other SBCs and AI platforms give them."""

from __future__ import annotations

from tests.unit.diagnosis.building import Example, named
from tests.unit.diagnosis.known import facts_of
from tests.unit.diagnosis.stories import GROUP, lost, transfer


def test_a_platform_that_hangs_up_on_the_ai_once_it_has_accepted_says_no_more() -> None:
    """It takes the AI for done with it (RFC 5589 section 6.1), and where the caller waits its own log knows."""

    def hangs_up(ai: str) -> Example:
        example = transfer(Example(ai=ai)).ai_refers(GROUP).platform_says(202)
        example._sip("received", "BYE sip:ai SIP/2.0", "BYE", to="<sip:ai@192.0.2.60>;tag=b", number="3")
        return lost(example)

    assert facts_of(hangs_up("stand-in")).value("transfer.outcome") == "nothing, and the platform ended the AI's call"
    assert named(hangs_up("stand-in")) == [("transfer-unanswered", "likely")]
    # Of a record's messages nobody knows when they came: the harness hangs up, too, when the case is over.
    assert named(hangs_up("synthflow")) == [("refer-never-notified", "likely")]
