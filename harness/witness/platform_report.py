"""A platform's report of its calls, CSV or JSON of any shape: its rows, as far as they say who called, where to, and when.

Column names of public reports are known: Talkdesk's Calls and Explore Calls reports (https://docs.talkdesk.com/docs/calls-report,
https://docs.talkdesk.com/docs/explore-calls-report), and what Gladly's Contact Export has of it
(https://connect.gladly.com/docs/help-documentation/article/contact-export). Any other is named by the deployment.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from harness.deployment import Report, ReportField, plain_name
from harness.deployment.numbers_csv import as_text
from harness.errors import FarEndError
from harness.sip.identity import normalise
from harness.support.network_text import redacted, redacted_plain
from harness.witness.call_record import plain_user, user_told
from harness.witness.clock import since_epoch

#: What else a field's column may be called, the first that is there counts.
KNOWN_COLUMNS: Mapping[ReportField, tuple[str, ...]] = {
    "caller": ("caller", "customer_phone_number", "contact_phone_number"),
    "number": ("number", "talkdesk_phone_number", "entry_point"),
    "group": ("group", "ring_groups", "ring_group"),
    "agent": ("agent", "handling_agent", "handling_user_name", "agent_name"),
    "started": ("started", "start_at", "start_time", "queued_at"),
    "id": ("id", "call_id", "interaction_id", "contact_id"),
    "type": ("type", "call_type"),
}
#: Words of the documented reports for a call that no agent took, or that a machine took; normalised.
_UNTAKEN = frozenset({"missed", "abandoned", "short_abandoned", "voicemail"})
_NEEDED: tuple[ReportField, ...] = ("caller", "group", "started")
_SEPARATORS = ",;\t|"
#: More rows than that are no report of one verification.
_MOST_ROWS = 100_000
#: Some exports have titles and empty lines before the names of the columns.
_HEADING_WITHIN = 20
_TABLES_TRIED = 20  #: of a list, to find out what it is of
_ARCHIVE = b"PK\x03\x04"  #: begins .xlsx, .ods, .numbers and .zip
_DEEPEST = 4  #: levels within which a JSON answer has its list of calls
_ISO = re.compile(r"(?P<date>\d{4}-\d\d-\d\d)(?:[T ]+(?P<hour>\d\d):\d\d(?P<second>:\d\d(?P<fraction>[.,]\d+)?)?)?")
_DECIMAL = re.compile(r"^(\d{7,15})\.0$")
_BETWEEN_GROUPS = re.compile(r"[,;|+\n]")
_MOST_PARTS = 8  #: of a group's name that has separators in it


@dataclass(frozen=True, slots=True)
class ReportRow:
    """One row of a report. A field that it leaves open is empty."""

    place: str  #: "row 3"
    caller: str
    number: str
    groups: tuple[str, ...]  #: the cell, or each item of a list
    agent: str | None  #: None where the report has no such column
    id: str
    #: Seconds since 1970 that its time may mean; two where the clocks were set back, none where it cannot be read.
    moments: tuple[float, ...]
    cut_off_s: float  #: how much of the time its form leaves out: 60 where it has no seconds
    untaken: str = ""  #: the report's word for a call that no agent took, even if one followed it up later
    is_guessed: bool = False  #: names that are not ASCII may be misread

    def words(self, region: str) -> str:
        """Where it stands, and what it says; its numbers in the form that reports mask, and no agent's name."""
        when = datetime.fromtimestamp(self.moments[0], UTC).isoformat(timespec="seconds") if self.moments else "no time"
        told = [self.place, when, f"caller {normalise(self.caller, region) or 'is no number'}"]
        told += [f"number {normalise(self.number, region) or 'is none'}"] * bool(self.number)
        told += [f"group {', '.join(self.groups) or 'none'}"]
        told += [] if self.agent is None else ["taken by an agent" if self.agent else "taken by no agent"]
        told += [self.untaken] * bool(self.untaken)
        return "; ".join(told)


def rows_of(raw: bytes, declared: Report) -> list[ReportRow]:
    """The rows of a report. Raises :class:`FarEndError` for what is none, or lacks a column that is needed."""
    decoded, is_guessed = _text(raw)
    text = redacted(decoded)
    table = list(_of_json(text, declared)) if text.lstrip()[:1] in ("[", "{") else list(_of_csv(text, declared))
    if not table:
        return []
    names = _columns({name for _, row in table for name in row}, declared)
    zone = ZoneInfo(declared.zone) if declared.zone else UTC
    return [_row(place, row, names, declared, zone, is_guessed) for place, row in table]


