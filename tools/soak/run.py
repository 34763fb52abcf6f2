"""Runs the soak and judges it: ``reports/soak.json``.

One pytest run over thousands of cases, so that worlds, workers and softphones live long. Meanwhile
a softphone's process is killed now and then: the attempt that uses it is broken, no other, and its
case passes when it is run again. Exit code 0 when every bar is met, 1 when one is missed, 3 when
the run could not be made.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tools import ROOT
from tools.soak.processes import Growth, Sample, command_of, descendants, growth, parent_of, sample

DEPLOYMENT = ROOT / "scenarios" / "deployments" / "simulated-talkdesk.toml"
ROWS = (
    "TD-INBOUND",
    "TD-TRANSFER-BLIND",
    "TD-FALLBACK-REFUSED",
    "HANGUP-CALLER",
    "HANGUP-AI",
    "ABANDON",
)
MET, MISSED, BROKEN = 0, 1, 3
#: What may come and go between two windows of a run without being growth.
_RSS_PERCENT, _DESCRIPTORS, _PROCESSES = 2.0, 4, 1
_SETTLED_CASES = 1000
_SAMPLE_EVERY_S = 1.0
#: Of pytest's plugins. Playwright's, which no user has, keeps all reports on their items.
_LEFT_OUT = ("cacheprovider", "allure_pytest", "playwright", "hypothesispytest", "anyio")
_FORK_SERVER = "harness.support.forkserver.server"
_LIMIT = re.compile(r"^calls_per_run = \d+$", re.MULTILINE)
_OF = re.compile(r"\d+/(\d+) cases")
_LEG = re.compile(rb'"leg": ?"([^"]+)"')


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, count, judge."""
    asked = _parser().parse_args(arguments)
    reports: Path = asked.reports / "soak"
    shutil.rmtree(reports, ignore_errors=True)
    reports.mkdir(parents=True)
    began = time.monotonic()
    samples, kills, code = _run(asked, reports)
    runs = sorted(path.parent for path in reports.glob("*/cases"))
    if not runs:
        print(
            (reports / "run.log").read_text(encoding="utf-8", errors="replace")[-4000:],
            file=sys.stderr,
        )
        return BROKEN
    figures = {"seconds": round(time.monotonic() - began, 1)} | counted(
        runs[-1], _planned(reports), kills, growth(samples)
    )
    figures["exit_code"] = code
    (asked.reports / "soak.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    print("  ".join(f"{key} {value}" for key, value in figures.items()))
    missed = shortfalls(figures)
    for line in missed:
        print(f"MISSED   {line}")
    if not missed:
        shutil.rmtree(reports)  # thousands of cases' recordings, which nobody needs
    return MISSED if missed else MET


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--cases", type=int, default=4700, help="at least; 4,700 have 10,000 calls")
    parser.add_argument(
        "--kill-every",
        type=float,
        default=20.0,
        metavar="S",
        help="seconds between two kills; 0: none",
    )
    # fewer than a run has: so each worker has more cases, and its caches more time to fill before
    # growth is measured
    parser.add_argument(
        "-n", dest="workers", type=int, default=4 * (os.cpu_count() or 1), help="cases at once"
    )
    parser.add_argument("--seed", type=int, default=1, help="of whom to kill")
    parser.add_argument(
        "--reports", type=Path, default=ROOT / "reports", help="where results are left"
    )
    return parser


def _run(asked: argparse.Namespace, reports: Path) -> tuple[list[Sample], int, int]:
    deployment = _deployment(reports, calls=3 * asked.cases)
    command = [sys.executable, "-m", "pytest", str(ROOT / "scenarios"), "--rootdir", str(ROOT)]
    command += [
        "-c",
        str(ROOT / "pyproject.toml"),
        "-p",
        "tools.soak.plugin",
        *(f"-pno:{name}" for name in _LEFT_OUT),
    ]
    command += ["--no-reports", "--preflight", "off", "-n", str(asked.workers)]
    command += [
        f"--deployment={deployment}",
        "--reports",
        str(reports),
        f"--soak-cases={asked.cases}",
    ]
    command += [f"--row={row}" for row in ROWS]
    chosen, samples, kills = random.Random(asked.seed), list[Sample](), 0
    with (reports / "run.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=ROOT)
        next_kill = time.monotonic() + asked.kill_every
        try:
            while process.poll() is None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_SAMPLE_EVERY_S)
                ended = sum(1 for _ in reports.glob("*/cases/*/case.json"))
                samples.append(sample(process.pid, ended))
                if asked.kill_every and ended and time.monotonic() >= next_kill:
                    kills += _kill_a_phone(process.pid, chosen)
                    next_kill = time.monotonic() + asked.kill_every
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)
            process.wait()
    return samples, kills, process.returncode


