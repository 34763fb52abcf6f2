"""What is handed on: a case or all of them as a ZIP that plays anywhere, and the table of all cases
as CSV.

Both are masked whatever the deployment is, since they are made to be sent to somebody.
"""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from harness.case.log import ADDED, CASE, EVENTS
from harness.case.verdict import NEVER_REPORTED
from harness.errors import MistakeError
from harness.report import html, pcap
from harness.report.evidence import CaseEvidence, PlainCase
from harness.report.hearing import draw
from harness.report.markup import in_words, printable, said_besides
from harness.report.run_directory import CASES, RunEvidence
from harness.report.summary import summarise
from harness.support.files import json_file, user_files, whole_file
from harness.support.files.own_directories import Scratch
from harness.support.mask import mask_name, mask_plain, mask_text

ALL = "all"
TABLE = "report.csv"
_TEXTS = {".txt", ".csv", ".md", ".html", ".svg", ".json", ".xml", ".log"}
#: What of a run's summary may hold numbers.
_WORDS = (
    "passed_on_retry", "tried_before", "planned", "left_out", "unverified", "required_missing", "broke", "deployments",
)  # fmt: skip
#: How a spreadsheet knows a formula by its first character (OWASP, CSV injection).
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")

_README = """\
Open report.html in any browser: it needs nothing else and plays the calls. Each directory holds one case: capture.pcapng is for
Wireshark, the WAV files are what each leg received and sent. Telephone numbers and digest answers are masked.
"""


def zipped(directory: Path, which: str) -> Path:
    """Bundle one case (its id, or a part of it that only it has), or ``all``. Returns the ZIP's
    path.
    """
    run = RunEvidence.read(directory)
    chosen = _chosen(run.cases, which, directory)
    path = directory / bundle_name(ALL if which == ALL else chosen[0].directory.name)
    with Scratch() as scratch:
        home = scratch.path / "bundle"
        home.mkdir()
        copies = []
        for case in chosen:
            target = home / CASES / mask_name(case.directory.name)
            copies.append(_masked_copy(case, target))
        _write_report(home / "report.html", run, copies, whole=which == ALL)
        whole_file.write(home / "README.txt", _README)
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for file in sorted(home.rglob("*")):
                archive.write(file, file.relative_to(home))
    return path


def bundle_name(which: str) -> str:
    """The file name of the bundle of a case, by its directory's name, or of :data:`ALL`."""
    label = re.sub(r"[^\w.+-]+", "_", mask_name(which))
    return f"report-{label}.zip"


def _write_report(
    path: Path, run: RunEvidence, copies: Sequence[CaseEvidence], *, whole: bool
) -> None:
    """The report of the copies, which says of the whole run what the run's own report says."""
    command = mask_text(run.end.command)
    made_of = {name: mask_text(command) for name, command in run.end.made_of.items()}
    end = replace(run.end, command=command, made_of=made_of)
    if whole:
        planned = [mask_plain(case) for case in run.planned]
        masked = replace(run, planned=planned, end=end, attempts=copies)
        summary = summarise(run)
        for words in _WORDS:
            setattr(summary, words, mask_plain(getattr(summary, words)))
    else:
        planned = [case.case for case in copies]
        scope = replace(run.scope, deployments=())
        alone = replace(end, workers=0, wall_s=0.0, interrupted="", broke=())
        masked = replace(run, planned=planned, end=alone, scope=scope, attempts=copies)
        summary = summarise(masked)
    html.write(path, masked, summary)


def _chosen(cases: Sequence[CaseEvidence], which: str, run: Path) -> list[CaseEvidence]:
    """The cases that are meant: all, the one of that id or directory, or the only one that has
    ``which`` in its name.
    """
    if which == ALL and cases:
        return list(cases)
    exact = [case for case in cases if which in (case.id, case.directory.name)]
    found = exact or [case for case in cases if which in case.id or which in case.directory.name]
    if not found:
        raise MistakeError(
            f"--zip {which}: no case of {run}; allowed: all, or a case's id or a part of it"
        )
    if len(found) > 1:
        ids = [case.id for case in found]
        if len(set(ids)) < len(ids):  # several sites ran one case: its directory says which
            ids = [case.directory.name for case in found]
        raise MistakeError(
            f"--zip {which}: more than one case is meant; allowed: all, or one of {', '.join(ids[:8])}"
        )
    return found


