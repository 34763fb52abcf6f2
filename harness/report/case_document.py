"""A case's evidence on disk: the form of ``case.json`` and of the lines of ``events.jsonl``, and
what follows from these lines.

:class:`CaseLog` reads the lines and sorts them into kinds: events, messages, steps, notes. From
them follow legs, marks, counters and recordings.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Final, NotRequired

from pydantic_core import from_json
from typing_extensions import TypedDict

from harness import integrations
from harness.case import judge
from harness.case.events import (
    Event,
    Expected,
    FarEndRecord,
    FileEvent,
    LegStarted,
    MediaState,
    Recorded,
    RtpStatistics,
    SipMessage,
    StrangerRefused,
    from_plain,
)
from harness.case.judge import Judged
from harness.case.legs import CaseEvents, EventLog, LegEvents, MarkSpan
from harness.case.model import CallMessage, messages_in_record, messages_of
from harness.case.verdict import ORDER, Finding, Verdict
from harness.deployment import SIP_NUMBER, STAND_IN, Deployment, Kind
from harness.diagnosis.result import DiagnosisDocument
from harness.errors import MistakeError
from harness.integrations.matrix import CaseAbout, name_hash
from harness.support.files import json_file, user_files
from harness.support.mask import fill_plain, mask_text

EVENTS = "events.jsonl"


#: Of the lines of ``events.jsonl``. Since 6 they have expectations, and no findings.
VERSION: Final = 6


CASE = "case.json"


#: The complete deployment that the case had for itself, without secrets: the diagnosis is made of
#: it.
DEPLOYMENT = "deployment.json"


ATTACHMENTS = "attachments"


#: What files that others made add to a case (``harness witness``); the case's own evidence stays as
#: it is.
ADDED = "witness.json"


ADDED_VERSION: Final = 2


class Names(TypedDict):
    """What a deployment says of the names and numbers in the evidence of its cases."""

    kind: Kind  # of the deployment
    site: str  # masked like the deployment's name
    hosts: dict[str, str]  # address: what ladders call it
    voices: dict[str, str]  # mark: the assistant whose own voice it is
    mask: bool  # the numbers are real and must not stand in any artefact
    shows_messages: bool  # the far end's records hold SIP messages


class NamedDeployment(Names):
    """The same with the deployment's name, masked where numbers are real; names that differ stay
    different.
    """

    deployment: str


def is_masked(deployment: Deployment) -> bool:
    """Whether its numbers are real and must be masked; a simulated deployment has 555-01xx."""
    return deployment.kind != "simulated"


def shown_name(name: str) -> str:
    """A deployment's or a site's name with its numbers masked; two names that differ stay
    different.
    """
    masked = mask_text(name)
    return name if masked == name else f"{masked} ~{name_hash(name)}"


def names(deployment: Deployment) -> NamedDeployment:
    """The names, from the complete deployment that the case has for itself."""
    hosts: dict[str, str] = {}
    platform = integrations.title(deployment.integration)
    for name, account in deployment.accounts.items():
        if account.host:
            hosts[account.host] = name
    for trunk in deployment.trunks:
        if trunk.host and trunk.ai == "synthflow":
            hosts[trunk.host] = "synthflow"
        if trunk.termination_host:
            hosts[trunk.termination_host] = f"{platform} trunk"
    if deployment.platform.host:
        hosts[deployment.platform.host] = platform
    shown = shown_name if is_masked(deployment) else str
    return {
        "deployment": shown(deployment.name),
        "kind": deployment.kind,
        "site": shown(deployment.site),
        "hosts": hosts,
        "voices": {
            str(assistant.voice): f"assistant {name}"
            for name, assistant in deployment.assistants.items()
            if assistant.voice is not None
        },
        "mask": is_masked(deployment),
        "shows_messages": deployment.synthflow is not None
        and "messages" in deployment.synthflow.witness,
    }


class PlannedCase(CaseAbout, Names):
    """A case of a deployment, as it is planned."""

    run: NotRequired[str]  # the name of the run; a load has none


class TroubleEntry(TypedDict):
    """Something besides its findings that decided how a case ended."""

    verdict: Verdict
    message: str
    finding: int | None  # the number of the finding that ended the case early
    trace: NotRequired[str]  # the traceback of what broke


class CaseEnd(TypedDict):
    """How a case ended."""

    verdict: Verdict
    message: str  # why it did not pass
    diagnosis: DiagnosisDocument | None
    findings: list[Finding]
    troubles: list[TroubleEntry]
    at: float  # monotonic


class CaseDocument(PlannedCase):
    """``case.json``. Without an ``end`` the case's worker died."""

    nodeid: NotRequired[str]  # what pytest calls the case
    attempt: NotRequired[int]
    began: float  # monotonic
    began_wall: float  # the same moment, in seconds since the epoch
    pid: int
    guessed: NotRequired[bool]  # its call may be another case's
    end: NotRequired[CaseEnd]


