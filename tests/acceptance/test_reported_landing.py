"""A group of people who have no harness phones: the platform's own report tells where the call
landed, and no more than that.

The world says what rang at its platform; the report is made of that here, in shapes of other
platforms.
"""

from __future__ import annotations

import threading
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
import tomli_w

from harness.integrations import load
from harness.run.plugin.worlds import one_world
from tests.acceptance.outside import WORLD_FILE, Outside

RESTING = ("--transport=udp", "--auth=ip", "--codec=pcmu", "-n", "1")
BLIND, FALLBACK = "TD-TRANSFER-BLIND", "TD-FALLBACK-REFUSED"
KEY = "r3port-k3y"
COLUMNS = ("Zeitpunkt", "Warteschlange", "Ziel", "Anrufer", "Bearbeiter")
NAMES = {"billing": "Rechnung + Mahnung, Süd", "reception": "Empfang"}

#: One of the world's landings → a row of the report.
Render = Callable[[dict[str, Any]], list[str]]


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory, forked_python: str) -> Iterator[Outside]:
    """A world whose billing and reception are people of the platform's own."""
    directory = tmp_path_factory.mktemp("reported")
    text = WORLD_FILE.read_text()
    for name in NAMES:
        agents = f'agents = ["{name}"]'
        assert agents in text
        text = text.replace(agents, "", 1)
    path = directory / "world.toml"
    path.write_text(text)
    (directory / "simulated-talkdesk.csv").write_text(
        (WORLD_FILE.parent / "simulated-talkdesk.csv").read_text()
    )
    with (
        one_world(path, load(path), directory, tenants=2, controlled=True) as world,
        httpx.Client(base_url=world.api) as control,
    ):
        yield Outside(directory, control, world.tenants, forked_python)


@contextmanager
def reporting(outside: Outside, render: Render) -> Iterator[str]:
    """A platform's report at this address: a spreadsheet of another country, with other people's
    calls, each row twice.
    """

    class Report(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.headers["X-Key"] != KEY:
                self.send_error(401)
                return
            landings = outside.control.get("/calls").json()["tenants"][1]["landings"]
            strange = ["01.02.2026 03:04:05", "Empfang", "+18155550101", "0031201234567", "Ann"]
            rows = [list(COLUMNS), strange]
            rows += [row for landing in landings for row in [render(landing)] * 2]
            text = "\r\n".join(";".join(f'"{cell}"' for cell in row) for row in rows)
            body = text.encode("utf-8-sig")
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing is said."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Report)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/calls?since={{since}}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def told(landing: dict[str, Any], *, group: str | None = None) -> list[str]:
    at = datetime.fromtimestamp(landing["at"], UTC).astimezone(ZoneInfo("Asia/Kolkata"))
    did = {"billing": "815-555-0101", "reception": "+13125550104"}.get(landing["group"], "")
    caller = landing["caller"].removeprefix("+1")
    return [
        at.strftime("%d.%m.%Y %H:%M:%S"),
        group or NAMES.get(landing["group"], "Sonstige"),
        did,
        caller,
        "Eve",
    ]


def file(outside: Outside, url: str, **more: Any) -> Path:
    """A customer's file with that report."""
    outside.secrets["HARNESS_REPORT_KEY"] = KEY
    report = {
        "url": url,
        "headers_env": {"X-Key": "HARNESS_REPORT_KEY"},
        "columns": dict(
            zip(("started", "group", "number", "caller", "agent"), COLUMNS, strict=True)
        ),
        "time_format": "%d.%m.%Y %H:%M:%S",
        "zone": "Asia/Kolkata",
        "stay_s": 5.0,
        "within_s": 3.0,
        "poll_s": 0.2,
    }

    def change(text: str) -> str:
        plain = tomllib.loads(text)
        plain["platform"]["report"] = report | more
        for name, called in NAMES.items():
            plain["groups"][name]["reported_as"] = [called]
        return tomli_w.dumps(plain)

    return outside.file("stand-in", "reported", change)


def run(
    outside: Outside, row: str, render: Render, **more: Any
) -> tuple[str, dict[str, dict[str, Any]], str]:
    """The case's verdict, its last finding of each check, and what was said."""
    with reporting(outside, render) as url:
        code, output = outside.run(file(outside, url, **more), f"--row={row}", *RESTING)
    assert code in (0, 1), output
    verdicts = {
        case: verdict for case, verdict in outside.verdicts().items() if case.startswith(row)
    }
    assert len(verdicts) >= 1, output
    case, verdict = next(iter(verdicts.items()))
    return verdict, {found["check"]: found for found in outside.findings(case)}, output


def test_platform_report_confirms_the_landing_only(outside: Outside) -> None:
    verdict, found, output = run(outside, BLIND, told)
    assert verdict == "not observable", output
    assert (found["landing"]["verdict"], found["landing"]["strength"]) == ("passed", 2)
    assert found["landing"]["measured"]["rang"] == ["billing"]
    assert (found["caller_id"]["verdict"], found["landing.others"]["verdict"]) == (
        "passed",
        "passed",
    )
    assert found["audio"]["verdict"] == "not observable"
    assert KEY not in output


@pytest.mark.nightly
def test_deployment_may_accept_unobserved_audio(outside: Outside) -> None:
    verdict, found, output = run(outside, BLIND, told, strength="unknown")
    assert verdict == "passed", output
    assert found["audio"]["verdict"] == "not observable"
    assert found["released"]["verdict"] == "passed"


@pytest.mark.nightly
def test_report_of_another_group_is_a_wrong_landing(outside: Outside) -> None:
    verdict, found, output = run(
        outside, BLIND, lambda landing: told(landing, group="Empfang"), strength="unknown"
    )
    assert verdict == "failed", output
    assert found["landing"]["measured"]["rang"] == ["reception"]
    assert "leads to another group" in " ".join(output.split())


@pytest.mark.nightly
def test_call_that_rings_a_harness_phone_instead_is_a_wrong_landing(outside: Outside) -> None:
    outside.control.post("/faults", json={"name": "group-wrong"}).raise_for_status()
    try:
        verdict, found, output = run(outside, BLIND, told, strength="unknown")
    finally:
        outside.control.delete("/faults").raise_for_status()
    assert verdict == "failed", output
    assert found["landing"]["measured"]["rang"] == ["support"]


@pytest.mark.nightly
def test_fallback_to_another_group_of_people_fails(outside: Outside) -> None:
    verdict, found, output = run(
        outside, FALLBACK, lambda landing: told(landing, group=NAMES["billing"])
    )
    assert verdict == "failed", output
    assert found["landing"]["measured"]["rang"] == ["billing"]
    assert found["timing.within"]["verdict"] == "not observable"
    assert "the fallback rings another group" in " ".join(output.split())
