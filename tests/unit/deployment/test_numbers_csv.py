"""Numbers from a spreadsheet: whatever it holds is a number of its own, and a mistake names row and column."""

from __future__ import annotations

import contextlib
import csv
import tomllib
from pathlib import Path

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st

from harness.deployment import numbers_csv
from harness.deployment.file import load
from harness.errors import DeploymentError
from harness.support.resources import EXAMPLES


def read(tmp_path: Path, text: str) -> numbers_csv.NumbersFile:
    path = tmp_path / "dids.csv"
    path.write_text(text, encoding="utf-8")
    return numbers_csv.read(path)


@pytest.mark.parametrize("separator", [",", ";"])
def test_one_name_in_several_rows_has_a_number_on_each_trunk(tmp_path: Path, separator: str) -> None:
    text = 'name,did,trunk,assistant\n"Main, west",+13125550100,one,front\n"Main, west",+442079460001,two,front\nShop,+12145550107,,\n'
    numbers = read(tmp_path, text if separator == "," else text.replace("Main, west", "Main").replace(",", ";"))
    name = "Main, west" if separator == "," else "Main"
    lines = numbers_csv.merged({"Shop": {"group": "people"}}, numbers)
    assert lines[name] == {"assistant": "front", "dids": {"one": "+13125550100", "two": "+442079460001"}}
    assert lines["Shop"] == {"group": "people", "did": "+12145550107"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,number\nShop,1\n", "row 1: unknown column 'number'"),
        ("Name,Nummer,Ziel\nShop,1,2\n", "row 1: unknown column 'nummer', 'ziel'; allowed: name, did,"),
        ("name,did,DID\nShop,+12145550107,+12145550108\n", "row 1: column did is there twice; allowed: once"),
        ("name,did\n", "number of rows: 1; allowed: a heading, and 1 to 9999 numbers"),
        ("\n,,\nname,did\n\nShop,\n", "row 5, column did: is missing"),
        (
            "sep=,\nname,number\nShop,1\n",
            "row 1: unknown column 'number'",
        ),  # Excel does not show the first line, nor count it
        ("sep=;\nname;did\nShop;\n", "row 2, column did: is missing"),
        ('sep=,\nname,did\nShop,"+1"2\n', "row 2: "),
        ("name,did,\nShop,+12145550107,more\n", "row 2: has a cell in a column without a name"),
        ("name,did,,\nShop,+12145550107,more,\n", "row 2: has a cell in a column without a name"),
        ("name,trunk\nShop,one\n", "row 1: column did is missing"),
        ("name,did,reachable\nShop,+12145550107,perhaps\n", "row 2, column reachable: 'perhaps'; allowed: yes or no"),
        ("name,did\nShop,\n", "row 2, column did: is missing"),
        ("name,did\nShop,+12145550107,more\n", "row 2: has 3 cells; allowed: 2, as the heading"),
        (
            "name,did,press\nShop,+12145550107,1\nShop,+12145550108,2\n",
            "row 3, column press: '2', though another row of 'Shop' says '1'; allowed: the same in each",
        ),
    ],
)
def test_a_mistake_names_row_and_column(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DeploymentError, match=r"^.*dids\.csv: ") as caught:
        read(tmp_path, text)
    assert said in str(caught.value)


