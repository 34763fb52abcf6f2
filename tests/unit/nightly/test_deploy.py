"""The templates in ``deploy/`` call commands and options that there are."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from harness.report.html import PARTS
from harness.run.cli.app import application

DEPLOY = Path("deploy")
#: Commands of a template: in Jenkins' file they end with a quote.
_COMMAND = re.compile(r"^[^#\n]*\bharness ((?:nightly|verify) [^'\n]+)", re.MULTILINE)


def templates() -> list[Path]:
    """The files that run nightly or verify; a compose file has scripts of its own."""
    files = [path for path in sorted(DEPLOY.rglob("*")) if path.is_file() and path.suffix != ".md"]
    own = [path for path in files if path.parent.name != "container"]
    return [path for path in own if _COMMAND.search(path.read_text())]


TEMPLATES = templates()


def commands(path: Path) -> list[list[str]]:
    return [shlex.split(line) for line in _COMMAND.findall(path.read_text())]


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_what_a_template_calls_is_there(path: Path) -> None:
    found = commands(path)
    assert found
    group = typer.main.get_command(application())
    for name, *arguments in found:
        command = group.commands[name]  # type: ignore[attr-defined]
        if name == "nightly":  # a group; its first command runs where none is named
            command = command.commands["run"]
        assert command.make_context(name, arguments).params["files"]


def test_every_directory_is_in_the_list() -> None:
    text = (DEPLOY / "README.md").read_text()
    listed = set(re.findall(r"^\| `(\w+)/`", text, re.MULTILINE))
    assert {path.parent.name for path in TEMPLATES} <= listed
    assert {path.name for path in DEPLOY.iterdir() if path.is_dir()} == listed | {
        "container"
    }  # which has a chapter


def test_actions_of_others_are_pinned_to_a_commit() -> None:
    """A tag can be moved to other code; the version stands behind it as a comment."""
    used = [
        line.strip()
        for path in (*DEPLOY.rglob("*.yml"), *Path(".github").rglob("*.yml"))
        for line in path.read_text().splitlines()
        if re.match(r"\s*(- )?uses:", line)
    ]
    assert used
    assert [
        line
        for line in used
        if not re.search(r"uses: [\w./-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+$", line)
    ] == []


def of_github() -> dict[str, Any]:
    """The job of GitHub's template."""
    job: dict[str, Any] = yaml.safe_load((DEPLOY / "github" / "nightly.yml").read_text())["jobs"][
        "nightly"
    ]
    return job


def test_a_night_that_failed_is_kept_for_the_next_one() -> None:
    """``actions/cache`` by itself saves only after a job that succeeded."""
    cached = {
        step["uses"].partition("@")[0]: step
        for step in of_github()["steps"]
        if "actions/cache" in step.get("uses", "")
    }
    assert set(cached) == {"actions/cache/restore", "actions/cache/save"}
    assert cached["actions/cache/save"]["if"] == "always()"
    assert len({step["with"]["key"] for step in cached.values()}) == 1
    gitlab = yaml.safe_load((DEPLOY / "gitlab" / "nightly.gitlab-ci.yml").read_text())["nightly"]
    assert gitlab["cache"]["when"] == "always"


@pytest.mark.parametrize("name", ["github/nightly.yml", "gitlab/nightly.gitlab-ci.yml"])
def test_a_large_report_is_kept_with_its_parts(name: str) -> None:
    lines = {line.strip().removeprefix("- ") for line in (DEPLOY / name).read_text().splitlines()}
    assert {"reports/2*/report.html", f"reports/2*/{PARTS}"} <= lines


def test_whoever_ends_it_gives_it_time_to_hang_up() -> None:
    """GitHub asks the shell alone, which tells nobody; a container is killed 10 s after it was
    asked.
    """
    (step,) = (s for s in of_github()["steps"] if "harness nightly" in s.get("run", ""))
    assert step["run"].startswith("exec .venv/bin/harness nightly ")
    services = yaml.safe_load((DEPLOY / "fleet" / "compose.yaml").read_text())["services"]
    ours = {name: one for name, one in services.items() if one.get("image") == "harness-fleet"}
    assert set(ours) == {"ams", "controller"}
    assert all(one.get("stop_grace_period", "").endswith("m") for one in ours.values())


def test_the_night_of_systemd_shares_a_tmp_that_can_be_written_to() -> None:
    """Runs with the same phones find each other there; ProtectSystem=strict alone leaves it
    read-only.
    """
    unit = (DEPLOY / "systemd" / "harness-nightly.service").read_text().splitlines()
    assert {"ProtectSystem=strict", "ReadWritePaths=/tmp"} <= set(unit)
    assert not any(line.startswith("PrivateTmp") for line in unit)
