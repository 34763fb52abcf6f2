"""The runner of ``make test-interop``: what it leaves behind."""

from __future__ import annotations

import subprocess
import sys
import uuid

from tools.interop.run import RUN_VARIABLE, left_behind, sweep


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
