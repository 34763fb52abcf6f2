"""``make test-wheel``: builds the source archive and from it the wheel, installs that alone, and
works from an empty directory.

The environment holds what ``uv.lock`` names for users, without the tools of development; nothing is
on the path but the wheel. Each step is a command with the exit code and the words it has to end
with. Exit code 0 when all did, 1 when one did not.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path, PurePosixPath
from zipfile import ZipFile

from harness.support import resources
from tools import ROOT

UV = ROOT / ".uv" / "bin" / "uv"
_WITHIN_S = 120.0
_ONE_CASE = ("--transport", "udp", "--auth", "ip", "--codec", "pcmu", "--ai", "synthflow")

#: What `harness init` asks, answered.
_ANSWERS = {
    "integration": "talkdesk",
    "kind": "live",
    "region": "US",
    "platform-domain": "acme.talkdesk.example",
    "platform-host": "127.9.9.1",
    "transport": "udp",
    "authentication": "ip",
    "synthflow-host": "127.9.9.2",
    "line": "+13125550100",
    "assistant": "+12065550100",
    "group": "+18155550101",
    "caller-number": "+14155550101",
    "caller-host": "carrier.example",
    "caller-domain": "carrier.example",
    "agent-user": "agent",
}

_OWN_ROW = """
from harness.finding_kinds import ANSWERED
from harness.integrations import own_row

own_row("OWN-ANSWER", "The AI answers", required_findings={ANSWERED: 1})
"""
_OWN_SCENARIO = """
from harness.scenario import scenario


@scenario("OWN-ANSWER")
def test_the_ai_answers(caller, line, assistant, expect):
    call = caller.call(line)
    assistant.expect_call(call)
    expect(call).answered()
