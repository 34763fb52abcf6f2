"""The reading side of a case's evidence: one frozen view, which every report is made from."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from harness.errors import MistakeError
from harness.events import (
    Event,
    FarEndRecord,
    Listened,
    MarkEnded,
    MarkHeard,
    Recorded,
    RtpStatistics,
    SipMessage,
    from_plain,
)
from harness.report.recorder import CASE, EVENTS, VERSION
from harness.verdict import CaseOutcome, Conclusion, Finding, Strength, Verdict


def key_of(case: Mapping[str, object]) -> tuple[str, str]:
    """Site and id of a case's plain data."""
    return str(case.get("site") or ""), str(case.get("id", ""))


@dataclass(frozen=True)
class Message:
    """A SIP message with the number it has in every report."""

    number: str
    event: SipMessage


@dataclass(frozen=True)
class MarkSpan:
    """A stretch of time in which a leg heard one mark. Times are on the monotonic clock, in seconds."""

    leg: str
    mark: int
    began: float
    ended: float
    level_dbov: float
    quality: float


@dataclass
class Step:
    """A part of the case; ``ended`` is None when the worker died in it."""

    title: str
    began: float
    ended: float | None = None
    error: str | None = None  #: the exception's text
    failed: bool = False  #: it ended in an ``AssertionError``; with ``error`` and not ``failed``, it broke
    steps: list[Step] = field(default_factory=list)


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
class CaseEvidence:
    """Everything known of one case. All times are on the machine's monotonic clock; ``began_wall`` anchors them."""

    directory: Path
    case: Mapping[str, Any]
    events: tuple[Event, ...]  #: by time
    messages: tuple[Message, ...]  #: by time; numbered in order of recording
    findings: tuple[Finding, ...]
    steps: tuple[Step, ...]
    notes: tuple[Note, ...]
    attachments: tuple[Attachment, ...]
    conclusion: Conclusion
    diagnosis: tuple[Mapping[str, Any], ...]  #: causes, the likeliest first
    closed: bool  #: False: the worker died
    began: float
    ended: float
    scripted_s: float
    damaged_lines: int  #: lines that could not be read: one when the worker died while writing

    @classmethod
    def read(cls, directory: Path) -> CaseEvidence:
        """Read a case's directory; what a dying worker left half written is left out.

        Raises :class:`MistakeError` when it is not a case's directory.
        """
        try:
            case, began, end = _case((directory / CASE).read_text(encoding="utf-8"))
        except (OSError, ValueError, TypeError, RecursionError) as error:
            raise MistakeError(f"{directory}: not a case's evidence: {error}") from error
        except KeyError as error:
            raise MistakeError(f"{directory}: not a case's evidence: its end lacks {error}") from error
        lines = _Lines(directory)
        last = max([began, *lines.times])
        return cls(
            directory=directory,
            case=case,
            events=tuple(sorted(lines.events, key=lambda event: event.at)),
            messages=tuple(sorted(lines.messages, key=lambda message: message.event.at)),
            findings=tuple(lines.findings),
            steps=tuple(lines.steps),
            notes=tuple(lines.notes),
            attachments=tuple(lines.attachments),
            conclusion=end.conclusion if end else _without_end(lines.findings),
            diagnosis=end.diagnosis if end else (),
            closed=end is not None,
            began=began,
            ended=end.at if end else last,
            scripted_s=end.scripted_s if end else lines.scripted_s,
            damaged_lines=lines.damaged,
        )

    @property
    def verdict(self) -> Verdict:
        """How the case ended."""
        return self.conclusion.verdict

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
        return str(self.case.get("site") or "")

    @property
    def key(self) -> tuple[str, str]:
        """What tells the case from all others of a run that several sites have made: site and id."""
        return key_of(self.case)

    @property
    def row(self) -> str:
        """The row's id."""
        return str(self.case.get("row", ""))

    @property
    def integration(self) -> str:
        """The integration's name."""
        return str(self.case.get("integration", ""))

    @property
    def title(self) -> str:
        """What the case is about, in a line."""
        return str(self.case.get("title") or self.row)

    @property
    def axes(self) -> dict[str, str]:
        """The axes' values, as plain strings."""
        return {str(name): str(value) for name, value in (self.case.get("axes") or {}).items()}

    @property
    def attempt(self) -> int:
        """Which try of the case this is, from 1."""
        return int(self.case.get("attempt", 1))

    @property
    def cause(self) -> str:
        """The likeliest cause in one line; empty when none was named."""
        return str(self.diagnosis[0].get("cause", "")) if self.diagnosis else ""

    @property
    def headline(self) -> str:
        """The first thing to say of a case that did not pass: its cause, or else what was seen."""
        return self.conclusion.first_line(self.cause)

    @property
    def began_wall(self) -> float:
        """When the case began, in seconds since the epoch."""
        return float(self.case.get("began_wall", 0.0))

    @property
    def wall_s(self) -> float:
        """How long the case took, in seconds."""
        return max(0.0, self.ended - self.began)

    def wall(self, at: float) -> float:
        """A monotonic time as seconds since the epoch."""
        return self.began_wall + (at - self.began)

    @cached_property
    def legs(self) -> dict[str, list[Event]]:
        """The events of each leg, legs in order of appearance."""
        legs: dict[str, list[Event]] = {}
        for event in self.events:
            if event.leg is not None:
                legs.setdefault(event.leg, []).append(event)
        return legs

    @cached_property
    def marks(self) -> tuple[MarkSpan, ...]:
        """What was heard when, the repeated reports of one mark joined."""
        return tuple(span for leg, events in self.legs.items() for span in _spans(leg, events))

    @cached_property
    def statistics(self) -> dict[str, RtpStatistics]:
        """The last counters of each leg."""
        return {leg: event for leg, events in self.legs.items() for event in events if isinstance(event, RtpStatistics)}

    @cached_property
    def far_end(self) -> tuple[FarEndRecord, ...]:
        """What the far end's own interface said last of each of its calls; it may be asked again and again."""
        last = {(event.phone, event.source): event for event in self.events if isinstance(event, FarEndRecord)}
        return tuple(last.values())

    @cached_property
    def recordings(self) -> tuple[Recording, ...]:
        """The WAVs that exist, one entry a leg."""
        found = []
        for leg, events in self.legs.items():
            for event in events:
                if isinstance(event, Recorded):
                    received, sent = self._file(event.path), self._file(event.sent_path)
                    if received or sent:
                        found.append(Recording(leg, received, sent))
        return tuple(found)

    def _file(self, path: str | None) -> Path | None:
        if not path:
            return None
        file = self.directory / path  # an absolute path stays what it is
        return file if file.is_file() else None

    @cached_property
    def strength(self) -> Strength | None:
        """The weakest strength among the findings that state one: what may be claimed of the whole case."""
        return min((f.strength for f in self.findings if f.strength is not None), default=None)


