"""A platform's report of its calls, read by HTTP or from a file: its rows, as far as they say who
called, where to, and when.

Column names of public reports are known: Talkdesk's Calls and Explore Calls reports (https://docs.talkdesk.com/docs/calls-report,
https://docs.talkdesk.com/docs/explore-calls-report), and what Gladly's Contact Export has of it
(https://connect.gladly.com/docs/help-documentation/article/contact-export). Any other is named by the deployment.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from harness.deployment import Report, ReportField, plain_name
from harness.deployment.numbers_csv import as_text
from harness.errors import FarEndError
from harness.sip.identity import normalise
from harness.support.files import user_files
from harness.support.http_client import HttpClient, HttpError, Trust
from harness.support.network_text import redacted, redacted_plain
from harness.witness.call_record import user_of
from harness.witness.campaign import request_headers
from harness.witness.clock import ClockOffset, since_epoch, to_wall

#: The known names of a field's column; the first that is there counts.
KNOWN_COLUMNS: Mapping[ReportField, tuple[str, ...]] = {
    "caller": ("caller", "customer_phone_number", "contact_phone_number"),
    "number": ("number", "talkdesk_phone_number", "entry_point"),
    "group": ("group", "ring_groups", "ring_group"),
    "agent": ("agent", "handling_agent", "handling_user_name", "agent_name"),
    "started": ("started", "start_at", "start_time", "queued_at"),
    "type": ("type", "call_type"),
}
#: Words of the documented reports for a call that no agent took, or that a machine took;
#: normalised.
_UNTAKEN = frozenset({"missed", "abandoned", "short_abandoned", "voicemail"})
_NEEDED: tuple[ReportField, ...] = ("caller", "group", "started")
_SEPARATORS = ",;\t|"
#: A larger report is not of one verification.
_MOST_ROWS = 100_000
#: The report is requested from this long before the call, since it may be by another clock.
_EARLIER_S = 60.0
_BETWEEN_GROUPS = re.compile(r"[,;|+\n]")
_MOST_PARTS = 8  #: of a group's name that has separators in it


@dataclass(frozen=True, slots=True)
class ReportRow:
    """One row of a report. A missing value is empty."""

    place: str  #: "row 3"
    caller: str
    number: str
    groups: tuple[str, ...]  #: the cell, or each item of a list
    agent: str | None  #: None where the report has no such column
    #: Seconds since 1970 that its time may mean: two where the clocks were set back, none if it
    #: cannot be read.
    moments: tuple[float, ...]
    cut_off_s: float  #: the resolution of its time: 60 if it has no seconds
    #: The report's word for a call that no agent took, even if one followed it up later.
    untaken: str = ""

    def words(self, region: str) -> str:
        """Its place and content; numbers in the form that reports mask, and no agent's name."""
        when = "no time"
        if self.moments:
            when = datetime.fromtimestamp(self.moments[0], UTC).isoformat(timespec="seconds")
        reported = [self.place, when, f"caller {normalise(self.caller, region) or 'is no number'}"]
        if self.number:
            reported.append(f"number {normalise(self.number, region) or 'is none'}")
        reported.append(f"group {', '.join(self.groups) or 'none'}")
        if self.agent is not None:
            reported.append("taken by an agent" if self.agent else "taken by no agent")
        if self.untaken:
            reported.append(self.untaken)
        return "; ".join(reported)


def names_in(cells: Sequence[str], known: frozenset[str]) -> dict[str, str]:
    """The groups that the cells name: plain → as written. ``known`` are plain names, which may have
    separators in them.
    """
    found: dict[str, str] = {}
    for cell in cells:
        separators = [*_BETWEEN_GROUPS.finditer(cell)]
        starts = [0, *(separator.end() for separator in separators)]
        ends = [*(separator.start() for separator in separators), len(cell)]
        first = 0
        while first < len(starts):
            # the longest name that is known, else the next part alone
            last = min(len(ends), first + _MOST_PARTS) - 1
            while last > first and plain_name(cell[starts[first] : ends[last]]) not in known:
                last -= 1
            written = cell[starts[first] : ends[last]].strip()
            if name := plain_name(written):
                found.setdefault(name, written)
            first = last + 1
    return found