"""


#: Some of what the source archive has to hold.
_OF_TESTS = (
    "Makefile",
    "uv.lock",
    ".ci/bootstrap.py",
    "tests/unit/test_house.py",
    "conftest.py",
    "docs/live.md",
)
_NOT_OF_USERS = {"tools", "tests", "bench", "__pycache__"}
_NOT_OF_SOURCE = {".venv", ".uv", "__pycache__"}


class StepError(Exception):
    """A step did not end as it has to; the text is what it said."""


class Trial:
    """An environment with the wheel, and an empty directory to work in."""

    def __init__(self, scratch: Path) -> None:
        self.built, self.venv, self.work = scratch / "built", scratch / "venv", scratch / "work"
        self.work.mkdir()
        kept = (
            "PATH",
            "HOME",
            "LANG",
            "TMPDIR",
            "UV_CACHE_DIR",
            "UV_INDEX_URL",
            "UV_DEFAULT_INDEX",
            "SSL_CERT_FILE",
        )
        self.environment = {name: os.environ[name] for name in kept if name in os.environ}

    def build(self) -> None:
        """The source archive, and the wheel out of it; with the builder whose hash uv.lock holds."""
        python = ("--python", sys.executable)
        self.run(
            UV,
            "build",
            "--quiet",
            "--offline",
            "--no-build-isolation",
            *python,
            "-o",
            self.built,
            ROOT,
        )

    def look(self) -> None:
        """Into both: the resources of a user, what tests need, and nothing else. Raises
        :class:`StepError`.
        """
        (wheel,), (archive,) = self.built.glob("*.whl"), self.built.glob("*.tar.gz")
        with ZipFile(wheel) as packed:
            used = set(map(PurePosixPath, packed.namelist()))
        with tarfile.open(archive) as source:
            tested = {PurePosixPath(*PurePosixPath(name).parts[1:]) for name in source.getnames()}
        resource = PurePosixPath("harness/support/_resources")
        folders = (resources.SCENARIOS, resources.PROMPTS, resources.TEMPLATES)
        files = [file for folder in folders for file in folder.rglob("*") if file.is_file()]
        wanted = {
            resource / file.relative_to(resources.ROOT)
            for file in files
            if "__pycache__" not in file.parts
        }
        if missing := (wanted - used) | (set(map(PurePosixPath, _OF_TESTS)) - tested) or not wanted:
            raise StepError(f"missing: {missing}")
        strange = {name for name in used if _NOT_OF_USERS & set(name.parts)}
        strange |= {name for name in tested if _NOT_OF_SOURCE & set(name.parts)}
        strange |= {name for name in tested if name.parts[:1] == ("reports",)} - {
            PurePosixPath("reports/README.md")
        }
        if strange:
            raise StepError(f"does not belong there: {strange}")

    def install(self) -> None:
        """What uv.lock names for users, then the wheel alone."""
        self.environment["UV_PROJECT_ENVIRONMENT"] = str(self.venv)
        project = ("--project", ROOT, "--quiet", "--locked", "--python", sys.executable)
        self.run(UV, "sync", *project, "--no-default-groups", "--no-install-project")
        (wheel,) = self.built.glob("*.whl")
        python = self.venv / "bin" / "python"
        self.run(
            UV, "pip", "install", "--quiet", "--offline", "--no-deps", "--python", python, wheel
        )

    def harness(self, *arguments: str | Path, code: int = 0, says: str = "") -> None:
        """A command of ``harness``."""
        self.run(self.venv / "bin" / "harness", *arguments, code=code, says=says)

    def pytest(self, *arguments: str | Path, code: int = 0, says: str = "") -> None:
        """A plain pytest."""
        self.run(
            self.venv / "bin" / "pytest", "-p", "no:cacheprovider", *arguments, code=code, says=says
        )

    def run(self, *command: str | Path, code: int = 0, says: str = "") -> None:
        """A command in the directory. Raises :class:`StepError` when its exit code or words are
        others.
        """
        done = subprocess.run(
            [str(part) for part in command],
            cwd=self.work,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_WITHIN_S,
            check=False,
        )
        if done.returncode != code or says not in done.stdout:
            asked = f"exit code {code}" + (f" and {says!r}" if says else "")
            raise StepError(
                f"{' '.join(map(str, command))}: exit code {done.returncode}, not {asked}\n{done.stdout}"
            )

    def simulate(self) -> None:
        """The world alone, until Ctrl-C."""
        # A shell starts what runs in its background with SIGINT ignored, which the world would
        # inherit.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        command = [
            str(self.venv / "bin" / "harness"),
            "simulate",
            "simulated-generic",
            "--timings",
            "quick",
        ]
        world = subprocess.Popen(
            command, cwd=self.work, env=self.environment, stdout=subprocess.PIPE, text=True
        )
        assert world.stdout is not None
        said = []
        try:
            for line in world.stdout:
                said.append(line)
                if line.startswith("Ctrl-C ends it."):
                    world.send_signal(signal.SIGINT)
            if world.wait(_WITHIN_S) or not said or not said[-1].startswith("Ctrl-C"):
                raise StepError(f"harness simulate: exit code {world.returncode}\n{''.join(said)}")
        finally:
            world.kill()

    def passed(self, cases: int) -> None:
        """The newest run in ``./reports`` had so many cases, and all passed."""
        path = self.work / "reports" / "latest" / "summary.json"
        summary = json.loads(path.read_text(encoding="utf-8"))
        if (summary["cases"], summary["passed"]) != (cases, cases):
            raise StepError(
                f"{path}: {summary['passed']} of {summary['cases']} cases passed; not {cases}"
            )


def steps(trial: Trial) -> Iterator[str]:
    """Each step by its name, before it is made."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
        "version"
    ]
    yield "source archive and wheel are built"
    trial.build()
    yield "they hold what their users need, and nothing else"
    trial.look()
    yield "the wheel is installed beside what uv.lock names"
    trial.install()
    yield "harness --version, rows, examples"
    trial.harness("--version", says=version)
    trial.harness("rows", says="TD-INBOUND")
    trial.harness("examples", "live-large", "copied", says="live-large.csv")
    yield "harness init, and a plan of what it wrote"
    trial.harness("init", *(f"--{name}={answer}" for name, answer in _ANSWERS.items()))
    trial.harness("verify", "deployment.toml", "--plan", says="no calls placed")
    yield "harness verify, without a file"
    trial.harness("verify", "--row", "TD-INBOUND", *_ONE_CASE, "-n", "1", says="1 passed, 0 failed")
    trial.passed(1)
    yield "harness simulate, by the example's name"
    trial.simulate()
    yield "a scenario of one's own, by harness verify"
    scenarios = trial.work / "scenarios"
    scenarios.mkdir()
    (scenarios / "conftest.py").write_text(_OWN_ROW, encoding="utf-8")
    (scenarios / "test_own.py").write_text(_OWN_SCENARIO, encoding="utf-8")
    chosen = ("simulated-generic", "--row", "OWN-ANSWER")
    trial.harness("verify", *chosen, "-n", "1", says="3 passed, 0 failed")
    yield "pytest --deployment, in a project with tests of its own"
    (trial.work / "test_ordinary.py").write_text(
        "def test_ordinary():\n    assert True\n", encoding="utf-8"
    )
    trial.pytest("scenarios", says="scenarios need a deployment", code=4)
    trial.pytest("test_ordinary.py", says="1 passed")
    (scenarios / "conftest.py").rename(
        trial.work / "conftest.py"
    )  # of a pytest without paths the first one read
    trial.pytest("--deployment", *chosen, says="3 passed, 0 failed")


def main() -> int:
    """Make all steps; the first that fails ends it."""
    began = at = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="harness-wheel-") as scratch:
        name = ""
        try:
            for following in chain(steps(Trial(Path(scratch))), [""]):
                now = time.monotonic()
                if name:
                    print(f"ok       {name} ({now - at:.1f} s)", flush=True)
                name, at = following, now
        except (StepError, subprocess.TimeoutExpired) as error:
            print(f"FAILED   {name}: {error}", flush=True)
            return 1
    print(f"wheel: all steps passed in {time.monotonic() - began:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