@dataclass(frozen=True)
class _End:
    """How a case ended, as ``case.json`` says."""

    conclusion: Conclusion
    diagnosis: tuple[Mapping[str, Any], ...]
    at: float
    scripted_s: float


def _case(text: str) -> tuple[dict[str, Any], float, _End | None]:
    """A case's own data, when it began, and how it ended. Raises ``ValueError``, ``TypeError``, ``KeyError``."""
    case = json.loads(text)
    if not isinstance(case, dict) or not isinstance(case.get("end"), dict | None):
        raise ValueError("no JSON object that says how the case ended")
    for name, kind in (("id", str), ("row", str), ("title", str), ("axes", dict)):
        if not isinstance(case.get(name, kind()), kind):
            raise ValueError(f"{name} is no {kind.__name__}")
    end = case.get("end")
    told = end and _End(
        Conclusion(Verdict(end["verdict"]), str(end["message"])),
        _causes(end["diagnosis"]),
        _number(end["at"]),
        _number(end["scripted_s"]),
    )
    return case, _number(case.get("began", 0.0)), told or None


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError(f"{value!r:.40} is no time")
    return float(value)


class _Lines:
    """The lines of ``events.jsonl``, sorted into kinds."""

    def __init__(self, directory: Path) -> None:
        self.events: list[Event] = []
        self.messages: list[Message] = []
        self.findings: list[Finding] = []
        self.steps: list[Step] = []
        self.notes: list[Note] = []
        self.attachments: list[Attachment] = []
        self.times: list[float] = []
        self.scripted_s = 0.0
        self.damaged = 0
        open_steps: dict[int, Step] = {}
        for kind, value in self._parsed(directory / EVENTS):
            try:
                self._take(directory, kind, value, open_steps)
            except (KeyError, TypeError, ValueError, AttributeError):
                self.damaged += 1

    def _parsed(self, path: Path) -> Iterator[tuple[str, Any]]:
        try:
            raw = path.read_bytes()
        except FileNotFoundError:  # killed between its first two files
            return
        for line in raw.splitlines():
            try:
                ((kind, value),) = json.loads(line).items()
            except (ValueError, AttributeError, RecursionError):
                self.damaged += 1
            else:
                yield kind, value

    def _take(self, directory: Path, kind: str, value: Any, open_steps: dict[int, Step]) -> None:
        match kind:
            case "format":
                if value["version"] > VERSION:
                    raise MistakeError(
                        f"{directory / EVENTS}: version {value['version']}; this harness reads versions up to {VERSION}"
                    )
            case "event":
                number = value.pop("number", None)
                event = from_plain(value)
                self.times.append(_number(event.at))
                if not isinstance(event.leg, str | None):
                    raise TypeError("a leg without a name")
                self.events.append(event)
                if isinstance(event, SipMessage):
                    self.messages.append(Message(number, event))
            case "finding":
                if value.pop("facts", None) is not None:  # version 1
                    value["measured"] = None
                self.findings.append(Finding.from_plain(value))
            case "scripted":
                self.scripted_s += _number(value["seconds"])
                self.times.append(_number(value["at"]))
            case "step":
                step = open_steps[value["id"]] = Step(value["title"], value["began"])
                parent = open_steps.get(value["parent"])
                (parent.steps if parent else self.steps).append(step)
                self.times.append(_number(step.began))
            case "step_end":
                step = open_steps[value["id"]]
                step.ended = value["ended"]
                step.error = value.get("message") if "error" in value else None
                step.failed = value.get("failed", False)
                self.times.append(_number(value["ended"]))
            case "note":
                self.times.append(_number(value["at"]))
                self.notes.append(Note(value["at"], value["text"]))
            case "attachment":
                self.attachments.append(Attachment(value["name"], directory / value["path"], value["mime"]))
                self.times.append(_number(value["at"]))
            case _:
                raise ValueError(kind)


