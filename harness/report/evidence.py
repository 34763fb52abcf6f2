"""The reading side of a case's evidence: one frozen view, which every report is made from; and the
attempt at a case that counts.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from harness.case.events import (
    FarEndRecord,
    LegStarted,
    MediaState,
    RtpStatistics,
    SipMessage,
    StrangerRefused,
)
from harness.case.legs import CaseEvents, EventLog, LegEvents, MarkSpan
from harness.case.log import (
    CASE,
    Attachment,
    CaseLog,
    Message,
    Note,
    Recording,
    Step,
    finite,
    log_of,
)
from harness.case.model import CallMessage, messages_in_record, messages_of
from harness.case.verdict import (
    CaseOutcome,
    Conclusion,
    Finding,
    Strength,
    Verdict,
    is_dispensed_with,
)
from harness.deployment import SIP_NUMBER, STAND_IN
from harness.errors import MistakeError
from harness.support.files import json_file

#: The plain data of a case, in its evidence or among those planned.
PlainCase = Mapping[str, Any]
#: A cause as a diagnosis has it.
PlainCause = Mapping[str, Any]
#: Site and id of a case.
CaseKey = tuple[str, str]

_READINGS = itertools.count()


def text_of(case: PlainCase, name: str) -> str:
    """A text of a case's plain data; empty where it has none."""
    return str(case.get(name) or "")


def key_of(case: PlainCase) -> CaseKey:
    """Site and id of a case's plain data."""
    return text_of(case, "site"), text_of(case, "id")


def axes_of(case: PlainCase) -> dict[str, str]:
    """The axes' values of a case's plain data, as plain strings."""
    return {str(name): str(value) for name, value in (case.get("axes") or {}).items()}


def names_of(keys: Collection[CaseKey]) -> dict[CaseKey, str]:
    """What each case is called, by site and id: by its id, and by its site where there are several."""
    several = len({site for site, _ in keys}) > 1
    return {(site, name): f"{name} at {site}" if several else name for site, name in keys}


@dataclass(frozen=True)
class Gist:
    """The facts of a case that a run's figures need: small enough to keep for thousands of cases."""

    statistics: Mapping[str, RtpStatistics]  #: the last counters of each leg
    #: Of each call placed and answered, the seconds from its first INVITE.
    answered_s: tuple[float, ...]
    invites: tuple[str, ...]  #: the first INVITE of each leg that sent one
    strangers: tuple[StrangerRefused, ...]  #: requests that were not acted on
    ours: frozenset[str]  #: the names of the harness's phones and legs
    #: Axis → the values of it that the harness phones saw.
    values_seen: Mapping[str, frozenset[str]]
    #: Axis → the values of it that the far end's records show.
    values_recorded: Mapping[str, frozenset[str]]


def _gist(log: CaseLog) -> Gist:
    """The facts that a run's figures need, taken from the whole log."""
    legs = log.legs.values()
    answered = [leg.answered_after_s for leg in legs]
    invites = [leg.invite_sent for leg in legs]
    phones = {begun.phone for begun in log.events.of(LegStarted)}
    return Gist(
        statistics=log.statistics,
        answered_s=tuple(seconds for seconds in answered if seconds is not None),
        invites=tuple(invite.text for invite in invites if invite is not None),
        strangers=tuple(log.events.of(StrangerRefused)),
        ours=frozenset(phones | log.legs.keys()),
        values_seen=values_seen(log.events),
        values_recorded=values_recorded(log.events),
    )


#: Harness phones that stand in for the AI: the one that is called, and the one that registers.
_AT_AI = (STAND_IN, SIP_NUMBER)


def values_seen(events: EventLog) -> dict[str, frozenset[str]]:
    """Axis → the values that the harness phones saw. They see the AI's trunk only where one stands
    in for the AI.
    """
    media = [event for event in events.of(MediaState) if event.phone not in _AT_AI]
    placed = [event for event in events.of(LegStarted) if event.direction == "outgoing"]
    codecs = {event.codec.lower() for event in media if event.codec}
    dialled = {event.phone for event in placed} - set(_AT_AI)
    at_ai = messages_of(e for e in events.of(SipMessage) if e.phone in _AT_AI)
    return _of_trunk(at_ai) | {"codec": frozenset(codecs), "number": frozenset(dialled)}


def values_recorded(events: EventLog) -> dict[str, frozenset[str]]:
    """Axis → the values that SIP messages in the far end's records show."""
    messages: list[CallMessage] = []
    for record in events.of(FarEndRecord):
        messages += messages_in_record(record)
    return _of_trunk(messages)


