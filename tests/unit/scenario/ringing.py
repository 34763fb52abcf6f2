"""A call that rings at the stand-in's phone."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any


def ringing(name: str, number: str, caller: str, began: float, state: str = "early") -> Any:
    text = (
        f"INVITE sip:{number}@ai.example SIP/2.0\r\nFrom: <sip:{caller}@acme.example>;tag=a\r\nTo: <sip:{number}@ai.example>\r\n"
        f"Call-ID: {name}\r\nCSeq: 1 INVITE\r\n\r\n"
    )
    return SimpleNamespace(
        id=name,
        events=[SimpleNamespace(at=began)],
        invite=SimpleNamespace(text=text),
        answer=lambda: None,
        state=state,
        successor=None,
        predecessor=None,
    )
