"""Files of TOML that a model of pydantic checks: every mistake in one is a line that says where,
what, and what is allowed.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from harness.errors import MistakeError
from harness.support import model_words
from harness.support.files import user_files
from harness.support.network_text import printable

_SHOWN = 100  #: characters of a value in a message
MOST_ALIKE = 3  #: lines with the same mistake at entries of one table
#: A file of an attacker may have a hundred thousand, and each costs a search for the nearest name.
_MOST_MISTAKES, _MOST_SHOWN = 2000, 100
_NAMED = 10  #: names of further entries with it
_ROW = re.compile(r"\brow (\d+)")  #: in the place of a spreadsheet's cell
_DEEPEST = 20  #: levels; a deployment has five
#: Python's parser takes seconds for what 4 MiB can hold of these, and hours for dotted names in one
#: line. A deployment with 3,000 numbers has a sixth of them.
_LONGEST_LINE, _MOST_LINES, _MOST_SIGNS = 20_000, 50_000, 100_000
_COUNTED = "=[{,"  #: one of them stands at each table, key and further value

_TEXT = 'text, in quotes ("…")'
#: How pydantic's name of a mistake begins → what the value is not, and what is allowed.
_KINDS = {
    "string": ("no text", _TEXT),
    "dict": ("no table", 'a table: { NAME = "…" }'),
    "model": ("no table", 'a table: { NAME = "…" }'),
    "bool": ("neither", "true, false"),
    "date": ("no date", "a date, as 2026-12-25, without quotes"),
}
_QUOTES = 'a closing quotation mark in the same line, and """…""" around text over several lines'
_BACKSLASH = "'…' around text with a backslash, or \\\\ for each"
#: What tomllib says of text that is no TOML (a part of it) → what is allowed there, for who writes
#: such a file for the first time.
_IN_TOML = {
    r"'\n'": _QUOTES,
    "Unterminated string": _QUOTES,
    'Expected "\'"': _QUOTES,
    "inline table": "all of { … } in one line, with no comma before the }",
    "hex value": _BACKSLASH,
    "Expected ']": "[TABLE.NAME] alone in its line, and a name in quotes unless it has A-Z, a-z, 0-9, _ and - alone: "
    '[groups."Customer care"]',
    "key": "NAME = VALUE in each line, and a name in quotes unless it has A-Z, a-z, 0-9, _ and - alone",
    "Invalid value": 'text in straight quotes ("…"), a number, true, false, or a list in [ ]',
    "Expected newline": 'one value behind each =: text in quotes ("…"), a number with a point (4.5) and without leading zeros',
    "array": 'values parted by commas in [ ], as in ways = ["digit", "prompt"]',
    "\\": _BACKSLASH,
    "twice": "each table once",
    "overwrite": "each name once in its table",
}
#: What a value was perhaps meant as.
_READ_AS = re.compile(r"; read in \w+ it is .*|\(perhaps [^()]*\)")
_LONG_TEXT = re.compile(rf"'([^']{{{_SHOWN}}})[^']+'")

M = TypeVar("M", bound=BaseModel)

#: Where (table, name, key …), and what.
Mistake = tuple[tuple[str, ...], str]


class MistakesError(ValueError):
    """What is wrong between the parts of a file: the place of each mistake (table, name, key …),
    and what it is.
    """

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        super().__init__("\n".join(f"{'.'.join(place)}: {what}" for place, what in mistakes))
        self.mistakes = tuple(mistakes)


def load(path: Path, model: type[M]) -> M:
    """A file as ``model`` has it. Raises :class:`MistakeError` with a line for each mistake."""
    plain = read(path)
    try:
        return model.model_validate(plain)
    except ValidationError as error:
        found = located(path, lines(error, model))
        raise MistakeError("\n".join(where + line for where, line in found)) from None


def read(path: Path, kind: type[MistakeError] = MistakeError) -> dict[str, Any]:
    """The content of a TOML file, not validated. Raises ``kind``, with one line of text, if it
    cannot be read.
    """
    try:
        text = user_files.read_text(path, user_files.SETTINGS)
        text = unicodedata.normalize(
            "NFC", text
        )  # editors write ä as one or two characters; names must match
        if too_much := _too_much(text):
            raise kind(f"{path}: {too_much}")
        plain = tomllib.loads(text)
        if _depth(plain) > _DEEPEST:
            raise RecursionError
    except FileNotFoundError:
        raise kind(f"no such file: {path}; allowed: a readable TOML file") from None
    except UnicodeDecodeError as error:
        said = user_files.encoding_of(error)
        raise kind(f"{path}: {said}; allowed: a readable TOML file in UTF-8") from None
    except OSError as error:
        raise kind(
            f"{path}: cannot be read ({error.strerror}); allowed: a readable TOML file in UTF-8"
        ) from None
    except RecursionError:
        raise kind(
            f"{path}: tables within tables without end; allowed: {_DEEPEST} levels"
        ) from None
    except ValueError as error:  # TOMLDecodeError, and numbers or file names that are none
        said = _with_inline_table(str(error), text)
        allowed = next(
            (words for part, words in _IN_TOML.items() if part in said),
            "a TOML file (https://toml.io)",
        )
        raise kind(f"{path}: not TOML: {inline(said)}; allowed: {allowed}") from None
    return plain


def _with_inline_table(said: str, text: str) -> str:
    """What tomllib says, with the last line where it says none, and with the inline table that a
    comma or a line break is wrong in.
    """
    lines = text.split("\n")
    said = said.replace("(at end of", f"(at line {len(lines)}, end of")
    if found := re.fullmatch(r"Invalid initial character.*(\(at line (\d+), column (\d+)\))", said):
        before = lines[int(found[2]) - 1][: int(found[3]) - 1].rstrip()
        if before.endswith(("{", ",")):
            return f"Unexpected end of an inline table {found[1]}"
    return said


def _too_much(text: str) -> str:
    """What a text has more of than is read, and how much is; empty for the usual."""
    lines = text.split("\n")
    longest = max(range(len(lines)), key=lambda index: len(lines[index]))
    if len(lines[longest]) > _LONGEST_LINE:
        return f"line {longest + 1} has {len(lines[longest])} characters; allowed: {_LONGEST_LINE}"
    if len(lines) > _MOST_LINES:
        return f"has {len(lines)} lines; allowed: {_MOST_LINES}"
    signs = sum(map(text.count, _COUNTED))
    return f"has {signs} keys, tables and values; allowed: {_MOST_SIGNS}" * (signs > _MOST_SIGNS)


def _depth(plain: object) -> int:
    """How deep tables and lists stand within each other; counted without recursion, as dotted keys
    nest without end.
    """
    deepest, left = 0, [(plain, 0)]
    while left:
        found, depth = left.pop()
        deepest = max(deepest, depth)
        left += [(item, depth + 1) for _, item in items_of(found)]
    return deepest


def located(path: Path, mistakes: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Before each mistake its file, and the line there of the place that it begins with."""
    try:
        lines = _lines_of_places(user_files.read_text(path, user_files.SETTINGS))
    except (OSError, ValueError):
        lines = {}
    for mistake in mistakes:
        ends = [found.start() for found in _PLACE_END.finditer(mistake)]
        places = [mistake[:end] for end in ends if not _IN_SHEET.match(mistake)]
        line = next((lines[place] for place in reversed(places) if place in lines), None)
        yield f"{path}: " if line is None else f"{path}: line {line}: ", mistake