def test_columns_of_somebody_else_s_are_passed_over_where_the_file_names_them(tmp_path: Path) -> None:
    """As a spreadsheet comes: with notes, and with a column that is called as one of ours and means another thing."""
    text = "Site notes;DID;Zone;Name\nby the lake;+12145550107;north;Shop\n;+12145550108;;Bar\n"
    path = tmp_path / "dids.csv"
    path.write_text(text, encoding="utf-8-sig")
    lines = numbers_csv.merged({}, numbers_csv.read(path, ["site notes ", "ZONE", "Owner"]))
    assert lines == {"Shop": {"did": "+12145550107"}, "Bar": {"did": "+12145550108"}}
    with pytest.raises(DeploymentError) as caught:
        numbers_csv.read(path, ["zone"])
    assert str(caught.value).startswith(f"{path}: row 1: unknown column 'site notes'; allowed: name, did, ")
    assert str(caught.value).endswith(", closed, and any other that numbers_ignore names beside numbers_csv")
    path.write_text(text.replace("Zone", "hoursx") + "a;b;c;d;e\n")
    with pytest.raises(DeploymentError, match=r"'hoursx' \(perhaps hours\); allowed: name, did"):
        numbers_csv.read(path, ["Site notes"])
    with pytest.raises(DeploymentError, match="row 4: has 5 cells; allowed: 4, as the heading"):
        numbers_csv.read(path, ["Site notes", "hoursx"])


def test_a_column_that_lost_every_plus_is_one_mistake(tmp_path: Path) -> None:
    rows = "".join(f"Shop {number},121455501{number:02},EU,people\n" for number in range(10, 60))
    (tmp_path / "x.csv").write_text(
        "name,did,trunk,group\n" + rows + "A,+12145550107,EU,peoplxe\nB,+12145550108,EU,peoplex\n"
    )
    path = tmp_path / "x.toml"
    path.write_text(FILE.format(sheet='"x.csv"'))
    with pytest.raises(DeploymentError) as caught:
        load(path)
    assert str(caught.value).splitlines() == [
        f"{path}: lines.Shop 10.did (x.csv: row 2, column did): '12145550110' is not E.164; allowed: + and country code, e.g. "
        "+12065550100; read in US it is +12145550110 (and the like at 49 others of lines)",
    ]
    (tmp_path / "x.csv").write_text((tmp_path / "x.csv").read_text().replace(",1214", ",+1214"))
    with pytest.raises(DeploymentError) as caught:
        load(path)
    assert len(str(caught.value).splitlines()) == 2, "two names that are misspelt in two ways"


@pytest.mark.parametrize(("count", "lines"), [(3, 3), (4, 1), (300, 1)])
@pytest.mark.parametrize(
    ("row", "said"),
    [
        (
            "Shop {n},+1214555{n:04},WAHR",
            "row 3, column reachable: 'WAHR'; allowed: yes or no",
        ),  # Excel's true in German
        ("Shop {n},,yes", "row 3, column did: is missing; allowed: a number in E.164"),
        ("Shop {n},+1214555{n:04},yes,more", "row 3: has 4 cells; allowed: 3, as the heading"),
    ],
)
def test_what_is_wrong_in_many_rows_is_one_mistake(tmp_path: Path, row: str, said: str, count: int, lines: int) -> None:
    """As what the deployment finds is; each row had a line of its own, in which no other mistake was seen."""
    rows = "".join(row.format(n=n) + "\n" for n in range(count))
    with pytest.raises(DeploymentError) as caught:
        read(tmp_path, f"name,did,reachable\nHall,+12145559998,maybe\n{rows}")
    first, *found = [line.partition("dids.csv: ")[2] for line in str(caught.value).splitlines()]
    assert first == "row 2, column reachable: 'maybe'; allowed: yes or no"
    assert len(found) == lines
    assert found[0] == said + (f" (and the same in {count - 1} other rows)" if lines == 1 else "")


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "utf-16-le", "utf-16-be"])
def test_a_sheet_that_excel_saved_in_another_way_says_how_to_save_it(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "dids.csv"
    name = (
        "Shop" if encoding in ("utf-16-le", "utf-16-be") else "Küche"
    )  # in ASCII it is UTF-8 with a NUL for each letter
    path.write_text(f"name;did\n{name};+12145550107\n", encoding=encoding)
    with pytest.raises(DeploymentError) as caught:
        numbers_csv.read(path)
    assert str(caught.value) == (
        f'{path}: is not in UTF-8; allowed: a CSV file in UTF-8 (in Excel "CSV UTF-8" of those to save as)'
    )


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ('numbers_ignore = ["notes"]', "numbers_ignore: there is no spreadsheet; allowed: numbers_csv beside it"),
        ('numbers_csv = "x.csv"\nnumbers_ignore = "notes"', "numbers_ignore: 'notes'; allowed: a list of the columns"),
        ("numbers_csv = 7", "numbers_csv: 7; allowed: the name of a CSV file"),
        ('number_csv = "x.csv"', "number_csv: unknown key (perhaps numbers_csv); allowed: "),
    ],
)
def test_where_the_spreadsheet_is_said_wrongly(tmp_path: Path, written: str, said: str) -> None:
    path = tmp_path / "x.toml"
    path.write_text(FILE.replace("numbers_csv = {sheet}", written))
    with pytest.raises(DeploymentError) as caught:
        load(path)
    assert f"{path}: {said}" in str(caught.value)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("begins", ["", "\ufeff", "\ufeff\r\n"])
