"""The drawn customers: files that the harness takes, of shapes unlike the project's own."""

from __future__ import annotations

from pathlib import Path

import tomli_w

from harness import matrix
from harness.deployment_file import load
from harness.simulation.faults import FAULTS
from harness.simulation.settings import parse
from tools.shapes.draw import customers
from tools.shapes.run import _WHOLE_TENANT

SEED = 11


def test_every_drawn_customer_is_a_deployment_with_cases(tmp_path: Path) -> None:
    planned = 0
    for index, table in enumerate(customers(30, SEED)):
        file = tmp_path / f"{index}.toml"
        file.write_text(tomli_w.dumps(table), encoding="utf-8")
        deployment = load(file)
        parse(deployment.simulated)
        planned += len(matrix.cases([deployment]))
    assert planned > 100


def test_the_same_seed_draws_the_same() -> None:
    assert customers(5, SEED) == customers(5, SEED)
    assert customers(5, SEED) != customers(5, SEED + 1)


def test_shapes_differ() -> None:
    drawn = customers(200, SEED)
    assert {1, 2, 3} <= {len(table["trunks"]) for table in drawn}
    assert any(len(group["agents"]) > 1 for table in drawn for group in table["groups"].values())
    assert any(not group["agents"] for table in drawn for group in table["groups"].values())
    assert any(" " in name for table in drawn for name in table["groups"])
    assert any("group" in line for table in drawn for line in table["lines"].values())
    assert not any(set(table["groups"]) & set(table["phones"]) for table in drawn[:20])


def test_faults_without_a_number_are_those_of_the_whole_tenant() -> None:
    assert {str(fault) for fault, note in FAULTS.items() if not note.per_line} == _WHOLE_TENANT
