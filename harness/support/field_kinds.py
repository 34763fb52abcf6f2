"""Checks values that are read back from JSON against the types that a class declares for its
fields.

Any program may have changed evidence. Damage is reported here, in one place, instead of a traceback
where a value is first used.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Final, Literal, Union

from typing_extensions import is_typeddict

_NUMBER: Final = (int, float)  # JSON does not distinguish them
#: A figure of ten digits (an SSRC, the longest Expires of a registration) is masked as a telephone
#: number is: ``310•••0342``.
_MASKED: Final = "•"


def require_kinds(of: type, values: Mapping[str, object]) -> None:
    """Raise ``TypeError`` if a value, or an item of a list or mapping, has another type than ``of``
    declares for that field.

    Unknown names are ignored.
    """
    if not isinstance(values, Mapping):
        raise TypeError(f"no fields: {values!r:.40}")
    kinds, parts = _declared(of)
    for name, value in values.items():
        kind = kinds.get(name, (object,))
        # a run has millions of values, of which nearly all are of a declared type itself
        if (
            type(value) not in kind
            and not isinstance(value, kind)
            and not (int in kind and _is_masked(value))
        ):
            raise TypeError(f"{name} is of another kind: {value!r:.40}")
    for name, kind in parts.items():
        if value := values.get(name):
            within: Iterable[object] = value.values() if isinstance(value, Mapping) else value  # type: ignore[assignment]
            if not all(isinstance(part, kind) for part in within):
                raise TypeError(f"{name} has parts of another kind: {value!r:.40}")


def _is_masked(value: object) -> bool:
    return isinstance(value, str) and _MASKED in value


@cache
def _declared(of: type) -> tuple[Mapping[str, tuple[type, ...]], Mapping[str, tuple[type, ...]]]:
    """The kinds of each field, and those of the parts of each list and mapping."""
    hints = typing.get_type_hints(of)
    parts = {name: _parts(hint) for name, hint in hints.items()}
    return {name: _kinds(hint) for name, hint in hints.items()}, {
        name: kinds for name, kinds in parts.items() if kinds
    }


def _kinds(hint: Any) -> tuple[type, ...]:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return (object,)
    if hint in _NUMBER:
        return _NUMBER
    if origin is Literal:
        return tuple({type(one) for one in arguments})
    if is_typeddict(hint):
        return (Mapping,)
    if origin in (Union, types.UnionType):
        return tuple(kind for one in arguments for kind in _kinds(one))
    if origin is None:
        return (hint,)
    return (Mapping,) if issubclass(origin, Mapping) else (list, tuple)


def _parts(hint: Any) -> tuple[type, ...]:
    """The types of a list's or mapping's items; empty if they may be any."""
    origin, arguments = (
        typing.get_origin(hint),
        [one for one in typing.get_args(hint) if one is not Ellipsis],
    )
    if origin in (None, Literal, Union, types.UnionType) or arguments[-1] in (Any, object):
        return ()
    return _kinds(arguments[-1])
