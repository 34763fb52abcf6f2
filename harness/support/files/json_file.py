"""JSON documents: written from typed models, and read back safely from any source."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from harness.support.files import user_files

if TYPE_CHECKING:
    from pydantic import TypeAdapter  # a tenth of a second, in processes that read no typed JSON

T = TypeVar("T")


def read(path: Path, errors: str = "strict") -> Any:
    """What a file of JSON holds, UTF-8 but for what ``errors`` lets pass. Raises ``OSError``, and
    ``ValueError`` for no JSON.
    """
    try:
        return json.loads(user_files.read_text(path, user_files.EVIDENCE, errors))
    except RecursionError as error:
        raise ValueError(str(error)) from error  # it is nested too deeply


def read_as(path: Path, kind: TypeAdapter[T]) -> T:
    """What a file of JSON holds, as its type has it. Raises ``OSError``, and ``ValueError`` with one
    line for what is not of that type.
    """
    plain = read(path)
    try:
        return kind.validate_python(plain)
    except ValueError as error:
        raise ValueError(" ".join(str(error).split())) from error


def text(document: object) -> str:
    """A document as JSON; each dataclass in it becomes an object with a key for each field."""
    return json.dumps(document, indent=1, default=_fields_of)


def lines(plain: object) -> str:
    """Plain data as JSON in indented lines, in a fifth of the time that Python's encoder takes for
    them.
    """
    from pydantic_core import to_json

    try:
        return to_json(plain, indent=1, inf_nan_mode="constants").decode()
    except ValueError:  # it refuses half of a surrogate pair, which Python passes
        return json.dumps(plain, indent=1, ensure_ascii=False)


def _fields_of(value: object) -> dict[str, Any]:
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        raise TypeError(f"{value!r:.40} has no form in JSON")
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
