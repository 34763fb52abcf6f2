"""``harness init`` asks or takes options, and writes a valid deployment file."""

from __future__ import annotations

import itertools
import os
import pty
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from harness.deployment import Deployment
from harness.deployment.safety import Guard, numbers_of
from harness.errors import DeploymentError, MistakeError
from harness.integrations import load
from harness.integrations.matrix import cases
from harness.run.cli.app import application
from harness.run.preflight import variables
from harness.support.terminal import program
from tests.certificates import Authority

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
    return [
        "init",
        str(path),
        *(f"--{name}={value}" for name, value in options.items() if value is not None),
    ]


def made(path: Path, **changes: str | None) -> Result:
    """Run ``harness init PATH`` with these options; raises its errors."""
    return CliRunner().invoke(
        application("init"), arguments(path, **changes), catch_exceptions=False
    )


def deployment_of(path: Path) -> Deployment:
    return load(path, dict.fromkeys(variables(path), "s3cret"))


@pytest.mark.parametrize(
    ("integration", "authentication", "kind", "row"),
    [
        ("talkdesk", "ip", "stand-in", "TD-INBOUND"),
        ("talkdesk", "digest", "live", "TD-INBOUND"),
        ("gladly", "ip", "live", "GL-INBOUND"),
        ("generic", "digest", "stand-in", "SBC-INBOUND"),
    ],
)
def test_written_file_is_a_valid_deployment(
    tmp_path: Path, integration: str, authentication: str, kind: str, row: str
) -> None:
    path = tmp_path / "acme prod.toml"
    result = made(path, integration=integration, kind=kind, authentication=authentication)
    deployment = deployment_of(path)
    assert deployment.kind == kind
    assert deployment.lines["main number"].did == "+13125550100"
    assert all(f"{name}=" in result.output for name in variables(path))
    said = [
        shlex.split(line)
        for line in result.output.splitlines()
        if str(path) in line and line.startswith("  ")
    ]
    assert said == [[program(), "preflight", str(path)], [program(), "verify", str(path), "--plan"]]
    assert "s3cret" not in path.read_text()
    assert row in {case.row.id for case in cases([deployment])}
    guard = Guard(deployment)
    assert not [number for number in numbers_of(deployment) if guard.refusal(number)]


def test_ipv6_hosts_are_bracketed_where_needed(tmp_path: Path) -> None:
    path = tmp_path / "six.toml"
    hosts = {"platform_host": "2001:db8::5", "caller_host": "2001:db8::7", "bind": "2001:db8::9"}
    made(path, kind="stand-in", caller_domain="carrier.example", **hosts)
    deployment = deployment_of(path)
    assert deployment.trunks[0].termination == "[2001:db8::5]:5061"
    assert {account.host for account in deployment.accounts.values()} == {
        "2001:db8::5",
        "2001:db8::7",
    }


@pytest.mark.parametrize("integration", ["talkdesk", "gladly", "generic"])
def test_commented_out_settings_are_valid(tmp_path: Path, integration: str) -> None:
    """Each commented line is valid once its dots are replaced."""
    path = tmp_path / "whole.toml"
    made(path, integration=integration, kind="live")
    numbers = (f"+131255501{number:02}" for number in itertools.count(10))
    lines = []
    for line in path.read_text().splitlines():
        if re.match(r"# (\[|[a-z_]+ = )", line):
            line = line[2:]
        line = re.sub(r'^did = "…"', lambda _: f'did = "{next(numbers)}"', line)
        lines.append(line.replace("https://…", "https://acme.example/dial").replace("…", "x"))
    path.write_text("\n".join(lines).replace('allow = ["+442079460100"]', "allow = []"))
    deployment = deployment_of(path)
    assert deployment.lines["after a menu"].press == "2"
    assert (deployment.campaign is not None) is (integration == "talkdesk")


def test_all_missing_answers_are_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(MistakeError) as caught:
        CliRunner().invoke(
            application(), ["init", str(tmp_path / "x.toml")], catch_exceptions=False
        )
    lines = str(caught.value).splitlines()
    assert len(lines) >= 9
    assert all("is missing; allowed:" in line for line in lines)
    assert not (tmp_path / "x.toml").exists()


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("line", "911"),
        ("line", "+1"),
        ("assistant", "+442079460101;ext=12"),
        ("region", "Atlantis"),
        ("platform-domain", "a b"),
        ("agent-user", 'x"]\n'),
        ("caller-host", "sip:x"),
        ("assistant-model", "a b"),
        ("zone", "Europe/Atlantis"),
    ],
)
def test_invalid_answers_are_refused(tmp_path: Path, option: str, value: str) -> None:
    with pytest.raises(MistakeError, match=f"--{option} "):
        made(tmp_path / "x.toml", **{option.replace("-", "_"): value})


