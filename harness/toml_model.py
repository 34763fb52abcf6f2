"""Files of TOML that a model of pydantic checks: every mistake in one is a line that says where, what, and what is allowed."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from harness.errors import MistakeError
from harness.terminal import printable

_MOST_BYTES = 4 * 1024 * 1024
_SHOWN = 100  #: characters of a value in a message
_MOST_ALIKE = 3  #: lines with the same mistake at entries of one table
_DEEPEST = 20  #: levels; a deployment has five

#: What pydantic says in Python's words, in TOML's.
_KINDS = {
    "string_type": 'is no text; allowed: text, in quotes ("…")',
    "dict_type": "is no table; allowed: a table, headed [NAME], or [TABLE.NAME] where there are several",
    "model_type": "is no table; allowed: a table, headed [NAME], or [TABLE.NAME] where there are several",
    "bool_type": "is neither; allowed: true, false",
}

M = TypeVar("M", bound=BaseModel)

#: Where (table, name, key …), and what.
Mistake = tuple[tuple[str, ...], str]


class MistakesError(ValueError):
    """What is wrong between the parts of a file: the place of each mistake (table, name, key …), and what it is."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        super().__init__("\n".join(f"{'.'.join(place)}: {what}" for place, what in mistakes))
        self.mistakes = tuple(mistakes)


def load(path: Path, model: type[M]) -> M:
    """A file as ``model`` has it. Raises :class:`MistakeError` with a line for each mistake."""
    plain = read(path)
    try:
        return model.model_validate(plain)
    except ValidationError as error:
        raise MistakeError("\n".join(f"{path}: {line}" for line in lines(error, model))) from None


def read(path: Path, kind: type[MistakeError] = MistakeError) -> dict[str, Any]:
    """What stands in a file, as it is. Raises ``kind``, in one line, for whatever is no such file."""
    try:
        with path.open("rb") as file:
            raw = file.read(_MOST_BYTES + 1)
        if len(raw) > _MOST_BYTES:
            raise kind(f"{path}: more than {_MOST_BYTES} bytes; allowed: a TOML file")
        plain = tomllib.loads(raw.decode("utf-8-sig"))  # some editors write a byte order mark
        if _depth(plain) > _DEEPEST:
            raise RecursionError
    except FileNotFoundError:
        raise kind(f"no such file: {path}; allowed: a readable TOML file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise kind(f"{path}: cannot be read ({error}); allowed: a readable TOML file in UTF-8") from None
    except RecursionError:
        raise kind(f"{path}: tables within tables without end; allowed: {_DEEPEST} levels") from None
    except ValueError as error:  # TOMLDecodeError, and numbers or file names that are none
        raise kind(f"{path}: not TOML: {inline(str(error))}") from None
    return plain


def _depth(plain: object) -> int:
    """How deep tables and lists stand within each other; counted without recursion, as dotted keys nest without end."""
    deepest, left = 0, [(plain, 0)]
    while left:
        found, depth = left.pop()
        deepest = max(deepest, depth)
        inner = found.values() if isinstance(found, dict) else found if isinstance(found, list) else ()
        left += [(item, depth + 1) for item in inner]
    return deepest


def inline(text: str) -> str:
    """Text of the file's own as a part of one line."""
    return printable(text).replace("\n", "\\n")


def lines(
    error: ValidationError,
    model: type[BaseModel],
    *,
    beside: Callable[[tuple[int | str, ...]], str | None] = lambda location: None,
    hidden: Collection[str] = (),
) -> Iterator[str]:
    """A line for each mistake: where, what, what is allowed.

    ``beside`` says where else a place is written (a cell of a spreadsheet); ``hidden`` are keys that nobody is told of.
    """

    def place(location: tuple[int | str, ...]) -> str:
        shown, cell = inline(".".join(str(part) for part in location)), beside(location)
        return f"{shown} ({inline(cell)})" if cell else shown

    # a name that is misspelt once is one mistake, though three hundred numbers lead there
    alike: dict[tuple[tuple[int | str, ...], str], list[tuple[int | str, ...]]] = {}
    for location, what in _mistakes(error, model, hidden):
        of_entry = (location[0], "", *location[2:]) if len(location) > 2 else location
        alike.setdefault((of_entry, what), []).append(location)
    for (_, what), locations in alike.items():
        shown, others = (locations[:1], len(locations) - 1) if len(locations) > _MOST_ALIKE else (locations, 0)
        for location in shown:
            also = f" (and the same at {others} others of {location[0]})" if others else ""
            where = place(location)
            yield f"{where}: {what}{also}" if where else f"{what}{also}"


def _mistakes(
    error: ValidationError, model: type[BaseModel], hidden: Collection[str]
) -> Iterator[tuple[tuple[int | str, ...], str]]:
    """Each mistake: where, and what it is and what is allowed."""
    for item in error.errors(include_url=False):
        location = item["loc"]
        if item["type"] == "extra_forbidden":
            yield location, f"unknown key; allowed: {_siblings(model, location, hidden)}"
        elif item["type"] == "missing":
            yield location, "is missing; allowed: a value"
        elif item["type"] == "value_error" and isinstance(between := item["ctx"]["error"], MistakesError):
            yield from (((*location, *inner), inline(what)) for inner, what in between.mistakes)
        elif item["type"] == "value_error":
            yield from ((location, line) for line in str(item["ctx"]["error"]).splitlines())
        elif item["type"] == "tuple_type":
            where = inline(".".join(map(str, location)))
            tables = "tables, each headed [[" + where + "]]" if isinstance(item["input"], dict) else "values in [ ]"
            yield location, f"is no list; allowed: a list of {tables}"
        else:
            shown = repr(item["input"])
            what = _KINDS.get(item["type"], item["msg"])
            yield location, f"{shown if len(shown) <= _SHOWN else shown[:_SHOWN] + '…'}: {what}"


def _siblings(whole: type[BaseModel], location: Sequence[int | str], hidden: Collection[str]) -> str:
    """The keys that are allowed beside an unknown one."""
    model: Any = whole
    for part in list(location)[:-1]:
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            model = _element(model)
            continue
        field = next((f for n, f in model.model_fields.items() if part in (n, f.alias)), None)
        model = _strip_optional(field.annotation) if field else None
    if isinstance(model, type) and issubclass(model, BaseModel):
        return ", ".join(sorted(f.alias or n for n, f in model.model_fields.items() if n not in hidden))
    return "none here"


def _strip_optional(annotation: Any) -> Any:
    arguments = [a for a in getattr(annotation, "__args__", ()) if a is not type(None)]
    origin = getattr(annotation, "__origin__", None)
    return annotation if origin in (dict, tuple) or not arguments else arguments[0]


def _element(annotation: Any) -> Any:
    arguments = list(getattr(annotation, "__args__", ()))
    origin = getattr(annotation, "__origin__", None)
    return arguments[1] if origin is dict else arguments[0] if arguments else None
