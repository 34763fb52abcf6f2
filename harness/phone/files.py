"""File names of a leg's recordings. Phone names come from customers and may contain any character."""

from __future__ import annotations

from pathlib import Path

from harness.support.files.names import stem_of


def path(directory: Path, leg: str, ending: str) -> Path:
    """The file of a leg. It is always inside ``directory``, and different for each leg."""
    return directory / f"{stem_of(leg)}{ending}"
