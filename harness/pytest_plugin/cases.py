"""``@row``-marked tests become cases: one for each cell of the row, with a deployment leased to it and evidence kept."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from harness.errors import HarnessError
from harness.limits import CallGate, Lease, lease
from harness.matrix import Case
from harness.pytest_plugin.parallel import WATCH
from harness.pytest_plugin.run import Run, run_of
from harness.report.recorder import CaseRecorder
from harness.verdict import Finding, NotObservableError, Verdict, overall

if TYPE_CHECKING:
    from harness.deployment import Deployment

#: Above what a case may take by itself before pytest-timeout ends it, in seconds.
_LAST_RESORT_S = 60.0


def row(*ids: str) -> pytest.MarkDecorator:
    """Mark a test as the scenario of these rows of the matrix."""
    return pytest.mark.row(*ids)


class _Recorder(CaseRecorder):
    """Remembers its findings: the verdict is made of them."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.findings: list[Finding] = []

    def finding(self, finding: Finding) -> None:
        self.findings.append(finding)
        super().finding(finding)


@dataclass
class _Underway:
    """What is known of a case while it runs."""

    case: Case
    replica: Deployment
    recorder: _Recorder | None = None
    verdicts: list[tuple[Verdict, str]] = field(default_factory=list)  #: what went wrong, with its message


_UNDERWAY = pytest.StashKey[_Underway]()


def case_of(item: pytest.Item) -> Case | None:
    """The case an item runs; None when it is an ordinary test."""
    callspec = getattr(item, "callspec", None)
    case = callspec.params.get("case") if callspec else None
    return case if isinstance(case, Case) else None


def case_id(nodeid: str) -> str:
    """The case's id within a pytest node id."""
    return nodeid.partition("[")[2].removesuffix("]") or nodeid


# Collection


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line("markers", "row(id, …): the scenario of these rows of the verification matrix")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Multiply a row's test by the row's cases."""
    marker = metafunc.definition.get_closest_marker("row")
    if marker is None:
        return
    run = run_of(metafunc.config)
    cases = [case for case in run.cases if case.row.id in marker.args] if run else []
    if "case" not in metafunc.fixturenames:
        metafunc.fixturenames.append("case")
    metafunc.parametrize("case", cases, ids=[case.id for case in cases], indirect=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out tests without a cell; the longest cases come first, or the last one to end would be waited for alone."""
    run = run_of(config)
    rowed = [item for item in items if item.get_closest_marker("row")]
    if run is None:
        if rowed:
            raise pytest.UsageError(
                "scenarios need a deployment; allowed: --deployment FILE (see scenarios/deployments)"
            )
        return
    empty = [item for item in rowed if case_of(item) is None]
    if empty:
        config.hook.pytest_deselected(items=empty)
    left = [item for item in items if item not in empty]
    items[:] = sorted(left, key=lambda item: -_seconds(item))
    for item in items:
        if found := case_of(item):
            longest = max(run.deployment(found.deployment).limits.seconds_per_call, found.row.seconds)
            item.add_marker(pytest.mark.timeout(longest + _LAST_RESORT_S, method="signal"))


def _seconds(item: pytest.Item) -> float:
    found = case_of(item)
    return found.row.seconds if found else 0.0


# Running


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    """Lease the case a deployment for itself; waiting for one is outside of every time limit of the case."""
    run, case = run_of(item.config), case_of(item)
    if run is None or case is None:
        return (yield)
    with _lease(run, case) as held:
        item.stash[_UNDERWAY] = _Underway(case, run.replicas[case.deployment][held.index])
        return (yield)


