"""What a user agent server refuses, and the torture messages at its door."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from harness.world.wire.agent import IncomingRequest, UserAgent
from harness.world.wire.incoming import IncomingCall
from tests.process.wire.datagrams import Datagrams
from tests.unit.sip.torture import MESSAGES


def beside(ua: UserAgent) -> Datagrams:
    """A socket at the node's own address."""
    target = ua.local("udp").local
    return Datagrams(target, target[0])


def invite(method: str = "INVITE", *, branch: str = "1", drop: str = "", body: str = "", **headers: str) -> bytes:
    lines = {
        "Via": f"SIP/2.0/UDP 127.0.0.1:1;rport;branch=z9hG4bK{branch}",
        "Max-Forwards": "70",
        "From": "<sip:caller@example.com>;tag=me",
        "To": "<sip:callee@example.com>",
        "Call-ID": "refused@example.com",
        "CSeq": f"1 {method}",
        "Contact": "<sip:caller@127.0.0.1:1>",
        **{name.replace("_", "-"): value for name, value in headers.items()},
        "Content-Length": str(len(body)),
    }
    text = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if name != drop)
    return f"{method} sip:callee@127.0.0.1 SIP/2.0\r\n{text}\r\n{body}".encode()


@pytest.mark.parametrize(
    ("data", "status", "header", "value"),
    [
        (invite("PUBLISH"), 405, "Allow", "INVITE"),
        (invite(Require="100rel, carrier-pigeon"), 420, "Unsupported", "carrier-pigeon"),
        (invite(Max_Forwards="0"), 483, None, None),
        (invite(Max_Forwards="many"), 400, None, None),
        (invite(drop="Call-ID"), 400, None, None),
        (invite(drop="From"), 400, None, None),
        (invite(drop="CSeq"), 400, None, None),
        (invite(drop="Contact"), 400, None, None),
        (invite(CSeq="1 BYE"), 400, None, None),
        (invite(CSeq="99999999999 INVITE"), 400, None, None),
        (invite(To="<sip:callee@example.com>;tag=unknown"), 481, None, None),
        (invite("BYE", To="<sip:callee@example.com>;tag=unknown"), 481, None, None),
        (invite("BYE"), 481, None, None),
        (invite("CANCEL"), 481, None, None),
        (invite(body="{}", Content_Type="application/json"), 415, "Accept", "application/sdp"),
        (invite(body="x", Content_Type="application/sdp", Content_Encoding="gzip"), 415, "Accept-Encoding", "id"),
        (invite(Accept="text/plain"), 406, None, None),
        (invite(Session_Expires="30", Supported="timer"), 422, "Min-SE", "90"),
        (invite("OPTIONS", Max_Forwards="0"), 200, "Allow", "INVITE"),
    ],
)
def test_refusals(nodes: Any, data: bytes, status: int, header: str | None, value: str | None) -> None:
    async def story() -> None:
        ua = await nodes.answering("callee")
        plain = beside(ua)
        plain.send(data)
        response = await plain.final()
        assert response.status == status
        assert response.to.tag is not None
        if header is not None and value is not None:
            assert value in (response.get(header) or "")
        if status >= 300 and data.startswith(b"INVITE") and response.has("Call-ID"):
            plain.send(data.replace(b"INVITE sip", b"ACK sip").replace(b"1 INVITE", b"1 ACK"))
        plain.close()

    nodes.run(story())


def test_a_stray_ack_and_a_stray_response_are_swallowed(nodes: Any) -> None:
    async def story() -> None:
        ua = await nodes.answering("callee")
        plain = beside(ua)
        plain.send(invite("ACK", To="<sip:callee@example.com>;tag=unknown"))
        host, port = ua.local("udp").local
        plain.send(
            f"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP {host}:{port};branch=z9hG4bKnobody\r\nFrom: <sip:a@b>;tag=1\r\n"
            "To: <sip:c@d>;tag=2\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n\r\n".encode()
        )
        plain.send(invite("OPTIONS"))
        assert (await plain.receive()).method == "OPTIONS"
        plain.close()

    nodes.run(story())


def test_merged_requests(nodes: Any) -> None:
    """RFC 3261 section 8.2.2.2: the same request by two paths has two branches."""

    async def story() -> None:
        ua = await nodes.ua("callee")

        async def ring(call: IncomingCall) -> None:
            call.ring()
            await asyncio.wait_for(merged.wait(), 5)
            call.reject(486)

        merged = asyncio.Event()
        ua.on_invite = ring
        plain = beside(ua)
        plain.send(invite(branch="path-one"))
        assert (await plain.receive()).status == 180
        plain.send(invite(branch="path-two"))
        response = await plain.receive()
        assert (response.status, response.via.branch) == (482, "z9hG4bKpath-two")
        plain.send(invite("ACK", branch="path-two"))
        merged.set()
        while (response := await plain.receive()).via.branch == "z9hG4bKpath-two":
            pass  # again, before its ACK was there
        assert response.status == 486
        plain.send(invite("ACK", branch="path-one"))
        plain.close()

    nodes.run(story())


def test_a_request_out_of_order_is_answered_500(nodes: Any) -> None:
    async def story() -> None:
        ua = await nodes.answering("callee")
        plain = beside(ua)
        plain.send(invite(CSeq="7 INVITE"))
        answer = await plain.final()
        to = answer.get("To") or ""
        plain.send(invite("ACK", branch="ack", To=to, CSeq="7 ACK"))
        plain.send(invite("INFO", branch="late", To=to, CSeq="6 INFO"))
        while (response := await plain.final()).method != "INFO":
            pass
        assert response.status == 500
        plain.send(invite("BYE", branch="bye", To=to, CSeq="8 BYE"))
        while (response := await plain.final()).method != "BYE":
            pass
        assert response.status == 200
        plain.close()

    nodes.run(story())


