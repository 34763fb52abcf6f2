"""``make flakes``: a short matrix and the whole test suite again and again, on a quiet machine and on a busy one.

The simulated world is sound, so each case has to pass each time, and each test. Exit code 0 when all did, 1 when one did
not. ``reports/flakes.json`` is written after each run, so that one that is ended early has told what it saw.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from xml.etree.ElementTree import ParseError

from tools import junit

ROOT = Path(__file__).resolve().parents[1]
DEPLOYMENT = ROOT / "scenarios" / "deployments" / "simulated-talkdesk.toml"
ROWS = ("TD-INBOUND", "TD-TRANSFER-BLIND", "TD-FALLBACK-REFUSED", "HANGUP-AI")
VERDICTS = ("passed", "failed", "not_observable", "broken")
#: Ends with whoever started it, however that ends.
_BUSY = "import os\nwhile os.getppid() == {parent}: pass"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, count, say."""
    parser = argparse.ArgumentParser(prog="make flakes", description=__doc__)
    parser.add_argument("--runs", type=int, default=100, help="of the matrix, at each load")
    parser.add_argument("--suites", type=int, default=10, help="of make test, at each load")
    parser.add_argument("--load", type=int, nargs="+", default=[0, 6], metavar="N", help="busy processes beside it")
    parser.add_argument("--reports", type=Path, default=ROOT / "reports", help="where results are left")
    asked = parser.parse_args(arguments)
    asked.reports.mkdir(parents=True, exist_ok=True)
    kept, figures = asked.reports / "flakes", dict[str, int]()
    shutil.rmtree(kept, ignore_errors=True)
    for load in asked.load:
        for what, runs, once in (("matrix", asked.runs, _matrix), ("suite", asked.suites, _suite)):
            name, began, found = f"load_{load}_{what}", time.monotonic(), dict[str, int]()
            with busy(load):
                for found in totals(_again(once, runs, kept / name)):
                    found["seconds"] = round(time.monotonic() - began)
                    figures |= {f"{name}_{figure}": value for figure, value in found.items()}
                    (asked.reports / "flakes.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
            if found:
                said = "  ".join(f"{figure} {value}" for figure, value in found.items())
                print(f"{what} beside {load} busy processes: {said}", flush=True)
    return int(not figures or any(value for name, value in figures.items() if name.endswith("_flakes")))


@contextlib.contextmanager
def busy(processes: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """So many processes that never rest, while this lasts."""
    nothing = subprocess.DEVNULL
    command = [sys.executable, "-c", _BUSY.format(parent=os.getpid())]
    started = [subprocess.Popen(command, stdin=nothing, stdout=nothing) for _ in range(processes)]
    try:
        yield started
    finally:
        for process in started:
            process.kill()
            process.wait()


#: What one run came to: cases, and how many of them had which end. None where it left nothing to count.
Summary = Mapping[str, int] | None


def _again(once: Callable[[Path], Summary], runs: int, kept: Path) -> Iterator[Summary]:
    """The summary of each run, which has a directory for itself. What a run that was not perfect left is kept."""
    for number in range(runs):
        with tempfile.TemporaryDirectory(prefix="harness-flakes-") as directory:
            summary = once(Path(directory))
            if not is_perfect(summary):
                shutil.copytree(directory, kept / str(number), symlinks=True)
            yield summary


def _matrix(directory: Path) -> Summary:
    harness = str(Path(sys.executable).with_name("harness"))
    rows = [f"--row={row}" for row in ROWS]
    _run([harness, "verify", str(DEPLOYMENT), *rows, "--reports", str(directory)], directory)
    with contextlib.suppress(OSError, ValueError):
        told = json.loads((directory / "latest" / "summary.json").read_text(encoding="utf-8"))
        return {name: told[name] for name in ("cases", *VERDICTS)}
    return None


def _suite(directory: Path) -> Summary:
    left = directory / "junit.xml"
    _run(["make", "-s", "test", f"ARGS=--junitxml={left}"], directory)
    with contextlib.suppress(OSError, ParseError):
        found = junit.counts(left)
        return {"cases": sum(found.values()), **found}
    return None


def _run(command: Sequence[str], directory: Path) -> None:
    # Not this make's own variables: a make below would take its ARGS.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    with (directory / "run.log").open("wb") as output:
        # should this process be killed, the run is terminated; make passes that on
        tied = ["setpriv", "--pdeathsig", "TERM", *command]
        subprocess.run(tied, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT, check=False)


def is_perfect(summary: Summary) -> bool:
    """Whether all of its cases passed, and there were any."""
    return summary is not None and summary["cases"] > 0 and summary["passed"] == summary["cases"]


def totals(summaries: Iterable[Summary]) -> Iterator[dict[str, int]]:
    """After each run: how many there were, their cases by how they ended, and ``flakes``: runs that were not perfect."""
    found = Counter[str](runs=0, flakes=0)
    for summary in summaries:
        found["runs"] += 1
        found["flakes"] += not is_perfect(summary)
        for name, count in (summary or {}).items():
            found[name] += count
        yield dict(found)


if __name__ == "__main__":
    sys.exit(main())
