"""Runs that are not perfect are counted, whatever they lack."""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
import threading
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest

from tools import ROOT, flakes
from tools.flakes import busy, count, main, revision, watched

PERFECT = {"cases": 9, "passed": 9, "failed": 0, "not_observable": 0, "broken": 0}


def test_a_perfect_run_is_no_flake() -> None:
    assert count(PERFECT) == {"runs": 1, "flakes": 0} | PERFECT


@pytest.mark.parametrize(
    "run",
    [
        None,
        PERFECT | {"passed": 8, "failed": 1},
        PERFECT | {"passed": 8, "broken": 1},
        PERFECT | {"passed": 8, "not_observable": 1},
        {"cases": 9, "passed": 8, "failed": 0, "skipped": 1},
        dict.fromkeys(PERFECT, 0),
    ],
)
def test_any_other_is_one(run: dict[str, int] | None) -> None:
    assert count(run)["flakes"] == 1


SUITE = {"cases": 2, "passed": 2, "failed": 0, "skipped": 0}


def figures(reports: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((reports / "flakes.json").read_text())
    return found


def test_figures_are_there_after_each_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def suite(directory: Path) -> dict[str, int]:
        seen.append(figures(tmp_path)["load_0_suite"]["runs"] if (tmp_path / "flakes.json").exists() else 0)
        (directory / "run.log").write_text("as it went")
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(str(directory / "socket"))
        return SUITE | ({"passed": 1, "failed": 1} if len(seen) == 2 else {})

    monkeypatch.setattr(flakes, "_suite", suite)
    monkeypatch.setattr(flakes, "revision", lambda: "abc")
    monkeypatch.setattr(os, "getloadavg", lambda: (6.2, 0.0, 0.0))
    asked = ["--reports", str(tmp_path), "--runs", "0", "--suites", "3", "--load", "0"]
    assert main(asked) == 1
    assert seen == [0, 1, 2]
    found = figures(tmp_path)
    assert found["load_0_suite"].pop("seconds") >= 0
    assert found["load_0_suite"].pop("load_average") == 6.2, "whatever the load is called"
    counted = {"runs": 3, "flakes": 1, "cases": 6, "passed": 5, "failed": 1, "skipped": 0}
    assert found == {"load_0_suite": counted | {"revisions": {"abc": 3}}}
    assert [str(kept.relative_to(tmp_path)) for kept in tmp_path.glob("flakes/**/*") if kept.is_file()] == [
        "flakes/load_0_suite/1/run.log"
    ]


def test_a_sitting_goes_on_with_what_earlier_ones_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each run under its own revision; a flake of any sitting stays one, with what it left."""
    revisions = iter(["a", "a", "a", "b", "b", "b", "b", "b", "c", "c"])
    monkeypatch.setattr(flakes, "revision", lambda: next(revisions))
    monkeypatch.setattr(flakes, "_suite", lambda directory: None)
    asked = ["--reports", str(tmp_path), "--runs", "0", "--load", "0", "--suites"]
    assert main([*asked, "2"]) == 1
    monkeypatch.setattr(flakes, "_suite", lambda directory: SUITE)
    assert main([*asked, "2", "--add"]) == 1
    found = figures(tmp_path)["load_0_suite"]
    assert (found["runs"], found["flakes"], found["cases"]) == (4, 2, 4)
    assert found["revisions"] == {"a": 1, "a..b": 1, "b": 2}, "it changed while the second was under way"
    assert {path.name for path in (tmp_path / "flakes" / "load_0_suite").iterdir()} == {"0", "1"}
    assert main([*asked, "1"]) == 0, "one that adds nothing begins anew"
    assert figures(tmp_path)["load_0_suite"]["revisions"] == {"c": 1}
    assert not (tmp_path / "flakes").exists()


def test_figures_of_another_load_stay_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flakes, "_suite", lambda directory: SUITE)
    asked = ["--reports", str(tmp_path), "--runs", "0", "--suites", "1", "--add"]
    assert main([*asked, "--load", "0"]) == 0
    earlier = figures(tmp_path)
    assert main([*asked, "--load", "1"]) == 0
    assert {name: found["runs"] for name, found in figures(tmp_path).items()} == {"load_0_suite": 1, "load_1_suite": 1}
    assert figures(tmp_path)["load_0_suite"] == earlier["load_0_suite"]


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"load_0_suite_runs": 2}', '{"load_0_suite": {"runs": 2, "revisions": {}}}']
)
def test_what_cannot_be_gone_on_with_is_said(tmp_path: Path, text: str) -> None:
    (tmp_path / "flakes.json").write_text(text)
    with pytest.raises(SystemExit, match=r"flakes.json: not what --add could go on with; allowed: "):
        main(["--reports", str(tmp_path), "--runs", "0", "--suites", "1", "--add"])
    assert (tmp_path / "flakes.json").read_text() == text


def test_suites_that_run_together_are_a_load_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    together = threading.Barrier(3, timeout=60)
    places = []

    def suite(directory: Path) -> dict[str, int]:
        places.append(directory)
        together.wait()
        return SUITE

    monkeypatch.setattr(flakes, "_suite", suite)
    assert main(["--reports", str(tmp_path), "--suites", "4", "--together", "3"]) == 0
    (name,) = found = figures(tmp_path)
    assert (name, found[name]["runs"], found[name]["cases"]) == ("together_3_suite", 6, 12), "in whole rounds"
    assert len(set(places)) == 6


def test_the_revision_is_that_of_the_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flakes, "ROOT", tmp_path)
    assert revision() == "unknown"
    git = ["git", "-C", str(tmp_path), "-c", "user.name=x", "-c", "user.email=x@example.com"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "x"], check=True)
    head = subprocess.run([*git, "rev-parse", "--short", "HEAD"], check=True, capture_output=True, text=True).stdout
    assert revision() == head.strip()
    (tmp_path / "new.py").touch()
    assert revision() == f"{head.strip()} and changes"


def test_the_load_is_the_mean_over_all_the_time_of_all_sittings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def suites(load: float, seconds: float) -> None:
        monkeypatch.setattr(flakes, "_again", lambda *of: iter([([SUITE], "abc", seconds, load)]))
        assert main(["--reports", str(tmp_path), "--runs", "0", "--suites", "1", "--load", "0", "--add"]) == 0

    suites(6.0, 300.0)
    suites(10.0, 100.0)
    assert figures(tmp_path)["load_0_suite"]["load_average"] == 7.0


def test_the_load_is_looked_at_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    loads, looked = iter([1.0, 3.0]), threading.Event()

    def load() -> tuple[float, float, float]:
        if (now := next(loads, None)) is None:
            looked.set()
        return (now or 2.0, 0.0, 0.0)

    monkeypatch.setattr(os, "getloadavg", load)
    monkeypatch.setattr(flakes, "_LOOKED_EVERY_S", 0.0)
    with watched() as mean:
        assert looked.wait(60)
        assert mean() == 2.0


def test_no_run_is_no_success(tmp_path: Path) -> None:
    assert main(["--reports", str(tmp_path), "--runs", "0", "--suites", "0"]) == 1


def test_the_machine_is_busy_for_as_long_as_asked() -> None:
    with busy(2) as processes:
        assert [process.poll() for process in processes] == [None, None]
    assert all(process.poll() is not None for process in processes)


def test_what_kept_the_machine_busy_ends_with_whoever_asked_for_it() -> None:
    said = "from tools.flakes import busy\nwith busy(1) as found: print(found[0].pid, flush=True); input()"
    asking = subprocess.Popen([sys.executable, "-c", said], stdin=PIPE, stdout=PIPE, text=True, cwd=ROOT)
    assert asking.stdout is not None
    process = os.pidfd_open(int(asking.stdout.readline()))
    asking.kill()
    asking.communicate()
    assert select.select([process], [], [], 10.0)[0], "it is still there"
    os.close(process)
