"""``make shapes``: drawn customers, each verified clean, and again with one fault on one of its
numbers.

The harness is told the file alone, of a simulated deployment, or of a live or stand-in one whose
world is up by itself. Clean, every planned case has to pass, and every documented row to be run or
said to be left out; with the fault, the case that it strikes has to fail, and no case of another
number. Exit code 0 when all of that is so.

Customers are verified in batches, one run each and several beside each other. A run has few
workers: each has phones of its own for every customer whose cases it takes, and they cost more than
the calls.

A customer costs 10 to 15 s of processor time. What is cut off is gone on with: ``--from 0`` takes
the seed and the figures of ``reports/shapes.json``, and verifies who is missing there. A seed draws
the same on any day.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from harness.deployment import Deployment
from tools import ROOT, read_json, trials, write_json
from tools.shapes.draw import Customer, drawn
from tools.shapes.places import written
from tools.shapes.results import Results

CUSTOMERS: Final = 200
_BATCH: Final = 5  #: customers verified in one run
_BESIDE: Final = 2 * (os.cpu_count() or 1)  #: runs beside each other
_BATCH_S: Final = 1800.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw, verify, judge, and write the figures."""
    parser = _parser()
    asked = parser.parse_args(arguments)
    so_far: dict[str, Any] = {}
    if asked.first is not None and asked.json.exists():
        so_far = read_json(asked.json)
    number = asked.seed
    if number is None:
        number = so_far.get("seed", random.SystemRandom().randrange(2**32))
    if so_far and so_far["seed"] != number:
        parser.error(
            f"{asked.json} holds the figures of seed {so_far['seed']}: give it, or another --json"
        )
    print(f"seed {number}", flush=True)
    results = Results(number, so_far)
    wanted = asked.only or range(asked.first or 0, asked.customers)
    customers = [drawn(index, number) for index in wanted if index not in results.verified]
    with tempfile.TemporaryDirectory(prefix="shapes-") as scratch:
        _verify(customers, asked, results, asked.keep or Path(scratch))
    for line in results.said:
        print(line)
    return int(results.is_bad)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.shapes", description=__doc__)
    parser.add_argument("--customers", type=int, default=CUSTOMERS)
    parser.add_argument("--seed", type=int)
    parser.add_argument(
        "--from",
        type=int,
        dest="first",
        metavar="K",
        help="go on with the seed whose figures are there: from customer K on, those apart that they hold already",
    )
    parser.add_argument(
        "--only", type=int, action="append", metavar="N", help="customer N of the draw"
    )
    parser.add_argument("--workers", type=int, default=2, help="cases at once of one run")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="leave files and evidence there")
    parser.add_argument(
        "--json", type=Path, default=ROOT / "reports" / "shapes.json", help="where the figures go"
    )
    return parser


def _verify(
    customers: Sequence[Customer], asked: argparse.Namespace, results: Results, scratch: Path
) -> None:
    """All of them, batch by batch; the figures are written whenever one has ended."""
    runs = _Runs(results.seed, asked.workers)
    batches = [customers[at : at + _BATCH] for at in range(0, len(customers), _BATCH)]
    wall_s, cpu_s = results.wall_s - time.monotonic(), results.cpu_s - _cpu_s()
    with ThreadPoolExecutor(_BESIDE) as pool:
        begun = [
            pool.submit(runs.verify, batch, scratch / f"batch-{index}")
            for index, batch in enumerate(batches)
        ]
        try:
            for done in as_completed(begun):
                ended, said = done.result(), len(results.said)
                results.add(
                    ended.run, ended.deployments, [customer.index for customer in ended.batch]
                )
                results.wall_s, results.cpu_s = wall_s + time.monotonic(), cpu_s + _cpu_s()
                print(f"{results.wall_s:5.0f} s  {results.line()}", flush=True)
                _write(asked.json, results)
                if not asked.keep:
                    _put_away(ended.directory, keep=len(results.said) > said, beside=asked.json)
        except BaseException:
            runs.stop()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _cpu_s() -> float:
    """Processor time of this process and of all that it started and that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def _write(path: Path, results: Results) -> None:
    """The figures so far, in one step, so that no cut leaves half of them: a run that is ended
    early counts, too, and can be gone on with.
    """
    new = path.with_suffix(".new")
    write_json(new, results.plain())
    new.replace(path)


def _put_away(directory: Path, *, keep: bool, beside: Path) -> None:
    """What a batch left goes, unless something in it is to be looked into: a second run may not
    show it again.
    """
    if not keep:
        shutil.rmtree(directory, ignore_errors=True)
        return
    kept = beside.with_name(f"{beside.stem}-kept")
    kept.mkdir(parents=True, exist_ok=True)
    to = shutil.move(directory, kept / f"{time.strftime('%Y%m%dT%H%M%S')}-{directory.name}")
    print(f"         its evidence: {to}", flush=True)


@dataclass(frozen=True)
class _Ended:
    """A batch that has been verified."""

    batch: Sequence[Customer]
    directory: Path
    run: Path  #: the run's own
    deployments: list[Deployment]


class _Runs:
    """Runs over batches of customers, each by a thread of its own."""

    def __init__(self, seed: int, workers: int) -> None:
        self._seed, self._workers = seed, workers
        self._lock = threading.Lock()
        self._processes: set[subprocess.Popen[bytes]] = set()
        self._stopped = False

    def verify(self, batch: Sequence[Customer], directory: Path) -> _Ended:
        """One run over these customers, in ``directory``."""
        directory.mkdir(parents=True)
        reports = directory / "reports"
        with written(batch, directory, self._seed) as places:
            files = [place.file for place in places]
            command = trials.pytest_command("tools.shapes.plugin", files, reports, self._workers)
            command += ["--world-control", "--live", f"--shapes-seed={self._seed}"]
            secrets = {name: value for place in places for name, value in place.secrets.items()}
            self._run(command, secrets, directory / "run.log")
        runs = sorted(path.parent for path in reports.glob("*/cases"))
        deployments = [place.deployment for place in places]
        return _Ended(batch, directory, runs[0] if runs else directory, deployments)

    def _run(self, command: Sequence[str], secrets: dict[str, str], log: Path) -> None:
        with log.open("wb") as out:
            with self._lock:
                if self._stopped:
                    raise KeyboardInterrupt
                process = subprocess.Popen(
                    command,
                    stdout=out,
                    stderr=subprocess.STDOUT,
                    cwd=ROOT,
                    env=os.environ | secrets,
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

    def stop(self) -> None:
        """End those that are under way, and begin no other."""
        with self._lock:
            self._stopped = True
            for process in self._processes:
                process.terminate()
