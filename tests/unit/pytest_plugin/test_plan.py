"""A plan that cannot be made says so."""

from __future__ import annotations

from typing import Any, cast

import pytest

from harness.pytest_plugin.progress import PlanOnly


def test_a_plan_that_cannot_be_made_says_why_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    PlanOnly(cast("Any", None)).pytest_internalerror("Traceback …\n  File x\nIndexError: list index out of range\n")
    assert capsys.readouterr().out.splitlines() == [
        "BROKEN   no plan could be made: IndexError: list index out of range"
    ]
