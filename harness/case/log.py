"""The log of a case: the lines of ``events.jsonl``, and what follows from them.

:class:`CaseLog` reads the lines and sorts them into kinds: events, messages, steps, notes. From
them follow legs, marks, counters and recordings, and, judged anew, the findings.
:class:`~harness.case.recorder.CaseRecorder` writes them.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, Final, NotRequired

from pydantic_core import from_json
from typing_extensions import TypedDict

from harness.case import judge
from harness.case.events import (
    Event,
    Expected,
    FarEndRecord,
    FileEvent,
    Recorded,
    RtpStatistics,
    SipMessage,
    from_plain,
)
from harness.case.judge import Changed, Judged, unchanged
from harness.case.legs import CaseEvents, LegEvents, MarkSpan
from harness.case.verdict import ORDER, Finding, Verdict
from harness.errors import MistakeError
from harness.support.files import json_file, user_files
from harness.support.mask import fill_plain

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
    """What a leg received and sent, as WAV or FLAC; only files that exist."""

    leg: str
    received: Path | None
    sent: Path | None


class CaseLog:
    """The lines of a case's ``events.jsonl``, sorted into kinds, and what was added later. Events
    and messages are in order of time.

    ``with_added``: include what files that others made have added.
    """

    def __init__(self, directory: Path, *, with_added: bool = True) -> None:
        self._directory = directory
        self.added: list[FileEvent] = []  #: the events that files of others have added
        self.added_end: Mapping[str, Any] | None = None  #: how the case ends with them
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

    def judged(self, case: Mapping[str, Any], *, changed: Changed = unchanged) -> Iterator[Judged]:
        """The findings, judged anew: all that the log says of the case.

        ``case``: the data of ``case.json``. ``changed`` as of :func:`harness.case.judge.judged`.
        Masked digits count as zeros.
        """
        return judge.judged(
            self._with_arguments(self.filled if case.get("mask") else self.recorded),
            self._agents(),
            finite(case.get("began", 0.0)),
            changed=changed,
        )

    @cached_property
    def filled(self) -> list[Event]:
        """The events in the order of recording, with a zero for each masked digit."""
        return list(map(_filled, self.recorded))

    def by_number(self, events: Sequence[Event]) -> dict[str, Event]:
        """The messages among ``events``, which are :attr:`recorded` or :attr:`filled`, by their
        numbers.
        """
        place = {id(event): index for index, event in enumerate(self.recorded)}
        return {m.number: events[place[id(m.event)]] for m in self.messages}

    def _with_arguments(self, events: Sequence[Event]) -> Iterator[Event]:
        """The events, with each reference in an expectation replaced by the event."""
        by_number = self.by_number(events)

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
    def far_end(self) -> tuple[FarEndRecord, ...]:
        """The last record of each call at the far end's own interface, which may be asked
        repeatedly.
        """
        records = self.events.of(FarEndRecord)
        last = {(record.phone, record.source): record for record in records}
        return tuple(last.values())

    @cached_property
    def recordings(self) -> tuple[Recording, ...]:
        """The files that exist, one entry a leg."""
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
        if file and not file.is_file():
            file = file.with_suffix(".flac")  # of a passed case
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


def _raised(error: str, finding: Finding) -> bool:
    """Whether an error carries that finding; what was seen may differ."""
    words = f"{finding.check} of {finding.subject}: expected {finding.expected};"
    return finding.verdict is not Verdict.PASSED and error.startswith(words)


def inside(directory: Path, name: str) -> Path | None:
    """The file of that name in ``directory``; None when it leads out of it."""
    path = Path(os.path.normpath(directory / name))
    return path if path.is_relative_to(os.path.normpath(directory)) else None
