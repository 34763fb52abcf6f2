"""The mutation run: its mutants are those of the file, and one that no test notices is reported as a survivor."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import ROOT
from tools.mutation import run
from tools.mutation.mutants import Mutant, changed, difference, mutants
from tools.mutation.run import Outcome

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
    changes = [difference(SOURCE, changed(SOURCE, mutant.operator, mutant.occurrence)) for mutant in made]
    assert {before for before, _ in changes} == {"return self.most is None or not seconds > self.most"}
    assert {after for _, after in changes} == {
        "return self.most is not None or not seconds > self.most",
        "return self.most is None and not seconds > self.most",
        "return self.most is None or not seconds >= self.most",
        "return self.most is None or not seconds <= self.most",
        "return self.most is None or  seconds > self.most",
    }


def test_decorators_and_types_are_left_alone(made: list[Mutant]) -> None:
    assert {mutant.line for mutant in made} == {8}


def test_changed_lines_are_read_from_a_diff() -> None:
    diff = """diff --git a/harness/a.py b/harness/a.py
--- a/harness/a.py
+++ b/harness/a.py
@@ -3,0 +4,2 @@ def f():
+one
+two
@@ -9 +11 @@
-old
+new
@@ -20,2 +21,0 @@
-gone
-gone
diff --git a/harness/b.py b/harness/b.py
--- a/harness/b.py
+++ /dev/null
@@ -1 +0,0 @@
-gone
"""
    assert run.lines_of(diff) == {"harness/a.py": {4, 5, 11}}


def test_the_report_gives_each_survivor_its_reason(made: list[Mutant]) -> None:
    outcomes = [
        Outcome(made[0], "one", "killed"),
        Outcome(made[1], "one", "timeout"),
        Outcome(made[2], "two", "survived", "a", "b"),
    ]
    known = {(made[2].path, "a", "b"): "it is the same"}
    report = run.figures([*outcomes, Outcome(made[3], "two", "not reached")], known)
    assert (report["mutants"], report["killed"], report["accepted"], report["score"]) == (4, 2, 1, 2 / 3)
    assert report["rooms"] == {
        "one": {"mutants": 2, "killed": 2, "accepted": 0, "score": 1.0},
        "two": {"mutants": 2, "killed": 0, "accepted": 1, "score": 0.0},
    }
    assert [(found["how"], found["reason"]) for found in report["survivors"]] == [
        ("survived", "it is the same"),
        ("not reached", ""),
    ]


def test_every_accepted_survivor_is_one_of_the_code() -> None:
    """A reason whose lines have changed speaks of nothing any more."""
    texts = {path: (ROOT / path).read_text(encoding="utf-8").splitlines() for path, _, _ in run.reasons()}
    stripped = {path: " ".join(line.strip() for line in lines) for path, lines in texts.items()}
    assert [key for key in run.reasons() if key[1] not in stripped[key[0]]] == []
    assert all(run.reasons().values())
