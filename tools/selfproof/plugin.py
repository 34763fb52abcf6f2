"""A pytest plugin for the self-proof: the run's cases are trials, each in a world made wrong for it
alone.

The verdict and its diagnosis are made by the ordinary plugin. Here the world is switched, and the
same evidence is diagnosed once more with less to see.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from harness.case.recorder import CaseRecorder
from harness.case.verdict import Verdict
from harness.deployment import Deployment
from harness.diagnosis import Diagnosis, Visibility, diagnose
from harness.integrations.matrix import Case
from harness.run.plugin.run import Run, case_of
from tools.selfproof.plan import Trial, swept, trials
from tools.trials import made_wrong, take_the_cases, trial_of

#: What a trial leaves beside its evidence.
RESULT = "selfproof.json"
VISIBILITIES: tuple[Visibility, ...] = ("all", "caller+agents", "caller")

_LONG_S = 10.0


def pytest_addoption(parser: pytest.Parser) -> None:
    """How much is proved."""
    options = parser.getgroup("self-proof")
    options.addoption("--clean-cases", type=int, default=0, help="clean cases, at least")
    options.addoption("--only-fault", action="append", default=[], help="this fault alone")
    options.addoption("--only-trial", action="append", default=[], help="the trial of this id")
    options.addoption("--sweep", default="", help="each fault on each row, drawn by this seed")
    options.addoption("--sweep-row", action="append", default=[], help="this row alone")
    options.addoption("--sweep-most", type=int, default=0, help="so many of them, drawn as well")


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Replace the cases by trials."""
    option = session.config.getoption
    faults = option("only_fault")

    def planned(run: Run) -> list[Trial]:
        if seed := option("sweep"):
            most, rows = option("sweep_most"), option("sweep_row")
            return swept(run.deployments, seed, most, faults, rows)
        return trials(run.deployments, option("clean_cases"), faults)

    take_the_cases(session, planned, option("only_trial"))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first, and the rest well mixed: many cases of one kind at once would be a load
    test of the world.
    """
    items.sort(key=lambda item: (not _is_long(item), hashlib.sha256(item.nodeid.encode()).digest()))


def _is_long(item: pytest.Item) -> bool:
    case = case_of(item)
    return case is not None and case.row.seconds > _LONG_S


@pytest.fixture(autouse=True)
def _made_wrong(
    request: pytest.FixtureRequest,
    run: Run,
    case: Case,
    replica: Deployment,
    recorder: CaseRecorder,
) -> Iterator[None]:
    trial: Trial = trial_of(request, case)
    acted: list[str] = []
    try:
        with made_wrong(run, case.deployment, replica, trial.faults) as acted:
            yield
    finally:
        _write(recorder, trial, replica, acted)


def _write(recorder: CaseRecorder, trial: Trial, replica: Deployment, acted: Sequence[str]) -> None:
    findings = recorder.outcome.findings
    events = recorder.events
    failed = recorder.outcome.conclusion.verdict is Verdict.FAILED
    told = {
        visibility: _plain(
            diagnose(trial.case.plain(), findings, events, replica, visibility=visibility)
        )
        for visibility in VISIBILITIES
        if failed or visibility == "all"
    }
    checks = sorted({finding.check for finding in findings if finding.verdict is Verdict.FAILED})
    result = {
        "kind": trial.kind,
        "faults": list(trial.faults),
        "acted": list(acted),
        "failed": checks,
        "told": told,
    }
    (recorder.directory / RESULT).write_text(json.dumps(result), encoding="utf-8")


def _plain(diagnosis: Diagnosis) -> dict[str, Any]:
    return {
        "causes": [cause.id for cause in diagnosis.causes],
        "candidates": [cause.id for cause in diagnosis.candidates],
        "certain": [cause.id for cause in diagnosis.causes if cause.confidence == "certain"],
        "unexplained": list(diagnosis.unexplained),
    }
