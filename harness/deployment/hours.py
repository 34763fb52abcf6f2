"""When a number is open: days and times of a week, as a customer writes them (``mon-fri 08:00-18:00, sat 09:00-13:00``)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator

from harness.errors import SelectionError

#: The moment that a run's plan is made for (ISO 8601, with its offset): every process of the run judges hours by it.
AS_OF_VARIABLE = "HARNESS_AS_OF"

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY_MINUTES = 24 * 60
_WEEK_MINUTES = 7 * _DAY_MINUTES
_SPAN = re.compile(
    r"(?P<first>{0})(?:-(?P<last>{0}))? (?P<opens>\d\d:\d\d)-(?P<closes>\d\d:\d\d)".format("|".join(_DAYS))
)
_FORM = "days and times, e.g. mon-fri 08:00-18:00, sat 09:00-13:00"


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """First and last minute of the week of each span; one that ends after midnight may run over the week's end."""
    for part in re.split("[,;]", text):
        found = _SPAN.fullmatch(part.strip().lower())
        if found is None:
            raise ValueError(f"{part.strip()!r}: no hours; allowed: {_FORM}")
        first = _DAYS.index(found["first"])
        last = _DAYS.index(found["last"] or found["first"])
        opens, closes = _minutes(found["opens"]), _minutes(found["closes"])
        for day in range(first, last + 1 if last >= first else last + 8):
            begin = day % 7 * _DAY_MINUTES + opens
            yield begin, begin + ((closes - opens) % _DAY_MINUTES or _DAY_MINUTES)


def _minutes(time: str) -> int:
    hour, minute = int(time[:2]), int(time[3:])
    if hour * 60 + minute > _DAY_MINUTES or minute > 59:
        raise ValueError(f"{time!r}: no time of day; allowed: 00:00 to 24:00")
    return hour * 60 + minute


def _hours(text: str) -> str:
    list(_spans(text))
    return text


@cache
def _is_zone(name: str) -> bool:
    """As :func:`zoneinfo.available_timezones` has it, which reads six hundred files to know."""
    if name.partition("/")[0] in ("posix", "right", "posixrules"):
        return False
    try:
        ZoneInfo(name)
    except (LookupError, ValueError, OSError):  # none of that name, no name of one, a directory of some
        return False
    return True


def _zone(name: str) -> str:
    if not _is_zone(name):
        raise ValueError(f"{name!r}: no time zone; allowed: a name such as Europe/Berlin or America/New_York")
    return name


Hours = Annotated[str, AfterValidator(_hours)]
Zone = Annotated[str, AfterValidator(_zone)]


def is_open(hours: str, zone: str, at: datetime) -> bool:
    """Whether ``at`` lies within the hours, by the clocks of that zone."""
    local = at.astimezone(ZoneInfo(zone))
    minute = local.weekday() * _DAY_MINUTES + local.hour * 60 + local.minute
    return any(begin <= now < end for begin, end in _spans(hours) for now in (minute, minute + _WEEK_MINUTES))


def planned_at() -> datetime:
    """The moment the plan is made for: the run's, or now. Raises :class:`SelectionError` for a variable that holds no moment."""
    told = os.environ.get(AS_OF_VARIABLE)
    if not told:
        return datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(told)
        if moment.tzinfo is None:  # by this machine's clocks it would be another moment on each
            raise ValueError
    except ValueError:
        allowed = "a date and time with its offset, e.g. 2026-03-08T03:00+00:00"
        raise SelectionError(f"{AS_OF_VARIABLE}: {told!r} is no moment; allowed: {allowed}") from None
    return moment