def test_as_programs_write_it(tmp_path: Path, separator: str, ends: str, begins: str) -> None:
    """Their separators, line ends and byte order mark; hours with commas in a file of semicolons; columns without anything."""
    hours = '"mon 08:00-12:00, tue 08:00-12:00, wed 08:00-12:00, thu 08:00-12:00, fri 08:00-12:00"'
    rows = [
        ["Name", "DID ", "hours", "", ""],
        ["Ku\u0308che", "\u00a0+493023125010", hours, "", ""],
        ["", "", "", "", ""],
    ]
    path = tmp_path / "dids.csv"
    text = begins + ends.join(separator.join(row) for row in rows) + ends
    path.write_text(text, encoding="utf-8", newline="")
    lines = numbers_csv.merged({}, numbers_csv.read(path))
    assert lines == {"K\u00fcche": {"did": "+493023125010", "hours": hours.strip('"')}}


FILE = """\
name = "x"
integration = "talkdesk"
kind = "simulated"
numbers_csv = {sheet}
[platform]
domain = "x.example"
[[trunks]]
name = "EU"
transport = "udp"
port = 32681
[[trunks]]
name = "a.b"
transport = "tcp"
port = 32681
[groups.people]
did = "+18155550101"
[assistants]
[accounts]
[phones]
"""


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("A.x,+12145550107,EU,people\nB,+12145550107,EU,people\n", "(x.csv: row 3, column did): +12145550107 is already lines.A.x.did"),
        ("A,+12145550107,Eu,people\n", "lines.A.trunk (x.csv: row 2, column trunk): no trunk is called 'Eu' (perhaps EU); allowed: "),
        ("A,+12145550107,,people\n", "lines.A.trunk (x.csv: row 2): is missing: several trunks; allowed: EU, a.b"),
        ("A,+12145550107,EU,people\nA,+12145550108,a.b\u00a0,nobody\n", "row 3, column group: 'nobody', though another row"),
        ("A,+12145550107,EU,people\nA,+12145550108,ab,\n", "lines.A.dids.ab (x.csv: row 3, column did): no trunk is called 'ab'"),
        ('"A\nB",+12145550107,EU,nobody\n', "lines.A\\nB.group (x.csv: row 2, column group): no group is called 'nobody'"),
    ],
)  # fmt: skip
def test_what_contradicts_the_rest_of_the_file_is_told_by_row_and_column(tmp_path: Path, rows: str, said: str) -> None:
    (tmp_path / "x.csv").write_text("name,did,trunk,group\n" + rows, encoding="utf-8")
    file = tmp_path / "x.toml"
    file.write_text(FILE.format(sheet='"x.csv"'), encoding="utf-8-sig")  # as Windows' editors write it
    with pytest.raises(DeploymentError) as caught:
        load(file)
    (line,) = str(caught.value).splitlines()
    assert said in line


