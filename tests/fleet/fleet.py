"""A real Redis, and sites as processes on this machine, for the tests of ``harness fleet``."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis
import tomli_w

from tests.redis_server import Redis, until

ROOT = Path(__file__).resolve().parents[2]
HARNESS = [sys.executable, "-c", "from harness.run.cli.app import main; main()"]
CALLS = ROOT / "tests" / "fleet" / "calls"
SITES = ("ams", "fra", "nyc", "sin")
DEADLINE_S = 400.0


def family(pid: int) -> list[int]:
    """A process and all its descendants (proc(5))."""
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


@dataclass
class Fleet:
    """Sites, deployment files and a controller."""

    directory: Path
    redis: Redis
    sites: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def files(self) -> Path:
        return self.directory / "files"

    @property
    def reports(self) -> Path:
        return self.directory / "reports"

    def environment(self, **more: str) -> dict[str, str]:
        kept = {n: v for n, v in os.environ.items() if not n.startswith(("PYTEST_", "HARNESS_"))}
        return kept | {"HARNESS_FLEET_REDIS": self.redis.address} | more

    def site(self, name: str, held_s: float, **environment: str) -> None:
        """Start a site's worker."""
        command = [*HARNESS, "fleet", "work", "--site", name, "--files", str(self.files)]
        command += ["--scratch", str(self.directory / f"scratch-{name}")]
        command += ["--scenarios", str(CALLS)]
        with (self.directory / f"{name}.log").open("ab") as log:
            self.sites[name] = subprocess.Popen(
                command, stdout=log, stderr=log, cwd=ROOT, env=self.environment(HELD_S=str(held_s), **environment),
                start_new_session=True,
            )  # fmt: skip
        until(
            f"site {name} is there", lambda: bool(self.redis.client.exists(f"harness:site:{name}"))
        )

    def kill_worker(self, name: str) -> None:
        """Kill only the Celery worker."""
        worker = self.sites.pop(name)
        worker.kill()
        worker.wait()

    def kill_site(self, name: str) -> None:
        """Kill all of a site's processes at once, as in a power failure."""
        worker = self.sites.pop(name)
        for pid in family(worker.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        worker.wait()

    def customer(self, name: str, numbers: int, **limits: float) -> str:
        """Write a deployment with this many numbers on one trunk, each a case; returns the file's
        name.
        """
        plain = tomllib.loads(
            (ROOT / "scenarios" / "deployments" / "simulated-talkdesk.toml").read_text()
        )
        del plain["numbers_csv"]
        plain |= {
            "name": name,
            "depth": "every-number",
            "axes": {"codecs": ["pcmu"]},
            "trunks": plain["trunks"][:1],
        }
        del plain["campaign"]
        plain["lines"] = {
            f"line-{number:02}": {
                "did": f"+131255501{number:02}",
                "assistant": "main",
                "fallback": "reception",
            }
            for number in range(numbers)
        }
        plain["limits"] |= limits
        self.files.mkdir(exist_ok=True)
        (self.files / f"{name}.toml").write_text(tomli_w.dumps(plain))
        return f"{name}.toml"

    def file(self, customer: str, sites: tuple[str, ...], workers: int = 2, **more: Any) -> Path:
        """Write a fleet file."""
        plain = {
            "results": str(self.directory / "results"),
            "lease_s": 4.0,
            "patience_s": 60.0,
            "sites": [{"name": name, "workers": workers} for name in sites],
            "verify": [{"file": customer, "rows": ["TD-INBOUND"]}],
        }
        path = self.directory / f"fleet-{len(sites)}.toml"
        path.write_text(tomli_w.dumps(plain | more))
        return path

    def controller(self, *arguments: str | Path) -> subprocess.Popen[str]:
        command = [*HARNESS, "fleet", "run", *map(str, arguments)]
        command += ["--files", str(self.files), "--reports", str(self.reports)]
        return subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=ROOT,
            env=self.environment(),
        )

    def run(self, *arguments: str | Path) -> tuple[int, str]:
        return finished(self.controller(*arguments))

    def begun(self) -> int:
        """Calls admitted in all runs so far."""
        try:
            return sum(
                int(self.redis.client.llen(key))
                for key in self.redis.client.keys("harness:run:*:ledger")
            )
        except redis.ConnectionError:
            return 0

    def ledger(self, run: str) -> list[dict[str, Any]]:
        return [
            json.loads(entry)
            for entry in self.redis.client.lrange(f"harness:run:{run}:ledger", 0, -1)
        ]

    @property
    def latest(self) -> Path:
        return (self.reports / "latest").resolve()

    def close(self) -> None:
        for name in list(self.sites):
            self.kill_site(name)


def finished(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit code and output."""
    with process:
        try:
            output, _ = process.communicate(timeout=DEADLINE_S)
        finally:
            process.kill()
    return process.returncode, output


def verdicts(run: Path) -> dict[tuple[str, str], list[str]]:
    """(site, case) → the verdicts recorded for its last attempt."""
    found: dict[tuple[str, str], dict[int, list[str]]] = {}
    for path in run.glob("cases/*/case.json"):
        plain = json.loads(path.read_text())
        attempts = found.setdefault((plain["site"], plain["id"]), {})
        attempts.setdefault(plain.get("attempt", 1), []).append(
            plain.get("end", {}).get("verdict", "no end")
        )
    return {case: attempts[max(attempts)] for case, attempts in found.items()}


def run_again(run: Path) -> set[str]:
    """The cases that a site ran again."""
    every = (json.loads(path.read_text()) for path in run.glob("cases/*/case.json"))
    return {str(plain["id"]) for plain in every if plain.get("attempt", 1) > 1}


def outgoing(run: Path) -> Iterator[tuple[float, float]]:
    """When each outgoing call began and ended (monotonic), from the evidence."""
    for path in run.glob("cases/*/events.jsonl"):
        began: dict[str, float] = {}
        for line in path.read_text().splitlines():
            event = json.loads(line).get("event", {})
            if event.get("kind") == "LegStarted" and event["direction"] == "outgoing":
                began[event["leg"]] = event["at"]
            elif (
                event.get("kind") == "CallState"
                and event["state"] == "disconnected"
                and event["leg"] in began
            ):
                yield began.pop(event["leg"]), event["at"]
        assert not began, f"{path}: a call that never ended"
