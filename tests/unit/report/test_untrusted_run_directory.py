"""Runs' directories that came from somebody else."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.errors import MistakeError
from harness.report.evidence import CaseEvidence
from harness.report.run_directory import ALLURE, RunEnd, case_directory, create, read_end, write_end
from tests.unit.report import samples

MINE = "nobody's but mine"


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """A file of the reader's own."""
    path = tmp_path / "mine.txt"
    path.write_text(MINE, encoding="utf-8")
    return path


@pytest.fixture
def received(tmp_path: Path) -> Path:
    """A run of one case, as it came."""
    directory = create(tmp_path / "received")
    case = samples.case_of()
    samples.passed(case_directory(directory, case), case)
    write_end(directory, [case], samples.END)
    return directory


def a_case(run: Path) -> Path:
    (case,) = (run / "cases").iterdir()
    return case


def a_view_that_is_a_link(run: Path, mine: Path) -> None:
    (run / "report.html").symlink_to(mine)


def evidence_that_is_a_link(run: Path, mine: Path) -> None:
    (a_case(run) / "attached.bin").symlink_to(mine)


def a_picture_that_is_a_link_to_what_is_not_there(run: Path, mine: Path) -> None:
    (a_case(run) / "caller.1.received.png").symlink_to(mine.with_name("new.txt"))


def a_case_that_is_a_link(run: Path, mine: Path) -> None:
    a_case(run).rename(mine.with_name("elsewhere"))
    (run / "cases" / "one").symlink_to(mine.with_name("elsewhere"))


def a_pipe(run: Path, mine: Path) -> None:
    (a_case(run) / "events.jsonl").unlink()
    os.mkfifo(a_case(run) / "events.jsonl")


@pytest.mark.parametrize("command", ["report", "explain"])
def test_directories_nested_without_end_are_refused_in_one_line(
    received: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """They ended in a traceback. Their paths are nearly as long as Linux allows."""
    monkeypatch.chdir(tmp_path)
    deep = a_case(received)
    with contextlib.chdir(deep):
        for _ in range(1900):
            os.mkdir("d")
            os.chdir("d")
    try:
        ended = samples.command(command, received)
    finally:
        subprocess.run(
            ["/bin/rm", "-rf", str(deep)], check=True
        )  # pytest's own removal would recurse as well
    assert isinstance(ended.exception, MistakeError)
    assert str(ended.exception).endswith("more than 32 levels deep; allowed: as the run wrote it")


@pytest.mark.parametrize(
    "command",
    [
        ("report", "--zip", "all"),
        ("report", "--complete"),
        ("explain",),
        ("signoff",),
        ("compare", "."),
    ],
)
@pytest.mark.parametrize(
    "planted",
    [
        a_view_that_is_a_link,
        evidence_that_is_a_link,
        a_picture_that_is_a_link_to_what_is_not_there,
        a_case_that_is_a_link,
        a_pipe,
    ],
)
def test_what_is_neither_file_nor_directory_is_refused(
    received: Path, mine: Path, planted: Callable[[Path, Path], None], command: tuple[str, ...]
) -> None:
    planted(received, mine)
    there = set(received.rglob("*"))
    name, *options = command
    more = [received if word == "." else word for word in options]
    result = samples.command(name, received, *more)
    assert "allowed in the directory of a run: files and directories" in str(
        result.exception or result.output
    )
    assert mine.read_text(encoding="utf-8") == MINE
    assert not mine.with_name("new.txt").exists()
    assert set(received.rglob("*")) == there


@pytest.mark.parametrize("absolute", [True, False])
def test_evidence_names_no_file_outside_of_its_case(
    received: Path, mine: Path, absolute: bool
) -> None:
    case = a_case(received)
    name = str(mine) if absolute else os.path.relpath(mine, case)
    lines: list[dict[str, Any]] = [
        {"attachment": {"at": 1.0, "name": "log", "path": name, "mime": "text/plain"}},
        {
            "event": {
                "kind": "Recorded",
                "at": 1.0,
                "phone": "x",
                "leg": "x.1",
                "path": name,
                "sent_path": name,
            }
        },
    ]
    with (case / "events.jsonl").open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)
    evidence = CaseEvidence.read(case)
    assert [one.path for one in evidence.attachments if one.path == mine] == []
    assert [one for one in evidence.recordings if one.leg == "x.1"] == []
    assert evidence.damaged_lines == 1, "the attachment"


def test_allures_results_go_nowhere_else(received: Path, mine: Path) -> None:
    """Unless pytest's ``--alluredir`` had put them there."""
    elsewhere = mine.with_name("elsewhere")
    elsewhere.mkdir()
    write_end(received, [], RunEnd(workers=1, wall_s=9.0, allure_results=elsewhere))
    known = read_end(received)
    assert known is not None
    assert known[1].allure_results == received / ALLURE
