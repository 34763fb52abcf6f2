"""What earlier runs found: kept by what they verified, never mixed."""

from __future__ import annotations

import threading
from pathlib import Path
from types import ModuleType

from harness.calls.verdict import Verdict
from harness.report import history
from harness.report.history import Result, Run, runs_of
from harness.report.run_directory import RunEvidence


def a_run(name: str, began: float = 1.0, key: str = "k", verdict: str = "passed") -> Run:
    results = (Result("TD-INBOUND[x]", "talkdesk", "TD-INBOUND", Verdict(verdict), 1, 1.5),)
    return Run(
        name, began, "d", "local", key, f"whole {key}", ("heavy-loss",), "", results, {"TD-INBOUND": {"answer_s": 0.5}}
    )


def test_many_at_once(tmp_path: Path) -> None:
    path = tmp_path / history.FILE
    threads = [threading.Thread(target=history.append, args=(path, [a_run(str(n))])) for n in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(history.read(path, most=50)) == 20


def test_faults_a_selection_or_another_file_make_another_key(tmp_path: Path, runs: ModuleType) -> None:
    deployment = runs.live()
    changed = deployment.model_copy(update={"limits": deployment.limits.model_copy(update={"calls_per_run": 7})})
    made = [
        runs.make_run(tmp_path, rows=("HOLD",)),
        runs.make_run(tmp_path, rows=("HOLD",)),
        runs.make_run(tmp_path, rows=("HOLD",), options={"fault": ["heavy-loss"]}),
        runs.make_run(tmp_path, rows=("HOLD", "BUSY")),
        runs.make_run(tmp_path, rows=("HOLD",), deployment=changed),
        runs.make_run(tmp_path, rows=("HOLD",), deployment=deployment.model_copy(update={"site": "Berlin"})),
    ]
    keys = [runs_of(RunEvidence.read(run.directory))[0].key for run in made]

    assert keys[0] == keys[1]
    assert len(set(keys)) == 5