class FormatEntry(TypedDict):
    """The first line of ``events.jsonl``: the version of its lines."""

    version: int


class ScriptedEntry(TypedDict):
    """Time that the case waits on purpose."""

    at: float
    began: float
    seconds: float
    why: str


class StepEntry(TypedDict):
    """A named part of the case begins."""

    id: int
    parent: int | None
    title: str
    began: float


class StepEndEntry(TypedDict):
    """A part of the case has ended; with what it raised."""

    id: int
    ended: float
    error: NotRequired[str]  # the name of the exception
    message: NotRequired[str]
    failed: NotRequired[bool]  # the system under test failed; otherwise the step broke


class NoteEntry(TypedDict):
    """A sentence for the reader of the report."""

    at: float
    text: str


class AttachmentEntry(TypedDict):
    """A file of the case beside its recordings."""

    at: float
    name: str
    path: str
    mime: str


class Line(TypedDict, total=False):
    """A line of ``events.jsonl``: an object with exactly one of these keys."""

    format: FormatEntry
    event: Event
    scripted: ScriptedEntry
    step: StepEntry
    step_end: StepEndEntry
    note: NoteEntry
    attachment: AttachmentEntry


class AddedEvidence(TypedDict):
    """``witness.json``: what files that others made add to a case, and how it ends with them."""

    version: int
    events: list[Event]
    end: CaseEnd | None  # None where the case has no end
    notes: list[str]  # what each file says of the case


# -- the lines, read

#: How many cases keep their log in memory at once; the logs of others are read again.
MOST_KEPT = 64


@dataclass(frozen=True)
class Message:
    """A SIP message with the number it has in every report."""

    number: str
    event: SipMessage


@dataclass
class Step:
    """A part of the case; ``ended`` is None when the worker died in it."""

    title: str
    began: float
    ended: float | None = None
    error: str | None = None  #: the exception's text
    #: Whether it ended in a failure (:func:`harness.case.verdict.is_failure`); an ``error``
    #: without one: it broke.
    failed: bool = False
    steps: list[Step] = field(default_factory=list)

    def verdict(self, findings: Iterable[Finding]) -> Verdict:
        """The worst of what the step raised and of the ``findings`` of its case that were made
        during it.

        Few findings are raised. One that is counts as it was recorded: not observable, or the
        harness itself was the reason.
        """
        inside = [
            f for f in findings if f.at >= self.began and (self.ended is None or f.at <= self.ended)
        ]
        found = {finding.verdict for finding in inside}
        if self.ended is None or (self.error is not None and not self.failed):
            found.add(Verdict.BROKEN)
        if self.failed and not any(_raised(self.error or "", finding) for finding in inside):
            found.add(Verdict.FAILED)
        return next((verdict for verdict in ORDER if verdict in found), Verdict.PASSED)


@dataclass(frozen=True)
class Note:
    """A sentence for the reader."""

    at: float
    text: str


@dataclass(frozen=True)
class Attachment:
    """A file of the case beside its recordings."""

    name: str
    path: Path
    mime: str


@dataclass(frozen=True)
class Recording:
    """What a leg received and sent, as WAV; only files that exist."""

    leg: str
    received: Path | None
    sent: Path | None


