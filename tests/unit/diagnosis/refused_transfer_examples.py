"""Examples of transfers that are refused: for who asks, though the group can be rung; on the caller's side; with credentials."""

from __future__ import annotations

from tests.unit.diagnosis.building import Example
from tests.unit.diagnosis.stories import GROUP, Expected, lost, transfer, warm
from tests.unit.diagnosis.transfer_examples import answered, own_call, though_there

PASSED_ON = "inbound-passed-on"  #: a number at which the platform hands the AI's REFER on to the caller's side


def again(code: int, reason: str = "") -> Example:
    """The platform challenges the REFER, and answers so to the one that shows credentials."""
    example = transfer(Example(authentication="digest")).ai_refers(GROUP)
    example.platform_says(407, "Proxy Authentication Required")
    refer = {"Refer_To": f"<sip:{GROUP}@platform.example>", "Proxy_Authorization": 'Digest username="x"'}
    example._sip("sent", "REFER sip:platform SIP/2.0", "REFER", to="<sip:x@y.example>;tag=p", number="3", **refer)
    return lost(example.platform_says(code, reason, number=3))


def handed_on(example: Example) -> Example:
    """The AI refers, and the platform hands that on to the caller's phone, which takes it."""
    example = transfer(example).ai_refers(GROUP).at_phone("caller", "REFER", within=True)
    return example.at_phone("caller", "REFER", code=202, reason="Accepted").platform_says(202)


def nobodys(example: Example) -> Example:
    """The platform refuses the AI's request, and its Reason says that the number is nobody's."""
    warmly = example.line == "inbound-warm"
    asked = example.ai_invites(GROUP) if warmly else example.ai_refers(GROUP)
    method, call = ("INVITE", "onward") if warmly else ("REFER", "at-the-ai")
    return lost(asked._sip("received", "SIP/2.0 503 x", method, call_id=call, number="2", Reason="Q.850;cause=1"))


def taken_then(code: int, reason: str) -> Example:
    """The platform accepts the REFER, and tells that later."""
    return lost(transfer(Example()).ai_refers(GROUP).platform_says(202).notified(code, reason))


REFUSED = [
    Expected("transfer.rejected.authenticated", again(603, "Decline"), "likely refer-rejected"),
    Expected(
        "transfer.rejected.handed-on",
        lost(transfer(Example(line=PASSED_ON)).ai_refers(GROUP).platform_says(405, "Method Not Allowed")),
        "likely refer-rejected",
    ),
    Expected(
        "transfer.failed.by-caller",
        lost(handed_on(Example(line=PASSED_ON)).notified(403, "Forbidden")),
        "likely refer-accepted-then-failed",
    ),
    Expected(
        "transfer.call-refused.though-there", though_there(own_call(486, "Busy Here")), "likely transfer-call-refused"
    ),
    Expected("transfer.rejected.though-there", though_there(answered(480, "x")), "likely refer-rejected"),
    Expected(
        "transfer.failed.though-there",
        though_there(taken_then(404, "Not Found")),
        "likely refer-accepted-then-failed",
    ),
    Expected(
        "transfer.call-refused.though-there.said",
        though_there(nobodys(warm(Example()))),
        "likely transfer-call-refused",
    ),
    Expected(
        "transfer.rejected.though-there.said", though_there(nobodys(transfer(Example()))), "likely refer-rejected"
    ),
    Expected(
        "transfer.failed.though-there.said",
        though_there(taken_then(503, "Unknown number")),
        "likely refer-accepted-then-failed",
    ),
]
