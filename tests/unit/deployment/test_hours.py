"""When numbers are open, and what a customer may write of that."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from harness.deployment.file import load
from harness.deployment.hours import AS_OF_VARIABLE, Hours, Zone, is_open, planned_at
from harness.errors import SelectionError
from harness.support.resources import EXAMPLES
from tests.unit.deployment.example_files import loaded

TALKDESK = EXAMPLES / "simulated-talkdesk.toml"
WEEK = "mon-fri 08:00-18:00, sat 09:00-13:00"
FEASTS = f"{WEEK}, 2026-12-24 08:00-12:00; 2026-12-25 closed, 2026-12-27 22:00-02:00"
NIGHTS = "mon-sun 22:00-06:00, 2026-12-25 closed"
NOON = (
    "mon-fri 08:00-12:00 and 13:00-17:00",
    "mon-fri 08:00-12:00 13:00-17:00",
    "mon-fri 08:00-12:00, 13:00-17:00",
)
BERLIN = "Europe/Berlin"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("hours", "moment", "opened"),
    [
        (WEEK, "2026-03-04T08:00+01:00", True),  # a Wednesday
        (WEEK, "2026-03-04T18:00+01:00", False),
        (WEEK, "2026-03-08T12:00+01:00", False),  # a Sunday
        (WEEK, "2026-07-01T06:00+00:00", True),  # summer time: 08:00 there
        (WEEK, "2026-03-04T06:30+00:00", False),
        ("fri 20:00-02:00", "2026-03-07T01:59+01:00", True),  # on Saturday
        ("fri 20:00-02:00", "2026-03-07T02:00+01:00", False),
        ("sun 22:00-06:00", "2026-03-09T05:00+01:00", True),  # over the end of the week
        ("sat-mon 00:00-24:00", "2026-03-09T23:59+01:00", True),
        ("mon-sun 00:00-00:00", "2026-03-10T00:00+01:00", True),
        ("Mon-Fri 08:00-12:00; mon-fri 13:00-17:00", "2026-03-10T12:30+01:00", False),
        *((hours, "2026-03-10T12:30+01:00", False) for hours in NOON),
        *((hours, "2026-03-10T14:00+01:00", True) for hours in NOON),
        (f"{WEEK}, 2026-12-23 to 2027-01-06 closed", "2027-01-06T10:00+01:00", False),
        (f"{WEEK}, 2026-12-23 to 2027-01-06 closed", "2027-01-07T10:00+01:00", True),
        (FEASTS, "2026-12-24T11:59+01:00", True),
        (FEASTS, "2026-12-25T10:00+01:00", False),
        (FEASTS, "2026-12-24T23:30+00:00", False),  # there it is the 25th
        (FEASTS, "2026-12-28T01:59+01:00", True),  # from the day before, beside the Monday's own
        (FEASTS, "2027-12-25T10:00+01:00", True),  # a Saturday of another year
        (NIGHTS, "2026-12-25T00:00+01:00", False),  # a closed date is so from its midnight on
        (NIGHTS, "2026-12-26T05:59+01:00", False),  # and no night begins on it
    ],
)
def test_it_is_open_within_its_hours_by_its_own_clocks(
    hours: str, moment: str, opened: bool
) -> None:
    assert is_open(TypeAdapter(Hours).validate_python(hours), BERLIN, at(moment)) is opened


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "always",
            "mon 8:00-18:00",
            "mon 08:00-25:00",
            "mon 08:00-12:60",
            "mon-fri",
            "mo 08:00-12:00",
        ),
        *(
            "08:00-12:00",
            f"{WEEK}, 2026-12-26 to 2026-12-24 closed",
            f"{WEEK}, 2026-12-26 to 2028-12-24 closed",
        ),
        "mon-fri 08:00-08:00",
        *(
            "sun closed",
            "2026-12-25 closed",
            f"{WEEK}, 2026-02-30 closed",
            f"{WEEK}, 25.12.2026 closed",
        ),
        *(
            f"{WEEK}, 2026-12-25 closed, 2026-12-25 08:00-12:00",
            f"{WEEK}, 2026-12-24-2026-12-26 closed",
        ),
    ],
)
def test_what_are_no_hours_is_said_with_an_example(text: str) -> None:
    with pytest.raises(ValidationError, match="allowed"):
        TypeAdapter(Hours).validate_python(text)


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("mon-fri 08:00-18:00, fri 08:00-14:00", "fri"),
        ("mon-sun 22:00-06:00; sat 23:00-02:00", "sat"),
        (f"{WEEK}, 2026-12-24 08:00-12:00, 2026-12-24 11:59-13:00", "2026-12-24"),
    ],
)
def test_times_of_one_day_that_overlap_are_a_mistake(text: str, day: str) -> None:
    """Who wrote a shorter Friday beside mon-fri was called on Friday afternoon, and nothing was
    said of it.
    """
    with pytest.raises(
        ValidationError, match=f"{day}: two of its times overlap; allowed: times apart"
    ):
        TypeAdapter(Hours).validate_python(text)
    TypeAdapter(Hours).validate_python(f"{WEEK}, fri 18:00-20:00, mon 20:00-02:00, tue 01:00-07:00")


def test_holidays_of_a_calendar_close_each_number_that_names_it(tmp_path: Path) -> None:
    number = {
        "did": "+12065550188",
        "assistant": "main",
        "trunk": "udp-ip",
        "zone": BERLIN,
        "holidays": "germany",
    }
    changes = {
        "holidays.germany.dates": "2026-12-24 08:00-12:00,\n2026-12-25 to 2027-01-01 closed",
        "lines.shop": {**number, "hours": f"{WEEK}, 2026-12-29 09:00-12:00"},
    }
    found = loaded(tmp_path, "simulated-talkdesk", changes)
    moments = (
        "2026-12-23T13:00",
        "2026-12-24T13:00",
        "2026-12-28T10:00",
        "2026-12-29T10:00",
        "2027-01-04T10:00",
    )
    assert [found.is_open("shop", at(f"{moment}+01:00")) for moment in moments] == [
        True,
        False,
        False,
        True,
        True,
    ]


def test_a_zone_is_one_that_there_is() -> None:
    assert TypeAdapter(Zone).validate_python(BERLIN) == BERLIN
    for name in (
        "Berlin",
        "Europe",
        "",
        "/etc/localtime",
        "../Europe/Berlin",
        "zone.tab",
        "a\0b",
    ):
        with pytest.raises(ValidationError, match="no time zone; allowed"):
            TypeAdapter(Zone).validate_python(name)


def test_a_plan_is_made_for_one_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    talkdesk = load(TALKDESK)
    monkeypatch.setenv(AS_OF_VARIABLE, "2026-03-08T03:00:30+00:00")
    assert planned_at() == at("2026-03-08T03:00:30+00:00")
    assert talkdesk.is_open("out-of-hours")
    assert not talkdesk.is_open("out-of-hours", datetime(2026, 3, 8, 4, tzinfo=UTC))
    assert talkdesk.is_open("inbound"), "a number without hours is always open"


@pytest.mark.parametrize(
    "told",
    [
        *("nonsense", "2026-13-01T00:00+00:00", "2026-10-25T01:30", "25.10.2026", "12:00Z"),
        *("0001-01-01T00:00:00+14:00", "0001-01-01T00:00Z", "9999-12-31T23:59:59-12:00"),
        *("1969-12-31T23:59Z", "3000-01-01T00:00Z"),
        pytest.param("9" * 5000, id="5000 digits"),
    ],
)
def test_a_moment_that_is_none_is_said_in_a_line(
    monkeypatch: pytest.MonkeyPatch, told: str
) -> None:
    monkeypatch.setenv(AS_OF_VARIABLE, told)
    with pytest.raises(
        SelectionError, match=r"^HARNESS_AS_OF: '.*' is no moment; allowed: .* 2026-03-08T03:00"
    ) as raised:
        planned_at()
    assert len(str(raised.value)) < 250


@pytest.mark.parametrize("moment", ["1970-01-01T00:00+14:00", "2999-12-31T23:59-12:00"])
def test_hours_of_the_first_and_last_moment_are_known(
    monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    monkeypatch.setenv(AS_OF_VARIABLE, moment)
    for zone in ("Pacific/Kiritimati", "Etc/GMT+12"):
        assert is_open("mon-sun 00:00-24:00", zone, planned_at())