@dataclass(frozen=True)
class Gist:
    """The facts of a case that a run's figures need: small enough to keep for thousands of cases."""

    statistics: Mapping[str, RtpStatistics]  #: the last counters of each leg
    answered_s: tuple[
        float, ...
    ]  #: of each call placed and answered, the seconds from its first INVITE
    invites: tuple[str, ...]  #: the first INVITE of each leg that sent one
    strangers: tuple[StrangerRefused, ...]  #: requests that were not acted on
    ours: frozenset[str]  #: the names of the harness's phones and legs
    values_seen: Mapping[
        str, frozenset[str]
    ]  #: axis → the values of it that the harness phones saw
    values_recorded: Mapping[
        str, frozenset[str]
    ]  #: axis → the values of it that the far end's records show


#: An expectation and what came of it → the expectation with what files of others show besides.
Changed = Callable[[Expected, Finding | None], Expected | None]


class CaseLog:
    """The lines of a case's ``events.jsonl``, sorted into kinds, and what was added later. Events
    and messages are in order of time.

    ``with_added``: include what files that others made have added.
    """

    def __init__(self, directory: Path, *, with_added: bool = True) -> None:
        self._directory = directory
        self.added: list[FileEvent] = []  #: the events that files of others have added
        self.added_end: CaseEnd | None = None  #: how the case ends with them
        self._events: list[Event] = []
        self.messages: list[Message] = []
        self.steps: list[Step] = []
        self.notes: list[Note] = []
        self.attachments: list[Attachment] = []
        self.times: list[float] = []
        self._scripted: list[tuple[float, float]] = []
        self.damaged = 0
        open_steps: dict[int, Step] = {}
        for kind, value in self._parsed(directory / EVENTS):
            try:
                self._take(kind, value, open_steps)
            except (KeyError, TypeError, ValueError, AttributeError):
                self.damaged += 1
        if with_added and (directory / ADDED).exists():
            try:
                self._add(json_file.read(directory / ADDED))
            except (OSError, KeyError, TypeError, ValueError, AttributeError, IndexError):
                self.damaged += 1
        self.recorded: list[Event] = list(self._events)  #: in the order of recording
        self.events = CaseEvents(sorted(self._events, key=lambda event: event.at))
        self.messages.sort(key=lambda message: message.event.at)

    def scripted_s(self, until: float) -> float:
        """Seconds that the case waited on purpose, ``until`` that moment; waits that overlap count
        once.
        """
        total, covered = 0.0, -math.inf
        for began, ended in sorted(self._scripted):
            total += max(0.0, min(ended, until) - max(began, covered))
            covered = max(covered, min(ended, until))
        return total

    def judged(
        self, case: Mapping[str, Any], *, changed: Changed | None = None
    ) -> Iterator[Judged]:
        """The findings, judged anew: all that the log says of the case.

        ``case``: the data of ``case.json``. ``changed`` as of :func:`harness.case.judge.judged`.
        Masked digits count as zeros.
        """
        return judge.judged(
            self._with_arguments(self.filled if case.get("mask") else self.recorded),
            self._agents(),
            finite(case.get("began", 0.0)),
            changed=changed or (lambda expected, found: None),
        )

    @cached_property
    def filled(self) -> list[Event]:
        """The events in the order of recording, with a zero for each masked digit."""
        return list(map(_filled, self.recorded))

    def _with_arguments(self, events: Sequence[Event]) -> Iterator[Event]:
        """The events, with each reference in an expectation replaced by the event."""
        place = {id(event): index for index, event in enumerate(self.recorded)}
        by_number = {m.number: events[place[id(m.event)]] for m in self.messages}

        def resolved(value: Any) -> Any:
            match value:
                case {"event": reference, **others} if not others:
                    if isinstance(reference, str):
                        return by_number[reference]
                    is_line = isinstance(reference, int)
                    return events[reference] if is_line else from_plain(dict(reference))
                case Mapping():
                    return {key: resolved(item) for key, item in value.items()}
                case list():
                    return [resolved(item) for item in value]
            return value

        for event in events:
            if isinstance(event, Expected):
                yield replace(event, given=resolved(event.given))
            else:
                yield event

    def _agents(self) -> dict[str, list[str]]:
        try:
            groups = json_file.read(self._directory / DEPLOYMENT).get("groups") or {}
            return {
                name: [str(agent) for agent in group["agents"]] for name, group in groups.items()
            }
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}

    @property
    def legs(self) -> dict[str, LegEvents]:
        """The events and facts of each leg, legs in order of appearance."""
        return self.events.legs

    @cached_property
    def marks(self) -> tuple[MarkSpan, ...]:
        """The marks heard, the repeated reports of one mark joined."""
        return tuple(span for leg in self.legs.values() for span in leg.marks())

    @cached_property
    def statistics(self) -> dict[str, RtpStatistics]:
        """The last counters of each leg."""
        return {
            name: counters
            for name, leg in self.legs.items()
            if (counters := leg.statistics) is not None
        }

    @cached_property
    def gist(self) -> Gist:
        """The facts that stay in memory when the rest is dropped."""
        legs = self.legs.values()
        answered = [leg.answered_after_s for leg in legs]
        invites = [leg.invite_sent for leg in legs]
        phones = {begun.phone for begun in self.events.of(LegStarted)}
        return Gist(
            statistics=self.statistics,
            answered_s=tuple(seconds for seconds in answered if seconds is not None),
            invites=tuple(invite.text for invite in invites if invite is not None),
            strangers=tuple(self.events.of(StrangerRefused)),
            ours=frozenset(phones | self.legs.keys()),
            values_seen=values_seen(self.events),
            values_recorded=values_recorded(self.events),
        )

    @cached_property
    def far_end(self) -> tuple[FarEndRecord, ...]:
        """The last record of each call at the far end's own interface, which may be asked
        repeatedly.
        """
        records = self.events.of(FarEndRecord)
        last = {(record.phone, record.source): record for record in records}
        return tuple(last.values())

    @cached_property
    def recordings(self) -> tuple[Recording, ...]:
        """The WAVs that exist, one entry a leg."""
        found = []
        for event in self.events.of(Recorded):
            received, sent = self._file(event.path), self._file(event.sent_path)
            if event.leg is not None and (received or sent):
                found.append(Recording(event.leg, received, sent))
        return tuple(found)

    def _file(self, path: str | None) -> Path | None:
        if not path:
            return None
        file = inside(self._directory, path)
        return file if file and file.is_file() else None

    def _parsed(self, path: Path) -> Iterator[tuple[str, Any]]:
        try:
            raw = user_files.read(path, user_files.EVIDENCE)
        except FileNotFoundError:  # killed between its first two files
            return
        for line in raw.splitlines():
            try:
                ((kind, value),) = _decoded(line).items()
            except (ValueError, AttributeError, RecursionError):
                self.damaged += 1
            else:
                yield kind, value

    def _take(self, kind: str, value: Any, open_steps: dict[int, Step]) -> None:
        match kind:
            case "format":
                if value["version"] != VERSION:
                    what = f"version {value['version']}; this harness reads version {VERSION}"
                    raise MistakeError(f"{self._directory / EVENTS}: {what}")
            case "event":
                number = value.pop("number", None)
                event = from_plain(value)
                at = finite(event.at)
                if isinstance(event, SipMessage):
                    self.messages.append(Message(_text(number), event))
                self.times.append(at)
                self._events.append(event)
            case "scripted":
                at, seconds = finite(value["at"]), finite(value["seconds"])
                began = finite(value["began"])
                self._scripted.append((began, began + seconds))
                self.times.append(at)
            case "step":
                step, parent = (
                    Step(_text(value["title"]), finite(value["began"])),
                    open_steps.get(value["parent"]),
                )
                open_steps[value["id"]] = step
                (parent.steps if parent else self.steps).append(step)
                self.times.append(step.began)
            case "step_end":
                step, error = (
                    open_steps[value["id"]],
                    _text(value["message"]) if "error" in value else None,
                )
                step.ended, step.error, step.failed = (
                    finite(value["ended"]),
                    error,
                    bool(value.get("failed")),
                )
                self.times.append(step.ended)
            case "note":
                note = Note(finite(value["at"]), _text(value["text"]))
                self.notes.append(note)
                self.times.append(note.at)
            case "attachment":
                if (path := inside(self._directory, value["path"])) is None:
                    raise ValueError(value["path"])
                at, attached = (
                    finite(value["at"]),
                    Attachment(_text(value["name"]), path, _text(value["mime"])),
                )
                self.attachments.append(attached)
                self.times.append(at)
            case _:
                raise ValueError(kind)

    def _add(self, plain: Mapping[str, Any]) -> None:
        """What files that others made add; all of it, or nothing where any of it cannot be read."""
        if plain["version"] != ADDED_VERSION:
            raise ValueError(f"version {plain['version']}")
        events = [from_plain(event) for event in plain["events"]]
        notes = [Note(max(self.times, default=0.0), _text(note)) for note in plain["notes"]]
        self._events += events
        self.added = [event for event in events if isinstance(event, FileEvent)]
        self.notes += notes
        self.added_end = plain["end"]


