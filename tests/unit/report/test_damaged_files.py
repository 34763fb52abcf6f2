"""The files of a run that are read back, of any shape: what can be made of them is made, or a line says that they cannot be read."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from harness.calls.events import FarEndReport
from harness.errors import MistakeError
from harness.report import signoff
from harness.report.bundle import table
from harness.report.evidence import CaseEvidence
from harness.report.history import runs_of
from harness.report.run import finish
from harness.report.run_directory import RunEnd, RunEvidence, case_directory, create
from harness.run.cli.explain import explain

#: What no program of ours writes there, and JSON can hold.
ODD: list[Any] = [None, 7, "x", [], ["x"], [[]], {"x": 1}]
DEEP = "[" * 100_000


def places(plain: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where something stands in JSON data; of a list its first entry."""
    yield at
    for name in plain if isinstance(plain, dict) else range(min(1, len(plain) if isinstance(plain, list) else 0)):
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


def undiagnosed(directory: Path) -> Path:
    """The case of that directory, its diagnosis left out: the samples' is none that can be explained."""
    plain = json.loads((directory / "case.json").read_text())
    plain["end"]["diagnosis"] = None
    (directory / "case.json").write_text(json.dumps(plain))
    return directory


def made_or_told(file: Path, make: Callable[[], object], text: str) -> bool:
    """Whether it is made of that file; else one line says that it cannot be."""
    file.write_text(text)
    try:
        make()
    except MistakeError as error:
        told = str(error)
    else:
        return True
    assert str(file if file.name != "case.json" else file.parent) in told
    assert len(told.splitlines()) == 1
    return False


@pytest.mark.parametrize("name", ["scope.json", "run.json"])
def test_of_what_a_run_was_asked_for_and_how_it_ended(tmp_path: Path, runs: ModuleType, name: str) -> None:
    run = runs.make_run(tmp_path, rows=("HOLD",)).directory
    whole = (run / name).read_text()
    plain = json.loads(whole)
    if name == "scope.json":
        (deployment,) = plain["deployments"]
        deployment["rows"] = [row for row in deployment["rows"] if row["row"] == "HOLD"]
        deployment["content"] = {"name": "a", "require": ["HOLD"], "leave_out": {"DTMF": "-"}}

    def views() -> None:
        signoff.make(run)
        runs_of(RunEvidence.read(run))

    told = [made_or_told(run / name, views, text) for text in odd(plain)]
    assert {True, False} == set(told)
    assert made_or_told(run / name, views, whole)


def test_of_a_diagnosis_that_is_explained(tmp_path: Path, samples: ModuleType) -> None:
    directory = samples.failed(tmp_path / "case")
    file = directory / "case.json"
    plain = json.loads(file.read_text())
    plain["end"]["diagnosis"] = {
        "headline": "a: b", "causes": [{
            "id": "a", "title": "b", "guide_issue": "c", "fix": "d", "link": "e", "owner": "f", "confidence": "likely",
            "evidence": ["g"], "separating_observation": "", "rule": "h", "because": "i", "candidate": False, "about": {"line": "j"},
        }],
        "ruled_out": [{"rule": "k", "cause": "l", "why": "m"}, {"rule": "n", "cause": "o", "why": "p"}],
        "nearest_facts": [], "facts": ["q"], "unexplained": [], "next_look": "",
    }  # fmt: skip
    assert made_or_told(file, lambda: explain(directory), json.dumps(plain))
    for text in odd(plain["end"]["diagnosis"]):
        diagnosis = json.loads(text) if text != DEEP else None
        whole = json.dumps({**plain, "end": {**plain["end"], "diagnosis": diagnosis}})
        made_or_told(file, lambda: explain(directory), whole)


def test_of_a_line_of_evidence(tmp_path: Path, samples: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is damaged, and every view is made of the others."""
    monkeypatch.setenv("PATH", "/nonexistent")
    run, case = create(tmp_path), samples.case_of()
    directory = undiagnosed(samples.failed(case_directory(run, case), case))
    lines = (directory / "events.jsonl").read_text().splitlines()
    kinds = [(kind, plain[kind].get("kind")) for plain in map(json.loads, lines) for kind in plain]
    finish(run, [case], RunEnd(workers=1, wall_s=1.0))
    damaged = set()
    for number in {kind: number for number, kind in enumerate(kinds) if kind[0] != "format"}.values():
        for text in odd(json.loads(lines[number])):
            (directory / "events.jsonl").write_text("\n".join([*lines[:number], text, *lines[number + 1 :]]))
            damaged.add(CaseEvidence.read(directory).damaged_lines)
            explain(directory)
            table(run)
    assert {0, 1} <= damaged


def test_a_figure_that_is_masked_is_no_damage(tmp_path: Path, samples: ModuleType) -> None:
    """One of ten digits is, where numbers are real: every RTCP report of a live run has such an SSRC."""
    ssrc = FarEndReport(
        at=1000.5, phone="a", sent=9, received=9, lost=0, fraction_lost=0.0, jitter_ms=1.0, names_us=True, reporter=3105550142
    )  # fmt: skip
    with samples.playing(tmp_path / "case", samples.case_of(mask=True)) as sample:
        sample.recorder.event(ssrc)
    read = CaseEvidence.read(tmp_path / "case")
    assert (read.damaged_lines, [type(event) for event in read.events]) == (0, [FarEndReport])
