"""Talkdesk's world as softphones meet it."""

from __future__ import annotations

import pytest

from harness.audio.marks import reply_to
from harness.sip.message import Request
from tests.process.world.conftest import PATIENCE, Stage, hears


@pytest.mark.parametrize("trunk", ["udp-ip", "udp-digest", "tcp-ip", "tcp-digest", "tls-ip", "tls-digest"])
def test_a_call_reaches_the_ai_and_both_hear_each_other(td: Stage, trunk: str) -> None:
    call = td.dial("inbound", trunk)
    call.wait_state("confirmed", PATIENCE)
    hears(call, reply_to(call.mark))
    hears(call, 240)
    record = td.record()
    assert record.number_from == "+14155550101"
    assert record.number_to == "+12065550100"
    assert record.status == "in-progress"
    assert [mark["mark"] for mark in record.witness("marks")] == [call.mark]
    assert record.witness("codec") == "PCMU"
    invite = [message for message in record.witness("messages") if message["text"].startswith("INVITE ")][-1]
    wanted = td.deployment.trunk(trunk)
    assert (invite["transport"], invite["local"].rpartition(":")[2]) == (wanted.transport, str(wanted.port))
    request = Request.parse(invite["text"])
    assert isinstance(request, Request)
    assert request.uri.user == "+12065550100"
    assert request.from_.uri.user == "+14155550101"
    call.hangup()
    call.wait_state("disconnected", PATIENCE)
