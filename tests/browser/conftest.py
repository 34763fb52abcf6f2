"""A run with failures in it, its pages, and Debian's Chromium to look at them (``apt-get install
chromium``).
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parents[2]
CHROMIUM = Path("/usr/bin/chromium")
#: The sandbox wants a user namespace that containers lack; the rest keeps the browser itself from
#: calling home.
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
)
#: Cases of one cause, of a cause that is none, and passed ones.
ROWS = ("TD-INBOUND", "TD-TRANSFER-BLIND", "TD-FALLBACK-REFUSED", "TD-REGISTER-OK")


looks = pytest.mark.parametrize(
    "how",
    [
        {"width": 1400},
        {"width": 1400, "dark": True},
        {"width": 768, "height": 1024},
        {"width": 390, "height": 844},
    ],
    ids=["light", "dark", "768 px", "390 px"],
)


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a run in which no RTP gets to the caller."""
    reports = tmp_path_factory.mktemp("reports")
    rows = [word for row in ROWS for word in ("--row", row)]
    deployment = "scenarios/deployments/simulated-talkdesk.toml"
    command = [
        str(Path(sys.executable).with_name("harness")),
        "verify",
        deployment,
        *rows,
        "--transport",
        "udp",
    ]
    command += ["--fault", "rtp-blocked-to-caller", "--reports", str(reports)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 1, done.stdout + done.stderr
    return (reports / "latest").resolve()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, headless; its absence is a failure."""
    assert CHROMIUM.exists(), f"{CHROMIUM}: not there; apt-get install chromium"
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
        yield started
        started.close()


#: Rules of axe-core that have to be asked for: WCAG 2.2 (2.5.8) and 2.1 (2.5.3).
_OFF_BY_DEFAULT = {
    name: {"enabled": True} for name in ("target-size", "label-content-name-mismatch")
}


@dataclass
class Looked:
    """A page that is open, with what it asked for and what it complained of."""

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def violations(self, within: str | None = None) -> list[str]:
        """What axe-core finds on the page, or ``within`` a part of it."""
        found = Axe().run(self.page, context=within, options={"rules": _OFF_BY_DEFAULT}).response
        return [
            f"{one['id']}: {node['target']} {node.get('failureSummary', '')[:300]}"
            for one in found["violations"]
            for node in one["nodes"]
        ]

    def overflows(self) -> int:
        """By how many pixels the page is wider than its window."""
        return int(self.page.evaluate("document.documentElement.scrollWidth - innerWidth"))


Opener = Callable[..., Any]


@pytest.fixture
def look(browser: Browser) -> Opener:
    """Opens a file as a reader would: ``look(path, width=…, height=…, dark=…, hash=…)``."""

    @contextmanager
    def opened(
        path: Path, *, width: int = 1280, height: int = 800, dark: bool = False, hash: str = ""
    ) -> Iterator[Looked]:
        context = browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            bypass_csp=True,  # it forbids the tests' own evaluations as well; what it forbids is asserted by itself
        )
        page = context.new_page()
        looked = Looked(page)
        looked.page.on("request", lambda request: looked.requests.append(request.url))
        looked.page.on("console", lambda said: looked.complaints.append(said.text))
        looked.page.on("pageerror", lambda error: looked.complaints.append(str(error)))
        page.set_default_timeout(15000)
        looked.page.goto(path.as_uri() + hash)
        yield looked
        context.close()

    return opened
