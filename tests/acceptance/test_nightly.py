"""Nights of one deployment, whose system fails in the second and third: what is compared, told,
pushed and kept.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from harness.report import history
from tests.acceptance.outside import Outside
from tests.receiver import Receiver

SERIES = "acme-nights"
CASE = "TD-INBOUND[acme:stand-in-udp-ip-pcmu]"
VERIFY = "--row TD-INBOUND --auth ip --transport udp --codec pcmu -n 1"

Nightly = Callable[..., tuple[int, str]]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as found:
        yield found


@pytest.fixture
def reports(outside: Outside) -> Path:
    return outside.directory / "nights"


@pytest.fixture
def nightly(outside: Outside, receiver: Receiver, reports: Path) -> Nightly:
    """``harness nightly`` of the same file, as a timer calls it; what it sends is all that the
    receiver then holds.
    """
    file = outside.file("stand-in", "acme")
    outside.secrets["HARNESS_ALERTS"] = f"json://127.0.0.1:{receiver.port}/alert"
    always: list[str | Path] = [
        "--reports",
        reports,
        "--name",
        SERIES,
        "--metrics",
        reports / "nightly.prom",
    ]
    always += ["--push", f"http://127.0.0.1:{receiver.port}"]

    def run(*more: str) -> tuple[int, str]:
        receiver.requests.clear()
        return outside.harness("nightly", file, *always, *more)

    return run


@pytest.mark.nightly
def test_nightly_reports_a_change_once_and_keeps_every_night(
    outside: Outside, receiver: Receiver, reports: Path, nightly: Nightly
) -> None:
    assert nightly("--check-fresh", "26")[0] == 1
    assert alerts(receiver)[0]["message"] == f"{SERIES}: there was no night yet in {reports}"

    code, output = nightly("--verify", VERIFY)
    assert code == 0, output
    assert alerts(receiver) == []
    assert figures(reports, receiver)["cases", "passed"] == 1

    outside.control.post("/faults", json={"name": "from-anonymous"}).raise_for_status()
    code, output = nightly("--verify", VERIFY)
    assert code == 1, output
    assert f"newly failing: {CASE} (failed: Caller ID missing:" in output
    (alert,) = alerts(receiver)
    title = f"{SERIES}: 1 new cause (1 case), platform routing; 1 in all"
    assert (alert["title"], alert["type"]) == (title, "failure")
    for said in (
        "Caller ID missing: ",
        "fix: Let ",
        "owner: platform administrator (platform routing)",
        f"{CASE} at local: failed",
    ):
        assert said in alert["message"]
    found = figures(reports, receiver)
    assert (
        found["cases", "failed"],
        found["row_passed", "TD-INBOUND"],
        found["night_exit_code", None],
    ) == (1, 0, 1)

    code, output = nightly("--verify", VERIFY)
    assert code == 1, output
    assert alerts(receiver) == [], "nothing has changed since the night before"

    outside.control.delete("/faults").raise_for_status()
    code, output = nightly("--verify", VERIFY)
    assert code == 0, output
    (alert,) = alerts(receiver)
    assert alert["title"].startswith(f"{SERIES}: 1 gone (1 case): Caller ID missing: ")
    assert (alert["title"].endswith("; all is well"), alert["type"]) == (True, "success")
    assert figures(reports, receiver)["row_passed", "TD-INBOUND"] == 1

    assert [one.code for one in history.read_nights(reports / history.FILE, SERIES)] == [0, 1, 1, 0]
    kept = history.read(reports / history.FILE)
    assert [[result.verdict for result in run.results] for run in kept] == [
        ["passed"],
        ["failed"],
        ["failed"],
        ["passed"],
    ]
    page = (reports / "nightly.html").read_text()
    assert (page.count('class="cell passed"'), page.count('class="cell failed"')) == (2, 2)
    assert all(f'href="{run.run}/report.html"' in page for run in kept)
    assert nightly("--check-fresh", "26")[0] == 0
    assert receiver.requests == []


def test_night_that_cannot_begin_raises_an_alert(
    outside: Outside, receiver: Receiver, reports: Path, nightly: Nightly
) -> None:
    """By day somebody broke the file: nothing is verified, and nobody is at the terminal."""
    file = outside.file("stand-in", "acme")
    whole, before = file.read_text(), history.read_nights(reports / history.FILE, SERIES)
    file.write_text(whole + '\n[accounts."+13125550100"]\ncals = 2\n')
    code, output = nightly("--verify", VERIFY)
    assert code == 2, output
    (alert,) = alerts(receiver)
    assert (alert["title"], alert["type"]) == (f"{SERIES}: the night did not begin", "failure")
    assert "cals: unknown key" in alert["message"]
    assert "3125550100" in output
    assert "3125550100" not in alert["message"], "it goes to chats"

    file.write_text(whole)
    code, output = nightly("--bounds", str(reports / "missing.toml"))
    assert code == 2, output
    assert "missing.toml" in alerts(receiver)[0]["message"]
    assert history.read_nights(reports / history.FILE, SERIES) == before


def alerts(receiver: Receiver) -> Sequence[dict[str, Any]]:
    """What the webhook was sent."""
    return [
        json.loads(body)
        for method, path, body in receiver.requests
        if (method, path) == ("POST", "/alert")
    ]


def figures(reports: Path, receiver: Receiver) -> dict[tuple[str, str | None], float]:
    """The night's figures by name and verdict or row: the same in the file as at the gateway."""
    (pushed,) = [
        body.decode() for method, path, body in receiver.requests if path.startswith("/metrics/")
    ]
    ((method, path),) = [
        (method, path) for method, path, _ in receiver.requests if path.startswith("/metrics/")
    ]
    assert (method, path) == ("PUT", f"/metrics/job/call_verification/series/{SERIES}")
    kept = (reports / "nightly.prom").read_text()
    lines = [line for line in kept.splitlines() if not line.startswith("#")]
    assert lines == [line for line in pushed.splitlines() if not line.startswith("#")]
    assert len(lines) >= 10
    families = text_string_to_metric_families(kept)  # type: ignore[no-untyped-call]
    return {
        (
            sample.name.removeprefix("call_verification_"),
            sample.labels.get("verdict") or sample.labels.get("row"),
        ): sample.value
        for family in families
        for sample in family.samples
    }