def _of_trunk(messages: Iterable[CallMessage]) -> dict[str, frozenset[str]]:
    """The trunk's transports and authentication, as messages at the AI's end show them."""
    transports, has_credentials, is_accepted = set(), False, False
    for one in messages:
        transports.add(one.transport.lower())
        for name in ("Authorization", "Proxy-Authorization"):
            has_credentials |= one.message.has(name)
        if one.method in ("INVITE", "REGISTER"):
            is_accepted |= 200 <= one.status < 300
    authentication = set()
    if has_credentials:
        authentication.add("digest")
    elif is_accepted:  # without credentials
        authentication.add("ip")
    return {"transport": frozenset(transports), "authentication": frozenset(authentication)}


@dataclass(frozen=True)
class CaseEvidence:
    """Everything known of one case. All times are on the machine's monotonic clock; ``began_wall``
    anchors them.
    """

    directory: Path
    case: PlainCase
    findings: tuple[Finding, ...]
    conclusion: Conclusion
    diagnosis: tuple[PlainCause, ...]  #: causes, the likeliest first
    closed: bool  #: False: the worker died
    began: float
    ended: float
    scripted_s: float
    damaged_lines: int  #: lines that could not be read: one when the worker died while writing
    gist: Gist
    #: Of the case's directory, by which :attr:`log` finds it.
    reading: int = field(repr=False, compare=False)
    with_added: bool = True  #: with what files that others made have added

    @classmethod
    def read(cls, directory: Path, *, with_added: bool = True, judged: bool = True) -> CaseEvidence:
        """Read a case's directory; what a dying worker left half written is left out.

        ``judged``: with the findings of a case that has not ended, made of its log.

        Raises :class:`MistakeError` when it is not a case's directory.
        """
        reading = next(_READINGS)
        log = log_of(directory, reading, with_added)
        conclusion: Conclusion | None = None
        diagnosis: tuple[PlainCause, ...] = ()
        try:
            case = case_of(json_file.read(directory / CASE))
            if log.added_end is not None:
                case = {**case, "end": log.added_end}
            began = ended = finite(case.get("began", 0.0))
            findings = _findings(case, log) if judged else ()
            if (end := case.get("end")) is not None:
                conclusion = Conclusion(Verdict(end["verdict"]), str(end["message"]))
                diagnosis, ended = _causes(end["diagnosis"]), finite(end["at"])
                # thousands of cases are kept in memory, and pass from process to process
                case = {**case, "end": {name: end[name] for name in end if name != "findings"}}
        except (OSError, ValueError, TypeError) as error:
            raise MistakeError(f"{directory}: not a case's evidence: {error}") from error
        except KeyError as error:
            why = f"not a case's evidence: its end lacks {error}"
            raise MistakeError(f"{directory}: {why}") from error
        if conclusion is None:
            outcome = CaseOutcome(findings)
            outcome.worker_died()
            conclusion, ended = outcome.conclusion, max([began, *log.times])
        return cls(
            directory=directory,
            case=case,
            findings=findings,
            conclusion=conclusion,
            diagnosis=diagnosis,
            closed=end is not None,
            began=began,
            ended=ended,
            scripted_s=log.scripted_s(ended),
            damaged_lines=log.damaged,
            gist=_gist(log),
            reading=reading,
            with_added=with_added,
        )

    @property
    def log(self) -> CaseLog:
        """Everything that its events say."""
        return log_of(self.directory, self.reading, self.with_added)

    @property
    def verdict(self) -> Verdict:
        """How the case ended."""
        return self.conclusion.verdict

    @property
    def passed(self) -> bool:
        return self.verdict is Verdict.PASSED

    @property
    def message(self) -> str:
        """Why it did not pass."""
        return self.conclusion.message

    @property
    def id(self) -> str:
        """The case's id: row and axes."""
        return str(self.case.get("id", self.directory.name))

    @property
    def site(self) -> str:
        """Which site ran it."""
        return text_of(self.case, "site")

    @property
    def deployment(self) -> str:
        """The deployment's name."""
        return text_of(self.case, "deployment")

    @property
    def key(self) -> CaseKey:
        """What tells the case from all others of a run that several sites have made: site and id."""
        return key_of(self.case)

    @property
    def row(self) -> str:
        """The row's id."""
        return text_of(self.case, "row")

    @property
    def integration(self) -> str:
        """The integration's name."""
        return text_of(self.case, "integration")

    @property
    def title(self) -> str:
        """What the case is about, in a line."""
        return str(self.case.get("title") or self.row)

    @property
    def axes(self) -> dict[str, str]:
        """The axes' values, as plain strings."""
        return axes_of(self.case)

    @property
    def attempt(self) -> int:
        """Which try of the case this is, from 1."""
        return int(self.case.get("attempt", 1))

    @property
    def first_cause(self) -> PlainCause:
        """The likeliest cause as the diagnosis has it; empty when none was named."""
        return self.diagnosis[0] if self.diagnosis else {}

    @property
    def cause(self) -> str:
        """The likeliest cause in one line; empty when none was named."""
        return str(self.first_cause.get("cause", ""))

    @property
    def causes_besides(self) -> Sequence[PlainCause]:
        """What the case shows to be wrong besides its first cause: the others it names are only
        possible in that one's stead.
        """
        found = []
        for cause in self.diagnosis[1:]:
            is_shown = cause.get("candidate") is False
            if is_shown and cause.get("confidence") != "possible":
                found.append(cause)
        return found

    @property
    def headline(self) -> str:
        """The first thing to say of a case that did not pass: its cause, or else what was seen."""
        return self.conclusion.first_line(self.cause)

    @property
    def trace(self) -> str:
        """The traceback of what broke the case last; empty when nothing did."""
        end = self.case.get("end") or {}
        for trouble in reversed(end.get("troubles", ())):
            if trace := trouble.get("trace"):
                return str(trace)
        return ""

    @property
    def is_starved(self) -> bool:
        """Whether it broke for want of a processor alone, so that it says nothing of who was
        called.
        """
        outcome = CaseOutcome(self.findings)
        return outcome.is_starved and outcome.conclusion == self.conclusion  # nothing broke besides

    @property
    def is_guessed(self) -> bool:
        """Whether it was a guess that a call was this case's: what it found may be another's, and
        it was to run again alone.
        """
        return bool(self.case.get("guessed"))

    @property
    def began_wall(self) -> float:
        """When the case began, in seconds since the epoch."""
        return float(self.case.get("began_wall", 0.0))

    @property
    def wall_s(self) -> float:
        """How long the case took, in seconds."""
        return max(0.0, self.ended - self.began)

    @property
    def overhead_s(self) -> float:
        """What it took beyond the waits of its scenario."""
        return max(0.0, self.wall_s - self.scripted_s)

    def wall(self, at: float) -> float:
        """A monotonic time as seconds since the epoch; none before it, whatever the clocks said."""
        return max(0.0, self.began_wall + (at - self.began))

    @property
    def events(self) -> CaseEvents:
        """Every fact, by time."""
        return self.log.events

    @property
    def messages(self) -> Sequence[Message]:
        """The SIP messages by time; numbered in order of recording."""
        return self.log.messages

    @property
    def steps(self) -> Sequence[Step]:
        """The outermost steps."""
        return self.log.steps

    @property
    def notes(self) -> Sequence[Note]:
        """What the case said to its reader."""
        return self.log.notes

    @property
    def attachments(self) -> Sequence[Attachment]:
        """What it kept beside its recordings."""
        return self.log.attachments

    @property
    def legs(self) -> Mapping[str, LegEvents]:
        """The events and facts of each leg, legs in order of appearance."""
        return self.log.legs

    @property
    def marks(self) -> tuple[MarkSpan, ...]:
        """What was heard when, the repeated reports of one mark joined."""
        return self.log.marks

    @property
    def statistics(self) -> Mapping[str, RtpStatistics]:
        """The last counters of each leg."""
        return self.gist.statistics

    @property
    def far_end(self) -> tuple[FarEndRecord, ...]:
        """What the far end's own interface said last of each of its calls; it may be asked again
        and again.
        """
        return self.log.far_end

    @property
    def recordings(self) -> tuple[Recording, ...]:
        """The WAVs that exist, one entry a leg."""
        return self.log.recordings

    @cached_property
    def strength(self) -> Strength | None:
        """The weakest strength among the findings that count and state one: what may be claimed of
        the whole case.
        """
        counting = [finding for finding in self.findings if not is_dispensed_with(finding)]
        strengths = [finding.strength for finding in counting if finding.strength is not None]
        return min(strengths, default=None)


