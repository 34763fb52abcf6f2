"""From the command to its first INVITE: ``harness verify --row TD-INBOUND``."""

from __future__ import annotations

import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from harness.case.events import SipMessage
from harness.report.evidence import CaseEvidence
from tools import HARNESS
from tools.speed.matrix import DEPLOYMENTS

_ROUNDS = 3


def measure_start() -> dict[str, float]:
    """The median of three: the first of them finds no file in the cache."""
    return {"start_to_invite_s": statistics.median(_once() for _ in range(_ROUNDS))}


def _once() -> float:
    with tempfile.TemporaryDirectory() as reports:
        command = [str(HARNESS), "verify", DEPLOYMENTS[0], "--row", "TD-INBOUND"]
        command += ["--reports", reports]
        began = time.monotonic()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        cases = [CaseEvidence.read(path) for path in Path(reports).glob("latest/cases/*")]
        sent = [
            message.at
            for case in cases
            for message in case.events.of(SipMessage)
            if message.direction == "sent" and message.text.startswith("INVITE ")
        ]
        return min(sent) - began