def test_fallback_zone_and_an_assistants_user_are_written(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    made(path, fallback="yes", zone="Europe/Berlin", assistant="ava-en")
    deployment = deployment_of(path)
    assert deployment.lines["main number"].fallback == "billing"
    assert deployment.zone == "Europe/Berlin"
    assert deployment.assistants["main"].user == "ava-en"
    other = tmp_path / "y.toml"
    made(other, assistant="4711", integration="gladly")
    deployment = deployment_of(other)
    assert deployment.lines["main number"].fallback is None
    assert deployment.zone == "America/Chicago"  # of the number that callers dial
    assert deployment.assistants["main"].user == "4711"


def test_a_stand_ins_certificate_is_written(tmp_path: Path) -> None:
    """Gladly signals over TLS only."""
    certificate, key = Authority(tmp_path).issue("ai.example")
    path = tmp_path / "x.toml"
    gladly = {"integration": "gladly", "kind": "stand-in", "synthflow_host": "ai.example"}
    made(path, **gladly, certificate=certificate.name, private_key=key.name)
    stand_in = deployment_of(path).stand_in
    assert (stand_in.certificate, stand_in.private_key) == (str(certificate), str(key))
    for option, name, said in (
        ("certificate", "nowhere.pem", "no such file 'nowhere.pem'"),
        ("certificate", key.name, "no certificate in"),
        ("private_key", certificate.name, "no private key in"),
    ):
        files = {"certificate": certificate.name, "private_key": key.name, option: name}
        with pytest.raises(MistakeError, match=f"--{option.replace('_', '-')} {name}: {said}"):
            made(tmp_path / "y.toml", **gladly, **files)


def test_a_number_with_two_valid_readings_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    with pytest.raises(MistakeError) as raised:
        made(path, region="DE", line="492214710123")
    assert str(raised.value) == (
        "--line 492214710123: '492214710123' is +492214710123 or, less likely, +49492214710123; "
        "allowed: the number with its plus"
    )
    assert not path.exists()


def test_a_country_code_without_its_plus_is_understood(tmp_path: Path) -> None:
    """Its digits are no number of the region, so they mean no stranger there."""
    path = tmp_path / "x.toml"
    made(path, line="4930123456")
    assert 'did = "+4930123456"' in path.read_text()


def test_existing_file_is_kept_without_force(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text("mine")
    with pytest.raises(DeploymentError, match="--force"):
        made(path)
    assert path.read_text() == "mine"
    CliRunner().invoke(application(), [*arguments(path), "--force"], catch_exceptions=False)
    assert "acme.talkdesk.example" in path.read_text()


def typed(path: Path, keys: str, code: int = 0, **changes: str | None) -> str:
    """The output of ``harness init`` at a terminal where these keys are pressed."""
    keyboard, terminal = pty.openpty()
    program = [sys.executable, "-c", "from harness.run.cli.app import main; main()"]
    process = subprocess.Popen(
        [*program, *arguments(path, **changes)],
        stdin=terminal,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        os.write(keyboard, keys.encode())
        output, _ = process.communicate(timeout=30)
    finally:
        process.kill()
        os.close(keyboard)
        os.close(terminal)
    assert process.returncode == code, output
    return output


def test_init_asks_at_a_terminal(tmp_path: Path) -> None:
    path = tmp_path / "asked.toml"
    keys = "nonsense\nLive\n\n\neu\n911\n(312) 555-0100\nyes\n\n\nbob\nm 1\nm1\nyes\n"
    output = typed(path, keys, line=None, kind=None, region=None)
    assert "'nonsense' is not valid" in output
    assert "'911' has too few or too many digits" in output
    assert "'m 1' is no id of an assistant" in output
    assert [line.partition(":")[0] for line in output.splitlines()[-4:]] == [
        "calls",
        "minutes",
        "cost",
        "sign-off",
    ]
    deployment = load(path, dict.fromkeys(variables(path), "-"))
    assert deployment.assistants["main"].model_id == "m1"
    assert (deployment.kind, deployment.region, deployment.lines["main number"].did) == (
        "live",
        "US",
        "+13125550100",
    )
    assert deployment.groups["billing"].agents == ("agent", "second agent")
    assert (deployment.lines["main number"].fallback, deployment.zone) == (
        "billing",
        "America/Chicago",
    )
    assert deployment.synthflow is not None
    assert deployment.synthflow.recording
    assert deployment.synthflow.api_base == "https://api.eu.synthflow.ai/v2"


def test_init_goes_on_where_it_was_left(tmp_path: Path) -> None:
    path = tmp_path / "acme.toml"
    asked: dict[str, Any] = {"line": None, "group": None}
    assert "are kept" in typed(path, "\n\n?\n\x04", 130, **asked)
    assert not path.exists()
    output = typed(path, "(312) 555-0100\n?\n\n\n\n\n\n\n", **asked)
    assert "with MISSING-… where an answer is open" in output
    assert path.read_text().startswith("# open: group\n")
    with pytest.raises(DeploymentError) as raised:
        load(path, secrets=False)
    said = f"{path}: groups.billing.did: still open: run `harness init {path}`"
    assert str(raised.value) == said
    typed(path, "+18155550101\n", **asked)
    deployment = load(path, dict.fromkeys(variables(path), "-"))
    assert (deployment.lines["main number"].did, deployment.groups["billing"].did) == (
        "+13125550100",
        "+18155550101",
    )
    assert [file.name for file in tmp_path.iterdir()] == ["acme.toml"]


@pytest.mark.parametrize("option", [{"transport": "udp"}, {"authentication": "digest"}])
def test_option_that_the_platform_lacks_is_refused(tmp_path: Path, option: dict[str, str]) -> None:
    ((name, value),) = option.items()
    with pytest.raises(MistakeError, match=f"^--{name} {value}: not with gladly; allowed: "):
        made(tmp_path / "x.toml", **{"integration": "gladly", "authentication": "ip", **option})
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
def test_prompt_is_in_the_countrys_language(
    tmp_path: Path, region: str, prompt: str, text: str
) -> None:
    path = tmp_path / "x.toml"
    made(path, region=region)
    assert deployment_of(path).escalation.prompt == prompt
    assert text in path.read_text(encoding="utf-8")
