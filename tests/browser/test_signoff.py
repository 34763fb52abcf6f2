"""The sign-off as its readers see it."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from harness.diagnosis.catalogue import causes
from harness.integrations import load
from harness.integrations.matrix import Selection, cases
from harness.report import acknowledged, signoff
from harness.report.acknowledged import Acknowledgement
from harness.report.signoff import attest
from tests.browser.conftest import looks
from tests.browser.pages import failing, whole_matrix
from tests.unit.conftest import DEPLOYMENT


@looks
def test_page_has_no_accessibility_problem(run: Path, look: Any, how: Mapping[str, Any]) -> None:
    with look(run / "signoff.html", **how) as looked:
        assert "NOT ACCEPTED" in looked.page.inner_text("body")
        assert looked.violations() == []
        assert looked.overflows() == 0
        assert looked.complaints == []
        assert len(looked.requests) == 1


def test_it_prints(run: Path, look: Any) -> None:
    with look(run / "signoff.html", width=695, height=1020) as looked:  # A4 less its margins
        looked.page.emulate_media(media="print")
        first = looked.page.locator("section.first")
        assert first.evaluate("page => page.offsetHeight") <= 1020, (
            "decision, matrix, waivers and signatures: one page"
        )
        assert first.locator("table.matrix").is_visible()
        assert looked.overflows() <= 0
        assert len(looked.page.pdf(format="A4")) > 10_000


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> signoff.Signed:
    """The signed document of all cases of three deployments, as HTML and PDF."""
    home = tmp_path_factory.mktemp("signed")
    attest.make_keys(home / "key.pem")
    return signoff.make(whole_matrix(home), key=home / "key.pem", customer="Example GmbH", pdf=True)


def text_of(pdf: Path | None, *options: str) -> str:
    """Its text layer, without white space, as far as pages go."""
    assert shutil.which("pdftotext"), "pdftotext: not there; apt-get install poppler-utils"
    command = ["pdftotext", "-raw", *options, str(pdf), "-"]
    return "".join(
        subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    )


def test_signatures_stand_on_the_first_page_of_three_deployments(signed: signoff.Signed) -> None:
    first = text_of(signed.pdf, "-l", "1")
    for said in (
        "ACCEPTED",
        "simulated-generic",
        "simulated-gladly",
        "Forthecustomer",
        "Signature",
    ):
        assert said in first


def test_text_of_the_pdf_is_that_of_the_page(signed: signoff.Signed, look: Any) -> None:
    """What did not fit was copied as another row's text."""
    compare_texts(signed, look)


def compare_texts(made: signoff.Signed, look: Any) -> None:
    """The PDF's text layer with what the HTML shows in print."""
    copied = text_of(made.pdf)
    with look(made.html, width=695, height=1020) as looked:
        looked.page.emulate_media(media="print")
        looked.page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        shown = looked.page.locator("main").inner_text()
        cut = looked.page.locator("main *").evaluate_all(
            "all => all.filter(one => getComputedStyle(one).textOverflow === 'ellipsis').length"
        )
    assert cut == 0
    lines = [line for line in ("".join(line.split()) for line in shown.splitlines()) if line]
    assert len(lines) > 100
    assert [line for line in lines if line not in copied] == []
    assert Counter("".join(lines)) - Counter(copied) == Counter()


#: Fifteen rows, each with a cause of its own; the causes with the longest titles.
ROWS = tuple(dict.fromkeys(case.row.id for case in cases([load(DEPLOYMENT)], Selection())))[:15]
CAUSES = dict(
    zip(ROWS, sorted(causes(), key=lambda name: -len(causes()[name].title)), strict=False)
)
WAIVER = """[[waiver]]
row = "{row}"
who = "Jane Doe, Head of Operations"
why = "The trunk is enlarged to 30 calls on 1 December, and the carrier confirms it."
until = {until}
"""


@pytest.mark.parametrize("deployments", ["simulated-talkdesk*", "simulated-*"])
@pytest.mark.parametrize("number", [0, 1, 15])
def test_first_page_lists_waived_causes_as_known_and_stays_whole(
    tmp_path: Path, look: Any, number: int, deployments: str
) -> None:
    """The rows of one deployment that fail are waived, and every second cause is acknowledged."""
    until = datetime.now(UTC).date()
    for cause in list(CAUSES.values())[::2]:
        known = Acknowledgement(cause=cause, ticket="NET-12", owner="Ana Cruz", until=until)
        acknowledged.add(tmp_path, known)
    rows = ROWS[:number]
    plays = {row: failing(CAUSES[row], "trunk", causes()[CAUSES[row]].title) for row in rows}
    (tmp_path / "w.toml").write_text("".join(WAIVER.format(row=row, until=until) for row in rows))
    run = whole_matrix(tmp_path, plays, deployments)
    made = signoff.make(run, waiver_file=tmp_path / "w.toml", pdf=True)
    compare_texts(made, look)
    with look(made.html, width=390, height=844) as looked:
        assert looked.violations() == []
        assert looked.overflows() <= 0
    first, whole = text_of(made.pdf, "-l", "1"), text_of(made.pdf)
    assert ("ACCEPTEDWITHWAIVERS" if number else "ACCEPTED(") in first
    assert "Forthecustomer" in first
    assert whole.count("Forthecustomer") == 1
    shown = min(number, 2)
    titles = ["".join(causes()[CAUSES[row]].title.split()) for row in rows]
    assert sum(title in first for title in titles) == shown
    assert first.count("JaneDoe") == shown
    assert ("waivedcause,notpassed" in first) is bool(number)
    assert all(title in whole.removeprefix(first) for title in titles)
    assert whole.removeprefix(first).count("JaneDoe") >= number
    assert first.count("known:NET-12,AnaCruz") + first.count("noticket") == shown
    assert first.count(f"and{number - shown}more:annex") == (2 if number > shown else 0)
    if number == 1:
        assert re.search(
            rf"{re.escape(titles[0])}known:NET-12,AnaCruz,until{until}platformadministrator\(trunk\)\d+failed",
            first,
        )


def test_pdf_is_tagged_for_screen_readers(signed: signoff.Signed) -> None:
    assert signed.pdf is not None
    info = subprocess.run(["pdfinfo", str(signed.pdf)], capture_output=True, text=True, check=True)
    assert re.search(r"^Tagged: +yes$", info.stdout, re.MULTILINE)
