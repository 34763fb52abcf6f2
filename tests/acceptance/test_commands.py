"""Every command that README and "Get started" show is run, in order, in what looks like a checkout.

Narrowed are those that a test cannot run whole, and only so far:

- ``BY_CI``: what installs programs or takes minutes is run by ``.ci/run``, which is read for it.
- ``LONG``: what takes many minutes is run with ``ARGS=--help``: its target, its module and its options are there.
- ``ANSWERED``: what asks gets its answers at a terminal.

A command that is in none of these is run as it stands. A table that names one which no page shows
fails, too.
"""

from __future__ import annotations

import os
import pty
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tools import ROOT
from tools.ci.submission import PARTS
from tools.pages import Command, commands, fences
from tools.reference import cli

README = ROOT / "README.md"
PAGES = (
    ROOT / "docs" / "get-started.md",
    README,
)  #: the first one's commands build upon each other
BY_CI = {"make verify", "make test", "make test-interop", "make test-browser"}
LONG = {
    f"make {name}"
    for name in (
        "selfproof",
        "selfproof-strangers",
        "liveproof",
        "shapes",
        "mutants",
        "accuracy",
        "bench",
        "fuzz",
        "soak",
        "stalls",
    )
}
#: platform, AI, country, domain, SBC, transport, authentication, AI's host, numbers, test phones,
#: Synthflow's id of the assistant.
ANSWERED = {
    ".venv/bin/harness init acme.toml": (
        *(
            "talkdesk",
            "live",
            "US",
            "acme.talkdesk.example",
            "sip.acme.talkdesk.example",
            "tls",
            "digest",
        ),
        *(
            "global",
            "sip.synthflow.example",
            "(312) 555-0100",
            "+12065550100",
            "+18155550101",
            "+14155550101",
        ),
        *("sip.carrier.example", "carrier.example", "agent", "", "1741798049693x839", ""),
    )
}


def shown() -> list[Command]:
    """Each command of the pages once, in order."""
    return list(dict.fromkeys(command for page in PAGES for command in commands(page)))


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """The checkout by links, but for what runs leave behind."""
    for path in ROOT.iterdir():
        if path.name != "reports":
            (tmp_path / path.name).symlink_to(path)
    return tmp_path


def run(command: Command, directory: Path) -> None:
    line = f"{command.line} ARGS=--help" if command.line in LONG else command.line
    typed = "".join(f"{answer}\n" for answer in ANSWERED.get(command.line, ()))
    terminal, end = pty.openpty()
    try:
        os.write(terminal, typed.encode())
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=directory,
            env=environment(),
            stdin=end if typed else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=900,
        )
    finally:
        os.close(terminal)
        os.close(end)
    assert done.returncode == command.exits, f"{line}\n{done.stdout}"


def environment() -> Mapping[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTEST_", "PYTHON", "MAKE"))
    }


@pytest.mark.nightly
def test_documented_commands_do_what_the_page_says(checkout: Path) -> None:
    for command in shown():
        if command.line not in BY_CI:
            run(command, checkout)
    plan = (checkout / "acme.toml").read_text(encoding="utf-8")
    assert 'did = "+13125550100"' in plan, "init wrote what was answered"


def test_commands_left_to_ci_are_run_there() -> None:
    run_there = {f"make {part.command[2]}" for part in PARTS if part.command[0] == "make"}
    assert BY_CI - run_there == set()


def test_tables_list_only_commands_that_a_page_shows() -> None:
    lines = {command.line for command in shown()}
    assert BY_CI | LONG | set(ANSWERED) <= lines


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_block_is_run(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"\n\n {4}\S", text), "an indented block is not run"
    for fence in fences(page):
        assert fence.language in ("sh", "text")
        starts = [line.split()[0] for line in fence.text.splitlines() if line.strip()]
        if fence.language == "text":  # a list of what there is, with a word about each
            assert all(
                re.search(r"\S {2,}\S", line) for line in fence.text.splitlines() if line.strip()
            )
            assert not {"make", "pytest", "pip", "pipx", "uv", ".venv/bin/harness"} & set(starts)


def test_command_list_is_complete() -> None:
    listed = set(re.findall(r"^harness ([a-z]+)", README.read_text(encoding="utf-8"), re.MULTILINE))
    there = set(re.findall(r"^## `harness ([a-z]+)", cli.page(), re.MULTILINE))
    assert listed == there
