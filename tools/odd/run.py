"""Runs each row against the odd platform, and compares verdict and first causes with the right ones."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness.report.evidence import CaseEvidence
from tools import ROOT, in_a_line, read_toml, write_json

_LIMIT_S: Final = 180.0


@dataclass(frozen=True, slots=True)
class Oddity:
    """What is asked of the platform, and what is right."""

    run: str  #: the arguments of ``run.sh``
    verdict: str
    causes: tuple[str, ...] = ()  #: each of them is right as the first


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, compare, write the figures."""
    asked = _parser().parse_args(arguments)
    script = asked.platform / "run.sh"
    if not script.is_file():
        print(f"environment: there is no {script}; --platform names its directory", file=sys.stderr)
        return 2
    oddities = [one for one in read() if asked.k in one.run] * asked.times
    began = time.monotonic()
    counts = dict.fromkeys(("cases", "right", "wrong", "false_pass", "false_alarms", "broken"), 0)
    for oddity in oddities:
        seen = list(_cases(script, oddity))
        if any(case.verdict == "broken" for case in seen):  # this machine was busy: once more
            seen = list(_cases(script, oddity))
        wrong = [case for case in seen if not is_right(oddity, case)]
        outcome = "wrong" if wrong or not seen else "right"
        counts["cases"] += 1
        counts[outcome] += 1
        for case in wrong:
            counts["false_pass"] += case.verdict == "passed"
            counts["false_alarms"] += oddity.verdict == "passed" and case.verdict == "failed"
            counts["broken"] += case.verdict == "broken"
        said = [f"| {one.verdict} {_cause(one)} {one.message[:160]}" for one in wrong]
        print(outcome.replace("wrong", "WRONG"), oddity.run, *said)
    figures = counts | {"seconds": round(time.monotonic() - began, 1)}
    write_json(asked.reports / "odd.json", figures)
    print(in_a_line(figures))
    return 1 if counts["wrong"] else 0


def read() -> list[Oddity]:
    """The table."""
    table = read_toml(Path(__file__).with_name("cases.toml"))
    return [
        Oddity(run, group["verdict"], tuple(group.get("causes", ())))
        for group in table["group"]
        for run in group["runs"]
    ]


def is_right(oddity: Oddity, seen: CaseEvidence) -> bool:
    """Whether a case ended as it should."""
    return seen.verdict == oddity.verdict and (not oddity.causes or _cause(seen) in oddity.causes)


def _cause(seen: CaseEvidence) -> str:
    return str(seen.first_cause.get("id", ""))


def _cases(script: Path, oddity: Oddity) -> Iterator[CaseEvidence]:
    with tempfile.TemporaryDirectory(prefix="harness-odd-") as reports:
        subprocess.run(
            [script, *oddity.run.split()],
            env=os.environ | {"REPORTS": reports, "HARNESS": str(ROOT)},
            cwd=ROOT,
            capture_output=True,
            check=False,
            timeout=_LIMIT_S,
        )
        for path in sorted(Path(reports).glob("latest/cases/*/case.json")):
            yield CaseEvidence.read(path.parent)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.odd")
    parser.add_argument("--platform", type=Path, default=ROOT.parent / "shared" / "cases" / "odd")
    parser.add_argument("--times", type=int, default=1, help="how often each is run")
    parser.add_argument("-k", default="", help="those alone whose arguments have this text")
    parser.add_argument("--reports", type=Path, default=ROOT / "reports")
    return parser
