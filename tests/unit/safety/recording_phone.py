"""A phone whose process only notes which INVITEs and REFERs would leave."""

from __future__ import annotations

import itertools
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from harness.case.events import LegStarted
from harness.deployment import Deployment
from harness.deployment.safety import Guard
from harness.phone import PhoneConfig
from harness.phone.leg import Leg
from harness.phone.phone import Phone
from harness.phone.rules import Rules
from tests.unit.safety.conftest import HOST


class RecordingPhone:
    """The caller of a deployment, with a call up."""

    def __init__(self, deployment: Deployment) -> None:
        self.left: list[str] = []  #: the targets of INVITEs and REFERs
        guard = Guard(deployment, deployment.region_at("caller"))
        owner: Any = SimpleNamespace(changed=threading.Condition(), fatal_error=None)
        process: Any = SimpleNamespace(call=self._command)
        self.phone = Phone(
            owner,
            process,
            1,
            PhoneConfig("caller", "+14155550101", HOST, max_calls=99),
            sink=lambda event: None,
            marks=itertools.count(),
            directory=Path(),
            rules=Rules(guard, refer_guard=guard.refer),
        )
        self.leg = self._leg(0)

    def _command(self, name: str, within: float, **arguments: Any) -> int:
        assert name in ("dial", "transfer"), name
        self.left.append(arguments["uri"])
        key = len(self.left)
        self.phone._legs[key] = self._leg(key)
        return key

    def _leg(self, key: int) -> Leg:
        started = LegStarted(
            at=0.0,
            phone="caller",
            leg=f"caller.{key}",
            direction="outgoing",
            mark=key,
            remote_uri="",
        )
        return Leg(self.phone, key, started, None)

    def follow(self, uri: str) -> None:
        """Have the far end send a REFER to ``uri``."""
        self.phone.follow(self.leg, uri, has_room=True)
        self.left.append(uri)
