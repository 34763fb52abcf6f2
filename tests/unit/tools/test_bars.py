"""What figures are held to: as they are, whatever the machine; its speed is said beside them."""

from __future__ import annotations

import pytest

from tools.speed.bars import at_reference, missed


def test_a_bar_holds_for_the_figure_as_it_is() -> None:
    assert missed({"leg_cpu_percent": 0.9, "machine_slowness": 3.0}) == ["leg_cpu_percent"]
    assert missed({"leg_cpu_percent": 0.6, "calls_held": 150, "unheard_of": 9.0}) == []
    assert missed({"calls_held": 149, "verdict_ms_p95": float("nan")}) == [
        "verdict_ms_p95",
        "calls_held",
    ]


def test_cpu_is_told_at_the_speed_of_the_machine_that_the_bars_were_set_on() -> None:
    figures = {
        "leg_cpu_percent": 0.9,
        "leg_over_floor": 2.0,
        "verdict_ms_p95": 190.0,
        "machine_slowness": 1.5,
    }
    assert at_reference(figures) == {"leg_cpu_percent": pytest.approx(0.6)}
    del figures["machine_slowness"]
    assert at_reference(figures) == {}