class ReportSource:
    """Where a deployment's report is read. Every method raises :class:`FarEndError` when there is
    no report to be read.
    """

    def __init__(self, declared: Report) -> None:
        self._declared = declared
        self._offset = ClockOffset()

    @property
    def clock_ahead_s(self) -> float:
        """How far the server's clock is ahead of this machine's, as far as its answers say."""
        return self._offset.seconds

    def read(self, since: float) -> list[ReportRow]:
        """The report as it is now. ``since``: the call began then (epoch seconds of this machine)."""
        raw = self._from_file(since) if self._declared.file is not None else self._by_http(since)
        return rows_of(raw, self._declared)

    def _from_file(self, since: float) -> bytes:
        path = Path(str(self._declared.file))
        try:
            with user_files.opened(path, user_files.REPORT) as file:
                written = os.fstat(file.fileno()).st_mtime
                # later rows come with the next reading
                raw = file.read(user_files.REPORT.most_bytes)
        except OSError as error:
            raise FarEndError(
                f"platform.report.file: {path.name}: {error.strerror or 'cannot be read'}"
            ) from None
        if written < since:
            raise FarEndError(f"platform.report.file: {path.name} was written before the call")
        return raw

    def _trust(self) -> Trust:
        if self._declared.ca_file is None:
            return True
        try:
            return ssl.create_default_context(cafile=self._declared.ca_file)
        except OSError as error:  # an SSLError is one, too
            name = Path(self._declared.ca_file).name
            raise FarEndError(
                f"platform.report.ca_file: {name} holds no certificates that can be read"
            ) from error

    def _by_http(self, since: float) -> bytes:
        declared = self._declared
        moment = datetime.fromtimestamp(since - _EARLIER_S, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        url = str(declared.url).replace("{since}", moment)
        where = f"the platform's report {url.partition('?')[0]}"  # the query may hold secrets
        body = declared.body.replace("{since}", moment)
        headers = request_headers(declared, has_body=bool(body))
        client = HttpClient(self._trust())
        asked_at = to_wall(time.monotonic())
        try:
            answer = client.request(
                declared.method, url, declared.timeout_s, headers, content=body or None
            )
        except HttpError as error:
            raise FarEndError(f"{where}: {error}") from error
        finally:
            client.close()
        self._offset.note(asked_at, to_wall(time.monotonic()), answer.date)
        if not answer.is_success:
            raise FarEndError(f"{where}: {answer.status} {answer.reason}")
        return answer.body


def rows_of(raw: bytes, declared: Report) -> list[ReportRow]:
    """The rows of a report. Raises :class:`FarEndError` for any other data, and if a needed column
    is missing.
    """
    is_utf_16 = raw.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        text = redacted(raw.decode("utf-16" if is_utf_16 else "utf-8-sig"))
    except UnicodeDecodeError:
        raise FarEndError(
            "the platform's report is not in UTF-8; allowed: CSV or JSON in UTF-8"
        ) from None
    is_json = text.lstrip()[:1] in ("[", "{")
    table = _of_json(text, declared) if is_json else _of_csv(text, declared)
    zone = ZoneInfo(declared.zone) if declared.zone else UTC
    rows: list[ReportRow] = []
    for place, row in table:
        if len(rows) == _MOST_ROWS:
            raise FarEndError(f"the platform's report has more than {_MOST_ROWS} rows")
        rows.append(_row(place, row, declared, zone))
    return rows


#: Where a row stands, and its cells by fields; a field without a column is missing.
_Row = tuple[str, dict[ReportField, Any]]


def _of_csv(text: str, declared: Report) -> Iterator[_Row]:
    """The rows below the first line that is not empty, which names the columns."""
    heading = next((line for line in text.splitlines() if line.strip()), "")
    if not heading:
        return
    # a cell may have more of another separator, a heading has not
    separator = max(_SEPARATORS, key=heading.count)
    columns: dict[ReportField, int] | None = None
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        for count, cells in enumerate(lines, start=1):
            if not any(cell.strip() for cell in cells):
                continue
            if columns is None:
                names = [cell.strip() for cell in cells]
                of_fields = _columns(names, declared)
                columns = {field: names.index(name) for field, name in of_fields.items()}
                continue
            row: dict[ReportField, Any] = {}
            for field, at in columns.items():
                row[field] = cells[at] if at < len(cells) else ""  # a row may be shorter
            yield f"row {count}", row
    except csv.Error as error:
        raise FarEndError(f"the platform's report is no CSV: {error}") from None


def _of_json(text: str, declared: Report) -> Iterator[_Row]:
    """The tables of a list, or of the one list that a table has."""
    try:
        plain = redacted_plain(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise FarEndError(f"the platform's report is no JSON: {type(error).__name__}") from None
    values = plain.values() if isinstance(plain, dict) else [plain]
    lists = [value for value in values if isinstance(value, list)]
    if len(lists) != 1:
        raise FarEndError(
            f"the platform's report is JSON with {len(lists)} lists; allowed: a list of calls, or a table with one"
        )
    calls = [call for call in lists[0] if isinstance(call, dict)]
    if calls:
        columns = _columns([name for call in calls for name in call], declared)
        for count, call in enumerate(calls, start=1):
            yield f"entry {count}", {field: call.get(name) for field, name in columns.items()}


def _columns(names: Sequence[str], declared: Report) -> dict[ReportField, str]:
    """Field → the column that has it: the one that is declared, else the first of those that are
    known.
    """
    there = {_plain_column(name): name for name in names}
    found: dict[ReportField, str] = {}
    for field, wanted in KNOWN_COLUMNS.items():
        if field in declared.columns:
            wanted = (_plain_column(declared.columns[field]),)
        matching = [there[name] for name in wanted if name in there]
        if matching:
            found[field] = matching[0]
    needed = {*_NEEDED, *declared.columns}
    missing = [field for field in KNOWN_COLUMNS if field in needed and field not in found]
    if missing:
        shown = ", ".join(sorted({name[:40] for name in names if name})[:40])
        raise FarEndError(
            f"the platform's report has no column for {', '.join(missing)} (platform.report.columns); it has {shown}"
        )
    return found


def _plain_column(name: str) -> str:
    return re.sub(r"\W+", "_", name.casefold()).strip("_")


def _row(place: str, cells: dict[ReportField, Any], declared: Report, zone: tzinfo) -> ReportRow:
    group, type_ = cells.get("group"), _said(cells.get("type"))
    groups = map(_said, group if isinstance(group, list) else [group])
    moments, cut_off_s = _moments(_said(cells.get("started")), declared.time_format, zone)
    return ReportRow(
        place=place,
        caller=_number(cells.get("caller")),
        number=_number(cells.get("number")),
        groups=tuple(name for name in groups if name),
        agent=_said(cells["agent"]) if "agent" in cells else None,
        moments=moments,
        cut_off_s=cut_off_s,
        untaken=type_ if _plain_column(type_) in _UNTAKEN else "",
    )


def _said(value: Any) -> str:
    """A cell as text; empty if it says that there is no value."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    text = as_text(str(value))
    return "" if text.casefold() in ("null", "none", "n/a", "-") else text


def _number(value: Any) -> str:
    return user_of(_said(value))


def _moments(text: str, time_format: str | None, zone: tzinfo) -> tuple[tuple[float, ...], float]:
    """The moments that a time may mean, and its resolution; no moments if it cannot be read."""
    try:
        if time_format is not None:
            return _in_zone(datetime.strptime(text, time_format), zone), _cut_off_s(time_format)
        if re.fullmatch(r"[\d.]+", text):
            seconds = since_epoch(float(text))
            return ((seconds,), 1.0) if seconds is not None else ((), 0.0)
        if re.search(r"\d:\d\d:\d\d", text):
            cut_off_s = 1.0
        elif re.search(r"\d:\d\d", text):
            cut_off_s = 60.0
        else:
            cut_off_s = 86_400.0
        return _in_zone(datetime.fromisoformat(text), zone), cut_off_s
    except (ValueError, OverflowError, OSError):
        return (), 0.0


def _in_zone(read: datetime, zone: tzinfo) -> tuple[float, ...]:
    if read.tzinfo is not None:
        return (read.timestamp(),)
    # the hour that comes twice when clocks are set back
    return tuple(sorted({read.replace(tzinfo=zone, fold=fold).timestamp() for fold in (0, 1)}))


def _cut_off_s(time_format: str) -> float:
    """The resolution of a time, by the directives of its format (strftime(3))."""
    directives = set(re.findall(r"%[-_0^#]?([A-Za-z])", time_format))
    if directives & set("fSTXcrs"):
        return 1.0
    if directives & set("MR"):
        return 60.0
    if directives & set("HI"):
        return 3600.0
    return 86_400.0