#: What kind a case's own data are of, where they are there.
_KINDS = {
    "id": str,
    "row": str,
    "title": str,
    "run": str,
    "axes": dict,
    "hosts": dict,
    "voices": dict,
    "attempt": int,
    "pid": int,
}
_MOST_ATTEMPTS = 10_000


def case_of(plain: object) -> dict[str, Any]:
    """A case's own data, be it in its evidence or among those planned. Raises ``ValueError``,
    ``TypeError``.
    """
    if not isinstance(plain, dict):
        raise ValueError("a case is no JSON object")
    for name, kind in _KINDS.items():
        if not isinstance(plain.get(name, kind()), kind):
            raise ValueError(f"{name} is no {kind.__name__}")
    if not 0 < plain.get("attempt", 1) < _MOST_ATTEMPTS:
        raise ValueError("attempt is no number of one")
    if "began_wall" not in plain:
        return plain
    return {**plain, "began_wall": finite(plain["began_wall"])}


def _findings(case: PlainCase, log: CaseLog) -> tuple[Finding, ...]:
    """The findings of a case: as they were recorded at its end; where they are not there, because
    its worker died, judged by its log.
    """
    end = case.get("end")
    recorded = end.get("findings") if isinstance(end, Mapping) else None
    if recorded is None:
        return tuple(one.finding for one in log.judged(case) if one.finding is not None)
    found = tuple(map(Finding.from_plain, recorded))
    for finding in found:
        finite(finding.at)
    return found


