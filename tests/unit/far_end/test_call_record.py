"""One call's record in forms that neither the project's own far end nor the documentation has: its moments and its numbers."""

from __future__ import annotations

import pytest

from harness.far_end.call_record import CallRecord
from harness.far_end.clock_offset import ClockOffset

AT = 1_795_397_682.5


@pytest.mark.parametrize(
    "date",
    [
        "Mon, 23 Nov 2026 01:34:42 GMT",
        "Monday, 23-Nov-26 01:34:42 GMT",
        "Mon Nov 23 01:34:42 2026",
        "Mon, 23 Nov 2026 01:34:42 -0000",
        "Mon, 23 Nov 2026 01:34:42",
    ],
)
@pytest.mark.usefixtures("far_from_greenwich")
def test_a_date_is_in_utc_in_each_of_its_forms(date: str) -> None:
    """RFC 9110 section 5.6.7; where it was taken for this machine's own time, every call of ours was an earlier one."""
    told, offset = AT - 0.5, ClockOffset()
    offset.note(told + 0.1, told + 0.2, date)
    assert offset.seconds == 0.0
    assert -0.3 < offset.least < 0.0


@pytest.mark.parametrize("told", ["2026-11-23T01:34Z", "2026-11-23 01:34+00:00", "2026-11-23T01Z", "20261123T0134Z"])
def test_a_moment_to_the_minute_is_not_known(told: str) -> None:
    """Of which part of the minute it is, nobody knows: a call of ours would be an earlier one."""
    assert CallRecord("c1", {"start_time": told}).is_since(AT) is None
    assert CallRecord("c1", {"start_time": "20261123T013442Z"}).is_since(AT) is True
