"""A certificate is refused by whom it was shown to: a platform that never connected has refused none."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from harness.calls.events import Event, TlsHandshake, TransportFailed
from harness.calls.verdict import Verdict
from harness.phone.leg import accept_every_leg
from harness.scenario.ai import Ai
from harness.scenario.endpoints import StandInEndpoint
from tests.unit.scenario.conftest import MakeContext

INVITED = SimpleNamespace(
    id="stand-in.1", events=[SimpleNamespace(at=12.0)], phone=SimpleNamespace(is_ours=accept_every_leg)
)


def handshake(at: float, *, failed: bool = True) -> Event:
    return TlsHandshake(at=at, phone="stand-in", remote="127.0.0.1:40004", failed=failed)


@pytest.mark.parametrize(
    ("events", "incoming", "verdict"),
    [
        ([handshake(11.0)], [], Verdict.PASSED),
        ([handshake(11.0, failed=False)], [], Verdict.PASSED),  # some look at the certificate once they are connected
        ([handshake(11.0, failed=False)], [INVITED], Verdict.FAILED),
        ([], [INVITED], Verdict.FAILED),
        ([handshake(9.0)], [], Verdict.NOT_OBSERVABLE),  # of a call before
        (
            [TransportFailed(at=11.0, phone="stand-in", transport="tls", remote="x", reason="y")],
            [],
            Verdict.NOT_OBSERVABLE,
        ),
        ([], [], Verdict.NOT_OBSERVABLE),  # a trunk that is taken for down, since an earlier call failed
    ],
)
def test_who_is_shown_it(make_context: MakeContext, events: list[Event], incoming: list[Any], verdict: Verdict) -> None:
    context = make_context(ai="stand-in")
    ai = Ai(context)
    phone: Any = SimpleNamespace(events=events, incoming=incoming)
    ai._endpoint = StandInEndpoint(context, phone, context.trunk)
    of: Any = SimpleNamespace(began=10.0)
    ai.was_refused_for_its_certificate(of)
    (found,) = context.evidence.findings
    assert (found.check, found.verdict) == ("route.not_reached", verdict)
