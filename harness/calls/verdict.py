"""The one place that decides how a case ended, and a run.

A :class:`CaseOutcome` gathers a case's findings and what broke meanwhile; its :attr:`~CaseOutcome.conclusion` is the verdict and
the words that say why. The recorder writes the conclusion down; terminal, summary, JUnit, Allure and the exit code read it.
"""

from __future__ import annotations

import sysconfig
import traceback
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from enum import IntEnum, StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from harness.calls.measurement import BetweenEnds, Measurement, from_plain
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
        """Whether it says something of the system under test: who broke, or could not look, says nothing."""
        return self in (Verdict.PASSED, Verdict.FAILED)


#: The first of these that is among several verdicts is their common one. What failed comes before what broke, so that a
#: finding about the system under test is never hidden.
ORDER = (Verdict.FAILED, Verdict.BROKEN, Verdict.NOT_OBSERVABLE, Verdict.PASSED)


class Strength(IntEnum):
    """How strongly something about audio is known, weakest first."""

    UNKNOWN = 0
    INDICATED = 1  #: only RTP or RTCP counters moved
    CONFIRMED = 2  #: the far system says so less exactly (a transcript, a reaction)
    PROVED = 3  #: a mark sent at one end was decoded at the other


@dataclass(frozen=True, slots=True)
class Asked:
    """What a check, or a later adjustment of its finding, was given: the check's stable name and its arguments.

    The arguments are JSON-ready, except for events and SIP messages (:mod:`harness.calls.checks.registry`).
    """

    by: str
    given: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check expected and what it saw.

    ``check`` is a stable dotted id (``audio.two_way``, ``caller_id``); ``subject`` names the leg or phone looked at.
    ``evidence`` names what was looked at: messages (``m12``), marks, statistics, records; ``measured`` has the figures.
    ``at`` is on the machine's monotonic clock, in seconds.
    """

    check: str
    subject: str
    verdict: Verdict
    expected: str
    actual: str
    at: float
    strength: Strength | None = None
    evidence: tuple[str, ...] = ()
    dispensable: bool = False  #: the deployment says that a case may do without it where nobody can look
    measured: Measurement | None = None
    starved_s: float | None = None  #: it is broken because this machine kept the harness waiting for so long
    asked: Asked | None = field(default=None, compare=False, repr=False)  #: what it was made from; None: not recorded
    adjusted: tuple[Asked, ...] = field(
        default=(), compare=False, repr=False
    )  #: how it was changed after that, in order

    @property
    def facts(self) -> dict[str, Any]:
        """The fields of what was measured, by name."""
        return self.measured.plain() if self.measured is not None else {}

    @property
    def speaker(self) -> str:
        """Whose voice it is about; empty when it is about no direction of a conversation."""
        return self.measured.speaker if isinstance(self.measured, BetweenEnds) else ""

    @property
    def listener(self) -> str:
        """Who should hear that voice, or should not."""
        return self.measured.listener if isinstance(self.measured, BetweenEnds) else ""

    def plain(self) -> dict[str, Any]:
        """JSON-ready data, without what it was made from."""
        plain = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("asked", "adjusted")}
        return plain | {"evidence": list(self.evidence), "measured": self.measured and self.measured.plain()}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Finding:
        """The inverse of :meth:`plain`. Raises ``KeyError``, ``TypeError``, ``ValueError`` for what is no finding."""
        measured, strength = plain["measured"], plain["strength"]
        values = {
            **plain,
            "verdict": Verdict(plain["verdict"]),
            "strength": None if strength is None else Strength(strength),
            "evidence": tuple(plain["evidence"]),
            "measured": None if measured is None else from_plain(plain["check"], measured),
        }
        require_kinds(cls, values)
        return cls(**values)

    def __str__(self) -> str:
        return f"{self.check} of {self.subject}: expected {self.expected}; {self.actual}"


class ExpectationError(AssertionError):
    """A check's finding did not pass. An ``AssertionError``, so that pytest and Allure say "failed"."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(str(finding))
        self.finding = finding


class NotObservableError(ExpectationError):
    """A check could not look, and the deployment asks for more than that."""


class DidNotPassError(AssertionError):
    """Tells pytest that a case, which came to its end, did not pass; its conclusion says why."""


@dataclass(frozen=True, slots=True)
class Conclusion:
    """How a case ended. The first line of ``message`` says why; it is empty when the case passed."""

    verdict: Verdict
    message: str = ""

    @property
    def may_be_retried(self) -> bool:
        """Whether another attempt may end otherwise. What could not be observed cannot be observed the next time either."""
        return self.verdict in (Verdict.FAILED, Verdict.BROKEN)

    def first_line(self, cause: str = "") -> str:
        """The first thing to say of the case: its cause, if one is known, or else what was seen."""
        words = cause or self.message
        line = words.splitlines()[0] if words else str(self.verdict)
        if self.verdict is not Verdict.NOT_OBSERVABLE:
            return line
        line = line.replace(f"; {self.verdict}: ", "; ", 1)  # as a finding has it amid its words: once is enough
        return line if line.startswith(str(self.verdict)) else f"{self.verdict}: {line}"


#: A planned case that left no evidence at all.
NEVER_REPORTED = Conclusion(Verdict.BROKEN, "planned, but never reported")
_WORKER_DIED = "worker died: the case began and never ended (its worker was lost, or the disk was full)"
#: What is said of a case amid which the run was stopped.
INTERRUPTED: Final = "the run was interrupted"
_NOTHING = "the case looked at nothing"


@dataclass(frozen=True, slots=True)
class Trouble:
    """What else decided how a case ended: an error, an interruption. ``finding`` is the index of the finding that it rests on."""

    verdict: Verdict
    message: str
    finding: int | None = None


