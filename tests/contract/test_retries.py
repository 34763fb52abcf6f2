"""Further attempts at a case, with phones."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.report.run_directory import read_cases
from tests.contract.harness_command import harness

DEPLOYMENT = Path("scenarios/deployments/simulated-talkdesk.toml").absolute()
ONE = "--row TD-INBOUND --transport udp --auth ip --codec pcmu --ai synthflow"


@pytest.mark.parametrize("workers", ["0", "1"])
def test_last_case_of_a_process_is_tried_again_like_any_other(tmp_path: Path, workers: str) -> None:
    again = ("--fault", "rtp-blocked-to-caller", "--retries", "1", "-n", workers)
    harness("verify", DEPLOYMENT, *ONE.split(), *again, cwd=tmp_path, exits=1)
    attempts = read_cases((tmp_path / "reports" / "latest").resolve())
    assert len(attempts) > 1
    assert all(attempt.message.startswith("audio of ") for attempt in attempts)