def _masked_copy(case: CaseEvidence, target: Path) -> CaseEvidence:
    """Copy a case's directory with masked text and masked file names; its capture and its
    pictures are made of the copy.
    """
    target.mkdir(parents=True)
    for file in case.directory.rglob("*"):
        if not file.is_file() or file.name == pcap.CAPTURE:  # which is made of the masked case
            continue
        copy = target / mask_name(str(file.relative_to(case.directory)))
        copy.parent.mkdir(parents=True, exist_ok=True)
        if file.name == EVENTS:
            whole_file.write(copy, "".join(_masked_lines(file)))
        elif file.name in (CASE, ADDED):
            plain = mask_plain(json_file.read(file))
            whole_file.write(copy, json.dumps(plain, indent=1))
        elif file.suffix in _TEXTS:
            whole_file.write(copy, mask_text(_text(file)))
        else:
            shutil.copyfile(file, copy)
    masked = CaseEvidence.read(target)
    pcap.capture(masked)
    draw(masked)
    return masked


def _text(file: Path) -> str:
    return user_files.read_text(file, user_files.EVIDENCE, "replace")


def _masked_lines(file: Path) -> Iterable[str]:
    """The events, masked; lines that are no event are left out."""
    for line in _text(file).splitlines():
        try:
            plain = json.loads(line)
            event = plain.get("event", {})
            is_recorded = event.get("kind") == "Recorded"
            if is_recorded:  # its paths are masked as the names of the copies are
                for key in ("path", "sent_path"):
                    if event.get(key):
                        event[key] = mask_name(event[key])
        # half a line of a worker that died, or another's
        except (ValueError, TypeError, AttributeError, RecursionError):
            continue
        masked = plain if is_recorded else mask_plain(plain)
        yield json.dumps(masked, separators=(",", ":")) + "\n"


def table(directory: Path) -> Path:
    """All cases as ``report.csv``: a line each, the last attempt; planned ones that left nothing,
    too. Returns its path.
    """
    run = RunEvidence.read(directory)
    path = directory / TABLE
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS)
    writer.writeheader()
    for cells in (*map(_cells, run.cases), *map(_cells_of_absent, run.absent)):
        writer.writerow({name: _shown(value) for name, value in cells.items()})
    # spreadsheets recognise UTF-8 by its mark alone
    whole_file.write(path, text.getvalue().encode("utf-8-sig"))
    return path


def _shown(value: object) -> str:
    return defused(mask_text(printable(str(value or ""))))


def defused(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


_NAMES = ("site", "deployment", "integration", "row")
COLUMNS = (
    *_NAMES, "case", "title", "verdict", "attempt", "strength", "cause", "owner", "fix", "also", "message", "began (UTC)", "seconds",
    "evidence",
)  # fmt: skip


def _cells(case: CaseEvidence) -> dict[str, object]:
    """A line of the table, by column."""
    return {name: case.case.get(name) for name in _NAMES} | {
        "case": case.id,
        "title": case.title,
        "verdict": case.verdict,
        "attempt": case.attempt,
        "strength": in_words(case.strength),
        "cause": case.cause,
        "owner": case.first_cause.get("owner"),
        "fix": case.first_cause.get("fix"),
        "also": "\n".join(map(said_besides, case.causes_besides)),
        "message": case.message,
        "began (UTC)": f"{datetime.fromtimestamp(case.began_wall, UTC):%Y-%m-%d %H:%M:%S}",
        "seconds": f"{case.wall_s:.2f}",
        "evidence": case.directory.name,
    }


def _cells_of_absent(case: PlainCase) -> dict[str, object]:
    said = {
        "case": case.get("id"),
        "verdict": NEVER_REPORTED.verdict,
        "message": NEVER_REPORTED.message,
    }
    return {name: case.get(name) for name in (*_NAMES, "title")} | said
