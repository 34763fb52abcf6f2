"""A case runs: a deployment is leased to it, and each attempt at it has its own evidence, findings
and end.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import allure_commons
import pytest
from allure_commons.reporter import AllureReporter
from allure_pytest.listener import AllureListener

from harness.case.checks.responsiveness import responsive
from harness.case.events import PhoneLost
from harness.case.recorder import CaseRecorder
from harness.case.verdict import (
    CaseOutcome,
    Conclusion,
    DidNotPassError,
    ExpectationError,
    Verdict,
    with_place,
)
from harness.deployment.limits import Gate, place, places
from harness.diagnosis import Diagnosis, diagnose
from harness.diagnosis.result import DiagnosisDocument
from harness.errors import MistakeError, ResourceError
from harness.finding_kinds import AUDIO_TO_AI
from harness.integrations.matrix import Case
from harness.report.callfacts import measured_times
from harness.report.case_document import is_masked, names
from harness.report.evidence import CaseEvidence
from harness.report.run_directory import CASES, case_directory
from harness.report.scope import complete_content
from harness.run.plugin.leases import Leased, leased
from harness.run.plugin.parallel import WATCH
from harness.run.plugin.run import Run, case_of, run_of
from harness.run.plugin.starvation import LATE_S, monitor
from harness.scenario.evidence import Evidence
from harness.support.mask import mask_text
from harness.support.model_words import nearest

if TYPE_CHECKING:
    from harness.deployment import Deployment

#: Why an attempt is repeated → what its evidence says of that. One that failed is repeated because
#: ``--retries`` asks for it.
_REPEATS: Final = {
    "guessed": "A call of this case, or of a case running beside it, showed a number that did not identify its case: the case is "
    "run again alone, and that result counts.",
    "starved": "This attempt says nothing of the system under test: this machine kept the harness waiting. The case is run again, "
    "up to twice, and that result counts.",
    "phone lost": "This attempt says nothing of the system under test: a softphone's process died in it. The case is run again "
    "once, and that result counts; what passes then is marked as passed on retry.",
}
#: The outcome that pytest-rerunfailures has for this: pytest takes it for no failure.
_RERUN: Final[Any] = "rerun"
_BUSY: Final = "Audio and timings may have suffered from that; fewer cases at once (-n) would show."


@dataclass
class Attempt:
    """One attempt at a case: what is known while it runs, and how it ends."""

    case: Case
    leased: Leased
    number: int = 1
    left: Mapping[str, int] = field(
        default_factory=dict
    )  #: how many attempts may still follow for each reason
    recorder: CaseRecorder | None = None
    outcome: CaseOutcome = field(default_factory=CaseOutcome)
    conclusion: Conclusion | None = None  #: once the case is closed
    diagnosis: Diagnosis = field(default_factory=Diagnosis)
    evidence: Evidence | None = None  #: of its scenario, once that has begun
    guessed: bool = (
        False  #: whether a call was this case's by a guess, so that it is run again alone
    )
    is_guess: Callable[[], bool] = lambda: False  #: the same while the case is under way
    is_rerun: bool = False  #: whether pytest was not told of a failure, as another attempt follows

    @property
    def replica(self) -> Deployment:
        """The deployment, as the case has it."""
        return self.leased.replica

    @property
    def repeat(self) -> str:
        """Why another attempt follows: ``guessed``, ``starved``, ``phone lost`` or ``failed``;
        empty: none does.
        """
        return self.repeat_after(self.conclusion) if self.conclusion is not None else ""

    def repeat_after(self, conclusion: Conclusion) -> str:
        """The same, were the case to end so now."""
        is_broken = conclusion.verdict is Verdict.BROKEN
        applies = {
            "guessed": self.guessed or self.is_guess(),
            "starved": self.outcome.is_starved,
            # by a fault of pjsip's, as a rule, which comes once
            "phone lost": is_broken and self._has_lost_phone(),
            "failed": conclusion.may_be_retried,
        }
        for why, found in applies.items():
            if found and self.left.get(why, 0) > 0:
                return why
        return ""

    def _has_lost_phone(self) -> bool:
        events = self.recorder.events if self.recorder is not None else ()
        return any(isinstance(event, PhoneLost) for event in events)

    @property
    def next(self) -> Attempt:
        """The one that follows."""
        left = {why: count - (why == self.repeat) for why, count in self.left.items()}
        return Attempt(self.case, self.leased, self.number + 1, left)

    @property
    def diagnosis_document(self) -> DiagnosisDocument | None:
        """The diagnosis as the evidence has it; None when there is none."""
        return self.diagnosis.to_plain() if self.diagnosis.headline else None

    def raised(self, error: BaseException) -> None:
        """Take into account what ended a part of the case, and record the finding it carries."""
        if isinstance(error, pytest.FixtureLookupError):
            error = MistakeError(_misspelt(error))
        if self.recorder is not None and self.conclusion is None:
            # a full disk is raised again when the case is closed
            with contextlib.suppress(ResourceError):
                if self.evidence is not None:
                    self.evidence.ended_by(error)
                elif (
                    isinstance(error, ExpectationError)
                    and error.finding not in self.outcome.findings
                ):
                    self.recorder.raised(error.finding)
        self.outcome.raised(error)

    def close(self) -> None:
        """Decide how the case ended, and write it down."""
        recorder, late_s = self.recorder, 0.0
        if recorder is not None:
            late_s = monitor().take_lateness()
            if recorder.is_whole and self.evidence is not None:
                self._check_responsiveness(recorder, self.evidence)
            self.evidence = None  # which lets go of the context
        conclusion = self.conclusion = self.outcome.conclusion
        if recorder is None:
            return
        if late_s >= LATE_S:
            recorder.note(
                f"This machine was busy: the harness was woken up to {late_s:.1f} s late. {_BUSY}"
            )
        if self.guessed:
            recorder.guessed()
        if (why := self.repeat) in _REPEATS:
            recorder.note(_REPEATS[why])
        if conclusion.verdict is Verdict.FAILED:
            self.diagnosis = diagnose(
                self.case.plain(),
                self.outcome.findings,
                recorder.events,
                self.replica,
                number_of=lambda sent: recorder.number(sent) or "",
            )
        recorder.close(conclusion.verdict, conclusion.message, self.diagnosis_document)

    def _check_responsiveness(self, recorder: CaseRecorder, evidence: Evidence) -> None:
        """What the voice agent took too long for, by the limits of its deployment, in the calls
        that are held to its voice.

        Only now are the recordings whole. A case that broke shows nothing.
        """
        held = self.replica.responsiveness.held
        is_broken = self.outcome.conclusion.verdict is Verdict.BROKEN
        if AUDIO_TO_AI not in self.case.required_findings or is_broken or not held:
            return
        for one in measured_times(CaseEvidence.read(recorder.directory, judged=False)):
            if one.title not in held:
                continue
            check, limit_s = held[one.title]
            evidence.expect(responsive.of(check, one.leg, one.seconds, limit_s, one.basis))

    def amend(self) -> Conclusion:
        """The conclusion, written anew where a plugin around ours, or our own writing of it, has
        raised since the case was closed.
        """
        conclusion = self.outcome.conclusion
        if conclusion != self.conclusion and self.recorder is not None:
            # That may be what was raised: without an end the case reads as broken too.
            with contextlib.suppress(ResourceError):
                self.recorder.amend(conclusion.verdict, conclusion.message, self.diagnosis_document)
        self.conclusion = conclusion
        return conclusion


def _misspelt(error: pytest.FixtureLookupError) -> str:
    """What asks for a fixture that does not exist, in a line."""
    function = error.request._pyfuncitem
    known = [
        name for name in error.request._fixturemanager._arg2fixturedefs if not name.startswith("_")
    ]
    name = str(error.argname)
    return (
        f"{function.nodeid.partition('[')[0]}: there is no fixture {name!r}{nearest(name, known)}"
    )


_UNDERWAY = pytest.StashKey[Attempt]()  #: the attempt that an item, or the process, is at


class _WithoutCases(AllureReporter):
    """Keeps cases and their fixtures out of what allure-pytest writes: their results are made of
    the evidence, at the end.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # allure_commons is not typed
        self.cases: set[str] = set()  #: ids of results

    def close_test(self, uuid: str) -> None:
        """Write the result of a test that is no case and that began."""
        kept: Any = super()
        is_left_out = uuid in self.cases or not kept.get_item(uuid).fullName
        kept.drop_test(uuid) if is_left_out else kept.close_test(uuid)

    def stop_group(self, uuid: str, **kwargs: object) -> None:
        """Write a fixture's container if a test that is no case had the fixture, too."""
        kept: Any = super()
        if self.cases.issuperset(kept.get_item(uuid).children):
            kept.drop_test(uuid)  # any item of that id
        else:
            kept.stop_group(uuid, **kwargs)


