"""RFC 4475's messages through the parser and the checks of a receiver."""

from __future__ import annotations

import pytest

from harness.sip.grammar import SipSyntaxError
from harness.sip.message import Message, Request, Response
from harness.sip.uri import NameAddr
from harness.sip.validation import problem_of_request, problem_of_response, salvage
from tests.unit.sip.torture import MESSAGES

# Statuses that need to know what a node supports are given by its user agent, not by the message's
# syntax.
OF_THE_AGENT = {"405", "406", "415", "420", "481"}


def parsed(name: str) -> Request | Response:
    return Message.parse(MESSAGES[name][1])


def request(name: str) -> Request:
    message = parsed(name)
    assert isinstance(message, Request)
    return message


def verdict(data: bytes) -> str:
    """What the syntax alone comes to."""
    try:
        message = Message.parse(data)
    except SipSyntaxError:
        rescued = salvage(data)
        return "drop" if rescued is None else "400"
    if isinstance(message, Response):
        return "drop" if problem_of_response(message) else "ok"
    problem = problem_of_request(message)
    return "ok" if problem is None else str(problem.status)


@pytest.mark.parametrize("name", MESSAGES)
def test_each_message_meets_its_verdict(name: str) -> None:
    expectation, data = MESSAGES[name]
    if name in ("unreason", "noreason", "bcast"):
        expectation = (
            "ok"  # well-formed; a transport layer drops them because their Via is not its own
        )
    if expectation in OF_THE_AGENT:
        expectation = "ok"
    assert verdict(data) == expectation


def test_all_messages_of_the_rfc_are_here() -> None:
    assert len(MESSAGES) == 49


@pytest.mark.parametrize("name", [n for n, (e, _) in MESSAGES.items() if e == "ok"])
def test_what_is_well_formed_keeps_its_octets(name: str) -> None:
    message = parsed(name)
    data = MESSAGES[name][1]
    assert data.startswith(message.raw.rstrip(b"\r\n")[:50])
    again = Message.parse(message.serialize())
    assert (
        again.headers
        == message.without("Content-Length")
        .adding("Content-Length", str(len(message.body)))
        .headers
    )
    assert again.body == message.body


def test_short_tortuous_invite() -> None:
    message = request("wsinv")
    assert message.to.tag == "1918181833n"
    assert message.from_.display == 'J Rosenberg \\"'
    assert message.from_.tag == "98asjd8"
    assert message.max_forwards == 68
    assert (message.cseq.number, message.cseq.method) == (9, "INVITE")
    assert [via.transport for via in message.vias] == ["UDP", "TCP", "UDP"]
    assert [via.branch for via in message.vias] == ["390skdjuw", "z9hG4bK9ikj8", "z9hG4bK30239"]
    contact = message.contacts[0]
    assert contact.display == 'Quoted string ""'
    assert contact.params.items == (("newparam", "newvalue"), ("secondparam", None), ("q", "0.33"))
    assert message.get("NewFangledHeader") == "newfangled value continued newfangled value"
    assert message.get("UnknownHeaderWithUnusualValue") == ";;,,;;,;"
    assert message.get("Subject") == ""
    assert "lr" in message.routes[0].uri.params
    assert len(message.body) == 150


def test_wide_range_of_characters() -> None:
    message = request("intmeth")
    assert message.method == "!interesting-Method0123456789_*+`.%indeed'~"
    assert message.uri.user == "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"
    assert message.uri.password == "&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"
    assert message.to.display == "BEL:\x07 NUL:\x00 DEL:\x7f"
    assert message.from_.display == "token1~` token2'+_ token3*%!.-"
    assert message.from_.params.get("fromParam''~+*_!.-%") == '"работающий"'
    assert message.get("extensionHeader-!.%*+_`'~") == "\ufeff大停電"


def test_escapes() -> None:
    message = request("esc01")
    assert message.uri.user == "sips:user@example.com"
    assert str(message.uri) == "sip:sips%3Auser%40example.com@example.net"
    assert message.to.uri.user == "user"
    assert message.from_.uri.user == "I have spaces"
    assert [c.uri.user for c in request("escnull").contacts] == ["\x00", "\x00\x00"]
    assert str(request("escnull").contacts[0].uri) == "sip:%00@host5.example.com"


def test_other_schemes_in_name_addr() -> None:
    message = request("unksm2")
    assert (message.to.uri.scheme, message.to.uri.opaque) == ("isbn", "2983792873")
    assert message.from_.uri == NameAddr.parse("<http://www.example.com>").uri
