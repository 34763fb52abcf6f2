"""An INVITE whose last headers were lost on the way to us: no check takes one of them for absent."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.errors import PhoneParseError
from harness.scenario.call import Call
from tests.unit.phone_events import sip_message

HEAD = "INVITE sip:+13125550100@127.0.0.1 SIP/2.0\r\nX-Padding: " + "x" * 3800


def call_of(text: str) -> Call:
    invite = sip_message("received", text, leg="stand-in.1")
    return Call(
        cast("Any", None), cast("Any", SimpleNamespace(invite=invite, events=[invite], id="a", successor=None)), "ai"
    )


def test_what_lost_headers_is_not_looked_at() -> None:
    with pytest.raises(PhoneParseError, match="and drops the rest"):
        call_of(HEAD).invite  # noqa: B018


def test_what_lost_its_body_alone_is() -> None:
    invite = call_of(f"{HEAD}\r\nX-Last: 1\r\nContent-Length: 900\r\n\r\nv=0\r\n").invite
    assert invite is not None
    assert invite.get("X-Last") == "1"
