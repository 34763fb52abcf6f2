"""What the figures are held to, each by its name in ``reports/bench.json``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final


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
#: 65 s were asked for when the matrix had 347 cases; a case more may cost as much as each of those.
_CASE_CPU_S: Final = 65 / 347

BARS: Final[Mapping[str, Bar]] = {
    "matrix_speedup": Bar(10.0, least=True),
    "matrix_cpu_s_per_case": Bar(round(_CASE_CPU_S, 4), scales=True),
    "verdict_ms_p95": Bar(200.0),
    "evidence_cpu_ms": Bar(40.0, scales=True),
    "evidence_kb": Bar(250.0),
    "leg_cpu_percent": Bar(0.6, scales=True),
    "leg_over_floor": Bar(2.2),
    "call_cpu_percent": Bar(1.8, scales=True),
    "calls_held": Bar(150.0, least=True),
    "calls_held_for_s": Bar(60.0, least=True),
    "calls_held_packets_lost": Bar(0.0),
    "calls_held_wrong_verdicts": Bar(0.0),
    "start_to_invite_s": Bar(1.5),
    "growth_wall_r2": Bar(0.99, least=True),
    "growth_cpu_r2": Bar(0.99, least=True),
    "growth_kb_a_case": Bar(30.0),
    "growth_report_s": Bar(20.0),
    "growth_report_mb": Bar(500.0),
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
