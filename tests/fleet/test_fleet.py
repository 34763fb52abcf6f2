"""Four sites as processes, each with its own Celery worker, pytest, xdist and world, and one real
Redis; ``reports/fleet.json``.
"""

from __future__ import annotations

import json
import re
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.contract.gates import most_at_once
from tests.fleet.fleet import (
    CALLS,
    HARNESS,
    ROOT,
    SITES,
    Fleet,
    finished,
    outgoing,
    run_again,
    verdicts,
)
from tests.pseudo_terminal import WINDOWS, shown
from tests.redis_server import until

REPORT = ROOT / "reports" / "fleet.json"


def keep(**figures: Any) -> None:
    known = json.loads(REPORT.read_text()) if REPORT.exists() else {}
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps(known | figures, indent=1) + "\n")


def read(run: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((run / "fleet.json").read_text())
    return found


def test_four_sites_carry_calls_side_by_side(fleet: Fleet) -> None:
    """Throughput of one site and of four, each with the same number of held calls.

    The speedup is only reported (docs/fleet.md); that one call of each site is up at the same time
    holds on any machine.
    """
    held_s, a_site = 16.0, 2
    place = fleet.directory / "meet"
    place.mkdir()
    for site in SITES:
        fleet.site(site, held_s, MEET=str(place))
    rates = {}
    for sites in (SITES[:1], SITES):
        customer = fleet.customer(f"acme-{len(sites)}", a_site * len(sites))
        code, output = fleet.run(
            fleet.file(customer, sites, workers=1, shard_s=1000.0), "--scenarios", CALLS
        )
        assert code == 0, output
        found = read(fleet.latest)
        assert found["cases"] == a_site * len(sites)
        seen = verdicts(fleet.latest)
        assert {verdict for each in seen.values() for verdict in each} == {"passed"}
        assert {site for site, _ in seen} == set(sites)
        assert most_at_once(list(outgoing(fleet.latest))) == len(sites), "each site has one worker"
        rates[len(sites)] = found["cases"] / found["wall_s"]
    speedup = rates[4] / rates[1]
    keep(
        sites=4,
        speedup=round(speedup, 2),
        held_s=held_s,
        cases_a_second={str(n): round(r, 3) for n, r in rates.items()},
    )


@pytest.mark.parametrize("window", WINDOWS)
def test_run_is_shown_at_a_terminal(fleet: Fleet, window: str) -> None:
    fleet.site("ams", 0.5)
    file = fleet.file(fleet.customer("acme", 2), SITES[:1])
    command = [*HARNESS, "fleet", "run", str(file), "--scenarios", str(CALLS)]
    command += ["--files", str(fleet.files), "--reports", str(fleet.reports)]
    terminal = shown(command, window, ROOT, resized="run ", **fleet.environment())
    assert re.search(r"^2 cases in .*: 2 passed", terminal.text, re.MULTILINE)


def test_no_case_is_lost_when_worker_site_redis_and_controller_are_killed(fleet: Fleet) -> None:
    held_s, cases, cap, rate = 1.5, 24, 8, 20.0
    for site in SITES:
        fleet.site(site, held_s)
    customer = fleet.customer(
        "acme", cases, concurrent_calls=cap, calls_per_second=rate, seconds_per_call=30.0
    )
    file = fleet.file(customer, SITES, shard_s=6.0)
    controller = fleet.controller(file, "--scenarios", CALLS)
    heard: list[str] = []
    listener = threading.Thread(target=lambda: heard.extend(controller.stdout or ()))
    listener.start()
    until("calls are placed", lambda: fleet.begun() >= 3)
    fleet.kill_worker("ams")
    fleet.site("ams", held_s)
    until("more calls are placed", lambda: fleet.begun() >= 6)
    fleet.kill_site("fra")
    until("more calls are placed", lambda: fleet.begun() >= 10)
    fleet.redis.kill()
    fleet.redis.start()
    until("more calls are placed", lambda: fleet.begun() >= 14)
    controller.send_signal(signal.SIGKILL)
    controller.wait()
    listener.join()
    assert controller.stdout is not None
    controller.stdout.close()
    (run,) = (path for path in (fleet.reports / "fleet").iterdir() if path.is_dir())
    code, output = finished(fleet.controller("--resume", run))
    output = "".join(heard) + output
    assert code == 0, output
    found, seen = read(fleet.latest), verdicts(fleet.latest)
    assert found["planned"] == found["cases"] == cases, output
    lost = cases - len({case for _, case in seen})
    again = {entry["case"] for entry in found["placed_again"]}
    twice = [case for (_, case), each in seen.items() if len(each) > 1] + found["duplicates"]
    called = [entry["case"] for entry in fleet.ledger(found["run"])]
    unsaid = {case for case in called if called.count(case) > 1} - again - run_again(fleet.latest)
    calls = sorted(outgoing(fleet.latest))
    beyond = max(0, most_at_once(calls) - cap)
    beyond += sum(
        later[0] - earlier[0] < 1.0
        for earlier, later in zip(calls, calls[int(rate) + 1 :], strict=False)
    )
    keep(
        cases=cases, kills=["worker", "site", "redis", "controller"], cap=cap, most_at_once=most_at_once(calls),
        cap_exceeded=beyond, lost=lost, duplicates=len(twice) + len(unsaid), placed_again=len(again),
        losses=len(found["losses"]),
    )  # fmt: skip
    assert (lost, twice, unsaid, beyond) == (0, [], set(), 0), output
    assert {verdict for each in seen.values() for verdict in each} == {"passed"}, output
    assert found["losses"], "the worker's shard and the site's were lost, and it says so"
    for case in again:
        assert f"PLACED AGAIN: {case}" in output


def test_cases_without_a_site_are_reported(fleet: Fleet) -> None:
    fleet.site("ams", 0.0)
    customer = fleet.customer("acme", 1)
    other = fleet.customer("nobodys", 2)
    verify = [
        {"file": customer, "rows": ["TD-INBOUND"], "sites": ["ams"]},
        {"file": other, "rows": ["TD-INBOUND"], "sites": ["fra"]},
    ]
    file = fleet.file(customer, ("ams", "fra"), verify=verify, patience_s=1.0)
    code, output = fleet.run(file, "--scenarios", CALLS)
    assert code == 3, output
    assert "NOT RUN: 2 cases of nobodys: none of its sites was there for 1 s" in output
    assert len(read(fleet.latest)["not_run"]["fra"]) == 2
    summary = json.loads((fleet.latest / "summary.json").read_text())
    assert (summary["cases"], summary["passed"], summary["broken"]) == (3, 1, 2), (
        "every case has a verdict"
    )
