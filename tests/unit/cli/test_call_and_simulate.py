"""``harness call`` leaves masked evidence, and ``harness simulate`` writes its world as a live
deployment.
"""

import io
import shlex
import subprocess
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from harness.deployment import Deployment
from harness.deployment.grants import Grants
from harness.deployment.safety import Guard
from harness.integrations import load
from harness.run.cli import call, simulate
from harness.run.cli.simulate import exports, live_file
from harness.support.files import stem_of
from harness.support.resources import EXAMPLES
from harness.support.terminal import SafeConsole
from tests.unit.phone_events import sip_message


@pytest.mark.parametrize(
    "number",
    ["+1 312 555-0100", "(312) 555-0100", "312.555.0100", "sip:+13125550100@carrier.example"],
)
def test_call_accepts_common_number_formats(number: str) -> None:
    talkdesk = load(EXAMPLES / "simulated-talkdesk.toml")
    Guard(talkdesk)(call._uri(talkdesk, "caller", number))


def test_call_evidence_holds_no_number_and_no_digest_answer(
    tmp_path: Path, runs: ModuleType
) -> None:
    """A password can be tried against a digest answer."""
    deployment = runs.live()
    caller = deployment.callers[0]
    number = deployment.phones[caller].number
    kept = tmp_path / "call"
    attempt = call._Attempt(
        SafeConsole(file=io.StringIO()), deployment, Guard(deployment), caller, kept, tmp_path
    )
    text = (
        f"INVITE sip:{number}@example.com SIP/2.0\r\nFrom: <sip:{number}@example.com>;tag=a\r\n"
        'Authorization: Digest username="u", realm="r", nonce="n", uri="sip:x", response="0123456789abcdef"\r\n\r\n'
    )
    attempt._recorder.event(sip_message("sent", text, leg=f"{caller}.1"))
    written = b"".join(path.read_bytes() for path in kept.rglob("*") if path.is_file())
    assert b"INVITE" in written
    assert number.removeprefix("+").encode() not in written
    assert b"0123456789abcdef" not in written


#: Names that give the same shell variable, each with its secret.
ALIKE = {"Frau Yıldız": "one", 'Frau-Y"ld"z': "two", "frau y ld z": "it's three"}


def world() -> Deployment:
    found = load(EXAMPLES / "simulated-talkdesk.toml")
    phone = next(iter(found.phones.values()))
    more = {
        name: phone.model_copy(update={"password": SecretStr(secret)})
        for name, secret in ALIKE.items()
    }
    return found.model_copy(update={"phones": {**found.phones, **more}})


WORLD = world()


@pytest.mark.nightly
@given(
    st.text(min_size=1, max_size=20)
    | st.sampled_from(["simulated", "simulated-acme", "Müller & Söhne", "live-a"])
)
def test_as_live_writes_two_files_for_any_world_name(name: str) -> None:
    named = WORLD.model_copy(update={"name": name})
    files = [live_file(named, kind, named.timings)[:2] for kind in ("live", "stand-in")]
    assert len({stem_of(called) for called, _ in files}) == 2
    assert [tomllib.loads(text)["name"] for _, text in files] == [called for called, _ in files]


def test_exports_set_one_shell_variable_per_secret() -> None:
    secrets = live_file(WORLD, "live", WORLD.timings)[2]
    assert set(ALIKE.values()) <= set(secrets.values())
    script = f"{exports(secrets)}\nenv"
    said = subprocess.run(
        ["sh", "-euc", script], env={}, capture_output=True, text=True, check=True
    )
    assert {f"{name}={value}" for name, value in secrets.items()} <= set(said.stdout.splitlines())


def test_printed_verify_command_quotes_the_file_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    named = WORLD.model_copy(update={"name": "acme prod"})
    simulate._write(SafeConsole(soft_wrap=True, width=1000), tmp_path, [named], "quick")
    (said,) = [line for line in capsys.readouterr().out.splitlines() if " verify " in line]
    assert Path(shlex.split(said)[2]).is_file()
    assert len(shlex.split(said)) == 3


def test_what_is_written_as_live_needs_the_printed_grants_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A world's API is on loopback, and its certificate among temporary files."""
    authority = tmp_path / "of the world" / "ca.pem"
    authority.parent.mkdir()
    authority.write_text("-----BEGIN CERTIFICATE-----\n")
    assert WORLD.synthflow is not None
    api = {"api_base": "https://127.0.3.4:4443/v2", "ca_file": str(authority)}
    named = WORLD.model_copy(update={"synthflow": WORLD.synthflow.model_copy(update=api)})
    directory = tmp_path / "files"
    simulate._write(SafeConsole(soft_wrap=True, width=1000), directory, [named], "quick")
    printed = [line for line in capsys.readouterr().out.splitlines() if line.startswith("export ")]
    (granted,) = [line for line in printed if line.startswith("export HARNESS_GRANT=")]
    name, _, value = shlex.split(granted)[1].partition("=")
    assert shlex.split(value) == ["host=127.0.3.4:4443", f"path={authority}"]
    plain = tomllib.loads(next(iter(directory.glob("live*"))).read_text(encoding="utf-8"))
    monkeypatch.delenv(name)
    assert len(Grants.given().needed(plain, directory)) == 2
    monkeypatch.setenv(name, value)
    assert Grants.given().needed(plain, directory) == []
