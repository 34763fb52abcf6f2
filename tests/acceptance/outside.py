"""A world that is up by itself: the harness is told nothing but a file and the environment, as for
a real platform.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import termios
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any

import httpx

from harness.deployment import Deployment
from harness.run.cli.simulate import live_file

ROOT = Path(__file__).parents[2]
WORLD_FILE = ROOT / "scenarios" / "deployments" / "simulated-talkdesk.toml"


def was_starved(output: str) -> bool:
    """Whether something was broken since this machine had no time for it, which says nothing of
    what it is about.
    """
    return "kept the harness waiting" in " ".join(output.split())


@dataclass
class Outside:
    """A world in a process of its own, and files about it."""

    directory: Path
    control: httpx.Client  #: the world's control API
    tenants: Sequence[Deployment]
    python: str  #: what runs are forked by, see ``tests.forked``
    secrets: dict[str, str] = field(default_factory=dict)

    def file(
        self, kind: Any, name: str | None = None, change: Callable[[str], str] = lambda text: text
    ) -> Path:
        """A file for one tenant: the first is the live one, the second has the stand-in."""
        world = self.tenants[0 if kind == "live" else 1]
        own, text, secrets = live_file(world, kind, world.timings_by("quick"))
        self.secrets |= secrets
        path = self.directory / f"{name or own}.toml"
        if name:
            text = text.replace(f'name = "{own}"', f'name = "{name}"', 1)
        path.write_text(change(text))
        return path

    @property
    def environment(self) -> dict[str, str]:
        kept = {
            n: value for n, value in os.environ.items() if not n.startswith(("PYTEST_", "PYTHON"))
        }
        return kept | self.secrets | {"HARNESS_LIVE": "1"}

    def harness(self, *arguments: str | Path) -> tuple[int, str]:
        """Exit code and output of ``harness …``, forked."""
        return self.finished(self.command(*arguments, python=self.python))

    def start(self, *arguments: str | Path, terminal: int | None = None) -> subprocess.Popen[str]:
        """``harness verify``; at a terminal (its file descriptor) if there is one."""
        return self.command(
            "verify", *arguments, "--reports", self.directory / "reports", terminal=terminal
        )

    def command(
        self, *arguments: str | Path, terminal: int | None = None, python: str = sys.executable
    ) -> subprocess.Popen[str]:
        """``harness …``."""

        def sit_down() -> None:
            if terminal is not None:
                fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)

        return subprocess.Popen(
            [python, "-c", "from harness.run.cli.app import main; main()", *map(str, arguments)],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            preexec_fn=sit_down,
        )

    def run(self, *arguments: str | Path) -> tuple[int, str]:
        """Exit code and output. Where a busy machine broke a case, which says nothing of what it is
        about, those of a second run.
        """
        asked = ("verify", *arguments, "--reports", self.directory / "reports")
        code, output = self.harness(*asked)
        if was_starved(output):
            code, output = self.harness(*asked)
        return code, output

    def load(self, file: Path, reports: Path, *arguments: str) -> tuple[int, str]:
        """The same of ``harness load``, which makes no attempt anew itself."""
        asked: list[str | Path] = ["load", file, *arguments, "--reports", reports]
        code, output = self.harness(*asked)
        if was_starved(output):
            shutil.rmtree(reports / "load")
            code, output = self.harness(*asked)
        return code, output

    @staticmethod
    def finished(process: subprocess.Popen[str]) -> tuple[int, str]:
        """Exit code and output."""
        try:
            output, _ = process.communicate(timeout=600)
        finally:
            process.kill()
        return process.returncode, output

    @property
    def run_directory(self) -> Path:
        return max(
            path
            for path in (self.directory / "reports").iterdir()
            if path.is_dir() and not path.is_symlink()
        )

    def verdicts(self) -> dict[str, str]:
        """Of the newest run, by case."""
        found = (
            json.loads(path.read_text()) for path in self.run_directory.glob("cases/*/case.json")
        )
        return {case["id"]: case["end"]["verdict"] for case in found}

    def findings(self, case: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self._case(case).read_text())["end"]["findings"]
        return found

    def events(self, case: str) -> list[dict[str, Any]]:
        lines = (self._case(case).parent / "events.jsonl").read_text().splitlines()
        return [found["event"] for line in lines if "event" in (found := json.loads(line))]

    def _case(self, case: str) -> Path:
        for path in self.run_directory.glob("cases/*/case.json"):
            if json.loads(path.read_text())["id"] == case:
                return path
        raise LookupError(case)

    def at_once(self) -> int:
        """How many cases of one deployment were under way at the same time, at most."""
        times: dict[str, list[tuple[float, int]]] = {}
        for path in self.run_directory.glob("cases/*/case.json"):
            case = json.loads(path.read_text())
            times.setdefault(case["deployment"], []).extend(
                [(case["began"], 1), (case["end"]["at"], -1)]
            )
        return max(max(accumulate(step for _, step in sorted(found))) for found in times.values())

    def calls_up(self) -> list[str]:
        """The calls that the world has up, by its control API."""
        state = self.control.get("/calls").json()
        up = [call["name"] for tenant in state["tenants"] for call in tenant["calls"]]
        return up + [
            f"AI call of tenant {t['tenant']}"
            for t in state["tenants"]
            for _ in range(t["ai_calls"])
        ]
