"""Calls with the simulated world, and its records of them."""

from __future__ import annotations

from collections.abc import Callable

from harness.deployment import Deployment
from harness.witness.call_record import CallRecord
from harness.witness.synthflow import SynthflowApi
from tools.interop.processes import until


def listener(deployment: Deployment, name: str) -> tuple[str, int, str]:
    """Host, port and transport of ``carrier``, ``platform``, ``gate-…`` or ``synthflow-…``."""
    if name in ("carrier", "agents"):
        account = deployment.accounts[name]
        assert account.host
        assert account.port
        return account.host, account.port, account.transport
    who, _, trunk_name = name.partition(" ")
    trunk = deployment.trunk(trunk_name)
    if who == "synthflow":
        assert trunk.host
        return trunk.host, trunk.port, trunk.transport
    assert trunk.termination
    host, _, port = trunk.termination.partition(":")
    return host, int(port), trunk.transport


def secret(deployment: Deployment, phone: str) -> tuple[str, str]:
    """User name and password of one of the deployment's phones."""
    entry = deployment.phones[phone]
    assert entry.password
    return entry.username or entry.aor_user, entry.password.get_secret_value()


def where(deployment: Deployment, account: str, transport: str) -> tuple[str, int]:
    """Where a node with accounts listens: UDP and TCP on one port, TLS on the next."""
    host, port, own = listener(deployment, account)
    return host, port + (transport == "tls") - (own == "tls")


def record_of(
    deployment: Deployment, number: str, fulfilled: Callable[[CallRecord], bool]
) -> CallRecord:
    """The newest call from that number, once it is as expected."""
    synthflow = deployment.synthflow
    assert synthflow
    assert synthflow.api_base
    assert synthflow.api_token
    api = SynthflowApi(
        synthflow.api_base, synthflow.api_token.get_secret_value(), synthflow.ca_file
    )
    try:

        def look() -> CallRecord | None:
            calls = [
                call for call in api.calls(0.0, deployment.models()) if call.number_from == number
            ]
            newest = max(calls, key=lambda call: int(call.plain["start_time"]), default=None)
            return newest if newest is not None and fulfilled(newest) else None

        return until(f"the record of the call from {number}", look)
    finally:
        api.close()
