"""Session timers (RFC 4028): who refreshes, and what ends a session."""

from __future__ import annotations

from typing import Any

import pytest

from harness.sip.message import Message
from harness.world.wire.agent import UserAgent
from harness.world.wire.dialog import How

SHORT_S = 4  # RFC 4028 has 90 at least


async def short(nodes: Any, name: str, **options: Any) -> UserAgent:
    ua: UserAgent = await nodes.ua(name, **options)
    ua.least_session_s = 1
    return ua


def asks(refresher: str) -> list[tuple[str, str]]:
    return [("Session-Expires", f"{SHORT_S};refresher={refresher}")]


def agreed(nodes: Any) -> str | None:
    """The Session-Expires of the callee's 200 to the INVITE."""
    return Message.parse(nodes.starts("callee", "sent", "SIP/2.0 200")[0].data).get(
        "Session-Expires"
    )


@pytest.mark.parametrize(
    ("refresher", "node", "other"), [("uac", "caller", "callee"), ("uas", "callee", "caller")]
)
async def test_the_agreed_side_refreshes(nodes: Any, refresher: str, node: str, other: str) -> None:
    caller, callee = await short(nodes, "caller"), await short(nodes, "callee")
    call, theirs = await nodes.connected(caller, callee, headers=asks(refresher))
    assert agreed(nodes) == f"{SHORT_S};refresher={refresher}"
    # Without the first, the other side would have ended it a third of the interval before its
    # end (section 10).
    await nodes.until(node, "sent", "UPDATE", 2)
    assert nodes.starts(other, "sent", "UPDATE") == []
    assert call.state == theirs.state == "confirmed"
    await call.bye()


async def test_a_session_that_is_not_refreshed_ends(nodes: Any) -> None:
    def no_refresh(passage: Any) -> bytes | None:
        lost = passage.direction == "out" and passage.data.startswith(b"UPDATE")
        return None if lost else passage.data

    caller = await short(nodes, "caller", filter=no_refresh, timers=nodes.quick)
    _, theirs = await nodes.connected(caller, await short(nodes, "callee"), headers=asks("uac"))
    end = await theirs.wait_ended(10)
    assert (end.how, end.by) == (How.EXPIRED, "local")
