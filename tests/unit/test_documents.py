"""What the documents on security and reliability promise is tested: each test they name exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
_TEST = re.compile(r"`(tests/[\w/]+\.py)(?:::(\w+))?`")


@pytest.mark.parametrize("page", ["security.md", "reliability.md"])
def test_each_test_that_a_page_names_exists(page: str) -> None:
    named = _TEST.findall((ROOT / "docs" / page).read_text(encoding="utf-8"))
    assert len(named) > 10
    missing = [
        f"{file}::{name}"
        for file, name in named
        if not (ROOT / file).is_file() or (name and f"def {name}(" not in (ROOT / file).read_text(encoding="utf-8"))
    ]
    assert missing == []


@pytest.mark.parametrize("page", ["security.md", "reliability.md"])
def test_each_row_of_a_promise_names_a_test(page: str) -> None:
    rows = [line for line in (ROOT / "docs" / page).read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    promised, headed = [], ""
    for line in rows:
        headed = line if line.endswith("test |") else "" if line == "| worth protecting | from |" else headed
        if headed and line != headed:
            promised.append(line)
    assert len(promised) > 10
    assert [line for line in promised if not _TEST.search(line)] == []
