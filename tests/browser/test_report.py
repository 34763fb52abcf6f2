"""The report as its readers see it: in Chromium, by keyboard, in the dark, on a telephone, on
paper.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.case.verdict import Verdict
from harness.report import html, processes
from harness.report.acknowledged import Acknowledged, Acknowledgement
from harness.report.evidence import CaseEvidence
from harness.report.html import CasePage
from harness.report.run_directory import RunEnd, RunEvidence, read_cases
from harness.report.scope import UNKNOWN
from harness.report.standing import Past
from harness.report.summary import summarise
from tests.browser.conftest import looks

listed = html._listed

#: The cursors follow the recording with its next "timeupdate", some four times a second.
CURSORS_MOVED = """() => {
    const body = document.querySelector("details.case[open] .body");
    const place = (cursor, name) => parseFloat(body.querySelector(cursor).getAttribute(name));
    const left = parseFloat(body.querySelector("svg.timeline").dataset.left);
    return place("svg.timeline .cursor", "x1") > left && place("svg.ladder .cursor", "y1") > 0;
}"""


def failed_case(run: Path, row: str) -> CaseEvidence:
    return next(case for case in read_cases(run) if case.row == row and case.verdict == "failed")


@looks
def test_page_has_no_accessibility_problem(run: Path, look: Any, how: Mapping[str, Any]) -> None:
    with look(run / "report.html", **how) as looked:
        assert looked.violations() == []
        looked.page.locator("details.case summary").first.click()
        looked.page.locator("details.case .body h4").first.wait_for()
        assert looked.violations("details.case[open]") == []
        assert looked.overflows() == 0
        assert looked.complaints == []


def test_cause_and_fix_of_a_failed_case_are_seen_without_scrolling(run: Path, look: Any) -> None:
    case = failed_case(run, "TD-INBOUND")
    fix = str(case.diagnosis[0]["fix"]).replace("`", "")  # which stand as code
    with look(run / "report.html") as looked:
        for words in (case.cause, fix):
            box = looked.page.locator("#causes").get_by_text(words).bounding_box()
            assert box["y"] + box["height"] <= 800, words
    with look(run / "report.html", hash=f"#{CasePage.of(case, run, '').key}") as looked:
        body = looked.page.locator("details.case[open] .body").first
        below = body.locator(".why + h4")
        assert below.inner_text() == "Seen and heard", "directly under the cause"
        for words in (case.cause, fix, case.findings[-1].expected if case.findings else ""):
            box = body.get_by_text(words, exact=False).first.bounding_box()
            assert (
                0 <= box["y"] <= box["y"] + box["height"] <= 800
                or words == case.findings[-1].expected
            ), words


def test_matrix_stands_on_the_first_screen_and_its_cells_lead_to_their_cases(
    run: Path, look: Any
) -> None:
    with look(run / "report.html", width=1400, height=900) as looked:
        page = looked.page
        table = page.locator("table.matrix")
        heading = table.get_by_role("link", name="An outside call reaches the AI")
        assert heading.bounding_box()["y"] < 900
        assert table.get_by_text("takes long; run when asked for by name").first.is_visible(), (
            "why a row was not run"
        )
        cell = table.locator("tr", has_text="TD-INBOUND").locator("td a.m-failed").first
        count = int(cell.locator(".sr").inner_text().split()[1])
        cell.click()
        page.wait_for_function(
            f"document.getElementById('count').textContent.startsWith('{count} of')"
        )
        visible = [d for d in page.locator("details.case").all() if d.is_visible()]
        assert len(visible) == count
        assert {d.get_attribute("data-row") for d in visible} == {"TD-INBOUND"}
        page.keyboard.press("ArrowDown")  # from cell to cell, as far as there is one
        assert (
            page.evaluate("document.activeElement.closest('tr').querySelector('small').textContent")
            != "TD-INBOUND"
        )


def test_rows_that_passed_are_folded_until_they_are_chosen(run: Path, look: Any) -> None:
    with look(run / "report.html") as looked:
        passed = looked.page.locator("details.case[data-verdict=passed]").first
        assert not passed.is_visible()
        looked.page.locator("select[name=verdict]").select_option("passed")
        passed.locator("summary").wait_for()
        looked.page.get_by_role("button", name="Clear").click()
        looked.page.wait_for_function(
            "!document.querySelector('details.group:not([data-open])').open"
        )


def test_a_search_finds_call_ids_numbers_and_message_text(run: Path, look: Any) -> None:
    case = failed_case(run, "TD-INBOUND")
    (leg, *_) = CasePage.of(case, run, "").legs
    call_id = leg.facts["Call-ID"]
    with look(run / "report.html") as looked:
        search = looked.page.get_by_role("searchbox")
        count = looked.page.locator("#count")
        total = len(read_cases(run))
        search.fill(call_id)
        looked.page.wait_for_function(
            "document.getElementById('count').textContent.startsWith('1 of')"
        )
        (shown,) = [d for d in looked.page.locator("details.case").all() if d.is_visible()]
        assert shown.get_attribute("data-row") == "TD-INBOUND"
        assert f"q={call_id}" in looked.page.evaluate("location.href").replace("%40", "@")
        search.fill(leg.facts["number dialled"])
        looked.page.wait_for_function(
            "!document.getElementById('count').textContent.startsWith('0 of')"
        )
        search.fill("INVITE sip:")
        looked.page.wait_for_function(
            "!document.getElementById('count').textContent.startsWith('1 of')"
        )
        assert count.inner_text() != f"0 of {total} cases"
        search.fill("sip: INVITE")
        looked.page.wait_for_function(
            "!document.getElementById('count').textContent.startsWith('0 of')"
        )
        search.fill('"sip: INVITE"')  # as it stands, which it does nowhere
        looked.page.wait_for_function(
            "document.getElementById('count').textContent.startsWith('0 of')"
        )
        search.fill('"INVITE sip:" caller')
        looked.page.wait_for_function(
            "!document.getElementById('count').textContent.startsWith('0 of')"
        )
        search.fill("no such words anywhere")
        looked.page.wait_for_function(
            "document.getElementById('count').textContent.startsWith('0 of')"
        )


def test_filters_are_in_the_address(run: Path, look: Any) -> None:
    with look(run / "report.html") as looked:
        looked.page.get_by_label("row", exact=True).select_option("TD-INBOUND")
        looked.page.get_by_label("verdict").select_option("failed")
        address = looked.page.evaluate("location.href")  # page.url is told a moment later
        shown = looked.page.locator("#count").inner_text()
    with look(run / "report.html", hash="#" + address.partition("#")[2]) as looked:
        assert looked.page.locator("#count").inner_text() == shown
        visible = [d for d in looked.page.locator("details.case").all() if d.is_visible()]
        assert visible
        assert {d.get_attribute("data-row") for d in visible} == {"TD-INBOUND"}


def test_a_cause_leads_to_its_cases(run: Path, look: Any) -> None:
    with look(run / "report.html") as looked:
        link = looked.page.locator("#causes a[data-cause]").first
        count = int(link.inner_text().split()[0])
        link.click()
        looked.page.wait_for_function(
            f"document.getElementById('count').textContent.startsWith('{count} of')"
        )


def test_a_recording_plays_and_moves_the_cursor_through_time_line_and_ladder(
    run: Path, look: Any
) -> None:
    key = CasePage.of(failed_case(run, "TD-TRANSFER-BLIND"), run, "").key
    with look(run / "report.html", hash=f"#{key}") as looked:
        body = looked.page.locator("details.case[open] .body").first
        body.locator("audio").first.evaluate("audio => audio.play()")
        looked.page.wait_for_function(
            "document.querySelector('details.case[open] audio').currentTime > 0.3"
        )
        looked.page.wait_for_function(CURSORS_MOVED)


def test_a_passed_case_plays_its_recording(run: Path, browser: Any) -> None:
    """With the page's own Content-Security-Policy in force: nothing smaller was made of what
    passed, and no player had a sound.
    """
    case = next(case for case in read_cases(run) if case.verdict == "passed" and case.recordings)
    page = browser.new_page()
    page.goto((run / "report.html").as_uri() + f"#{CasePage.of(case, run, '').key}")
    player = page.locator("details.case[open] audio").first
    assert player.get_attribute("src").endswith(".flac")
    ended = player.evaluate(
        "audio => new Promise(told => { audio.onplaying = audio.onerror = event => told(event.type); audio.load(); audio.play(); })"
    )
    assert ended == "playing"
    page.close()


def test_a_link_opens_the_very_message(run: Path, look: Any) -> None:
    key = CasePage.of(failed_case(run, "TD-INBOUND"), run, "").key
    with look(run / "report.html", hash=f"#{key}") as looked:
        link = looked.page.locator("details[open] .pair a").first
        target = link.get_attribute("href").removeprefix("#")
        link.click()
        looked.page.wait_for_function(f"document.getElementById({json.dumps(target)}).open")
        assert "SIP/2.0" in looked.page.locator(f"[id='{target}'] pre").inner_text()


@pytest.mark.parametrize("width", [1400, 390])
@pytest.mark.parametrize("line", ["", "-m13"], ids=["case", "message"])
def test_opened_link_is_not_under_the_sticky_bars(
    run: Path, look: Any, width: int, line: str
) -> None:
    case = [one for one in read_cases(run) if one.row == "TD-INBOUND" and not one.passed][-1]
    key = CasePage.of(case, run, "").key + line
    with look(run / "report.html", width=width, hash=f"#{key}") as looked:
        page = looked.page
        page.locator("details.case[open] .body h4").first.wait_for()
        title = page.locator(f"[id={key!r}] > summary")
        page.wait_for_function("scrollY > 200")
        bars = page.locator("form.filters, details.group:has(.case[open]) > summary")
        ends = bars.evaluate_all("all => all.map(one => one.getBoundingClientRect().bottom)")
        assert max(ends) <= title.bounding_box()["y"] < 400


def test_a_passed_case_is_unpacked_when_it_is_opened_by_keyboard(run: Path, look: Any) -> None:
    with look(run / "report.html", hash="#verdict=passed") as looked:
        case = looked.page.locator("details.case:not([hidden])").first
        assert case.locator(".body").inner_text() == ""
        case.locator("summary").first.focus()
        looked.page.keyboard.press("Enter")
        case.locator(".body h4").first.wait_for()
        assert "SIP messages" in case.locator(".body").inner_text()


def test_search_is_reached_with_few_tab_stops(run: Path, look: Any) -> None:
    with look(run / "report.html") as looked:
        stops = 0
        while not looked.page.evaluate("document.activeElement.type === 'search'"):
            assert (stops := stops + 1) <= 12
            looked.page.keyboard.press("Tab")


def test_report_prints_completely(run: Path, look: Any) -> None:
    """One case of each cause, opened; no column is cut off at the width of A4 less its margins."""
    with look(run / "report.html", width=703, height=1000) as looked:
        looked.page.emulate_media(media="print")
        looked.page.evaluate("dispatchEvent(new Event('beforeprint'))")
        whole = looked.page.locator("details.case[open] .body .cause")
        assert whole.count() == looked.page.locator("#in-full details[open]").count() > 0
        assert looked.page.locator("details.case[open]:not([data-first])").count() == 0
        line = looked.page.locator("details.case[data-verdict=failed]:not([open]) .why-line").first
        assert line.is_visible(), "each other case is a line"
        cut = looked.page.evaluate(
            """[...document.querySelectorAll('details.case[open] .body *')]
               .filter(e => e.getClientRects().length && e.getBoundingClientRect().right > innerWidth + 1)
               .filter(e => !e.closest('svg') || e.tagName === 'svg')
               .map(e => e.tagName + '.' + e.className + ' ' + e.textContent.slice(0, 40))"""
        )
        assert cut == []
        assert looked.page.get_by_text("not asked for in this run").first.is_visible(), (
            "what was not verified, and why"
        )
        assert looked.page.locator(".why details li").first.is_visible(), "what shows the cause"
        broken = looked.page.evaluate(
            """[...document.querySelectorAll('details.case[open] thead th, details.case[open] td.num')]
               .filter(e => !/\\s/.test(e.innerText.trim()) && e.innerText.trim())
               .filter(e => { const range = document.createRange(); range.selectNodeContents(e);
                              return new Set([...range.getClientRects()].map(r => Math.round(r.top))).size > 1; })
               .map(e => e.innerText)"""
        )
        assert broken == [], "a word of a heading or a figure is broken in two"
        assert not looked.page.get_by_role("heading", name="SIP messages").first.is_visible(), (
            "none is open"
        )
        assert len(looked.page.pdf(format="A4")) > 20_000


def write_page(home: Path, cases: Sequence[CaseEvidence], past: Past | None = None) -> None:
    run = RunEvidence(
        home, [case.case for case in cases], RunEnd(workers=1, wall_s=1.0), UNKNOWN, cases
    )
    html.write(home / "report.html", run, summarise(run), past)


@pytest.mark.parametrize("width", [1400, 390])
def test_first_screen_says_what_is_new_and_what_is_known(
    run: Path, look: Any, tmp_path: Path, width: int
) -> None:
    copy = shutil.copytree(run, tmp_path / run.name)
    cases = read_cases(copy)
    first, *others = (case.key for case in cases if case.verdict is Verdict.FAILED)
    standings = {first: "new"} | dict.fromkeys(others, "failing since r1")
    write_page(copy, cases, Past(standings=standings, changed={"acme": ["limits.calls: 5 → 7"]}))
    with look(copy / "report.html", width=width) as looked:
        for said in (f"{len(others)} failing since r1", "1 new"):
            assert looked.page.locator("#causes").get_by_text(said).first.is_visible()
        assert looked.page.locator("details.case b").get_by_text("new", exact=True).is_visible()
        assert looked.page.get_by_text("limits.calls: 5 → 7").is_visible()
        assert (looked.violations(), looked.complaints) == ([], [])
        assert looked.overflows() <= 0


def test_known_cause_in_the_overview_keeps_the_run_s_name_whole(
    run: Path, look: Any, tmp_path: Path
) -> None:
    copy = shutil.copytree(run, tmp_path / run.name)
    cases = read_cases(copy)
    since = "failing since 20261130T041731Z-23017"
    standings = {case.key: since for case in cases if not case.passed}
    day = datetime.date(2099, 12, 31)
    entries = tuple(
        Acknowledgement(cause=str(case.diagnosis[0]["id"]), ticket="NET-12", owner="Ana", until=day)
        for case in cases
        if case.diagnosis
    )
    past = Past(standings=standings, acknowledged=Acknowledged(entries))
    write_page(copy, cases, past)
    with look(copy / "report.html", width=1400) as looked:
        cell = looked.page.locator(".overview td.standing").first
        assert "known: NET-12, Ana, until 2099-12-31" in cell.inner_text()
        name = cell.get_by_text("20261130T041731Z", exact=True)
        assert name.get_attribute("title") == "20261130T041731Z-23017"
        assert name.evaluate("one => one.getClientRects().length") == 1
        line = "one => one.offsetHeight / parseFloat(getComputedStyle(one).lineHeight)"
        assert cell.evaluate(line) < 5


def test_filtered_report_prints_completely(
    run: Path, look: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cases that do not stand in the page as they are, too."""
    copy = shutil.copytree(run, tmp_path / run.name)
    cases = read_cases(copy)
    monkeypatch.setattr(
        html,
        "_listed",
        lambda *given: [dataclasses.replace(task, inline=False) for task in listed(*given)],
    )
    write_page(copy, cases)
    chosen = "details.case:not([hidden])[data-verdict=failed]"
    with look(copy / "report.html", hash="#row=TD-INBOUND") as looked:
        count = looked.page.locator(chosen).count()
        looked.page.wait_for_function(
            f"document.querySelectorAll('{chosen} .body .cause').length === {count}"
        )
        looked.page.evaluate("dispatchEvent(new Event('beforeprint'))")
        assert count == looked.page.locator(f"{chosen}[open] .body .cause").count() > 0
        assert looked.page.locator("details.case[hidden] .body .cause").count() == 0


