"""The numbers of a deployment as a spreadsheet has them: a CSV or XLSX file with a row for each
number, read into ``lines``.

Its columns are the keys of a line (``did``, ``trunk``, ``assistant`` …) and ``name``, the line's. A
line that the deployment file describes as well gets further keys from here; one name in several
rows is one routing with a number on each trunk, or, where what the caller presses differs, the
choices of one number's menu.
"""

from __future__ import annotations

import csv
import io
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.deployment import Line, numbers_xlsx
from harness.deployment.routing import name_of_choice
from harness.errors import DeploymentError
from harness.support import toml_model
from harness.support.files import user_files
from harness.support.model_words import nearest

_NAME, _DID, _TRUNK, _PRESS = "name", "did", "trunk", "press"
#: What has more than one value cannot stand in a cell.
_COLUMNS = (
    _NAME,
    _DID,
    *(name for name in Line.model_fields if name not in (_DID, "dids", "user", "choices")),
)
_LARGEST = 10_000
_SEPARATORS = ",;\t"
#: How a row begins that somebody means as a comment, which CSV (RFC 4180) does not have; "#1 Pizza"
#: is a name.
_COMMENT = re.compile(r"#(?!\d)")


@dataclass
class NumbersFile:
    """What a file of numbers says, and where it says it."""

    path: Path
    lines: dict[str, dict[str, str]] = field(
        default_factory=dict
    )  #: name → keys of the line, apart from its numbers
    numbers: dict[str, dict[str, str]] = field(
        default_factory=dict
    )  #: name → trunk ("" where none is given) → number
    #: A menu's name → those of its choices, where several rows of one name and number differ in
    #: what the caller presses.
    menus: dict[str, list[str]] = field(default_factory=dict)
    cells: dict[tuple[str, str], str] = field(
        default_factory=dict
    )  #: (line, key) → "row 3, column did"
    mistakes: list[str] = field(default_factory=list)  #: a line for each, with file, row and column
    wrong: set[str] = field(
        default_factory=set
    )  #: the lines that these are about: what else is wrong with them may follow

    def where(self, location: tuple[int | str, ...]) -> str | None:
        """Where the file has what a mistake at ``location`` (``lines``, name, key …) is about; None
        if it does not.
        """
        if len(location) < 2 or location[0] != "lines":
            return None
        name, *keys = map(str, location[1:])
        cell = next(
            (self.cells[name, key] for key in reversed(keys or [""]) if (name, key) in self.cells),
            None,
        )
        return f"{self.path.name}: {cell}" if cell else None


def read(path: Path, ignored: Sequence[str] = ()) -> NumbersFile:
    """Read the file but for the columns that are ``ignored``, whatever they are called.

    Raises :class:`DeploymentError` if it is no CSV, or has no column of numbers; other mistakes are
    in the result.
    """
    table = [(number, row) for number, row in _rows(path) if any(row)]
    if not 2 <= len(table) <= _LARGEST:
        allowed = f"a heading, and 1 to {_LARGEST - 1} numbers"
        raise DeploymentError(f"{path}: number of rows: {len(table)}; allowed: {allowed}")
    (first, heading), *rows = table
    heading = [name.casefold() for name in heading]
    passed_over = {name.strip().casefold() for name in ignored}
    found = NumbersFile(path)
    unknown = [
        f"row {first}: {what}"
        for what in _of_heading([name for name in heading if name not in passed_over])
    ]
    found.mistakes += [f"{path}: {mistake}" for mistake in unknown]
    if _DID not in heading:
        raise DeploymentError("\n".join(found.mistakes))
    passed_over.update(name for name in heading if name not in _COLUMNS)
    found.menus = _menus([dict(zip(heading, row, strict=False)) for _, row in rows])
    alike: dict[str, list[int]] = {}
    for number, row in rows:
        for what in _add(found, number, row, heading, passed_over):
            alike.setdefault(what, []).append(number)
    for what, (number, *others) in alike.items():
        also = f" (and the same in {toml_model.spans(others)})" if others else ""
        found.mistakes.append(f"{path}: row {number}{what}{also}")
    if unknown:
        found.wrong.update(found.numbers)
    return found


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """The rows with their numbers, as spreadsheets count them."""
    number = 0
    try:
        content = user_files.read(path, user_files.NUMBERS)
        if content.startswith(numbers_xlsx.BEGINNING):
            for number, row in enumerate(numbers_xlsx.rows(content), 1):
                yield number, [as_text(unicodedata.normalize("NFC", cell)) for cell in row]
            return
        text = content.decode("utf-8-sig")
    except FileNotFoundError:
        allowed = "a CSV or XLSX file, beside the deployment file"
        raise DeploymentError(f"numbers_csv: no such file: {path}; allowed: {allowed}") from None
    except UnicodeDecodeError as error:
        how = 'in Excel "CSV UTF-8" of those to save as'
        said = toml_model.inline(user_files.encoding_of(error))
        raise DeploymentError(f"{path}: {said}; allowed: a CSV file in UTF-8 ({how})") from None
    except (OSError, ValueError) as error:  # a name that no file has
        why = getattr(error, "strerror", None) or error
        raise DeploymentError(
            f"{path}: cannot be read ({why}); allowed: a CSV file in UTF-8, or XLSX"
        ) from None
    text = unicodedata.normalize("NFC", text)  # as the deployment file is read
    heading = text.lstrip().partition("\n")[0]
    separator = max(_SEPARATORS, key=heading.count)
    try:
        for number, row in enumerate(
            csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True), 1
        ):
            yield number, [as_text(cell) for cell in row]
    except csv.Error as error:
        allowed = "quotation marks around a whole cell, and doubled within it"
        raise DeploymentError(f"{path}: row {number + 1}: {error}; allowed: {allowed}") from None


