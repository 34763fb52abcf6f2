"""A running world as a file for somebody who is told no more than an owner: its secrets stand beside it."""

from __future__ import annotations

import shlex
import subprocess
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from harness.deployment import Deployment
from harness.integrations import load
from harness.run.cli import simulate
from harness.run.cli.live_file import exports, live_file
from harness.run.cli.verify import TimingsName
from harness.support.files.names import stem_of
from harness.support.resources import EXAMPLES
from harness.support.terminal import SafeConsole

#: Names that are alike once a shell's rules for variables are followed, and what is secret of each.
ALIKE = {"Frau Yıldız": "one", 'Frau-Y"ld"z': "two", "frau y ld z": "it's three"}


def world() -> Deployment:
    found = load(EXAMPLES / "simulated-talkdesk.toml")
    phone = next(iter(found.phones.values()))
    more = {name: phone.model_copy(update={"password": SecretStr(secret)}) for name, secret in ALIKE.items()}
    return found.model_copy(update={"phones": {**found.phones, **more}})


WORLD = world()


@given(st.text(min_size=1, max_size=20) | st.sampled_from(["simulated", "simulated-acme", "Müller & Söhne", "live-a"]))
def test_a_world_of_any_name_makes_two_files(name: str) -> None:
    named = WORLD.model_copy(update={"name": name})
    files = [live_file(named, kind, named.timings)[:2] for kind in ("live", "stand-in")]
    assert len({stem_of(called) for called, _ in files}) == 2
    assert [tomllib.loads(text)["name"] for _, text in files] == [called for called, _ in files]


def test_each_secret_has_a_variable_of_its_own() -> None:
    secrets = live_file(world(), "live", world().timings)[2]
    assert set(ALIKE.values()) <= set(secrets.values())


def test_a_shell_takes_them() -> None:
    secrets = live_file(world(), "live", world().timings)[2]
    said = subprocess.run(
        ["sh", "-euc", f"{exports(secrets)}\nenv"], env={}, capture_output=True, text=True, check=True
    )
    assert {f"{name}={value}" for name, value in secrets.items()} <= set(said.stdout.splitlines())


def test_a_world_whose_ai_has_no_interface() -> None:
    without = world().model_copy(update={"synthflow": None})
    for kind in ("live", "stand-in"):
        assert "[synthflow]" not in live_file(without, kind, without.timings)[1]


def test_the_command_can_be_copied_whatever_the_deployment_is_called(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    named = WORLD.model_copy(update={"name": "acme prod"})
    simulate._write(SafeConsole(soft_wrap=True, width=1000), tmp_path, [named], TimingsName.QUICK)
    (said,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("harness verify")]
    *_, path = shlex.split(said)
    assert Path(path).is_file()
    assert len(shlex.split(said)) == 3
