"""``make stalls``: the unit tests while their processes are stopped for moments, again and again:
none may fail.

A machine that is busy with something else does the same to a test, between any two of its lines.
What takes for granted that no time passes there fails once in thousands of times beside a load, and
here soon. ``reports/stalls.json``: ``stalls``, ``stalled_s``, tests by how they ended, ``seconds``.
Exit code 0 when all passed.

``--matrices N`` runs the whole simulated matrix N times instead, beside six busy processes, while
processes of the run (workers, softphones, worlds) are stopped for 0.3 to 2 s, one after another.
The simulated world is sound, and what this machine delays may break a case and never fail it: exit
code 1 when a case failed. ``reports/stalls.json`` has the totals, and ``cases_1``, ``broken_1``,
``repeated_1`` and ``failed_1`` for the first matrix, and so on. A matrix with a failed case is kept
in ``reports/stalls``.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tools import HARNESS, ROOT, in_a_line, junit, read_json, write_json
from tools.soak.processes import children, descendants

#: Seconds: how long a process is stopped, which no test may notice, and how long all go on then.
_STOPPED_S = (0.01, 0.09)
_GOES_ON_S = (0.0, 0.03)
#: The same for a process of a matrix, which has to be noticed.
_BURST_S = (0.3, 2.0)
_BETWEEN_BURSTS_S = (0.5, 2.5)
#: So many processes of a matrix are stopped at once, at most.
_AT_ONCE = 3
_DEPLOYMENTS = sorted(map(str, (ROOT / "scenarios" / "deployments").glob("simulated-*.toml")))
_LOOKED_EVERY_S = 0.1
#: Busy processes beside a matrix.
_LOAD = 6
#: Runs until the process that started it has ended, in whatever way.
_BUSY = "import os\nwhile os.getppid() == {parent}: pass"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, stall, count, say."""
    asked = _parser().parse_args(arguments)
    asked.reports.mkdir(parents=True, exist_ok=True)
    return matrices(asked) if asked.matrices else _unit_tests(asked)


def _unit_tests(asked: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory(prefix="harness-stalls-") as directory:
        left, began = Path(directory, "junit.xml"), time.monotonic()
        pytest = [sys.executable, "-m", "pytest", "-q", "-n", str(asked.workers)]
        pytest += [f"--junitxml={left}", *(asked.tests or ["tests/unit"])]
        stalls, stalled_s = stall_while_it_runs(subprocess.Popen(pytest, cwd=ROOT))
        found = junit.counts(left)
    figures = {
        "stalls": stalls,
        "stalled_s": round(stalled_s, 1),
        **found,
        "seconds": round(time.monotonic() - began, 1),
    }
    write_json(asked.reports / "stalls.json", figures)
    print(in_a_line(figures))
    return int(not found["passed"] or not stalls or bool(found["failed"] or found["skipped"]))


def matrices(asked: argparse.Namespace) -> int:
    """Run the matrices, and say after each what it came to."""
    kept, began = asked.reports / "stalls", time.monotonic()
    shutil.rmtree(kept, ignore_errors=True)
    of_all: Counter[str] = Counter()
    each: dict[str, int] = {}
    is_whole = True
    for number in range(1, asked.matrices + 1):
        with tempfile.TemporaryDirectory(prefix="harness-stalls-") as place:
            directory = Path(place)
            stalls, stalled_s = _matrix(directory, asked.tests or _DEPLOYMENTS)
            found = counts(directory / "latest")
            if not found or found["failed"]:
                (kept / str(number)).mkdir(parents=True)
                shutil.copy(directory / "run.log", kept / str(number))
                if (directory / "latest").exists():
                    shutil.copytree(
                        (directory / "latest").resolve(), kept / str(number) / "run", symlinks=True
                    )
        is_whole &= bool(found)
        of_all.update(found | {"stalls": stalls, "stalled_s": round(stalled_s)})
        each |= {f"{name}_{number}": count for name, count in found.items()}
        seconds = round(time.monotonic() - began, 1)
        figures = {"matrices": number, **of_all, **each, "seconds": seconds}
        write_json(asked.reports / "stalls.json", figures)
        said = in_a_line(found) or "left no result"
        print(f"matrix {number}: {said}  stalls {stalls}", flush=True)
    return int(not is_whole or not of_all["stalls"] or bool(of_all["failed"]))


def _matrix(directory: Path, arguments: Sequence[str]) -> tuple[int, float]:
    """Run a matrix beside a load and bursts; how many of these there were, and for how long in all."""
    command = [str(HARNESS), "verify", *arguments, "--reports", str(directory)]
    with (directory / "run.log").open("wb") as log:
        running = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
    # before, worlds start; behind, reports are written
    while running.poll() is None and not _has(directory, "scope.json"):
        time.sleep(_LOOKED_EVERY_S)
    with busy(_LOAD):
        stalls, stalled_s = burst_while_it_runs(running, lambda: _has(directory, "summary.json"))
    running.wait()
    return stalls, stalled_s


@contextlib.contextmanager
def busy(processes: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """So many processes that never rest, while this lasts."""
    nothing = subprocess.DEVNULL
    command = [sys.executable, "-c", _BUSY.format(parent=os.getpid())]
    started = [subprocess.Popen(command, stdin=nothing, stdout=nothing) for _ in range(processes)]
    try:
        yield started
    finally:
        for process in started:
            process.kill()
            process.wait()


def counts(run: Path) -> dict[str, int]:
    """A run's cases: how many there are, broke, were repeated, and failed; empty without a summary."""
    try:
        told = read_json(run / "summary.json")
        cases = [read_json(file) for file in run.glob("cases/*/case.json")]
    except (OSError, ValueError):
        return {}
    repeated = {case["id"] for case in cases if case["attempt"] > 1}
    return {
        "cases": told["cases"],
        "broken": told["broken"],
        "repeated": len(repeated),
        "failed": told["failed"] + told["not_observable"],
    }


def _has(reports: Path, file: str) -> bool:
    """Whether the run below has that file; ``latest`` names the run only once it is over."""
    return any(reports.glob(f"*/{file}"))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make stalls", description=__doc__)
    parser.add_argument(
        "tests",
        nargs="*",
        help="which tests (default: tests/unit), or arguments of harness verify for the matrices",
    )
    parser.add_argument(
        "--matrices", type=int, default=0, metavar="N", help="the simulated matrix N times instead"
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
            if _stop([child], stopped_s):
                stalls, stalled_s = stalls + 1, stalled_s + stopped_s
    return stalls, stalled_s


def burst_while_it_runs(
    running: subprocess.Popen[bytes], is_over: Callable[[], bool]
) -> tuple[int, float]:
    """Stop one process of the run after another, each for long enough to be noticed; how often, and
    for how long in all. Ends when its cases are over.
    """
    stalls, stalled_s = 0, 0.0
    while running.poll() is None and not is_over():
        time.sleep(random.uniform(*_BETWEEN_BURSTS_S))
        there = descendants(running.pid)
        victims = random.sample(there, min(len(there), random.randint(1, _AT_ONCE)))
        stopped_s = random.uniform(*_BURST_S)
        if running.poll() is None and (stopped := _stop(victims, stopped_s)):
            stalls, stalled_s = stalls + stopped, stalled_s + stopped_s
    return stalls, stalled_s


def _stop(pids: Sequence[int], seconds: float) -> int:
    """Stop processes for so long; how many of them there were."""
    stopped = []
    try:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
                stopped.append(pid)
        if stopped:
            time.sleep(seconds)
    finally:
        for pid in stopped:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
    return len(stopped)


if __name__ == "__main__":
    sys.exit(main())
