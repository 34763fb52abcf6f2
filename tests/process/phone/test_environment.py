"""A softphone is told its own password, and gets nobody's from the environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.forkserver.environment import of_a_child
from harness.phone import PhoneConfig
from harness.phone.pool import PhonePool


def test_a_softphone_has_no_secret_in_its_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SYNTHFLOW_API_TOKEN", "CARRIER_PW", "AWS_SECRET_ACCESS_KEY", "HARNESS_LIVE"):
        monkeypatch.setenv(name, "correct-horse-battery")
    with PhonePool(tmp_path) as pool:
        pool.lease(
            PhoneConfig("alice", "101", "example.com"), sink=lambda _: None, marks=iter(range(9)), directory=tmp_path
        )
        (pid,) = pool.pids
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    assert b"correct-horse-battery" not in environment
    assert b"PATH=" in environment


def test_what_a_program_needs_is_kept() -> None:
    kept = {"PATH": "/bin", "HOME": "/root", "LC_ALL": "C", "TMPDIR": "/tmp", "PYTHONPATH": "x"}
    assert of_a_child(kept | {"TOKEN": "t", "MY_PATH": "x", "PATHS": "y", "MY_PASSWORD": "p"}) == kept
