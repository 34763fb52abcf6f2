"""What a process that runs scenarios does before its first case."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest

from harness.integrations.matrix import Selection
from harness.run.plugin import fixtures
from harness.run.plugin.parallel import WATCH
from harness.run.plugin.run import RUN, Run


def test_first_phone_process_starts_beside_the_collection_where_calls_will_be_placed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool, cleanups = MagicMock(), list[Any]()
    monkeypatch.setattr(fixtures, "PhonePool", MagicMock(return_value=pool))
    stash: dict[Any, Any] = {RUN: Run(tmp_path, (), Selection(), "quick")}
    session: Any = SimpleNamespace(config=SimpleNamespace(stash=stash, add_cleanup=cleanups.append))
    fixtures.pytest_collection(session)
    assert not pool.mock_calls, "a plan"
    stash[WATCH] = object()
    fixtures.pytest_collection(session)
    pool.prepare.assert_called_once_with()
    assert cleanups == [pool.close]
