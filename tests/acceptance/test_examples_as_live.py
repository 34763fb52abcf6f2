"""The live examples pass on a flawless platform as they stand: a world plays each; addresses and secrets alone are filled in."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import tomli_w

from harness.cli.live_file import live_file
from harness.deployment_file import read
from harness.integrations import load
from harness.pytest_plugin.worlds import one_world
from harness.resources import examples

#: Where things are is what differs from customer to customer; a world fills it in.
_WHERE = ("host", "port", "termination", "allowed_addresses", "ca_file", "api_base")
#: Record and transcript alone, which come after the call: what a real AI's interface gives.
_AS_A_REAL_AI = {
    "api": {"transcript": "after", "transcript_after_s": 1.0, "witness": False},
    "assistants": {"*": {"sends": "speech"}},
}
#: Of the large one's 40 numbers three, one on each trunk, and for rows that they have no case of whichever has one.
CHOSEN = {
    "live-gladly": "",
    "live-talkdesk": "",
    "live-large": "Trade-U or CLOSED or KEEPALIVE or PEOPLE or GROUP-RINGING or Store-finder and IVR",
}


@dataclass(frozen=True)
class Played:
    """A world that is up, and the example with its addresses."""

    file: Path
    environment: Mapping[str, str]


def as_simulated(example: Mapping[str, Any]) -> dict[str, Any]:
    """The example as a world is told of it: without addresses, which the world has of its own."""
    plain = {**example, "kind": "simulated", "simulated": _AS_A_REAL_AI}
    plain["platform"] = _without(example["platform"])
    plain["trunks"] = [_without(trunk) | {"port": trunk["port"]} for trunk in example["trunks"]]
    plain["accounts"] = {name: _without(account) for name, account in example["accounts"].items()}
    plain["synthflow"] = _without(example["synthflow"])
    return plain


def _without(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in table.items() if key not in _WHERE and not key.endswith("_env")}


def filled_in(example: Mapping[str, Any], told: Mapping[str, Any]) -> dict[str, Any]:
    """The example to the letter, but for addresses, and for the variables that hold secrets, which a world has its own of."""
    plain = {**example, "ca_file": told["ca_file"]} if "ca_file" in told else dict(example)
    for table in ("platform", "synthflow"):
        plain[table] = _with(example[table], told[table])
    plain["trunks"] = [_with(one, other) for one, other in zip(example["trunks"], told["trunks"], strict=True)]
    for table in ("accounts", "phones"):
        plain[table] = {name: _with(one, told[table][name]) for name, one in example[table].items()}
    plain["limits"] = {**example["limits"], "calls_per_second": 20.0}  # a customer's carrier would mind
    return plain


def _with(table: Mapping[str, Any], told: Mapping[str, Any]) -> dict[str, Any]:
    where = {key: value for key, value in told.items() if key in _WHERE or key.endswith("_env")}
    return {**{key: value for key, value in table.items() if key not in _WHERE and not key.endswith("_env")}, **where}


@pytest.fixture(params=["live-gladly", "live-large", "live-talkdesk"])
def played(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Played]:
    source = examples()[request.param]
    example = read(source)
    world_file = tmp_path / "world.toml"
    world_file.write_text(tomli_w.dumps(as_simulated(example)), encoding="utf-8")
    if sheet := example.get("numbers_csv"):
        shutil.copy(source.with_name(sheet), tmp_path)
    with one_world(world_file, load(world_file), tmp_path, timings="documented") as world:
        (tenant,) = world.tenants
        _, text, secrets = live_file(tenant, "live", tenant.timings_by("documented"))
        file = tmp_path / f"{request.param}.toml"
        file.write_text(tomli_w.dumps(filled_in(example, tomllib.loads(text))), encoding="utf-8")
        yield Played(file, secrets)


def test_a_live_example_passes_as_it_stands(played: Played, tmp_path: Path) -> None:
    code, output = verified(played, tmp_path / "reports")
    assert code == 0, output
    summary = json.loads((tmp_path / "reports" / "latest" / "summary.json").read_text())
    assert summary["passed"] == summary["cases"] >= 11, output
    assert (summary["failed"], summary["not_observable"], summary["broken"]) == (0, 0, 0)
    why = {one["why"] for one in summary["left_out"]}
    assert "not asked for in this run" not in why, "every row that has a case was run"


def verified(played: Played, reports: Path) -> tuple[int, str]:
    """``harness verify`` of the file; what is closed while this runs is called out of hours."""
    command = [sys.executable, "-c", "from harness.cli.app import main; main()", "verify", str(played.file)]
    command += ["--live", "--quiet", "-n", "4", "--reports", str(reports)]
    if chosen := CHOSEN[played.file.stem]:
        command += ["-k", chosen]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "PYTHON"))}
    environment = {**kept, **played.environment, "HARNESS_LIVE": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    return done.returncode, done.stdout + done.stderr
