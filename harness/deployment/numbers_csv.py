"""The numbers of a deployment as a spreadsheet has them: a CSV file with a row for each number, read into ``lines``.

Its columns are the keys of a line (``did``, ``trunk``, ``assistant`` …) and ``name``, the line's. A line that the deployment file
describes as well gets from here what is not said there, and may say nothing else than here; one name in several rows is one routing
with a number on each trunk.
"""

from __future__ import annotations

import contextlib
import csv
import io
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from harness.deployment import Line
from harness.errors import DeploymentError
from harness.support import toml_model
from harness.support.files import user_files
from harness.support.model_words import nearest

_NAME, _DID = "name", "did"
_FLAGS = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
#: What has more than one value cannot stand in a cell.
_COLUMNS = (_NAME, *(name for name in Line.model_fields if name != "dids"))
_LARGEST = 10_000
_SEPARATORS = ",;\t"
#: How a row begins that somebody means as a comment, which CSV (RFC 4180) does not have; "#1 Pizza" is a name.
_COMMENT = re.compile(r"#(?!\d)")
_NO_COMMENTS = (
    "a spreadsheet knows no comments, and its number would be called; allowed: no such row, or another beginning"
)


@dataclass(frozen=True)
class _Number:
    """One row's number."""

    did: str
    trunk: str | None
    row: int


@dataclass
class _Told:
    """What the rows of one name say."""

    keys: dict[str, Any] = field(default_factory=dict)  #: of the line, apart from its numbers and trunks
    numbers: list[_Number] = field(default_factory=list)


@dataclass
class NumbersFile:
    """What a file of numbers says, and where it says it."""

    path: Path
    lines: dict[str, _Told] = field(default_factory=dict)
    cells: dict[tuple[str, str], str] = field(default_factory=dict)  #: (line, key) → "row 3, column did"
    elsewhere: set[tuple[str, str]] = field(default_factory=set)  #: (line, key) that the deployment file says

    def where(self, location: tuple[int | str, ...]) -> str | None:
        """Where the file says what a mistake at ``location`` (``lines``, name, key …) is about; None if it does not."""
        if len(location) < 2 or location[0] != "lines" or str(location[1]) not in self.lines:
            return None
        name, keys = str(location[1]), [str(part) for part in location[2:]]
        if keys and (name, keys[0]) in self.elsewhere:
            return None
        cell = next((self.cells[name, key] for key in (*reversed(keys), "") if (name, key) in self.cells), None)
        return f"{self.path.name}: {cell}" if cell else None


def read(path: Path, ignored: Sequence[str] = ()) -> NumbersFile:
    """Read the file but for the columns that are ``ignored``, whatever they are called.

    Raises :class:`DeploymentError` with a line for each mistake: file, row, column, what is allowed.
    """
    text = _text(path)
    table = [(number, row) for number, row in _rows(path, text) if any(row)]
    if not 2 <= len(table) <= _LARGEST:
        raise DeploymentError(
            f"{path}: number of rows: {len(table)}; allowed: a heading, and 1 to {_LARGEST - 1} numbers"
        )
    passed_over = {name.strip().casefold() for name in ignored}
    unread = {place for place, name in enumerate(table[0][1]) if name.casefold() in passed_over}
    (first, heading), *rows = [
        (number, ["" if place in unread else cell for place, cell in enumerate(row)]) for number, row in table
    ]
    heading = [name.lower() for name in heading]
    mistakes = list(_of_heading(heading))
    if mistakes:
        raise DeploymentError("\n".join(f"{path}: row {first}: {mistake}" for mistake in mistakes))
    found = NumbersFile(path)
    wrong: dict[str, list[str]] = {}  #: what is wrong → the cells
    commented = {number: row[0] for number, row in table[1:] if _COMMENT.match(row[0])}
    for number, row in rows:
        if number in commented:
            wrong.setdefault(_NO_COMMENTS, []).append(f"row {number}: begins with {commented[number]!r}")
            continue
        for column, what in _add(found, number, row, heading):
            wrong.setdefault(what, []).append(f"row {number}, column {column}" if column else f"row {number}")
    if wrong:
        raise DeploymentError("\n".join(f"{path}: {line}" for what in wrong for line in _alike(wrong[what], what)))
    return found


