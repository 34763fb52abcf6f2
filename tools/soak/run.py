"""Runs the soak and judges it: ``reports/soak.json``.

One pytest run over thousands of cases, so that worlds, workers and softphones live long. Meanwhile
a softphone's process is killed now and then: the attempt that uses it is broken, no other, and its
case passes when it is run again. Exit code 0 when every bar is met, 1 when one is missed, 3 when
the run could not be made.
"""

from __future__ import annotations

import argparse
import contextlib
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

from tools import ROOT, read_json, trials, write_json
from tools.soak.processes import Growth, Sample, command_of, descendants, growth, parent_of, sample
from tools.trials import BROKEN, MET, MISSED

DEPLOYMENT = ROOT / "scenarios" / "deployments" / "simulated-talkdesk.toml"
ROWS = (
    "TD-INBOUND",
    "TD-TRANSFER-BLIND",
    "TD-FALLBACK-REFUSED",
    "HANGUP-CALLER",
    "HANGUP-AI",
    "ABANDON",
)
#: By figure, what may come and go between two windows of a run without being growth.
GROWS = {
    "rss_growth_percent": 2.0,
    "lasting_rss_growth_percent": 2.0,
    "fd_growth": 4,
    "process_growth": 1,
}
_SETTLED_CASES = 1000
_SAMPLE_EVERY_S = 1.0
#: Between two kills of softphones.
_KILL_EVERY_S = 20.0
_FORK_SERVER = "harness.support.forkserver.server"
_LIMIT = re.compile(r"^calls_per_run = \d+$", re.MULTILINE)
_OF = re.compile(r"\d+/(\d+) cases")
_LEG = re.compile(rb'"leg": ?"([^"]+)"')


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, count, judge."""
    asked = _parser().parse_args(arguments)
    reports = trials.fresh(asked.reports / "soak")
    began = time.monotonic()
    samples, kills, code = _run(asked, reports)
    log = (reports / "run.log").read_text(encoding="utf-8", errors="replace")
    runs = sorted(path.parent for path in reports.glob("*/cases"))
    if not runs:
        print(log[-4000:], file=sys.stderr)
        return BROKEN
    planned = max(map(int, _OF.findall(log)), default=0)  # as the run said
    figures = {"seconds": round(time.monotonic() - began, 1)} | counted(
        runs[-1], planned, kills, growth(samples)
    )
    figures["exit_code"] = code
    write_json(asked.reports / "soak.json", figures)
    print("  ".join(f"{key} {value}" for key, value in figures.items()))
    missed = shortfalls(figures)
    for line in missed:
        print(f"MISSED   {line}")
    if not missed:
        shutil.rmtree(reports)  # thousands of cases' recordings, which nobody needs
    return MISSED if missed else MET


def _parser() -> argparse.ArgumentParser:
    # fewer than a run has: so each worker has more cases, and its caches more time to fill before
    # growth is measured
    parser = trials.parser("soak", __doc__, at_once=4 * (os.cpu_count() or 1))
    parser.add_argument("--cases", type=int, default=4700, help="at least; 4,700 have 10,000 calls")
    return parser


def _run(asked: argparse.Namespace, reports: Path) -> tuple[list[Sample], int, int]:
    deployment = _deployment(reports, calls=3 * asked.cases)
    command = trials.pytest_command("tools.soak.plugin", [deployment], reports, asked.at_once)
    command += [f"--soak-cases={asked.cases}", *(f"--row={row}" for row in ROWS)]
    chosen, samples, kills = random.Random(1), list[Sample](), 0
    with (reports / "run.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=ROOT)
        next_kill = time.monotonic() + _KILL_EVERY_S
        try:
            while process.poll() is None:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(_SAMPLE_EVERY_S)
                ended = sum(1 for _ in reports.glob("*/cases/*/case.json"))
                samples.append(sample(process.pid, ended))
                if ended and time.monotonic() >= next_kill:
                    kills += _kill_a_phone(process.pid, chosen)
                    next_kill = time.monotonic() + _KILL_EVERY_S
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
        case = read_json(path)
        verdict = (case.get("end") or {}).get("verdict", "lost")
        verdicts[verdict] += 1
        attempt = (int(case.get("attempt", 1)), verdict)
        last[case["id"]] = max(last.get(case["id"], attempt), attempt)
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
        **dict(zip(GROWS, grown or (None,) * len(GROWS), strict=True)),
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
    for key, most in GROWS.items():
        if figures[key] > most:
            missed.append(f"{key} is {figures[key]}; allowed: {most}")
    return missed
