"""Checks of a voice agent's responsiveness: its times against the limits of the deployment file."""

from __future__ import annotations

from collections.abc import Mapping

from harness.calls import measurement
from harness.calls.checks.finding import judged
from harness.calls.checks.registry import check
from harness.calls.verdict import Finding

#: Check → the event that must come in time.
WHAT: Mapping[str, str] = {
    "manners.dead_air": "the AI's first word comes",
    "manners.answer": "the AI answers the caller's last word",
    "manners.transfer": "the person is heard after the AI's last sound",
    "manners.interruption": "the AI stops when the caller speaks",
}


@check("responsiveness")
def in_time(check: str, subject: str, seconds: float | None, limit_s: float, basis: str) -> Finding:
    """The event of the check came within ``limit_s``. ``seconds`` is None when it never came; ``basis`` names what was measured."""
    return judged(
        check,
        subject,
        seconds is not None and seconds <= limit_s,
        expected=f"{WHAT[check]} within {limit_s:g} s",
        actual=f"never: {basis}" if seconds is None else f"it took {seconds:.2f} s {basis}",
        measured=measurement.Duration(what=WHAT[check], seconds=seconds, limit_s=limit_s),
    )
