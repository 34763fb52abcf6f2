"""Numbers from a spreadsheet: each row is a number, and a mistake names row and column."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import openpyxl
import pytest

from harness.deployment import numbers_csv
from harness.deployment.file import load
from harness.errors import DeploymentError
from tests.unit.deployment.example_files import Changes, mistakes, written

SHOP = {"did": "+12145550107"}


def sheet(tmp_path: Path, text: str, encoding: str = "utf-8") -> Path:
    path = tmp_path / "x.csv"
    path.write_text(text, encoding=encoding, newline="")
    return path


def lines(tmp_path: Path, text: str, ignored: tuple[str, ...] = ()) -> dict[str, object]:
    found = numbers_csv.read(sheet(tmp_path, text), ignored)
    if found.mistakes:
        raise DeploymentError("\n".join(found.mistakes))
    return numbers_csv.merged({}, found)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("begins", ["", "\ufeff", "\ufeff\r\n"])
def test_as_programs_write_it(tmp_path: Path, separator: str, ends: str, begins: str) -> None:
    """Their separators, line ends and byte order mark; hours with commas in a file of semicolons;
    columns without anything.
    """
    hours = '"mon 08:00-12:00, tue 08:00-12:00, wed 08:00-12:00, thu 08:00-12:00, fri 08:00-12:00"'
    rows = [
        ["Name", "DID ", "hours", "", ""],
        ["Ku\u0308che", "\u00a0+493023125010", hours, "", ""],
        ["", "", "", "", ""],
    ]
    text = begins + ends.join(separator.join(row) for row in rows) + ends
    assert lines(tmp_path, text) == {
        "K\u00fcche": {"did": "+493023125010", "hours": hours.strip('"')}
    }


@pytest.mark.parametrize("did", ["'+12145550107", '"=""+12145550107"""', " '+12145550107 "])
def test_a_number_that_was_kept_from_the_spreadsheet(tmp_path: Path, did: str) -> None:
    found = lines(
        tmp_path,
        f"name,did,press\n's-Hertogenbosch,{did},'07\n,+12145550108,\n#1 Pizza,+12145550109,\n",
    )
    assert found == {
        "'s-Hertogenbosch": {"did": "+12145550107", "press": "07"},
        "+12145550108": {"did": "+12145550108"},
        "#1 Pizza": {"did": "+12145550109"},
    }


def test_one_name_in_several_rows_has_a_number_on_each_trunk(tmp_path: Path) -> None:
    text = 'name,did,trunk,assistant\n"Main, west",+13125550100,one,front\n"Main, west",+442079460001,two,front\nShop,+12145550107,,\n'
    found = numbers_csv.merged(
        {"Shop": {"group": "people"}, "odd": 1}, numbers_csv.read(sheet(tmp_path, text))
    )
    assert found["Main, west"] == {
        "assistant": "front",
        "dids": {"one": "+13125550100", "two": "+442079460001"},
    }
    assert found["Shop"] == {"group": "people", **SHOP}


def test_rows_of_one_name_and_number_are_the_choices_of_its_menu(tmp_path: Path) -> None:
    text = "name,did,press,assistant,group\nMain,+13125550100,1,front,\nMain,+13125550100,2.1,,people\n"
    found = numbers_csv.merged(
        {"Main": {"announcement_s": 4.0}}, numbers_csv.read(sheet(tmp_path, text))
    )
    shared = {"did": "+13125550100", "announcement_s": 4.0}
    assert found == {
        "Main press 1": {**shared, "press": "1", "assistant": "front"},
        "Main press 2.1": {**shared, "press": "2.1", "group": "people"},
    }


