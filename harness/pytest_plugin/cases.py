"""``@scenario``-marked tests become cases: one for each cell of the row, with a deployment leased to it and evidence kept."""

from __future__ import annotations

import contextlib
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from harness import integrations
from harness.checks.finding import excused, missed_by
from harness.diagnosis import Diagnosis, diagnose
from harness.errors import ResourceError
from harness.finding_kinds import AUDIO_TO_AI
from harness.limits import Gate, place, places
from harness.matrix import Case
from harness.pytest_plugin.leases import Leased, leased
from harness.pytest_plugin.needs import in_turns
from harness.pytest_plugin.parallel import WATCH
from harness.pytest_plugin.pulse import LATE_S, of_this_process
from harness.pytest_plugin.run import Run, run_of
from harness.report import allure, manners
from harness.report.evidence import CaseEvidence
from harness.report.names import names
from harness.report.recorder import CaseRecorder
from harness.report.run import case_directory
from harness.scenario.company import Company
from harness.verdict import CaseOutcome, Conclusion, DidNotPassError, ExpectationError, Verdict

if TYPE_CHECKING:
    from harness.deployment import Deployment

#: Above what a case may take by itself before pytest-timeout ends it, in seconds.
_LAST_RESORT_S = 60.0
#: A case that lasts longer holds up the one that xdist keeps behind it.
_LONG_S = 10.0
_GUESSED = (
    "A call of this case, or of one beside it, showed a number that did not tell whose it was: the case is run again with "
    "nobody beside it, and that counts."
)
_BUSY = "Audio and timings may have suffered from that; fewer cases at once (-n) would show."


@dataclass
class _Underway:
    """What is known of a case while it runs."""

    case: Case
    leased: Leased
    attempt: int = 1
    more_attempts: int = 0  #: that may follow this one
    recorder: CaseRecorder | None = None
    outcome: CaseOutcome = field(default_factory=CaseOutcome)
    conclusion: Conclusion | None = None  #: once the case is closed
    diagnosis: Diagnosis = field(default_factory=Diagnosis)
    late_s: float = 0.0  #: how late this process was woken at worst
    guessed: bool = False  #: whether a call was this case's by a guess, so that it is run again alone

    @property
    def replica(self) -> Deployment:
        """The deployment, as the case has it."""
        return self.leased.replica

    @property
    def is_tried_again(self) -> bool:
        """Whether it ended so that another attempt follows."""
        if self.guessed and self.conclusion is not None:
            return True
        return self.more_attempts > 0 and self.conclusion is not None and self.conclusion.may_be_retried

    @property
    def told(self) -> dict[str, Any] | None:
        """The diagnosis as the evidence has it; None when there is none."""
        return self.diagnosis.to_plain() if self.diagnosis.headline else None

    def raised(self, error: BaseException) -> None:
        """Take into account what ended a part of the case, and record the finding it carries."""
        new = isinstance(error, ExpectationError) and error.finding not in self.outcome.findings
        if new and self.recorder is not None and self.conclusion is None:
            with contextlib.suppress(ResourceError):  # a full disk is raised again when the case is closed
                self.recorder.finding(error.finding)  # type: ignore[attr-defined]  # it is an ExpectationError
        self.outcome.raised(error)


_UNDERWAY = pytest.StashKey[_Underway]()
_SCENARIOS = pytest.StashKey[dict[str, str]]()  #: names, and the tests that prove them


def case_of(item: pytest.Item) -> Case | None:
    """The case an item runs; None when it is an ordinary test."""
    callspec = getattr(item, "callspec", None)
    case = callspec.params.get("case") if callspec else None
    return case if isinstance(case, Case) else None


def case_id(nodeid: str) -> str:
    """The case's id within a pytest node id."""
    return nodeid.partition("::")[2].partition("[")[2].removesuffix("]") or nodeid


