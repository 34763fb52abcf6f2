"""The sign-off as its readers see it."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.report import signoff
from harness.report.signoff import attest
from tests.browser.conftest import looks
from tests.browser.pages import whole_matrix


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
    """The signed document of 459 cases of three deployments, as HTML and PDF."""
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
    copied = text_of(signed.pdf)
    with look(signed.html, width=695, height=1020) as looked:
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


def test_pdf_is_tagged_for_screen_readers(signed: signoff.Signed) -> None:
    assert signed.pdf is not None
    info = subprocess.run(["pdfinfo", str(signed.pdf)], capture_output=True, text=True, check=True)
    assert re.search(r"^Tagged: +yes$", info.stdout, re.MULTILINE)
