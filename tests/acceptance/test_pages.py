"""Pages that are followed step by step: their own files in an empty directory, their own commands,
in an environment of their own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sysconfig
import venv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tools import ROOT
from tools.pages import Command, commands, fences, files

SCENARIO, INTEGRATION = ROOT / "docs" / "write-a-scenario.md", ROOT / "docs" / "new-integration.md"
PASSES, FAILS = {"passed": 1, "failed": 0}, {"passed": 0, "failed": 1}


@pytest.fixture
def environment(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """A virtual environment with the harness, in which this one page may install more: the
    project's own stays as it is.
    """
    directory = tmp_path_factory.mktemp("environment")
    venv.create(directory, symlinks=True)
    packages = sysconfig.get_path("purelib", "venv", {"base": str(directory)})
    Path(packages, "project.pth").write_text(
        f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
    )
    command = directory / "bin" / "harness"
    command.write_text(f"#!{directory}/bin/python\nfrom harness.run.cli.app import main\nmain()\n")
    command.chmod(0o755)
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTEST_", "PYTHON"))
    }
    path = os.pathsep.join([str(directory / "bin"), str(ROOT / ".uv" / "bin"), kept["PATH"]])
    return kept | {"VIRTUAL_ENV": str(directory), "PATH": path, "UV_OFFLINE": "1"}


class Followed:
    """A page whose files are in a directory, and whose commands are run there one after the other."""

    def __init__(self, page: Path, directory: Path, environment: Mapping[str, str]) -> None:
        self.directory, self._environment = directory, environment
        self.left = list(commands(page))
        for name, text in files(page).items():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            (directory / name).write_text(text, encoding="utf-8")

    def does(self, start: str) -> str:
        """What the next command says, which begins with ``start``; its exit code is the page's."""
        command = self.left.pop(0)
        assert command.line.startswith(start)
        return self._run(command)

    def verifies(self, start: str, **counts: int) -> dict[str, Any]:
        """The summary of the run that the next command makes, whose cases are counted."""
        before = self._runs()
        self.does(start)
        (run,) = self._runs() - before
        summary: dict[str, Any] = json.loads((run / "summary.json").read_text(encoding="utf-8"))
        assert {name: summary[name] for name in counts} == counts
        return summary

    def _runs(self) -> set[Path]:
        return {
            path.parent
            for path in (self.directory / "reports").glob("*/summary.json")
            if not path.parent.is_symlink()
        }

    def _run(self, command: Command) -> str:
        done = subprocess.run(
            ["bash", "-c", command.line],
            cwd=self.directory,
            env=dict(self._environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=900,
        )
        assert done.returncode == command.exits, f"{command.line}\n{done.stdout}{done.stderr}"
        return done.stdout


def causes(summary: Mapping[str, Any]) -> list[str]:
    return [str(cause["title"]) for cause in summary["causes"]]


@pytest.mark.nightly
def test_documented_scenario_works(tmp_path: Path, environment: Mapping[str, str]) -> None:
    page = Followed(SCENARIO, tmp_path, environment)
    page.verifies("harness verify", **PASSES)
    summary = page.verifies("harness verify", **FAILS)
    assert causes(summary) == ["the AI's or the agent's leg stays up when the caller hangs up"]
    assert page.left == []


def test_documented_scenario_has_at_most_twenty_lines() -> None:
    written = [text for name, text in files(SCENARIO).items() if name.startswith("scenarios/")]
    assert len(written) == 2
    assert sum(text.count("\n") for text in written) <= 20


@pytest.mark.nightly
def test_documented_integration_works(tmp_path: Path, environment: Mapping[str, str]) -> None:
    page = Followed(INTEGRATION, tmp_path, environment)
    page.does("uv pip install")
    assert "ACME-TICKET" in page.does("harness rows acme")
    assert "ACME-INBOUND[acme-lab:" in page.does("harness verify acme.toml --plan")
    page.verifies("harness verify", passed=3, failed=0)
    summary = page.verifies("harness verify", **FAILS)
    assert causes(summary) == ["a header that was sent does not arrive"]
    assert summary["causes"][0]["fix"].startswith("In Acme's console")
    assert page.left == []


def test_documented_integration_has_at_most_eighty_lines() -> None:
    (declared,) = [
        text for name, text in files(INTEGRATION).items() if name.endswith("__init__.py")
    ]
    assert declared.count("\n") <= 80
    assert {fence.language for fence in fences(INTEGRATION)} == {"toml", "python", "sh"}
