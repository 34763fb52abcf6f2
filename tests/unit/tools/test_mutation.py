"""The mutation run: its mutants are those of the file, and one that no test notices is reported as
a survivor.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import ROOT
from tools.mutation import run
from tools.mutation.mutants import Mutant, changed, difference, mutants

SOURCE = """from dataclasses import dataclass

@dataclass(frozen=True)
class Limit:
    most: int | None = None

    def holds(self, seconds: float) -> bool:
        return self.most is None or not seconds > self.most
"""


@pytest.fixture
def made(tmp_path: Path) -> list[Mutant]:
    (tmp_path / "limit.py").write_text(SOURCE)
    return list(mutants(tmp_path, "limit.py"))


def test_comparisons_conditions_and_constants_are_changed(made: list[Mutant]) -> None:
    changes = [
        difference(SOURCE, changed(SOURCE, mutant.operator, mutant.occurrence)) for mutant in made
    ]
    assert {before for before, _ in changes} == {
        "return self.most is None or not seconds > self.most"
    }
    assert {after for _, after in changes} == {
        "return self.most is not None or not seconds > self.most",
        "return self.most is None and not seconds > self.most",
        "return self.most is None or not seconds >= self.most",
        "return self.most is None or not seconds <= self.most",
        "return self.most is None or  seconds > self.most",
    }


def test_decorators_and_types_are_left_alone(made: list[Mutant]) -> None:
    assert {mutant.line for mutant in made} == {8}


def test_every_accepted_survivor_is_one_of_the_code() -> None:
    """A reason whose lines have changed speaks of nothing any more."""
    texts = {
        path: (ROOT / path).read_text(encoding="utf-8").splitlines() for path, _, _ in run.reasons()
    }
    stripped = {path: " ".join(line.strip() for line in lines) for path, lines in texts.items()}
    assert [key for key in run.reasons() if key[1] not in stripped[key[0]]] == []
    assert all(run.reasons().values())
