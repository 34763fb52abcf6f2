"""What the figures are held to, each by its name in ``reports/bench.json``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tools import read_toml


@dataclass(frozen=True)
class Bar:
    """The most a figure may be, or the least."""

    value: float
    least: bool = False
    scales: bool = False  #: it is CPU: a machine twice as slow needs twice as much for the same

    def __str__(self) -> str:
        return f"{'≥' if self.least else '≤'} {self.value:g}"

    def is_missed(self, figure: float) -> bool:
        """Whether a figure is on the wrong side; one that is no number is."""
        return not (figure >= self.value if self.least else figure <= self.value)


#: What pjsua2's own leg cost on the machine that the bars were set on (``floor_leg_cpu_percent``).
REFERENCE_FLOOR: Final = 0.28
_TABLE = read_toml(Path(__file__).with_suffix(".toml"))
BARS: Final[Mapping[str, Bar]] = {
    name: Bar(row.get("least", row.get("most")), "least" in row, row.get("scales", False))
    for name, row in _TABLE.items()
}


def at_reference(figures: Mapping[str, Any]) -> dict[str, float]:
    """What the figures of CPU are at the speed of the machine that the bars were set on; empty
    where no floor was measured.

    The bars hold for the figures as they are: this tells a slow machine from slow code.
    """
    slowness = figures.get("machine_slowness")
    return {
        name: figures[name] / slowness
        for name, bar in BARS.items()
        if slowness and bar.scales and name in figures
    }


def missed(figures: Mapping[str, Any]) -> list[str]:
    """The figures that miss their bar."""
    return [name for name, bar in BARS.items() if name in figures and bar.is_missed(figures[name])]
