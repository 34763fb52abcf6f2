"""The sign-off as its readers see it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.browser.conftest import looks


@looks
def test_page_has_no_accessibility_problem(run: Path, look: Any, how: Mapping[str, Any]) -> None:
    with look(run / "signoff.html", **how) as looked:
        assert "NOT ACCEPTED" in looked.page.inner_text("body")
        assert looked.serious() == []
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
