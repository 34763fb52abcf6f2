"""That every provisional response is sent reliably: those are looked at, too, that come when one has been acknowledged."""

from __future__ import annotations

from harness.calls.events import SipMessage
from harness.calls.verdict import Verdict
from harness.scenario.call import Call
from harness.scenario.conclusion import conclude
from harness.scenario.expect import Expect
from tests.unit.checks.session_messages import answer, invite, message
from tests.unit.scenario.conftest import MakeContext
from tests.unit.scenario.legs import leg

RELIABLE = answer("183 Session Progress", "Require: 100rel", "RSeq: 1")


def verdicts(make_context: MakeContext, required: str, *later: SipMessage) -> list[Verdict]:
    """What is found of a call with a reliable 183 and its PRACK, behind which these come."""
    context = make_context("PRACK", "stand-in")
    made = leg([], [invite(f"{required}: 100rel"), RELIABLE, message("received", "SIP/2.0 200 OK", "2 PRACK")])
    made.wait = lambda *_, **__: made.messages[-1]
    Expect(context, Call(context, made, "caller")).acknowledged_provisional()
    made.messages += later
    conclude(context, probe=False)
    return [finding.verdict for finding in context.evidence.findings if finding.check == "prack"]


def test_a_ringing_that_comes_later_is_to_be_reliable_as_well(make_context: MakeContext) -> None:
    rings, answered = answer("180 Ringing"), answer("200 OK")
    assert verdicts(make_context, "Require", answered) == [Verdict.PASSED]
    assert verdicts(make_context, "Require", rings, answered) == [Verdict.PASSED, Verdict.FAILED]
    assert verdicts(make_context, "Supported", rings, answered) == [Verdict.PASSED]
