"""The runner of ``make test-interop``: what it counts, what it misses, what it leaves behind."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from tools.interop import programs
from tools.interop.run import RUN_VARIABLE, left_behind, sweep


@pytest.fixture
def fake_apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An apt-get that writes down how it was called, and what Debian's rule for starting daemons says then."""
    policy = tmp_path / "policy-rc.d"
    monkeypatch.setattr(programs, "_POLICY", policy)
    for name, script in {
        "sudo": 'shift; exec "$@"',
        "apt-get": f'echo "$@" >>{tmp_path}/calls; {policy} x start; echo "policy: $?" >>{tmp_path}/calls\n'
        f'echo "E: no such mirror"; exit $(cat {tmp_path}/code)',
    }.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "code").write_text("0")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    return tmp_path


def test_packages_start_no_daemons_while_they_are_installed(fake_apt: Path) -> None:
    assert programs.install(["kamailio", "sipsak"]) is None
    calls = (fake_apt / "calls").read_text()
    assert "install -y --no-install-recommends kamailio sipsak" in calls
    assert calls.count("policy: 101") == 2  # Debian Policy 9.3.3.1: forbidden
    assert not (fake_apt / "policy-rc.d").exists()


def test_why_nothing_could_be_installed_is_told(fake_apt: Path) -> None:
    (fake_apt / "code").write_text("100")
    assert programs.install(["kamailio"]) == "E: no such mirror"


def test_what_is_left_behind_is_found_and_ended() -> None:
    run = uuid.uuid4().hex
    with subprocess.Popen(
        [sys.executable, "-c", "print(flush=True); input()"],
        env={RUN_VARIABLE: run},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout
        process.stdout.readline()
        assert left_behind(run) == [process.pid]
        assert sweep(run, patience_s=0.0) == [process.pid]
        assert process.wait(10) == -9
    assert left_behind(run) == []
