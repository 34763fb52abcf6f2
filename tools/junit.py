"""What pytest's JUnit file says, in figures."""

from __future__ import annotations

import contextlib
from pathlib import Path
from xml.etree import ElementTree

_OUTCOMES = {"failure": "failed", "error": "failed", "skipped": "skipped"}


def counts(junit: Path) -> dict[str, int]:
    """How many cases passed, failed (or broke) and were skipped; none of a file that cannot be
    read.
    """
    found = {"passed": 0, "failed": 0, "skipped": 0}
    with contextlib.suppress(OSError, ElementTree.ParseError):
        for case in ElementTree.parse(junit).iter("testcase"):
            outcomes = [_OUTCOMES[child.tag] for child in case if child.tag in _OUTCOMES]
            found[outcomes[0] if outcomes else "passed"] += 1
    return found