# Collection


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Multiply a scenario by the cases of its rows."""
    marker = metafunc.definition.get_closest_marker("scenario")
    if marker is None:
        return
    run = run_of(metafunc.config)
    _check(metafunc, marker)
    cases = [case for case in run.cases if case.row.scenario in marker.args] if run else []
    if "case" not in metafunc.fixturenames:
        metafunc.fixturenames.append("case")
    metafunc.parametrize("case", cases, ids=[case.id for case in cases], indirect=True)


def _check(metafunc: pytest.Metafunc, marker: pytest.Mark) -> None:
    """What a scenario names has to be a row's, and no other scenario's: else it would prove nothing, or a case run twice."""
    config, here = metafunc.config, metafunc.definition.nodeid
    rows = [row for name in integrations.names() for row in integrations.find(name).rows]
    if not {row.scenario for row in rows} & set(marker.args):
        named = ", ".join(map(str, marker.args))
        pytest.fail(
            f"{here}: @scenario({named}): no row has it; allowed: a row's, or a row of one's own", pytrace=False
        )
    for name in marker.args:
        other = config.stash.setdefault(_SCENARIOS, {}).setdefault(str(name), here)
        if other != here:
            pytest.fail(f"{here}: @scenario({name}): is that of {other}; allowed: a row of one's own", pytrace=False)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out tests without a cell; the longest cases come first, or the last one to end would be waited for alone."""
    run = run_of(config)
    if run is None:  # only looked at: --fixtures, --markers
        return
    rowed = [item for item in items if item.get_closest_marker("scenario")]
    empty = [item for item in rowed if case_of(item) is None]
    if empty:
        config.hook.pytest_deselected(items=empty)
    left = [item for item in items if item not in empty]
    items[:] = _in_order(left, run)
    for item in items:
        if found := case_of(item):
            longest = max(run.deployment(found.deployment).limits.seconds_per_call, found.row.seconds)
            item.add_marker(pytest.mark.timeout(longest + _LAST_RESORT_S, method="signal"))


def _in_order(items: list[pytest.Item], run: Run) -> list[pytest.Item]:
    """The longest first. xdist hands each worker two to begin with, and a worker keeps the second to itself while the
    first runs: so behind each of the longest stands one of the shortest.
    """
    turns = Counter[str]()

    def place_in_queue(item: pytest.Item) -> tuple[float, int]:
        found = case_of(item)
        if found is None:
            return 0.0, 0
        turns[found.deployment] += 1  # deployments take turns, since one that is real carries few cases at once
        return -found.row.seconds, turns[found.deployment]

    ordered = _taking_turns(sorted(items, key=place_in_queue), run)
    workers = run.workers
    if not workers or len(ordered) < 2 * workers:
        return ordered
    if any(_is_real(item, run) for item in ordered):
        return _two_each(ordered, workers)
    longest, rest, shortest = ordered[:workers], ordered[workers:-workers], ordered[-workers:]
    return [item for pair in zip(longest, reversed(shortest), strict=True) for item in pair] + rest


def _is_real(item: pytest.Item, run: Run) -> bool:
    case = case_of(item)
    return case is not None and run.deployment(case.deployment).kind != "simulated"


def _two_each(ordered: list[pytest.Item], workers: int) -> list[pytest.Item]:
    """In that order, but behind a long case stands one of the last, which has time; others would wait there for nothing."""
    rest, dealt = deque(ordered[workers:]), list[pytest.Item]()
    for item in ordered[:workers]:
        case = case_of(item)
        dealt += [item, rest.pop() if case is not None and case.row.seconds > _LONG_S else rest.popleft()]
    return dealt + list(rest)


def _taking_turns(items: list[pytest.Item], run: Run) -> list[pytest.Item]:
    """Cases of real deployments in an order in which they do not wait for each other, in the places that such cases have."""
    real = [
        i
        for i, item in enumerate(items)
        if (case := case_of(item)) and run.deployment(case.deployment).kind != "simulated"
    ]
    cases = [found for i in real if (found := case_of(items[i])) is not None]
    order = in_turns([(case, run.deployment(case.deployment)) for case in cases], run.workers)
    ordered = list(items)
    for place_of, taken in zip(real, order, strict=True):
        ordered[place_of] = items[real[taken]]
    return ordered


# Running


