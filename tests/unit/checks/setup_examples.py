"""The same for what is agreed on while a call is set up, as its messages show it."""

from __future__ import annotations

from harness.calls.checks import provisional, session
from tests.unit.checks.calls import answered
from tests.unit.checks.example import Example
from tests.unit.checks.session_messages import answer, invite

_REQUIRES = invite("Require: 100rel")
_RELIABLE = answer("183 Session Progress", "Require: 100rel", "RSeq: 1")
_UNRELIABLE = answer("180 Ringing")

OF_SETUPS = [
    Example(
        "prack",
        provisional.acknowledged,
        lambda: provisional.acknowledged("caller.1", [_REQUIRES, _RELIABLE]),
        (
            lambda: provisional.acknowledged("caller.1", [_REQUIRES]),
            lambda: provisional.acknowledged("caller.1", [_REQUIRES, _UNRELIABLE], "it never came"),
            lambda: provisional.acknowledged("caller.1", [_REQUIRES, _RELIABLE], "the call has ended with 481 Gone"),
            lambda: provisional.acknowledged("caller.1", [_REQUIRES, _UNRELIABLE, _RELIABLE]),
        ),
    ),
    Example(
        "session.interval",
        session.interval,
        lambda: session.interval("p.1", answered("Session-Expires: 90;refresher=uas")),
        (lambda: session.interval("p.1", answered()), lambda: session.interval("p.1", [])),
    ),
]
