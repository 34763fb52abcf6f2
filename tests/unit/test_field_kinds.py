"""Which values a field takes that is read back from JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pytest
from typing_extensions import TypedDict

from harness.support.field_kinds import require_kinds


class Table(TypedDict):
    key: str


@dataclass
class Plain:
    text: str
    figure: float
    count: int | None
    yes: bool
    word: Literal["a", "b"]
    several: tuple[str | None, ...]
    named: Mapping[str, int] | None
    how_many: Mapping[str, int]
    anything: Mapping[str, Any]
    table: Table


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"text": "x", "figure": 7, "count": None, "yes": True, "word": "c", "several": ["x", None], "named": None,
         "how_many": {"x": 1}},
        {"count": 1.0, "several": (), "anything": {"x": []}, "unknown": object()},
        {"figure": "310•••0142", "count": "310•••0142"},
        {"table": {"key": "x"}},
    ],
)  # fmt: skip
def test_of_its_kind(values: dict[str, object]) -> None:
    require_kinds(Plain, values)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("text", None), ("text", 7), ("figure", "7"), ("figure", None), ("count", []), ("yes", 1), ("yes", "310•••0142"), ("word", 1),
        ("several", "x"), ("several", {"x": 1}), ("several", [7]), ("named", []), ("how_many", None), ("how_many", {"x": "y"}),
        ("anything", []), ("table", []), ("table", "x"),
    ],
)  # fmt: skip
def test_of_another_kind(name: str, value: object) -> None:
    with pytest.raises(TypeError, match=name):
        require_kinds(Plain, {name: value})


@pytest.mark.parametrize("values", [None, 7, "x", ["text"]])
def test_no_fields(values: Any) -> None:
    with pytest.raises(TypeError):
        require_kinds(Plain, values)