def names_in(cells: Sequence[str], known: frozenset[str]) -> dict[str, str]:
    """The groups that the cells name: plain → as written. ``known`` are plain names, which may have separators in them."""
    found: dict[str, str] = {}
    for cell in cells:
        parts = [*_BETWEEN_GROUPS.finditer(cell)]
        starts, ends = [0, *(part.end() for part in parts)], [*(part.start() for part in parts), len(cell)]
        at = 0
        while at < len(starts):
            longest = range(min(len(ends), at + _MOST_PARTS), at, -1)
            # the longest name that is known, else the next part alone
            to = next((to for to in longest if plain_name(cell[starts[at] : ends[to - 1]]) in known), at + 1)
            written = cell[starts[at] : ends[to - 1]].strip()
            if name := plain_name(written):
                found.setdefault(name, written)
            at = to
    return found


# -- text to tables


def _text(raw: bytes) -> tuple[str, bool]:
    """It as text, and whether its encoding is a guess: spreadsheets write that of their country, and no word of which it is."""
    if raw.startswith(_ARCHIVE):
        raise FarEndError("the platform's report is a workbook or another archive; allowed: CSV or JSON")
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return raw.decode("utf-16", "replace"), False
    if b"\0" in raw[:2]:  # without a byte order mark: a report begins with a letter or a sign of ASCII
        return raw.decode("utf-16-be" if raw[:1] == b"\0" else "utf-16-le", "replace"), False
    try:
        return raw.decode("utf-8-sig"), False
    except UnicodeDecodeError:
        # by lines: one name that was cut off within a letter spoils no other
        return "".join(map(_line, raw.removeprefix(codecs.BOM_UTF8).splitlines(keepends=True))), True


