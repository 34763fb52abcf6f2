"""The files one deploys with: linted here, by other people's programs. No container engine is at
hand, so none of them is built.
"""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
import yaml

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


def in_build_context(name: str) -> bool:
    """By .dockerignore: the last line that matches counts, and one that names a directory matches
    what is in it.
    """
    left_out = False
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.removeprefix("!")
        if pattern == "*" or name == pattern or name.startswith(f"{pattern}/"):
            left_out = not line.startswith("!")
    return not left_out


def test_what_the_images_are_made_of_is_sent_to_the_build() -> None:
    """Neither could be built: "hatch_build.py: not found", and no rule to make target
    '.venv/.ready'.
    """
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", CONTAINERFILE.read_text(), re.MULTILINE)
    sources = [str(path.relative_to(ROOT)) for path in bootstrap().SOURCES]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    packaged = [project["readme"], *project["license-files"]]
    files = [name for line in copied for name in line.split()]
    assert set(packaged) <= set(files)
    for name in [*files, "Makefile", *sources]:
        assert in_build_context(name), name
    assert not in_build_context("reports/latest/summary.json")
    assert not in_build_context(".git/config")


def bootstrap() -> ModuleType:
    """The program that makes .venv."""
    spec = importlib.util.spec_from_file_location("bootstrap", ROOT / ".ci" / "bootstrap.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("asked", "there", "tools"),
    [("ready", "harness", False), ("developer", "harness", True), ("ready", "ruff", True)],
)
def test_verify_installs_no_developer_tools_and_removes_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: str, there: str, tools: bool
) -> None:
    made = bootstrap()
    synced: list[list[str]] = []
    for name, value in {
        "VENV": tmp_path,
        "READY": tmp_path / "ready",
        "DEVELOPER": tmp_path / "developer",
    }.items():
        monkeypatch.setattr(made, name, value)
    monkeypatch.setattr(made, "private_uv", lambda: "uv")
    monkeypatch.setattr(made, "run", lambda command, complaint: synced.append(command))
    monkeypatch.setattr(made.sys, "argv", ["bootstrap.py", asked])
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / there).touch()
    made.main()
    assert ("--no-default-groups" not in synced[-1]) == tools
    assert "build" not in synced[-1], "the C compiler does not stay"
    assert (tmp_path / "developer").exists() == tools


def test_bootstrap_shows_each_download_and_a_failure_in_one_line(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Two minutes passed without a word after "about half a minute"."""
    made = bootstrap()
    said = "Resolved 9 packages\nDownloading ziglang (96.4MiB)\n Downloaded ziglang\n + ziglang==0.16\n"
    made.run([sys.executable, "-c", f"import sys; sys.stderr.write({said!r})"], "not installed")
    shown = capfd.readouterr()
    assert shown.out == "  Downloading ziglang (96.4MiB)\n  Downloaded ziglang\n"
    assert shown.err == ""
    broken = "error: no wheel\n  Caused by: dns error\n"
    failing = [sys.executable, "-c", f"import sys; sys.stderr.write({broken!r}); sys.exit(2)"]
    with pytest.raises(SystemExit, match=r"^environment: not installed; .* error: no wheel"):
        made.run(failing, "not installed")


def test_only_verify_does_without_developer_tools() -> None:
    needs = re.findall(
        r"^([a-z-]+): \.venv/\.(\w+)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert [target for target, stamp in needs if stamp == "ready"] == ["verify"]
    assert len(needs) > 20


def test_the_volumes_are_its_users() -> None:
    """A new volume has the owner of the image's directory at that place; where there is none, root."""
    plain = yaml.safe_load((ROOT / "deploy" / "container" / "compose.yaml").read_text())
    mounted = {
        volume.split(":")[1]
        for service in plain["services"].values()
        for volume in service["volumes"]
    }
    made = re.search(
        r"install -d -o harness -g harness -m 0700 (.+)$", CONTAINERFILE.read_text(), re.MULTILINE
    )
    assert made is not None
    assert mounted == {"/world", "/reports"} <= set(made[1].split())


def images(*files: Path) -> set[str]:
    """What these files call the images that they build or start."""
    said = (
        re.findall(r"(?:^ +image:| -t) (\S+)", file.read_text(encoding="utf-8"), re.MULTILINE)
        for file in files
    )
    return {name for names in said for name in names}


def test_the_fleets_image_is_not_called_as_the_container_is() -> None:
    """A name that is there already is not built: the container, which has no Celery, was started
    for the fleet.
    """
    fleet = ROOT / "deploy" / "fleet"
    one = images(CONTAINERFILE, CONTAINER / "compose.yaml", ROOT / "deploy" / "README.md")
    other = images(fleet / "Dockerfile", fleet / "compose.yaml", *fleet.glob("kubernetes/*.yaml"))
    assert one == {"harness", "call-verification-harness"}
    assert other == {"harness-fleet", "redis:7-bookworm"}


@pytest.mark.parametrize(
    ("schema", "file"),
    [
        ("vendor.compose-spec", "deploy/container/compose.yaml"),
        ("vendor.compose-spec", "deploy/fleet/compose.yaml"),
        ("vendor.github-workflows", "deploy/github/nightly.yml"),
        ("vendor.github-workflows", "deploy/github/verify.yml"),
        ("vendor.github-workflows", ".github/workflows/ci.yml"),
        ("vendor.github-workflows", ".github/workflows/nightly.yml"),
        ("vendor.gitlab-ci", "deploy/gitlab/nightly.gitlab-ci.yml"),
        ("vendor.gitlab-ci", "deploy/gitlab/verify.gitlab-ci.yml"),
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
    lint = (
        (ROOT / "Makefile").read_text(encoding="utf-8").partition("\nlint:")[2].partition("\n\n")[0]
    )
    programs = re.findall(r"\.venv/bin/([\w-]+)", lint)
    assert len(programs) >= 6
    assert [name for name in programs if f".venv/bin/{name}" not in hooks] == []
