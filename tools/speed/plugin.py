"""``make bench-plugin``: what the pytest plugin costs a project that does not use it.

Whole processes in turns, with the plugin and without it: their processor time, since wall time is
the machine's other work as well. Exits 1 when the medians differ by more than the bar.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

BAR_MS = 50.0
_ROUNDS = 15
_QUIET = (
    "-q",
    "--collect-only",
    "-p",
    "no:cacheprovider",
    "-p",
    "no:hypothesispytest",
    "-p",
    "no:anyio",
)


def main() -> int:
    """Measure, print both medians, and judge their difference."""
    took: dict[str, list[float]] = {"with": [], "without": []}
    with tempfile.TemporaryDirectory(prefix="harness-plugin-") as directory:
        Path(directory, "test_nothing.py").write_text(
            "def test_nothing():\n    pass\n", encoding="utf-8"
        )
        for _ in range(_ROUNDS + 1):
            for which, times in took.items():
                times.append(
                    _one(directory, [] if which == "with" else ["-p", "no:harness.pytest_plugin"])
                )
    with_it, without = (
        statistics.median(times[1:]) for times in took.values()
    )  # the first fills the caches
    difference = with_it - without
    print(
        f"processor time: with the plugin {with_it:.0f} ms, without {without:.0f} ms: {difference:+.1f} ms (bar {BAR_MS:g} ms)"
    )
    return int(difference > BAR_MS)


def _one(directory: str, more: list[str]) -> float:
    """Processor time of one process, in ms."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-m", "pytest", *_QUIET, *more],
        cwd=directory,
        check=True,
        capture_output=True,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


if __name__ == "__main__":
    sys.exit(main())
