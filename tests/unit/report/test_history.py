"""What earlier runs found: kept by what they verified, never mixed."""

from __future__ import annotations

import dataclasses
import threading
from pathlib import Path

import pytest

from harness.case.verdict import Verdict
from harness.report import history
from harness.report.history import Result, Run, runs_of
from harness.report.run_directory import RunEvidence
from harness.report.standing import standings
from tests.unit import conftest as runs


def a_run(name: str, began: float = 1.0, verdict: str = "passed") -> Run:
    results = (Result("TD-INBOUND[x]", "talkdesk", "TD-INBOUND", Verdict(verdict), 1, 1.5),)
    return Run(
        name,
        began,
        "d",
        "local",
        "k",
        ("heavy-loss",),
        "",
        results,
        {"TD-INBOUND": {"answer_s": 0.5}},
    )


def test_many_at_once(tmp_path: Path) -> None:
    path = tmp_path / history.FILE
    threads = [
        threading.Thread(target=history.append, args=(path, [a_run(str(n))])) for n in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(history.read(path, most=50)) == 20


def test_a_changed_file_marks_the_run_and_leaves_the_history(tmp_path: Path) -> None:
    path = tmp_path / history.FILE
    files = [{"limits": {"calls": 5}}, {"limits": {"calls": 7}, "responsiveness": {"answer_s": 2}}]
    made = [dataclasses.replace(a_run(str(n), n), content=files[min(n, 1)]) for n in range(3)]
    for one in (
        *made,
        made[1],
    ):  # the verification puts a night's run down, and the night does so again
        history.append(path, [one])

    kept = {one.run: one.changed for one in history.read(path, key="k")}
    assert kept == {
        "0": (),
        "1": ("limits.calls: 5 → 7", "responsiveness.answer_s: absent → 2"),
        "2": (),
    }
    assert [one.run for one in history.before(path, made[2])[0]] == ["0", "1"]
    assert history.before(path, made[1])[1] == kept["1"]


@pytest.mark.parametrize(
    ("earlier", "now", "words"),
    [
        ("", "failed", ""),  # no history
        ("P", "failed", "new"),
        ("PFBF", "failed", "failing since 1"),
        ("PB", "failed", "new"),
        ("PBB", "broken", "broken since 1"),
        ("PF", "passed", "fixed"),
        ("PFP", "passed", "flaky (1 of 4)"),
        ("PBFBP", "passed", "flaky (1 of 4)"),
        ("PFP", "failed", "new, flaky (1 of 4)"),
        ("PP", "passed", ""),
    ],
)
def test_a_case_is_new_known_fixed_or_flaky(earlier: str, now: str, words: str) -> None:
    verdicts = {"P": "passed", "F": "failed", "B": "broken"}
    past = [
        a_run(str(number), number, verdict=verdicts[letter])
        for number, letter in enumerate(earlier)
    ]
    assert (
        standings(past, [a_run("now", 9.0, verdict=now)]).get(("local", "TD-INBOUND[x]"), "")
        == words
    )


def test_faults_or_another_site_make_another_history(tmp_path: Path) -> None:
    deployment = runs.live()
    changed = deployment.model_copy(
        update={"limits": deployment.limits.model_copy(update={"calls_per_run": 7})}
    )
    made = [
        runs.hold(tmp_path),
        runs.hold(tmp_path),
        runs.hold(tmp_path, options={"fault": ["heavy-loss"]}),
        runs.make_run(tmp_path, rows=("HOLD", "BUSY")),
        runs.hold(tmp_path, deployment=changed),
        runs.hold(tmp_path, deployment=deployment.model_copy(update={"site": "Berlin"})),
    ]
    keys = [runs_of(RunEvidence.read(run.directory))[0].key for run in made]

    assert keys[0] == keys[1] == keys[3] == keys[4]
    assert len(set(keys)) == 3
