"""``make stalls``: the unit tests while their processes are stopped for moments, again and again:
none may fail.

A machine that is busy with something else does the same to a test, between any two of its lines.
What takes for granted that no time passes there fails once in thousands of times beside a load, and
here soon. ``reports/stalls.json``: ``stalls``, ``stalled_s``, tests by how they ended, ``seconds``.
Exit code 0 when all passed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from xml.etree.ElementTree import ParseError

from tools import ROOT, junit

#: Seconds: how long a process is stopped, which no test may notice, and how long all go on then.
_STOPPED_S = (0.01, 0.09)
_GOES_ON_S = (0.0, 0.03)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, stall, count, say."""
    asked = _parser().parse_args(arguments)
    asked.reports.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="harness-stalls-") as directory:
        left, began = Path(directory, "junit.xml"), time.monotonic()
        pytest = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-n",
            str(asked.workers),
            f"--junitxml={left}",
            *asked.tests,
        ]
        stalls, stalled_s = stall_while_it_runs(subprocess.Popen(pytest, cwd=ROOT))
        found = {"passed": 0, "failed": 0, "skipped": 0}
        with contextlib.suppress(OSError, ParseError):
            found = junit.counts(left)
    figures = {
        "stalls": stalls,
        "stalled_s": round(stalled_s, 1),
        **found,
        "seconds": round(time.monotonic() - began, 1),
    }
    (asked.reports / "stalls.json").write_text(
        json.dumps(figures, indent=1) + "\n", encoding="utf-8"
    )
    print("  ".join(f"{name} {value}" for name, value in figures.items()))
    return int(not found["passed"] or not stalls or bool(found["failed"] or found["skipped"]))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make stalls", description=__doc__)
    parser.add_argument(
        "tests", nargs="*", default=["tests/unit"], help="which tests (default: tests/unit)"
    )
    parser.add_argument(
        "--workers", type=int, default=4, metavar="N", help="processes that run them"
    )
    parser.add_argument(
        "--reports", type=Path, default=ROOT / "reports", help="where the result is left"
    )
    return parser


def stall_while_it_runs(running: subprocess.Popen[bytes]) -> tuple[int, float]:
    """Stop one of its child processes after another, each for a moment; how often, and for how long
    in all.
    """
    stalls, stalled_s = 0, 0.0
    while running.poll() is None:
        time.sleep(random.uniform(*_GOES_ON_S))
        for child in children(running.pid):
            stopped_s = random.uniform(*_STOPPED_S)
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGSTOP)
                try:
                    time.sleep(stopped_s)
                finally:
                    os.kill(child, signal.SIGCONT)
                stalls, stalled_s = stalls + 1, stalled_s + stopped_s
    return stalls, stalled_s


def children(pid: int) -> list[int]:
    """The processes that a process has started (Linux, proc_pid_task(5)); none once it is over."""
    with contextlib.suppress(OSError):
        return [
            int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        ]
    return []


if __name__ == "__main__":
    sys.exit(main())