def test_retransmitted_requests_get_the_same_answer(nodes: Any) -> None:
    async def story() -> None:
        ua = await nodes.ua("callee")
        handled: list[IncomingRequest] = []

        async def register(incoming: IncomingRequest) -> None:
            handled.append(incoming)
            incoming.respond(200, headers=[("X-Times", str(len(handled)))])

        ua.on("REGISTER", register)
        plain = beside(ua)
        answers = []
        for _ in range(3):
            plain.send(invite("REGISTER"))
            answers.append(await plain.receive())
        assert len(handled) == 1
        assert len({answer.raw for answer in answers}) == 1
        plain.close()

    nodes.run(story())


def test_responses_go_where_rfc_3581_says(nodes: Any) -> None:
    async def story() -> None:
        ua = await nodes.ua("callee")
        plain, other = beside(ua), beside(ua)
        host = ua.local("udp").address
        plain.send(invite("OPTIONS", branch="a", Via="SIP/2.0/UDP 192.0.2.9:9;rport;branch=z9hG4bKa"))
        via = (await plain.receive()).via
        assert (via.params.get("rport"), via.params.get("received")) == (str(plain.port), host)
        # Without rport: to the source's address, and the port of sent-by (RFC 3261 section 18.2.2).
        plain.send(
            invite("OPTIONS", branch="b", Via=f"SIP/2.0/UDP 192.0.2.9:{other.port};branch=z9hG4bKb", CSeq="2 OPTIONS")
        )
        via = (await other.receive()).via
        assert (via.params.get("received"), "rport" in via.params) == (host, False)
        plain.close()
        other.close()

    nodes.run(story())


def test_a_handler_that_raises_answers_500(nodes: Any, caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        ua = await nodes.ua("callee")

        async def broken(incoming: IncomingRequest | IncomingCall) -> None:
            raise ZeroDivisionError

        ua.on("REGISTER", broken)
        ua.on_invite = broken
        plain = beside(ua)
        plain.send(invite("REGISTER"))
        assert (await plain.receive()).status == 500
        plain.send(invite())
        assert (await plain.receive()).status == 500
        plain.send(invite("ACK"))
        plain.close()

    nodes.run(story())
    assert [r.getMessage() for r in caplog.records if "failed" in r.getMessage()]
    caplog.clear()


@pytest.mark.parametrize("name", MESSAGES)
def test_torture(nodes: Any, name: str) -> None:
    expectation, data = MESSAGES[name]

    async def story() -> None:
        ua = await nodes.ua("callee")
        taken: list[str] = []

        async def refuse(call: IncomingCall) -> None:
            taken.append("INVITE")
            call.reject(603)

        async def take(incoming: IncomingRequest) -> None:
            taken.append(incoming.request.method)
            incoming.respond(200)

        ua.on_invite = refuse
        ua.on("REGISTER", take)
        plain = beside(ua)
        # The answer has to find its way back here: ask for it by rport.
        plain.send(data.replace(b"branch", b"rport;branch", 1) if b"branch" in data else data)
        plain.send(invite("OPTIONS", branch="alive", Call_ID="alive"))
        statuses = {}
        while "alive" not in statuses:
            response = await plain.final()
            statuses[response.call_id or "none"] = response.status
        others = {status for call_id, status in statuses.items() if call_id != "alive"}
        answerable = b"branch" in data
        if expectation == "drop" or not answerable:
            assert others == set()
        elif expectation == "ok":
            assert others <= {200, 603, 400}
            assert taken or b"OPTIONS" in data or others == {400}
        else:
            assert others == {int(expectation)}
            assert taken == []
        plain.close()

    nodes.run(story())


def test_mutated_messages_kill_nobody(nodes: Any) -> None:
    """Bytes changed, cut, doubled and swapped in good messages, over both kinds of transport."""

    async def story() -> None:
        ua = await nodes.answering("callee", "udp", "tcp")
        plain = beside(ua)
        dice = random.Random(20)
        seeds = [data for _, data in MESSAGES.values()] + [invite(), invite("BYE"), invite("CANCEL")]
        for number in range(6000):
            data = bytearray(dice.choice(seeds))
            for _ in range(dice.randint(1, 8)):
                at = dice.randrange(len(data))
                change = dice.randrange(4)
                if change == 0:
                    data[at] = dice.randrange(256)
                elif change == 1:
                    del data[at : at + dice.randint(1, 40)]
                elif change == 2:
                    data[at:at] = data[at : at + dice.randint(1, 40)]
                else:
                    data[at:at] = dice.choice([b"\r\n", b";", b",", b'"', b"<", b"\x00", b"%", b"\r\n\r\n"])
                data = data or bytearray(b" ")
            plain.send(bytes(data))
            if number % 10 == 0:
                _, writer = await asyncio.open_connection(*ua.local("tcp").local)
                writer.write(bytes(data))
                writer.close()
            await asyncio.sleep(0)
        for call in ua.calls():
            call.stop()  # whatever was well-formed enough to be answered
        plain.send(invite("OPTIONS", branch="alive", Call_ID="alive"))
        while (await plain.final()).call_id != "alive":
            pass
        plain.close()

    nodes.run(story())