def _line(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")  # Western Europe's


def _of_csv(text: str, declared: Report) -> Iterator[tuple[str, dict[str, Any]]]:
    heading: list[str] | None = None
    separator = _separator("\n".join(text.split("\n", _HEADING_WITHIN)[:_HEADING_WITHIN]), declared)
    try:
        for count, cells in enumerate(csv.reader(io.StringIO(text, newline=""), delimiter=separator), start=1):
            if count > _MOST_ROWS:
                raise FarEndError(f"the platform's report has more than {_MOST_ROWS} rows")
            if not any(cell.strip() for cell in cells):
                continue
            if heading is None:
                if count <= _HEADING_WITHIN and not _is_heading(cells, declared):
                    continue
                heading = [cell.strip() for cell in cells]
                _columns(set(heading), declared)  # a report without rows may lack one as well
                continue
            yield f"row {count}", dict(zip(heading, cells, strict=False))
    except csv.Error as error:
        raise FarEndError(f"the platform's report is no CSV: {error}") from None
    if heading is None and text.strip():
        raise FarEndError(f"the platform's report has no heading with {', '.join(_NEEDED)}, or names known for them")


def _separator(head: str, declared: Report) -> str:
    """That by which a line of the head names the columns, else the most frequent: cells may have more of another one."""
    likely = sorted(_SEPARATORS, key=head.count, reverse=True)
    return next((each for each in likely if _has_heading(head, each, declared)), likely[0])


def _has_heading(head: str, separator: str, declared: Report) -> bool:
    try:
        return any(
            _is_heading(cells, declared) for cells in csv.reader(io.StringIO(head, newline=""), delimiter=separator)
        )
    except csv.Error:
        return False


def _is_heading(cells: Sequence[str], declared: Report) -> bool:
    found = _found({cell.strip() for cell in cells}, declared)
    return all(field in found for field in _NEEDED)


def _of_json(text: str, declared: Report) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        plain = json.loads(text)
    except RecursionError:
        raise FarEndError("the platform's report is JSON within JSON without end") from None
    except ValueError:
        plain = _json_lines(text)
    calls = _calls(redacted_plain(plain), declared)
    if calls is None:
        raise FarEndError("the platform's report is JSON without a list of calls")
    if len(calls) > _MOST_ROWS:
        raise FarEndError(f"the platform's report has more than {_MOST_ROWS} rows")
    for count, call in enumerate(calls, start=1):
        if isinstance(call, dict):
            yield f"entry {count}", call


def _json_lines(text: str) -> list[Any]:
    try:
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    except (ValueError, RecursionError) as error:
        raise FarEndError(f"the platform's report is no JSON: {type(error).__name__}") from None


def _calls(plain: Any, declared: Report) -> list[Any] | None:
    """The list of calls, wherever an answer has it: the longest of those whose tables have the fields, else of any tables."""
    found: list[list[Any]] = []
    left = [(plain, 0)]
    while left:
        value, depth = left.pop()
        if isinstance(value, list):
            found.append(value)
        elif isinstance(value, dict) and depth < _DEEPEST:
            left += [(inner, depth + 1) for inner in value.values()]

    def likely(one: list[Any]) -> tuple[bool, bool, int]:
        tables = [item for item in one[:_TABLES_TRIED] if isinstance(item, dict)]
        return _is_heading([name for table in tables for name in table], declared), bool(tables), len(one)

    return max(found, key=likely, default=None)


# -- columns


def _plain_column(name: str) -> str:
    return re.sub(r"\W+", "_", unicodedata.normalize("NFC", name).casefold()).strip("_")


def _found(there: set[str], declared: Report) -> dict[ReportField, str]:
    """Field → the column that has it: the one that is declared, else the first of those that are known."""
    plain = {_plain_column(name): name for name in sorted(there)}
    found: dict[ReportField, str] = {}
    for field, known in KNOWN_COLUMNS.items():
        wanted = [_plain_column(declared.columns[field])] if field in declared.columns else known
        if (name := next((plain[name] for name in wanted if name in plain), None)) is not None:
            found[field] = name
    return found


def _columns(there: set[str], declared: Report) -> dict[ReportField, str]:
    found = _found(there, declared)
    needed = {*_NEEDED, *declared.columns}
    if missing := [field for field in KNOWN_COLUMNS if field in needed and field not in found]:
        shown = ", ".join(sorted(name[:40] for name in there if name)[:40])
        raise FarEndError(
            f"the platform's report has no column for {', '.join(missing)} (platform.report.columns); it has {shown}"
        )
    return found


def _row(
    place: str,
    row: Mapping[str, Any],
    names: Mapping[ReportField, str],
    declared: Report,
    zone: tzinfo,
    is_guessed: bool,
) -> ReportRow:
    def cell(field: ReportField) -> str:
        return _said(row.get(names[field])) if field in names else ""

    group, type_ = row.get(names["group"]), cell("type")
    moments, cut_off_s = _moments(row.get(names["started"]), declared.time_format, zone)
    return ReportRow(
        place=place,
        caller=_number(cell("caller")),
        number=_number(cell("number")),
        groups=tuple(filter(None, map(_said, group)))
        if isinstance(group, list)
        else tuple(filter(None, [_said(group)])),
        agent=cell("agent") if "agent" in names else None,
        id=cell("id"),
        moments=moments,
        cut_off_s=cut_off_s,
        untaken=type_ if _plain_column(type_) in _UNTAKEN else "",
        is_guessed=is_guessed,
    )


def _said(value: Any) -> str:
    """A cell as text; a table of JSON by its name, as some answers have groups and agents."""
    if isinstance(value, dict):
        value = next((value[key] for key in ("name", "display_name", "id") if key in value), "")
    if value is None or isinstance(value, bool | list | dict):
        return ""
    text = as_text(str(value))
    return "" if text.casefold() in ("null", "none", "n/a", "-") else text


def _number(text: str) -> str:
    """A number with the separators of ASCII. A column that a program took for decimals, since it has gaps, ends in ``.0``."""
    plain = _DECIMAL.sub(r"\1", plain_user(user_told(text)))
    return re.sub(r"(?<=\d) ?/ ?(?=\d)", "-", plain)


# -- times


def _moments(told: Any, time_format: str | None, zone: tzinfo) -> tuple[tuple[float, ...], float]:
    """What a time may mean, and how much of it its form leaves out. Nothing, where it cannot be read."""
    try:
        if time_format is not None:
            return _in_zone(datetime.strptime(_said(told), time_format), zone), _cut_off_s(time_format)
        text = _said(told)
        if match := _ISO.match(text):
            cut_off = 86_400.0 if not match["hour"] else 60.0 if not match["second"] else 1.0
            read = datetime.fromisoformat(re.sub(r"(?<=\d)\s+(?=[-+Z])", "", re.sub(r" +UTC$", "Z", text)))
            return _in_zone(read, zone), 0.001 if match["fraction"] else cut_off
        number = float(text)
    except (ValueError, OverflowError, OSError):
        return (), 0.0
    seconds = since_epoch(number)
    if seconds is None:
        return (), 0.0
    return (seconds,), 1.0 if seconds == number and number.is_integer() else 0.001


def _in_zone(read: datetime, zone: tzinfo) -> tuple[float, ...]:
    if read.tzinfo is not None:
        return (read.timestamp(),)
    # the hour that comes twice when clocks are set back
    return tuple(sorted({read.replace(tzinfo=zone, fold=fold).timestamp() for fold in (0, 1)}))


def _cut_off_s(time_format: str) -> float:
    told = set(re.findall(r"%[-_0^#]?([A-Za-z])", time_format))
    if "f" in told:
        return 0.001
    if told & set("STXcrs"):
        return 1.0
    return 60.0 if told & set("MR") else 3600.0 if told & set("HI") else 86_400.0
