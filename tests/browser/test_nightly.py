"""The page of the last nights as its readers see it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.case.verdict import Verdict
from harness.report import matrix
from harness.report.history import Cause, Night, Problem, Result, Run
from harness.report.nightly import page
from harness.report.nightly.alerts import AlertCause
from harness.report.nightly.compare import compare
from harness.report.nightly.problems import News
from harness.report.scope import UNKNOWN
from tests.browser.conftest import looks
from tests.browser.pages import two_nights

PROBLEM = Problem("TD-TRANSFER-WARM[x] at Berlin", "failed", Cause("no", "trunk", "Transfer fails"))
ROWS = ("TD-INBOUND", "TD-TRANSFER-WARM", "HOLD", "BUSY")


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty nights: one without a run, one of another scope, failures, a flaky case, something
    nobody could see.
    """
    seen, runs = [], []
    for number in range(30):
        began, name = 1.79e9 + 86400 * number, "" if number == 13 else f"run{number}"
        bad = {
            ("TD-TRANSFER-WARM", 20): "failed",
            ("BUSY", 11): "not observable",
            ("HOLD", 8): "broken",
        }
        results = tuple(
            Result(f"{row}[x]", "talkdesk", row, Verdict(bad.get((row, number), "passed")), 1, 4.0)
            for row in ROWS
        )
        seen.append(
            Night(
                series="acme",
                began=began,
                ended=began + 900,
                code=0,
                run=name,
                problems=(PROBLEM,),
            )
        )
        if name and number != 2:
            figures = {row: {"answer_s": 1 + number % 5, "rtp_loss": 0.01} for row in ROWS}
            changed = ("limits.calls: 5 → 7",) if number == 25 else ()
            runs.append(
                Run(
                    name,
                    began,
                    "acme",
                    "Berlin",
                    "k",
                    results=results,
                    kpis=figures,
                    changed=changed,
                )
            )
    path = tmp_path_factory.mktemp("nights") / page.FILE
    reports = [path.with_name(f"run{number}") / "report.html" for number in (28, 29)]
    for report in reports:  # the evidence of older nights is gone
        report.parent.mkdir()
        report.write_text("the report")
    failed = tuple(
        dataclasses.replace(one, verdict=Verdict.FAILED, cause="Transfer fails")
        for one in runs[-1].results
    )
    cause = AlertCause(
        headline="Transfer fails: the platform says no",
        problems=(PROBLEM,),
        fix="Allow it.",
        owner="trunk",
        explain="harness explain run29 HOLD",
        standing="new",
    )
    news = News(
        new=(PROBLEM,),
        gone=(Problem("BUSY[x] at Berlin", "failed", Cause("busy", title="Busy is not shown")),),
        unverified=(Problem("HOLD[x] at Berlin", "failed"),),
    )
    plain = {
        "title": "The caller holds and resumes",
        "deployment": "acme",
        "axes": {"transport": "udp"},
    }
    tables = matrix.tables(
        UNKNOWN, [({"row": "HOLD", **plain}, "failed"), ({"row": "BUSY", **plain}, "passed")]
    )
    news_since = compare([runs[-2]], [dataclasses.replace(runs[-1], results=failed)])
    page.write(path, seen, [runs], [cause], news, news_since, tables)
    return path


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a night in which a row failed for another cause than the night before."""
    return two_nights(tmp_path_factory.mktemp("changed"))


@looks
def test_page_has_no_accessibility_problem(nights: Path, look: Any, how: Mapping[str, Any]) -> None:
    with look(nights, **how) as looked:
        assert looked.page.locator("td.cell").count() == 30 * len(ROWS)
        assert looked.page.locator("td.cell.failed [aria-hidden]").inner_text() == "✕"
        assert looked.page.get_by_text("limits.calls: 5 → 7").is_visible()
        assert looked.page.locator("th.day").get_by_text("*").count() == 1
        assert (
            looked.page.locator("table.matrix a")
            .first.get_attribute("href")
            .startswith("run29/report.html#row=HOLD")
        )
        assert looked.page.locator("figure svg[role=img]").count() == 2 * len(ROWS)
        for said in (
            "Transfer fails: the platform says no",
            "Allow it.",
            "trunk",
            "harness explain run29 HOLD",
            "new",
        ):
            assert (
                looked.page.locator("article.problem")
                .get_by_text(said, exact=False)
                .first.is_visible()
            )
        assert looked.page.locator("th.day a").evaluate_all(
            "links => links.map(link => link.getAttribute('href'))"
        ) == [
            "run28/report.html",
            "run29/report.html",
        ]
        tops = [
            looked.page.get_by_role("heading", name=name).bounding_box()["y"]
            for name in ("What has changed", "What is wrong", "The matrix of the last night")
        ]
        assert tops == sorted(tops)
        assert looked.violations() == []
        assert looked.overflows() <= 0
        assert looked.complaints == []
        assert len(looked.requests) == 1


def test_thirty_nights_print_on_a_page_s_width(nights: Path, look: Any) -> None:
    with look(nights, width=1047, height=740) as looked:  # A4, landscape, less its margins
        looked.page.emulate_media(media="print")
        assert looked.overflows() <= 0
        right = "cells => Math.max(...cells.map(cell => cell.getBoundingClientRect().right))"
        assert looked.page.locator("td, figure").evaluate_all(right) <= 1047


@pytest.mark.parametrize("width", [1400, 768, 390])
def test_night_whose_cause_changed_begins_with_the_new_cause_and_its_owner(
    changed: Path, look: Any, width: int
) -> None:
    with look(changed, width=width, height=1000) as looked:
        page = looked.page
        said = page.locator("section", has=page.get_by_role("heading", name="What has changed"))
        words = " ".join(said.inner_text().split())
        assert "1 new cause (15 cases), platform routing" in words
        assert "Caller ID missing: the AI is shown the line's number, owner" in words
        assert "2 gone (46 cases)" in words
        assert "1 known" in words
        assert said.bounding_box()["y"] < page.locator("table.matrix").first.bounding_box()["y"]
        assert page.get_by_text("known: AI-7, Ana Cruz, until 2099-12-31").first.is_visible()
        assert looked.violations() == []
        assert looked.overflows() <= 0
