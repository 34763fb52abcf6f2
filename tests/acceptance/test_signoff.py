"""A night of the simulated deployment, signed, tampered with, and interrupted, by the command line
alone.
"""

from __future__ import annotations

import base64
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

DEPLOYMENT = str(Path("scenarios/deployments/simulated-talkdesk.toml").resolve())
VERIFY = "--row HANGUP-CALLER -n 1"


@pytest.mark.nightly
def test_signed_night_reveals_every_change(tree: Any) -> None:
    code, output = tree.harness("nightly", DEPLOYMENT, "--verify", VERIFY, "--metrics", "m.prom")
    assert code == 0, output
    assert "changed        this is the first night" in output
    assert (tree.path / "reports" / "nightly.html").is_file()
    assert "call_verification_night_problems" in (tree.path / "m.prom").read_text()
    assert tree.harness("nightly", DEPLOYMENT, "--check-fresh", "1")[0] == 0

    run = tree.run_directory
    assert tree.harness("signoff", "key", "key.pem")[0] == 0
    code, output = tree.harness("signoff", str(run), "--key", "key.pem")
    assert code == 1  # one row is not the guide
    assert "NOT ACCEPTED (simulated)" in output
    assert "narrowed by --row HANGUP-CALLER" in output
    code, output = tree.harness("signoff", "verify", str(run), "--key", "key.pub")
    assert (code, "verified:" in output) == (4, True), output  # genuine, and still not accepted

    code, output = tree.harness("report", str(run), "--csv", "--zip", "all")
    assert code == 0, output
    assert (run / "report.csv").is_file()
    assert "verified:" in tree.harness("signoff", "verify", str(run), "--key", "key.pub")[1]

    recording = next(run.rglob("*.received.flac"))
    raw = recording.read_bytes()
    recording.write_bytes(raw[:-1] + bytes([raw[-1] ^ 1]))
    code, output = tree.harness("signoff", "verify", str(run), "--key", "key.pub")
    assert code == 1
    assert f"NOT VERIFIED  {recording.relative_to(run)}: was changed" in output
    assert tree.harness("report", str(run))[0] == 2


def test_moment_used_for_hours_is_in_scope_report_and_signoff(tree: Any) -> None:
    """Otherwise HARNESS_AS_OF could open or close a number, and nobody who reads the sign-off would
    know.
    """
    file = tree.deployment()
    tree.scenarios("""
    @scenario("INBOUND")
    def test_inbound(see):
        see()
    """)
    moment = "2026-03-08T03:00:00+00:00"
    assert tree.harness("signoff", "key", "key.pem")[0] == 0
    for set_by_the_user in (True, False):
        environment = {"HARNESS_AS_OF": moment} if set_by_the_user else {}
        process = tree.start("--deployment", str(file), live=True, forked=True, **environment)
        code, output = tree.finished(process)
        assert code == 0, output
        run = (tree.path / "reports" / "latest").resolve()
        tree.harness("signoff", str(run), "--key", "key.pem", "--no-pdf")
        payload = json.loads((run / "signoff.intoto.json").read_text())["payload"]
        said = [
            json.loads((run / "scope.json").read_text())["options"]["as_of"],
            json.loads((run / "summary.json").read_text())["as_of"],
            json.loads(base64.b64decode(payload))["predicate"].get("hoursJudgedAsOf", ""),
        ]
        assert said == [moment if set_by_the_user else ""] * 3
        for name in ("report.html", "signoff.html"):
            text = (run / name).read_text()
            assert ("HARNESS_AS_OF" in text, moment in text) == (
                set_by_the_user,
                set_by_the_user,
            ), name


@pytest.mark.nightly
def test_killed_run_is_not_accepted(tree: Any) -> None:
    process = tree.start_harness("verify", DEPLOYMENT, "--row", "HANGUP-CALLER", "-n", "1")
    deadline = time.monotonic() + 300
    while not list((tree.path / "reports").glob("*/cases/*/case.json")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    code, output = tree.harness("signoff", str(tree.run_directory))

    assert code == 1
    assert "The run was interrupted: the run never came to its end" in output
    assert "unsigned" in output
