"""``harness load``: few calls, against a world whose trunks take three at once."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import tomli_w

from harness.deployment import CALLS_A_PHONE
from harness.report.evidence import CaseEvidence
from harness.run.load import result
from harness.support.resources import EXAMPLES
from tests.acceptance.outside import was_starved
from tools.speed.held import wide

WORLD = EXAMPLES / "simulated-talkdesk.toml"


Load = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def load(forked_python: str) -> Load:
    """``harness load …``, forked; once more where a busy machine broke a call, which says nothing
    of what it is about.
    """
    program = [forked_python, "-c", "from harness.run.cli.app import main; main()", "load"]
    environment = {name: value for name, value in os.environ.items() if name != "HARNESS_LIVE"}

    def load(file: Path, reports: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [*program, str(file), *arguments, "--reports", str(reports)]
        for is_last in (False, True):
            done = subprocess.run(
                command, env=environment, capture_output=True, text=True, timeout=300, check=False
            )
            if is_last or not was_starved(done.stdout + done.stderr):
                break
            shutil.rmtree(reports / "load")
        return done

    return load


def run_of(reports: Path) -> tuple[Path, dict[str, Any]]:
    (run,) = (reports / "load").iterdir()
    return run, json.loads((run / result.FILE).read_text())


def test_load_places_verifies_and_ends_every_call(load: Load, tmp_path: Path) -> None:
    done = load(WORLD, tmp_path, "--calls", "3", "--cps", "5", "--for", "0.5", "--step", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    run, found = run_of(tmp_path)
    assert (found["verdict"], found["calls_held"], found["first_failing_step"]) == (
        "passed",
        3,
        None,
    )
    assert [
        (step["calls"], step["placed"], step["verified"], step["held"]) for step in found["steps"]
    ] == [
        (2, 2, 2, 2),
        (3, 1, 1, 3),
    ]
    for call in found["calls"]:
        assert call["ended"]
        assert call["rx_packets"] > 25, "half a second of RTP"
        assert 0 < call["post_dial_delay_ms"] <= call["setup_ms"]
        assert call["invited_s"] < call["answered_s"] < call["over_s"]
        assert call["two_way_ms"] > 0
    last_up = max(call["answered_s"] for call in found["calls"])
    assert min(call["over_s"] for call in found["calls"]) - last_up >= 0.5, "all of them are held"
    (case,) = (run / "cases").iterdir()
    audio = [f for f in CaseEvidence.read(case).findings if f.check == "audio"]
    assert len(audio) == 2 * (3 + 2 + 3), (
        "each when it comes up, and all that are up at the end of each step"
    )
    assert list(case.glob("*.wav")) == [], "recordings of calls that passed are not kept"
    root = ElementTree.fromstring((run / result.PICTURE).read_text())
    assert len(root.findall(".//{*}circle")) == 6
    assert "3 of 3 calls held" in "".join(root.itertext())


@pytest.mark.nightly
def test_load_with_more_calls_than_one_phone_takes(load: Load, tmp_path: Path) -> None:
    """A caller then has several phones, each with a name of its own."""
    plain = wide(CALLS_A_PHONE + 2)
    for other in ("caller-2", "caller-3", "caller-4", "customer"):
        del plain["phones"][other]
    file = tmp_path / "wide.toml"
    file.write_text(tomli_w.dumps(plain))
    done = load(
        file,
        tmp_path,
        "--calls",
        str(CALLS_A_PHONE + 2),
        "--cps",
        "10",
        "--for",
        "0.5",
        "--step",
        "3",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = run_of(tmp_path)[1]
    assert found["calls_held"] == CALLS_A_PHONE + 2
    assert {call["leg"].partition(".")[0] for call in found["calls"]} == {"caller", "caller~2"}


def test_load_names_the_first_step_beyond_the_platforms_limit(load: Load, tmp_path: Path) -> None:
    done = load(
        WORLD, tmp_path, "--calls", "6", "--cps", "5", "--for", "60", "--step", "2", "--json"
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "first failing step: 2 (4 calls)" in done.stderr
    run, found = run_of(tmp_path)
    assert json.loads(done.stdout) == found
    assert (found["verdict"], found["first_failing_step"], found["calls_held"]) == ("failed", 2, 3)
    assert [call["verdict"] for call in found["calls"]] == [
        "passed",
        "passed",
        "passed",
        "failed",
    ], "and no more is asked"
    assert all(call["ended"] for call in found["calls"])
    assert found["wall_s"] < 60, "what has failed is not held"
    declared, *of_this_machine = found["notes"]  # what it was too busy for stands behind
    assert declared == "trunk udp-ip is declared with 3 calls at once, and was asked for 6"
    assert not [note for note in of_this_machine if note.startswith("trunk")]
    refused = found["calls"][3]
    assert refused["failed_in"] == 2
    assert refused["leg"] in found["steps"][1]["message"]
    (case,) = (run / "cases").iterdir()
    assert json.loads((case / "case.json").read_text())["end"]["verdict"] == "failed"


def test_load_stays_within_the_files_limits(load: Load, tmp_path: Path) -> None:
    done = load(WORLD, tmp_path, "--calls", "201", "--cps", "1")
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stderr.splitlines() == [
        "ERROR: --calls 201: more at once than allowed: limits.concurrent_calls = 200",
        "ERROR: --for 10: the first call would be up for 211 s or more (201 calls at 1 a second, then --for); "
        "allowed: less than limits.seconds_per_call = 120",
    ]
    assert not (tmp_path / "load").exists()
    done = load(WORLD, tmp_path, "--calls", "1", "--cps", "nan")
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stderr.splitlines() == [
        "ERROR: --cps nan: no calls would be placed; allowed: more than 0"
    ]
