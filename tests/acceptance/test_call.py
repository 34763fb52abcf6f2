"""``harness call``: one call by hand, within the same rules."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.support.resources import EXAMPLES

WORLD = EXAMPLES / "simulated-talkdesk.toml"


Call = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def call(forked_python: str) -> Call:
    """``harness call …``, forked."""
    program = [forked_python, "-c", "from harness.run.cli.app import main; main()", "call"]
    environment = {name: value for name, value in os.environ.items() if name != "HARNESS_LIVE"}

    def call(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = [*program, *map(str, arguments)]
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=300, check=False
        )

    return call


def test_call_shows_its_ladder_and_keeps_its_evidence(call: Call, tmp_path: Path) -> None:
    done = call("+13125550100", "--deployment", WORLD, "--seconds", "1", "--directory", tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    for said in (
        "registered for",
        "caller.1 confirmed 200 OK",
        "(assistant main)",
        "disconnected",
        "─ INVITE m",
        "─ BYE m",
    ):
        assert said in done.stdout
    (kept,) = tmp_path.iterdir()
    assert json.loads((kept / "case.json").read_text())["end"]["verdict"] == "passed"
    assert list(kept.glob("*.flac"))


def test_call_shows_digits_and_prompts_in_order(call: Call) -> None:
    arguments = ["--press", "5", "--say", "hello-en", "--say", "agent-please-en", "--seconds", "0"]
    done = call("+13125550100", "--deployment", WORLD, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    told = [
        line.split()[0]
        for word in ("presses 5", "says hello-en", "says agent-please-en", "disconnected")
        for line in done.stdout.splitlines()
        if f"caller.1 {word}" in line
    ]
    pressed, hello, agent, ended = map(float, told)
    assert pressed <= hello
    assert agent - hello >= 1.0, "the first is said to its end"
    assert ended - agent >= 0.8


@pytest.mark.parametrize("moment", ["caller.1 calling", "caller.1 confirmed"])
def test_call_with_a_killed_softphone_is_broken(tmp_path: Path, moment: str) -> None:
    program = [
        sys.executable,
        "-c",
        "from harness.run.cli.app import main; main()",
        "call",
        "+13125550100",
    ]
    arguments = ["--deployment", str(WORLD), "--seconds", "60", "--directory", str(tmp_path)]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([*program, *arguments], **pipes) as process:
        assert process.stdout is not None
        while moment not in process.stdout.readline():
            assert process.poll() is None
        os.kill(softphone_of(process.pid), signal.SIGKILL)
        output, errors = process.communicate(timeout=60)
    assert process.returncode == 3, output + errors
    assert "SIGKILL" in errors
    (kept,) = tmp_path.iterdir()
    assert json.loads((kept / "case.json").read_text())["end"]["verdict"] == "broken"


def softphone_of(process: int) -> int:
    """The process that has its phone."""
    threads = Path(f"/proc/{process}/task").glob("*/children")
    children = [child for thread in threads for child in thread.read_text().split()]
    (found,) = (
        child
        for child in children
        if b"harness.phone.child" in Path(f"/proc/{child}/cmdline").read_bytes()
    )
    return int(found)


def test_unanswered_call_exits_with_one(call: Call) -> None:
    done = call("+17735550199", "--deployment", WORLD)  # the number nobody has
    assert done.returncode == 1
    assert "disconnected 404" in done.stdout


@pytest.mark.parametrize("number", ["911", "+19005550100", "sip:+13125550100@evil.example"])
def test_call_obeys_the_safety_rules(call: Call, number: str) -> None:
    done = call(number, "--deployment", WORLD)
    assert done.returncode == 2
    assert "is not called" in done.stderr
    assert not done.stdout, "nobody registers for it either"


def test_call_to_a_real_platform_needs_live(call: Call, tmp_path: Path) -> None:
    file = tmp_path / "live.toml"
    file.write_text(
        'name = "x"\nintegration = "talkdesk"\nkind = "live"\nplatform = { domain = "a.example" }\n'
        'accounts.c = { domain = "c.example", host = "127.9.9.1", port = 5060 }\n'
        'phones.caller = { account = "c", number = "+14155550101" }\nassistants.main = { did = "+12065550100" }\n'
        'lines.inbound = { did = "+13125550100", assistant = "main" }\n'
        '[[trunks]]\nname = "t"\ntransport = "udp"\nport = 32681\nhost = "127.9.9.2"\ntermination = "127.9.9.1:5060"\n'
    )
    done = call("+13125550100", "--deployment", file)
    assert done.returncode == 2
    assert "--live or HARNESS_LIVE=1" in done.stderr


@pytest.mark.parametrize("digits", ["12x", "5w6", "1 2", "٣"])
def test_invalid_digit_is_refused_before_the_call(call: Call, digits: str) -> None:
    done = call("+13125550100", "--deployment", WORLD, "--press", digits)
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stderr.startswith(f"ERROR: --press {digits}: ")
    assert done.stdout == ""
