"""Calls to numbers of a world."""

from __future__ import annotations

from harness.phone.leg import Leg
from tests.process.world.conftest import Stage

TRUNK = "zum KI-Anbieter"


def dial(cu: Stage, line: str) -> Leg:
    return cu.dial(line, TRUNK, "test phone 1")
