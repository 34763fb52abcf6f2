"""The documents as their readers see them: the built site, which asks for nothing from anywhere."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import looks

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site() -> Path:
    """As `make docs` builds it."""
    done = subprocess.run(
        [sys.executable, "-m", "tools.site"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return ROOT / "reports" / "site" / "html"


@looks
@pytest.mark.parametrize("page", ["index", "get-started", "deployment"])
def test_a_page_is_read_and_fetches_nothing(
    site: Path, look: Any, page: str, how: Mapping[str, Any]
) -> None:
    with look(site / f"{page}.html", **how) as looked:
        looked.page.wait_for_load_state("networkidle")
        assert looked.page.locator("article h1").count() == 1
        assert looked.overflows() <= 0
        elsewhere = [
            url for url in looked.requests if not url.startswith(("file://", "data:", "blob:"))
        ]
        assert elsewhere == []
        broken = looked.page.evaluate(
            "[...document.images].filter(i => i.complete && !i.naturalWidth).map(i => i.src)"
        )
        assert broken == []


def test_its_navigation_leads_to_the_next_page(site: Path, look: Any) -> None:
    with look(site / "index.html") as looked:
        looked.page.locator("article").get_by_role("link", name="Get started").first.click()
        looked.page.get_by_role("heading", name="Something is wrong").wait_for()
        assert looked.page.url.endswith("/get-started.html")
