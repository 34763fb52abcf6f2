"""A run of ``harness verify`` as a user would start it, and what it left."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Verified:
    """What a run of ``harness verify`` left."""

    directory: Path
    ends: Mapping[str, Mapping[str, str]]  #: verdict and message, by case
    output: str

    def cases_of(self, row: str) -> list[Path]:
        """The directories of a row's cases."""
        return [
            path for path in self.directory.glob("cases/*") if self._id(path).startswith(f"{row}[")
        ]

    @staticmethod
    def _id(case: Path) -> str:
        return str(json.loads((case / "case.json").read_text())["id"])


def verify(file: Path, rows: Iterable[str], reports: Path, *, workers: int = 2) -> Verified:
    """All rows in one run."""
    command = [
        str(Path(sys.executable).with_name("harness")),
        "verify",
        str(file),
        "--live",
        "-n",
        str(workers),
    ]
    command += [f"--row={row}" for row in rows] + [f"--reports={reports}"]
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTEST_", "COV_"))
    }
    with (reports / "output.txt").open("w+") as output:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=900,
            check=False,
        )
        output.seek(0)
        said = output.read()
    assert done.returncode in (0, 1), said
    assert (reports / "latest").exists(), said
    directory = (reports / "latest").resolve()
    cases = [json.loads(path.read_text()) for path in directory.glob("cases/*/case.json")]
    cases.sort(key=lambda case: case.get("attempt", 1))  # the last one counts
    return Verified(directory, {case["id"]: case["end"] for case in cases}, said)
