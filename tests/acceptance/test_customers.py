"""Set-ups that are like no other: names of every kind, agents of several groups, numbers from a spreadsheet."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

FILES = Path(__file__).parent / "deployments"
ROWS = ("TD-INBOUND", "TD-TRANSFER-BLIND", "TD-TRANSFER-WARM", "TD-OUTBOUND-IVR", "PEOPLE")


@pytest.fixture
def customer(tree: Any) -> Path:
    for file in FILES.iterdir():
        shutil.copy(file, tree.path)
    path: Path = tree.path / "mueller.toml"
    return path


def verified(tree: Any, *arguments: str) -> tuple[int, dict[str, Any]]:
    code, output = tree.finished(tree.harness("verify", *arguments, "--reports", str(tree.path / "reports")))
    found = json.loads((tree.run_directory / "summary.json").read_text())
    assert found["planned"]["missing"] == found["planned"]["unplanned"] == [], output
    return code, found


def test_whatever_things_are_called(tree: Any, customer: Path) -> None:
    code, summary = verified(tree, str(customer), *(f"--row={row}" for row in ROWS))
    rows = {row: (counts["passed"], counts["cases"]) for row, counts in summary["rows"].items()}
    assert (code, rows) == (
        0,
        {
            "TD-INBOUND": (3, 3),
            "TD-TRANSFER-BLIND": (3, 3),
            "TD-TRANSFER-WARM": (1, 1),
            "TD-OUTBOUND-IVR": (1, 1),
            "PEOPLE": (1, 1),
        },
    )


def test_a_call_in_another_group_is_seen_where_groups_share_agents(tree: Any, customer: Path) -> None:
    code, summary = verified(tree, str(customer), "--row=TD-TRANSFER-BLIND", "--fault=group-wrong")
    assert (code, summary["passed"], summary["failed"]) == (1, 0, 3)


def test_what_is_not_there_is_said_and_may_be_required(tree: Any, customer: Path) -> None:
    code, summary = verified(tree, str(customer), "--row=PEOPLE", "--require=TD-SKILLS-MENU")
    assert code == 1, "a row that has to be run was not"
    assert summary["required_missing"] == ["Müller & Söhne: TD-SKILLS-MENU (no number is routed by a menu choice)"]
    why = {left["row"]: left["why"] for left in summary["left_out"]}
    assert why["TD-FALLBACK-DOWN"] == "no number's trunk leads to a host that does not answer"
    assert why["TD-INBOUND"] == "not asked for in this run"