def _without_end(findings: Sequence[Finding]) -> Conclusion:
    outcome = CaseOutcome(findings)
    outcome.worker_died()
    return outcome.conclusion


def _causes(diagnosis: object) -> tuple[Mapping[str, Any], ...]:
    """A diagnosis in any plain form as a tuple of causes; a bare sentence becomes one cause."""
    if diagnosis is None:
        return ()
    if isinstance(diagnosis, Mapping):
        causes = diagnosis.get("causes")
        return _causes(causes) if isinstance(causes, list) else (diagnosis,)
    if isinstance(diagnosis, list):
        return tuple(cause if isinstance(cause, Mapping) else {"cause": str(cause)} for cause in diagnosis)
    return ({"cause": str(diagnosis)},)


def _spans(leg: str, events: list[Event]) -> Iterator[MarkSpan]:
    """A mark is said again every 200 ms while it lasts, and ended once; without an end it lasts to the last pulse."""
    heard: dict[int, list[MarkHeard]] = {}
    last_pulse = 0.0
    for event in events:
        if isinstance(event, MarkHeard):
            run = heard.setdefault(event.mark, [])
            if run and event.began > run[-1].at + 0.5:  # a new stretch whose predecessor was never said to end
                yield _span(leg, run, run[-1].at)
                run.clear()
            run.append(event)
        elif isinstance(event, MarkEnded) and (ended := heard.pop(event.mark, None)):
            yield _span(leg, ended, event.at)
        elif isinstance(event, Listened):
            last_pulse = event.at
    for run in heard.values():
        yield _span(leg, run, max(run[-1].at, min(last_pulse, run[-1].at + 0.2)))


def _span(leg: str, run: list[MarkHeard], ended: float) -> MarkSpan:
    first = min(event.began for event in run)
    return MarkSpan(
        leg,
        run[0].mark,
        first,
        max(ended, first),
        sum(event.level_dbov for event in run) / len(run),
        max(event.quality for event in run),
    )
