"""``make bench``: how fast the matrix is, how soon a verdict, what a leg, a call and evidence cost,
and how a run grows.

Prints a table, writes ``reports/bench.json`` (flat: name → figure) and exits 1 when a bar is
missed. Figures of one run on one machine: compare only what was measured side by side.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tools import ROOT, write_json
from tools.speed.bars import BARS, at_reference, missed
from tools.speed.growth import SIZES, measure_growth
from tools.speed.held import measure_held
from tools.speed.leg import measure_idle, measure_leg
from tools.speed.matrix import measure_matrix
from tools.speed.start import measure_start


def _matrix(asked: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as scratch:
        return measure_matrix(asked.workers, Path(scratch))


PARTS: Mapping[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    "matrix": _matrix,
    "leg": lambda asked: measure_leg() | measure_idle(),
    "start": lambda asked: measure_start(),
    "held": lambda asked: measure_held(),
    "growth": lambda asked: measure_growth(asked.sizes),
}


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tools.speed", description=__doc__)
    parser.add_argument(
        "--only", nargs="+", choices=list(PARTS), default=list(PARTS), help="these parts alone"
    )
    parser.add_argument(
        "--workers", default="auto", metavar="N", help="cases of the matrix at once (auto)"
    )
    parser.add_argument(
        "--sizes",
        type=int,
        nargs="+",
        default=list(SIZES),
        metavar="N",
        help=f"cases of the runs that grow {SIZES}",
    )
    return parser


def _interpreter_ms() -> float:
    """CPU of a fixed piece of Python: an interpreter that was built without optimisation needs a
    quarter more for a matrix than Debian's.
    """

    def fibonacci(number: int) -> int:
        return number if number < 2 else fibonacci(number - 1) + fibonacci(number - 2)

    def once() -> float:
        began = time.process_time()
        fibonacci(22)
        return 1000 * (time.process_time() - began)

    return statistics.median(once() for _ in range(9))


def main() -> int:
    """Measure, print, write, judge."""
    asked = arguments().parse_args()
    os.environ.pop(
        "PYTHONDONTWRITEBYTECODE", None
    )  # each process of a run would compile everything anew
    # what else the machine did speaks against the figures, and stands beside them
    figures: dict[str, Any] = {
        "cores": len(os.sched_getaffinity(0)),
        "load_before": os.getloadavg()[0],
        "python": platform.python_version(),
        "interpreter_ms": _interpreter_ms(),
    }
    for part in asked.only:
        figures |= PARTS[part](asked)
    over, scaled = missed(figures), at_reference(figures)
    table = Table("figure", "measured", "bar", "at the bars' machine", title="bench")
    for name, value in figures.items():
        shown = f"{value:.3f}" if isinstance(value, float) else str(value)
        bar = (f"{BARS[name]}" + (" missed" if name in over else "")) if name in BARS else ""
        table.add_row(name, shown, bar, f"{scaled[name]:.3f}" if name in scaled else "")
    Console().print(table)
    write_json(ROOT / "reports" / "bench.json", figures)
    return 1 if over or figures.get("matrix_exit_code") else 0
