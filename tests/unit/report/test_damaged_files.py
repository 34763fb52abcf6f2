"""The files of a run that are read back, of any shape: views are made of what can be read, or one
line says what cannot.
"""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.case.events import FarEndReport
from harness.errors import MistakeError
from harness.report import signoff
from harness.report.bundle import table
from harness.report.evidence import CaseEvidence
from harness.report.history import runs_of
from harness.report.run import finish
from harness.report.run_directory import RunEnd, RunEvidence, case_directory, create
from harness.run.cli.explain import explain
from tests.unit import conftest as runs
from tests.unit.report import samples

DEEP = "[" * 100_000
#: What the harness never writes there, and JSON can hold: in any place, and in the fields of a case
#: and of a far end's record.
ODD: list[Any] = [None, 7, "x", [], ["x"], [[]], {"x": 1}]
ODD_FIELDS: list[Any] = [
    None, True, -1, 7, 1.5, 1e15, 1e300, -1e300, float("nan"), float("inf"), 10**400, "", "x", "x" * 70_000, [], ["x"], {},
]  # fmt: skip


def nightly(*keys: str) -> list[Any]:
    """Fields that are tried every night alone: each takes dozens of reports."""
    return [pytest.param(key, marks=pytest.mark.nightly) for key in keys]


def places(plain: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where something stands in JSON data; of a list its first entry."""
    yield at
    for name in (
        plain
        if isinstance(plain, dict)
        else range(min(1, len(plain) if isinstance(plain, list) else 0))
    ):
        yield from places(plain[name], (*at, name))


def odd(plain: Any) -> Iterator[str]:
    """Each text that has something else in one place."""
    yield DEEP
    for at in places(plain):
        for value in ODD:
            changed = {"": copy.deepcopy(plain)}
            within: Any = changed
            for name in ("", *at)[:-1]:
                within = within[name]
            within[("", *at)[-1]] = value
            yield json.dumps(changed[""])


@pytest.mark.parametrize(
    "name", ["scope.json", pytest.param("run.json", marks=pytest.mark.nightly)]
)
def test_a_damaged_scope_or_end_is_read_or_named_in_a_line(tmp_path: Path, name: str) -> None:
    run = runs.hold(tmp_path).directory
    whole = (run / name).read_text()
    plain = json.loads(whole)
    if name == "scope.json":
        (deployment,) = plain["deployments"]
        deployment["rows"] = [row for row in deployment["rows"] if row["row"] == "HOLD"]
        deployment["content"] = {"name": "a", "require": ["HOLD"], "leave_out": {"DTMF": "-"}}

    def is_read(text: str) -> bool:
        (run / name).write_text(text)
        try:
            signoff.make(run)
            runs_of(RunEvidence.read(run))
        except MistakeError as error:
            told = str(error)
        else:
            return True
        assert str(run / name) in told
        assert len(told.splitlines()) == 1
        return False

    assert set(map(is_read, odd(plain))) == {True, False}
    assert is_read(whole)


@pytest.mark.nightly
def test_a_damaged_line_of_evidence_leaves_the_others(tmp_path: Path) -> None:
    run, case = create(tmp_path), samples.case_of()
    directory = samples.failed(case_directory(run, case), case)
    plain = json.loads((directory / "case.json").read_text())
    plain["end"]["diagnosis"] = None  # the sample's cannot be explained
    (directory / "case.json").write_text(json.dumps(plain))
    lines = (directory / "events.jsonl").read_text().splitlines()
    kinds = [(kind, plain[kind].get("kind")) for plain in map(json.loads, lines) for kind in plain]
    finish(run, [case], samples.END)
    damaged = set()
    for number in {
        kind: number for number, kind in enumerate(kinds) if kind[0] != "format"
    }.values():
        for text in odd(json.loads(lines[number])):
            (directory / "events.jsonl").write_text(
                "\n".join([*lines[:number], text, *lines[number + 1 :]])
            )
            damaged.add(CaseEvidence.read(directory).damaged_lines)
            explain(directory)
            table(run)
    assert {0, 1} <= damaged


def test_a_figure_that_is_masked_is_no_damage(tmp_path: Path) -> None:
    """A number of ten digits is masked where numbers are real: every RTCP report of a live run has
    such an SSRC.
    """
    ssrc = FarEndReport(
        at=1000.5, phone="a", sent=9, received=9, lost=0, fraction_lost=0.0, jitter_ms=1.0, names_us=True, reporter=3105550142
    )  # fmt: skip
    with samples.playing(tmp_path / "case", samples.case_of(mask=True)) as sample:
        sample.recorder.event(ssrc)
    read = CaseEvidence.read(tmp_path / "case")
    assert (read.damaged_lines, [type(event) for event in read.events]) == (0, [FarEndReport])


@pytest.mark.parametrize(
    "case",
    [DEEP, "[]", "7", "", '{"end": 7}', '{"end": {"verdict": "passed"}}', '{"began": "now"}', '{"id": 7}',
     '{"end": {"verdict": "fine", "message": "", "diagnosis": null, "at": 1, "scripted_s": 0}}',
     '{"end": {"verdict": "passed", "message": "", "diagnosis": null, "at": NaN, "scripted_s": 0}}'],
)  # fmt: skip
def test_a_case_of_another_shape_is_refused(tmp_path: Path, case: str) -> None:
    (tmp_path / "case.json").write_text(case)
    with pytest.raises(MistakeError, match="not a case's evidence"):
        CaseEvidence.read(tmp_path)


def reported(directory: Path, case: dict[str, Any]) -> None:
    """The reports are made, or the case's evidence is refused."""
    end = RunEnd(workers=1, wall_s=1.0, allure_results=directory / "allure-results")
    with contextlib.suppress(MistakeError):
        assert finish(directory, [case], end).summary.cases == 1


@pytest.mark.parametrize(
    "key",
    ["began", "attempt", "hosts", "axes",
     *nightly("began_wall", "run", "site", "deployment", "integration", "voices", "link", "source")],
)  # fmt: skip
def test_a_case_whose_own_data_are_of_any_kind_is_reported(tmp_path: Path, key: str) -> None:
    for value in ODD_FIELDS:
        run, case = create(tmp_path), samples.case_of()
        written = samples.failed(case_directory(run, case)) / "case.json"
        plain = json.loads(written.read_text())
        written.write_text(json.dumps({**plain, **case, key: value}))
        reported(run, {**case, **json.loads(written.read_text())})


@pytest.mark.parametrize(
    "key", ["at", "text", *nightly("local", "remote", "transport", "direction")]
)
def test_a_case_whose_far_end_says_anything_of_a_message_is_reported(
    tmp_path: Path, key: str
) -> None:
    """Synthflow's API may say anything: times in milliseconds, a text that never crossed a wire."""
    times = ["9999-12-31T23:59:59", "2026-11-20T08:03:00+14:00", 1.8e12]
    for value in [*ODD_FIELDS, *times, "\ud800", "[::1]:5060", "127.0.0.1:99999"]:
        run, case = create(tmp_path), samples.case_of()
        written = samples.failed(case_directory(run, case), case) / "events.jsonl"
        lines = [json.loads(line) for line in written.read_text().splitlines()]
        (record,) = (
            line["event"]["record"]
            for line in lines
            if line.get("event", {}).get("kind") == "FarEndRecord"
        )
        record["witness"]["messages"][0][key] = value
        record["witness"]["marks"] = [
            {"mark": 12, "at": value, "until": value, "level_dbov": value},
            {"mark": value},
            value,
        ]
        written.write_text("".join(json.dumps(line) + "\n" for line in lines))
        reported(run, case)