def as_text(cell: str) -> str:
    """A cell without what keeps spreadsheets from making a number of it: ``="+1…"``, or an
    apostrophe before it.
    """
    return re.sub(r"^'(?=[+\d(])", "", re.sub(r'^="(.*)"$', r"\1", cell.strip())).strip()


def _of_heading(heading: Sequence[str]) -> Iterator[str]:
    if unknown := [
        f"{name!r}{nearest(name, _COLUMNS)}" for name in heading if name and name not in _COLUMNS
    ]:
        others = "any other that numbers_ignore names beside numbers_csv"
        yield f"unknown column {', '.join(unknown)}; allowed: {', '.join(_COLUMNS)}, and {others}"
    if _DID not in heading:
        yield f"column did is missing; allowed: {', '.join(_COLUMNS)}"
    yield from (
        f"column {name} is there twice; allowed: once"
        for name in _COLUMNS
        if heading.count(name) > 1
    )


def _menus(rows: Iterable[Mapping[str, str]]) -> dict[str, list[str]]:
    with_menu = (row for row in rows if row.get(_DID) and row.get(_PRESS))
    rows_of = Counter((row.get(_NAME) or row[_DID], row[_DID]) for row in with_menu)
    return {name: [] for (name, _), count in rows_of.items() if count > 1}


def _add(
    found: NumbersFile,
    row: int,
    texts: Sequence[str],
    heading: Sequence[str],
    passed_over: set[str],
) -> Iterator[str]:
    """Take a row's number; what is wrong with it, each with its column, if it is one's."""
    if _COMMENT.match(texts[0]):
        what = "a spreadsheet knows no comments, and its number would be called"
        yield f": begins with {texts[0]!r}: {what}; allowed: no such row, or another beginning"
        return
    cells = {
        name: text
        for name, text in zip(heading, texts, strict=False)
        if text and name not in passed_over
    }
    if any(texts[len(heading) :]) or any(
        text for name, text in zip(heading, texts, strict=False) if not name
    ):
        yield f": has a cell behind the heading, or in a column without a name; allowed: {len(heading)} cells"
        found.wrong.add(cells.get(_NAME, ""))
        return
    did, trunk = cells.pop(_DID, None), cells.pop(_TRUNK, "")
    name = cells.pop(_NAME, did or "")
    if did is None:
        yield ", column did: is missing; allowed: a number in E.164"
        found.wrong.add(name)
        return
    if name in found.menus:
        if _PRESS not in cells:
            yield f", column press: is missing, though other rows of {name!r} have it; allowed: what the caller presses"
            found.wrong.add(name)
            return
        choice = name_of_choice(name, cells[_PRESS])
        found.menus[name].append(choice)
        name = choice
    numbers, line = found.numbers.setdefault(name, {}), found.lines.setdefault(name, {})
    if trunk in numbers or (numbers and "" in (trunk, *numbers)):
        yield f", column trunk: {name!r} has several numbers; allowed: a trunk of its own for each, or a name"
        found.wrong.add(name)
    for key, text in cells.items():
        if line.setdefault(key, text) != text:
            yield f", column {key}: {text!r}, though another row of {name!r} has {line[key]!r}; allowed: the same in each"
    numbers[trunk] = did
    found.cells.setdefault((name, ""), f"row {row}")
    for key in (*cells, _DID, _TRUNK):
        found.cells.setdefault((name, key), f"row {row}, column {key}")
    if trunk:
        found.cells[name, trunk] = f"row {row}, column {_DID}"


def merged(lines: Mapping[str, Any], numbers: NumbersFile) -> dict[str, Any]:
    """The lines of a deployment file with the numbers' own. A key that stands in both is one more
    mistake of ``numbers``.
    """
    result: dict[str, Any] = {
        name: dict(line) if isinstance(line, dict) else line for name, line in lines.items()
    }
    for menu, choices in numbers.menus.items():
        shared = result.pop(menu, {})
        result |= (
            {name: {**shared, **result.get(name, {})} for name in choices}
            if isinstance(shared, dict)
            else {menu: shared}
        )
    for name, dids in numbers.numbers.items():
        line = result.setdefault(name, {})
        if not isinstance(line, dict):
            continue  # a mistake of the deployment file, which is said of it
        (trunk, did), *more = dids.items()
        own = {"dids": dids} if more else {_DID: did} | ({_TRUNK: trunk} if trunk else {})
        for key, value in (numbers.lines[name] | own).items():
            if key not in line:
                line[key] = value
            else:
                where = f"{numbers.path}: {numbers.cells.get((name, key), numbers.cells[name, ''])}"
                place = f"lines.{toml_model.inline(name)}.{key}"
                numbers.mistakes.append(
                    f"{where}: the deployment file has {place}, too; allowed: one of them"
                )
    return result
