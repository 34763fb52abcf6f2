"""``make shapes``: drawn customers, each verified clean, and again with one fault on one of its numbers.

The harness is told the file alone. Clean, every planned case has to pass and every documented row to be run or said to be
left out; with the fault, a case of that number has to fail, and no case of another number. Exit code 0 when all of that is so.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tomli_w

from harness import integrations, matrix
from harness.deployment import Deployment
from harness.deployment_file import load
from tools.selfproof.plan import FAULTS
from tools.shapes.draw import customers

ROOT = Path(__file__).resolve().parents[2]
CUSTOMERS = 200
_HARNESS = (sys.executable, "-c", "from harness.cli.app import main; main()")
Case = dict[str, Any]


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw, verify, judge, and write the figures."""
    asked = _parser().parse_args(arguments)
    number = asked.seed if asked.seed is not None else random.SystemRandom().randrange(2**32)
    print(f"seed {number}", flush=True)
    figures: Counter[str] = Counter()
    said: list[str] = []
    with tempfile.TemporaryDirectory(prefix="shapes-") as scratch:
        for index, table in enumerate(customers(asked.customers, number)):
            trial = Trial(Path(scratch) / str(index), table, asked.workers)
            try:
                said += trial.clean(figures)
                said += trial.with_fault(figures, random.Random(f"{number} {index}"))
            except NoRunError as error:
                figures["not_run"] += 1
                said.append(f"customer-{index}: {error}")
            print(f"{index + 1}  {'  '.join(f'{key} {value}' for key, value in figures.items())}", flush=True)
    keys = (
        "customers",
        "not_run",
        "cases",
        "false_alarms",
        "unsaid_rows",
        "faults",
        "missed",
        "wrongly_red",
        "named_first",
        "listed",
    )
    plain = {"seed": number, **{key: figures[key] for key in keys}, "said": said}
    (ROOT / "reports").mkdir(exist_ok=True)
    asked.json.write_text(json.dumps(plain, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    for line in said:
        print(line)
    return int(any(figures[key] for key in ("not_run", "false_alarms", "unsaid_rows", "missed", "wrongly_red")))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.shapes", description=__doc__)
    parser.add_argument("--customers", type=int, default=CUSTOMERS)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--json", type=Path, default=ROOT / "reports" / "shapes.json")
    return parser


class NoRunError(Exception):
    """``harness verify`` ended before its first case; the message is what it said."""


class Trial:
    """One customer."""

    def __init__(self, directory: Path, table: dict[str, Any], workers: int) -> None:
        self._directory = directory
        self._workers = workers
        directory.mkdir()
        self._file = directory / "deployment.toml"
        self._file.write_text(tomli_w.dumps(table), encoding="utf-8")
        self._deployment: Deployment = load(self._file)

    def clean(self, figures: Counter[str]) -> list[str]:
        """Verify it as it is."""
        found, summary = self._verify("clean")
        figures["customers"] += 1
        figures["cases"] += len(found)
        red = [case for case in found if _verdict(case) != "passed"]
        figures["false_alarms"] += len(red)
        unsaid = self._unsaid(found, summary)
        figures["unsaid_rows"] += len(unsaid)
        alarms = [f"{self._deployment.name}: {case['id']}: {_verdict(case)}: {_message(case)}" for case in red]
        return alarms + [f"{self._deployment.name}: {row}: neither run nor said to be left out" for row in unsaid]

    def with_fault(self, figures: Counter[str], dice: random.Random) -> list[str]:
        """Verify it with one fault on one number; nothing where no fault can strike."""
        strikes = [
            (name, case)
            for name, places in FAULTS.items()
            for case in matrix.cases([self._deployment])
            if case.line is not None and any(place.admits(case) for place in places)
        ]
        strikes = [strike for strike in strikes if strike[0] not in _WHOLE_TENANT]
        if not strikes:
            return []
        fault, struck = dice.choice(strikes)
        found, _ = self._verify(fault, f"--fault={fault}@{struck.line}", f"--row={struck.row.id}")
        figures["faults"] += 1
        red = [case for case in found if _verdict(case) != "passed"]
        where = f"{self._deployment.name}: {fault}@{struck.line}"
        said = [f"{where}: {case['id']}: wrongly red: {_message(case)}" for case in red if case["line"] != struck.line]
        figures["wrongly_red"] += len(said)
        hit = next((case for case in red if case["id"] == struck.id), None)
        if hit is None:
            figures["missed"] += 1
            return [*said, f"{where}: {struck.id}: missed"]
        causes = [cause["id"] for cause in (hit["end"].get("diagnosis") or {}).get("causes", [])]
        figures["named_first"] += causes[:1] == [fault]
        figures["listed"] += fault in causes
        return said if fault in causes else [*said, f"{where}: {struck.id}: named {causes}"]

    def _verify(self, name: str, *options: str) -> tuple[list[Case], dict[str, Any]]:
        reports = self._directory / name
        command = [
            sys.executable,
            "-c",
            "from harness.cli.app import main; main()",
            "verify",
            str(self._file),
            "--reports",
            str(reports),
        ]
        done = subprocess.run(
            [*command, "-n", str(self._workers), *options], cwd=ROOT, capture_output=True, text=True, timeout=1800
        )
        latest = reports / "latest"
        if not (latest / "summary.json").exists():
            raise NoRunError(f"{name}: no run came of it: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        cases = [json.loads(path.read_text("utf-8")) for path in sorted(latest.glob("cases/*/case.json"))]
        return cases, json.loads((latest / "summary.json").read_text("utf-8"))

    def _unsaid(self, found: list[Case], summary: dict[str, Any]) -> list[str]:
        told = {case["row"] for case in found} | {item["row"] for item in summary.get("left_out", ())}
        documented = {row.id for row in integrations.find(self._deployment.integration).rows if row.documented}
        return sorted(documented - told)


#: Faults of a port, a certificate or a registration: they have no number.
_WHOLE_TENANT = frozenset(
    name
    for name in FAULTS
    if name.startswith(("firewall-", "certificate-"))
    or name
    in {
        "termination-uri-wrong",
        "username-wrong",
        "password-wrong",
        "synthflow-ip-not-allowed",
        "registration-expires-early",
    }
)


def _verdict(case: Case) -> str:
    return str((case.get("end") or {}).get("verdict", "never ended"))


def _message(case: Case) -> str:
    return str((case.get("end") or {}).get("message", "")).partition("\n")[0][:300]
