"""``python -m tools.speed.worlds TREE TREE``: what a call costs the simulated worlds of two checkouts, side by side.

Both are up at once, with as many calls of the same phones each, so that a slow hour of the machine is one for both.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import chain
from pathlib import Path

import tomli_w

from harness.phone.pool import PhonePool
from tools.speed.floor import CALLS_A_PROCESS
from tools.speed.held import wide
from tools.speed.leg import dialled, world
from tools.speed.processes import threads_s

_SETTLED_S = 1.0  # until marks are known


def measure_worlds(trees: tuple[Path, ...], seconds: float) -> list[float]:
    """Per cent of a core that a call costs the world of each tree."""
    with tempfile.TemporaryDirectory() as directory, ExitStack() as stack:
        scratch = Path(directory)
        file = scratch / "wide.toml"
        file.write_text(tomli_w.dumps(wide(CALLS_A_PROCESS)))
        pool = stack.enter_context(PhonePool(scratch))
        legs, worlds = [], []
        for number, tree in enumerate(trees):
            with _within(tree):
                process, deployments = stack.enter_context(world(str(file), tenants=2))
            worlds.append(process.pid)
            (scratch / str(number)).mkdir()
            legs.append(dialled(pool, deployments, scratch / str(number)))
        for leg in chain(*legs):
            leg.wait_state("confirmed", within=5.0)
        time.sleep(_SETTLED_S)
        before = [sum(threads_s([pid]).values()) for pid in worlds]
        time.sleep(seconds)
        used = [sum(threads_s([pid]).values()) - then for pid, then in zip(worlds, before, strict=True)]
        for leg in chain(*legs):
            leg.hangup()
    return [100 * cpu / seconds / len(calls) for cpu, calls in zip(used, legs, strict=True)]


@contextmanager
def _within(tree: Path) -> Iterator[None]:
    """A world is imported from where it is started."""
    before = Path.cwd()
    os.chdir(tree)
    try:
        yield
    finally:
        os.chdir(before)


def main() -> int:
    """Measure in pairs, each tree first in turn, and print the ratios and their median."""
    parser = argparse.ArgumentParser(prog="python -m tools.speed.worlds", description=__doc__)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=7.0)
    asked = parser.parse_args()
    ratios = []
    for turn in range(asked.pairs):
        trees = (asked.before, asked.after)[:: -1 if turn % 2 else 1]
        found = dict(zip(trees, measure_worlds(trees, asked.seconds), strict=True))
        ratios.append(found[asked.after] / found[asked.before])
        print(f"{found[asked.before]:.3f} % before, {found[asked.after]:.3f} % after: {ratios[-1]:.2f}", flush=True)
    print(f"median of the ratios: {statistics.median(ratios):.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
