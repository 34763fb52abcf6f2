"""The plugin in any pytest project: almost nothing until a deployment is named."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from _pytest.fixtures import FixtureFunctionDefinition

import harness.pytest_plugin
from harness.run.plugin import cases, fixtures

ROOT = Path(__file__).parents[3]

HEAVY = {
    "numpy",
    "pjsua2",
    "jinja2",
    "pydantic",
    "rich",
    "phonenumbers",
    "httpx",
    "cryptography",
    "aiohttp",
    "soundfile",
}
PLAIN = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "no:anyio")


def run(directory: Path, *arguments: str, **environment: str) -> tuple[int, str]:
    """Run plain pytest there; returns its exit code and output."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTEST_", "PYTHON"))
    }
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *PLAIN, *arguments],
        cwd=directory,
        env=kept | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_entry_point_has_the_modules_name() -> None:
    """Otherwise a conftest.py that names the module would register a second plugin."""
    (found,) = [
        point for point in entry_points(group="pytest11") if point.name.startswith("harness")
    ]
    assert found.name == found.value == harness.pytest_plugin.__name__


def test_unused_plugin_imports_nothing_heavy(tmp_path: Path) -> None:
    (tmp_path / "test_ordinary.py").write_text(
        f"import pytest, sys\n\n@pytest.mark.scenario('theirs')\ndef test_ordinary(pytestconfig):\n"
        f"    assert pytestconfig.pluginmanager.has_plugin('harness.pytest_plugin')\n"
        f"    assert [name for name in sys.modules if name.partition('.')[0] in {HEAVY!r}] == []\n"
        f"    ours = {{name for name in sys.modules if name.partition('.')[0] == 'harness'}}\n"
        f"    assert ours == {{'harness', 'harness.pytest_plugin', 'harness.support', 'harness.support.resources'}}\n"
    )
    code, output = run(tmp_path, "-q", "-p", "no:allure_pytest")
    assert (code, "1 passed" in output) == (0, True), output


def test_plugin_adds_one_option_without_a_deployment() -> None:
    """Other plugins also have options such as --json and --retries."""
    code, output = run(Path("/"), "--help", "-p", "no:xdist", "-p", "no:allure_pytest")
    assert code == 0
    assert "--deployment=FILE" in output
    assert "--retries" not in output
    code, output = run(Path("/"), "--help", "--deployment", "any.toml")
    assert code == 0
    assert "--retries=N" in output


def test_disabled_autoload_is_reported_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["harness.pytest_plugin"]\n')
    arguments = ("--deployment", "simulated-generic")
    code, output = run(tmp_path, *arguments, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    assert code == pytest.ExitCode.USAGE_ERROR
    assert "allowed: -p harness.pytest_plugin" in output


def test_scenario_without_a_deployment_fails_alone(tmp_path: Path) -> None:
    (tmp_path / "test_mixed.py").write_text(
        "from harness.scenario import scenario\n\n@scenario('INBOUND')\ndef test_call(caller):\n    pass\n\n"
        "def test_ordinary():\n    pass\n"
    )
    code, output = run(tmp_path)
    assert code == pytest.ExitCode.TESTS_FAILED
    assert "1 passed, 1 error" in output
    assert "scenarios need a deployment" in output


def test_every_fixture_is_documented() -> None:
    page = (ROOT / "docs" / "pytest-plugin.md").read_text(encoding="utf-8")
    offered = {
        name
        for module in (cases, fixtures)
        for name, value in vars(module).items()
        if isinstance(value, FixtureFunctionDefinition)
    }
    assert set(re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)) == offered


def test_packaged_scenarios_run_with_warnings_as_errors(tmp_path: Path) -> None:
    code, output = run(
        tmp_path,
        "--deployment",
        "simulated-generic",
        "--row",
        "SBC-INBOUND",
        "--plan",
        "-W",
        "error",
    )
    assert (code, "SBC-INBOUND[simulated-generic:" in output, "Warning" in output) == (
        0,
        True,
        False,
    ), output
    assert not (tmp_path / "reports").exists()
