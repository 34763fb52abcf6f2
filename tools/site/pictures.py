"""``make docs-pictures``: the pictures of ``docs/images``, made in Chromium of three real runs (one in
which a fault was injected, one with six faults, one that is signed) and of two made-up nights.

Needs Chromium (``apt-get install chromium``). Look at them before they are committed.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Locator, Page, sync_playwright

from tools import CHROMIUM, HARNESS, ROOT

IMAGES = ROOT / "docs" / "images"
_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
_WIDTH, _COLOURS = 1100, 96
_ROWS = ("TD-INBOUND", "TD-TRANSFER-BLIND", "TD-REGISTER-OK")
_FAULT = "rtp-blocked-to-caller"
_SIX_FAULTS = (
    "rtp-blocked-to-caller@ivr",
    "from-anonymous@inbound",
    "caller-id-lost-on-fallback",
    "ring-timeout-wrong",
    "refer-rejected@inbound-passed-on",
    "route-wrong-did@skill-language",
)
_SIX_ROWS = (
    *("TD-INBOUND", "TD-OUTBOUND-IVR", "TD-SKILLS-LANGUAGE", "TD-TRANSFER-BLIND", "TD-SKILLS-MENU"),
    *("TD-FALLBACK-TIMEOUT", "TD-FALLBACK-REFUSED", "HANGUP-CALLER", "HOLD", "BUSY", "XEI"),
)
_DEPLOYMENT = "scenarios/deployments/simulated-talkdesk.toml"


def faulty_run() -> Path:
    """The directory of a run in which the fault fails all but the registration."""
    rows = [word for row in _ROWS for word in ("--row", row)]
    _harness(
        "verify", _DEPLOYMENT, *rows, "--transport", "udp", "--fault", _FAULT, "-n", "2", code=1
    )
    return (ROOT / "reports" / "latest").resolve()


def run_with_six_faults() -> Path:
    """The directory of a run over UDP with PCMU, in which six faults were injected."""
    faults = [word for fault in _SIX_FAULTS for word in ("--fault", fault)]
    faults += [word for row in _SIX_ROWS for word in ("--row", row)]
    narrowed = ("--transport", "udp", "--codec", "pcmu", "--auth", "ip")
    _harness("verify", _DEPLOYMENT, *narrowed, *faults, "-n", "2", code=1)
    return (ROOT / "reports" / "latest").resolve()


def signed_run() -> Path:
    """The directory of a whole run that is accepted and signed."""
    _harness("verify", "simulated-gladly", "-n", "2")
    with tempfile.TemporaryDirectory() as scratch:
        key = f"{scratch}/go-live.pem"
        _harness("signoff", "key", key)
        _harness("signoff", "reports/latest", "--key", key, "--customer", "Example GmbH", "--pdf")
    run = (ROOT / "reports" / "latest").resolve()
    shutil.copyfile(run / "signoff.pdf", IMAGES / "signoff-sample.pdf")
    return run


def _harness(*arguments: str, code: int = 0) -> None:
    """Run a command. Raises ``RuntimeError`` for another exit code."""
    command = [str(HARNESS), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != code:
        raise RuntimeError(
            f"exit code {done.returncode}, expected {code}\n{done.stdout}{done.stderr}"
        )


def main() -> int:
    """Make all of them."""
    if not CHROMIUM.exists():
        print(f"{CHROMIUM}: not there; apt-get install chromium", file=sys.stderr)
        return 3
    faulty, six, signed = faulty_run(), run_with_six_faults(), signed_run()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)
        _report(browser, faulty / "report.html")
        _keep(_open(browser, six / "report.html", 1000, width=1400), "overview.png")
        with tempfile.TemporaryDirectory() as scratch:
            # no tool imports tests
            made = [sys.executable, "-m", "tests.browser.pages", scratch]
            subprocess.run(made, cwd=ROOT, check=True)
            nights = Path(scratch) / "nightly.html"
            _keep(_open(browser, nights, 1000, width=1400), "nightly.png")
        _keep(_open(browser, faulty / "signoff.html", 980), "signoff.png")
        _keep(_open(browser, signed / "signoff.html", 760), "signed.png")
        browser.close()
    for picture in sorted(IMAGES.glob("*.png")):
        print(f"{picture.relative_to(ROOT)}: {picture.stat().st_size // 1024} KB")
    return 0


def _open(
    browser: Browser, path: Path, height: int, *, width: int = _WIDTH, dark: bool = False
) -> Page:
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if dark else "light",
        bypass_csp=True,
    )
    page = context.new_page()
    page.goto(path.as_uri())
    return page


def _report(browser: Browser, path: Path) -> None:
    _keep(_open(browser, path, 1000), "report.png")
    page = _open(browser, path, 820)
    _open_case(page, "TD-INBOUND").scroll_into_view_if_needed()
    page.evaluate(
        "scrollTo(0, document.querySelector('details.case[open]').getBoundingClientRect().top + scrollY - 118)"
    )
    _keep(page, "case.png")
    page = _open(browser, path, 820, dark=True)
    _open_case(page, "TD-TRANSFER-BLIND")
    page.evaluate(
        """const heads = [...document.querySelectorAll('details.case[open] h4')];
        const head = heads.find(one => one.textContent.includes('Seen and heard'));
        scrollTo(0, head.getBoundingClientRect().top + scrollY - 118)"""
    )
    _keep(page, "heard.png")


def _open_case(page: Page, row: str) -> Locator:
    case = page.locator(f'details.case[data-row="{row}"][data-verdict="failed"]').first
    case.locator("summary").first.click()
    case.locator(".body h4").first.wait_for()
    return case


def _keep(page: Page, name: str) -> None:
    """A palette of few colours makes a quarter of the bytes, and nobody sees it."""
    image = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    image.quantize(_COLOURS, dither=Image.Dither.NONE).save(IMAGES / name, optimize=True)


if __name__ == "__main__":
    sys.exit(main())
