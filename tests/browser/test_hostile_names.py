"""The report of a run whose names, causes and messages are hostile, in Chromium: shown as they are,
and found by every filter.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.case.verdict import Verdict
from harness.report.run import finish
from harness.report.run_directory import RunEnd, case_directory, create
from tests.unit.report import samples

HOSTILE = (
    "<script>window.evil=1</script>", '"><img src=x onerror="window.evil=1">', "</template><script>window.evil=1</script>",
    "javascript:window.evil=1", "a|b", "two\nlines", "\u202egnp.exe", "=1+1", "Büro 日本", "x" * 300, "a b", "'\"`", "a&b", "[x] ~",
)  # fmt: skip


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report."""
    run = create(tmp_path_factory.mktemp("reports"))
    planned = []
    for number, evil in enumerate(HOSTILE):
        axes = {"transport": "udp", "number": evil, "trunk": evil}
        about = dict.fromkeys(("title", "description", "source", "link", "deployment"), evil)
        about["row"] = f"ROW-{number}-" + "X" * 60
        for play in ("passed", "failed"):
            case = samples.case_of(
                **about, axes=axes, id=f"TD-INBOUND[{number}-{play}-{evil}]", voices={"240": evil}
            )
            planned.append(case)
            home = case_directory(run, case)
            if play == "passed":
                samples.passed(home, case)
                continue
            with samples.playing(home, case) as sample:
                sample.inbound()
                sample.finding(
                    "caller_id",
                    evil,
                    Verdict.FAILED,
                    expected=evil,
                    actual=evil,
                    evidence=(evil, "m1"),
                )
                sample.recorder.note(evil)
                cause = dict.fromkeys(
                    ("cause", "fix", "owner", "issue", "settles", "link", "because"), evil
                )
                sample.recorder.close(
                    Verdict.FAILED, evil, [{**cause, "id": f"cause-{number}", "evidence": [evil]}]
                )
    end = RunEnd(
        workers=1, wall_s=4000.0, interrupted=HOSTILE[0], broke=HOSTILE[:2], command="pytest"
    )
    return finish(run, planned, end).report


#: Of every filter the values that leave no case; None where a value cannot be chosen at all.
_NOTHING_FOUND = """async () => {
    const form = document.querySelector("form.filters"), found = [];
    for (const select of form.querySelectorAll("select"))
        for (const option of [...select.options].slice(1)) {
            for (const each of form.elements) if (each.name) each.value = "";
            select.value = option.value;
            form.dispatchEvent(new Event("input"));
            await new Promise(done => setTimeout(done));
            if (![...document.querySelectorAll("details.case")].some(details => !details.hidden))
                found.push(`${select.getAttribute("aria-label")}: ${option.value}`);
        }
    return found;
}"""


def _unpack(page: Any) -> None:
    page.press("#unpack", "Enter")  # on a busy machine a click may miss what still moves


@pytest.mark.parametrize("width", [1280, 390])
def test_hostile_names_are_shown_and_nothing_of_them_runs(
    hostile: Path, look: Any, width: int
) -> None:
    with look(hostile, width=width) as looked:
        page = looked.page
        _unpack(page)
        page.wait_for_function(
            "[...document.querySelectorAll('details.case')].every(d => d.querySelector('.body').childElementCount)"
        )
        assert page.evaluate("typeof window.evil") == "undefined"
        assert page.locator("img").count() == 0
        assert page.locator("a[href^='javascript:']").count() == 0
        assert page.locator("details.case").count() == 2 * len(HOSTILE)
        for evil in HOSTILE[:4]:
            assert page.get_by_text(evil).count() > 0, evil
        assert looked.overflows() == 0
        assert looked.complaints == []
        assert page.evaluate(_NOTHING_FOUND) == []


def test_a_line_to_copy_is_chosen_where_a_page_may_not_copy(hostile: Path, look: Any) -> None:
    """Over plain HTTP, as a CI server hands reports out, a browser has no clipboard for pages
    (Secure Contexts).
    """
    with look(hostile) as looked:
        page = looked.page
        page.evaluate("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
        _unpack(page)
        button = page.locator("details.case[open] button[data-copy]").first
        button.click()
        assert page.evaluate("getSelection().toString()").strip() == button.get_attribute(
            "data-copy"
        )
        assert looked.complaints == []
