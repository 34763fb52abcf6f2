"""The line that shows how far a run has come.

On a terminal rich redraws it in a thread of its own while the run goes on. So it is drawn from a
:class:`Standing`, which never changes: the run replaces it when a case ends.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from rich.text import Text

from harness.case.verdict import Verdict
from harness.report.terminal import STYLES


@dataclass(frozen=True)
class Standing:
    """How far a run has come, at one moment."""

    planned: int = 0  #: cases; 0: they are not known yet
    planned_s: float = 0.0  #: how long the rows of all cases take
    ended: Mapping[str, int] = field(default_factory=dict)  #: cases, by verdict
    ended_s: float = 0.0

    def with_plan(self, seconds: Collection[float]) -> Standing:
        """The same with these planned cases, of which each takes so long."""
        return replace(self, planned=len(seconds), planned_s=sum(seconds))

    def with_ended(self, verdict: Verdict, seconds: float) -> Standing:
        """The same with one more ended case."""
        ended = {**self.ended, verdict: self.ended.get(verdict, 0) + 1}
        return replace(self, ended=ended, ended_s=self.ended_s + seconds)

    def line(self, elapsed_s: float, workers: int, calls_up: int | None = None) -> Text:
        """The line; ``calls_up`` is None where calls are not counted any more."""
        count = sum(self.ended.values())
        parts = [f"{count}/{self.planned or '…'} cases"]
        if calls_up is not None:
            parts.append(f"{calls_up} calls up")
        text = Text("         " + " · ".join(parts))
        for verdict, style in STYLES.items():
            if verdict in self.ended:
                text.append(f" · {self.ended[verdict]} {verdict}", style)
        text.append(f" · {elapsed_s:.1f} s")
        if count >= workers:  # each worker has ended a case, so there is a pace
            text.append(time_left(elapsed_s, self.ended_s, self.planned_s - self.ended_s))
        return text


def time_left(elapsed_s: float, done: float, left: float) -> str:
    """The time that the cases left take at the pace so far, rounded; empty if none is left.
    ``done`` and ``left`` are rows' seconds.
    """
    if min(done, left) <= 0:
        return ""
    seconds = elapsed_s * left / done
    return (
        f" · about {seconds:.0f} s left"
        if seconds < 90
        else f" · about {seconds / 60:.0f} min left"
    )
