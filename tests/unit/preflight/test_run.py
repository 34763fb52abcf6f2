"""All probes at once, and what they say together."""

from __future__ import annotations

from typing import Any

import pytest

from harness.run.preflight import ProbeKind, ProbeResult
from harness.sip.message import Request, Response
from tests.unit.preflight.conftest import FAILED, OK, check, registrar, says


def test_all_probes_run_at_once(lab: Any, far: Any) -> None:
    """Nobody is answered before everybody has asked: one after the other, all would ask in vain."""
    seen: set[str] = set()

    def together(request: Request) -> Response | None:
        seen.add(request.call_id)
        return Response.to_request(request, 200, tag="far") if len(seen) >= 16 else None

    lab.account["port"] = far.udp(together)
    for number in range(7):
        lab.plain["accounts"][f"another-{number}"] = {**lab.account, "port": far.udp(together)}
        lab.plain["phones"][f"phone-{number}"] = {"account": f"another-{number}", "user": f"user-{number}"}
    answered = [line for line in lab.report().lines if line.look in (ProbeKind.OPTIONS, ProbeKind.REGISTRATION)]
    assert len(answered) == 16
    assert not [line for line in answered if line.status is FAILED]


def test_a_probe_that_breaks_hides_no_other(lab: Any, far: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object) -> ProbeResult:
        raise ZeroDivisionError("as nobody expected")

    monkeypatch.setattr("harness.run.preflight.machine.rtp_line", broken)
    lab.account["port"] = far.udp()
    check(lab.line("RTP ports of carrier"), FAILED, "ZeroDivisionError", "Registration fails")
    check(lab.line("OPTIONS"), OK, "200")


def test_a_report_is_plain_data_without_secrets(lab: Any, far: Any) -> None:
    lab.account["port"] = far.udp(registrar())
    plain = lab.report().to_plain()
    assert plain["deployment"] == "lab"
    assert {line["status"] for line in plain["lines"]} == {"ok"}
    assert "right" not in str(plain)


def test_the_platforms_own_port_is_asked(lab: Any, far: Any) -> None:
    """KEEPALIVE asks it by OPTIONS, from an agent's phone."""
    lab.account["port"] = far.udp()
    lab.plain["phones"]["anna"] = {"account": "carrier", "user": "agent-anna", "password": "right"}
    lab.plain["groups"] = {"people": {"did": "+13125550177", "agents": ["anna"]}}
    lab.plain["platform"].update(host=far.address, port=far.udp(says(403)))
    names = {line.name: line for line in lab.report().lines}
    asked = names[f"OPTIONS {far.address}:{lab.plain['platform']['port']}/udp"]
    assert asked.status is FAILED
    assert "not allowed" in asked.detail


def test_the_platforms_port_is_asked_over_no_transport_of_a_carrier(lab: Any, far: Any) -> None:
    """An agent at a carrier's telephone speaks to its carrier alone: over TLS, say, which the platform's own port has not."""
    lab.account["port"] = far.udp()
    carrier = {**lab.account, "transport": "tcp", "port": far.stream()}
    lab.plain["accounts"]["telephones"] = carrier
    lab.plain["phones"]["anna"] = {"account": "telephones", "number": "+14155550102", "password": "right"}
    lab.plain["groups"] = {"Billing": {"did": "+18155550101", "agents": ["anna"]}}
    lab.plain["platform"].update(host=far.address, port=far.closed_port())
    assert not [line for line in lab.report().lines if f":{lab.plain['platform']['port']}/" in line.name]