def test_columns_of_somebody_else_s_are_passed_over_where_the_file_names_them(
    tmp_path: Path,
) -> None:
    """Notes, and a column that is called as one of a line's and means another thing."""
    text = "Site notes;DID;Zone;Name\n# by the lake;+12145550107;north;Shop\n;+12145550108;;Bar\n"
    found = lines(tmp_path, text.replace("# ", ""), ("site notes ", "ZONE", "Owner"))
    assert found == {"Shop": SHOP, "Bar": {"did": "+12145550108"}}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,number\nShop,1\n", "row 1: unknown column 'number'; allowed: name, did,"),
        (
            "name,did,hoursx\nShop,1,\n",
            "row 1: unknown column 'hoursx' (perhaps hours); allowed: name, did,",
        ),
        ("name,trunk\nShop,one\n", "row 1: column did is missing; allowed: name, did,"),
        ("name,did,DID\nShop,+1,+2\n", "row 1: column did is there twice; allowed: once"),
        ("name,did\n", "number of rows: 1; allowed: a heading, and 1 to 9999 numbers"),
        ("\n,,\nname,did\n\nShop,\n", "row 5, column did: is missing; allowed: a number in E.164"),
        *(
            (
                f"name,did{comma}\nShop,+1,more\n",
                "row 2: has a cell behind the heading, or in a column without a name",
            )
            for comma in ("", ",")
        ),
        (
            "name,did,press\nShop,+1,1\nShop,+2,2\n",
            "row 3, column trunk: 'Shop' has several numbers; allowed: a trunk of its own for each, or a name",
        ),
        (
            "name,did,trunk,press\nShop,+1,a,1\nShop,+2,b,2\n",
            "row 3, column press: '2', though another row of 'Shop' has '1'; allowed: the same",
        ),
        (
            "name,did,trunk\nShop,+1,a\nShop,+1,a\n",
            "row 3, column trunk: 'Shop' has several numbers",
        ),
        (
            "name,did,press\nA,+1,1\nA,+1,2\nA,+1,\n",
            "row 4, column press: is missing, though other rows of 'A' have it",
        ),
        (
            "name,did,press\nA,+1,1\nA,+1,1\n",
            "row 3, column trunk: 'A press 1' has several numbers; allowed: a trunk",
        ),
        ("did\n+1\n+1\n", "row 3, column trunk: '+1' has several numbers"),
        (
            "name,did\nShop,+1\n# Bar,+2\n",
            "row 3: begins with '# Bar': a spreadsheet knows no comments, and its number would be called; allowed: no such",
        ),
        (
            'name,did\nShop,+1\n"A\nB",+2\n"Main" hall,+3\n',
            "row 4: ',' expected after '\"'; allowed: quotation marks around a whole cell",
        ),
        ('name,did\n"Main hall,+1\n', "row 2: unexpected end of data; allowed: quotation marks"),
    ],
)
def test_a_mistake_names_row_and_column(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DeploymentError) as caught:
        lines(tmp_path, text)
    assert str(caught.value).startswith(f"{tmp_path / 'x.csv'}: {said}")


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16"])
def test_a_sheet_that_excel_saved_in_another_way_says_how_to_save_it(
    tmp_path: Path, encoding: str
) -> None:
    path = sheet(tmp_path, "name;did\nKüche;+12145550107\n", encoding)
    with pytest.raises(DeploymentError) as caught:
        numbers_csv.read(path)
    how = 'in Excel "CSV UTF-8" of those to save as'
    said = {
        "cp1252": "line 2: is not in UTF-8 (in Windows-1252 it has ü there)",
        "utf-16": "line 1: is not in UTF-8 but in UTF-16",
    }[encoding]
    assert str(caught.value) == f"{path}: {said}; allowed: a CSV file in UTF-8 ({how})"


@pytest.mark.parametrize(
    ("name", "said"),
    [("nosuch.csv", "no such file"), ("no\0such.csv", "cannot be read"), (".", "cannot be read")],
)
def test_a_file_that_is_not_there(tmp_path: Path, name: str, said: str) -> None:
    with pytest.raises(DeploymentError, match=said):
        numbers_csv.read(tmp_path / name)


# -- beside the deployment file


