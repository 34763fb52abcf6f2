"""Strangers cannot send within a dialog, and a flood of requests takes no memory."""

from __future__ import annotations

from typing import Any

import pytest

from harness.world.wire import transactions
from tests.process.wire.datagrams import Datagrams

STRANGER = "127.99.99.99"


class Stranger(Datagrams):
    """At an address that is no node's."""

    def __init__(self, target: tuple[str, int], address: str = STRANGER) -> None:
        super().__init__(target, address)

    def request(self, method: str, *, branch: str, body: str = "", **headers: str) -> None:
        lines = {
            "Via": f"SIP/2.0/UDP {self.host}:{self.port};rport;branch=z9hG4bK{branch}",
            "Max-Forwards": "70",
            "From": "<sip:stranger@example.com>;tag=stranger",
            "To": "<sip:callee@example.com>",
            "Call-ID": f"{branch}@stranger.example",
            "CSeq": f"1 {method}",
            "Contact": f"<sip:stranger@{self.host}:{self.port}>",
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        text = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        uri = f"sip:callee@{self.target[0]}:{self.target[1]}"
        self.send(
            f"{method} {uri} SIP/2.0\r\n{text}Content-Length: {len(body)}\r\n\r\n{body}".encode()
        )


async def test_a_stranger_cannot_send_within_a_dialog(nodes: Any) -> None:
    """A stranger who has read Call-ID and tags gets 481, as if there were no such dialog; the call
    goes on.
    """

    callee, caller = await nodes.ua("callee"), await nodes.ua("caller")
    call, theirs = await nodes.connected(caller, callee)
    assert theirs.dialog is not None
    target_before = theirs.dialog.remote_target
    stranger = Stranger(callee.local("udp").sockaddr)
    ids = {
        "From": str(call.dialog.local),
        "To": str(call.dialog.remote),
        "Call_ID": call.call_id,
    }
    for number, method in enumerate(
        ("BYE", "INVITE", "UPDATE", "REFER", "INFO", "NOTIFY", "OPTIONS")
    ):
        more = {
            "Refer_To": "<sip:elsewhere@example.com>",
            "Event": "refer",
            "CSeq": f"{number + 7} {method}",
        }
        stranger.request(method, branch=str(number), **ids, **more)
        while (answered := await stranger.final()).method != method:
            pass
        assert answered.status == 481
        if method == "INVITE":
            stranger.request("ACK", branch=str(number), **{**ids, "CSeq": f"{number + 7} ACK"})
    assert theirs.state == "confirmed"
    assert theirs.dialog.remote_target == target_before
    assert (await call.info(b"Signal=1\r\n")).status == 405, (
        "the caller itself is heard, in the old sequence"
    )
    await call.bye()
    stranger.close()


async def test_the_peer_may_come_from_where_its_contact_is(nodes: Any) -> None:
    """NAT and programs with two sockets: the source of the INVITE and the latest Contact's address
    are both the peer's.
    """

    callee = await nodes.answering("callee")
    first, other = (
        Stranger(callee.local("udp").sockaddr),
        Stranger(callee.local("udp").sockaddr, "127.99.99.98"),
    )
    ids = {"Call_ID": "one-call"}
    first.request("INVITE", branch="1", **ids)
    answered = await first.final()
    ids["To"] = answered.get("To") or ""
    first.request("ACK", branch="2", CSeq="1 ACK", **ids)
    other.request("OPTIONS", branch="3", CSeq="2 OPTIONS", **ids)
    assert (await other.final()).status == 481
    moved = f"<sip:stranger@{other.host}:{other.port}>"
    first.request(
        "UPDATE", branch="4", CSeq="3 UPDATE", Contact=moved, **ids
    )  # a target refresh (RFC 3311)
    assert (await first.final()).status == 200
    other.request("OPTIONS", branch="5", CSeq="4 OPTIONS", **ids)
    assert (await other.final()).status == 200
    first.request("BYE", branch="6", CSeq="5 BYE", **ids)
    assert (await first.final()).status == 200
    first.close()
    other.close()


async def test_a_flood_is_answered_and_not_remembered(
    nodes: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transactions, "_MOST_OF_ONE_SOURCE", 50)

    callee = await nodes.ua("callee")
    stranger = Stranger(callee.local("udp").sockaddr)
    statuses = []
    for number in range(200):
        stranger.request("SUBSCRIBE", branch=f"s{number}")
        statuses.append((await stranger.final()).status)
    assert set(statuses[:50]) == {405}
    assert set(statuses[50:]) == {503}
    assert len(callee.layer.transactions()) == 50
    other = Stranger(callee.local("udp").sockaddr, "127.99.99.98")
    other.request("OPTIONS", branch="o")
    assert (await other.final()).status == 200, "others are served as before"
    stranger.close()
    other.close()
