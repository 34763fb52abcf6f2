"""``make bench``: how fast the matrix is, how soon a verdict, how much a leg and a call cost.

Prints a table, writes ``reports/bench.json``, exits 1 when a bar is missed. Figures of one run on one machine: compare
only what was measured side by side.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from harness.integrations import load
from harness.load.result import percentile
from harness.phone.pool import PhonePool
from harness.pytest_plugin.worlds import one_world
from harness.report.evidence import CaseEvidence
from harness.scenario.phones import own_phone
from harness.verdict import Strength, Verdict
from tools.speed.held import measure_held, measure_sipp
from tools.speed.processes import cpu_s

DEPLOYMENTS = ("scenarios/deployments/simulated-talkdesk.toml", "scenarios/deployments/simulated-gladly.toml")
_STEADY_S = 10.0

#: figure → (bar, whether lower is better)
BARS = {
    "matrix_over_bound": 1.5,
    "case_overhead_s_median": 0.5,
    "verdict_ms_p95": 400.0,
}


@dataclass(frozen=True)
class Verdicts:
    """Times from 200 OK to the two-way verdict, in milliseconds."""

    both: list[float]
    to_ai: list[float]
    from_ai: list[float]


def measure_matrix(workers: str, reports: Path) -> dict[str, Any]:
    """Run the quick matrix of both integrations once and read its evidence."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    harness = Path(sys.executable).with_name("harness")
    command = [str(harness), "verify", *DEPLOYMENTS, "-n", workers, "--reports", str(reports)]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    run = (reports / "latest").resolve()
    summary = json.loads((run / "summary.json").read_text())
    cases = [CaseEvidence.read(case.parent) for case in sorted(run.glob("cases/*/case.json"))]
    verdicts = verdict_times(cases)
    overheads = [case.wall_s - case.scripted_s for case in cases]
    bound = summary["scripted_s"] / summary["workers"]
    return {
        "exit_code": done.returncode,
        "cases": summary["cases"],
        "passed": summary["passed"],
        "workers": summary["workers"],
        "matrix_wall_s": summary["wall_s"],
        "matrix_bound_s": bound,
        "matrix_over_bound": summary["wall_s"] / bound,
        "matrix_cpu_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "case_overhead_s_median": statistics.median(overheads),
        "case_overhead_s_p95": percentile(overheads, 0.95),
        "verdicts": len(verdicts.both),
        "verdict_ms_p50": percentile(verdicts.both, 0.5),
        "verdict_ms_p95": percentile(verdicts.both, 0.95),
        "verdict_to_ai_ms_p50": percentile(verdicts.to_ai, 0.5),
        "verdict_to_ai_ms_p95": percentile(verdicts.to_ai, 0.95),
        "verdict_from_ai_ms_p50": percentile(verdicts.from_ai, 0.5),
        "verdict_from_ai_ms_p95": percentile(verdicts.from_ai, 0.95),
    }


def verdict_times(cases: Sequence[CaseEvidence]) -> Verdicts:
    """The first two-way verdict of each case between a caller and the AI, from the answer on."""
    found = Verdicts([], [], [])
    for case in cases:
        audio = [f for f in case.findings if f.check == "audio" and f.verdict is Verdict.PASSED]
        for there, back in pairwise(audio):
            if [there.facts.get("towards"), back.facts.get("towards")] != ["ai", "caller"]:
                continue
            if there.strength is not Strength.PROVED or back.strength is not Strength.PROVED:
                continue
            to_ai, from_ai = there.facts["delay_ms"], back.facts["delay_ms"]
            found.both.append(max(to_ai, from_ai))
            found.to_ai.append(to_ai)
            found.from_ai.append(from_ai)
            break
    return found


def measure_cost() -> dict[str, float]:
    """CPU of calls in steady state: per leg of ours, and per call with the world that relays and answers it."""
    file = Path(DEPLOYMENTS[0])
    with tempfile.TemporaryDirectory() as scratch:
        with one_world(file, load(file), Path(scratch), tenants=2) as world, PhonePool(Path(scratch)) as pool:
            legs, children = [], set()
            marks = iter(range(240))
            for index, deployment in enumerate(world.tenants):
                for name in ("caller", "caller-2", "caller-3"):
                    config = own_phone(deployment, name)
                    directory = Path(scratch) / f"{index}-{name}"
                    directory.mkdir()
                    phone = pool.lease(config, sink=lambda event: None, marks=marks, directory=directory)
                    phone.register(within=5.0)
                    did = deployment.did("inbound", deployment.trunks[0].name)
                    legs.append(phone.dial(f"sip:{did}@{config.domain}"))
                    children.add(phone.process.pid)
            for leg in legs:
                leg.wait_state("confirmed", within=5.0)
            phones_before, world_before = sum(map(cpu_s, children)), cpu_s(world.pid)
            parent_before = time.process_time()
            time.sleep(_STEADY_S)
            phones = sum(map(cpu_s, children)) - phones_before
            parent = time.process_time() - parent_before
            relay = cpu_s(world.pid) - world_before
            for leg in legs:
                leg.hangup()
    each = 100 / _STEADY_S / len(legs)
    return {
        "leg_cpu_percent": (phones + parent) * each,
        "world_cpu_percent": relay * each,
        "call_cpu_percent": (phones + parent + relay) * each,
        "calls_measured": float(len(legs)),
    }


def main() -> int:
    """Measure, print, write, judge."""
    parser = argparse.ArgumentParser(prog="python -m tools.speed", description=__doc__)
    parser.add_argument("workers", nargs="?", default="auto", help="cases at once")
    workers = parser.parse_args().workers
    with tempfile.TemporaryDirectory() as scratch:
        figures = measure_matrix(workers, Path(scratch)) | measure_cost() | measure_sipp() | measure_held()
    missed = {name: bar for name, bar in BARS.items() if figures[name] is None or figures[name] > bar}
    table = Table("figure", "measured", "bar", title="bench")
    for name, value in figures.items():
        shown = f"{value:.3f}" if isinstance(value, float) else str(value)
        bar = f"≤ {BARS[name]:g}" + (" missed" if name in missed else "") if name in BARS else ""
        table.add_row(name, shown, bar)
    Console().print(table)
    reports = Path("reports")
    reports.mkdir(exist_ok=True)
    (reports / "bench.json").write_text(json.dumps(figures, indent=1) + "\n")
    return 1 if missed or figures["exit_code"] else 0
