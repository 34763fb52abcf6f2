"""The runner of ``make test-interop``: what it counts, what it misses, what it leaves behind."""

from __future__ import annotations

import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from harness.bench import interop


def test_errors_count_as_failures_and_skips_as_skips(tmp_path: Path) -> None:
    junit = tmp_path / "junit.xml"
    junit.write_text(
        "<testsuites><testsuite><testcase/><testcase><failure/></testcase><testcase><error/></testcase>"
        "<testcase><skipped/></testcase><testcase/></testsuite></testsuites>"
    )
    assert interop.counts(junit) == {"passed": 2, "failed": 2, "skipped": 1}


def test_what_cannot_be_installed_is_named_and_breaks_the_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(interop, "PROGRAMS", {"no-such-program": interop.Needed("its-package", ("-v",), "(.)")})
    monkeypatch.setattr(interop, "_TLS_MODULES", ("/",))
    monkeypatch.setattr(interop, "install", lambda packages: "no network")
    assert interop.main([]) == interop.BROKEN
    told = capsys.readouterr().err
    assert "interop: missing: its-package (no network)" in told
    assert "apt-get install its-package" in told


def test_what_is_left_behind_is_found_and_ended() -> None:
    run = uuid.uuid4().hex
    with subprocess.Popen(
        [sys.executable, "-c", "print(flush=True); input()"],
        env={interop.RUN_VARIABLE: run},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout
        process.stdout.readline()
        assert interop.left_behind(run) == [process.pid]
        assert interop.sweep(run, patience_s=0.0) == [process.pid]
        assert process.wait(10) == -9
    assert interop.left_behind(run) == []