def test_report_fetches_nothing(run: Path, look: Any) -> None:
    with look(run / "report.html", hash="#verdict=failed") as looked:
        for summary in looked.page.locator("details.case:not([hidden]) > summary").all()[:5]:
            summary.click()
        assert {url.partition(":")[0] for url in looked.requests} <= {"file", "data", "blob"}
        assert sum(url.startswith("file:") for url in looked.requests) == 1


def test_page_of_three_thousand_cases_holds_only_their_list(
    run: Path, look: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {case.directory: CasePage.of(case, run, "") for case in read_cases(run)}
    made = {
        (path, linked): page.html(linked=linked)
        for path, page in known.items()
        for linked in (True, False)
    }

    def of_original(page: CasePage, *, linked: bool = False) -> str:
        return made[page.case.directory, linked].replace(known[page.case.directory].key, page.key)

    def of(case: CaseEvidence, home: Path, command: str) -> CasePage:
        return dataclasses.replace(known[case.directory], case=case, key=f"c{case.case['copy']}")

    monkeypatch.setattr(
        processes, "WORTH", 10_000
    )  # what is put in place here is in this process alone
    monkeypatch.setattr(CasePage, "html", of_original)
    monkeypatch.setattr(CasePage, "of", of)
    originals = [page.case for page in known.values()]
    failed = [case for case in originals if case.verdict == "failed"]
    passed = [case for case in originals if case.verdict == "passed"]
    cases = [
        dataclasses.replace(case, case={**case.case, "id": f"{case.id}#{index}", "copy": index})
        for index in range(3000)
        for case in [failed[index % len(failed)] if index < 300 else passed[index % len(passed)]]
    ]
    write_page(tmp_path, cases)
    for width in (768, 390):
        with look(tmp_path / "report.html", width=width) as looked:
            assert looked.page.locator(".overview tbody tr").first.is_visible()
            assert looked.overflows() <= 0
    with look(tmp_path / "report.html", width=1400, height=1000) as looked:
        looked.page.wait_for_function(
            "document.getElementById('count').textContent === '3000 of 3000 cases'"
        )
        assert looked.page.locator("#matrix").bounding_box()["y"] < 1000
        assert looked.overflows() <= 0
        # the page holds the list and no case's content, so that it opens soon
        assert looked.page.locator("details.case > .body *").count() == 0
        assert looked.page.locator("details.case > template").count() == 20
        assert looked.page.locator("details.case > script").count() == 0


def test_a_large_run_opens_its_cases_from_the_files_beside_it(
    run: Path, browser: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the page's own Content-Security-Policy in force, from a file: opened, searched, played."""
    monkeypatch.setattr(html, "MOST_WHOLE", 2)
    monkeypatch.setattr(html, "MOST_INLINE", 1)
    copy = shutil.copytree(run, tmp_path / run.name)
    cases = read_cases(copy)
    write_page(copy, cases)
    key = CasePage.of(failed_case(copy, "TD-TRANSFER-BLIND"), copy, "").key
    text = (copy / "report.html").read_text()
    (part,) = re.findall(rf'id="{re.escape(key)}"[^>]* data-part="(\w+)"', text)
    page = browser.new_page()
    complaints: list[str] = []
    page.on("console", lambda said: complaints.append(said.text))
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto((copy / "report.html").as_uri() + f"#{key}")
    page.locator("details.case[open] .body h4").first.wait_for()
    assert [url.rpartition("/")[2] for url in requests[1:2]] == [f"{part}.js"]
    page.locator("details.case[open] audio").first.dispatch_event("play")
    image = page.locator("details.case[open] svg.timeline image").first
    assert image.get_attribute("href").startswith("cases/")
    page.get_by_role("searchbox").fill("no such words anywhere")
    page.locator("#count", has_text="0 of").wait_for()
    assert all(url.startswith("file:") for url in requests)
    assert complaints == []
    page.close()


def test_large_run_without_its_files_says_so(
    run: Path, browser: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(html, "MOST_WHOLE", 2)
    cases = read_cases(run)
    write_page(tmp_path, cases)
    shutil.rmtree(tmp_path / html.PARTS)
    page = browser.new_page()
    page.goto((tmp_path / "report.html").as_uri() + "#verdict=passed")
    page.locator("details.case:not([hidden]) summary").first.click()
    page.get_by_text("report.parts is not beside this page").first.wait_for()
    page.close()
