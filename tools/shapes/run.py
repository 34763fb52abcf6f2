"""``make shapes``: drawn customers, each verified clean, and again with one fault on one of its
numbers.

The harness is told the file alone, of a simulated deployment, or of a live or stand-in one whose
world is up by itself. Clean, every planned case has to pass, and every documented row to be run or
said to be left out; with the fault, the case that it strikes has to fail, and no case of another
number. Exit code 0 when all of that is so.

Customers are verified in batches, one run each and several beside each other. A run has few
workers: each has phones of its own for every customer whose cases it takes, and they cost more than
the calls.

A customer costs 10 to 15 s of processor time with its clean cases (some 20 to 30), and 6 s without
(``--only-fault``), five of which are its world, its workers and their phones. What is cut off is
gone on with: ``--from 0`` takes the seed and the figures of ``reports/shapes.json``, and verifies
who is missing there. A seed draws the same on any day.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.deployment import Deployment
from tools import ROOT
from tools.shapes.draw import Customer, drawn
from tools.shapes.places import Place, written
from tools.shapes.plan import Drawing
from tools.shapes.results import Results

CUSTOMERS = 200
_BATCH_S = 1800.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw, verify, judge, and write the figures."""
    parser = _parser()
    asked = parser.parse_args(arguments)
    asked.json = asked.json or ROOT / "reports" / (
        "shapes-faults.json" if asked.only_fault else "shapes.json"
    )
    so_far = _so_far(asked.json) if asked.first is not None else {}
    number = (
        asked.seed
        if asked.seed is not None
        else so_far.get("seed", random.SystemRandom().randrange(2**32))
    )
    if so_far and so_far["seed"] != number:
        parser.error(
            f"{asked.json} holds the figures of seed {so_far['seed']}: give it, or another --json"
        )
    print(f"seed {number}", flush=True)
    drawing = Drawing(number, tuple(asked.only_fault))
    results = Results(drawing, so_far)
    wanted = asked.only or range(asked.first or 0, asked.customers)
    customers = [drawn(index, number) for index in wanted if index not in results.verified]
    with tempfile.TemporaryDirectory(prefix="shapes-") as scratch:
        _verify(customers, asked, results, asked.keep or Path(scratch))
    for line in results.said:
        print(line)
    return int(results.is_bad)


def _verify(
    customers: Sequence[Customer], asked: argparse.Namespace, results: Results, scratch: Path
) -> None:
    """All of them, batch by batch; the figures are written whenever one has ended."""
    runs = _Runs(results.drawing, asked.workers)
    batches = list(_batches(customers, asked.batch))
    places = [scratch / f"batch-{index}" for index in range(len(batches))]
    clock = _Clock()
    with ThreadPoolExecutor(asked.beside) as pool:
        begun = [
            pool.submit(runs.verify, batch, place)
            for batch, place in zip(batches, places, strict=True)
        ]
        try:
            for done in as_completed(begun):
                ended, said = done.result(), len(results.said)
                results.add(
                    ended.run, ended.deployments, [customer.index for customer in ended.batch]
                )
                results.spend(*clock.lap())
                print(f"{results.wall_s:5.0f} s  {results.line()}", flush=True)
                _write(asked.json, results)
                if not asked.keep:
                    _put_away(ended.directory, keep=len(results.said) > said, beside=asked.json)
        except BaseException:
            runs.stop()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _put_away(directory: Path, *, keep: bool, beside: Path) -> None:
    """What a batch left goes, unless something in it is to be looked into: a second run may not
    show it again.
    """
    if not keep:
        shutil.rmtree(directory, ignore_errors=True)
    else:
        kept = (
            beside.with_name(f"{beside.stem}-kept")
            / f"{time.strftime('%Y%m%dT%H%M%S')}-{directory.name}"
        )
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(directory, kept)
        print(f"         its evidence: {kept}", flush=True)


