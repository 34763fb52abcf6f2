"""A platform's report, in shapes that no two platforms share: its rows, and that no input breaks the reader."""

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
from harness.sip.identity import is_spelling, normalise
from harness.witness.platform_report import names_in, rows_of

CALLER, LINE, GROUP = "+12065550100", "+13125550100", "+13125550177"
AT = datetime(2026, 3, 1, 14, 5, 9, tzinfo=UTC)


def declared(**more: Any) -> Report:
    return Report.model_validate({"url": "https://reports.example/calls"} | more)


#: https://docs.talkdesk.com/docs/explore-calls-report and …/calls-report, what tells of a landing; ring groups beside the older ones.
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


@pytest.mark.parametrize(
    ("told", "untaken"),
    [
        *((type_, type_) for type_ in ("missed", "abandoned", "short_abandoned", "voicemail", "Short Abandoned")),
        *((type_, "") for type_ in ("inbound", "outbound", "", None, "Voice", 7)),
    ],
)
@pytest.mark.parametrize(("shape", "column"), [("explore", "call_type"), ("calls", "type")])
def test_that_nobody_took_a_call_is_known_by_its_type(shape: str, column: str, told: Any, untaken: str) -> None:
    """The types of https://docs.talkdesk.com/docs/calls-report-reporting."""
    entry = TALKDESK[shape]["entries"][0] | {column: told}  # type: ignore[index]
    (row,) = rows_of(json.dumps([entry]).encode(), declared())
    assert row.untaken == untaken
    assert row.words("US").endswith(f"taken by an agent{untaken and f'; {untaken}'}")


@pytest.mark.parametrize("shape", TALKDESK)
def test_talkdesks_own_columns_are_known(shape: str) -> None:
    (row,) = rows_of(json.dumps(TALKDESK[shape]).encode(), declared())
    assert (row.caller, row.number, row.agent, row.id) == (CALLER, GROUP, "Mark Jones", "74458c25")
    assert [*names_in(row.groups, frozenset())] == ["agents", "rg1"]
    assert row.moments == (AT.timestamp(),)
    assert row.cut_off_s == 1.0


def test_headings_as_a_page_shows_them() -> None:
    heading = "Interaction ID,Start Time,Talkdesk Phone Number,Customer Phone Number,Ring Groups,Handling Agent"
    text = f"{heading}\nx,2026-03-01 14:05:09,{GROUP},{CALLER},Billing,\n"
    (row,) = rows_of(text.encode(), declared())
    assert (row.caller, row.number, row.groups, row.agent) == (CALLER, GROUP, ("Billing",), "")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
def test_a_spreadsheet_of_another_country(encoding: str) -> None:
    columns = {"caller": "Rufnummer", "group": "Gruppe", "started": "Zeitpunkt", "number": "Ziel"}
    cells = ["01.03.2026 15:05:09", '"Büro Süd; Köln, Mitte"', f'="{LINE}"', "(206) 555-0100"]
    text = f"Bericht vom 1. März;;;\r\n\r\nZeitpunkt;Gruppe;Ziel;Rufnummer\r\n{';'.join(cells)}\r\n"
    report = declared(columns=columns, time_format="%d.%m.%Y %H:%M:%S", zone="Europe/Berlin")
    (row,) = rows_of(text.encode(encoding), report)
    assert (row.caller, row.number) == ("(206) 555-0100", LINE)
    assert row.moments == (AT.timestamp(),)
    assert [*names_in(row.groups, frozenset({plain_name("büro süd")}))] == ["büro süd", "köln", "mitte"]
    assert [*names_in(row.groups, frozenset({plain_name("Köln, Mitte")}))] == ["büro süd", "köln, mitte"]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("other", [",", ";", "|"])
def test_a_separator_is_that_of_the_heading_whatever_its_cells_have_more_of(separator: str, other: str) -> None:
    """Agents as surname and first name, decimals with a comma, several groups: more commas than semicolons."""
    cells = [
        CALLER,
        f"Sales{other} Billing{other} Support{other} Returns",
        AT.isoformat(),
        f"Eve{other} Alice",
        f"0{other}5",
    ]
    table = [["caller", "group", "started", "agent", "waited"], *[cells] * 3]
    text = "\n".join(separator.join(f'"{cell}"' if separator in cell else cell for cell in row) for row in table)
    rows = rows_of(f"Calls of March{other * 9}\n{text}\n".encode(), declared())
    assert [(row.caller, row.agent) for row in rows] == [(CALLER, f"Eve{other} Alice")] * 3
    assert [*names_in(rows[0].groups, frozenset())] == ["sales", "billing", "support", "returns"]


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=6)


@given(
    st.lists(NAMES.filter(lambda name: not set(name) & set(",;|+")), min_size=1, max_size=4),
    st.sampled_from([",", " ; ", "+", " + ", "|", "\n"]),
)
def test_several_groups_in_one_cell(names: list[str], between: str) -> None:
    assert [*names_in([between.join(names)], frozenset())] == list(dict.fromkeys(map(plain_name, names)))


