"""The CI runs: a part that fails does not stop the rest, and the table has its result and its
figures.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tools import ROOT
from tools.ci import nightly, submission
from tools.ci.nightly import Record
from tools.ci.parts import ALONE, Part, Runner


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    return Runner(tmp_path / "logs", tmp_path, say=lambda line: None)


def shell(
    name: str, script: str, lane: str = "one", limit_s: float = 300, report: str = ""
) -> Part:
    return Part(name, ("sh", "-c", script), lane, limit_s, report)


def test_a_part_that_fails_does_not_stop_the_rest(runner: Runner) -> None:
    parts = [
        shell("bad", "echo why; exit 3"),
        Part("absent", ("/no/such/program",), "one", 300),
        shell("good", "true"),
    ]
    outcomes = runner.run(parts)
    assert [(each.part.name, each.result, each.exit_code) for each in outcomes] == [
        ("bad", "failed", 3),
        ("absent", "failed", 127),
        ("good", "passed", 0),
    ]
    assert outcomes[0].closing() == ["why"]


def test_a_part_that_hangs_is_ended_with_all_its_processes(runner: Runner, tmp_path: Path) -> None:
    (hung,) = runner.run(
        [shell("hangs", f"sleep 600 & echo $! > {tmp_path}/pid; wait", limit_s=0.5)]
    )
    assert hung.result == "timed out"
    child = Path("/proc", (tmp_path / "pid").read_text().strip(), "cmdline")
    while child.exists() and b"sleep" in child.read_bytes():  # killed already, and about to end
        time.sleep(0.01)


def test_lanes_run_side_by_side_and_the_part_alone_comes_last(
    runner: Runner, tmp_path: Path
) -> None:
    def meet(mine: str, other: str) -> str:  # ends only when the other lane's part is running
        return f"touch {tmp_path}/{mine}; until [ -e {tmp_path}/{other} ]; do sleep 0.01; done"

    parts = [
        shell("alone", f"test -e {tmp_path}/third", lane=ALONE),
        shell("first", meet("a", "b"), lane="one"),
        shell("second", meet("b", "a"), lane="two"),
        shell("third", f"sleep 0.1; touch {tmp_path}/third", lane="two"),
    ]
    assert [each.result for each in runner.run(parts)] == ["passed"] * 4


def test_a_part_waits_for_one_of_another_lane(runner: Runner, tmp_path: Path) -> None:
    parts = [
        Part("second", ("test", "-e", f"{tmp_path}/made"), "one", 300, after="first"),
        shell("first", f"sleep 0.2; touch {tmp_path}/made", lane="two"),
        Part("third", ("true",), "one", 300, after="absent from this run"),
    ]
    assert [each.result for each in runner.run(parts)] == ["passed"] * 3


def test_figures_are_numbers_and_counts_of_this_run_alone(runner: Runner, tmp_path: Path) -> None:
    (tmp_path / "stale.json").write_text('{"calls": 7}')
    told = {
        "calls": 3,
        "score": 0.5,
        "ok": True,
        "broken": ["a", "b"],
        "seen": {"deep": 1},
        "seed": "x",
    }
    parts = [
        shell("fresh", f"echo '{json.dumps(told)}' > {tmp_path}/fresh.json", report="fresh.json"),
        shell("died", "exit 1", report="stale.json"),
    ]
    fresh, died = runner.run(parts)
    assert fresh.figures == {"calls": 3, "score": 0.5, "ok": 1, "broken": 2}
    assert died.figures == {}


def test_some_parts_replace_their_rows_in_the_table(runner: Runner, tmp_path: Path) -> None:
    table = tmp_path / "nightly.json"
    record = Record(table, ["one", "two"], [])
    for outcome in runner.run([shell("one", "exit 1"), shell("two", "true")]):
        record.add(outcome, 1.0)
    rows = json.loads(table.read_text())["parts"]
    (again,) = runner.run([shell("one", "true")])
    Record(table, ["one", "two"], rows).add(again, 2.0)
    rows = json.loads(table.read_text())["parts"]
    assert [(row["part"], row["result"], row["exit_code"]) for row in rows] == [
        ("one", "passed", 0),
        ("two", "passed", 0),
    ]


@pytest.mark.parametrize(
    "parts", [nightly.parts("20260101", None), submission.PARTS], ids=["night", "submission"]
)
def test_every_part_is_a_target_of_the_makefile_or_a_tool(parts: Sequence[Part]) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {part.command[2] for part in parts if part.command[0] == "make"} <= targets
    assert {part.command[0] for part in parts} <= {"make", ".venv/bin/python"}
    assert len({part.name for part in parts}) == len(parts)
    assert {part.after for part in parts} <= {"", *(part.name for part in parts)}
