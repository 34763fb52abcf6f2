"""``make shapes``: drawn customers, each verified clean, and again with one fault on one of its numbers.

The harness is told the file alone, of a simulated deployment, or of a live or stand-in one whose world is up by itself. Clean,
every planned case has to pass, and every documented row to be run or said to be left out; with the fault, the case that it
strikes has to fail, and no case of another number. Exit code 0 when all of that is so.

Customers are verified in batches, one run each and several beside each other. A run has few workers: each has phones of its own
for every customer whose cases it takes, and they cost more than the calls.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from harness.deployment import Deployment
from tools.shapes.draw import Customer, customers
from tools.shapes.places import Place, written
from tools.shapes.results import Results

ROOT = Path(__file__).resolve().parents[2]
CUSTOMERS = 200
_BATCH_S = 1800.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw, verify, judge, and write the figures."""
    asked = _parser().parse_args(arguments)
    number = asked.seed if asked.seed is not None else random.SystemRandom().randrange(2**32)
    print(f"seed {number}", flush=True)
    results, began = Results(), time.monotonic()
    drawn = customers(asked.customers, number)
    drawn = [drawn[index] for index in asked.only] if asked.only else drawn
    with tempfile.TemporaryDirectory(prefix="shapes-") as scratch:
        runs = _Runs(number, asked.workers)
        batches = list(_batches(drawn, asked.batch))
        places = [(asked.keep or Path(scratch)) / f"batch-{index}" for index in range(len(batches))]
        with ThreadPoolExecutor(asked.beside) as pool:
            begun = [pool.submit(runs.verify, batch, place) for batch, place in zip(batches, places, strict=True)]
            try:
                for done in as_completed(begun):
                    directory, run, deployments = done.result()
                    results.add(run, deployments, number)
                    print(f"{time.monotonic() - began:5.0f} s  {results.line()}", flush=True)
                    _write(asked.json, number, len(drawn), results, time.monotonic() - began)
                    if not asked.keep:
                        shutil.rmtree(directory, ignore_errors=True)
            except BaseException:
                runs.stop()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    for line in results.said:
        print(line)
    return int(results.is_bad)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.shapes", description=__doc__)
    parser.add_argument("--customers", type=int, default=CUSTOMERS)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--only", type=int, action="append", metavar="N", help="this customer of the draw (repeatable)")
    parser.add_argument("--batch", type=int, default=5, help="customers verified in one run")
    parser.add_argument("--beside", type=int, default=2 * (os.cpu_count() or 1), help="runs beside each other")
    parser.add_argument("--workers", type=int, default=2, help="cases at once of one run")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="leave files and evidence there")
    parser.add_argument("--json", type=Path, default=ROOT / "reports" / "shapes.json")
    return parser


def _write(path: Path, number: int, drawn: int, results: Results, wall_s: float) -> None:
    """The figures so far: what a run has found that is ended early counts, too."""
    plain = {"seed": number, "drawn": drawn, **results.plain(), "wall_s": round(wall_s, 1)}
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(plain, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _batches(drawn: Sequence[Customer], size: int) -> Iterator[Sequence[Customer]]:
    for at in range(0, len(drawn), size):
        yield drawn[at : at + size]


class _Runs:
    """Runs over batches of customers, each by a thread of its own."""

    def __init__(self, seed: int, workers: int) -> None:
        self._seed = seed
        self._workers = workers
        self._lock = threading.Lock()
        self._processes: set[subprocess.Popen[bytes]] = set()
        self._stopped = False

    def verify(self, batch: Sequence[Customer], directory: Path) -> tuple[Path, Path, list[Deployment]]:
        """One run over these customers: ``directory``, the run's own, and whom it was about."""
        directory.mkdir(parents=True)
        with written(batch, directory, self._seed) as places:
            return directory, self._run(places, directory), [place.deployment for place in places]

    def stop(self) -> None:
        """End those that are under way, and begin no other."""
        with self._lock:
            self._stopped = True
            for process in self._processes:
                process.terminate()

    def _run(self, places: Sequence[Place], directory: Path) -> Path:
        reports = directory / "reports"
        command = [sys.executable, "-m", "pytest", str(ROOT / "scenarios"), "--rootdir", str(ROOT)]
        command += ["-c", str(ROOT / "pyproject.toml"), "-p", "no:cacheprovider", "-p", "tools.shapes.plugin"]
        command += ["-p", "no:hypothesispytest", "-p", "no:anyio", "-p", "no:allure_pytest"]
        command += ["--no-reports", "--world-control", "--preflight", "off", "--live", "-n", str(self._workers)]
        command += ["--reports", str(reports), f"--shapes-seed={self._seed}"]
        command += [f"--deployment={place.file}" for place in places]
        secrets = {name: value for place in places for name, value in place.secrets.items()}
        with (directory / "run.log").open("wb") as log:
            with self._lock:
                if self._stopped:
                    raise KeyboardInterrupt
                process = subprocess.Popen(
                    command, stdout=log, stderr=subprocess.STDOUT, cwd=ROOT, env={**os.environ, **secrets}
                )
                self._processes.add(process)
            try:
                process.wait(_BATCH_S)
            except subprocess.TimeoutExpired:
                process.terminate()
                process.wait(60)
                raise
            finally:
                self._processes.discard(process)
        return next(iter(sorted(path.parent for path in reports.glob("*/cases"))), directory)
