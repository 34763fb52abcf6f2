"""Files that others made of a run's calls (recordings, captures), added to its evidence when the run was over.

The evidence of the run itself is never changed: what a file adds to a case is in ``cases/CASE/witness.json``, and ``witnesses.json``
lists the files. A file itself is not copied, since it may hold other people's calls; its SHA-256 says which one it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

from typing_extensions import TypedDict

from harness.calls.events import FileEvent, MarkInFile
from harness.report.case_document import ADDED
from harness.report.evidence import CaseEvidence
from harness.report.rejudge import judged_with
from harness.report.run_directory import CASES, WITNESSES, AddedFile, read_witnesses
from harness.report.signoff import manifest
from harness.support.files import json_file, whole_file

VERSION: Final = 1


class WitnessesDocument(TypedDict):
    """``witnesses.json``: the files that others made, in the order in which they were added."""

    version: int
    files: list[AddedFile]


@dataclass(frozen=True)
class Told:
    """What one file shows of the cases of a run."""

    file: str  #: its name
    sha256: str
    size: int  #: octets
    kind: Literal["recording", "capture"]
    events: Mapping[str, Sequence[FileEvent]]  #: by the name of a case's directory
    unmatched: Sequence[str]  #: what in it is of no case of the run, in words


def add(run: Path, told: Iterable[Told]) -> list[str]:
    """Add what the files show, and judge the cases again that they are about; the names of these cases' directories.

    A file that was added before is read anew. The manifest gets the digests of what was added, and no others.
    """
    known = {one["sha256"]: one for one in read_witnesses(run)}
    fresh = {one.sha256: one for one in told}
    now = datetime.now(UTC).isoformat(timespec="seconds")
    for one in fresh.values():
        known[one.sha256] = {
            "file": one.file,
            "sha256": one.sha256,
            "size": one.size,
            "kind": one.kind,
            "added": known[one.sha256]["added"] if one.sha256 in known else now,
            "cases": [name for name, events in one.events.items() if events],
            "unmatched": list(one.unmatched),
        }
    changed: list[Path] = [run / WITNESSES]
    for directory in sorted(path for path in (run / CASES).iterdir() if path.is_dir()):
        before = CaseEvidence.read(directory).log.added
        kept = [event for event in before if event.sha256 not in fresh]
        events = [*kept, *(event for one in fresh.values() for event in one.events.get(directory.name, ()))]
        if events or before:
            notes = [_note(event, known) for event in events]
            whole_file.write(directory / ADDED, json_file.text(judged_with(directory, events, notes)) + "\n")
            changed.append(directory / ADDED)
    document: WitnessesDocument = {"version": VERSION, "files": [*known.values()]}
    whole_file.write(run / WITNESSES, json_file.text(document) + "\n")
    manifest.renew(run, changed)
    return [path.parent.name for path in changed[1:]]


def _note(event: FileEvent, files: Mapping[str, AddedFile]) -> str:
    """What an event of a file says, with when the file was added."""
    added = f"{event.file}, added {files[event.sha256]['added']}"
    if not isinstance(event, MarkInFile):
        return f"{added}: a message from {event.source} to {event.destination}"
    if not event.heard_s:
        return f"{added}: covers {event.covered_s:.1f} s of {event.leg} without its mark {event.mark}"
    where = f"made at the {event.made_at}" if event.made_at in ("ai", "platform") else event.made_at
    return (
        f"{added}, {where}: has mark {event.mark} of {event.leg} for {event.heard_s:.1f} s from {event.file_s:.1f} s on"
    )
