"""How far a server's clock is ahead, by the Date of its answers."""

from __future__ import annotations

import email.utils

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.witness.clock import ClockOffset


@given(
    st.one_of(st.just(0.0), st.floats(-100, 100)),
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 0.9)), min_size=1, max_size=40),
)
def test_the_bounds_hold_the_offset_after_every_answer(
    ahead: float, answers: list[tuple[float, float]]
) -> None:
    offset, now = ClockOffset(), 1_800_000_000.0
    for pause, takes in answers:
        asked_at, now = now + pause, now + pause + takes
        told = email.utils.formatdate(int((asked_at + takes / 2 + ahead) // 1), usegmt=True)
        offset.note(asked_at, now, told)
        assert offset.least <= ahead + 1e-3
        assert ahead - offset.least <= offset.unknown_s + 1e-3
        assert offset.least <= offset.nearest <= offset.least + offset.unknown_s
        assert abs(offset.nearest) <= abs(ahead) + 1e-3
    assert offset.seconds == 0.0 or ahead - 2.0 <= offset.seconds <= ahead + 1e-3
    if abs(ahead) > 2.0:
        assert offset.seconds != 0.0
    if ahead == 0.0:
        assert offset.seconds == 0.0


@pytest.mark.parametrize("date", [None, "", "yesterday", "Mon, 99 Foo 2026 99:99:99 GMT"])
def test_any_other_text_than_a_date_says_nothing(date: str | None) -> None:
    offset = ClockOffset()
    offset.note(1.0, 2.0, date)
    assert offset.seconds == 0.0
