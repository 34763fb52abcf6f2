"""The topmost Via says where an answer goes, whatever stands below it."""

from __future__ import annotations

from harness.sip.message import Message, Request, Response
from harness.sip.validation import problem_of_request
from tests.unit.sip.torture import MESSAGES


def test_a_request_with_an_unreadable_lower_via_can_be_answered() -> None:
    request = Message.parse(MESSAGES["badinv01"][1])
    assert isinstance(request, Request)
    assert request.via.sent_by == ("192.0.2.15", 5060)
    stamped = request.with_top_via(request.via.stamped("127.0.0.1", 5070))
    problem = problem_of_request(stamped)
    assert problem is not None
    assert problem.status == 400
    assert Response.to_request(stamped, 400).via.params.get("received") == "127.0.0.1"
