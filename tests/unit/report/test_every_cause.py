"""Every cause that a diagnosis may name, in every view: what it is, how to fix it, and who owns it."""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Mapping
from html import unescape
from pathlib import Path
from typing import Any

from rich.console import Console

from harness.case.recorder import CaseRecorder
from harness.case.verdict import Verdict
from harness.diagnosis import Diagnosis
from harness.diagnosis.catalogue import causes, owner_in_words
from harness.diagnosis.result import Cause
from harness.integrations.matrix import Case, Selection, cases
from harness.report import signoff, terminal
from harness.report.evidence import CaseEvidence
from harness.report.html import CasePage
from harness.report.run import FinishedRun, remake
from harness.report.summary import summarise
from tests.unit import conftest as runs
from tests.unit.conftest import run_of


def diagnosed(name: str) -> Cause:
    """A cause, in the words of the catalogue."""
    said = causes()[name]
    return Cause(
        id=name,
        title=said.title,
        guide_issue=said.issue,
        fix=said.fix.format(platform="Talkdesk"),
        link="https://docs.example/guide",
        owner=said.owner,
        confidence="certain",
    )


def fails_of(
    name: str, fails: Any
) -> Callable[[Case, CaseRecorder], tuple[Verdict, str, Mapping[str, Any]]]:
    def play(case: Case, recorder: CaseRecorder) -> tuple[Verdict, str, Mapping[str, Any]]:
        return (*fails(case, recorder), Diagnosis(causes=(diagnosed(name),)).to_plain())

    return play


def ended(reports: Path) -> Iterator[FinishedRun]:
    """Runs with a case that failed by each cause."""
    rows = tuple(dict.fromkeys(case.row.id for case in cases([runs.live()], Selection())))
    names = list(causes())
    for begin in range(0, len(names), len(rows)):
        plays = {
            row: fails_of(name, runs.fails) for row, name in zip(rows, names[begin:], strict=False)
        }
        yield remake(runs.make_run(reports, rows=tuple(plays), plays=plays).directory)


class Views:
    """What each view of a run says of its cases."""

    def __init__(self, run: FinishedRun) -> None:
        self._run = run
        self._report = plain(text_of(run.report.read_text()))
        self._signoff = plain(text_of((run.directory / "signoff.html").read_text()))
        tests = ET.parse(run.junit).getroot().iter("testcase")
        self._failures = {test.get("name"): test.find("failure") for test in tests}

    def of(self, case: CaseEvidence) -> dict[str, str]:
        out = io.StringIO()
        summary = summarise(alone := run_of(case))
        terminal.show(
            summary,
            alone.groups,
            Console(file=out, width=80, color_system=None),
            run=self._run.directory,
        )
        lines = out.getvalue().splitlines()
        assert [
            line for line in lines if len(line) > 80 and not line.startswith("         why ")
        ] == []
        failure = self._failures[case.id]
        assert failure is not None
        return {
            "report": self._report,
            "case": plain(text_of(CasePage.of(case, self._run.directory, "").html())),
            "sign-off": self._signoff,
            "terminal": plain(out.getvalue()),
            "JUnit": plain(failure.text or ""),
        }


def text_of(page: str) -> str:
    """What a page says, without its tags; code stands between backticks, as in the catalogue."""
    words = re.sub(r"<(style|script).*?</\1>|<(?!/?code>)[^>]+>", " ", page, flags=re.DOTALL)
    return unescape(re.sub("</?code>", "`", words))


def plain(text: str) -> str:
    return " ".join(text.split())


def test_every_view_says_cause_fix_and_owner(tmp_path: Path) -> None:
    """Of each cause of the catalogue, whatever length its words have."""
    silent, seen = [], set()
    for run in ended(tmp_path):
        signoff.seal(run.evidence)
        said = Views(run)
        for case in run.evidence.cases:
            cause = diagnosed(str(case.diagnosis[0]["id"]))
            seen.add(cause.id)
            for view, text in said.of(case).items():
                wanted = (cause.title, cause.fix, owner_in_words(cause.owner))
                missing = [words for words in wanted if plain(words) not in text]
                silent += [(view, cause.id, words) for words in missing]
    assert silent == []
    assert seen == causes().keys()