_PLACE_END = re.compile(r"[.:]")
_IN_SHEET = re.compile(r"[^:]* \([^:()]+: row \d+")
#: Strings and comments of TOML, and the signs in which a statement does not end or does.
_SIGNS = re.compile(
    r""""{3}(?:\\.|[^\\])*?"{3}|\'{3}.*?\'{3}|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'|#[^\n]*|[][{}\n]""",
    re.DOTALL,
)


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Each table's heading and each key with its value, with the number of its first line."""
    begin, depth, line = 0, 0, 1
    text = unicodedata.normalize("NFC", text) + "\n"
    for sign in _SIGNS.finditer(text):
        depth += (sign[0] in "[{") - (sign[0] in "]}")
        if sign[0] == "\n" and depth == 0:
            statement = text[begin : sign.end()]
            yield line, statement.strip()
            line += statement.count("\n")
            begin = sign.end()


def _lines_of_places(text: str) -> dict[str, int]:
    """The line of each table and key of TOML, by its names joined with dots, as mistakes have it."""
    found: dict[str, int] = {}
    table, last = "", dict[str, int]()  # the last entry of each list of tables
    for line, statement in _statements(text):
        plain: Any = tomllib.loads(statement)
        if not statement.startswith("["):
            for place in _places(plain, table):
                found.setdefault(place, line)
            continue
        table = ""
        while plain:
            ((name, plain),) = plain.items()
            table += f"{'.' if table else ''}{inline(name)}"
            if plain == [{}]:
                last[table] = last.get(table, -1) + 1
                plain = {}
            found.setdefault(table, line)
            if table in last:
                table += f".{last[table]}"
                found.setdefault(table, line)
    return found


