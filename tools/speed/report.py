"""``python -m tools.speed.report RUN [CASES]``: what the reports of a very large run cost, made of
copies of a real run's cases.

Prints a table, writes ``reports/bench-report.json``, exits 1 when a bar is missed. Every copy is a
case of its own: its evidence is on disk, recordings as links to the original's. One case in ten
failed, where the run has failed ones.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tools import CHROMIUM
from tools.speed.processes import cpu_s

CASES = 3000
#: figure → bar, lower is better
BARS = {"write_s": 20.0, "write_peak_mb": 500.0, "open_s": 2.0}
_RECORDED = {".wav", ".mp3", ".png", ".gz", ".pcapng"}


def enlarge(run: Path, target: Path, cases: int = CASES) -> Path:
    """A run of so many cases in ``target``, made of this one's. Returns its directory."""
    from harness.report.run_directory import read_planned

    made = target / run.name
    (made / "cases").mkdir(parents=True)
    by_verdict: dict[bool, list[Path]] = {True: [], False: []}
    for case in sorted((run / "cases").glob("*/case.json")):
        by_verdict[json.loads(case.read_text())["end"]["verdict"] == "passed"].append(case.parent)
    planned = {str(case["id"]): dict(case) for case in read_planned(run)[0]}
    listed = []
    for number in range(cases):
        passed = bool(number % 10) if all(by_verdict.values()) else bool(by_verdict[True])
        originals = by_verdict[passed]
        listed.append(_copy(originals[number % len(originals)], made / "cases", number, planned))
    _plan(run, made, listed)
    return made


def _copy(
    original: Path, into: Path, number: int, planned: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    directory = into / f"{original.name}-{number:05}"
    directory.mkdir()
    for file in original.rglob("*"):
        copy = directory / file.relative_to(original)
        if file.is_dir():
            copy.mkdir()
        elif file.suffix in _RECORDED:
            os.link(file, copy)
        else:
            shutil.copyfile(file, copy)
    case = json.loads((directory / "case.json").read_text())
    was = planned[case["id"]]
    case["id"] = f"{case['id'][:-1]}-{number:05}]"
    (directory / "case.json").write_text(json.dumps(case))
    return was | {"id": case["id"]}


def _plan(run: Path, made: Path, listed: list[dict[str, Any]]) -> None:
    """What the run was asked for, and what its runner knew, in terms of the copies."""
    by_row: dict[tuple[str, str], list[str]] = {}
    for case in listed:
        by_row.setdefault((str(case["deployment"]), str(case["row"])), []).append(str(case["id"]))
    scope = json.loads((run / "scope.json").read_text())
    for deployment in scope["deployments"]:
        for row in deployment["rows"]:
            row["cases"] = row["asked"] = by_row.get((deployment["name"], row["row"]), [])
    original = {case["id"]: finds for case in listed for finds in [_finds(scope, str(case["id"]))]}
    (made / "scope.json").write_text(json.dumps(scope | {"required": original}))
    end = json.loads((run / "run.json").read_text())
    end["end"]["allure_results"] = None
    (made / "run.json").write_text(json.dumps(end | {"planned": listed}))
    shutil.copyfile(run / "preflight.json", made / "preflight.json")


def _finds(scope: dict[str, Any], case: str) -> dict[str, int]:
    found: dict[str, int] = scope["required"].get(f"{case.rpartition('-')[0]}]", {})
    return found


def write_reports(run: Path) -> dict[str, float]:
    """In this process: make every view of the run, then seal it."""
    from harness.report import signoff
    from harness.report.run import remake

    began, cpu = time.perf_counter(), _cpu_s()
    with _peak_mb() as peak:
        finished = remake(run)
        made, made_cpu = time.perf_counter(), _cpu_s()
        signoff.seal(finished.evidence)
    return {
        "write_s": time.perf_counter() - began,
        "write_cpu_s": _cpu_s() - cpu,
        "write_peak_mb": max(peak),
        "of_it_seal_s": time.perf_counter() - made,
        "of_it_seal_cpu_s": _cpu_s() - made_cpu,
        "page_mb": (run / "report.html").stat().st_size / 1e6,
        "parts_mb": sum(file.stat().st_size for file in run.glob("report.parts/*")) / 1e6,
    }


@contextmanager
def _peak_mb() -> Iterator[list[float]]:
    """What this process and its children hold, ten times a second; a child's ``ru_maxrss`` counts
    what it was forked from.
    """
    held, over = [0.0], threading.Event()

    def look() -> None:
        while not over.wait(0.1):
            held.append(sum(map(_resident_mb, [os.getpid(), *_children()])))

    looking = threading.Thread(target=look)
    looking.start()
    yield held
    over.set()
    looking.join()


def _resident_mb(pid: int) -> float:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize() / 1e6
    except (FileNotFoundError, ProcessLookupError):
        return 0.0


def _cpu_s() -> float:
    """What this process and those that have helped it have used."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + ended.ru_utime + ended.ru_stime + sum(map(cpu_s, _children()))


def _children() -> list[int]:
    return [
        int(pid)
        for task in Path("/proc/self/task").iterdir()
        for pid in (task / "children").read_text().split()
    ]


def open_page(page_file: Path) -> dict[str, float]:
    """Until Chromium has laid the page out and its filters work."""
    from playwright.sync_api import (
        sync_playwright,
    )  # not where reports are made: their processes import this module

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable")
        began = time.perf_counter()
        page.goto(page_file.as_uri())
        page.locator("#count", has_text="of").wait_for()
        seconds = time.perf_counter() - began
        told = {
            entry["name"]: entry["value"]
            for entry in session.send("Performance.getMetrics")["metrics"]
        }
        page.locator("details.group").last.evaluate(
            "group => { group.open = true }"
        )  # those that passed are folded
        began = time.perf_counter()
        page.locator("details.case > summary").last.click()
        page.locator("details.case[open] .body h4").first.wait_for()
        opened = time.perf_counter() - began
        browser.close()
    return {
        "open_s": seconds,
        "open_cpu_s": told["ProcessTime"],
        "nodes": told["Nodes"],
        "open_case_s": opened,
    }


def main() -> int:
    """Measure, print, write, judge."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # each process would compile everything anew
    if (
        sys.argv[1] == "--write"
    ):  # a process of its own, so that its peak of memory is that of the reports
        print(json.dumps(write_reports(Path(sys.argv[2]))))
        return 0
    run = Path(sys.argv[1]).resolve()
    cases = int(sys.argv[2]) if len(sys.argv) > 2 else CASES
    reports = Path("reports")
    reports.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=run.parent, prefix=".bench-") as scratch:
        large = enlarge(run, Path(scratch), cases)
        command = [sys.executable, "-m", "tools.speed.report", "--write", str(large)]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        figures = {
            "cases": float(cases),
            **json.loads(said.splitlines()[-1]),
            **open_page(large / "report.html"),
        }
    table = Table("figure", "measured", "bar", title=f"reports of {cases} cases")
    missed = {name for name, bar in BARS.items() if not figures[name] <= bar}
    for name, value in figures.items():
        bar = f"≤ {BARS[name]:g}" + (" missed" if name in missed else "") if name in BARS else ""
        table.add_row(name, f"{value:.2f}", bar)
    Console().print(table)
    (reports / "bench-report.json").write_text(json.dumps(figures, indent=1) + "\n")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
