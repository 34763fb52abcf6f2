"""``python -m tools.selfproof.views RUN``: whether every view of each failure says its cause, its
fix and its owner.

RUN is one of the self-proof's (``reports/selfproof/*``; ``--fault guides`` makes one of each fault
of the guides). Each of its trials has a system of its own, so its views are made as of a run of
that case alone, and looked at as their readers do: the report in Chromium, the terminal and
``harness explain`` as text, JUnit, Allure's results, the sign-off and the table. Prints what is
missing where; the exit code is 1 when anything is.
"""

from __future__ import annotations

import csv
import html
import io
import json
import re
import shutil
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Page, sync_playwright
from rich.console import Console
from typer.testing import CliRunner

from harness.case.verdict import Verdict
from harness.report import bundle, scope, signoff, terminal
from harness.report.evidence import CaseEvidence
from harness.report.run import remake
from harness.report.run_directory import ALLURE, CASES, RunEnd, read_cases, write_end
from harness.run.cli.app import application
from tools import CHROMIUM


def main(arguments: list[str]) -> int:
    """Make every view of every failure, look at each, print what is missing."""
    run = Path(arguments[0]).resolve()
    failed = [case for case in read_cases(run) if case.verdict is Verdict.FAILED]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        missing = [line for case in failed for line in _missing(case, run, page)]
        browser.close()
    print("\n".join([*missing, f"{len(failed)} failures: {len(missing)} things missing"]))
    return 1 if missing or not failed else 0


def _missing(case: CaseEvidence, run: Path, page: Page) -> Iterator[str]:
    """A line for each thing that a view does not say of the case."""
    first = case.diagnosis[0] if case.diagnosis else {}
    with tempfile.TemporaryDirectory() as directory:
        views = {
            name: _plain(text)
            for name, text in _views(case, run, Path(directory) / "run", page).items()
        }
    for key in ("cause", "fix", "owner"):
        words = _plain(str(first.get(key) or ""))
        for name, text in views.items():
            if not words or words not in text:
                yield f"{name}: {case.id}: no {key}: {words or 'the diagnosis names none'}"


def _plain(text: str) -> str:
    return " ".join(text.split())


def _views(case: CaseEvidence, run: Path, alone: Path, page: Page) -> dict[str, str]:
    """What each view of a run of that case alone says, as text."""
    shutil.copytree(case.directory, alone / CASES / case.directory.name)
    shutil.copyfile(run / scope.FILE, alone / scope.FILE)
    write_end(
        alone, [case.case], RunEnd(workers=1, wall_s=case.wall_s, allure_results=alone / ALLURE)
    )
    finished = remake(alone)
    document = signoff.seal(finished.evidence).read_text(encoding="utf-8")
    console = Console(width=100, height=60, record=True, file=io.StringIO())
    terminal.show(finished.summary, finished.groups, console, run=alone)
    return {
        "report": _report(page, finished.report),
        "terminal": console.export_text(),
        "explain": CliRunner().invoke(application(), ["explain", str(alone), case.id]).output,
        "junit": "".join(
            text for one in ET.parse(finished.junit).iter("failure") for text in one.itertext()
        ),
        "allure": _allure(alone / ALLURE),
        "sign-off": html.unescape(re.sub(r"<[^>]+>", " ", document)),
        "csv": " ".join(_table(bundle.table(alone))),
    }


def _allure(results: Path) -> str:
    """The message of the only result."""
    (result,) = [
        json.loads(path.read_text(encoding="utf-8")) for path in results.glob("*-result.json")
    ]
    return str(result["statusDetails"]["message"])


def _table(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        for line in csv.DictReader(file):
            yield from line.values()


def _report(page: Page, report: Path) -> str:
    """What stands on top of the case when it is opened."""
    page.goto(report.as_uri())
    page.locator("#count", has_text="of").wait_for()
    page.locator("details.case > summary").click()
    return str(page.locator("details.case .why").inner_text())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
