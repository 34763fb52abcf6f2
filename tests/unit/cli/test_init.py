"""``harness init`` asks, or takes options, and what it writes is a deployment file."""

from __future__ import annotations

import itertools
import os
import pty
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness.deployment.safety import Guard, numbers_of
from harness.errors import DeploymentError, MistakeError
from harness.integrations import load
from harness.integrations.matrix import cases
from harness.run.cli.app import application
from harness.run.preflight import variables

OPTIONS = {
    "integration": "talkdesk",
    "kind": "live",
    "region": "us",
    "platform-domain": "acme.talkdesk.example",
    "transport": "tls",
    "authentication": "digest",
    "synthflow-host": "sip.synthflow.example",
    "line": "+1 (312) 555-0100",
    "assistant": "+12065550100",
    "group": "+18155550101",
    "caller-number": "+14155550101",
    "caller-host": "sip.carrier.example",
    "agent-user": "agent-1",
    "bind": "127.0.0.1",
}


def arguments(path: Path, **changes: str | None) -> list[str]:
    own = {"authentication": "ip"} if changes.get("integration") == "gladly" else {}
    options = OPTIONS | own | {name.replace("_", "-"): value for name, value in changes.items()}
    return ["init", str(path), *(f"--{name}={value}" for name, value in options.items() if value is not None)]


@pytest.mark.parametrize("integration", ["talkdesk", "gladly", "generic"])
@pytest.mark.parametrize("kind", ["live", "stand-in"])
@pytest.mark.parametrize("authentication", ["ip", "digest"])
def test_what_it_writes_is_a_deployment(tmp_path: Path, integration: str, kind: str, authentication: str) -> None:
    path = tmp_path / "acme.toml"
    if integration == "gladly":
        authentication = "ip"
    asked = arguments(path, integration=integration, kind=kind, authentication=authentication)
    result = CliRunner().invoke(application(), asked, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    names = variables(path)
    deployment = load(path, dict.fromkeys(names, "s3cret"))
    assert deployment.kind == kind
    assert deployment.lines["main number"].did == "+13125550100"
    assert all(f"{name}=" in result.output for name in names)
    assert "s3cret" not in path.read_text()
    rows = {case.row.id for case in cases([deployment])}
    assert {"talkdesk": "TD-INBOUND", "gladly": "GL-INBOUND", "generic": "SBC-INBOUND"}[integration] in rows
    guard = Guard(deployment)
    assert not [number for number in numbers_of(deployment) if guard.refusal(number)]


def test_what_to_do_next_can_be_copied_whatever_the_file_is_called(tmp_path: Path) -> None:
    path = tmp_path / "acme prod.toml"
    result = CliRunner().invoke(application(), arguments(path), catch_exceptions=False)
    said = [shlex.split(line) for line in result.output.splitlines() if line.startswith("  harness")]
    assert said == [["harness", "preflight", str(path)], ["harness", "verify", str(path), "--plan"]]


@pytest.mark.parametrize("model", [None, "6a0f3c52-7d1e-4b8a-9a57-3f1e2d4c5b01"])
def test_the_id_of_the_assistant(tmp_path: Path, model: str | None) -> None:
    path = tmp_path / "acme.toml"
    result = CliRunner().invoke(application(), arguments(path, assistant_model=model), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert load(path, dict.fromkeys(variables(path), "s3cret")).assistants["main"].model_id == model
    with pytest.raises(MistakeError, match="--assistant-model a b: 'a b' is no id"):
        CliRunner().invoke(application(), arguments(tmp_path / "x", assistant_model="a b"), catch_exceptions=False)


def test_addresses_of_ipv6(tmp_path: Path) -> None:
    path = tmp_path / "six.toml"
    asked = arguments(
        path,
        kind="stand-in",
        platform_host="2001:db8::5",
        caller_host="2001:db8::7",
        caller_domain="carrier.example",
        bind="2001:db8::9",
    )
    result = CliRunner().invoke(application(), asked, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    deployment = load(path, dict.fromkeys(variables(path), "s3cret"))
    assert deployment.trunks[0].termination == "[2001:db8::5]:5061"
    assert {account.host for account in deployment.accounts.values()} == {"2001:db8::5", "2001:db8::7"}


@pytest.mark.parametrize("integration", ["talkdesk", "gladly", "generic"])
def test_what_is_commented_out_is_right_too(tmp_path: Path, integration: str) -> None:
    """Every line of it, once its dots are filled in."""
    path = tmp_path / "whole.toml"
    CliRunner().invoke(application(), arguments(path, integration=integration, kind="live"), catch_exceptions=False)
    numbers = (f"+131255501{number:02}" for number in itertools.count(10))
    lines = []
    for line in path.read_text().splitlines():
        if re.match(r"# (\[|[a-z_]+ = )", line):
            line = line[2:]
        line = re.sub(r'^did = "…"', lambda _: f'did = "{next(numbers)}"', line)
        lines.append(line.replace("https://…", "https://acme.example/dial").replace("…", "x"))
    path.write_text("\n".join(lines).replace('allow = ["+442079460100"]', "allow = []"))
    deployment = load(path, dict.fromkeys(variables(path), "s3cret"))
    assert deployment.lines["after a menu"].press == "2"
    assert (deployment.campaign is not None) is (integration == "talkdesk")


def test_every_missing_answer_is_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(MistakeError) as caught:
        CliRunner().invoke(application(), ["init", str(tmp_path / "x.toml")], catch_exceptions=False)
    lines = str(caught.value).splitlines()
    assert len(lines) >= 9
    assert all("is missing; allowed:" in line for line in lines)
    assert not (tmp_path / "x.toml").exists()


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("line", "911"),
        ("line", "+1"),
        ("line", "+44 20 7946 0101 ext. 12"),
        ("assistant", "+442079460101;ext=12"),
        ("group", "+442079460101,,2"),
        ("region", "Atlantis"),
        ("platform-domain", "a b"),
        ("agent-user", 'x"]\n'),
        ("caller-host", "sip:x"),
    ],
)
def test_wrong_answers_are_refused(tmp_path: Path, option: str, value: str) -> None:
    asked = arguments(tmp_path / "x.toml", **{option.replace("-", "_"): value})
    with pytest.raises(MistakeError, match=f"--{option} "):
        CliRunner().invoke(application(), asked, catch_exceptions=False)


def test_answers_that_contradict_each_other(tmp_path: Path) -> None:
    asked = arguments(tmp_path / "x.toml", group=OPTIONS["assistant"])
    with pytest.raises(DeploymentError, match="already"):
        CliRunner().invoke(application(), asked, catch_exceptions=False)
    assert not (tmp_path / "x.toml").exists()


def test_an_existing_file_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text("mine")
    with pytest.raises(DeploymentError, match="--force"):
        CliRunner().invoke(application(), arguments(path), catch_exceptions=False)
    assert path.read_text() == "mine"
    CliRunner().invoke(application(), [*arguments(path), "--force"], catch_exceptions=False)
    assert "acme.talkdesk.example" in path.read_text()


def test_it_asks_at_a_terminal(tmp_path: Path) -> None:
    path = tmp_path / "asked.toml"
    keyboard, terminal = pty.openpty()
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from harness.run.cli.app import main; main()",
            *arguments(path, line=None, kind=None, region=None),
        ],
        stdin=terminal,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        os.write(keyboard, b"nonsense\nlive\n\n\n911\n+1 312 555 0100\n\nm 1\nm1\n")
        output, _ = process.communicate(timeout=30)
    finally:
        process.kill()
        os.close(keyboard)
        os.close(terminal)
    assert process.returncode == 0, output
    assert "'nonsense' is none of them" in output
    assert "'911' is not E.164" in output
    deployment = load(path, dict.fromkeys(variables(path), "-"))
    assert "'m 1' is no id of an assistant" in output
    assert deployment.assistants["main"].model_id == "m1"
    assert (deployment.kind, deployment.region, deployment.lines["main number"].did) == ("live", "US", "+13125550100")


