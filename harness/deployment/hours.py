"""When a number is open, as a customer writes it: days and times of a week, and dates on which
others count, as holidays.

``mon-fri 08:00-12:00 and 13:00-18:00, sat 09:00-13:00, 2026-12-24 08:00-12:00, 2026-12-25 to
2027-01-01 closed``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator

from harness.errors import SelectionError

#: The moment that a run's plan is made for (ISO 8601, with its offset): every process of the run
#: judges hours by it.
AS_OF_VARIABLE = "HARNESS_AS_OF"

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY_MINUTES = 24 * 60
_PART = re.compile(
    r"(?:(?:(?P<first>{0})(?:-(?P<last>{0}))?|(?P<date>{1})(?: to (?P<until>{1}))?) )?"
    r"(?:(?P<times>{2}(?: (?:and )?{2})*)|(?P<closed>closed))".format(
        "|".join(_DAYS), r"\d{4}-\d\d-\d\d", r"\d\d:\d\d-\d\d:\d\d"
    )
)
_FORM = "days and times, e.g. mon-fri 08:00-18:00, sat 09:00-13:00, 2026-12-25 closed"
_DATES_FORM = "dates, e.g. 2026-12-24 08:00-12:00, 2026-12-25 to 2027-01-01 closed"
_LONGEST_RANGE = timedelta(days=366)
#: Of a moment that a plan is made for.
_FIRST_YEAR, _LAST_YEAR = 1970, 2999

#: First minute of the day and the one behind the last; one that ends after midnight runs into the
#: next day.
Span = tuple[int, int]


@dataclass(frozen=True)
class _Week:
    """The spans of each day of a week, and of the dates on which these do not count."""

    days: Mapping[int, Sequence[Span]]
    dates: Mapping[date, Sequence[Span]]

    def spans(self, day: date) -> Sequence[Span]:
        """The spans that begin on that day."""
        return self.dates.get(day, self.days.get(day.weekday(), ()))

    def is_open(self, day: date, minute: int) -> bool:
        """Whether that minute of the day is in one of its spans, or in one of the day before, which
        a date of its own ends.
        """
        before = () if day in self.dates else self.spans(day - timedelta(days=1))
        late = minute + _DAY_MINUTES
        return any(a <= minute < b for a, b in self.spans(day)) or any(
            a <= late < b for a, b in before
        )


@cache
def _week(text: str, holidays: str = "") -> _Week:
    """Raises ``ValueError`` for what is no hours. Dates of ``text`` itself count before those of
    ``holidays``.
    """
    days, dates = _parse(text, _FORM)
    if not days:
        raise ValueError(
            f"{text!r}: dates alone; allowed: the days of a week as well, e.g. mon-sun 00:00-24:00"
        )
    return _Week(days, {**_holidays(holidays), **dates})


@cache
def _holidays(text: str) -> Mapping[date, Sequence[Span]]:
    days, dates = _parse(text, _DATES_FORM) if text else ({}, {})
    if days:
        raise ValueError(f"{text!r}: has days of a week; allowed: {_DATES_FORM}")
    return dates


def _parse(
    text: str, form: str
) -> tuple[Mapping[int, Sequence[Span]], Mapping[date, Sequence[Span]]]:
    """The spans of weekdays, and of dates. Times alone are further ones of the days before them."""
    days: dict[int, list[Span]] = {}
    dates: dict[date, list[Span]] = {}
    shut: set[date] = set()
    those: list[list[Span]] = []  # the spans of the days that were named last
    for part in map(str.strip, re.split(r"[,;\n]\s*", text.strip())):
        found = _PART.fullmatch(part.lower())
        names_days = found is not None and (found["first"] or found["date"])
        if found is None or (found["closed"] and not found["date"]) or not (names_days or those):
            raise ValueError(f"{part!r}: no hours; allowed: {form}")
        if found["date"]:
            named = list(_range(found["date"], found["until"] or found["date"]))
            those = [dates.setdefault(day, []) for day in named]
            shut.update(named if found["closed"] else ())
        elif found["first"]:
            first = _DAYS.index(found["first"])
            last = _DAYS.index(found["last"] or found["first"])
            those = [
                days.setdefault(weekday % 7, [])
                for weekday in range(first, last + 1 if last >= first else last + 8)
            ]
        for opens, closes in re.findall(r"([\d:]+)-([\d:]+)", found["times"] or ""):
            for spans in those:
                spans.append(_span(opens, closes))
    for name, spans in (*((_DAYS[day], days[day]) for day in sorted(days)), *sorted(dates.items())):
        if any(later[0] < former[1] for former, later in pairwise(sorted(spans))):
            # is the later one meant instead, as OpenStreetMap's opening_hours has it, or as well? A
            # closed number may be called.
            allowed = "times apart, e.g. mon-thu 08:00-18:00, fri 08:00-14:00"
            raise ValueError(f"{name}: two of its times overlap; allowed: {allowed}")
    if both := [day for day in sorted(shut) if dates[day]]:
        raise ValueError(f"{both[0]}: is closed, and has times; allowed: one of them")
    return days, dates


def _range(first: str, last: str) -> Iterator[date]:
    begin, end = _date(first), _date(last)
    if not begin <= end <= begin + _LONGEST_RANGE:
        raise ValueError(
            f"{first} to {last}: no range of dates; allowed: the earlier first, a year at most"
        )
    yield from (begin + timedelta(days=days) for days in range((end - begin).days + 1))


def _span(opens: str, closes: str) -> Span:
    begin = _minutes(opens)
    if (
        opens == closes != "00:00"
    ):  # as 00:00-00:00 it is a whole day to some, and no time at all to others
        raise ValueError(
            f"{opens}-{closes}: opens and closes at once; allowed: 00:00-24:00 for the whole day"
        )
    return begin, begin + ((_minutes(closes) - begin) % _DAY_MINUTES or _DAY_MINUTES)


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(
            f"{text!r}: no date; allowed: one of the calendar, e.g. 2026-12-25"
        ) from None


def _minutes(time: str) -> int:
    hour, minute = int(time[:2]), int(time[3:])
    if hour * 60 + minute > _DAY_MINUTES or minute > 59:
        raise ValueError(f"{time!r}: no time of day; allowed: 00:00 to 24:00")
    return hour * 60 + minute


def _hours(text: str) -> str:
    _week(text)
    return text


def _dates(text: str) -> str:
    _parse(text, _DATES_FORM)
    _holidays(text)
    return text


@cache
def _is_zone(name: str) -> bool:
    """As :func:`zoneinfo.available_timezones` has it, which reads six hundred files to know."""
    try:
        ZoneInfo(name)
    except (
        LookupError,
        ValueError,
        OSError,
    ):  # none of that name, no name of one, a directory of some
        return False
    return True


def known_zone(name: str) -> str:
    if not _is_zone(name):
        raise ValueError(
            f"{name!r}: no time zone; allowed: a name such as Europe/Berlin or America/New_York"
        )
    return name


Hours = Annotated[str, AfterValidator(_hours)]
Dates = Annotated[str, AfterValidator(_dates)]
Zone = Annotated[str, AfterValidator(known_zone)]


def is_open(hours: str, zone: str, at: datetime, holidays: str = "") -> bool:
    """Whether ``at`` lies within the hours, by the clocks of that zone; the dates of ``holidays``
    count before weekdays.
    """
    local = at.astimezone(ZoneInfo(zone))
    return _week(hours, holidays).is_open(local.date(), local.hour * 60 + local.minute)


def planned_at() -> datetime:
    """The moment the plan is made for: the run's, or now. Raises :class:`SelectionError` for a
    variable that holds no moment.
    """
    reported = os.environ.get(AS_OF_VARIABLE)
    if not reported:
        return datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(reported)
        # Without an offset, by this machine's clocks, it would be another moment on each machine.
        # At the first and last days of the calendar, a zone's own day may be outside of it.
        if moment.tzinfo is None or not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
            raise ValueError
    except ValueError:
        allowed = (
            f"a date and time of the years {_FIRST_YEAR} to {_LAST_YEAR} with its offset, "
            "e.g. 2026-03-08T03:00+00:00"
        )
        raise SelectionError(
            f"{AS_OF_VARIABLE}: {reported[:80]!r} is no moment; allowed: {allowed}"
        ) from None
    return moment


@contextmanager
def planning_for(moment: datetime) -> Iterator[None]:
    """While this lasts every plan is made for that moment."""
    before = os.environ.get(AS_OF_VARIABLE)
    os.environ[AS_OF_VARIABLE] = moment.isoformat()
    try:
        yield
    finally:
        if before is None:
            del os.environ[AS_OF_VARIABLE]
        else:
            os.environ[AS_OF_VARIABLE] = before
