"""Batches of drawn customers: verified beside each other, counted as they end."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tools.shapes import run
from tools.shapes.draw import Customer
from tools.shapes.places import Place
from tools.shapes.plan import Drawing
from tools.shapes.results import Results


@contextmanager
def nowhere(batch: Sequence[Customer], directory: Path, drawing: Drawing) -> Iterator[list[Place]]:
    yield []


def test_batches_run_beside_each_other_and_the_figures_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = threading.Barrier(2)

    def begin(self: run._Runs, places: Sequence[Place], directory: Path) -> Path:
        both.wait(20)  # breaks where one waits for the other's end
        return directory

    monkeypatch.setattr(run, "written", nowhere)
    monkeypatch.setattr(run._Runs, "_run", begin)
    figures = tmp_path / "reports" / "shapes.json"
    arguments = ["--customers", "4", "--batch", "2", "--beside", "2", "--seed", "3", "--json", str(figures)]
    assert run.main(arguments) == 0
    assert json.loads(figures.read_text())["verified"] == [0, 1, 2, 3]


def test_a_run_that_was_cut_off_is_gone_on_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[int] = []

    def begin(self: run._Runs, places: Sequence[Place], directory: Path) -> Path:
        if len(begun) == 3:
            raise OSError("cut off")
        return directory

    @contextmanager
    def noted(batch: Sequence[Customer], directory: Path, drawing: Drawing) -> Iterator[list[Place]]:
        begun.extend(customer.index for customer in batch)
        yield []

    monkeypatch.setattr(run, "written", noted)
    monkeypatch.setattr(run._Runs, "_run", begin)
    figures = tmp_path / "shapes.json"
    arguments = ["--customers", "5", "--batch", "1", "--beside", "1", "--json", str(figures)]
    with pytest.raises(OSError, match="cut off"):
        run.main([*arguments, "--seed", "3"])
    plain = json.loads(figures.read_text())
    assert plain["verified"] == [0, 1]
    figures.write_text(json.dumps(plain | {"customers": 2, "faults": 2, "named_first": 1, "wall_s": 50.0}))
    begun[:] = [0] * 4
    assert run.main([*arguments, "--from", "0"]) == 0, "of the same seed, without being told it again"
    assert begun[4:] == [2, 3, 4]
    after = json.loads(figures.read_text())
    assert (after["verified"], after["customers"], after["named_first"]) == ([0, 1, 2, 3, 4], 2, 1)
    assert after["wall_s"] >= 50.0
    with pytest.raises(SystemExit):
        run.main([*arguments, "--seed", "4", "--from", "0"])


def test_one_that_breaks_ends_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stopped: list[bool] = []

    def breaks(*_: Any) -> Path:
        raise OSError("no port is left")

    monkeypatch.setattr(run, "written", nowhere)
    monkeypatch.setattr(run._Runs, "_run", breaks)
    monkeypatch.setattr(run._Runs, "stop", lambda self: stopped.append(True))
    arguments = [
        "--customers",
        "2",
        "--batch",
        "1",
        "--beside",
        "1",
        "--seed",
        "3",
        "--json",
        str(tmp_path / "r" / "x.json"),
    ]
    with pytest.raises(OSError, match="no port is left"):
        run.main(arguments)
    assert stopped == [True]


def test_the_evidence_of_what_was_wrong_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def leave(self: run._Runs, places: Sequence[Place], directory: Path) -> Path:
        (directory / "case.json").write_text("{}")
        return directory

    def wrong_in_the_first(self: Results, ran: Path, deployments: object, indices: list[int]) -> None:
        if 0 in indices:
            self.said.append("false_alarms: TD-INBOUND")

    monkeypatch.setattr(run, "written", nowhere)
    monkeypatch.setattr(run._Runs, "_run", leave)
    monkeypatch.setattr(Results, "add", wrong_in_the_first)
    run.main(["--customers", "2", "--batch", "1", "--seed", "3", "--json", str(tmp_path / "shapes.json")])
    (kept,) = (tmp_path / "shapes-kept").iterdir()
    assert kept.name.endswith("batch-0")
    assert (kept / "case.json").is_file()