def pytest_sessionstart() -> None:
    """Allure's results are of cases, not of pytest's fixtures."""
    allure.leave_out_fixtures()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, Any, Any]:
    """Lease the case a deployment for itself, and a place on this machine; waiting is outside of the case's time limits.

    An attempt that failed is repeated as asked for, by the whole protocol: each attempt has its own fixtures, evidence and
    result. (pytest-rerunfailures hides all but the last, and its crash recovery wants a server of its own under xdist.)
    """
    run, case = run_of(item.config), case_of(item)
    underway = item.stash.get(_UNDERWAY, None)
    if run is None or case is None or (underway is not None and underway.attempt > 1):
        return (yield)
    try:
        return (yield from _attempts(item, nextitem, run, case))
    finally:
        # pytest keeps every item until the session ends: a case's evidence would stay with it
        if _UNDERWAY in item.stash:
            del item.stash[_UNDERWAY]


def _attempts(item: pytest.Item, nextitem: pytest.Item | None, run: Run, case: Case) -> Generator[None, Any, Any]:
    """The first attempt by the hook that is wrapped, further ones by hooks of their own."""
    retries = int(item.config.getoption("retries"))
    with leased(run, case) as lease, place(max(places(), run.slots)):
        underway = item.stash[_UNDERWAY] = _Underway(case, lease, more_attempts=retries)
        result = yield
        if not underway.guessed:
            _repeat(item, nextitem, underway)
            return result
    with leased(run, case, alone=True) as lease, place(max(places(), run.slots)):
        alone = _Underway(case, lease, underway.attempt + 1, retries)
        item.stash[_UNDERWAY] = alone
        item.ihook.pytest_runtest_protocol(item=item, nextitem=nextitem)
        _repeat(item, nextitem, alone)
    return result