class CaseOutcome:
    """What decides how a case ended, gathered while it runs: its findings, and what else went wrong."""

    def __init__(self, findings: Iterable[Finding] = (), troubles: Iterable[Trouble] = ()) -> None:
        self._findings = list(findings)
        self._troubles = list(troubles)

    @property
    def findings(self) -> Sequence[Finding]:
        """In the order they were made."""
        return self._findings

    @property
    def troubles(self) -> Sequence[Trouble]:
        """What else went wrong, in its order."""
        return self._troubles

    def add(self, finding: Finding) -> None:
        """Take a finding into account."""
        self._findings.append(finding)

    def raised(self, error: BaseException) -> None:
        """Take into account what ended the setup, the call or the teardown of the case before its time."""
        if isinstance(error, KeyboardInterrupt):
            self.interrupted()
        elif isinstance(error, ExpectationError):
            if error.finding not in self._findings:
                self.add(error.finding)
            index = self._findings.index(error.finding)
            # That nobody could look counts here even where the deployment can do without: the case went no further. Nor does it
            # pass where that was by what had passed: nobody has looked at the rest.
            verdict, why = error.finding.verdict, str(error)
            if verdict is Verdict.PASSED:
                verdict, why = Verdict.BROKEN, f"the case ended early, by a finding that passed: {why}"
            self._troubles.append(Trouble(verdict, why, index))
        elif isinstance(error, DidNotPassError):
            pass  # it only repeats what is known
        elif is_failure(error):
            self._troubles.append(Trouble(Verdict.FAILED, str(error) or "an assertion failed"))
        else:
            self._troubles.append(Trouble(Verdict.BROKEN, _words_of(error)))

    def came_to_its_end(self) -> None:
        """The scenario has said its part. One that looked at nothing fails, whatever breaks later."""
        if not self._findings:
            self._troubles.append(Trouble(Verdict.FAILED, _NOTHING))

    def interrupted(self) -> None:
        """The run was stopped while the case went on."""
        self._troubles.append(Trouble(Verdict.BROKEN, INTERRUPTED))

    def worker_died(self) -> None:
        """The process that ran the case is gone; what it had found is all there is."""
        self._troubles.append(Trouble(Verdict.BROKEN, _WORKER_DIED))

    @property
    def conclusion(self) -> Conclusion:
        """The verdict by all that is known so far, and why; a case that looked at nothing fails.

        A finding that is not observable and dispensable does not count, unless there is nothing else.
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
            broke = dict.fromkeys(one.message for one in self._troubles if one.verdict is Verdict.BROKEN)
            why = "\n".join([why, *(f"it also broke: {message}" for message in broke)])
        return Conclusion(verdict, why)

    @property
    def is_starved(self) -> bool:
        """Whether it broke for want of a processor alone, so that it says nothing, and the same case may when there is one."""
        starved = {str(finding) for finding in self._findings if finding.starved_s is not None}
        broke = [*(str(f) for f in self._findings if f.verdict is Verdict.BROKEN)]
        broke += [one.message for one in self._troubles if one.verdict is Verdict.BROKEN]
        return self.conclusion.verdict is Verdict.BROKEN and starved.issuperset(broke)


_PACKAGE: Final = Path(__file__).parents[1]
_STANDARD_LIBRARY: Final = Path(sysconfig.get_path("stdlib"))


def is_failure(error: BaseException | None) -> bool:
    """Whether an error speaks against the system under test: an expectation, or an assertion that a scenario made, be it
    through a library (``numpy.testing``). One of the harness, or of pytest with no scenario under way, says that it is broken.
    """
    if isinstance(error, ExpectationError):
        return True
    return isinstance(error, AssertionError) and _is_a_scenarios(error.__traceback__)


def _is_a_scenarios(trace: TracebackType | None) -> bool:
    for frame, _ in reversed(list(traceback.walk_tb(trace))):
        file = Path(frame.f_code.co_filename)
        if file.is_relative_to(_PACKAGE / "support" / "_resources"):  # where the wheel keeps its scenarios
            return True
        if file.is_relative_to(_PACKAGE):
            return False
        if not _is_a_librarys(file):
            return True
    return False


def _is_a_librarys(file: Path) -> bool:
    if {"site-packages", "dist-packages"}.intersection(file.parts) or file.is_relative_to(_STANDARD_LIBRARY):
        return True
    return file.name.startswith("<")  # code that came from no file


def _words_of(error: BaseException) -> str:
    """What to say of an error that nobody foresaw; of one without words, where it was."""
    if isinstance(error, HarnessError):
        return str(error)
    last = traceback.extract_tb(error.__traceback__)[-1:]
    said = str(error) or "".join(f"{Path(frame.filename).name}, line {frame.lineno}" for frame in last)
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def is_dispensed_with(finding: Finding) -> bool:
    """Whether nobody could look, and the deployment says that the case may do without."""
    return finding.dispensable and finding.verdict is Verdict.NOT_OBSERVABLE


def overall(findings: Iterable[Finding]) -> Verdict:
    """The verdict of a case of which nothing but these findings is known."""
    return CaseOutcome(findings).conclusion.verdict


def worst(verdicts: Iterable[Verdict]) -> Verdict | None:
    """The common verdict of several; None of none."""
    among = set(verdicts)
    return next((verdict for verdict in ORDER if verdict in among), None)


def exit_code(verdicts: Iterable[Verdict], *, broke: bool = False) -> int:
    """Of a run whose cases ended so: 0 all passed; 1 something failed or could not be observed; 3 something broke, or no case ran.

    ``broke`` says that something outside of any case did.
    """
    among = set(verdicts)
    if among & {Verdict.FAILED, Verdict.NOT_OBSERVABLE}:
        return 1
    return 3 if broke or among != {Verdict.PASSED} else 0