def _deployment(directory: Path, calls: int) -> Path:
    """The deployment's file with a limit that a run of so many cases does not reach, and its
    numbers beside it.
    """
    shutil.copy(DEPLOYMENT.with_suffix(".csv"), directory)
    file = directory / DEPLOYMENT.name
    file.write_text(
        _LIMIT.sub(f"calls_per_run = {calls}", DEPLOYMENT.read_text(encoding="utf-8")),
        encoding="utf-8",
    )
    return file


def _planned(reports: Path) -> int:
    """How many cases the run said it would have."""
    told = _OF.findall((reports / "run.log").read_text(encoding="utf-8", errors="replace"))
    return max(map(int, told), default=0)


def _kill_a_phone(root: int, chosen: random.Random) -> int:
    phones = phones_of(root)
    if not phones:
        return 0
    with contextlib.suppress(ProcessLookupError):
        os.kill(chosen.choice(phones), signal.SIGKILL)
        return 1
    return 0


def phones_of(root: int) -> list[int]:
    """The softphones' processes and those that stand for them, but not the one of which all are
    forked: its end costs no case.
    """
    commands = {pid: command_of(pid) for pid in descendants(root)}
    found = [pid for pid, command in commands.items() if "harness.phone.child" in command]
    return sorted(
        pid
        for pid in found
        if commands.get(parent_of(pid) or 0) == commands[pid] or _FORK_SERVER not in commands[pid]
    )


def counted(run: Path, planned: int, kills: int, grown: Growth | None) -> dict[str, Any]:
    """The figures of a run's directory, which was to have ``planned`` cases."""
    verdicts, calls = Counter[str](), 0  # of attempts: a case whose softphone was killed has two
    last: dict[str, tuple[int, str]] = {}
    for path in run.glob("cases/*/case.json"):
        case = json.loads(path.read_text(encoding="utf-8"))
        verdict = (case.get("end") or {}).get("verdict", "lost")
        verdicts[verdict] += 1
        last[case["id"]] = max(
            last.get(case["id"], (0, "")), (int(case.get("attempt", 1)), verdict)
        )
        with contextlib.suppress(OSError):
            calls += len(set(_LEG.findall((path.parent / "events.jsonl").read_bytes())))
    lost = verdicts["lost"] + max(0, planned - len(last))
    return {
        "calls": calls,
        "cases": len(last),
        "lost_verdicts": lost,
        "false_failures": verdicts["failed"] + verdicts["not observable"],
        "broken": verdicts["broken"],
        "broken_at_last": sum(verdict == "broken" for _, verdict in last.values()),
        "rss_growth_percent": None if grown is None else grown.rss_percent,
        "lasting_rss_growth_percent": None if grown is None else grown.lasting_rss_percent,
        "fd_growth": None if grown is None else grown.descriptors,
        "process_growth": None if grown is None else grown.processes,
        "kills": kills,
        "survived": max(0, kills - max(0, verdicts["broken"] - kills) - lost),
    }


def shortfalls(figures: dict[str, Any]) -> list[str]:
    """Each bar that is missed, in words."""
    missed = []
    if figures["lost_verdicts"]:
        missed.append(f"{figures['lost_verdicts']} cases have no verdict")
    if figures["false_failures"]:
        missed.append(f"{figures['false_failures']} cases of a sound world did not pass")
    if figures["survived"] != figures["kills"] or figures["broken"] > figures["kills"]:
        missed.append(
            f"{figures['broken']} attempts broke after {figures['kills']} kills; allowed: one a kill"
        )
    if figures["broken_at_last"]:
        missed.append(
            f"{figures['broken_at_last']} cases are broken, though nobody was killed in their second attempt"
        )
    if figures["cases"] < _SETTLED_CASES:
        return missed  # the phones' processes are still coming up: growth says nothing
    if figures["rss_growth_percent"] is None:
        return [*missed, "too few samples to tell of growth"]
    for key, most in (
        ("rss_growth_percent", _RSS_PERCENT),
        ("lasting_rss_growth_percent", _RSS_PERCENT),
        ("fd_growth", _DESCRIPTORS),
        ("process_growth", _PROCESSES),
    ):
        if figures[key] > most:
            missed.append(f"{key} is {figures[key]}; allowed: {most}")
    return missed
