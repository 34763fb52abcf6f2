"""Diagnosis: from findings and events to the documented cause, who owns it, and its fix.

It works on evidence alone: on what checks found and on what was recorded, live or read back from
disk. It knows neither phones nor the simulated world.
"""

from __future__ import annotations

from harness.diagnosis.catalogue import Confidence
from harness.diagnosis.engine import diagnose
from harness.diagnosis.result import Cause, Diagnosis, RuledOut
from harness.diagnosis.scene import Visibility

__all__ = ["Cause", "Confidence", "Diagnosis", "RuledOut", "Visibility", "diagnose"]
