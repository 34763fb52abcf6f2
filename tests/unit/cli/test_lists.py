"""``harness rows``, ``harness faults``, ``--version``: lists that need no deployment."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from harness import integrations
from harness.errors import SelectionError
from harness.run.cli.app import application
from harness.run.cli.completion import fault_names, row_ids
from harness.world.faults import Fault


def said(*arguments: str) -> str:
    outcome = CliRunner().invoke(application(), list(arguments))
    if outcome.exception is not None and not isinstance(outcome.exception, SystemExit):
        raise outcome.exception
    assert outcome.exit_code == 0, outcome.output
    return outcome.output


def test_every_row_is_listed_once() -> None:
    plain = json.loads(said("rows", "--json"))
    rows = [(entry["integration"], entry["row"]) for entry in plain]
    assert len(set(rows)) == len(rows)
    assert rows == [(name, row.id) for name in integrations.names() for row in integrations.find(name).rows]
    shown = {
        line.split()[0] for line in said("rows", "gladly").splitlines() if line.startswith("  ") and line[2] != " "
    }
    assert shown == {row for integration, row in rows if integration == "gladly"}


def test_an_unknown_integration_is_a_mistake() -> None:
    with pytest.raises(SelectionError, match=r"'nope' does not exist; allowed: "):
        said("rows", "nope")


def test_every_fault_is_listed_with_what_it_shows() -> None:
    plain = json.loads(said("faults", "--json"))
    names = {fault["name"] for fault in plain}
    assert names == set(Fault)
    assert all(fault["shows"] and fault["integrations"] for fault in plain)
    text = said("faults")
    assert all(re.search(rf"^  {name} ", text, re.MULTILINE) for name in names)


@pytest.mark.parametrize("arguments", [["faults"], ["verify", "--help"]])
def test_a_terminal_of_another_encoding_shows_what_it_has(arguments: list[str]) -> None:
    """It ended as a fault of the harness, at the first dash."""
    command = [str(Path(sys.executable).with_name("harness")), *arguments]
    environment = os.environ | {"PYTHONIOENCODING": "iso8859-1"}
    done = subprocess.run(command, capture_output=True, env=environment, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert b"rtp-blocked" in done.stdout or b"--fault" in done.stdout


def test_the_version() -> None:
    assert re.fullmatch(r"harness \d+\.\d+\.\d+\n", said("--version"))


def test_a_shell_completes_rows_and_faults_and_has_a_script_for_it() -> None:
    assert row_ids("TD-FALLBACK-") == ["TD-FALLBACK-DOWN", "TD-FALLBACK-REFUSED", "TD-FALLBACK-TIMEOUT"]
    assert fault_names("trunk-limit-") == ["trunk-limit-lower", "trunk-limit-not-enforced"]
    options = {name for parameter in _root().params for name in parameter.opts}
    assert {"--install-completion", "--show-completion"} <= options


def _root() -> Any:
    import typer.main

    return typer.main.get_command(application())
