"""The report's first ten seconds: each cause a line, search, the matrix whole, and an address for
each cause and case.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.browser.conftest import looks
from tests.browser.pages import CAUSES, SIX, six_causes, whole_matrix

WIDTHS = pytest.mark.parametrize("width", [1400, 768, 390])

CAUSE = "cause-group-wrong-deployment-simulated-talkdesk"
#: Texts of the matrix that are cut, or stand outside of their table's window.
CUT = """() => [...document.querySelectorAll(".matrix td > *, .matrix .all > *")]
    .filter(one => one.getClientRects().length && one.textContent.trim())
    .filter(one => one.scrollWidth > one.clientWidth + 1
        || one.getBoundingClientRect().right > one.closest(".scroll").getBoundingClientRect().right + 1)
    .map(one => one.textContent)"""


@pytest.fixture(scope="module")
def green(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a run in which all cases of all platforms passed."""
    return whole_matrix(tmp_path_factory.mktemp("green")) / "report.html"


@pytest.fixture(scope="module")
def red(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a run in which Talkdesk has six causes."""
    return whole_matrix(tmp_path_factory.mktemp("red"), six_causes()) / "report.html"


@WIDTHS
def test_overview_has_a_line_for_each_cause_above_everything_else(
    red: Path, look: Any, width: int
) -> None:
    with look(red, width=width, height=1000) as looked:
        page = looked.page
        lines = page.locator(".overview tbody tr")
        assert lines.count() == CAUSES
        first = " ".join(lines.first.inner_text().split())
        for said in (
            "RTP does not get from the AI to the caller",
            "network",
            "45",
            "Send to network",
        ):
            assert said in first
        tops = [
            page.locator(part).bounding_box()["y"]
            for part in (".overview", "form.filters", "#matrix", "#in-full", "#cases")
        ]
        assert tops == sorted(tops)
        if width == 1400:
            end = lines.last.bounding_box()
            assert end["y"] + end["height"] < tops[1] < tops[2] < 1000, "all on the first screen"
            heights = lines.evaluate_all("rows => rows.map(row => row.offsetHeight)")
            assert max(heights) < 45, "a cause is a line"
        assert looked.overflows() <= 0


@pytest.mark.parametrize("width", [1400, 768])
def test_matrix_of_hundreds_of_cases_is_shown_whole(green: Path, look: Any, width: int) -> None:
    with look(green, width=width, height=1000) as looked:
        page = looked.page
        every = page.locator("details.case").count()
        assert every > 400
        assert f"{every} cases passed" in page.locator("h1").inner_text()
        page.locator("details.grid").evaluate_all("all => all.forEach(one => one.open = true)")
        assert page.evaluate(CUT) == []
        wide = "all => all.filter(one => one.scrollWidth > one.clientWidth).length"
        assert page.locator(".scroll:has(.matrix)").evaluate_all(wide) == 0
        assert looked.overflows() <= 0


def test_six_causes_and_a_whole_matrix_can_be_tapped_on_a_telephone(red: Path, look: Any) -> None:
    """A matrix of 17 columns is wider than that: it is moved sideways."""
    with look(red, width=390, height=844) as looked:
        looked.page.locator("details.grid").evaluate_all(
            "all => all.forEach(one => one.open = true)"
        )
        assert looked.violations() == []
        assert looked.overflows() <= 0


@WIDTHS
def test_reasons_in_the_matrix_wrap_between_words(run: Path, look: Any, width: int) -> None:
    with look(run / "report.html", width=width) as looked:
        words = looked.page.locator(".skipped .w")
        assert words.count()
        lines = words.evaluate_all("all => all.map(one => one.getClientRects().length)")
        assert set(lines) == {1}


def test_red_deployments_of_a_merged_report_come_first(red: Path, look: Any) -> None:
    with look(red) as looked:
        names = looked.page.locator("details.grid > summary b").all_inner_texts()
        assert names[0] == "simulated-talkdesk"
        assert len(names) > 1
        assert looked.page.locator("details.grid[open]").count() == 1


@WIDTHS
def test_search_stays_in_sight_and_a_slash_reaches_it(red: Path, look: Any, width: int) -> None:
    with look(red, width=width, height=900) as looked:
        page = looked.page
        page.evaluate("scrollTo(0, document.body.scrollHeight / 2)")
        box = page.get_by_role("searchbox").bounding_box()
        assert 0 <= box["y"] < 60
        page.keyboard.press("/")
        page.keyboard.type("HOLD")
        assert page.get_by_role("searchbox").input_value() == "HOLD"
        page.wait_for_function(  # each letter filters anew
            "() => { const case_ = document.querySelector('details.case:not([hidden])');"
            " const box = case_.getBoundingClientRect(); return box.height && box.top < 900"
            " && document.querySelector('details.case[hidden]'); }"
        )


@WIDTHS
def test_cause_has_an_address_and_back_closes_it(red: Path, look: Any, width: int) -> None:
    with look(red, width=width) as looked:
        page = looked.page
        cause = page.locator(f"#{CAUSE}")
        page.locator(".overview a", has_text="leads to another group").click()
        cause.get_by_text("Mend what transfer target").wait_for()
        assert page.evaluate("location.hash") == f"#{CAUSE}"
        page.go_back()
        page.wait_for_function(f"!document.getElementById('{CAUSE}').open")
        cause.locator("summary").click()
        assert page.evaluate("location.hash") == f"#{CAUSE}"
        cause.locator("summary").click()
        assert page.evaluate("location.hash") == ""


@WIDTHS
def test_case_has_an_address_and_back_closes_it(red: Path, look: Any, width: int) -> None:
    with look(red, width=width, hash="#row=HOLD") as looked:
        page = looked.page
        case = page.locator("details.case:not([hidden])").first
        case.locator("summary").first.click()
        case.locator(".body h4").first.wait_for()
        key = case.get_attribute("id")
        assert page.evaluate("location.hash") == f"#{key}"
        page.go_back()
        page.wait_for_function(f"!document.getElementById({key!r}).open")
        assert page.evaluate("location.hash") == "#row=HOLD"
        every = page.locator("details.case").count()
        assert page.locator("#count").inner_text() == f"7 of {every} cases"
    with look(red, width=width, hash=f"#{key}") as looked:
        looked.page.locator(f"[id={key!r}][open] .body h4").first.wait_for()


@pytest.fixture
def served(red: Path) -> Iterator[str]:
    """The address of the report at a web server."""
    quiet = type("Quiet", (SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(quiet, directory=str(red.parent))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/report.html"
        server.shutdown()


@pytest.mark.parametrize("has_clipboard", [True, False])
@pytest.mark.parametrize("place", ["a file", "a server"])
def test_link_is_copied(
    red: Path, served: str, browser: Any, place: str, has_clipboard: bool
) -> None:
    address = red.as_uri() if place == "a file" else served
    page = browser.new_context(bypass_csp=True).new_page()
    page.goto(f"{address}#{CAUSE}")
    said = "Promise.resolve(window.copied = text)" if has_clipboard else "Promise.reject()"
    page.evaluate(
        f"Object.defineProperty(navigator, 'clipboard', {{value: {{writeText: text => {said}}}}})"
    )
    page.locator(f"#{CAUSE}").get_by_role("button", name="Copy link").click()
    got = "window.copied" if has_clipboard else "getSelection().toString()"
    page.wait_for_function(f"{got} === {f'{address}#{CAUSE}'!r}")
    page.context.close()


def test_listen_plays_the_recording_that_shows_the_cause(run: Path, look: Any) -> None:
    with look(run / "report.html") as looked:
        page = looked.page
        button = page.locator(".overview button").first
        key, leg = (button.get_attribute(f"data-{name}") for name in ("listen", "leg"))
        assert leg.startswith("caller")
        button.click()
        page.wait_for_function(
            "([key, leg]) => [...document.getElementById(key).querySelectorAll('audio')]"
            ".some(one => one.dataset.leg === leg && one.currentTime > 0.2)",
            arg=[key, leg],
        )
        button.click()
        assert button.inner_text() == "▶ Listen"


def test_page_for_an_owner_lies_beside_the_report(red: Path, look: Any) -> None:
    with look(red) as looked:
        pages = looked.page.locator(".overview td:last-child a").evaluate_all(
            "links => [...new Set(links.map(link => link.getAttribute('href')))]"
        )
        assert len(pages) == 3
        assert all((red.parent / page).is_file() for page in pages)


@looks
def test_page_for_an_owner_is_short_and_has_no_accessibility_problem(
    run: Path, look: Any, how: Mapping[str, Any]
) -> None:
    with look(run / "for-network.html", **how) as looked:
        assert looked.violations() == []
        assert looked.overflows() <= 0
        assert looked.page.evaluate("document.body.scrollHeight") < 5000, "calls are folded"
        assert looked.page.locator("details[open] table.call").first.is_visible()
        looked.page.locator("details details summary").first.click()
        assert looked.page.locator("details details").first.inner_text().count("INVITE")


#: Gives the first call of the page this many legs.
LEGS = """most => {
    for (const row of document.querySelector("table.call").rows)
        while (row.cells.length <= most) row.append(row.lastElementChild.cloneNode(true));
}"""


def test_page_for_an_owner_shows_five_legs_whole(run: Path, look: Any) -> None:
    with look(run / "for-network.html", width=1400) as looked:
        looked.page.evaluate(LEGS, 5)
        table = looked.page.locator(".scroll:has(.call)").first
        assert table.evaluate("one => one.scrollWidth - one.clientWidth") <= 0


def test_edge_shows_that_a_table_of_calls_goes_on(run: Path, look: Any) -> None:
    with look(run / "for-network.html", width=390) as looked:
        page = looked.page
        page.evaluate(LEGS, 5)
        page.add_style_tag(content=".call *{color:#0000!important;border-color:#0000!important}")
        table = page.locator(".scroll:has(.call)").first
        table.scroll_into_view_if_needed()
        box = table.bounding_box()

        def strip(x: float) -> bytes:
            clip = {"x": x, "y": box["y"] + 4, "width": 8, "height": 40}
            return bytes(page.screenshot(clip=clip))

        middle, end = box["x"] + box["width"] / 2, box["x"] + box["width"] - 8
        assert strip(end) != strip(middle)
        table.evaluate("one => one.scrollLeft = one.scrollWidth")
        assert strip(end) == strip(middle)


def test_owner_is_found_by_the_name_of_the_link_to_their_page(red: Path, look: Any) -> None:
    with look(red, hash="#owner=platform%20administrator") as looked:
        page = looked.page
        page.wait_for_function("document.getElementById('count').textContent")
        shown = page.locator("details.case:not([hidden])").evaluate_all(
            "all => [...new Set(all.map(one => one.dataset.row))].sort()"
        )
        theirs = {"platform routing", "transfer target", "trunk"}
        assert shown == sorted(row for row, (_, owner, _) in SIX.items() if owner in theirs)
        assert page.locator("select[name=owner]").input_value() == "platform administrator"
        assert page.locator("#unknown").inner_text() == ""


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("#owner=some-owner", "owner “some-owner” is not in this report"),
        ("#cause=cause-gone&row=HOLD", "cause “cause-gone” is not in this report"),
        ("#colour=red", "colour “red” is not in this report"),
        ("#cause-gone", "“cause-gone” is not in this report"),
        ("#100%", "“100%” is not in this report"),
    ],
)
@pytest.mark.parametrize("width", [1400, 390])
def test_address_that_names_something_unknown_says_so(
    red: Path, look: Any, address: str, said: str, width: int
) -> None:
    with look(red, width=width, height=900, hash=address) as looked:
        page = looked.page
        line = page.get_by_text(said, exact=True)
        line.wait_for()
        box = line.bounding_box()
        assert 0 <= box["y"] < 900
        page.evaluate("location.hash = 'row=HOLD'")
        page.wait_for_function("document.getElementById('count').textContent.startsWith('7 of ')")
        assert page.locator("#unknown").inner_text() == ""
        assert looked.complaints == []


def test_new_or_known_is_a_column_only_with_an_earlier_run(red: Path, look: Any) -> None:
    with look(red) as looked:
        assert looked.page.get_by_role("columnheader", name="cause").count() == 1
        assert looked.page.get_by_role("columnheader", name="new or known").count() == 0


def test_cause_without_a_recording_says_so(red: Path, look: Any) -> None:
    with look(red) as looked:
        lines = looked.page.locator(".overview tbody tr")
        said = [" ".join(line.split()) for line in lines.all_inner_texts()]
        assert all("no recording" in line for line in said), said
