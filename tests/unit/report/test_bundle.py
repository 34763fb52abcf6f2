"""What is handed on: masked, whole, and harmless in a spreadsheet."""

from __future__ import annotations

import csv
import zipfile
from pathlib import Path
from typing import Any

import pytest

from harness.errors import MistakeError
from harness.report import bundle
from harness.report.run_directory import case_directory, create, write_end
from tests.unit import conftest as runs
from tests.unit.report import samples


def test_all_cases_are_in_the_bundle_and_no_number_is(run: Any) -> None:
    write_end(run.directory, run.planned, samples.END)
    path = bundle.zipped(run.directory, "all")
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        content = {name: archive.read(name) for name in names}

    assert {"report.html", "README.txt"} <= set(names)
    assert sum(name.endswith("/case.json") for name in names) == 4
    assert sum(name.endswith("/capture.pcapng") for name in names) == 4
    for name, raw in content.items():
        for number in (b"3125550100", b"2065550110", b"3125550142"):
            assert number not in raw, name
        assert "55501" not in name


def test_a_case_that_is_not_there_or_not_one(run: Any) -> None:
    with pytest.raises(MistakeError, match="no case"):
        bundle.zipped(run.directory, "NOSUCH")
    with pytest.raises(MistakeError, match="more than one case"):
        bundle.zipped(run.directory, "TD-")


@pytest.mark.parametrize(
    ("lost", "more", "words"),
    [
        (("BUSY",), {}, "1 of 2 cases did not run"),
        (
            ("BUSY",),
            {"interrupted": "stopped by the user"},
            "Interrupted: stopped by the user; 1 of 2 cases passed",
        ),
        (
            (),
            {"options": {"require": ["TD-CAPACITY"]}},
            "Required, and not run: example: TD-CAPACITY",
        ),
    ],
)
def test_a_bundled_run_is_told_as_the_run_itself(
    tmp_path: Path, lost: tuple[str, ...], more: dict[str, Any], words: str
) -> None:
    """What its cases alone would say: all of them passed."""
    made = runs.make_run(tmp_path, rows=("HOLD", "BUSY"), lost=lost, **more)
    with zipfile.ZipFile(bundle.zipped(made.directory, "all")) as archive:
        page = archive.read("report.html").decode()
    headline = page.partition("<title>")[2].partition(" · ")[0]

    assert headline.startswith(words)
    assert all(case.id in page for case in made.cases if case.row.id in lost)


@pytest.mark.parametrize("cell", ["=1+1", "+1312", "-2", "@SUM(A1)", "\t=1", "\r=1"])
def test_no_cell_is_a_formula(tmp_path: Path, cell: str) -> None:
    directory = create(tmp_path)
    case = samples.case_of(title=cell)
    samples.passed(case_directory(directory, case), case)
    write_end(directory, [case], samples.END)
    with bundle.table(directory).open(encoding="utf-8-sig", newline="") as file:
        title = next(csv.DictReader(file))["title"]

    assert title.startswith("'")