def said_of(tmp_path: Path, text: str, **changes: object) -> list[str]:
    """Mistakes where a file with two trunks has that spreadsheet."""
    sheet(tmp_path, text)
    trunk = {
        "transport": "tcp",
        "port": 32681,
        "host": "sip.example",
        "termination": "sbc.example",
        "name": "a.b",
    }
    two: Changes = {
        "numbers_csv": "x.csv",
        "lines": {},
        "trunks": [{**trunk, "name": "EU"}, trunk],
        **changes,
    }
    return mistakes(tmp_path, "live-talkdesk", two)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (
            "A.x,+12145550107,EU,billing\nB,+12145550107,EU,billing\n",
            "lines.B.did (x.csv: row 3, column did): +12145550107 is already lines.A.x.did",
        ),
        (
            "A,+12145550107,Eu,billing\n",
            "lines.A.trunk (x.csv: row 2, column trunk): no trunk is called 'Eu' (perhaps EU); allowed: EU, a.b",
        ),
        (
            "A,+12145550107,EU,billing\nA,+12145550108,ab,\n",
            "lines.A.dids.ab (x.csv: row 3, column did): no trunk is called 'ab'",
        ),
        (
            '"A\nB",+12145550107,EU,nobody\n',
            "lines.A\\nB.group (x.csv: row 2, column group): no group is called 'nobody'",
        ),
        (
            "A,+12145550107,EU,\n",
            "lines.A (x.csv: row 2): where it leads to is needed; allowed: assistant, or group",
        ),
        (
            "A,020 7946 0123,EU,billing\n",
            "lines.A.did (x.csv: row 2, column did): '020 7946 0123' is not E.164; allowed: + and country code, e.g. "
            "+12065550100; read in GB it is +442079460123",
        ),
        (
            "A,+49 (0)30 23125 010,EU,billing\n",
            "lines.A.did (x.csv: row 2, column did): '+49 (0)30 23125 010' is not E.164; allowed: + and country code, "
            "e.g. +12065550100; read in GB it is +493023125010",
        ),
        (
            "A,2.079E+12,EU,billing\n",
            "lines.A.did (x.csv: row 2, column did): '2.079E+12': a spreadsheet made a number of it, and lost digits",
        ),
        (
            "".join(f"Shop {n},+1214555{n:04},EU,billign\n" for n in range(100, 400)),
            "lines.Shop 100.group (x.csv: row 2, column group): no group is called "
            "'billign' (perhaps billing); allowed: billing, support, reception (and the same at 299 others of lines: rows 3-301)",
        ),
    ],
)
def test_what_contradicts_the_rest_of_the_file_is_told_by_row_and_column(
    tmp_path: Path, rows: str, said: str
) -> None:
    found = said_of(tmp_path, "name,did,trunk,group\n" + rows, region="GB")
    assert found[0].startswith(said), found
    assert len(found) == 1


def test_the_same_mistake_in_many_rows_is_one_line(tmp_path: Path) -> None:
    rows = [f"A{n},+121455501{n:02},EU,billing" for n in range(10)]
    blank = [f"B{n},,EU,billing" for n in range(35)]
    text = "\n".join(["name,did,trunk,group", *blank[:30], *rows, *blank[30:]])
    path = tmp_path / "x.csv"
    said = "row 2, column did: is missing; allowed: a number in E.164 (and the same in rows 3-31, 42-46)"
    assert numbers_csv.read(sheet(tmp_path, text)).mistakes == [f"{path}: {said}"]


def test_a_number_that_may_be_two_is_named_in_both_readings(tmp_path: Path) -> None:
    """A user who copied the wrong one into a live file would call a stranger."""
    (found,) = said_of(tmp_path, "name,did,trunk,group\nA,492214710123,EU,billing\n", region="DE")
    assert found.endswith("; read in DE it is +492214710123 or, less likely, +49492214710123")


def test_a_number_that_leads_to_the_ai_needs_its_trunk(tmp_path: Path) -> None:
    text = "name,did,trunk,assistant\nA,+12145550107,,main\n"
    (said,) = said_of(tmp_path, text, region="GB")
    assert said == (
        "lines.A.trunk (x.csv: row 2, column trunk): is missing: several trunks; allowed: EU, a.b"
    )


