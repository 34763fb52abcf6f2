"""Whole pytest runs in pytest: a small tree of scenarios that use the plugin alone, and deployments
without a far end.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from harness.integrations import load
from harness.run.plugin.worlds import one_world
from tests.acceptance.outside import WORLD_FILE, Outside

#: A real deployment's file, complete, whose hosts are never contacted: the scenarios here place no
#: calls.
LAB = """
name = "{name}"
integration = "talkdesk"
kind = "live"
platform = {{ domain = "acme.example", host = "127.9.9.1", port = 5060 }}
accounts.carrier = {{ domain = "{name}.example", host = "127.9.9.1", port = 5060 }}
phones.caller = {{ account = "carrier", number = "+14155550101" }}
phones.billing = {{ account = "carrier", user = "agent-billing" }}
phones.support = {{ account = "carrier", user = "agent-support" }}
groups.billing = {{ did = "+18155550101", agents = ["billing"] }}
groups.support = {{ did = "+18155550102", agents = ["support"] }}
assistants.main = {{ did = "+12065550100", transfer = "cold", transfer_to = "billing" }}
synthflow = {{ api_base = "http://127.9.9.4:9", api_token_env = "HARNESS_LAB", witness = ["messages", "marks", "in-band", "dtmf"] }}
depth = "once"
escalation = {{ digit = "0" }}
lines.inbound = {{ dids = {{ udp-ip = "+13125550100", tcp-ip = "+13125550101" }}, assistant = "main" }}
limits = {{ concurrent_calls = 2, calls_per_second = 1000.0, calls_per_run = 100 }}

[[trunks]]
name = "udp-ip"
transport = "udp"
port = 32681
host = "127.9.9.2"
termination = "127.9.9.1:5060"

[[trunks]]
name = "tcp-ip"
transport = "tcp"
port = 32681
host = "127.9.9.2"
termination = "127.9.9.1:5060"
"""

HEAD = """
import os, time
from pathlib import Path
import pytest
from harness.scenario import scenario
from harness.case.verdict import Finding, Verdict

@pytest.fixture
def see(recorder):
    def see(verdict=Verdict.PASSED, actual="it was so"):
        recorder.raised(Finding("session.interval", "caller.1", verdict, "it to be so", actual, time.monotonic()))
    return see
"""


_HARNESS = "from harness.run.cli.entry import main; main()"


@dataclass
class Tree:
    """A directory with scenarios, deployments and reports of its own."""

    path: Path
    python: str = sys.executable  #: what runs are forked by, see ``tests.forked``
    _forked: bool = False

    def scenarios(self, text: str, head: str = HEAD) -> None:
        (self.path / "scenarios" / "test_lab.py").write_text(head + textwrap.dedent(text))

    def deployment(self, name: str = "lab") -> Path:
        path = self.path / f"{name}.toml"
        path.write_text(LAB.format(name=name))
        return path

    def run(self, *arguments: str, live: bool = True) -> tuple[int, str]:
        """Exit code and output of plain pytest, forked."""
        return self.finished(self.start(*arguments, live=live, forked=True))

    def run_lab(self, *options: str, live: bool = True) -> tuple[int, str]:
        """The same with the deployment ``lab``."""
        return self.run("--deployment", str(self.deployment()), *options, live=live)

    def harness(self, *arguments: str, **environment: str) -> tuple[int, str]:
        """Exit code and output of the command line, forked, with the project's own scenarios."""
        self._forked = True
        return self.finished(self.command([self.python, "-c", _HARNESS, *arguments], **environment))

    def start(
        self, *arguments: str, live: bool = True, forked: bool = False, **environment: str
    ) -> subprocess.Popen[str]:
        """Plain pytest; without a preflight, unless asked for: nobody is there to be looked at."""
        self._forked |= forked
        quick = ["-p", "no:hypothesispytest", "-p", "no:anyio"]
        command = [
            self.python if forked else sys.executable,
            "-m",
            "pytest",
            *quick,
            "scenarios",
            "--preflight=off",
        ]
        return self.command(
            [*command, *arguments], **(environment | ({"HARNESS_LIVE": "1"} if live else {}))
        )

    def start_harness(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """The command line as a user starts it."""
        return self.command(
            [str(Path(sys.executable).with_name("harness")), *arguments], **environment
        )

    def command(self, command: list[str], **environment: str) -> subprocess.Popen[str]:
        """Anything, started from here."""
        return subprocess.Popen(
            command,
            cwd=self.path,
            env={
                name: value
                for name, value in os.environ.items()
                if not name.startswith(("PYTEST_", "PYTHON", "GITHUB_"))
            }
            | {
                "TMPDIR": str(self.path / "tmp"),
                "HARNESS_LAB": "of an API that is never asked",
            }
            | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    @staticmethod
    def finished(process: subprocess.Popen[str], within: float = 600.0) -> tuple[int, str]:
        """Exit code and output of a run."""
        try:
            output, _ = process.communicate(timeout=within)
        finally:
            process.kill()
        return process.returncode, output

    def processes(self) -> Iterator[int]:
        """Everything alive that was started from here, however far removed: it has our TMPDIR."""
        mine = f"TMPDIR={self.path / 'tmp'}".encode()
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
                if state != "Z" and mine in (entry / "environ").read_bytes().split(b"\0"):
                    yield int(entry.name)

    def nothing_left(self, within: float = 60.0) -> None:
        """Everything is gone, or on its way out and soon gone."""
        assert not self._forked, "what was forked has another environment, and is not seen"
        deadline = time.monotonic() + within
        while left := list(self.processes()):
            assert time.monotonic() < deadline, [
                Path(f"/proc/{pid}/cmdline").read_bytes() for pid in left
            ]
            time.sleep(0.02)

    def scratch(self) -> set[Path]:
        """What runs keep for as long as they live, but for the locks that all of a user's runs
        share.
        """
        return set((self.path / "tmp").glob("harness-*")) - {
            self.path / "tmp" / f"harness-{os.getuid()}"
        }

    @property
    def run_directory(self) -> Path:
        """The directory of the only run so far."""
        (found,) = [
            path
            for path in (self.path / "reports").iterdir()
            if path.is_dir() and not path.is_symlink()
        ]
        return found

    def cases(self) -> list[dict[str, Any]]:
        """Each attempt at a case of the only run, as its evidence describes it."""
        return [
            json.loads(path.read_text()) for path in self.run_directory.glob("cases/*/case.json")
        ]

    def summary(self) -> dict[str, Any]:
        """The summary of the only run."""
        found: dict[str, Any] = json.loads((self.run_directory / "summary.json").read_text())
        return found


@pytest.fixture
def tree(tmp_path: Path, forked_python: str) -> Tree:
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "tmp").mkdir()
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["harness.pytest_plugin"]\n')
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    return Tree(tmp_path, forked_python)


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory, forked_python: str) -> Iterator[Outside]:
    directory = tmp_path_factory.mktemp("outside")
    with (
        one_world(
            WORLD_FILE, load(WORLD_FILE), directory, tenants=2, controlled=True, speech=True
        ) as world,
        httpx.Client(base_url=world.api) as control,
    ):
        yield Outside(directory, control, world.tenants, forked_python)
