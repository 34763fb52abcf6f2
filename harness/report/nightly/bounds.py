"""Bounds of figures: what a row's calls may take at most.

::

    [[bound]]
    kpi = "answer_s"        # answer_s, rtp_loss, rtp_jitter_ms, case_s
    row = "ROW-ID"          # or "*", every row
    max = 3.0
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from harness.report.history import Run
from harness.support import toml_model

_OVER = re.compile(r": \w+ above \S+$")


class Bound(BaseModel):
    """The most a figure of a row may be."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    kpi: Literal["answer_s", "rtp_loss", "rtp_jitter_ms", "case_s"]
    row: str = "*"
    max: float


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    bound: tuple[Bound, ...] = ()


def read(path: Path) -> tuple[Bound, ...]:
    """The bounds of a file. Raises :class:`MistakeError` with a line for each mistake."""
    return toml_model.load(path, _File).bound


def breaches(bounds: Sequence[Bound], runs: Iterable[Run]) -> list[str]:
    """A line for each figure over its bound, and for each bound of a row of which there is no figure: nothing was held to it."""
    runs = list(runs)
    over = [words for words, value, bound in _held(bounds, runs) if value > bound.max]
    measured = {(row, kpi) for run in runs for row, figures in run.kpis.items() for kpi in figures}
    named = dict.fromkeys((bound.row, bound.kpi) for bound in bounds if runs and bound.row != "*")
    return over + [
        f"{row}: {kpi} has a bound, and was not measured" for row, kpi in named if (row, kpi) not in measured
    ]


def is_open(problem: str, bounds: Sequence[Bound], runs: Sequence[Run]) -> bool:
    """Whether a problem of an earlier night is a figure's, and no figure of these ``runs`` was held to that bound."""
    return bool(_OVER.search(problem)) and problem not in {words for words, *_ in _held(bounds, runs)}


def _held(bounds: Sequence[Bound], runs: Sequence[Run]) -> Iterator[tuple[str, float, Bound]]:
    """Each figure that has a bound: what is said where it is over, its value, and the bound."""
    are_several = len({run.deployment for run in runs}) > 1  # rows of one platform have the same names
    for run in runs:
        whose = (f" of {run.deployment}" if are_several else "") + f" at {run.site or 'local'}"
        for row, figures in sorted(run.kpis.items()):
            for bound in bounds:
                if bound.row in ("*", row) and bound.kpi in figures:
                    yield f"{row}{whose}: {bound.kpi} above {bound.max:g}", figures[bound.kpi], bound
