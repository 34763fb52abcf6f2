"""Runs that left no record of their end: killed ones, and those that preflight let place no call."""

from __future__ import annotations

from pathlib import Path

from harness.report.scope import Scope
from harness.support.files import json_file
from harness.support.mask import mask_text

PREFLIGHT = "preflight.json"
NEVER_ENDED = "the run never came to its end: it left no record of one"
#: Of what preflight found wrong so many lines stand where one has to do.
_MOST_FAILED = 3


def why_it_never_ended(run: Path, scope: Scope) -> str:
    """Why a run left no record of its end: preflight let it place no call, or nobody knows."""
    if scope.options.get("preflight") != "stop":
        return NEVER_ENDED
    try:
        reports = json_file.read(run / PREFLIGHT)
        said = [
            mask_text((f"{report['deployment']}: " if reports[1:] else "") + f"{line['name']}: {line['detail']}")
            for report in reports
            for line in report["lines"]
            if line["status"] == "failed"
        ]
    except (OSError, ValueError, TypeError, KeyError):
        return NEVER_ENDED
    more = [f"and {len(said) - _MOST_FAILED} more"] if len(said) > _MOST_FAILED else []
    return f"preflight ended it before its first call: {'; '.join(said[:_MOST_FAILED] + more)}" if said else NEVER_ENDED
