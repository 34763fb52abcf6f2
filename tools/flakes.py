"""``make flakes``: a short matrix and the whole test suite again and again, on a quiet machine and
on a busy one.

The simulated world is sound, so each case has to pass each time, and each test. Exit code 0 when
all did, 1 when one did not. ``reports/flakes.json`` is written after each run, so that one that is
ended early has told what it saw; ``--add`` goes on with what it has, and each run is counted under
the revision that it was of.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError

from tools import HARNESS, ROOT, junit

DEPLOYMENT = ROOT / "scenarios" / "deployments" / "simulated-talkdesk.toml"
ROWS = ("TD-INBOUND", "TD-TRANSFER-BLIND", "TD-FALLBACK-REFUSED", "HANGUP-AI")
VERDICTS = ("passed", "failed", "not_observable", "broken")
#: What one run came to: cases, and how many of them had which end. None where it left nothing to
#: count.
Summary = Mapping[str, int] | None
#: One run, which leaves what it has in that directory.
Once = Callable[[Path], Summary]
#: Of one load: ``runs``, ``flakes``, ``seconds``, ``load_average`` meanwhile, cases by how they
#: ended; ``revisions``: the runs of each.
Figures = dict[str, Any]
_LOOKED_EVERY_S = 10.0
#: Ends with whoever started it, however that ends.
_BUSY = "import os\nwhile os.getppid() == {parent}: pass"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, count, say."""
    asked = _parser().parse_args(arguments)
    asked.reports.mkdir(parents=True, exist_ok=True)
    kept, file = asked.reports / "flakes", asked.reports / "flakes.json"
    figures = read(file) if asked.add else {}
    if not asked.add:
        shutil.rmtree(kept, ignore_errors=True)
    for name, processes, runs, once in _wanted(asked):
        figures[name] = found = _more(figures.get(name), {})
        with busy(processes):
            for summary, revision, seconds, load in _again(once, runs, kept / name, found["runs"]):
                found["load_average"] = _mean(
                    found.get("load_average", load), found["seconds"], load, seconds
                )
                found |= _more(found, {"seconds": seconds} | count(summary), revision)
                file.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
        print(
            f"{name}: " + "  ".join(f"{figure} {value}" for figure, value in found.items()),
            flush=True,
        )
    return int(
        not any(one["runs"] for one in figures.values())
        or any(one["flakes"] for one in figures.values())
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make flakes", description=__doc__)
    parser.add_argument("--runs", type=int, default=100, help="of the matrix, at each load")
    parser.add_argument("--suites", type=int, default=10, help="of make test, at each load")
    parser.add_argument(
        "--load", type=int, nargs="+", default=[0, 6], metavar="N", help="busy processes beside it"
    )
    parser.add_argument(
        "--add", action="store_true", help="to the runs that flakes.json has, of whatever revisions"
    )
    parser.add_argument(
        "--reports", type=Path, default=ROOT / "reports", help="where results are left"
    )
    return parser


def _wanted(asked: argparse.Namespace) -> Iterator[tuple[str, int, int, Once]]:
    """Each load: its name, the number of busy processes, the number of runs, and what is run."""
    for load in asked.load:
        for what, runs, once in (("matrix", asked.runs, _matrix), ("suite", asked.suites, _suite)):
            if runs:
                yield f"load_{load}_{what}", load, runs, once


def read(file: Path) -> dict[str, Figures]:
    """What earlier sittings found; none where there was no sitting. Ends the program for what is
    something else.
    """
    try:
        figures = json.loads(file.read_text(encoding="utf-8"))
        if any(one["runs"] != sum(one["revisions"].values()) for one in figures.values()):
            raise ValueError
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError, KeyError, AttributeError):
        raise SystemExit(
            f"{file}: not what --add could go on with; allowed: a file of make flakes, or none"
        ) from None
    return dict(figures)


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


def _mean(one: float, seconds: float, other: float, more_seconds: float) -> float:
    """The load of so many seconds and of so many more, together."""
    return round((one * seconds + other * more_seconds) / (seconds + more_seconds), 1)


@contextlib.contextmanager
def watched() -> Iterator[Callable[[], float]]:
    """The mean of the system's load (of its last minute, each time) while this lasts."""
    over, loads = threading.Event(), [os.getloadavg()[0]]

    def watch() -> None:
        while not over.wait(_LOOKED_EVERY_S):
            loads.append(os.getloadavg()[0])

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield lambda: statistics.mean(loads)
    finally:
        over.set()
        watching.join()


def _again(
    once: Once, runs: int, kept: Path, number: int
) -> Iterator[tuple[Summary, str, float, float]]:
    """For each run its summary, its revision, how long it took, and the system's load meanwhile.

    What an imperfect run left is kept, under its ``number``.
    """
    for place in range(number, number + runs):
        began, before = time.monotonic(), revision()
        with watched() as load, tempfile.TemporaryDirectory(prefix="harness-flakes-") as directory:
            summary = once(Path(directory))
            if not is_perfect(summary):
                shutil.copytree(directory, kept / str(place), symlinks=True, ignore=_no_files)
        after = revision()
        yield (
            summary,
            before if before == after else f"{before}..{after}",
            time.monotonic() - began,
            load(),
        )


def _no_files(directory: str, names: Sequence[str]) -> list[str]:
    """Sockets and the like, of which there is no copy."""
    paths = {name: Path(directory, name) for name in names}
    return [
        name
        for name, path in paths.items()
        if not (path.is_symlink() or path.is_file() or path.is_dir())
    ]


def revision() -> str:
    """The commit of the checkout; what stands in no commit is said."""
    told = _git("rev-parse", "--short", "HEAD").strip() or "unknown"
    return f"{told} and changes" if _git("status", "--porcelain").strip() else told


def _git(*arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout


def _matrix(directory: Path) -> Summary:
    rows = [f"--row={row}" for row in ROWS]
    _run([str(HARNESS), "verify", str(DEPLOYMENT), *rows, "--reports", str(directory)], directory)
    with contextlib.suppress(OSError, ValueError):
        told = json.loads((directory / "latest" / "summary.json").read_text(encoding="utf-8"))
        return {name: told[name] for name in ("cases", *VERDICTS)}
    return None


def _suite(directory: Path) -> Summary:
    left = directory / "junit.xml"
    # what failed leaves its evidence here
    own = f"--basetemp={directory / 'tmp'} -o tmp_path_retention_policy=failed"
    _run(["make", "-s", "test", f"ARGS=--junitxml={left} {own}"], directory)
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
        subprocess.run(
            tied, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT, check=False
        )


def is_perfect(summary: Summary) -> bool:
    """Whether all of its cases passed, and there were any."""
    return summary is not None and summary["cases"] > 0 and summary["passed"] == summary["cases"]


def count(summary: Summary) -> dict[str, int]:
    """One run, and whether it was a flake: not perfect."""
    return {"runs": 1, "flakes": int(not is_perfect(summary)), **(summary or {})}


def _more(figures: Figures | None, found: Mapping[str, float], revision: str = "") -> Figures:
    """The figures with what was found besides, under its revision."""
    total: Figures = {"runs": 0, "flakes": 0, "seconds": 0, "revisions": {}, **(figures or {})}
    for name, value in found.items():
        total[name] = round(total.get(name, 0) + value, 1)
    if revision:
        total["revisions"] = {
            **total["revisions"],
            revision: total["revisions"].get(revision, 0) + 1,
        }
    return total


if __name__ == "__main__":
    sys.exit(main())
