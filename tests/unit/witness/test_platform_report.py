"""A platform's report: its rows, by documented columns or those of the file, and that no input
breaks the reader.
"""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from harness.deployment import Report, plain_name
from harness.errors import FarEndError
from harness.sip.identity import is_spelling
from harness.witness.platform_report import ReportRow, names_in, rows_of

CALLER, LINE, GROUP = "+12065550100", "+13125550100", "+13125550177"
AT = datetime(2026, 3, 1, 14, 5, 9, tzinfo=UTC)


def declared(**more: Any) -> Report:
    return Report.model_validate({"url": "https://reports.example/calls"} | more)


def one_row(report: Report | None = None, **cells: Any) -> ReportRow:
    """The row of a report that has only this call."""
    call = {"caller": CALLER, "group": "a", "started": AT.isoformat()} | cells
    (row,) = rows_of(json.dumps([call]).encode(), report or declared())
    return row


#: https://docs.talkdesk.com/docs/explore-calls-report and …/calls-report, what tells of a landing;
#: ring groups beside the older ones.
TALKDESK = {
    "explore": {
        "entries": [
            {
                "interaction_id": "74458c25",
                "call_type": "inbound",
                "start_time": "2026-03-01 14:05:09",
                "talkdesk_phone_number": GROUP,
                "customer_phone_number": CALLER,
                "ring_groups": "agents+rg1",
                "agent_name": "Alice Eve",
                "handling_agent": "Mark Jones",
            }
        ],
        "total": 1,
    },
    "calls": {
        "type": "calls",
        "entries": [
            {
                "call_id": "74458c25",
                "start_at": "2026-03-01T14:05:09Z",
                "talkdesk_phone_number": GROUP,
                "contact_phone_number": CALLER,
                "user_name": "Alice Eve",
                "ring_groups": "agents+rg1",
                "handling_user_name": "Mark Jones",
            }
        ],
    },
}


@pytest.mark.parametrize("shape", TALKDESK)
def test_talkdesks_own_columns_are_known(shape: str) -> None:
    (row,) = rows_of(json.dumps(TALKDESK[shape]).encode(), declared())
    assert (row.caller, row.number, row.agent) == (CALLER, GROUP, "Mark Jones")
    assert [*names_in(row.groups, frozenset())] == ["agents", "rg1"]
    assert (row.moments, row.cut_off_s) == ((AT.timestamp(),), 1.0)


@pytest.mark.parametrize(
    ("column", "told", "untaken"),
    [
        ("call_type", "missed", "missed"),
        ("type", "Short Abandoned", "Short Abandoned"),
        ("type", "inbound", ""),
        ("type", None, ""),
    ],
)
def test_that_nobody_took_a_call_is_known_by_its_type(column: str, told: Any, untaken: str) -> None:
    """The types of https://docs.talkdesk.com/docs/calls-report-reporting."""
    row = one_row(agent="Eve", **{column: told})
    assert row.untaken == untaken
    assert row.words("US").endswith(f"taken by an agent{untaken and f'; {untaken}'}")


def test_headings_as_a_page_shows_them() -> None:
    heading = "Interaction ID,Start Time,Talkdesk Phone Number,Customer Phone Number,Ring Groups,Handling Agent"
    text = f"\n{heading}\nx,2026-03-01 14:05:09,{GROUP},{CALLER},Billing\n"
    (row,) = rows_of(text.encode(), declared())
    assert (row.caller, row.number, row.groups, row.agent) == (CALLER, GROUP, ("Billing",), "")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("separator", [";", "\t", "|", ","])
def test_a_spreadsheet_of_another_country(encoding: str, separator: str) -> None:
    columns = {"caller": "Rufnummer", "group": "Gruppe", "started": "Zeitpunkt", "number": "Ziel"}
    cells = [
        '"01.03.2026 15:05:09"',
        '"Büro Süd; Köln, Mitte, West, Ost, Nord"',
        f'="{LINE}"',
        '"(206) 555-0100"',
    ]
    text = f"{separator.join(['Zeitpunkt', 'Gruppe', 'Ziel', 'Rufnummer'])}\r\n{separator.join(cells)}\r\n"
    report = declared(columns=columns, time_format="%d.%m.%Y %H:%M:%S", zone="Europe/Berlin")
    (row,) = rows_of(text.encode(encoding), report)
    assert (row.caller, row.number, row.moments) == ("(206) 555-0100", LINE, (AT.timestamp(),))
    assert [*names_in(row.groups, frozenset({plain_name("Köln, Mitte")}))][:2] == [
        "büro süd",
        "köln, mitte",
    ]


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=6)


@given(
    st.lists(NAMES.filter(lambda name: not set(name) & set(",;|+")), min_size=1, max_size=4),
    st.sampled_from([",", " ; ", "+", " + ", "|", "\n"]),
)
def test_several_groups_in_one_cell(names: list[str], between: str) -> None:
    assert [*names_in([between.join(names)], frozenset())] == list(
        dict.fromkeys(map(plain_name, names))
    )


