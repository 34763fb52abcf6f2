"""When numbers are open, and what a customer may write of that."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import available_timezones

import pytest
from pydantic import TypeAdapter, ValidationError

from harness.deployment.hours import AS_OF_VARIABLE, Hours, Zone, is_open, planned_at
from harness.deployment_file import load
from harness.errors import SelectionError

TALKDESK = Path(__file__).parents[3] / "scenarios" / "deployments" / "simulated-talkdesk.toml"
WEEK = "mon-fri 08:00-18:00, sat 09:00-13:00"
BERLIN = "Europe/Berlin"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("hours", "moment", "opened"),
    [
        (WEEK, "2026-03-04T08:00+01:00", True),  # a Wednesday
        (WEEK, "2026-03-04T07:59+01:00", False),
        (WEEK, "2026-03-04T17:59+01:00", True),
        (WEEK, "2026-03-04T18:00+01:00", False),
        (WEEK, "2026-03-07T12:59+01:00", True),
        (WEEK, "2026-03-08T12:00+01:00", False),  # a Sunday
        (WEEK, "2026-07-01T06:00+00:00", True),  # summer time: 08:00 there
        (WEEK, "2026-03-04T06:30+00:00", False),
        ("fri 20:00-02:00", "2026-03-07T01:59+01:00", True),  # on Saturday
        ("fri 20:00-02:00", "2026-03-07T02:00+01:00", False),
        ("sun 22:00-06:00", "2026-03-09T05:00+01:00", True),  # over the end of the week
        ("sat-mon 00:00-24:00", "2026-03-09T23:59+01:00", True),
        ("sat-mon 00:00-24:00", "2026-03-10T00:00+01:00", False),
        ("mon-sun 00:00-00:00", "2026-03-10T00:00+01:00", True),
        ("Mon-Fri 08:00-12:00; mon-fri 13:00-17:00", "2026-03-10T12:30+01:00", False),
    ],
)
def test_it_is_open_within_its_hours_by_its_own_clocks(hours: str, moment: str, opened: bool) -> None:
    assert is_open(TypeAdapter(Hours).validate_python(hours), BERLIN, at(moment)) is opened


@pytest.mark.parametrize(
    "text", ["", "always", "mon 8:00-18:00", "mon 08:00-25:00", "mon 08:00-12:60", "mon-fri", "mo 08:00-12:00"]
)
def test_what_are_no_hours_is_said_with_an_example(text: str) -> None:
    with pytest.raises(ValidationError, match="allowed"):
        TypeAdapter(Hours).validate_python(text)


def test_a_zone_is_one_that_there_is() -> None:
    assert TypeAdapter(Zone).validate_python(BERLIN) == BERLIN
    for name in (
        "Berlin",
        "Europe",
        "",
        "/etc/localtime",
        "../Europe/Berlin",
        "posix/Europe/Berlin",
        "zone.tab",
        "a\0b",
    ):
        with pytest.raises(ValidationError, match="no time zone; allowed"):
            TypeAdapter(Zone).validate_python(name)


def test_the_zones_are_those_of_the_machine() -> None:
    for name in available_timezones():
        assert TypeAdapter(Zone).validate_python(name) == name


def test_a_plan_is_made_for_one_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    talkdesk = load(TALKDESK)
    monkeypatch.setenv(AS_OF_VARIABLE, "2026-03-08T03:30+00:00")
    assert planned_at() == at("2026-03-08T03:30+00:00")
    assert talkdesk.is_open("out-of-hours")
    assert not talkdesk.is_open("out-of-hours", datetime(2026, 3, 8, 4, tzinfo=UTC))
    assert talkdesk.is_open("inbound"), "a number without hours is always open"


@pytest.mark.parametrize("told", ["nonsense", "2026-13-01T00:00+00:00", "2026-10-25T01:30", "25.10.2026", "12:00Z"])
def test_a_moment_that_is_none_is_said_in_a_line(monkeypatch: pytest.MonkeyPatch, told: str) -> None:
    monkeypatch.setenv(AS_OF_VARIABLE, told)
    with pytest.raises(SelectionError, match=r"^HARNESS_AS_OF: '.*' is no moment; allowed: .* 2026-03-08T03:00"):
        planned_at()


def test_no_moment_is_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(AS_OF_VARIABLE, "")
    assert abs(planned_at() - datetime.now(UTC)).total_seconds() < 60