@pytest.mark.parametrize("option", [{"transport": "udp"}, {"authentication": "digest"}])
def test_an_option_that_the_platform_does_not_have_is_not_passed_over(tmp_path: Path, option: dict[str, str]) -> None:
    """The file that it wrote said another thing than was asked for."""
    asked = arguments(tmp_path / "x.toml", **{"integration": "gladly", "authentication": "ip", **option})
    ((name, value),) = option.items()
    with pytest.raises(MistakeError, match=f"^--{name} {value}: not with gladly; allowed: "):
        CliRunner().invoke(application(), asked, catch_exceptions=False)
    assert not (tmp_path / "x.toml").exists()


@pytest.mark.parametrize(
    ("region", "prompt", "text"),
    [
        ("de", "agent-please-de", "Einen Mitarbeiter, bitte."),
        ("MX", "agent-please-es", "Un agente, por favor."),
        ("FR", "agent-please-fr", "Un agent, s'il vous plaît."),
        ("CA", "agent-please-en", "An agent, please."),
    ],
)
def test_a_caller_asks_in_the_countrys_language(tmp_path: Path, region: str, prompt: str, text: str) -> None:
    path = tmp_path / "x.toml"
    CliRunner().invoke(application(), arguments(path, region=region), catch_exceptions=False)
    deployment = load(path, dict.fromkeys(variables(path), "-"))
    assert deployment.escalation.prompt == prompt
    assert text in path.read_text(encoding="utf-8")