def _alike(cells: Sequence[str], what: str) -> list[str]:
    if len(cells) <= toml_model.MOST_ALIKE:
        return [f"{cell}: {what}" for cell in cells]
    return [f"{cells[0]}: {what} (and the same in {len(cells) - 1} other rows)"]


def _text(path: Path) -> str:
    try:
        text = user_files.read_text(path, user_files.NUMBERS)
    except FileNotFoundError:
        raise DeploymentError(
            f"numbers_csv: no such file: {path}; allowed: a CSV file, beside the deployment file"
        ) from None
    except UnicodeDecodeError:
        raise _other_encoding(path) from None
    except (OSError, ValueError) as error:  # a name that no file has
        why = getattr(error, "strerror", None) or error
        raise DeploymentError(f"{path}: cannot be read ({why}); allowed: a CSV file in UTF-8") from None
    if "\0" in text:
        raise _other_encoding(path)
    return unicodedata.normalize("NFC", text)  # some write ä as one sign, some as two: a name is the same


def _other_encoding(path: Path) -> DeploymentError:
    how = 'in Excel "CSV UTF-8" of those to save as'
    return DeploymentError(f"{path}: is not in UTF-8; allowed: a CSV file in UTF-8 ({how})")


def _rows(path: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    """The rows with their numbers, as spreadsheets count: a line that tells the separator is none."""
    number = 0
    try:
        for row in _cells(text, _separator(text)):
            if number or not _is_for_excel(row):
                number += 1
                yield number, row
    except csv.Error as error:
        allowed = "quotation marks around a whole cell, and doubled within it"
        raise DeploymentError(f"{path}: row {number + 1}: {error}; allowed: {allowed}") from None


def _cells(text: str, separator: str) -> Iterator[list[str]]:
    for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True):
        yield [as_text(cell) for cell in row]


def as_text(cell: str) -> str:
    """A cell without what keeps spreadsheets from making a number of it: ``="+1…"``, or an apostrophe before it."""
    return re.sub(r"^'(?=[+\d(])", "", re.sub(r'^="(.*)"$', r"\1", cell.strip())).strip()


def _separator(text: str) -> str:
    """That by which the heading names the columns, else the most frequent there: a name may have more of another one."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    likely = sorted(_SEPARATORS, key=first.count, reverse=True)
    return max(likely, key=lambda each: len(_known_columns(text, each)))


def _known_columns(text: str, separator: str) -> set[str]:
    rows = (row for row in _cells(text, separator) if any(row) and not _is_for_excel(row))
    with contextlib.suppress(csv.Error):
        return {name.lower() for name in next(rows, [])} & {*_COLUMNS}
    return set()


def _is_for_excel(row: Sequence[str]) -> bool:
    """Whether it is the line that tells the separator, which Excel does not show."""
    return bool(row) and re.fullmatch(r"sep=[,;]?", row[0], re.IGNORECASE) is not None


def _of_heading(heading: Sequence[str]) -> Iterator[str]:
    if unknown := [f"{name!r}{nearest(name, _COLUMNS)}" for name in heading if name and name not in _COLUMNS]:
        others = "any other that numbers_ignore names beside numbers_csv"
        yield f"unknown column {', '.join(unknown)}; allowed: {', '.join(_COLUMNS)}, and {others}"
    elif "did" not in heading:
        yield f"column did is missing; allowed: {', '.join(_COLUMNS)}"
    yield from (f"column {name} is there twice; allowed: once" for name in _COLUMNS if heading.count(name) > 1)


def _add(found: NumbersFile, row: int, texts: Sequence[str], heading: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Take a row's number; what is wrong with it, each with its column, if it is one's."""
    width = max((place for place, text in enumerate(texts, start=1) if text), default=0)
    if width > len(heading):
        yield "", f"has {width} cells; allowed: {len(heading)}, as the heading"
        return
    if any(text for name, text in zip(heading, texts, strict=False) if not name):
        yield "", "has a cell in a column without a name; allowed: none"
        return
    cells = {name: text for name, text in zip(heading, texts, strict=False) if name}
    name = cells.get(_NAME) or cells.get(_DID, "")
    line = found.lines.setdefault(name, _Told())
    found.cells.setdefault((name, ""), f"row {row}")
    told: dict[str, Any] = {}
    for column, text in cells.items():
        if column == _NAME or not text:
            continue
        value: object = text
        if Line.model_fields[column].annotation is float:
            value = text.replace(",", ".")  # as spreadsheets of most of Europe write it: 4,5
        elif bool in (Line.model_fields[column].annotation, *get_args(Line.model_fields[column].annotation)):
            value = _FLAGS.get(text.lower())
            if value is None:
                yield column, f"{text!r}; allowed: yes or no"
        told[column] = value
        found.cells.setdefault((name, column), f"row {row}, column {column}")
    did, trunk = told.pop(_DID, None), told.pop("trunk", None)
    if did is None:
        yield _DID, "is missing; allowed: a number in E.164"
        return
    for key, value in told.items():
        if line.keys.get(key, value) != value:
            what = f"{value!r}, though another row of {name!r} says {line.keys[key]!r}"
            yield key, f"{what}; allowed: the same in each"
    line.keys |= told
    line.numbers.append(_Number(did, trunk, row))
    found.cells[name, str(trunk)] = f"row {row}, column did"


