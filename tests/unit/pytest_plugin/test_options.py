"""What a run puts down of its options."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from harness.run.plugin.options import LIVE_VARIABLE, given

LISTS = ("row", "require", "transport", "auth", "codec", "ai", "fault", "deployment")


@pytest.mark.parametrize(
    ("option", "variable", "live"), [(True, "", True), (False, "1", True), (False, "", False), (False, "yes", False)]
)
def test_real_calls_that_the_environment_allows_are_put_down(
    monkeypatch: pytest.MonkeyPatch, option: bool, variable: str, live: bool
) -> None:
    monkeypatch.setenv(LIVE_VARIABLE, variable)
    options: dict[str, Any] = {**{name: [] for name in LISTS}, "retries": 0, "live": option}
    config: Any = SimpleNamespace(getoption=options.get)
    assert given(config)["live"] is live
