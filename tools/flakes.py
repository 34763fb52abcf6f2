"""``make flakes``: a short matrix again and again, on a quiet machine and on a busy one: ``reports/flakes.json``.

The simulated world is sound, so each case has to pass each time. Exit code 0 when all did, 1 when one did not.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
DEPLOYMENT = ROOT / "scenarios" / "deployments" / "simulated-talkdesk.toml"
ROWS = ("TD-INBOUND", "TD-TRANSFER-BLIND", "TD-FALLBACK-REFUSED", "HANGUP-AI")
VERDICTS = ("passed", "failed", "not_observable", "broken")
_BUSY = "while True: pass"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, count, say."""
    parser = argparse.ArgumentParser(prog="make flakes", description=__doc__)
    parser.add_argument("--runs", type=int, default=100, help="at each load")
    parser.add_argument("--load", type=int, nargs="+", default=[0, 6], metavar="N", help="busy processes beside it")
    parser.add_argument("-n", dest="workers", default="auto", help="cases at once")
    parser.add_argument("--reports", type=Path, default=ROOT / "reports", help="where results are left")
    asked = parser.parse_args(arguments)
    asked.reports.mkdir(parents=True, exist_ok=True)
    kept, figures = asked.reports / "flakes", dict[str, float]()
    shutil.rmtree(kept, ignore_errors=True)
    for load in asked.load:
        began = time.monotonic()
        with busy(load):
            found = counted(_runs(asked.runs, asked.workers, kept / f"load-{load}"))
        found["seconds"] = round(time.monotonic() - began)
        figures |= {f"load_{load}_{name}": value for name, value in found.items()}
        print(f"beside {load} busy processes: " + "  ".join(f"{name} {value}" for name, value in found.items()))
    (asked.reports / "flakes.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    return int(any(value for name, value in figures.items() if name.endswith("_flakes")))


@contextlib.contextmanager
def busy(processes: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """So many processes that never rest, while this lasts."""
    started = [subprocess.Popen([sys.executable, "-c", _BUSY]) for _ in range(processes)]
    try:
        yield started
    finally:
        for process in started:
            process.kill()
            process.wait()


def _runs(runs: int, workers: str, kept: Path) -> Iterator[dict[str, Any] | None]:
    """The summary of each run; None where one left none. What a run that was not perfect left is kept."""
    for number in range(runs):
        with tempfile.TemporaryDirectory(prefix="harness-flakes-") as directory:
            log = Path(directory, "run.log")
            command = [str(Path(sys.executable).with_name("harness")), "verify", str(DEPLOYMENT), "-n", workers]
            command += [f"--row={row}" for row in ROWS] + ["--reports", directory]
            with log.open("wb") as output:
                subprocess.run(command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, check=False)
            summary = None
            with contextlib.suppress(OSError, ValueError):
                summary = json.loads(Path(directory, "latest", "summary.json").read_text(encoding="utf-8"))
            if summary is None or not is_perfect(summary):
                shutil.copytree(directory, kept / str(number), symlinks=True)
            yield summary


def is_perfect(summary: dict[str, Any]) -> bool:
    """Whether all of its cases passed, and there were any."""
    return bool(summary["cases"]) and summary["passed"] == summary["cases"]


def counted(summaries: Iterator[dict[str, Any] | None]) -> dict[str, int]:
    """Runs, cases by verdict, and ``flakes``: runs that were not perfect."""
    found = Counter[str](dict.fromkeys(("runs", "cases", *VERDICTS, "flakes"), 0))
    for summary in summaries:
        found["runs"] += 1
        found["flakes"] += summary is None or not is_perfect(summary)
        found.update({name: summary[name] for name in ("cases", *VERDICTS)} if summary else {})
    return dict(found)


if __name__ == "__main__":
    sys.exit(main())
