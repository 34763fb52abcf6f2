"""Which calls a case places, before any is placed: who calls which number, and for how long at most."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from harness.deployment import Deployment
from harness.matrix import Case

By = Literal["the harness", "the AI", "the platform"]

_REGISTRATIONS = ("TD-REGISTER-OK", "TD-REGISTER-BADPASS", "TD-REGISTER-NOTALLOWED", "KEEPALIVE")
_TRANSFERS = (
    "TD-TRANSFER-BLIND", "TD-TRANSFER-WARM", "GL-TRANSFER-PLAIN", "GL-TRANSFER-TOPIC", "HANGUP-AGENT", "TRANSFER-UNAVAILABLE",
)  # fmt: skip


@dataclass(frozen=True)
class PlannedCall:
    """One call. Only the harness's own count against its caps; the others come of them, and somebody pays for them too."""

    who: str
    number: str
    by: By = "the harness"


def calls_of(case: Case, deployment: Deployment) -> list[PlannedCall]:
    """Every call of a case, in order; the tests hold this against what cases really dial."""
    return list(_calls(case, deployment))


def _calls(case: Case, deployment: Deployment) -> Iterator[PlannedCall]:
    row, trunk = case.row.id, deployment.trunk(case.trunk)
    if row in _REGISTRATIONS:
        return
    if row == "NOSUCHNUMBER":
        yield PlannedCall("caller", str(deployment.numbers.no_such_number))
        return
    if row.startswith("GL-ALLOWLIST"):
        yield PlannedCall("stand-in", deployment.groups["queue"].did)
        return
    line = case.line
    if line is None:
        return
    did = deployment.did(line, trunk.name)
    if row == "TD-OUTBOUND-CAMPAIGN":
        yield PlannedCall("campaign", str(deployment.phones["customer"].number), "the platform")
        return
    for who in _callers(row, trunk.max_concurrent_calls):
        yield PlannedCall(who, did)
    if row == "GL-PLAINTEXT" and case.axes["ai"] == "stand-in":
        for _ in ("udp", "tcp"):
            yield PlannedCall("stand-in", deployment.groups["queue"].did)
    assistant = deployment.assistants[deployment.lines[line].assistant]
    if row in _TRANSFERS and assistant.transfer_to is not None:
        target = deployment.groups[assistant.transfer_to].did
        if case.axes.get("refer") == "passed-on":
            yield PlannedCall("caller", target)  # its phone follows the REFER
        elif case.axes["ai"] == "stand-in":
            yield PlannedCall("stand-in", target, "the harness" if row == "TD-TRANSFER-WARM" else "the platform")
        else:
            yield PlannedCall("AI", target, "the AI")


def _callers(row: str, most: int) -> list[str]:
    names = ["caller", "caller-2", "caller-3", "caller-4"]
    return {"TD-CAPACITY": names[: most + 1], "CONCURRENT": names[:3]}.get(row, names[:1])