@pytest.mark.parametrize(
    ("key", "value", "column"),
    [
        ("did", "+12145550199", "did"),
        ("trunk", "tls-digest", "trunk"),
        ("group", "billing", "group"),
        ("may_fail", True, "may_fail"),
    ],
)
def test_a_key_stands_in_the_file_or_in_the_sheet(
    tmp_path: Path, key: str, value: object, column: str
) -> None:
    """One that was taken without a word would leave the other's number uncalled."""
    sheet(tmp_path, "name,did,trunk,group,may_fail\nA,+12145550107,tls-digest,billing,no\n")
    path = written(
        tmp_path, "live-talkdesk", {"numbers_csv": "x.csv", "lines": {"A": {key: value}}}
    )
    with pytest.raises(DeploymentError) as caught:
        load(path)
    said = (
        f"row 2, column {column}: the deployment file has lines.A.{key}, too; allowed: one of them"
    )
    assert str(caught.value) == f"{tmp_path / 'x.csv'}: {said}"


def test_every_mistake_of_the_sheet_is_told_at_once(tmp_path: Path) -> None:
    """Those of its form hid those of its values, and these the names that the file does not have."""
    rows = [
        ("A", "+12145550107", "EU", "", "billing"),
        ("B", "", "EU", "", "billing"),
        ("C", "12145550108", "EU", "", "billing"),
        ("D", "+12145550109", "Eu", "", "billing"),
        ("E", "+12145550110", "EU", "", "nobody"),
        ("E", "+12145550111", "EU", "2", "billing"),
        ("F", "12145550112", "EU", "", "billing"),
        ("F", "+12145550113", "UK", "", "billing"),
    ]
    sheet(
        tmp_path, "name,did,trunk,presses,group\n" + "".join(",".join(row) + "\n" for row in rows)
    )
    trunk = {
        "transport": "tcp",
        "port": 32681,
        "host": "sip.example",
        "termination": "sbc.example",
        "name": "EU",
    }
    changes: Changes = {
        "numbers_csv": "x.csv",
        "lines": {"B": {"announcement_s": 500}},
        "trunks": [trunk],
    }
    path = written(tmp_path, "live-talkdesk", {**changes, "campaign": {"line": "B"}})
    with pytest.raises(DeploymentError) as caught:
        load(path)
    said = [
        re.sub(r"^\S+?(x.csv|toml): (line \d+: )?", "", line).partition(";")[0]
        for line in str(caught.value).splitlines()
    ]
    assert said == [
        "row 1: unknown column 'presses' (perhaps press)",
        "row 3, column did: is missing",
        "row 7, column trunk: 'E' has several numbers",
        "row 7, column group: 'billing', though another row of 'E' has 'nobody'",
        "lines.B.announcement_s: 500: is too large",
        "lines.C.did (x.csv: row 4, column did): '12145550108' is not E.164",
        "lines.F.dids.EU (x.csv: row 8, column did): '12145550112' is not E.164",
        "lines.E.group (x.csv: row 6, column group): no group is called 'nobody'",
        "lines.D.trunk (x.csv: row 5, column trunk): no trunk is called 'Eu' (perhaps EU)",
        "lines.F.dids.UK (x.csv: row 9, column did): no trunk is called 'UK'",
    ]


def test_words_for_true_and_false(tmp_path: Path) -> None:
    text = "name,did,trunk,group,may_fail\nA,+12145550107,EU,billing,{}\n"
    (said,) = said_of(tmp_path, text.format("WAHR"))
    assert said.startswith(
        "lines.A.may_fail (x.csv: row 2, column may_fail): 'WAHR': is neither; allowed: true, false"
    )
    sheet(tmp_path, text.format("no").replace("EU", "tls-digest"))
    path = written(tmp_path, "live-talkdesk", {"numbers_csv": "x.csv", "lines": {}})
    assert load(path, secrets=False).lines["A"].may_fail is False


# -- as Excel saves it