class _Clock:
    """How long it took since the last lap, and what processor time those processes used that have
    ended since.
    """

    def __init__(self) -> None:
        self._at = self._now()

    def lap(self) -> tuple[float, float]:
        """Wall and processor time, in seconds."""
        before, self._at = self._at, self._now()
        return self._at[0] - before[0], self._at[1] - before[1]

    def _now(self) -> tuple[float, float]:
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        return time.monotonic(), sum(each.ru_utime + each.ru_stime for each in used)


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
        "--only-fault",
        action="append",
        default=[],
        metavar="NAME",
        help="no clean cases, and this fault alone (repeatable; any: all of them)",
    )
    parser.add_argument(
        "--only",
        type=int,
        action="append",
        metavar="N",
        help="this customer of the draw (repeatable)",
    )
    parser.add_argument("--batch", type=int, default=5, help="customers verified in one run")
    parser.add_argument(
        "--beside", type=int, default=2 * (os.cpu_count() or 1), help="runs beside each other"
    )
    parser.add_argument("--workers", type=int, default=2, help="cases at once of one run")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="leave files and evidence there")
    parser.add_argument("--json", type=Path, help="where the figures go (reports/shapes.json)")
    return parser


def _so_far(path: Path) -> dict[str, Any]:
    """The figures of a run that was cut off; none where there are none."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found


def _write(path: Path, results: Results) -> None:
    """The figures so far: what a run has found that is ended early counts, too, and it can be gone
    on with.
    """
    path.parent.mkdir(exist_ok=True)
    new = path.with_suffix(".new")  # in one step, so that no cut leaves half of it
    new.write_text(
        json.dumps(results.plain(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    new.replace(path)


def _batches(customers: Sequence[Customer], size: int) -> Iterator[Sequence[Customer]]:
    for at in range(0, len(customers), size):
        yield customers[at : at + size]


@dataclass(frozen=True)
class _Ended:
    """A batch that has been verified."""

    batch: Sequence[Customer]
    directory: Path
    run: Path  #: the run's own
    deployments: list[Deployment]


class _Runs:
    """Runs over batches of customers, each by a thread of its own."""

    def __init__(self, drawing: Drawing, workers: int) -> None:
        self._drawing = drawing
        self._workers = workers
        self._lock = threading.Lock()
        self._processes: set[subprocess.Popen[bytes]] = set()
        self._stopped = False

    def verify(self, batch: Sequence[Customer], directory: Path) -> _Ended:
        """One run over these customers, in ``directory``."""
        directory.mkdir(parents=True)
        with written(batch, directory, self._drawing) as places:
            return _Ended(
                batch,
                directory,
                self._run(places, directory),
                [place.deployment for place in places],
            )

    def stop(self) -> None:
        """End those that are under way, and begin no other."""
        with self._lock:
            self._stopped = True
            for process in self._processes:
                process.terminate()

    def _run(self, places: Sequence[Place], directory: Path) -> Path:
        reports = directory / "reports"
        command = [sys.executable, "-m", "pytest", str(ROOT / "scenarios"), "--rootdir", str(ROOT)]
        command += [
            "-c",
            str(ROOT / "pyproject.toml"),
            "-p",
            "no:cacheprovider",
            "-p",
            "tools.shapes.plugin",
        ]
        command += ["-p", "no:hypothesispytest", "-p", "no:anyio", "-p", "no:allure_pytest"]
        command += [
            "--no-reports",
            "--world-control",
            "--preflight",
            "off",
            "--live",
            "-n",
            str(self._workers),
        ]
        command += ["--reports", str(reports), f"--shapes-seed={self._drawing.seed}"]
        command += [f"--shapes-only-fault={fault}" for fault in self._drawing.faults]
        command += [f"--deployment={place.file}" for place in places]
        secrets = {name: value for place in places for name, value in place.secrets.items()}
        with (directory / "run.log").open("wb") as log:
            with self._lock:
                if self._stopped:
                    raise KeyboardInterrupt
                process = subprocess.Popen(
                    command,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    cwd=ROOT,
                    env={**os.environ, **secrets},
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