@pytest.mark.parametrize("sheet", ["1", '["x.csv"]', '""', "false"])
def test_a_sheet_that_is_no_name_is_not_passed_over(tmp_path: Path, sheet: str) -> None:
    file = tmp_path / "x.toml"
    file.write_text(FILE.format(sheet=sheet), encoding="utf-8")
    with pytest.raises(DeploymentError, match=r"numbers_csv: .*; allowed: the name of a CSV file"):
        load(file)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DeploymentError, match="no such file"):
        numbers_csv.read(tmp_path / "nosuch.csv")
    for name in ("no\0such.csv", "."):
        with pytest.raises(DeploymentError, match="cannot be read"):
            numbers_csv.read(tmp_path / name)


@given(text=st.text(max_size=200))
def test_any_text_is_numbers_or_a_mistake(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    path = tmp_path_factory.mktemp("csv") / "dids.csv"
    path.write_text("name,did\n" + text, encoding="utf-8", newline="")
    with contextlib.suppress(DeploymentError):
        found = numbers_csv.merged({}, numbers_csv.read(path))
        assert all("did" in line or "dids" in line for line in found.values())


@pytest.mark.parametrize("did", ["'+12145550107", '"=""+12145550107"""', " '+12145550107 "])
def test_a_number_that_was_kept_from_the_spreadsheet(tmp_path: Path, did: str) -> None:
    """As programs write it so that Excel makes no number of it: with an apostrophe, or as a formula of text."""
    numbers = read(tmp_path, f"name,did,press\n's-Hertogenbosch,{did},'07\n")
    assert numbers_csv.merged({}, numbers) == {"'s-Hertogenbosch": {"did": "+12145550107", "press": "07"}}


@pytest.mark.parametrize("text", ["4,5", "4.5"])
def test_a_decimal_comma(tmp_path: Path, text: str) -> None:
    """Spreadsheets that write semicolons between cells write it in numbers."""
    numbers = read(tmp_path, f"name;did;announcement_s\nShop;+12145550107;{text}\n")
    assert float(numbers_csv.merged({}, numbers)["Shop"]["announcement_s"]) == 4.5


@pytest.mark.parametrize(("rows", "told"), [(3, 3), (4, 1), (300, 1)])
def test_one_misspelt_name_is_one_mistake(tmp_path: Path, rows: int, told: int) -> None:
    """Three hundred numbers that lead to it made three hundred lines, in which no other mistake was seen."""
    numbers = "".join(f"Shop {n},+1214555{n:04},Frnt desk\n" for n in range(rows))
    (tmp_path / "dids.csv").write_text(f"name,did,assistant\n{numbers}Other,12145559999,front\n", encoding="utf-8")
    file = tmp_path / "file.toml"
    file.write_text(
        'numbers_csv = "dids.csv"\nname = "x"\nintegration = "generic"\nkind = "simulated"\nfavourite_dish = 1\n'
        '[platform]\ndomain = "pbx.example"\n[[trunks]]\nname = "one"\ntransport = "udp"\nport = 32681\n'
        '[assistants.front]\ndid = "+12145559000"\n[accounts]\n[phones]\n',
        encoding="utf-8",
    )
    with pytest.raises(DeploymentError) as caught:
        load(file)
    first, second = str(caught.value).splitlines()
    assert "lines.Other.did (dids.csv: row " in first
    assert "favourite_dish: unknown key" in second
    for wrong, right in (("favourite_dish = 1\n", ""), ("12145559999", "+12145559999")):
        for path in (file, tmp_path / "dids.csv"):
            path.write_text(path.read_text().replace(wrong, right).replace("++", "+"), encoding="utf-8")
    with pytest.raises(DeploymentError) as caught:
        load(file)
    said = str(caught.value).splitlines()
    assert len(said) == told
    assert said[0].startswith(
        f"{file}: lines.Shop 0.assistant (dids.csv: row 2, column assistant): no assistant is called"
    )
    assert said[0].endswith("others of lines)") is (told == 1)
    assert f"(and the same at {rows - 1} others of lines)" in said[0] or told == rows


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("begins", ["", "sep={}\n", '"sep={}"\n', "\n"])
@pytest.mark.parametrize(
    "heading",
    [
        ["name", "did", "Customer (place, street, floor; see map)"],
        ["name", "did", 'Notes, internal, "old"; more'],
        ["Site\nnotes", "name", "did"],
        ["did", ";;", "name", ",,,"],
    ],
)
def test_a_separator_is_that_by_which_the_heading_names_the_columns(
    tmp_path: Path, separator: str, begins: str, heading: list[str]
) -> None:
    """Whatever the names have more of: the most frequent sign of the first line was taken for it."""
    cells = {"name": "Shop", "did": "+12145550107"}
    path = tmp_path / "dids.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        file.write(begins.format(separator))
        table = [heading, [cells.get(name, "x") for name in heading]]
        csv.writer(file, delimiter=separator).writerows(table)
    lines = numbers_csv.merged({}, numbers_csv.read(path, [name for name in heading if name not in cells]))
    assert lines == {"Shop": {"did": "+12145550107"}}


@pytest.mark.parametrize(
    ("row", "said"),
    [('"Main" hall,+12145550108', "',' expected after '\"'"), ('"Main hall,+12145550108', "unexpected end of data")],
)
def test_a_quotation_mark_out_of_place_is_told_by_its_row(tmp_path: Path, row: str, said: str) -> None:
    """Of three hundred."""
    with pytest.raises(DeploymentError) as caught:
        read(tmp_path, f'name,did\nShop,+12145550107\n"A\nB",+12145550106\n{row}\nBar,+12145550109\n')
    allowed = "quotation marks around a whole cell, and doubled within it"
    assert str(caught.value) == f"{tmp_path / 'dids.csv'}: row 4: {said}; allowed: {allowed}"


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_first_line_that_tells_the_separator(tmp_path: Path, separator: str) -> None:
    """Some programs write one for Excel, which does not show it; rows are counted as it shows them."""
    cells = ["Shop", "+12145550107"]
    text = f"sep={separator}\nname{separator}did\n{separator.join(cells)}\n"
    numbers = read(tmp_path, text)
    assert numbers_csv.merged({}, numbers) == {"Shop": {"did": "+12145550107"}}
    assert numbers.cells["Shop", "did"] == "row 2, column did"


@pytest.mark.parametrize(
    ("region", "did", "meant"),
    [
        ("GB", "020 7946 0123", "+442079460123"),
        ("DE", "+49 (0)30 23125 010", "+493023125010"),
        ("DE", "0049 30 23125010", "+493023125010"),
        ("US", "(212) 555-0107", "+12125550107"),
        ("GB", "2.079E+12", None),
        ("GB", "no number", None),
    ],
)
def test_a_number_in_another_form_is_told_in_e164(tmp_path: Path, region: str, did: str, meant: str | None) -> None:
    plain = tomllib.loads((EXAMPLES / "live-large.toml").read_text(encoding="utf-8")) | {"region": region}
    (tmp_path / plain["numbers_csv"]).write_text(f"name,did\nShop,{did}\n", encoding="utf-8")
    path = tmp_path / "d.toml"
    path.write_text(tomli_w.dumps(plain), encoding="utf-8")
    with pytest.raises(DeploymentError) as caught:
        load(path, secrets=False)
    (line,) = [line for line in str(caught.value).splitlines() if "row 2, column did" in line]
    assert line.endswith(f"; read in {region} it is {meant}") if meant else "it is +" not in line


@pytest.mark.parametrize("name", ["Shop", ""])
def test_a_row_that_is_there_twice_is_told_as_that_and_each_mistake_between_rows_is(tmp_path: Path, name: str) -> None:
    """It was said to be a name with several numbers that lack trunks, by the first of its rows, and of one such name alone."""
    text = f"name,did,trunk\n{name},+12145550107,\n{name},+12145550107,\nHall,+12145550108,\nHall,+12145550109,\n"
    with pytest.raises(DeploymentError) as caught:
        numbers_csv.merged({}, read(tmp_path, text))
    twice, several = str(caught.value).splitlines()
    assert "row 3, column did: +12145550107 is already in row 2; allowed: once" in twice
    assert "row 4, column trunk: 'Hall' has several numbers; allowed: a trunk of its own for each, or a name" in several


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('did = "+12145550199"', "column did: '+12145550107', though the deployment file has '+12145550199'"),
        ('trunk = "a.b"', "column trunk: 'EU', though the deployment file has 'a.b'"),
        ('group = "Others"', "column group: 'people', though the deployment file has 'Others'"),
        ("announcement_s = 4.0", "column announcement_s: '4.5', though the deployment file has 4.0"),
        ("may_fail = true", "column may_fail: false, though the deployment file has true"),
    ],
)
def test_a_row_that_contradicts_the_file_is_a_mistake(tmp_path: Path, line: str, said: str) -> None:
    """The file's own was taken without a word: the number of that row was called by nobody, and in no report."""
    sheet = tmp_path / "x.csv"
    sheet.write_text("name,did,trunk,group,announcement_s,may_fail\nA,+12145550107,EU,people,4.5,no\n")
    file = tmp_path / "x.toml"
    file.write_text(FILE.format(sheet='"x.csv"') + f"[lines.A]\n{line}\n")
    with pytest.raises(DeploymentError) as caught:
        load(file)
    assert str(caught.value) == f"{sheet}: row 2, {said} (lines.A); allowed: the same, or one of them alone"