def _repeat(item: pytest.Item, nextitem: pytest.Item | None, underway: _Underway) -> None:
    """Further attempts, as long as there have to be."""
    while underway.is_tried_again:
        underway = _Underway(underway.case, underway.leased, underway.attempt + 1, underway.more_attempts - 1)
        item.stash[_UNDERWAY] = underway
        item.ihook.pytest_runtest_protocol(item=item, nextitem=nextitem)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None]:
    """Begin the evidence."""
    underway, run = item.stash.get(_UNDERWAY, None), run_of(item.config)
    if underway is None or run is None:
        return (yield)
    plain = {**run.plain(underway.case), **names(underway.replica), "nodeid": item.nodeid, "attempt": underway.attempt}
    underway.recorder = CaseRecorder(case_directory(run.directory, plain), plain, underway.outcome)
    item.config.stash[_UNDERWAY] = underway
    allure.begin_case()
    of_this_process().take()
    with item.config.stash[WATCH].waiting_on(underway.case.deployment):
        return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """Run the case, for as long as its world lives; to pytest it fails when its findings say that it did not pass."""
    underway = item.stash.get(_UNDERWAY, None)
    if underway is None or underway.recorder is None:
        return (yield)
    with item.config.stash[WATCH].waiting_on(underway.case.deployment):
        yield
    underway.outcome.came_to_its_end()
    conclusion = underway.outcome.conclusion
    if conclusion.verdict is not Verdict.PASSED:
        raise DidNotPassError(conclusion.message)


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None]:
    """When the fixtures are done, end the evidence and let Allure have it.

    This is the innermost wrapper: allure-pytest's own makes the result's ids after it, of what it leaves.
    """
    underway = item.stash.get(_UNDERWAY, None)
    if underway is None:
        return (yield)
    try:
        return (yield)
    except BaseException as error:
        underway.raised(error)
        raise
    finally:
        _close(underway)


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Take what was raised into account, and send the conclusion along with the last report."""
    report = yield
    underway = item.stash.get(_UNDERWAY, None)
    if underway is None:
        return report
    if call.excinfo is not None:
        underway.raised(call.excinfo.value)
        if report.outcome == "skipped":  # a cell that means nothing is left out of the matrix, never skipped
            report.outcome, report.longrepr = "failed", f"skipped: {call.excinfo.value}"
    if call.when == "teardown":
        conclusion = _amended(underway)
        report.user_properties += [
            ("row", underway.case.row.id),
            ("case", underway.case.id),
            ("verdict", str(conclusion.verdict)),
            ("attempt", str(underway.attempt)),
            ("tried again", "yes" if underway.is_tried_again else ""),
            ("late_s", f"{underway.late_s:.3f}"),
            ("message", "\n".join(filter(None, (underway.diagnosis.headline, conclusion.message)))),
        ]
    return report


@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None]:
    """A case that was interrupted has its fixtures torn down only now."""
    yield
    underway = session.config.stash.get(_UNDERWAY, None)
    if underway is not None and underway.conclusion is None:
        underway.outcome.interrupted()
        _close(underway)


def _close(underway: _Underway) -> None:
    """Decide how the case ended, and write it down."""
    recorder = underway.recorder
    if recorder is not None:
        underway.late_s = of_this_process().take()
        _hold_to_manners(underway, recorder)
    conclusion = underway.conclusion = underway.outcome.conclusion
    if recorder is None:
        return
    if underway.late_s >= LATE_S:
        recorder.note(f"This machine was busy: the harness was woken up to {underway.late_s:.1f} s late. {_BUSY}")
    if underway.guessed:
        recorder.note(_GUESSED)
    if conclusion.verdict is Verdict.FAILED:
        underway.diagnosis = diagnose(
            underway.case.plain(),
            underway.outcome.findings,
            recorder.events,
            underway.replica,
            number_of=lambda sent: recorder.number(sent) or "",
        )
    recorder.close(conclusion.verdict, conclusion.message, underway.told)
    allure.complete(CaseEvidence.read(recorder.directory))


def _hold_to_manners(underway: _Underway, recorder: CaseRecorder) -> None:
    """What the voice agent took too long for, by the limits of its deployment, in the calls that are held to its voice.

    Only now are the recordings whole. A case that broke shows nothing.
    """
    if AUDIO_TO_AI not in underway.case.required_findings or underway.outcome.conclusion.verdict is Verdict.BROKEN:
        return
    for finding in manners.findings(CaseEvidence.read(recorder.directory), underway.replica.manners):
        late = missed_by(finding) if finding.verdict is Verdict.FAILED else None
        recorder.finding(excused(finding, underway.late_s) if late is not None and late <= underway.late_s else finding)


def _amended(underway: _Underway) -> Conclusion:
    """The conclusion, with what a plugin around ours has raised, or our own writing of it, since the case was closed."""
    conclusion = underway.outcome.conclusion
    if conclusion != underway.conclusion and underway.recorder is not None:
        with contextlib.suppress(ResourceError):  # that is what was raised: without an end the case reads as broken too
            underway.recorder.amend(conclusion.verdict, conclusion.message, underway.told)
    underway.conclusion = conclusion
    return conclusion


# Fixtures that the scenarios' own are built on


@pytest.fixture
def case(request: pytest.FixtureRequest) -> Case:
    """The case this test runs as."""
    found: Case = request.param
    return found


@pytest.fixture
def run(request: pytest.FixtureRequest) -> Run:
    """The run the case is part of."""
    found = run_of(request.config)
    assert found is not None
    return found


@pytest.fixture
def replica(request: pytest.FixtureRequest) -> Deployment:
    """The complete deployment the case has for itself."""
    return _underway(request).replica


@pytest.fixture
def company(request: pytest.FixtureRequest) -> Company:
    """The cases beside this one."""
    return _underway(request).leased.company


@pytest.fixture
def tell_guess(request: pytest.FixtureRequest) -> Callable[[], None]:
    """To be called where it was a guess that a call was this case's."""
    underway = _underway(request)

    def tell() -> None:
        underway.guessed = bool(underway.leased.company.others)  # else there was nobody beside it

    return tell


@pytest.fixture
def recorder(request: pytest.FixtureRequest) -> CaseRecorder:
    """Where the case's facts go; the plugin closes it."""
    found = _underway(request).recorder
    assert found is not None
    return found


@pytest.fixture
def gate(run: Run, case: Case) -> Gate:
    """What each call of the case has to pass."""
    return run.gate(case.deployment)


@pytest.fixture
def case_marks(run: Run) -> Iterator[int]:
    """Marks for the case's legs."""
    return run.marks.of_case()


def _underway(request: pytest.FixtureRequest) -> _Underway:
    found: _Underway = request.node.stash[_UNDERWAY]
    return found