def _places(plain: object, where: str) -> Iterator[str]:
    """The places of all that a value holds."""
    for key, value in items_of(plain):
        place = f"{where}.{inline(key)}" if where else inline(key)
        yield place
        yield from _places(value, place)


def items_of(plain: object) -> Iterator[tuple[str, Any]]:
    """What a table or a list of the file holds, by name or number; nothing for any other value."""
    if isinstance(plain, dict):
        yield from ((str(key), value) for key, value in plain.items())
    elif isinstance(plain, list):
        yield from ((str(number), value) for number, value in enumerate(plain))


def inline(text: str) -> str:
    """Text of the file's own as a part of one line."""
    return printable(text).replace("\n", "\\n")


def lines(
    error: ValidationError,
    model: type[BaseModel],
    *,
    also: Iterable[Mistake] = (),
    beside: Callable[[tuple[int | str, ...]], str | None] = lambda location: None,
    hidden: Collection[str] = (),
    omitted: Callable[[tuple[int | str, ...]], bool] = lambda location: False,
) -> Iterator[str]:
    """A line for each mistake: where, what, what is allowed.

    ``also`` are mistakes that were found in another way;
    ``beside`` returns the other place of a value, such as a spreadsheet cell; ``hidden`` keys are
    not suggested; mistakes at ``omitted`` places are passed over.
    """

    def place(location: tuple[int | str, ...]) -> str:
        shown, cell = inline(".".join(str(part) for part in location)), beside(location)
        return f"{shown} ({inline(cell)})" if cell else shown

    # a name that is misspelt once is one mistake, though three hundred numbers lead there; so is a
    # column that lost every plus
    alike: dict[tuple[tuple[int | str, ...], str], list[tuple[tuple[int | str, ...], str]]] = {}
    more = ((where, what, what) for where, what in also)
    every = chain(_mistakes(error, model, hidden), more)
    for location, what, kind in islice(every, _MOST_MISTAKES):
        if omitted(location):
            continue
        of_entry = (location[0], "", *location[2:]) if len(location) > 2 else location
        alike.setdefault((of_entry, kind), []).append((location, what))
    for found in islice(alike.values(), _MOST_SHOWN):
        shown, others = (found[:1], found[1:]) if len(found) > MOST_ALIKE else (found, [])
        which = _named([place for place, _ in others], beside)
        how = "same" if len({what for _, what in found}) == 1 else "like"
        for location, what in shown:
            many = (
                f" (and the {how} at {len(others)} others of {location[0]}: {which})"
                if others
                else ""
            )
            where = place(location)
            yield f"{where}: {what}{many}" if where else f"{what}{many}"
    if len(alike) > _MOST_SHOWN:
        yield f"and more: {error.error_count()} mistakes in all"


def _named(
    places: Sequence[tuple[int | str, ...]], beside: Callable[[tuple[int | str, ...]], str | None]
) -> str:
    """Entries of a table in few words: the rows of their spreadsheet where all have one, else the
    first names.
    """
    rows = sorted(
        {int(found[1]) for place in places if (found := _ROW.search(beside(place) or ""))}
    )
    if len(rows) < len(places):
        names = list(dict.fromkeys(inline(str(place[1])) for place in places))
        return ", ".join(names[:_NAMED]) + (" …" if len(names) > _NAMED else "")
    return spans(rows)


