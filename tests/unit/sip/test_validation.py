"""What a receiver refuses before it acts on a message, and what it can save of one."""

from __future__ import annotations

import pytest

from harness.sip.message import Message, Request, Response
from harness.sip.validation import Problem, problem_of_request, problem_of_response, salvage
from tests.unit.sip.sip_requests import HEAD, request


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        (request(start="OPTIONS sip:b@h SIP/3.0"), 505),
        (request(start="BYE sip:b@h SIP/2.0"), 400),
        (request(start="OPTIONS <sip:b@h> SIP/2.0"), 400),
        (request(start='OPTIONS sip:b"@h SIP/2.0'), 400),
        (request(start="OPTIONS sip:a@b@c SIP/2.0"), 400),
        (request(start="OPTIONS http:b SIP/2.0"), 416),
        (request(start="OPTIONS sip:b@h?x=y SIP/2.0"), 400),
        (request("Contact: <sip:a@h>;;x"), 400),
        (request("Contact: sip:a@h?x=y"), 400),
        (request("Contact: a, b <sip:a@h>"), 400),
        (request("Content-Length: 1"), 400),
        (request("Content-Length: x"), 400),
        (request("Content-Length: ²"), 400),
        (request(f"Content-Length: {'9' * 5000}", body="body"), 400),
        (request("Max-Forwards: 256"), 400),
        (request("Route: <sip:a"), 400),
        (request("Record-Route: <sip:a"), 400),
        (request(head=HEAD.replace("Call-ID: a@b", "Call-ID: a b")), 400),
        (request(head=HEAD.replace("branch", ";branch")), 400),
        (request(head=HEAD.replace("z9hG4bK1", "z9hG4bK\x1b")), 400),
        *(
            (request(head=HEAD.replace(name, "X-Gone")), 400)
            for name in ("Via", "From", "To", "Call-ID", "CSeq")
        ),
    ],
)
def test_what_is_wrong_with_a_request(changed: Request, status: int) -> None:
    problem = problem_of_request(changed)
    assert problem is not None
    assert problem.status == status


@pytest.mark.parametrize(
    "right",
    [
        request(),
        request("Content-Length: 0"),
        request("Content-Length: 1", body="x"),
        request("Contact: *"),
        request("Contact: <sip:a@h?x=y>;q=1"),
        request("Contact: sip:a@h;x"),
        request(start="OPTIONS tel:+12065550100 SIP/2.0"),
        request(start="OPTIONS SIPS:b@h SIP/2.0"),
        request(head=HEAD.replace("Call-ID: a@b", "Call-ID: ab")),
    ],
)
def test_what_may_be_processed(right: Request) -> None:
    assert problem_of_request(right) is None


@pytest.mark.parametrize(
    "name",
    ["From", "To", "Call-ID", "CSeq", "Max-Forwards", "Content-Length", "Content-Type", "Expires"],
)
def test_what_stands_once_is_refused_twice(name: str) -> None:
    """RFC 3261 section 7.3.1: of these a message has no list."""
    once = request(
        "Max-Forwards: 70", "Content-Length: 0", "Content-Type: text/plain", "Expires: 60"
    )
    assert problem_of_request(once) is None
    twice = once.adding(name, once.get(name) or "")
    assert problem_of_request(twice) == Problem(400, f"{name} stands more than once")


def test_a_reason_phrase_is_short_and_holds_nothing_of_the_sender_s() -> None:
    problem = problem_of_request(request(head=HEAD.replace("1 OPTIONS", "x To: y")))
    assert problem == Problem(400, "not a CSeq")


def test_what_is_wrong_with_a_response() -> None:
    def problem(text: str) -> str | None:
        parsed = Message.parse(text)
        assert isinstance(parsed, Response)
        return problem_of_response(parsed)

    right = f"SIP/2.0 200 OK\r\n{HEAD}Date: x\r\n\r\n"
    assert problem(right) is None
    assert problem(right.replace("SIP/2.0 200", "SIP/1.0 200")) == "version SIP/1.0"
    assert problem(right.replace("To: <sip:b@h>\r\n", "")) == "To is missing"
    assert problem(right.replace("<sip:b@h>", "<sip:b")) is not None
    assert problem(right.replace("1 OPTIONS", "x OPTIONS")) is not None


@pytest.mark.parametrize(
    ("text", "uri"),
    [
        (f"OPTIONS sip:b h SIP/2.0\r\n{HEAD}\r\n", "sip:b h"),
        (f"OPTIONS SIP/2.0\r\n{HEAD}\r\n", "?"),
        (f"OPTIONS x sip/9\r\nbroken\r\n{HEAD}: x\r\n\r\n", "x"),
        (f"OPTIONS\r\n{HEAD}\r\n", None),
        (f"O,PTIONS x SIP/2.0\r\n{HEAD}\r\n", None),
        (f"OPTIONS x HTTP/1.1\r\n{HEAD}\r\n", None),
        ("OPTIONS x SIP/2.0\r\nFrom: x\r\n\r\n", None),
        ("OPTIONS x SIP/2.0\r\nVia: x\r\n\r\n", None),
    ],
)
def test_what_can_be_saved_of_a_request(text: str, uri: str | None) -> None:
    found = salvage(text.encode())
    assert (None if found is None else found.request_uri) == uri
    if found is not None:
        assert [header.name for header in found.headers] == ["Via", "From", "To", "Call-ID", "CSeq"]