def test_rows_that_contradict_the_file_s_numbers_on_its_trunks_are_a_mistake(tmp_path: Path) -> None:
    sheet = tmp_path / "x.csv"
    sheet.write_text("name,did,trunk,group\nA,+12145550107,EU,people\nA,+12145550108,a.b,people\n")
    file = tmp_path / "x.toml"
    file.write_text(
        FILE.format(sheet='"x.csv"') + '[lines.A]\ndids = { EU = "+12145550107", "a.b" = "+12145550199" }\n'
    )
    with pytest.raises(DeploymentError) as caught:
        load(file)
    said = "row 3, column did: '+12145550108', though the deployment file has '+12145550199' (lines.A)"
    assert str(caught.value) == f"{sheet}: {said}; allowed: the same, or one of them alone"


def test_a_row_may_say_again_what_the_file_says(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("name;did;trunk;announcement_s;may_fail\nA;+12145550107;EU;4,50;no\n")
    file = tmp_path / "x.toml"
    again = 'did = "+12145550107"\ntrunk = "EU"\ngroup = "people"\nannouncement_s = 4.5\nmay_fail = false\n'
    file.write_text(FILE.format(sheet='"x.csv"') + "[lines.A]\n" + again)
    line = load(file).lines["A"]
    assert (line.did, line.trunk, line.announcement_s, line.may_fail) == ("+12145550107", "EU", 4.5, False)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name,did\nShop,+12145550107\n# Bar,+12145550108\n", "row 3: begins with '# Bar'"),
        ("name,did\n#Bar,+12145550108\n", "row 2: begins with '#Bar'"),
        ("notes;name;did\n# closed since May;Bar;+12145550108\n", "row 2: begins with '# closed since May'"),
        ("name,did\n# Bars\nBar,+12145550108\n", "row 2: begins with '# Bars'"),
    ],
)
def test_a_row_is_not_commented_out(tmp_path: Path, text: str, said: str) -> None:
    """CSV knows no comments (RFC 4180): who wrote one had that number called all the same."""
    path = tmp_path / "dids.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DeploymentError) as caught:
        numbers_csv.read(path, ["notes"])
    what = "a spreadsheet knows no comments, and its number would be called"
    assert str(caught.value) == f"{path}: {said}: {what}; allowed: no such row, or another beginning"


def test_a_name_may_begin_with_a_number_sign(tmp_path: Path) -> None:
    lines = numbers_csv.merged({}, read(tmp_path, "name,did\n#1 Pizza,+12145550107\n"))
    assert lines == {"#1 Pizza": {"did": "+12145550107"}}
