"""Verdicts of cases and runs; no other module decides them.

A :class:`CaseOutcome` collects a case's findings and errors. Its :attr:`~CaseOutcome.conclusion` is
the verdict and its reason. The recorder stores the conclusion; terminal, summary, JUnit, Allure and
the exit code read it.
"""

from __future__ import annotations

import sysconfig
import traceback
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from enum import IntEnum, StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from harness.case.check_table import read_measurement
from harness.case.measurement import BetweenEnds, Measurement
from harness.errors import HarnessError
from harness.support.field_kinds import require_kinds


class Verdict(StrEnum):
    """How a case, or one finding of it, ended."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_OBSERVABLE = "not observable"
    BROKEN = "broken"

    @property
    def says_something(self) -> bool:
        """Whether the verdict is about the system under test, and not about the harness or its
        sight.
        """
        return self in (Verdict.PASSED, Verdict.FAILED)


#: Several verdicts are combined to the first of these that is among them. Failed precedes broken,
#: so that a finding about the system under test is never hidden.
ORDER = (Verdict.FAILED, Verdict.BROKEN, Verdict.NOT_OBSERVABLE, Verdict.PASSED)


class Strength(IntEnum):
    """How strongly a finding is proved, weakest first."""

    UNKNOWN = 0
    INDICATED = 1  #: only RTP or RTCP counters moved
    CONFIRMED = 2  #: the far system reports it less exactly (a transcript)
    PROVED = 3  #: a mark sent at one end was decoded at the other


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check: the expected and the actual.

    ``check`` is a stable dotted id (``audio.two_way``, ``caller_id``); ``subject`` names the leg or
    phone. ``evidence`` names the sources: messages (``m12``), marks, statistics, records.
    ``measured`` has the figures. ``at`` is the machine's monotonic clock in seconds.
    """

    check: str
    subject: str
    verdict: Verdict
    expected: str
    actual: str
    at: float
    strength: Strength | None = None
    evidence: tuple[str, ...] = ()
    dispensable: bool = False  #: the deployment allows this finding to be not observable
    measured: Measurement | None = None
    starved_s: float | None = (
        None  #: broken because this machine kept the harness waiting for this long
    )

    @property
    def failed(self) -> bool:
        return self.verdict is Verdict.FAILED

    @property
    def facts(self) -> dict[str, Any]:
        """The fields of the measurement, by name."""
        return self.measured.plain() if self.measured is not None else {}

    @property
    def speaker(self) -> str:
        """The party that is heard; empty when the finding is not about audio in one direction."""
        return self.measured.speaker if isinstance(self.measured, BetweenEnds) else ""

    @property
    def listener(self) -> str:
        """The party that should hear the speaker, or should not; empty as for :attr:`speaker`."""
        return self.measured.listener if isinstance(self.measured, BetweenEnds) else ""

    def plain(self) -> dict[str, Any]:
        """JSON-ready data."""
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        return plain | {
            "evidence": list(self.evidence),
            "measured": self.measured and self.measured.plain(),
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Finding:
        """The inverse of :meth:`plain`. Raises ``KeyError``, ``TypeError`` or ``ValueError`` if the
        data is not a finding.
        """
        measured, strength = plain["measured"], plain["strength"]
        values = {
            **plain,
            "verdict": Verdict(plain["verdict"]),
            "strength": None if strength is None else Strength(strength),
            "evidence": tuple(plain["evidence"]),
            "measured": None if measured is None else read_measurement(plain["check"], measured),
        }
        require_kinds(cls, values)
        return cls(**values)

    def __str__(self) -> str:
        return f"{self.check} of {self.subject}: expected {self.expected}; {self.actual}"


class ExpectationError(AssertionError):
    """A check's finding did not pass. An ``AssertionError``, so that pytest and Allure say
    "failed".
    """

    def __init__(self, finding: Finding) -> None:
        super().__init__(str(finding))
        self.finding = finding


class NotObservableError(ExpectationError):
    """A check was not observable, and the deployment requires it."""


class DidNotPassError(AssertionError):
    """Tells pytest that a completed case did not pass; its conclusion says why."""


@dataclass(frozen=True, slots=True)
class Conclusion:
    """The verdict of a case. The first line of ``message`` is the reason; it is empty when the case
    passed.
    """

    verdict: Verdict
    message: str = ""

    @property
    def may_be_retried(self) -> bool:
        """Whether another attempt may end differently. A case that is not observable will not be
        observable next time.
        """
        return self.verdict in (Verdict.FAILED, Verdict.BROKEN)

    def first_line(self, cause: str = "") -> str:
        """One line about the case: its cause, if known, else the reason of the verdict."""
        words = cause or self.message
        line = words.splitlines()[0] if words else str(self.verdict)
        if self.verdict is not Verdict.NOT_OBSERVABLE:
            return line
        line = line.replace(
            f"; {self.verdict}: ", "; ", 1
        )  # the line begins with the verdict already
        return line if line.startswith(str(self.verdict)) else f"{self.verdict}: {line}"


#: A planned case that left no evidence at all.
NEVER_REPORTED = Conclusion(Verdict.BROKEN, "not run")
_WORKER_DIED = (
    "worker died: the case began and never ended (its worker was lost, or the disk was full)"
)
#: The reason of a case during which the run was stopped.
INTERRUPTED: Final = "the run was interrupted"
_NOTHING = "the case looked at nothing"


@dataclass(frozen=True, slots=True)
class Trouble:
    """An error or interruption that affects the verdict. ``finding``: index of the finding that
    caused it.
    """

    verdict: Verdict
    message: str
    finding: int | None = None
    trace: str = ""  #: the traceback of what broke


class CaseOutcome:
    """A case's findings and troubles, collected while it runs."""

    def __init__(self, findings: Iterable[Finding] = (), troubles: Iterable[Trouble] = ()) -> None:
        self._findings = list(findings)
        self._troubles = list(troubles)

    @property
    def findings(self) -> Sequence[Finding]:
        return self._findings

    @property
    def troubles(self) -> Sequence[Trouble]:
        return self._troubles

    def add(self, finding: Finding) -> None:
        self._findings.append(finding)

    def raised(self, error: BaseException) -> None:
        """Add an exception that ended the setup, the call or the teardown of the case."""
        if isinstance(error, KeyboardInterrupt):
            self.interrupted()
        elif isinstance(error, ExpectationError):
            if error.finding not in self._findings:
                self.add(error.finding)
            index = self._findings.index(error.finding)
            # A finding that is not observable counts here even if the deployment allows it: the
            # case went no further. A passed finding that ends a case early breaks it, because the
            # rest was not checked.
            verdict, why = error.finding.verdict, str(error)
            if verdict is Verdict.PASSED:
                verdict, why = (
                    Verdict.BROKEN,
                    f"the case ended early, by a finding that passed: {why}",
                )
            self._troubles.append(Trouble(verdict, why, index))
        elif isinstance(error, DidNotPassError):
            pass  # it only repeats what is known
        elif is_failure(error):
            words = with_place(str(error) or "an assertion failed", error)
            self._troubles.append(Trouble(Verdict.FAILED, words))
        else:
            trace = "".join(traceback.format_exception(error))
            self._troubles.append(Trouble(Verdict.BROKEN, _words_of(error), trace=trace))

    def came_to_its_end(self) -> None:
        """The scenario returned. Without a finding the case fails, even if something breaks later."""
        if not self._findings:
            self._troubles.append(Trouble(Verdict.FAILED, _NOTHING))

    def interrupted(self) -> None:
        self._troubles.append(Trouble(Verdict.BROKEN, INTERRUPTED))

    def worker_died(self) -> None:
        self._troubles.append(Trouble(Verdict.BROKEN, _WORKER_DIED))

    @property
    def conclusion(self) -> Conclusion:
        """The verdict so far, and its reason. A case without findings fails.

        A finding that is not observable and dispensable does not count, unless it is the only kind.
        """
        counting = [f for f in self._findings if not is_dispensed_with(f)] or self._findings
        said = [*(Conclusion(f.verdict, str(f)) for f in counting)]
        said += [Conclusion(trouble.verdict, trouble.message) for trouble in self._troubles]
        if not said:
            return Conclusion(Verdict.FAILED, _NOTHING)
        verdict = worst(one.verdict for one in said)
        assert verdict is not None  # something was said
        if verdict is Verdict.PASSED:
            return Conclusion(verdict)
        why = next(one.message for one in said if one.verdict is verdict)
        if verdict is Verdict.FAILED:
            broke = dict.fromkeys(
                one.message for one in self._troubles if one.verdict is Verdict.BROKEN
            )
            why = "\n".join([why, *(f"it also broke: {message}" for message in broke)])
        return Conclusion(verdict, why)

    @property
    def is_starved(self) -> bool:
        """Whether the case broke only because it was starved of processor time. Another attempt may
        then succeed.
        """
        starved = {str(finding) for finding in self._findings if finding.starved_s is not None}
        broke = [*(str(f) for f in self._findings if f.verdict is Verdict.BROKEN)]
        broke += [one.message for one in self._troubles if one.verdict is Verdict.BROKEN]
        return self.conclusion.verdict is Verdict.BROKEN and starved.issuperset(broke)


_PACKAGE: Final = Path(__file__).parents[1]
_STANDARD_LIBRARY: Final = Path(sysconfig.get_path("stdlib"))


def is_failure(error: BaseException | None) -> bool:
    """Whether an error is a failure of the system under test: an expectation, or a scenario's
    assertion, also one made through a library (``numpy.testing``). An assertion in the harness, or
    in pytest outside a scenario, breaks the case instead.
    """
    if isinstance(error, ExpectationError):
        return True
    return isinstance(error, AssertionError) and _is_a_scenarios(error.__traceback__)


def _is_a_scenarios(trace: TracebackType | None) -> bool:
    for frame, _ in reversed(list(traceback.walk_tb(trace))):
        file = Path(frame.f_code.co_filename)
        if _is_the_users(file):
            return True
        if file.is_relative_to(_PACKAGE):
            return False
    return False


def _is_the_users(file: Path) -> bool:
    """Whether it is a scenario, or what a scenario imports of its project."""
    is_packed = file.is_relative_to(
        _PACKAGE / "support" / "_resources"
    )  # the scenarios in the wheel
    return is_packed or not (file.is_relative_to(_PACKAGE) or _is_a_librarys(file))


def with_place(words: str, error: BaseException) -> str:
    """``words``, their first line with the last line of a scenario that ran before the error: its
    file, number and text.
    """
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        file = Path(frame.filename)
        if _is_the_users(file):
            short = file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file.name
            first, rest = words.partition("\n")[::2]
            text = f": {frame.line}" if frame.line else ""
            return "\n".join(filter(None, (f"{first} ({short}, line {frame.lineno}{text})", rest)))
    return words


def _is_a_librarys(file: Path) -> bool:
    if {"site-packages", "dist-packages"}.intersection(file.parts) or file.is_relative_to(
        _STANDARD_LIBRARY
    ):
        return True
    return file.name.startswith("<")  # code without a file


def _words_of(error: BaseException) -> str:
    """The message for an unexpected error; its location, if it has no text or if a scenario raised
    it.
    """
    if isinstance(error, HarnessError):
        return str(error)
    last = traceback.extract_tb(error.__traceback__)[-1:]
    said = str(error) or "".join(
        f"{Path(frame.filename).name}, line {frame.lineno}" for frame in last
    )
    words = f"{type(error).__name__}: {said}" if said else type(error).__name__
    return (
        with_place(words, error) if isinstance(error, Exception) else words
    )  # a time limit may strike at any line


def is_dispensed_with(finding: Finding) -> bool:
    """Whether the finding is not observable, and the deployment allows that."""
    return finding.dispensable and finding.verdict is Verdict.NOT_OBSERVABLE


def overall(findings: Iterable[Finding]) -> Verdict:
    """The verdict of a case with these findings and no troubles."""
    return CaseOutcome(findings).conclusion.verdict


def worst(verdicts: Iterable[Verdict]) -> Verdict | None:
    """The combined verdict, by :data:`ORDER`; None for an empty iterable."""
    among = set(verdicts)
    return next((verdict for verdict in ORDER if verdict in among), None)


def exit_code(verdicts: Iterable[Verdict], *, broke: bool = False) -> int:
    """The exit code of a run: 0 all passed; 1 a case failed or was not observable; 3 a case broke,
    or none ran.

    ``broke``: something outside the cases broke.
    """
    among = set(verdicts)
    if among & {Verdict.FAILED, Verdict.NOT_OBSERVABLE}:
        return 1
    return 3 if broke or among != {Verdict.PASSED} else 0
