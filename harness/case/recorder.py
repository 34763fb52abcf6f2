"""The writing side of a case's evidence: every fact reaches the disk the moment it is known.

``events.jsonl`` holds one object a line, with one key that says what it is (``format`` first;
``event``, ``scripted``, ``step``, ``step_end``, ``note``, ``attachment``). Each line is one
``write`` to a file opened for appending, unbuffered; what was recorded survives the death of the
process, and costs some 10 µs. ``case.json`` is written when the case begins and replaced as a whole
when it ends; a case without an ``end`` there is one whose worker died.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import shutil
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.audio.wav import as_flac
from harness.case.checks.finding import as_raised
from harness.case.events import Event, Expected, Recorded, SipMessage, to_plain
from harness.case.legs import EventLog
from harness.case.log import (
    ATTACHMENTS,
    CASE,
    DEPLOYMENT,
    EVENTS,
    VERSION,
    AttachmentEntry,
    FormatEntry,
    NoteEntry,
    ScriptedEntry,
    StepEndEntry,
    StepEntry,
)
from harness.case.verdict import CaseOutcome, Finding, Verdict, is_failure
from harness.errors import ResourceError
from harness.sip.message import Message
from harness.support.files import whole_file
from harness.support.mask import mask_name, mask_plain, mask_text

_SUFFIXES = {
    "text/plain": ".txt",
    "text/html": ".html",
    "text/csv": ".csv",
    "text/markdown": ".md",
    "application/json": ".json",
    "image/svg+xml": ".svg",
    "image/png": ".png",
    "audio/wav": ".wav",
}


class CaseRecorder:
    """Records one case into ``directory``; all methods are thread-safe and leave what they were
    given on disk.

    ``case`` is plain data: ``id``, ``row``, ``integration``, ``source``, ``title``,
    ``description``, ``link``, ``axes`` (name: value), ``site``, ``deployment``; with ``mask`` true,
    numbers are masked before they reach the disk.

    A full disk raises :class:`~harness.errors.ResourceError`, now and in every later call, so that
    a loss noticed by a thread without a waiter still breaks the case when it is closed.
    """

    def __init__(
        self, directory: Path, case: Mapping[str, object], outcome: CaseOutcome | None = None
    ) -> None:
        self.directory = directory
        self.outcome = (
            outcome if outcome is not None else CaseOutcome()
        )  #: what its findings make of the case
        self.events = EventLog()  #: as they were recorded: the diagnosis is made of them
        self._masked = bool(case.get("mask"))
        self._lock = threading.Lock()
        self._references: dict[
            int, str | int
        ] = {}  #: by the id of an event: its number, or its place among the events
        self._message_count = 0
        self._steps = threading.local()
        self._step_count = 0
        self._attachment_count = 0
        self._attached: set[Path] = set()  #: files that are where they were made
        self._size = self._crc = 0
        self._fault: ResourceError | None = None
        self._closed = False
        #: When the case began, monotonic.
        self.began = time.monotonic()
        self._case: dict[str, Any] = {
            **(mask_plain(case) if self._masked else case),
            "began": self.began,
            "began_wall": time.time(),
            "pid": os.getpid(),
        }
        with self._disk():
            directory.mkdir(parents=True, exist_ok=True)
            self._file = os.open(
                directory / EVENTS,
                os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC,
                0o644,
            )
            self._events_file = whole_file.written(directory / EVENTS)
            self._write_case()
        version: FormatEntry = {"version": VERSION}
        self._append({"format": version})

    def event(self, event: Event) -> None:
        """Record a fact. SIP messages are numbered ``m1``, ``m2`` … in the order they get here."""
        plain = to_plain(event)
        if isinstance(event, Expected):
            plain["given"] = self._referring(event.given)
        if isinstance(event, Recorded):
            plain |= {
                key: self._own_name(plain[key]) for key in ("path", "sent_path") if plain[key]
            }
        with self._lock:
            self._references[id(event)] = len(self.events)
            self.events.add(event)  # which keeps its id from being used again
            if isinstance(event, SipMessage):
                self._message_count += 1
                plain["number"] = self._references[id(event)] = f"m{self._message_count}"
            self._append_locked({"event": plain})

    def number(self, message: SipMessage) -> str | None:
        """The number a recorded message has in every report, for a finding to name it; None when it
        is not recorded.
        """
        with self._lock:
            known = self._references.get(id(message)) or self._reference_to(
                lambda event: event == message
            )
        return None if known is None else str(known)

    def _reference_to(self, is_meant: Callable[[SipMessage], bool]) -> str | int | None:
        """The number of the first recorded message that is meant."""
        for message in self.events.of(SipMessage):
            if is_meant(message):
                return self._references[id(message)]
        return None

    def finding(self, finding: Finding) -> None:
        """Count a finding in; it is written with the end of the case."""
        self.outcome.add(finding)

    def raised(self, finding: Finding) -> None:
        """Record the finding that an exception carried."""
        self.event(as_raised(finding))
        self.finding(finding)

    def _referring(self, value: Any) -> Any:
        """The value, where each event and SIP message in it became a reference to the line that has
        it.
        """
        match value:
            case Event():
                return {"event": self._reference(value)}
            case Message():
                text = value.raw.decode("utf-8", "surrogateescape")
                with self._lock:
                    known = self._reference_to(lambda event: event.text == text)
                return {"event": known} if known else text
            case Mapping():
                return {key: self._referring(item) for key, item in value.items()}
            case list():
                return [self._referring(item) for item in value]
        return value

    def _reference(self, event: Event) -> str | int | dict[str, Any]:
        """The number of a message, the place of another event among the events; an event that is
        not recorded itself, whole.
        """
        if isinstance(event, SipMessage) and (number := self.number(event)):
            return number
        line = self._references.get(id(event))
        return to_plain(event) if line is None else line

    def scripted(self, seconds: float, why: str, *, began: float | None = None) -> None:
        """Record time the case waits on purpose (a ring timeout, the listening a verdict needs), in
        seconds.

        It ``began`` at that moment (``time.monotonic()``), or is over now.
        """
        now = time.monotonic()
        entry: ScriptedEntry = {
            "at": now,
            "began": now - seconds if began is None else began,
            "seconds": seconds,
            "why": why,
        }
        self._append({"scripted": entry})

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[None]:
        """A part of the case; steps nest within their thread. An exception that leaves it marks it,
        and goes on.
        """
        stack: list[int] = self._steps.__dict__.setdefault("stack", [])
        with self._lock:
            self._step_count += 1
            step = self._step_count
            parent = stack[-1] if stack else None
            began: StepEntry = {
                "id": step,
                "parent": parent,
                "title": title,
                "began": time.monotonic(),
            }
            self._append_locked({"step": began})
        stack.append(step)
        error: BaseException | None = None
        try:
            yield
        except BaseException as raised:
            error = raised
            raise
        finally:
            stack.remove(step)
            ended: StepEndEntry = {"id": step, "ended": time.monotonic()}
            if error is not None:
                ended |= {
                    "error": type(error).__name__,
                    "message": str(error),
                    "failed": is_failure(error),
                }
            try:
                self._append({"step_end": ended})
            except ResourceError:
                if (
                    error is None
                ):  # otherwise it waits for close(), rather than hide what went wrong first
                    raise

    def deployment(self, plain: Mapping[str, Any]) -> None:
        """Keep the deployment as the case has it; without secrets."""
        with self._disk():
            text = json.dumps(mask_plain(plain) if self._masked else plain, default=str)
            whole_file.write(self.directory / DEPLOYMENT, text)

    def note(self, text: str) -> None:
        """Record a sentence for the reader of the report."""
        entry: NoteEntry = {"at": time.monotonic(), "text": text}
        self._append({"note": entry})

    def guessed(self) -> None:
        """Record that it is a guess that a call was this case's: what it found does not count
        beside another attempt.
        """
        self._case["guessed"] = True

    def attach(self, name: str, content: Path | str, mime: str) -> None:
        """Add a file, or a text, to the evidence. A file outside the case's directory is copied
        into it.
        """
        with self._lock:
            self._attachment_count += 1
            count = self._attachment_count
        if isinstance(content, Path) and content.is_relative_to(self.directory):
            path = self._own_name(str(content))
            self._attached.add(self.directory / path)
        else:
            suffix = content.suffix if isinstance(content, Path) else _SUFFIXES.get(mime, ".bin")
            stem = re.sub(r"[^\w.-]+", "-", mask_name(name) if self._masked else name).strip("-")[
                :60
            ]
            target = (
                self.directory
                / ATTACHMENTS
                / f"{count:02}-{stem}{'' if stem.endswith(suffix) else suffix}"
            )
            with self._disk():
                target.parent.mkdir(exist_ok=True)
                if isinstance(content, Path):
                    shutil.copyfile(content, target)
                else:
                    text = mask_text(content) if self._masked else content
                    whole_file.write(target, text.encode("utf-8", "backslashreplace"))
            path = str(target.relative_to(self.directory))
        entry: AttachmentEntry = {"at": time.monotonic(), "name": name, "path": path, "mime": mime}
        self._append({"attachment": entry})

    @property
    def is_whole(self) -> bool:
        """Whether its events are on disk as they were recorded."""
        return not self._changed()

    def _changed(self) -> str:
        file = self._events_file._replace(size=self._size, crc=self._crc)
        return whole_file.changed(self.directory / EVENTS, file)

    def close(self, verdict: Verdict, message: str, diagnosis: Any = None) -> None:
        """End the case, with the plain form of its diagnosis (readers also take a list of causes).
        The recordings of a passed one become FLAC.

        Raises the :class:`ResourceError` that any earlier call met, or one for events that others
        have changed; the case then stands on disk without an end.
        """
        with self._lock:
            if self._closed:
                return
            self._closed = True
            with self._disk():
                os.close(self._file)
            if self._fault is None and (what := self._changed()):
                self._fault = ResourceError(f"{self.directory / EVENTS}: {what} during the case")
        if verdict is Verdict.PASSED:
            for path in {*self.directory.glob("*.wav")} - self._attached:
                as_flac(path)
        self.amend(verdict, message, diagnosis)

    def amend(self, verdict: Verdict, message: str, diagnosis: Any = None) -> None:
        """Replace the end of a closed case: something went wrong after it. Raises as :meth:`close`
        does.
        """
        if self._fault is not None:
            raise self._fault
        end: dict[str, Any] = {
            "verdict": verdict,
            "message": message,
            "diagnosis": diagnosis,
            "findings": [finding.plain() for finding in self.outcome.findings],
            "troubles": [
                {
                    "verdict": one.verdict,
                    "message": one.message,
                    "finding": one.finding,
                    "trace": one.trace,
                }
                for one in self.outcome.troubles
            ],
            "at": time.monotonic(),
        }
        with self._disk():
            self._write_case(end=mask_plain(end) if self._masked else end)

    def written(self) -> dict[str, whole_file.Written]:
        """The files of a case that has ended, by name; empty where its evidence is not whole."""
        if self._fault is not None or not self._closed:
            return {}
        with self._disk():
            case = whole_file.written(self.directory / CASE)
        return {EVENTS: self._events_file._replace(size=self._size, crc=self._crc), CASE: case}

    def _write_case(self, **more: object) -> None:
        whole_file.write(
            self.directory / CASE, json.dumps({**self._case, **more}, default=str) + "\n"
        )

    def _own_name(self, path: str) -> str:
        """``path`` as seen from the case's directory; the file is renamed when its name holds a
        number to mask.
        """
        file = Path(path)
        if not file.is_relative_to(self.directory):
            return path
        if self._masked and (name := mask_name(file.name)) != file.name and file.exists():
            file = file.rename(file.with_name(name))
        return str(file.relative_to(self.directory))

    def _append(self, line: Mapping[str, Any]) -> None:
        with self._lock:
            self._append_locked(line)

    def _append_locked(self, line: Mapping[str, Any]) -> None:
        if self._fault is not None:
            raise self._fault
        if (
            self._closed
        ):  # a phone's last event may come after the verdict; nothing was judged by it
            return
        plain = (
            {kind: self._masked_line(kind, value) for kind, value in line.items()}
            if self._masked
            else line
        )
        raw = json.dumps(plain, default=str, separators=(",", ":")).encode() + b"\n"
        with self._disk():
            rest = memoryview(raw)
            try:
                while rest:  # a nearly full disk takes a part and only then says so
                    rest = rest[os.write(self._file, rest) :]
            except OSError:
                with contextlib.suppress(OSError):
                    os.ftruncate(self._file, self._size)  # no torn line amid the evidence
                raise
        self._size += len(raw)
        self._crc = zlib.crc32(raw, self._crc)

    @staticmethod
    def _masked_line(kind: str, value: Any) -> Any:
        if kind == "event" and value["kind"] == Recorded.__name__:
            return value  # its paths are masked already, together with the files they name
        return mask_plain(value)

    @contextlib.contextmanager
    def _disk(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            what = (
                "the disk is full"
                if error.errno in (errno.ENOSPC, errno.EDQUOT)
                else str(error.strerror or error)
            )
            self._fault = ResourceError(f"{self.directory}: evidence cannot be written: {what}")
            raise self._fault from error