def _allure_listener() -> Any:
    """allure-pytest's listener; None where no results are asked for."""
    return next(
        (p for p in allure_commons.plugin_manager.get_plugins() if isinstance(p, AllureListener)),
        None,
    )


def leave_out_cases() -> None:
    """Leave the results of cases to :mod:`harness.report.allure`. Call this before the first test
    begins.
    """
    if (listener := _allure_listener()) is not None:
        listener.allure_logger = _WithoutCases()


@pytest.hookimpl(trylast=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Where all are cases, allure-pytest has nothing to write: following each fixture of theirs
    costs a worker a twentieth of its time.
    """
    listener = _allure_listener()
    if listener is None or not session.items or not all(map(case_of, session.items)):
        return
    session.config.pluginmanager.unregister(listener)
    allure_commons.plugin_manager.unregister(listener)
    # allure-pytest's own cleanup looks for it
    session.config.add_cleanup(partial(allure_commons.plugin_manager.register, listener))


def leave_out() -> None:
    """The test that runs now is a case. Call this before its first fixture."""
    listener = _allure_listener()
    if listener is None:
        return
    result = listener.allure_logger.get_test(None)
    if result is not None:
        listener.allure_logger.cases.add(result.uuid)


def pytest_sessionstart() -> None:
    """Begin without results of cases."""
    leave_out_cases()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(
    item: pytest.Item, nextitem: pytest.Item | None
) -> Generator[None, Any, Any]:
    """Lease the case a deployment for itself, and a place on this machine; waiting is outside of
    the case's time limits.

    An attempt that failed is repeated as asked for, by the whole protocol: each attempt has its own
    fixtures, evidence and result. (pytest-rerunfailures hides all but the last, and its crash
    recovery wants a server of its own under xdist.)
    """
    run, case = run_of(item.config), case_of(item)
    attempt = item.stash.get(_UNDERWAY, None)
    is_repeat = attempt is not None and attempt.number > 1
    if run is None or case is None or is_repeat:
        return (yield)
    try:
        return (yield from _attempts(item, nextitem, run, case))
    finally:
        # pytest keeps every item until the session ends: a case's evidence would stay with it
        if _UNDERWAY in item.stash:
            del item.stash[_UNDERWAY]


def _attempts(
    item: pytest.Item, nextitem: pytest.Item | None, run: Run, case: Case
) -> Generator[None, Any, Any]:
    """The first attempt by the hook that is wrapped, further ones by hooks of their own."""
    retries = int(item.config.getoption("retries"))
    with leased(run, case) as lease, place(max(places(), run.slots)):
        left = {"guessed": 1, "starved": 2, "phone lost": 1, "failed": retries}
        attempt = item.stash[_UNDERWAY] = Attempt(case, lease, left=left)
        result = yield
        attempt = _repeat(item, nextitem, attempt)
    if attempt.guessed:
        with leased(run, case, alone=True) as lease, place(max(places(), run.slots)):
            alone = _run(item, nextitem, replace(attempt.next, leased=lease))
            _repeat(item, nextitem, alone)
    return result


def _repeat(item: pytest.Item, nextitem: pytest.Item | None, attempt: Attempt) -> Attempt:
    """Further attempts beside the same others, as long as there have to be; the last one."""
    while (why := attempt.repeat) and why != "guessed":
        if why == "starved":
            monitor().settle()
        attempt = _run(item, nextitem, attempt.next)
    return attempt


def _run(item: pytest.Item, nextitem: pytest.Item | None, attempt: Attempt) -> Attempt:
    item.stash[_UNDERWAY] = attempt
    item.ihook.pytest_runtest_protocol(item=item, nextitem=nextitem)
    return attempt


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None]:
    """Begin the evidence."""
    attempt, run = item.stash.get(_UNDERWAY, None), run_of(item.config)
    if attempt is None or run is None:
        return (yield)
    # waiting is outside of the case's time limits
    asked = attempt.leased.wait_until_asked(attempt.case)
    plain = {
        **run.plain(attempt.case),
        **names(attempt.replica),
        "nodeid": item.nodeid,
        "attempt": attempt.number,
    }
    attempt.recorder = CaseRecorder(case_directory(run.directory, plain), plain, attempt.outcome)
    attempt.recorder.deployment(complete_content(attempt.replica))
    item.config.stash[_UNDERWAY] = attempt
    if asked is not None:
        attempt.recorder.event(asked)
    leave_out()
    monitor().take_lateness()
    with item.config.stash[WATCH].waiting_on(attempt.case.deployment):
        return (yield)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """Run the case, for as long as its world lives; to pytest it fails when its findings say that
    it did not pass.
    """
    attempt = item.stash.get(_UNDERWAY, None)
    if attempt is None or attempt.recorder is None:
        return (yield)
    with item.config.stash[WATCH].waiting_on(attempt.case.deployment):
        yield
    attempt.outcome.came_to_its_end()
    conclusion = attempt.outcome.conclusion
    if conclusion.verdict is not Verdict.PASSED:
        raise DidNotPassError(conclusion.message)


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None]:
    """When the fixtures are done, end the evidence."""
    attempt = item.stash.get(_UNDERWAY, None)
    if attempt is None:
        return (yield)
    try:
        return (yield)
    except BaseException as error:
        attempt.raised(error)
        raise
    finally:
        attempt.close()


#: Errors whose message says it all; of any other the traceback is shown.
_EXPLAINED = (ExpectationError, DidNotPassError, MistakeError, pytest.FixtureLookupError)


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Take what was raised into account, and send the conclusion along with the last report."""
    report = yield
    attempt = item.stash.get(_UNDERWAY, None)
    if attempt is None:
        return report
    is_last = call.when == "call" or (call.when == "setup" and call.excinfo is not None)
    if is_last and attempt.recorder is not None:
        for name in ("log", "stdout", "stderr"):
            if text := getattr(report, f"cap{name}"):
                attempt.recorder.attach(name, text, "text/plain")
    if call.excinfo is not None:
        error = call.excinfo.value
        attempt.raised(error)
        message = attempt.outcome.conclusion.message
        if isinstance(error, _EXPLAINED):
            report.longrepr = with_place(message, error)
        else:
            report.longrepr = f"{message}\n\n{report.longreprtext}"
        # a cell that means nothing is left out of the matrix, never skipped
        if report.outcome == "skipped":
            report.outcome, report.longrepr = "failed", f"skipped: {error}"
    if report.failed and attempt.repeat_after(attempt.outcome.conclusion):
        # Not the case has failed, but an attempt at it: -x, --maxfail and --stepwise go on.
        report.outcome, attempt.is_rerun = _RERUN, True
    if call.when == "teardown":
        conclusion = attempt.amend()
        words = filter(None, (attempt.diagnosis.headline, conclusion.message))
        if attempt.is_rerun and not attempt.repeat and conclusion.verdict is not Verdict.PASSED:
            report.outcome = "failed"  # no other attempt follows after all
        report.user_properties += [
            ("row", attempt.case.row.id),
            ("case", attempt.case.id),
            ("verdict", str(conclusion.verdict)),
            ("attempt", str(attempt.number)),
            ("tried again", "yes" if attempt.repeat else ""),
            ("message", "\n".join(words)),
        ]
        if attempt.recorder is not None:
            directory = attempt.recorder.directory.name
            with contextlib.suppress(ResourceError):  # a case without evidence is broken
                for name, file in attempt.recorder.written().items():
                    path = f"{CASES}/{directory}/{name}"
                    report.user_properties.append(("written", [path, *file]))
    if is_masked(attempt.replica):
        _mask(report)
    return report


def _mask(report: pytest.TestReport) -> None:
    """As the evidence is: the terminal shows the report, and a CI job keeps it in its log and in
    pytest's own JUnit file.
    """
    if report.longrepr is not None:
        report.longrepr = mask_text(report.longreprtext)
    report.sections = [(title, mask_text(text)) for title, text in report.sections]
    properties: list[tuple[str, object]] = []
    for name, value in report.user_properties:
        properties.append((name, mask_text(str(value)) if name == "message" else value))
    report.user_properties = properties


@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None]:
    """A case that was interrupted has its fixtures torn down only now."""
    yield
    attempt = session.config.stash.get(_UNDERWAY, None)
    if attempt is not None and attempt.conclusion is None:
        attempt.outcome.interrupted()
        attempt.close()


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
    return attempt_of(request).replica


@pytest.fixture
def recorder(request: pytest.FixtureRequest) -> CaseRecorder:
    """Where the case's facts go; the plugin closes it."""
    found = attempt_of(request).recorder
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


def attempt_of(request: pytest.FixtureRequest) -> Attempt:
    """The attempt that a case's fixtures are made for."""
    found: Attempt = request.node.stash[_UNDERWAY]
    return found
