"""The matrix of a run: one model for every page and format."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from rich.console import Console

from harness.report import matrix
from harness.report.matrix import Table
from harness.report.run_directory import RunEvidence
from harness.report.scope import UNKNOWN
from tests.unit import conftest as runs


def result(
    row: str, verdict: str, deployment: str = "acme", **axes: str
) -> tuple[dict[str, Any], str]:
    return {"row": row, "title": f"Title of {row}", "deployment": deployment, "axes": axes}, verdict


def cells(table: Table, row: str) -> dict[str, str]:
    """The filled cells of a row, by column."""
    line = next(line for line in table.lines if line.row == row)
    return {
        table.label(column): str(cell)
        for column, cell in zip(table.headed, line.cells, strict=True)
        if cell
    }


UDP, TLS = (
    {"transport": "udp", "authentication": "ip"},
    {"transport": "tls", "authentication": "digest"},
)
RESULTS = [
    result("HOLD", "passed", **UDP, codec="pcmu", ai="stand-in"),
    result("HOLD", "failed", **UDP, codec="pcmu", ai="synthflow"),
    result("HOLD", "passed", **TLS, codec="pcma", ai="synthflow"),
    result("BUSY", matrix.NOT_RUN, **UDP, ai="synthflow"),
    result("BUSY", "passed", "beta", **UDP, ai="synthflow"),
]


def test_cells_count_the_cases_of_a_row_by_way_in_codec_and_ai() -> None:
    acme, beta = matrix.tables(UNKNOWN, RESULTS)
    assert cells(acme, "HOLD") == {
        "UDP · IP · PCMU · Synthflow": "1 failed",
        "UDP · IP · PCMU · stand-in": "1 passed",
        "TLS · digest · PCMA · Synthflow": "1 passed",
    }
    assert cells(acme, "BUSY") == {"UDP · IP · Synthflow": "1 not run"}
    assert [(line.title, line.verdict, line.passed) for line in acme.lines] == [
        ("Title of HOLD", "failed", "2/3"),
        ("Title of BUSY", "not run", "0/1"),
    ]
    assert str(acme.total) == "1 failed, 1 not run, 2 passed"
    assert beta.heading == "beta: UDP · IP · Synthflow"  # what does not vary is no column
    assert beta.headed == ()


def test_columns_are_divided_as_finely_as_there_is_room() -> None:
    for most, found in ((4, 4), (3, 3), (2, 2), (1, 0)):
        acme = matrix.tables(UNKNOWN, RESULTS, most)[0]
        assert len(acme.headed) == found, most
        assert acme.lines[0].passed == "2/3"
    assert cells(matrix.tables(UNKNOWN, RESULTS, 2)[0], "HOLD") == {
        "UDP · IP": "1 failed, 1 passed",
        "TLS · digest": "1 passed",
    }


def test_a_deployment_with_trunks_has_a_column_for_each() -> None:
    results = [
        result("HOLD", "passed", **UDP, trunk=trunk, ai="synthflow") for trunk in ("East", "West")
    ]
    assert [table.headed for table in matrix.tables(UNKNOWN, results)] == [(("East",), ("West",))]


def test_link_of_a_cell_names_its_row_deployment_and_values() -> None:
    acme = matrix.tables(UNKNOWN, RESULTS)[0]
    without_codec = next(column for column in acme.columns if "" in column)
    assert dict(parse_qsl(acme.link(acme.lines[1], without_codec))) == {
        "row": "BUSY",
        "deployment": "acme",
        **UDP,
        "codec": matrix.WITHOUT,
        "ai": "synthflow",
    }


@pytest.fixture
def small(tmp_path: Path) -> RunEvidence:
    made = runs.make_run(
        tmp_path, rows=("TD-INBOUND", "HOLD", "BUSY"), plays={"HOLD": runs.fails}, lost=("BUSY",)
    )
    return made.evidence


def in_terminal(tables: Sequence[Table]) -> str:
    console = Console(file=io.StringIO(), width=120)
    matrix.show(tables, console)
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize(
    "form", [in_terminal, matrix.markdown, lambda tables: matrix.svg(tables, "The matrix")]
)
def test_every_form_says_what_failed_what_was_not_run_and_why(
    small: RunEvidence, form: Any
) -> None:
    words = form(matrix.of_run(small))
    for said in (
        "An outside call reaches the AI",
        "TD-INBOUND",
        "1/1",
        "0/1",
        "1 failed, 1 not run, 1 passed",
    ):
        assert said in words, said
    assert "not asked for in this run" in words
    assert "takes long" in words
    assert "✕ 3 all 3 failed" in words