@given(NAMES, NAMES, st.sampled_from(["+", ", ", " & ", "; "]))
def test_a_known_name_may_have_a_separator_in_it(one: str, two: str, between: str) -> None:
    name = one + between + two
    assert [*names_in([name], frozenset({plain_name(name)}))] == [plain_name(name)]


MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31)).map(lambda at: at.replace(microsecond=0))


@given(
    MOMENTS,
    st.sampled_from(["UTC", "Europe/Berlin", "America/Chicago", "Asia/Kolkata"]),
    st.sampled_from(["%Y-%m-%d %H:%M:%S", "%m/%d/%Y %I:%M:%S %p", "%d.%m.%Y %H:%M", "%Y-%m-%dT%H:%M:%S"]),
)
def test_a_time_is_the_moment_it_was_written_of(at: datetime, zone: str, form: str) -> None:
    moment = at.replace(tzinfo=UTC)
    told = moment.astimezone(ZoneInfo(zone)).strftime(form)
    report = declared(zone=zone, time_format=None if form.startswith("%Y") else form)
    (row,) = rows_of(json.dumps([{"caller": CALLER, "group": "a", "started": told}]).encode(), report)
    cut = moment if "S" in form else moment.replace(second=0)
    assert cut.timestamp() in row.moments
    assert len(row.moments) <= 2
    assert row.cut_off_s == (1.0 if "S" in form else 60.0)


@pytest.mark.parametrize(
    ("told", "cut_off_s"),
    [
        ("2026-03-01T14:05:09Z", 1.0),
        ("2026-03-01T15:05:09+01:00", 1.0),
        ("2026-03-01 08:05:09 -06:00", 1.0),
        ("2026-03-01 14:05:09 UTC", 1.0),
        (AT.timestamp(), 1.0),
        (int(AT.timestamp() * 1000), 0.001),
        (str(int(AT.timestamp() * 1_000_000)), 0.001),
        (str(int(AT.timestamp())), 1.0),
    ],
)
def test_times_that_name_their_offset(told: object, cut_off_s: float) -> None:
    report = declared(zone="Asia/Tokyo")
    (row,) = rows_of(
        json.dumps({"data": {"rows": [{"caller": CALLER, "group": "a", "started": told}]}}).encode(), report
    )
    assert (row.moments, row.cut_off_s) == ((AT.timestamp(),), cut_off_s)


@pytest.mark.parametrize(
    ("told", "form"),
    [
        (
            "Sun, 01 Mar 2026 14:05:09 +0000",
            "%a, %d %b %Y %H:%M:%S %z",
        ),  # RFC 5322, as Twilio's and others' lists have it
        ("Sun Mar 01 15:05:09 +0100 2026", "%a %b %d %H:%M:%S %z %Y"),
        ("03/01/2026 08:05:09 AM -06:00", "%m/%d/%Y %I:%M:%S %p %z"),
        ("20260301T140509Z", "%Y%m%dT%H%M%S%z"),
    ],
)
def test_a_form_may_have_an_offset(told: str, form: str) -> None:
    """Such forms were refused as none of a date and a time."""
    report = declared(zone="Asia/Tokyo", time_format=form)
    (row,) = rows_of(json.dumps([{"caller": CALLER, "group": "a", "started": told}]).encode(), report)
    assert (row.moments, row.cut_off_s) == ((AT.timestamp(),), 1.0)


@pytest.mark.parametrize("form", ["%d.%m.%Y", "%H:%M:%S", "%d.%m.%Y %H:%M:%S %Z", "%m/%d/%Y %I:%M", "now", "%Q"])
def test_a_form_of_no_moment_is_refused(form: str) -> None:
    """A zone's name is none: what it stands for differs from country to country, and strptime passes it over."""
    with pytest.raises(ValidationError, match="no form of a date and a time"):
        declared(time_format=form)


@pytest.mark.parametrize("told", [12065550100.0, "12065550100.0", 12065550100])
def test_a_number_that_a_program_took_for_one(told: object) -> None:
    """Of a column with gaps it makes decimals."""
    (row,) = rows_of(
        json.dumps([{"caller": told, "group": "a", "started": "2026-03-01T14:05:09Z"}]).encode(), declared()
    )
    assert normalise(row.caller, "US") == "+12065550100"


def test_an_hour_that_comes_twice_is_two_moments() -> None:
    report = declared(zone="Europe/Berlin")
    (row,) = rows_of(b"caller,group,started\n+12065550100,a,2026-10-25 02:30:00\n", report)
    assert row.moments[1] - row.moments[0] == timedelta(hours=1).total_seconds()


@pytest.mark.parametrize("told", ["yesterday", "", "12", "2026-13-40 10:00:00", None, True, "NaN", "9" * 400])
def test_what_is_no_time_is_none(told: object) -> None:
    (row,) = rows_of(json.dumps([{"caller": CALLER, "group": "a", "started": told}]).encode(), declared())
    assert row.moments == ()


