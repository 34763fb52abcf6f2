"""Where ``harness verify`` has pytest collect from."""

from __future__ import annotations

from pathlib import Path

import pytest
from _pytest.main import resolve_collection_argument

from harness.run.cli.verify import _of_pytest
from harness.support import resources


def test_own_scenarios_may_lie_below_a_directory_with_brackets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """pytest cuts a path at its first bracket, for the parameters of a test."""
    (tmp_path / "[prod]" / "scenarios").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "[prod]")
    package, own, *_ = _of_pytest(Path("scenarios"))
    assert Path(package) == resources.SCENARIOS
    assert resolve_collection_argument(Path.cwd(), own, 0).path == tmp_path / "[prod]" / "scenarios"
    (tmp_path / "[prod]" / "scenarios").rmdir()
    assert _of_pytest(Path("scenarios"))[:2] == [str(resources.SCENARIOS), "--rootdir"]
    monkeypatch.chdir(resources.ROOT)
    assert _of_pytest(Path("scenarios"))[:2] == ["scenarios", "--rootdir"], "once"
