"""How a run grows with its cases: the same short call, as often as there are numbers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tomli_w

from tools import HARNESS, read_json
from tools.speed.matrix import customer

SIZES = (100, 300, 1000, 3000)


def measure_growth(sizes: Sequence[int]) -> dict[str, Any]:
    """Wall time, CPU and the controller's memory while cases run, by their number; what the reports
    of the largest run cost.
    """
    points: list[tuple[float, float, float, float]] = []
    found: dict[str, Any] = {}
    for size in sizes:
        with tempfile.TemporaryDirectory() as scratch:
            wall_s, cpu_s, memory_mb = figures = _run(Path(scratch), size)
            points.append((size, *figures))
            found[f"growth_{size}_wall_s"] = wall_s
            found[f"growth_{size}_cpu_s"] = cpu_s
            found[f"growth_{size}_mb"] = memory_mb
            if size == max(sizes):
                found |= _reports((Path(scratch) / "latest").resolve())
    count, wall, cpu, memory = (np.array(column, float) for column in zip(*points, strict=True))
    return found | {
        "growth_wall_r2": _linear(count, wall),
        "growth_cpu_r2": _linear(count, cpu),
        "growth_kb_a_case": 1000 * float(np.polyfit(count, memory, 1)[0]),
    }


def _linear(x: Any, y: Any) -> float:
    """R² of the straight line through the points."""
    off = y - np.polyval(np.polyfit(x, y, 1), x)
    return float(1 - np.sum(off**2) / np.sum((y - y.mean()) ** 2))


def _run(directory: Path, cases: int) -> tuple[float, float, float]:
    file = directory / "growth.toml"
    file.write_text(tomli_w.dumps(_customer(cases)))
    command = [str(HARNESS), "verify", str(file), "--row", "TD-INBOUND", "-q"]
    command += ["--reports", str(directory)]
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    peak = [0.0]
    watch = threading.Thread(target=_watch, args=(process.pid, directory, cases, peak))
    watch.start()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    watch.join()
    if process.returncode not in (0, 1):
        raise RuntimeError(f"the run of {cases} cases ended with {process.returncode}")
    summary = read_json(directory / "latest" / "summary.json")
    if summary["cases"] != cases:
        raise RuntimeError(f"{summary['cases']} cases were run, not {cases}")
    return time.monotonic() - began, used.ru_utime + used.ru_stime, peak[0]


def _watch(pid: int, directory: Path, cases: int, peak: list[float]) -> None:
    """The most memory that the controller itself ever had until the last case (proc(5), VmHWM);
    reports have their own bar.
    """
    status = Path(f"/proc/{pid}/status")
    while (
        len(list(directory.glob("*/cases/*/case.json"))) < cases
    ):  # not in "latest": that is linked after the reports
        try:
            found = [line for line in status.read_text().splitlines() if line.startswith("VmHWM")]
        except OSError:
            return
        if not found:
            return
        peak[0] = int(found[0].split()[1]) / 1000
        time.sleep(0.5)


def _reports(run: Path) -> dict[str, float]:
    ended = read_json(run / "run.json")
    ended["end"]["allure_results"] = None  # the bars are those of the other views
    (run / "run.json").write_text(json.dumps(ended))
    command = [sys.executable, "-m", "tools.speed.report", str(run)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    said = json.loads(done.stdout.splitlines()[-1])
    return {"growth_report_s": said["write_s"], "growth_report_mb": said["write_peak_mb"]}


def _customer(cases: int) -> dict[str, Any]:
    """A number for each of the AI's two places in a case."""
    dids = {f"line-{number}": f"+1312555{number:04}" for number in range(cases)}
    plain = customer(f"growth-{cases}", dids)
    return plain | {"depth": "every-number", "axes": {"codecs": ["pcmu"]}}
