"""Strangers cannot send within a dialog, and a flood of requests takes no memory."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from harness.world.wire import agent, transactions
from harness.world.wire.incoming import IncomingCall
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
        self.send(f"{method} {uri} SIP/2.0\r\n{text}Content-Length: {len(body)}\r\n\r\n{body}".encode())


def test_a_stranger_cannot_send_within_a_dialog(nodes: Any) -> None:
    """A stranger who has read Call-ID and tags gets 481, as if there were no such dialog; the call goes on."""

    async def story() -> None:
        callee, caller = await nodes.ua("callee"), await nodes.ua("caller")
        call, theirs = await nodes.connected(caller, callee)
        assert theirs.dialog is not None
        target_before = theirs.dialog.remote_target
        stranger = Stranger(callee.local("udp").local)
        ids = {"From": str(call.dialog.local), "To": str(call.dialog.remote), "Call_ID": call.call_id}
        for number, method in enumerate(("BYE", "INVITE", "UPDATE", "REFER", "INFO", "NOTIFY", "OPTIONS")):
            more = {"Refer_To": "<sip:elsewhere@example.com>", "Event": "refer", "CSeq": f"{number + 7} {method}"}
            stranger.request(method, branch=str(number), **ids, **more)
            while (answered := await stranger.final()).method != method:
                pass
            assert answered.status == 481
            if method == "INVITE":
                stranger.request("ACK", branch=str(number), **{**ids, "CSeq": f"{number + 7} ACK"})
        assert theirs.state == "confirmed"
        assert theirs.dialog.remote_target == target_before
        assert (await call.info(b"Signal=1\r\n")).status == 405, "the caller itself is heard, in the old sequence"
        await call.bye()
        stranger.close()

    nodes.run(story())


def test_the_peer_may_come_from_where_its_contact_is(nodes: Any) -> None:
    """NAT and programs with two sockets: the source of the INVITE and the Contact's address are both the peer's."""

    async def story() -> None:
        callee = await nodes.answering("callee")
        first, other = Stranger(callee.local("udp").local), Stranger(callee.local("udp").local, "127.99.99.98")
        contact = f"<sip:stranger@{other.host}:{other.port}>"
        ids = {"Call_ID": "one-call", "Contact": contact}
        first.request("INVITE", branch="1", **ids)
        answered = await first.final()
        ids["To"] = answered.get("To") or ""
        first.request("ACK", branch="2", CSeq="1 ACK", **ids)
        other.request("OPTIONS", branch="3", CSeq="2 OPTIONS", **ids)
        assert (await other.final()).status == 200
        first.request("BYE", branch="4", CSeq="3 BYE", **ids)
        assert (await first.final()).method in ("INVITE", "BYE")
        first.close()
        other.close()

    nodes.run(story())


def test_a_stranger_cannot_cancel(nodes: Any) -> None:
    async def story() -> None:
        callee, caller = await nodes.ua("callee"), await nodes.ua("caller")
        taken = nodes.taking(callee, answers=False)
        call = nodes.dial(caller, callee)
        there = await taken.get()
        stranger = Stranger(callee.local("udp").local)
        invite = there.request
        stranger.request(
            "CANCEL",
            branch="1",
            Via=str(invite.via),
            From=invite.get("From") or "",
            To=invite.get("To") or "",
            Call_ID=call.call_id,
        )
        assert (await stranger.final()).status == 481
        there.answer(nodes.answer)
        await call.wait_answered(5)
        await call.bye()
        stranger.close()

    nodes.run(story())


def test_a_flood_is_answered_and_not_remembered(nodes: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transactions, "_MOST_OF_ONE_SOURCE", 50)

    async def story() -> None:
        callee = await nodes.ua("callee")
        stranger = Stranger(callee.local("udp").local)
        statuses = []
        for number in range(200):
            stranger.request("SUBSCRIBE", branch=f"s{number}")
            statuses.append((await stranger.final()).status)
        assert set(statuses[:50]) == {405}
        assert set(statuses[50:]) == {503}
        assert len(callee.transactions()) == 50
        other = Stranger(callee.local("udp").local, "127.99.99.98")
        other.request("OPTIONS", branch="o")
        assert (await other.final()).status == 200, "others are served as before"
        stranger.close()
        other.close()

    nodes.run(story())


def test_calls_beyond_what_a_node_takes_are_refused(nodes: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent, "_MOST_CALLS", 1)

    async def story() -> None:
        callee, caller = await nodes.answering("callee"), await nodes.ua("caller")
        call = nodes.dial(caller, callee)
        await call.wait_answered(5)
        stranger = Stranger(callee.local("udp").local)
        stranger.request("INVITE", branch="1")
        refused = await stranger.final()
        assert (refused.status, refused.get("Retry-After")) == (503, "30")
        stranger.request("ACK", branch="1", To=refused.get("To") or "")
        await call.bye()
        stranger.close()

    nodes.run(story())


def test_connections_of_one_source_are_limited(nodes: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.world.wire.layer._MOST_OF_ONE_SOURCE", 5)

    async def story() -> None:
        callee = await nodes.ua("callee", "tcp")
        local = callee.local("tcp").local
        held = [await asyncio.open_connection(*local, local_addr=(STRANGER, 0)) for _ in range(5)]
        for _, writer in held:
            writer.write(b"\r\n\r\n")
        assert [await reader.read(2) for reader, _ in held] == [b"\r\n"] * 5

        async def one_more() -> None:
            reader, _ = await asyncio.open_connection(*local, local_addr=(STRANGER, 0))
            await reader.read(1)

        with pytest.raises(ConnectionResetError):
            await one_more()
        other, others_writer = await asyncio.open_connection(*local, local_addr=("127.99.99.98", 0))
        others_writer.write(b"\r\n\r\n")
        assert await other.read(2) == b"\r\n", "others are served as before"
        for kept in (others_writer, *(w for _, w in held)):
            kept.close()

    nodes.run(story())


def test_a_slow_multipart_body_does_not_block_a_node(nodes: Any) -> None:
    """A body of several parts, made to be read for a minute, during which the world does nothing else."""

    async def refuse(call: IncomingCall) -> None:
        call.reject(486)

    async def story() -> None:
        callee = await nodes.ua("callee")
        callee.on_invite = refuse
        stranger = Stranger(callee.local("udp").local)
        began = time.process_time()
        body = f"--a\r\nContent-Type: text/x;{chr(34) * 20_000}\r\n\r\nx\r\n--a--"
        stranger.request("INVITE", branch="1", body=body, Content_Type="multipart/mixed;boundary=a")
        refusal = await stranger.final(30)
        stranger.request("ACK", branch="1", To=refusal.get("To") or "")
        assert (refusal.status, time.process_time() - began < 1) == (486, True)
        stranger.close()

    nodes.run(story())