def merged(lines: Mapping[str, Any], numbers: NumbersFile) -> dict[str, Any]:
    """The lines of a deployment file with the numbers' own. Raises :class:`DeploymentError`."""
    result: dict[str, Any] = {name: dict(line) if isinstance(line, dict) else line for name, line in lines.items()}
    mistakes: list[str] = []
    for name, told in numbers.lines.items():
        line = result.setdefault(name, {})
        if not isinstance(line, dict):
            continue  # a mistake of the deployment file, which is said of it
        numbers.elsewhere.update((name, key) for key in line)
        mistakes += _contradictions(numbers, name, told, line)
        for key, value in told.keys.items():
            line.setdefault(key, value)
        if len(told.numbers) == 1:
            (only,) = told.numbers
            line.setdefault("did", only.did)
            if only.trunk:
                line.setdefault("trunk", only.trunk)
            continue
        dids: dict[str, str] = {}
        mistakes += _between_rows(numbers.path, name, told.numbers)
        for number in told.numbers:
            dids[str(number.trunk)] = number.did
        line.setdefault("dids", dids)
    if mistakes:
        raise DeploymentError("\n".join(mistakes))
    return result


def _contradictions(numbers: NumbersFile, name: str, told: _Told, line: Mapping[str, Any]) -> Iterator[str]:
    """Contradictions between the rows of one name and the deployment file. A number silently dropped would go unnoticed."""
    said = [(numbers.cells[name, key], value, line.get(key)) for key, value in told.keys.items()]
    for number in told.numbers:
        dids = line.get("dids")
        on_trunk = dids.get(str(number.trunk)) if isinstance(dids, dict) else None
        said.append((f"row {number.row}, column {_DID}", number.did, line.get(_DID, on_trunk)))
        said.append((f"row {number.row}, column trunk", number.trunk, line.get("trunk")))
    for cell, value, own in said:
        if None not in (value, own) and not _is_same(value, own):
            what = f"{_as_written(value)}, though the deployment file has {_as_written(own)}"
            yield f"{numbers.path}: {cell}: {what} (lines.{toml_model.inline(name)}); allowed: the same, or one of them alone"


def _is_same(cell: object, own: object) -> bool:
    if isinstance(own, int | float) and isinstance(cell, str):
        with contextlib.suppress(ValueError):
            return float(cell) == own
    return cell == (own.strip() if isinstance(own, str) else own)


def _as_written(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _between_rows(path: Path, name: str, numbers: Sequence[_Number]) -> Iterator[str]:
    """What is wrong between the rows of one name: the first mistake of them."""
    rows: dict[str, int] = {}
    trunks: set[str | None] = {None}
    for number in numbers:
        if number.did in rows:
            yield f"{path}: row {number.row}, column did: {number.did} is already in row {rows[number.did]}; allowed: once"
            return
        rows[number.did] = number.row
    for number in numbers:
        if number.trunk in trunks:
            what = f"{name!r} has several numbers; allowed: a trunk of its own for each, or a name"
            yield f"{path}: row {number.row}, column trunk: {what}"
            return
        trunks.add(number.trunk)
