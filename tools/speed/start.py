"""From the command to its first INVITE: ``harness verify --row TD-INBOUND``."""

from __future__ import annotations

import json
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from tools import HARNESS
from tools.speed.matrix import DEPLOYMENTS

_ROUNDS = 3


def measure_start() -> dict[str, float]:
    """The median of three: the first of them finds no file in the cache."""
    return {"start_to_invite_s": statistics.median(_once() for _ in range(_ROUNDS))}


def _once() -> float:
    with tempfile.TemporaryDirectory() as reports:
        command = [
            str(HARNESS),
            "verify",
            DEPLOYMENTS[0],
            "--row",
            "TD-INBOUND",
            "--reports",
            reports,
        ]
        began = time.monotonic()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        logs = Path(reports).glob("latest/cases/*/events.jsonl")
        return min(at for log in logs for at in _invites(log)) - began


def _invites(log: Path) -> list[float]:
    """When the harness sent an INVITE, on this machine's monotonic clock."""
    events = [
        json.loads(line).get("event", {}) for line in log.read_text(encoding="utf-8").splitlines()
    ]
    return [
        event["at"]
        for event in events
        if event.get("kind") == "SipMessage"
        and event["direction"] == "sent"
        and event["text"].startswith("INVITE ")
    ]