def book(
    tmp_path: Path, rows: Iterable[Sequence[object]], merged: Iterable[str] = ()
) -> openpyxl.Workbook:
    made = openpyxl.Workbook()
    assert made.active is not None
    for row in rows:
        made.active.append(list(row))
    for cells in merged:
        made.active.merge_cells(cells)
    made.save(tmp_path / "dids.xlsx")
    return made


def test_a_workbook_is_read_like_the_csv_file_that_it_would_be(tmp_path: Path) -> None:
    """Numbers as text or, with what Excel makes of them, as a mistake that names them."""
    heading = ("Name", "did", "trunk", "group", "press", "may_fail")
    rows = [
        heading,
        ("Küche", "+12145550107", "EU", "billing", 2, False),
        (),
        ("Hall", "'+12145550108", "EU", "billing", "02", None),
    ]
    book(tmp_path, rows)
    found = numbers_csv.read(tmp_path / "dids.xlsx")
    assert found.mistakes == []
    text = "\n".join(
        [
            ",".join(map(str, heading)),
            "Küche,+12145550107,EU,billing,2,false",
            "",
            "Hall,+12145550108,EU,billing,02,",
        ]
    )
    as_csv = numbers_csv.read(sheet(tmp_path, text))
    assert (found.lines, found.numbers) == (as_csv.lines, as_csv.numbers)
    assert found.where(("lines", "Hall", "did")) == "dids.xlsx: row 4, column did"


def test_a_number_that_excel_keeps_as_a_number_is_read_with_all_its_digits(tmp_path: Path) -> None:
    book(tmp_path, [("name", "did"), ("A", 12145550107), ("B", 12145550108.0)])
    numbers = numbers_csv.read(tmp_path / "dids.xlsx").numbers
    assert numbers == {"A": {"": "12145550107"}, "B": {"": "12145550108"}}


def test_merged_cells_count_for_each_of_their_rows(tmp_path: Path) -> None:
    rows = [
        ("name", "did", "press", "group"),
        ("main", "+12145550107", "1", "billing"),
        (None, None, "2", None),
        (None, None, "3", "support"),
        ("other", "+12145550108", None, "support"),
    ]
    book(tmp_path, rows, ["A2:A4", "B2:B4", "D2:D3"])
    found = numbers_csv.read(tmp_path / "dids.xlsx")
    assert found.mistakes == []
    assert {name: line["group"] for name, line in found.lines.items()} == {
        "main press 1": "billing",
        "main press 2": "billing",
        "main press 3": "support",
        "other": "support",
    }


def test_the_first_sheet_that_is_not_hidden_counts(tmp_path: Path) -> None:
    made = book(tmp_path, [("old",)])
    assert made.active is not None
    made.active.sheet_state = "hidden"
    second = made.create_sheet("Numbers")
    second.append(["did"])
    second.append(["+12145550107"])
    made.save(tmp_path / "dids.xlsx")
    found = numbers_csv.read(tmp_path / "dids.xlsx")
    assert found.numbers == {"+12145550107": {"": "+12145550107"}}


def test_a_workbook_of_masses_or_a_damaged_one_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "dids.xlsx"

    def refused() -> str:
        with pytest.raises(DeploymentError) as caught:
            numbers_csv.read(path)
        assert len(str(caught.value).splitlines()) == 1
        return str(caught.value).removeprefix(f"{path}: cannot be read (")

    made = book(tmp_path, [("did",), ("+12145550107",)])
    whole = path.read_bytes()
    path.write_bytes(whole[:-300])
    assert refused().startswith("is no spreadsheet that can be read (BadZipFile)")
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("dids.csv", "did\n+12145550107\n")
    assert refused().startswith("is no spreadsheet that can be read (KeyError)")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", bytes(65 << 20))
    assert refused().startswith("has 65 MiB decompressed; 64 are read")
    assert made.active is not None
    made.active["A1048576"] = "far away"
    made.save(path)
    assert refused().startswith("has a cell in row 1048576, or in column 1; 20000 rows and 200")
