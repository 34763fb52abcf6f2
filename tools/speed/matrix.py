"""The quick matrix of both integrations: how fast, at what cost, how soon a verdict, and what the
evidence of a passed case costs.
"""

from __future__ import annotations

import resource
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from harness.case.verdict import Strength, Verdict
from harness.report import allure
from harness.report.drawings import Ladder
from harness.report.evidence import CaseEvidence
from harness.report.html import CasePage
from tools import HARNESS, read_json, read_toml

DEPLOYMENTS: Final = (
    "scenarios/deployments/simulated-talkdesk.toml",
    "scenarios/deployments/simulated-gladly.toml",
)


def customer(name: str, dids: Mapping[str, str]) -> dict[str, Any]:
    """The first example deployment with one trunk and these numbers."""
    plain = read_toml(Path(DEPLOYMENTS[0]))
    for unused in ("numbers_csv", "campaign"):
        plain.pop(unused, None)
    lines = {
        line: {"did": did, "assistant": "main", "fallback": "reception"}
        for line, did in dids.items()
    }
    return plain | {"name": name, "trunks": plain["trunks"][:1], "lines": lines}


def measure_matrix(workers: str, reports: Path) -> dict[str, Any]:
    """Run it once and read what it left."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [str(HARNESS), "verify", *DEPLOYMENTS, "-n", workers, "--reports", str(reports)]
    done = subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    run = (reports / "latest").resolve()
    summary = read_json(run / "summary.json")
    cases = [CaseEvidence.read(case.parent) for case in sorted(run.glob("cases/*/case.json"))]
    both_ways = verdict_times(cases)
    verdicts = [max(times) for times in both_ways]
    overheads = [case.wall_s - case.scripted_s for case in cases]
    return {
        "matrix_exit_code": done.returncode,
        "matrix_cases": summary["cases"],
        "matrix_passed": summary["passed"],
        "matrix_workers": summary["workers"],
        "matrix_scripted_s": summary["scripted_s"],
        "matrix_wall_s": summary["wall_s"],
        "matrix_speedup": summary["scripted_s"] / summary["wall_s"],
        "matrix_cpu_s": cpu_s,
        "matrix_cpu_s_per_case": cpu_s / summary["cases"],
        "case_overhead_s_median": statistics.median(overheads),
        "case_overhead_s_p95": quantile(overheads, 0.95),
        "verdicts": len(verdicts),
        "verdict_ms_p50": quantile(verdicts, 0.5),
        "verdict_ms_p95": quantile(verdicts, 0.95),
        "verdict_to_ai_ms_p95": quantile([to_ai for to_ai, _ in both_ways], 0.95),
        "verdict_from_ai_ms_p95": quantile([from_ai for _, from_ai in both_ways], 0.95),
    } | measure_evidence([case for case in cases if case.verdict is Verdict.PASSED], run)


def measure_evidence(passed: Sequence[CaseEvidence], run: Path) -> dict[str, float]:
    """What a passed case leaves (its directory, its files for Allure), and CPU of all that is made
    of it for both reports.
    """
    octets = sum(_octets(case.directory) for case in passed) + _octets(run / "allure-results")
    with tempfile.TemporaryDirectory() as scratch:
        copies = [
            shutil.copytree(case.directory, Path(scratch) / "cases" / case.directory.name)
            for case in passed[::5]
        ]
        for pattern in ("*.png", "*.mp3", "*.received*.json"):
            for view in Path(scratch).rglob(pattern):
                view.unlink()  # kept from when they were made first
        results = Path(scratch) / "allure-results"
        results.mkdir()
        began = time.process_time()
        for copy in copies:
            case = CaseEvidence.read(copy)
            allure.write(results, case, Ladder.of(case))
            CasePage.of(case, Path(scratch), "").html(linked=True)
        cpu_s = time.process_time() - began
    return {
        "evidence_kb": octets / len(passed) / 1000,
        "evidence_cpu_ms": 1000 * cpu_s / len(copies),
    }


def _octets(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


def verdict_times(cases: Sequence[CaseEvidence]) -> list[tuple[float, float]]:
    """Of each case's first two-way verdict between a caller and the AI: milliseconds from the
    answer to that on the way to the AI, and to that on the way back.
    """
    found = []
    for case in cases:
        audio = [f for f in case.findings if f.check == "audio" and f.verdict is Verdict.PASSED]
        for there, back in pairwise(audio):
            if [there.facts.get("towards"), back.facts.get("towards")] != ["ai", "caller"]:
                continue
            if there.strength is not Strength.PROVED or back.strength is not Strength.PROVED:
                continue
            found.append((there.facts["delay_ms"], back.facts["delay_ms"]))
            break
    return found


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which ``share`` of all lie; NaN of nothing."""
    at = min(len(values) - 1, int(share * len(values)))
    return sorted(values)[at] if values else float("nan")
