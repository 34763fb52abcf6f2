"""What a model of pydantic allows at a place of a file, in words: its keys, its choices, the range
of its numbers.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from difflib import get_close_matches
from typing import Any, Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le
from pydantic import AfterValidator, BaseModel
from pydantic.fields import FieldInfo

#: A name in a file, or the number of an entry of a list.
Place = Sequence[int | str]


def form(pattern: str, words: str, what: str = "is of another form") -> AfterValidator:
    """Text that is all of that pattern, which ``words`` say: a pattern itself is nothing to show to
    a customer.
    """
    compiled = re.compile(pattern)

    def check(text: str) -> str:
        if not compiled.fullmatch(text):
            raise ValueError(f"{text!r}: {what}; allowed: {words}")
        return text

    return AfterValidator(check)


def at(model: type[BaseModel], place: Place) -> Any:
    """The field, or the annotation of an entry, that stands at ``place``; None where the model has
    none.
    """
    found: Any = model
    for part in place:
        found = _inner(_plain(found), part)
    return found


def keys(model: type[BaseModel], place: Place, hidden: Collection[str] = ()) -> list[str]:
    """The keys of the table at ``place``; none where that is no table of the model's."""
    table = _plain(at(model, place))
    if not _is_table(table):
        return []
    return sorted(
        field.alias or name for name, field in table.model_fields.items() if name not in hidden
    )


def allowed(annotation: Any) -> str:
    """What a number, a flag or a choice may be; nothing for other kinds."""
    if found := choices(annotation):
        return ", ".join(found)
    leaves = set(_leaves(annotation))
    if leaves & {int, float}:
        return ("a whole number" if int in leaves else "a number") + bounds(annotation)
    return "true, false" if bool in leaves else ""


def choices(annotation: Any) -> list[str]:
    """The values of a choice."""
    return [
        str(one)
        for leaf in _leaves(annotation)
        if get_origin(leaf) is Literal
        for one in get_args(leaf)
    ]


def bounds(annotation: Any) -> str:
    """The range of a number, with a blank before it; nothing where it has none."""
    limits = list(_metadata(annotation))
    from_, above, most = (
        next((f"{getattr(limit, key):g}" for limit in limits if isinstance(limit, kind)), None)
        for kind, key in ((Ge, "ge"), (Gt, "gt"), (Le, "le"))
    )
    least = (
        f" from {from_}" if from_ is not None else f" above {above}" if above is not None else ""
    )
    return least + (
        "" if most is None else f" to {most}" if from_ is not None else f", up to {most}"
    )


def count(annotation: Any) -> str:
    """How many values a list has."""
    parts = get_args(_plain(annotation))
    return "one at least" if Ellipsis in parts else str(len(parts))


def heading(annotation: Any, place: str) -> str:
    """How a table at ``place``, or each of several, is headed; nothing where it is none."""
    plain = _plain(annotation)
    kind, parts = get_origin(plain), [_plain(part) for part in get_args(plain)]
    several = {
        dict: f"tables, each headed [{place}.NAME]",
        tuple: f"tables, each headed [[{place}]]",
    }
    if _is_table(plain):
        return f"a table, headed [{place}]"
    return several[kind] if kind in several and any(map(_is_table, parts)) else ""


def _is_table(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


#: Names that customers wrote for a key with another spelling.
_SYNONYMS = {"fallback_trunk": "failover"}


def nearest(word: str, known: Iterable[str]) -> str:
    """Which of the words that are known was perhaps meant, in brackets behind a blank; nothing
    where none is near.
    """
    spelt = {one.casefold(): one for one in known}
    word = word.strip().casefold()
    found = get_close_matches(_SYNONYMS.get(word, word), spelt, n=1, cutoff=0.65)
    return f" (perhaps {spelt[found[0]]})" if found else ""


#: So many names are a list that one reads.
_FEW = 8


def instead(word: str, known: Iterable[str], lists: str) -> str:
    """What to write instead of an unknown word: the nearest name, all names where they are few, or
    the command that lists them.
    """
    names = sorted(known)
    if hint := nearest(word, names):
        return hint.replace(" (perhaps ", "; did you mean ").replace(")", "?")
    return f"; allowed: {', '.join(names)}" if len(names) <= _FEW else f"; `{lists}` lists them"


def _plain(annotation: Any) -> Any:
    """Without what is said of it, and without None beside it."""
    if isinstance(annotation, FieldInfo):
        return _plain(annotation.annotation)
    if hasattr(annotation, "__metadata__"):
        return _plain(get_args(annotation)[0])
    parts = [part for part in get_args(annotation) if part is not type(None)]
    if len(parts) == 1 and get_origin(annotation) not in (dict, tuple, list, Literal):
        return _plain(parts[0])
    return annotation


def _inner(annotation: Any, part: int | str) -> Any:
    if _is_table(annotation):
        return next(
            (
                field
                for name, field in annotation.model_fields.items()
                if part in (name, field.alias)
            ),
            None,
        )
    parts = get_args(annotation)
    if get_origin(annotation) is dict:
        return parts[1]
    if get_origin(annotation) is tuple and isinstance(part, int):
        return parts[part] if part < len(parts) and parts[part] is not Ellipsis else parts[0]
    return None


def _leaves(annotation: Any) -> Iterator[Any]:
    annotation = _plain(annotation)
    if get_origin(annotation) is Literal or not get_args(annotation):
        yield annotation
        return
    for part in get_args(annotation):
        yield from _leaves(part)


def _metadata(annotation: Any) -> Iterator[Any]:
    if isinstance(annotation, FieldInfo):
        yield from annotation.metadata
        annotation = annotation.annotation
    for said in getattr(annotation, "__metadata__", ()):
        yield from said.metadata if isinstance(said, FieldInfo) else (said,)
    for part in get_args(annotation) if get_origin(annotation) is not Literal else ():
        yield from _metadata(part)
