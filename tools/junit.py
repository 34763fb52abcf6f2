"""What pytest's JUnit file says, in figures."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree


def counts(junit: Path) -> dict[str, int]:
    """How many cases passed, failed (or broke) and were skipped. Raises ``OSError``,
    ``ParseError``.
    """
    found = {"passed": 0, "failed": 0, "skipped": 0}
    for case in ElementTree.parse(junit).iter("testcase"):
        kinds = {child.tag for child in case}
        outcome = (
            "failed"
            if kinds & {"failure", "error"}
            else "skipped"
            if "skipped" in kinds
            else "passed"
        )
        found[outcome] += 1
    return found