@pytest.mark.parametrize(
    "told",
    [
        "+1\u00a0206\u00a0555\u00a00100",  # no-break spaces, as French exports have them
        "+1\u202f206\u202f555\u202f0100",
        "+1 206\u2011555\u20110100",  # no-break hyphens
        "\u202a+12065550100\u202c",  # as copied from an address book
        "\u200e(206) 555\u20130100",
        "sip:+12065550100@carrier.example;transport=udp",  # as proxies account for calls
        '"Ann" <sip:2065550100;phone-context=+1@carrier.example;user=phone>',
        "<TEL:+1-206-555-0100>",
        "206/5550100",
        "+1 206 / 5550100",
        "\uff0b\uff11\uff12\uff10\uff16\uff15\uff15\uff15\uff10\uff11\uff10\uff10",  # full-width
    ],
)
def test_numbers_as_programs_set_them_apart(told: str) -> None:
    """The call was not listed."""
    (row,) = rows_of(json.dumps([{"caller": told, "group": "a", "started": 1}]).encode(), declared())
    assert is_spelling(row.caller, CALLER, "US")
    assert f"caller {CALLER}" in row.words("US")


@pytest.mark.parametrize("told", ["'+12065550100", '="+12065550100"', "'(206) 555-0100", "'2065550100"])
@pytest.mark.parametrize("group", ["'s-Hertogenbosch", "'t Gooi", '="A"'])
def test_an_apostrophe_is_a_numbers_where_one_follows_it(told: str, group: str) -> None:
    """Some names begin with one: their calls were said to have landed in another group."""
    (row,) = rows_of(json.dumps([{"caller": told, "group": group, "started": 1}]).encode(), declared())
    assert is_spelling(row.caller, CALLER, "US")
    assert row.groups == ("A" if group == '="A"' else group,)


@pytest.mark.parametrize("told", ["4711", "front/desk", "Müller & Söhne", "ab@x.example", "+1206555*100"])
def test_what_is_no_number_stays(told: str) -> None:
    (row,) = rows_of(json.dumps([{"caller": "1", "number": told, "group": "a", "started": 1}]).encode(), declared())
    assert row.number == told


def test_json_lines() -> None:
    line = json.dumps({"caller": CALLER, "group": ["a", {"name": "b"}], "started": AT.isoformat()})
    rows = rows_of(f"{line}\n{line}\n".encode(), declared())
    assert [row.groups for row in rows] == [("a", "b")] * 2


def test_of_several_lists_the_one_of_calls_counts() -> None:
    call = {"caller": CALLER, "group": "a", "started": AT.isoformat()}
    plain = {"agents": [{"name": "Ann"}] * 9, "page": {"calls": [call]}, "groups": [{"group": "a"}] * 3}
    (row,) = rows_of(json.dumps(plain).encode(), declared())
    assert row.caller == CALLER


def test_no_rows_are_no_mistake() -> None:
    for raw in (b"", b"[]", b'{"entries": [], "total": 0}', b"caller,group,started\n", b"\n \n"):
        assert rows_of(raw, declared()) == []


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"caller,started\n1,2\n", "no heading"),
        (b'[{"caller": "1", "started": 3}]', "no column for group"),
        (b"<html>Sign in</html>", "no heading"),
        (b"PK\x03\x04\x14\x00\x06\x00 [Content_Types].xml", "a workbook or another archive; allowed: CSV or JSON"),
        (b"{}", "without a list of calls"),
        (b"[[[", "no JSON"),
        (b'{"error": "token expired"}', "without a list of calls"),
    ],
)
def test_what_is_no_report_is_said(raw: bytes, said: str) -> None:
    with pytest.raises(FarEndError, match=said):
        rows_of(raw, declared())


def test_a_declared_column_that_is_missing_is_said() -> None:
    with pytest.raises(FarEndError, match=r"no column for agent.*it has caller, group, started"):
        rows_of(b'[{"caller": "1", "group": "2", "started": 3}]', declared(columns={"agent": "Owner"}))


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["caller", "group", "started", "entries", "x"]), inner, max_size=4)
    ),
    max_leaves=12,
)
CELLS = st.lists(st.lists(st.text(max_size=8), max_size=5), max_size=5)


def as_csv(table: list[list[str]]) -> bytes:
    out = io.StringIO()
    csv.writer(out, delimiter=";").writerows([["caller", "group", "started", "number"], *table])
    return out.getvalue().encode("utf-8", "replace")


@given(st.binary(max_size=300) | JSON.map(lambda plain: json.dumps(plain).encode()) | CELLS.map(as_csv), st.booleans())
def test_no_input_breaks_the_reader(raw: bytes, formatted: bool) -> None:
    try:
        rows = rows_of(raw, declared(time_format="%d/%m/%y %H:%M" if formatted else None))
    except FarEndError:
        return
    for row in rows:
        assert row.words("US")
        names_in(row.groups, frozenset({"a, b"}))