def spans(rows: Iterable[int]) -> str:
    """Numbers of rows in ascending order, as ``rows 3-31, 42``."""
    found: list[list[int]] = []
    for row in rows:
        if found and row == found[-1][-1] + 1:
            found[-1] = [found[-1][0], row]
        else:
            found.append([row])
    return "rows " + ", ".join("-".join(map(str, span)) for span in found)


def _mistakes(
    error: ValidationError, model: type[BaseModel], hidden: Collection[str]
) -> Iterator[tuple[tuple[int | str, ...], str, str]]:
    """Each mistake: where, what it is and what is allowed, and the same without the value that is
    wrong.
    """
    for item in error.errors(include_url=False):
        kind, location, found = item["type"], item["loc"], item["input"]
        if kind == "value_error" and isinstance(between := item["ctx"]["error"], MistakesError):
            said = (
                ((*location, *inner), _shortened(inline(what))) for inner, what in between.mistakes
            )
            yield from ((where, what, what) for where, what in said)
        elif kind == "value_error":
            location = location[:-1] if location[-1:] == ("[key]",) else location
            for line in str(item["ctx"]["error"]).splitlines():
                yield location, _shortened(line), _READ_AS.sub("", line.replace(repr(found), ""))
        elif location[-1:] == ("[key]",):  # of a table whose keys are a choice
            what = _unknown(str(found), re.findall("'([^']*)'", item["ctx"]["expected"]))
            yield location[:-1], what, what
        elif kind == "extra_forbidden":
            what = _unknown(str(location[-1]), model_words.keys(model, location[:-1], hidden))
            if isinstance(found, dict) and len(location) == 3:  # TOML's dots part names
                table, *name = map(str, location)
                what += f'; a name with a dot in quotes: [{table}."{inline(".".join(name))}"]'
            yield location, what, what
        else:
            what = _wrong(kind, location, found, model_words.at(model, location))
            yield location, what, what.replace(_shown(found), "")


def _wrong(kind: str, location: tuple[int | str, ...], found: Any, field: Any) -> str:
    """What is wrong with a value, by pydantic's name for it, and what its place allows."""
    shown, heading = _shown(found), model_words.heading(field, inline(".".join(map(str, location))))
    allowed = model_words.allowed(field) or heading
    match kind:
        case "missing":
            return f"is missing; allowed: {allowed or _TEXT}"
        case "tuple_type":
            names = list(found) if isinstance(found, dict) else []
            is_named = names and isinstance(found[names[0]], dict)
            also = f', with name = "{inline(names[0])}"' if is_named else ""
            return f"is no list; allowed: a list of {heading or 'values in [ ]'}{also}"
        case "too_long" | "too_short":
            return f"has {len(found)} values; allowed: {model_words.count(field)}"
        case "string_too_short":
            return f"{shown}: is empty; allowed: text"
        case "greater_than" | "greater_than_equal":
            return f"{shown}: is too small; allowed: {allowed}"
        case "less_than_equal":
            return f"{shown}: is too large; allowed: {allowed}"
        case "literal_error":
            choices = model_words.choices(field)
            return f"{shown}: is not valid{model_words.nearest(str(found), choices)}; allowed: {allowed}"
    what, also = _KINDS.get(kind.partition("_")[0], ("no number", "a number"))
    return f"{shown}: is {what}; allowed: {allowed or also}"


def _unknown(key: str, known: Sequence[str]) -> str:
    return (
        f"unknown key{model_words.nearest(key, known)}; allowed: {', '.join(known) or 'none here'}"
    )


def _shown(value: object) -> str:
    """A value as its file has it, cut where it is long."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict | list):
        return "a table" if isinstance(value, dict) else "a list"
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def _shortened(text: str) -> str:
    return _LONG_TEXT.sub(r"'\1…'", text)