def _causes(diagnosis: object) -> tuple[PlainCause, ...]:
    """The causes of a diagnosis, which is a document or their list. Raises ``ValueError`` for
    anything else.
    """
    causes = diagnosis or []
    if isinstance(diagnosis, Mapping):
        causes = diagnosis.get("causes")
    if not isinstance(causes, list) or not all(isinstance(cause, Mapping) for cause in causes):
        raise ValueError("its diagnosis has no list of causes")
    return tuple(causes)


# -- the attempts at a case

_NEVER_ALONE = "it was a guess that a call was this case's, and it was not run again alone"


@dataclass(frozen=True)
class Tries:
    """The attempts at one case of one site, in their order."""

    attempts: Sequence[CaseEvidence]

    @cached_property
    def counting(self) -> CaseEvidence:
        """The attempt that counts, usually the last.

        An attempt that broke or was not observable says nothing of the system, so an earlier
        failure still counts. A guess has broken, too, where the case was not run again alone.
        """
        last = self.attempts[-1]
        if last.is_guessed:  # the one that would count was never begun
            last = dataclasses.replace(
                last, conclusion=Conclusion(Verdict.BROKEN, _NEVER_ALONE), diagnosis=()
            )
        if last.verdict.says_something:
            return last
        for before in reversed(self.attempts):
            if before.verdict.says_something and not before.is_guessed:
                return before if before.verdict is Verdict.FAILED else last
        return last

    @property
    def count(self) -> int:
        """How often the case was tried until it ended as it did: the last attempt, and those before
        that did not pass.

        An earlier attempt without evidence counts, since its end is unknown. An attempt without
        processor time does not count.
        """
        missing = max(0, self.counting.attempt - len(self.attempts))
        others = [one for one in self.attempts if one.directory != self.counting.directory]
        not_passed = sum(not one.passed and not one.is_starved for one in others)
        return 1 + missing + not_passed

    @property
    def passed_on_retry(self) -> bool:
        """Whether it passed in the end, after an attempt that did not. A guess that is run again
        alone is no retry.
        """
        return self.counting.passed and self.count > 1

    @property
    def before(self) -> list[str]:
        """How the earlier attempts of a case that passed on retry ended: ``attempt 1, failed: …``."""
        found = []
        for one in self.attempts:
            if not one.passed:
                why = one.headline.removeprefix(f"{one.verdict}: ")
                found.append(f"attempt {one.attempt}, {one.verdict}: {why}")
        return found


def tries_of(evidences: Iterable[CaseEvidence]) -> list[Tries]:
    """The attempts of each case of each site: by integration, row and id.

    Those of one run are in the order of their numbers, since the clock may have been set back; runs
    go by the wall clock.
    """
    every: dict[CaseKey, dict[object, list[CaseEvidence]]] = {}
    for evidence in evidences:
        runs = every.setdefault(evidence.key, {})
        runs.setdefault(evidence.case.get("run"), []).append(evidence)
    found = []
    for runs in every.values():
        for of_run in runs.values():
            of_run.sort(key=lambda one: (one.attempt, one.began_wall))
        in_order = sorted(runs.values(), key=lambda run: (run[-1].began_wall, run[-1].attempt))
        found.append(Tries(list(itertools.chain.from_iterable(in_order))))

    def place(tries: Tries) -> tuple[str, ...]:
        case = tries.counting
        return case.integration, case.row, case.id, case.site

    return sorted(found, key=place)


def latest(evidences: Iterable[CaseEvidence]) -> list[CaseEvidence]:
    """Of each case of each site the attempt that counts: by integration, row and id."""
    return [one.counting for one in tries_of(evidences)]
