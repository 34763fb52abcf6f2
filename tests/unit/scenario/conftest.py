"""Cases with everything real but the phones and the far end: no process is started, and nobody is
called.
"""

from __future__ import annotations

import functools
import itertools
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from harness.case.checks.registry import registered
from harness.case.events import Expected, MachineAsked
from harness.case.log import DEPLOYMENT
from harness.case.recorder import CaseRecorder
from harness.case.verdict import Finding, Verdict
from harness.deployment import Deployment
from harness.deployment.limits import CallGate
from harness.integrations import load, matrix
from harness.integrations.matrix import Case, Selection
from harness.phone.pool import PhonePool
from harness.report.evidence import CaseEvidence
from harness.scenario import cast, expect  # noqa: F401  # all modules of the room are there to get the clock
from harness.scenario.context import CaseContext
from harness.scenario.context import Clock as CaseClock
from harness.scenario.evidence import Evidence
from harness.support.resources import EXAMPLES
from tests.unit.clock import Clock, SkippingClock

_FILE = EXAMPLES / "simulated-talkdesk.toml"

MakeContext = Callable[..., CaseContext]


def judged(expected: Expected) -> Finding:
    """The finding of an expectation, without excuses."""
    found = registered(expected.check).judged(expected.given)
    assert found is not None
    return found


def busy(evidence: Evidence, **kept: Callable[[float, float], float]) -> None:
    """Have this machine keep the case from something, between two moments."""

    def kept_from(began: float, ended: float) -> MachineAsked:
        values: dict[str, Any] = {name: amount(began, ended) for name, amount in kept.items()}
        return MachineAsked(at=ended, began=began, ended=ended, **values)

    evidence.kept_from = kept_from


def write_deployment(directory: Path, deployment: Deployment) -> None:
    groups = {name: {"agents": group.agents} for name, group in deployment.groups.items()}
    (directory / DEPLOYMENT).write_text(json.dumps({"groups": groups}))


def judged_again(recorder: CaseRecorder) -> None:
    """The log alone gives the findings that were made while the case ran."""
    evidence = CaseEvidence.read(recorder.directory)
    again = [one.finding or one.error for one in evidence.log.judged(evidence.case)]
    assert again == list(evidence.findings)


@functools.cache
def _deployment() -> Deployment:
    return load(_FILE)


@pytest.fixture
def gladly() -> Deployment:
    """The other simulated deployment, which has topics."""
    return load(_FILE.with_name("simulated-gladly.toml"))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The time of the room and of its findings: waits advance it, and nothing else does."""
    ticking = Clock()
    for name, module in list(sys.modules.items()):
        if name.startswith(("harness.scenario.", "harness.case.checks.")) and hasattr(
            module, "time"
        ):
            monkeypatch.setattr(module, "time", ticking)
    return ticking


@functools.cache
def _case(row: str, ai: str) -> Case:
    return matrix.cases([_deployment()], Selection(rows=(row,), ais=(ai,)))[0]


@pytest.fixture
def make_context(tmp_path: Path) -> Iterator[MakeContext]:
    """A case of the simulated deployment, with some of its parts changed."""
    number = itertools.count(1)
    with PhonePool(tmp_path / "phones") as pool, ExitStack() as files:

        def make(
            row: str = "TD-INBOUND",
            ai: str = "synthflow",
            api: Any = None,
            clock: CaseClock | None = None,
            **changes: Any,
        ) -> CaseContext:
            deployment = _deployment().model_copy(update=changes)
            recorder = CaseRecorder(tmp_path / f"case-{next(number)}", {"id": row})
            write_deployment(recorder.directory, deployment)
            files.callback(judged_again, recorder)
            files.callback(
                recorder.close, Verdict.PASSED, ""
            )  # it holds one open, and a drawn test makes many
            gate = CallGate(tmp_path / "gate", deployment.limits)
            timings, marks = deployment.timings_by("quick"), iter(range(200))
            return CaseContext(
                _case(row, ai),
                deployment,
                timings,
                recorder,
                pool,
                marks,
                api,
                gate,
                clock=clock or SkippingClock(),
            )

        yield make
