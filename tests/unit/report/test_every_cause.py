"""Every cause that a diagnosis may name, in every view: what it is, what mends it, and whose it is."""

from __future__ import annotations

import functools
import html as entities
import io
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from harness.calls.verdict import Verdict
from harness.diagnosis import Diagnosis
from harness.diagnosis.catalogue import causes
from harness.diagnosis.result import Cause
from harness.integrations.matrix import Case
from harness.report import allure, signoff, terminal
from harness.report.causes import grouped
from harness.report.evidence import CaseEvidence
from harness.report.html import CasePage
from harness.report.recorder import CaseRecorder
from harness.report.run import remake
from harness.report.run_directory import read_cases
from harness.report.summary import summarise
from harness.run.cli.app import application
from tests.unit.conftest import run_of

GUIDE = "https://docs.example/guide"


def diagnosed(name: str) -> Diagnosis:
    """A diagnosis of one cause, in the words of the catalogue."""
    said = causes()[name]
    fix = said.fix.format(platform="Talkdesk")
    cause = Cause(
        id=name,
        title=said.title,
        guide_issue=said.issue,
        fix=fix,
        link=GUIDE,
        owner=said.owner,
        confidence="certain",
        evidence=("what shows it (m1)",),
        because="The evidence says so.",
    )
    return Diagnosis(causes=(cause,))


def fails_of(name: str, fails: Any) -> Callable[[Case, CaseRecorder], tuple[Verdict, str, Mapping[str, Any]]]:
    def play(case: Case, recorder: CaseRecorder) -> tuple[Verdict, str, Mapping[str, Any]]:
        return (*fails(case, recorder), diagnosed(name).to_plain())

    return play


@dataclass(frozen=True)
class Failure:
    """A case that failed by one cause, in a run of which every view was made."""

    case: CaseEvidence
    run: Path


@pytest.fixture(scope="module")
def failures(tmp_path_factory: pytest.TempPathFactory, runs: ModuleType) -> dict[str, Failure]:
    """One of each cause."""
    rows = tuple(dict.fromkeys(case.row.id for case in runs.cases([runs.live()], runs.Selection())))
    names = list(causes())
    found: dict[str, Failure] = {}
    while names:
        by_row = dict(zip(rows, names, strict=False))
        del names[: len(by_row)]
        plays = {row: fails_of(name, runs.fails) for row, name in by_row.items()}
        run = runs.make_run(tmp_path_factory.mktemp("reports"), rows=tuple(by_row), plays=plays).directory
        signoff.seal(remake(run).evidence)
        found |= {by_row[case.row]: Failure(case, run) for case in read_cases(run)}
    return found


def of_the_report(failure: Failure) -> str:
    return text_of((failure.run / "report.html").read_text())


def of_the_opened_case(failure: Failure) -> str:
    return text_of(CasePage.of(failure.case, failure.run, "").html())


def of_the_signoff(failure: Failure) -> str:
    return text_of((failure.run / "signoff.html").read_text())


def of_allure(failure: Failure) -> str:
    """The message that stands above the steps."""
    results = failure.run / "allure-of-it" / failure.case.directory.name
    results.mkdir(parents=True)
    allure.write(failure.case, results)
    (result,) = results.glob("*-result.json")
    return str(json.loads(result.read_text())["statusDetails"]["message"])


def of_junit(failure: Failure) -> str:
    """What a CI view shows: the text of the failure itself."""
    cases = ET.parse(failure.run / "junit.xml").getroot().iter("testcase")
    (case,) = (case for case in cases if case.get("name") == failure.case.id)
    (problem,) = case.findall("failure")
    return problem.text or ""


def of_the_terminal(failure: Failure) -> str:
    """In 80 columns; lines that were wrapped for them are one again."""
    out = io.StringIO()
    console = Console(file=out, width=80, color_system=None)
    summary = summarise(run_of(failure.case))
    terminal.show(summary, grouped([failure.case]), console, run=failure.run)
    long = [line for line in out.getvalue().splitlines() if len(line) > 80 and not line.startswith("         why ")]
    assert long == []
    return out.getvalue()


@functools.cache
def command_line() -> typer.Typer:
    return application()


def of_explain(failure: Failure) -> str:
    return CliRunner().invoke(command_line(), ["explain", str(failure.case.directory)]).output


VIEWS = (of_the_report, of_the_opened_case, of_the_signoff, of_allure, of_junit, of_the_terminal, of_explain)


def text_of(page: str) -> str:
    """What a page says, without its tags; code stands between backticks, as in the catalogue."""
    words = re.sub(r"<(style|script).*?</\1>|<(?!/?code>)[^>]+>", " ", page, flags=re.DOTALL)
    return entities.unescape(re.sub("</?code>", "`", words))


def plain(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.__name__.removeprefix("of_"))
def test_every_view_says_cause_fix_and_owner(view: Callable[[Failure], str], failures: dict[str, Failure]) -> None:
    """Of each cause of the catalogue, whatever length its words have."""
    assert failures.keys() == causes().keys()
    silent = {}
    for name, failure in failures.items():
        (cause,) = diagnosed(name).causes
        text = plain(view(failure))
        missing = [words for words in (cause.title, cause.fix, cause.owner) if plain(words) not in text]
        if missing:
            silent[name] = missing
    assert silent == {}
