"""``make liveproof``: a live run says only what it saw.

Worlds are tenants of one simulated world that runs apart; ``harness verify`` is told their files
alone, several at a time. Exit code 0 when no case passed whose claim is false, none named a wrong
cause as certain, and no clean one raised an alarm; 1 when one did; 3 when a run could not be made.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from harness.errors import HarnessError
from tools import HARNESS, ROOT, trials, write_json
from tools.ci.programs import missing_voices
from tools.liveproof.outside import Outside, world
from tools.liveproof.page import page
from tools.liveproof.plan import ROWS, VOICES, World, worlds, wrong
from tools.liveproof.results import Proof, Result, read
from tools.trials import ATTEMPTS_MORE, BROKEN, MET, MISSED

#: Tenants of the world, and so files of one run, at most.
TENANTS = 24
CLEAN_CASES = 408
_LONGEST_RUN_S = 1800.0
_PAGE = ROOT / "docs" / "liveproof.md"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all worlds, print and write the figures, and judge."""
    asked = _parser().parse_args(arguments)
    seed = asked.seed if asked.seed is not None else random.SystemRandom().randrange(2**32)
    is_sample = asked.sample is not None
    clean = asked.clean if asked.clean is not None else 17 if is_sample else CLEAN_CASES
    if missing := missing_voices():
        print(f"liveproof: apt-get install {' '.join(missing)}", file=sys.stderr)
        return BROKEN
    every = worlds(asked.sample, clean, random.Random(seed))
    print(f"{len(every)} worlds, seed {seed}", flush=True)
    if asked.keep:
        asked.keep.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix="liveproof-") as scratch:
            # as it goes, so that a run that is cut off has not been for nothing
            for proof in _all(every, asked.keep or Path(scratch), asked.at_once):
                write_json(asked.reports / "liveproof.json", proof.with_cases())
    except (HarnessError, RuntimeError, OSError, subprocess.TimeoutExpired) as error:
        print(f"liveproof: {error}", file=sys.stderr)
        return BROKEN
    drawn = ""
    if is_sample:
        drawn = f"{_wrong_of(every)} of the {len(wrong())} worlds in which something is wrong (seed {seed})"
    text = page(proof, drawn)
    print(text)
    for line in proof.shortfalls:
        print(f"WRONG   {line}")
    print("  ".join(f"{key} {value}" for key, value in proof.plain().items()))
    if asked.page is not None or not is_sample:
        (asked.page or _PAGE).write_text(text, encoding="utf-8")
    return MISSED if proof.shortfalls else MET


def _wrong_of(every: Sequence[World]) -> int:
    return sum(one.rows != ROWS and one.ai not in VOICES for one in every)


def _parser() -> argparse.ArgumentParser:
    parser = trials.parser("liveproof", __doc__, at_once=4 * (os.cpu_count() or 1))
    parser.add_argument(
        "--sample",
        type=int,
        metavar="N",
        help="so many wrong worlds, drawn (all of them otherwise), and a clean one",
    )
    parser.add_argument(
        "--clean", type=int, metavar="N", help=f"clean cases, about ({CLEAN_CASES}; 17 of a sample)"
    )
    parser.add_argument("--seed", type=int)
    parser.add_argument("--keep", type=Path, metavar="DIR", help="leave files and evidence there")
    parser.add_argument(
        "--page",
        type=Path,
        help="where the page goes (docs/liveproof.md; of a sample only where this is said)",
    )
    return parser


@dataclass(frozen=True)
class Batch:
    """Worlds whose cases are made in one run; each world has a tenant for itself."""

    rows: Sequence[str]
    worlds: Sequence[World]
    one_number: bool  #: where one row is all that matters


def batches(every: Iterable[World]) -> list[Batch]:
    """Worlds of the same rows together."""
    found = []
    for rows, group in groupby(sorted(every, key=lambda one: one.rows), key=lambda one: one.rows):
        alike = list(group)
        for at in range(0, len(alike), TENANTS):
            found.append(Batch(rows, alike[at : at + TENANTS], one_number=len(rows) == 1))
    return found


def again(found: Iterable[Result]) -> list[Batch]:
    """What has to be made once more: cases that said nothing, in worlds like theirs."""
    void = sorted((result for result in found if result.is_void), key=lambda result: result.row)
    batches = []
    for row, cases in groupby(void, key=lambda result: result.row):
        alike = {result.world.number: result.world for result in cases}
        batches.append(Batch((row,), list(alike.values())[:TENANTS], one_number=False))
    return batches


def _all(every: Sequence[World], scratch: Path, workers: int) -> Iterator[Proof]:
    """The results so far, after each batch; at the end what said nothing is made once more, fewer
    cases at a time.
    """
    began = time.monotonic()
    results: dict[str, Result] = {}
    number, repeated = 0, 0
    with world(min(TENANTS, len(every)), scratch) as outside:
        for attempt in range(1 + ATTEMPTS_MORE):
            todo = batches(every) if attempt == 0 else again(results.values())
            for batch in todo:
                number += 1
                place = scratch / f"batch-{number}"
                found = _made(outside, batch, place, max(1, workers >> attempt))
                if attempt:
                    void = {case for case, result in results.items() if result.is_void}
                    found = [result for result in found if result.case in void]
                    repeated += len(found)
                results |= {result.case: result for result in found}
                amiss = sum(
                    r.is_false_pass or r.is_wrong_certain or r.is_false_alarm for r in found
                )
                print(f"batch {number}: {len(found)} cases, {amiss} wrong", flush=True)
                missing = len(every) - len({result.world.number for result in results.values()})
                seconds = time.monotonic() - began
                yield Proof(list(results.values()), len(every), missing, seconds, repeated)


def _made(outside: Outside, batch: Batch, reports: Path, workers: int) -> list[Result]:
    reports.mkdir()
    files, environment = [], {**os.environ, "HARNESS_LIVE": "1"}
    for place, one in enumerate(batch.worlds):
        file, secrets = outside.prepare(place, one)
        files.append(str(file))
        environment |= secrets
    command = [str(HARNESS), "verify", *files, "--quiet", "--preflight", "off"]
    command += ["--reports", str(reports), "-n", str(min(workers, 2 * len(batch.worlds)))]
    command += [f"--row={row}" for row in batch.rows]
    if batch.one_number:
        command += ["-k", "front"]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=_LONGEST_RUN_S,
        check=False,
    )
    runs = sorted(path.parent for path in reports.glob("*/cases") if not path.parent.is_symlink())
    if not runs:
        raise RuntimeError(f"no run came of it: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return list(read(runs[-1], batch.worlds, outside.stood_still()))
