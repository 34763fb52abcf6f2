"""An example: what a check has to let through, and what it must not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from harness.calls.checks import (
    responsiveness,
)
from harness.calls.verdict import Finding


@dataclass(frozen=True)
class Example:
    """What the finding is of: with the right thing to look at, and with wrong ones."""

    check: str
    of: Callable[..., Any]
    right: Callable[[], Finding | None]
    wrong: tuple[Callable[[], Finding | None], ...]


def of_manners(check: str) -> Example:
    return Example(
        check,
        responsiveness.in_time,
        lambda: responsiveness.in_time(check, "caller.1", 1.0, 1.0, "from the answer"),
        (
            lambda: responsiveness.in_time(check, "caller.1", 1.1, 1.0, "from the answer"),
            lambda: responsiveness.in_time(check, "caller.1", None, 1.0, "the caller spoke for 2.0 s"),
        ),
    )