def _filled(event: Event) -> Event:
    """The event with a zero for each masked digit; figures that were masked as numbers are, are
    figures again.
    """
    changed: dict[str, Any] = {}
    for one in fields(event):
        value = getattr(event, one.name)
        filled = fill_plain(value) if isinstance(value, str | dict) else value
        if filled != value:
            changed[one.name] = int(filled) if one.type == "int" else filled
    return replace(event, **changed) if changed else event


def _decoded(line: bytes) -> Any:
    """A line's JSON. pydantic's parser is three times as fast; only Python's accepts lone
    surrogates, which one fault sends.
    """
    try:
        return from_json(line)
    except ValueError:
        return json.loads(line.decode("utf-8", "surrogatepass"))


#: Larger than any time in seconds: about three thousand years.
_LARGEST = 1e11


def finite(value: object) -> float:
    """A time in seconds, or the difference of two. Raises ``TypeError`` for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < _LARGEST:
        raise TypeError(f"{value!r:.40} is no time")
    return float(value)


def _text(value: object) -> str:
    """Text as it is. Raises ``TypeError`` for anything else."""
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.40} is no text")
    return value


@lru_cache(maxsize=MOST_KEPT)
def log_of(directory: Path, reading: int, with_added: bool = True) -> CaseLog:
    """A case's log, read again after it was dropped from memory: a run has more cases than memory
    holds.

    ``reading`` tells apart two readings of one directory, whose files may have changed in between.
    """
    return CaseLog(directory, with_added=with_added)


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
    records = events.of(FarEndRecord)
    return _of_trunk(message for record in records for message in messages_in_record(record))


def _of_trunk(messages: Iterable[CallMessage]) -> dict[str, frozenset[str]]:
    """The trunk's transports and authentication, as messages at the AI's end show them."""
    transports, has_credentials, is_accepted = set(), False, False
    for one in messages:
        transports.add(one.transport.lower())
        has_credentials |= one.message.has("Authorization") or one.message.has(
            "Proxy-Authorization"
        )
        is_accepted |= 200 <= one.status < 300 and one.method in ("INVITE", "REGISTER")
    by = (
        {"digest"} if has_credentials else {"ip"} if is_accepted else set()
    )  # ip: accepted without credentials
    return {"transport": frozenset(transports), "authentication": frozenset(by)}


def _raised(error: str, finding: Finding) -> bool:
    """Whether an error carries that finding; what was seen may differ."""
    words = f"{finding.check} of {finding.subject}: expected {finding.expected};"
    return finding.verdict is not Verdict.PASSED and error.startswith(words)


def inside(directory: Path, name: str) -> Path | None:
    """The file of that name in ``directory``; None when it leads out of it."""
    path = Path(os.path.normpath(directory / name))
    return path if path.is_relative_to(os.path.normpath(directory)) else None
