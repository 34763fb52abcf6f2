"""Where drawn customers are: their files, and, for those who are to be known as real ones are, a
world that is up by itself.
"""

from __future__ import annotations

import csv
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import tomli_w

from harness.deployment import Deployment
from harness.integrations import load
from harness.run.cli.simulate import live_file
from harness.run.plugin.worlds import Worlds
from tools.shapes.draw import Customer, Told, as_of
from tools.shapes.plan import WRONG, trials

#: A live customer's interface tells the documented fields, and its AI says words.
_AS_A_REAL_AI = {"api": {"witness": False}, "assistants": {"*": {"sends": "speech"}}}


@dataclass(frozen=True)
class Place:
    """One customer as the harness is told."""

    deployment: Deployment
    file: Path
    secrets: dict[str, str] = field(default_factory=dict)  #: environment variable → value


@contextmanager
def written(batch: Sequence[Customer], directory: Path, seed: int) -> Iterator[list[Place]]:
    """The files of these customers, and their worlds for as long as this lasts.

    A world that is up by itself plays two of a customer, one clean and one wrong: their cases run
    side by side.
    """
    places: list[Place] = []
    outside: list[tuple[Customer, Path, Deployment]] = []
    for customer in batch:
        file = _file(customer, directory)
        deployment = load(file)
        if customer.kind == "simulated":
            places.append(Place(deployment, file))
        else:
            outside.append((customer, file, deployment))
    worlds = Worlds(directory)
    try:
        simulated = [(file, deployment) for _, file, deployment in outside]
        tenants = worlds.start(simulated, tenants=2, timings="quick", faults=(), controlled=True)
        for customer, _, deployment in outside:
            clean, wrong = tenants[deployment.name]
            places.append(_outside(customer, clean, directory))
            second = _outside(customer, wrong, directory, WRONG)
            if fault := next(
                (trial for trial in trials([second.deployment], seed) if trial.fault), None
            ):
                body = {"name": fault.fault, "line": fault.line, "tenant": 1}
                url = f"{worlds.controls[deployment.name]}/faults"
                httpx.post(url, json=body, timeout=20).raise_for_status()
                places.append(second)
        yield places
    finally:
        worlds.stop(keep_logs=directory)


def _file(customer: Customer, directory: Path) -> Path:
    table = as_of(customer.table, datetime.now(UTC))
    file = directory / f"{table['name']}.toml"
    if customer.kind == "live":
        table["simulated"] = _AS_A_REAL_AI
    if customer.spreadsheet:
        sheet = file.with_suffix(".csv")
        _write_csv(sheet, table.pop("lines"))
        table["numbers_csv"] = sheet.name
    file.write_text(tomli_w.dumps(table), encoding="utf-8")
    return file


def _write_csv(path: Path, lines: dict[str, dict[str, Any]]) -> None:
    rows = [{"name": name, **row} for name, line in lines.items() for row in _rows(line)]
    columns = list(dict.fromkeys(key for row in rows for key in row))
    with path.open("w", encoding="utf-8", newline="") as sheet:
        writer = csv.DictWriter(sheet, columns)
        writer.writeheader()
        for row in rows:
            writer.writerow({key: _cell(value) for key, value in row.items()})


def _rows(line: dict[str, Any]) -> list[dict[str, Any]]:
    """The line, or each choice of its menu."""
    shared = {key: value for key, value in line.items() if key != "choices"}
    return [
        {**shared, "press": press, **choice} for press, choice in line.get("choices", {}).items()
    ] or [shared]


def _cell(value: object) -> object:
    return ("yes" if value else "no") if isinstance(value, bool) else value


def _outside(customer: Customer, world: Deployment, directory: Path, suffix: str = "") -> Place:
    """The customer as a real one: by a file that tells what its owner would know."""
    assert customer.kind != "simulated"
    named = world.model_copy(update={"name": f"simulated-{world.name}{suffix}"})
    name, text, secrets = live_file(named, customer.kind, world.timings_by("quick"))
    file = directory / f"{name}.toml"
    if customer.kind == "live":
        text = _told(text, customer.told)
    file.write_text(text, encoding="utf-8")
    return Place(load(file, secrets), file, secrets)


def _told(text: str, told: Told) -> str:
    """A live file whose far end tells less."""
    plain = tomllib.loads(text)
    if told == "records":
        plain["synthflow"]["transcript"] = "none"
    if told == "nothing":
        for key in ("api_base", "api_token_env", "ca_file", "prepare"):
            plain["synthflow"].pop(key, None)
    if told != "words":
        plain["expect"]["strength"] = "indicated"
    return tomli_w.dumps(plain)