def _lease(run: Run, case: Case) -> Lease:
    replicas = range(len(run.replicas[case.deployment]))
    return lease([run.control / f"replica-{case.deployment}-{index}" for index in replicas])


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None]:
    """Begin the evidence."""
    underway, run = item.stash.get(_UNDERWAY, None), run_of(item.config)
    if underway is None or run is None:
        return (yield)
    directory = run.cases_directory / re.sub(r"[^\w.-]+", "-", underway.case.id).strip("-")
    underway.recorder = _Recorder(directory, underway.case.plain())
    with item.config.stash[WATCH].waiting_on(underway.case.deployment):
        return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """Run the case, for as long as its world lives."""
    underway = item.stash.get(_UNDERWAY, None)
    if underway is None:
        return (yield)
    with item.config.stash[WATCH].waiting_on(underway.case.deployment):
        return (yield)


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn what was raised and found into a verdict, and end the evidence after the last phase."""
    report = yield
    underway = item.stash.get(_UNDERWAY, None)
    if underway is None:
        return report
    if call.excinfo is not None:
        underway.verdicts.append(_judge(call.excinfo.value))
        if report.outcome == "skipped":  # a cell that means nothing is left out of the matrix, never skipped
            _fail(report, f"skipped: {call.excinfo.value}")
    elif call.when == "call" and underway.recorder:
        verdict = overall(underway.recorder.findings)
        if verdict is not Verdict.PASSED:
            message = _message_of(underway.recorder.findings, verdict)
            underway.verdicts.append((verdict, message))
            _fail(report, message)
    if call.when == "teardown":
        _close(underway, report)
    return report


def _judge(error: BaseException) -> tuple[Verdict, str]:
    match error:
        case NotObservableError():
            return Verdict.NOT_OBSERVABLE, str(error)
        case AssertionError():
            return Verdict.FAILED, str(error) or "an assertion failed"
        case HarnessError():
            return Verdict.BROKEN, str(error)
        case _:
            return Verdict.BROKEN, f"{type(error).__name__}: {error}"


def _message_of(findings: list[Finding], verdict: Verdict) -> str:
    return next((str(finding) for finding in findings if finding.verdict is verdict), "the case looked at nothing")


def _fail(report: pytest.TestReport, message: str) -> None:
    report.outcome = "failed"
    report.longrepr = message


def _close(underway: _Underway, report: pytest.TestReport) -> None:
    verdict, message = Verdict.PASSED, ""
    for candidate in (Verdict.BROKEN, Verdict.FAILED, Verdict.NOT_OBSERVABLE):
        if found := [text for kind, text in underway.verdicts if kind is candidate]:
            verdict, message = candidate, found[0]
            break
    if underway.recorder is not None:
        try:
            underway.recorder.close(verdict, message)
        except HarnessError as error:
            verdict, message = Verdict.BROKEN, str(error)
            _fail(report, message)
    report.user_properties += [
        ("row", underway.case.row.id),
        ("case", underway.case.id),
        ("verdict", str(verdict)),
        ("message", message),
    ]


# Fixtures that the scenarios' own are built on


@pytest.fixture
def case(request: pytest.FixtureRequest) -> Case:
    """The case this test runs as."""
    found: Case = request.param
    return found


@pytest.fixture
def run(pytestconfig: pytest.Config) -> Run:
    """The run the case is part of."""
    found = run_of(pytestconfig)
    assert found is not None
    return found


@pytest.fixture
def replica(request: pytest.FixtureRequest) -> Deployment:
    """The complete deployment the case has for itself."""
    return _underway(request).replica


@pytest.fixture
def recorder(request: pytest.FixtureRequest) -> CaseRecorder:
    """Where the case's facts go; the plugin closes it."""
    found = _underway(request).recorder
    assert found is not None
    return found


@pytest.fixture
def gate(run: Run, case: Case) -> CallGate:
    """What each call of the case has to pass."""
    return run.gate(case.deployment)


@pytest.fixture
def case_marks(run: Run) -> Iterator[int]:
    """Marks for the case's legs."""
    return run.marks.of_case()


def _underway(request: pytest.FixtureRequest) -> _Underway:
    found: _Underway = request.node.stash[_UNDERWAY]
    return found