@given(NAMES, NAMES, st.sampled_from(["+", ", ", " & ", "; "]))
def test_a_known_name_may_have_a_separator_in_it(one: str, two: str, between: str) -> None:
    name = one + between + two
    assert [*names_in([name], frozenset({plain_name(name)}))] == [plain_name(name)]


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31)).map(
        lambda at: at.replace(microsecond=0)
    ),
    st.sampled_from(["UTC", "Europe/Berlin", "America/Chicago", "Asia/Kolkata"]),
    st.sampled_from(
        [
            "%Y-%m-%d %H:%M:%S",
            "%m/%d/%Y %I:%M:%S %p",
            "%d.%m.%Y %H:%M",
            "%Y-%m-%dT%H:%M",
            "%Y-%m-%dT%H:%M:%S",
        ]
    ),
)
def test_a_time_is_the_moment_it_was_written_of(at: datetime, zone: str, form: str) -> None:
    moment = at.replace(tzinfo=UTC)
    told = moment.astimezone(ZoneInfo(zone)).strftime(form)
    row = one_row(
        declared(zone=zone, time_format=None if form.startswith("%Y") else form), started=told
    )
    cut = moment if "S" in form else moment.replace(second=0)
    assert cut.timestamp() in row.moments
    assert len(row.moments) <= 2
    assert row.cut_off_s == (1.0 if "S" in form else 60.0)


@pytest.mark.parametrize(
    ("told", "form"),
    [
        ("2026-03-01T15:05:09+01:00", None),
        (AT.timestamp(), None),
        (int(AT.timestamp() * 1000), None),
        (str(int(AT.timestamp())), None),
        # RFC 5322, as Twilio's and others' lists have it
        ("Sun, 01 Mar 2026 14:05:09 +0000", "%a, %d %b %Y %H:%M:%S %z"),
    ],
)
def test_a_time_with_its_offset_needs_no_zone(told: object, form: str | None) -> None:
    row = one_row(declared(zone="Asia/Tokyo", time_format=form), started=told)
    assert (row.moments, row.cut_off_s) == ((AT.timestamp(),), 1.0)


@pytest.mark.parametrize(
    "form", ["%d.%m.%Y", "%H:%M:%S", "%d.%m.%Y %H:%M:%S %Z", "%m/%d/%Y %I:%M", "now", "%Q"]
)
def test_a_form_of_no_moment_is_refused(form: str) -> None:
    """A zone's name is none: what it stands for differs from country to country, and strptime
    passes it over.
    """
    with pytest.raises(ValidationError, match="no form of a date and a time"):
        declared(time_format=form)


def test_an_hour_that_comes_twice_is_two_moments() -> None:
    row = one_row(declared(zone="Europe/Berlin"), started="2026-10-25 02:30:00")
    assert row.moments[1] - row.moments[0] == timedelta(hours=1).total_seconds()


@pytest.mark.parametrize(
    "told", ["yesterday", "", "12", "2026-13-40 10:00:00", None, True, "NaN", "9" * 400]
)
def test_any_other_time_is_unknown(told: object) -> None:
    assert one_row(started=told).moments == ()


@pytest.mark.parametrize(
    "told",
    [
        "(206) 555-0100",
        12065550100,
        '="+12065550100"',
        "'+12065550100",
        "sip:+12065550100@carrier.example;transport=udp",
    ],
)
def test_a_callers_number_is_read_as_spreadsheets_and_proxies_write_it(told: object) -> None:
    row = one_row(caller=told)
    assert is_spelling(row.caller, CALLER, "US")
    assert f"caller {CALLER}" in row.words("US")


def test_an_apostrophe_may_begin_a_groups_name() -> None:
    """Such calls were said to have landed in another group."""
    assert one_row(group=["'s-Hertogenbosch", "B"]).groups == ("'s-Hertogenbosch", "B")


@pytest.mark.parametrize("told", ["null", "None", "n/a", "-", None])
def test_a_cell_that_says_there_is_nothing_is_empty(told: object) -> None:
    assert one_row(agent=told).agent == ""


def test_a_report_without_rows_is_no_mistake() -> None:
    for raw in (b"", b"[]", b'{"entries": [], "total": 0}', b"caller,group,started\n", b"\n \n"):
        assert rows_of(raw, declared()) == []


@pytest.mark.parametrize(
    ("raw", "columns", "said"),
    [
        (b"caller,started\n1,2\n", {}, r"no column for group .*it has caller, started"),
        (
            b'[{"caller": "1", "group": "2", "started": 3}]',
            {"agent": "Owner"},
            "no column for agent",
        ),
        (b"<html>Sign in</html>", {}, "no column for caller, group, started"),
        ("caller;group;started\n1;Süd;2\n".encode("cp1252"), {}, "not in UTF-8"),
        (b'{"error": "token expired"}', {}, "JSON with 0 lists"),
        (b'{"calls": [], "agents": []}', {}, "JSON with 2 lists"),
        (b"[[[", {}, "no JSON"),
    ],
)
def test_data_that_is_no_report_is_named(raw: bytes, columns: dict[str, str], said: str) -> None:
    with pytest.raises(FarEndError, match=said):
        rows_of(raw, declared(columns=columns))


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["caller", "group", "started", "entries", "x"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)
CELLS = st.lists(st.lists(st.text(max_size=8), max_size=5), max_size=5)


def as_csv(table: list[list[str]]) -> bytes:
    out = io.StringIO()
    csv.writer(out, delimiter=";").writerows([["caller", "group", "started", "number"], *table])
    return out.getvalue().encode("utf-8", "replace")


@given(
    st.binary(max_size=300)
    | JSON.map(lambda plain: json.dumps(plain).encode())
    | CELLS.map(as_csv),
    st.booleans(),
)
def test_no_input_breaks_the_reader(raw: bytes, formatted: bool) -> None:
    try:
        rows = rows_of(raw, declared(time_format="%d/%m/%y %H:%M" if formatted else None))
    except FarEndError:
        return
    for row in rows:
        assert row.words("US")
        names_in(row.groups, frozenset({"a, b"}))
