"""Strangers of the simulated world."""

from __future__ import annotations

from harness.world.network import stranger


def test_the_strangers_number_is_none_of_the_customers() -> None:
    usual = stranger([]).username
    other = stranger([usual]).username
    assert usual != other
    assert other.startswith("+1303555")
