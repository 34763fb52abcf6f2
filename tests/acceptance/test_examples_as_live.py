"""The live examples pass on a flawless platform as they stand: a world plays each; addresses and
secrets alone are filled in.
"""

from __future__ import annotations

import json
import os
import subprocess
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import tomli_w

from harness.deployment.file import read
from harness.integrations import load
from harness.run.cli.simulate import live_file
from harness.run.plugin.worlds import one_world
from harness.support.resources import examples

#: Where things are is what differs from customer to customer; a world fills it in.
_WHERE = ("host", "port", "termination", "allowed_addresses", "ca_file", "api_base")
#: Record and transcript alone, which come after the call: what a real AI's interface gives.
_AS_A_REAL_AI = {
    "api": {"transcript": "after", "transcript_after_s": 1.0, "witness": False},
    "assistants": {"*": {"sends": "speech"}},
}
#: Of the large one's 40 numbers three, one on each trunk, and for rows that they have no case of
#: whichever has one.
CHOSEN = {
    "live-gladly": "",
    "live-talkdesk": "",
    "live-large": "Trade-U or CLOSED or KEEPALIVE or PEOPLE or GROUP-RINGING or Store-finder and IVR",
}


#: Its hours begin and end at full hours, when a number is not called; by these clocks it is half
#: past then.
_HALF_PAST = {"America/New_York": "America/St_Johns", "Europe/Berlin": "Asia/Tehran"}


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
    return {
        key: value for key, value in table.items() if key not in _WHERE and not key.endswith("_env")
    }


def filled_in(example: Mapping[str, Any], told: Mapping[str, Any]) -> dict[str, Any]:
    """The example to the letter, but for addresses, and for the variables that hold secrets, which
    a world has its own of.
    """
    plain = {**example, "ca_file": told["ca_file"]} if "ca_file" in told else dict(example)
    for table in ("platform", "synthflow"):
        plain[table] = _with(example[table], told[table])
    plain["trunks"] = [
        _with(one, other) for one, other in zip(example["trunks"], told["trunks"], strict=True)
    ]
    for table in ("accounts", "phones"):
        plain[table] = {name: _with(one, told[table][name]) for name, one in example[table].items()}
    plain["limits"] = {
        **example["limits"],
        "calls_per_second": 20.0,
    }  # a customer's carrier would mind
    return plain


def _with(table: Mapping[str, Any], told: Mapping[str, Any]) -> dict[str, Any]:
    where = {key: value for key, value in told.items() if key in _WHERE or key.endswith("_env")}
    return {
        **{
            key: value
            for key, value in table.items()
            if key not in _WHERE and not key.endswith("_env")
        },
        **where,
    }


def zones(at: datetime) -> dict[str, str]:
    """The zones to go by in a run that begins then, so that none of its hours begin or end in the
    minutes it takes.
    """
    return {name: name for name in _HALF_PAST} if 10 <= at.minute < 50 else _HALF_PAST


@pytest.mark.parametrize("minute", range(60))
def test_no_opening_hours_change_while_an_example_is_verified(minute: int) -> None:
    begun = datetime(2026, 11, 24, 13, minute, tzinfo=UTC)
    for zone in zones(begun).values():
        for later in range(-2, 9):
            assert (begun + timedelta(minutes=later)).astimezone(ZoneInfo(zone)).minute != 0, zone


@pytest.fixture(params=["live-talkdesk", "live-large", "live-gladly"])
def played(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Played]:
    source = examples()[request.param]
    example, by_clocks = read(source), zones(datetime.now(UTC))
    if "zone" in example:
        example["zone"] = by_clocks[example["zone"]]
    world_file = tmp_path / "world.toml"
    world_file.write_text(tomli_w.dumps(as_simulated(example)), encoding="utf-8")
    if sheet := example.get("numbers_csv"):
        numbers = source.with_name(sheet).read_text(encoding="utf-8")
        for zone, other in by_clocks.items():
            numbers = numbers.replace(zone, other)
        (tmp_path / sheet).write_text(numbers, encoding="utf-8")
    with one_world(world_file, load(world_file), tmp_path, timings="documented") as world:
        (tenant,) = world.tenants
        _, text, secrets = live_file(tenant, "live", tenant.timings_by("documented"))
        file = tmp_path / f"{request.param}.toml"
        file.write_text(tomli_w.dumps(filled_in(example, tomllib.loads(text))), encoding="utf-8")
        yield Played(file, secrets)


@pytest.mark.minutes
@pytest.mark.nightly
def test_live_example_passes_unchanged(played: Played, tmp_path: Path, forked_python: str) -> None:
    code, output = verified(forked_python, played, tmp_path / "reports")
    assert code == 0, output
    summary = json.loads((tmp_path / "reports" / "latest" / "summary.json").read_text())
    assert summary["passed"] == summary["cases"] >= 11, output
    assert (summary["failed"], summary["not_observable"], summary["broken"]) == (0, 0, 0)
    why = {one["why"] for one in summary["left_out"]}
    assert "not asked for in this run" not in why, "every row that has a case was run"


def verified(python: str, played: Played, reports: Path) -> tuple[int, str]:
    """``harness verify`` of the file; what is closed while this runs is called out of hours."""
    command = [
        python,
        "-c",
        "from harness.run.cli.app import main; main()",
        "verify",
        str(played.file),
    ]
    command += ["--live", "--quiet", "-n", "4", "--reports", str(reports)]
    if chosen := CHOSEN[played.file.stem]:
        command += ["-k", chosen]
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTEST_", "PYTHON"))
    }
    environment = {**kept, **played.environment, "HARNESS_LIVE": "1"}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=1200, check=False
    )
    return done.returncode, done.stdout + done.stderr
