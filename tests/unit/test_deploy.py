"""The files one deploys with: linted here, by other people's programs. No container engine is at hand, so none of them is built."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONTAINER = ROOT / "deploy" / "container"
CONTAINERFILE = CONTAINER / "Containerfile"


def tool(name: str, *arguments: str | Path) -> tuple[int, str]:
    """A program of this environment; its exit code and output."""
    command = [str(Path(sys.executable).with_name(name)), *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_the_containerfile_is_clean(tmp_path: Path) -> None:
    assert tool("hadolint", CONTAINERFILE) == (0, "")
    worse = tmp_path / "Containerfile"
    worse.write_text(CONTAINERFILE.read_text().replace("3.12-slim-bookworm", "latest"))
    assert "DL3007" in tool("hadolint", worse)[1]  # so it does look


def test_the_container_is_not_root_and_has_a_health_check() -> None:
    last = CONTAINERFILE.read_text().rpartition("\nFROM ")[2]
    assert re.search(r"^USER (?!0\b|root)\S+", last, re.MULTILINE)
    check = re.search(r"^HEALTHCHECK .*CMD (\[.*\])$", last, re.MULTILINE)
    assert check is not None
    command = json.loads(check[1])
    assert command[0] == "python"
    subprocess.run([sys.executable, *command[1:]], check=True)


def test_all_that_the_containerfile_copies_is_there() -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", CONTAINERFILE.read_text(), re.MULTILINE)
    files = [name for line in copied for name in line.split()]
    assert {"harness", "scenarios", "audio_fixtures", "deploy", "uv.lock"} <= set(files)
    assert [name for name in files if not (ROOT / name).exists()] == []


@pytest.mark.parametrize(
    ("schema", "file"),
    [
        ("vendor.compose-spec", "deploy/container/compose.yaml"),
        ("vendor.github-workflows", "deploy/github/nightly.yml"),
        ("vendor.gitlab-ci", "deploy/gitlab/nightly.gitlab-ci.yml"),
        ("vendor.github-issue-forms", ".github/ISSUE_TEMPLATE/wrong-verdict.yml"),
        ("vendor.github-issue-forms", ".github/ISSUE_TEMPLATE/broken.yml"),
        ("vendor.github-issue-forms", ".github/ISSUE_TEMPLATE/platform.yml"),
        ("vendor.github-issue-config", ".github/ISSUE_TEMPLATE/config.yml"),
    ],
)
def test_it_is_what_its_schema_says(schema: str, file: str) -> None:
    code, said = tool("check-jsonschema", "--builtin-schema", schema, ROOT / file)
    assert code == 0, said


def test_the_hooks_are_those_of_the_lint() -> None:
    assert tool("pre-commit", "validate-config")[0] == 0
    hooks = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    lint = (ROOT / "Makefile").read_text(encoding="utf-8").partition("\nlint:")[2].partition("\n\n")[0]
    programs = re.findall(r"\.venv/bin/([\w-]+)", lint)
    assert len(programs) >= 6
    assert [name for name in programs if f".venv/bin/{name}" not in hooks] == []


def test_the_devcontainer_makes_the_environment() -> None:
    plain = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))
    assert plain["postCreateCommand"] == "make .venv/.ready"
