"""Names of the files that hold what a leg heard and sent: customers name phones as they like."""

from __future__ import annotations

from pathlib import Path

from harness.support.files.names import stem_of


def path(directory: Path, leg: str, ending: str) -> Path:
    """The file of a leg, always within ``directory``; different legs have different ones."""
    return directory / f"{stem_of(leg)}{ending}"
