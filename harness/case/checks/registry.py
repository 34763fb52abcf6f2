"""The registry of checks. A check is a pure function of what is expected and what was seen; the
judge calls it with what the log has.

``@check("caller_id")`` gives a function a stable name, and the method ``of``, which states the
expectation without judging it: an :class:`~harness.case.events.Expected` with the arguments. Stored
evidence has these names and parameters: a check function may be renamed or moved, but its
``@check`` name stays, and renaming or removing a parameter needs a new version of ``events.jsonl``.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import inspect
import pkgutil
import time
import types
import typing
from collections.abc import Callable, Collection, Mapping
from enum import Enum
from numbers import Integral, Real
from typing import Any, Final, Generic, Literal, ParamSpec, TypeVar, Union, cast

from harness.case import checks
from harness.case.events import Event, Expected, SipMessage
from harness.case.verdict import Finding
from harness.sip.message import Message, parse_once

P = ParamSpec("P")
#: Makes an argument of its plain form.
Reader = Callable[[Any], Any]
#: Of what JSON has as it is.
_PLAIN: Final = frozenset({type(None), bool, str, int, float})
Found = TypeVar("Found", bound=Finding | None, covariant=True)


class CheckFunction(Generic[P, Found]):
    """A registered check. Called, it makes a finding."""

    def __init__(self, name: str, function: Callable[P, Found], *, compares_numbers: bool) -> None:
        self.name = name
        #: Whether the outcome depends on whole telephone numbers, which masked evidence does not
        #: have.
        self.compares_numbers = compares_numbers
        self._function = function
        self._signature = inspect.signature(function)
        functools.update_wrapper(self, function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Found:
        return self._function(*args, **kwargs)

    def of(self, *args: P.args, **kwargs: P.kwargs) -> Expected:
        """The expectation, with these arguments."""
        given = self._signature.bind(*args, **kwargs).arguments
        plain = {name: plain_argument(value) for name, value in given.items()}
        return Expected(at=time.monotonic(), check=self.name, given=plain)

    def judged(self, given: Mapping[str, Any]) -> Finding | None:
        """The finding from the arguments of an expectation. Raises ``TypeError`` or ``ValueError``
        for arguments that the check does not have.
        """
        readers = self._readers
        read = {name: readers[name](value) for name, value in given.items()}
        return cast("Callable[..., Finding | None]", self._function)(**read)

    @functools.cached_property
    def _readers(self) -> Mapping[str, Reader]:
        return _readers(self._function)


_CHECKS: dict[str, CheckFunction[..., Any]] = {}


def check(
    name: str, *, compares_numbers: bool = False
) -> Callable[[Callable[P, Found]], CheckFunction[P, Found]]:
    """Register a function that makes findings under a stable name. ``compares_numbers`` as of
    :class:`CheckFunction`.
    """

    def declare(function: Callable[P, Found]) -> CheckFunction[P, Found]:
        assert name not in _CHECKS, f"two checks are called {name}"
        declared = CheckFunction(name, function, compares_numbers=compares_numbers)
        _CHECKS[name] = declared
        return declared

    return declare


def registered(name: str) -> CheckFunction[..., Finding | None]:
    """The check function of that name. Raises ``KeyError`` for an unknown one."""
    _load()
    return _CHECKS[name]


@functools.cache
def _load() -> None:
    """Import every module of checks: a module declares its checks when it is imported."""
    for module in pkgutil.iter_modules(checks.__path__):
        importlib.import_module(f"{checks.__name__}.{module.name}")


def plain_argument(value: object) -> Any:
    """JSON-ready data. Events and messages are kept: the recorder stores references to them."""
    if type(value) in _PLAIN:  # most of them
        return value
    if isinstance(value, Enum):
        return value.name.lower()  # the values are words for people
    if isinstance(value, str | Event | Message):
        return value
    if isinstance(value, Integral):  # NumPy's as well
        return int(value)
    if isinstance(value, Real):
        return float(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: plain_argument(getattr(value, field.name))
            for field in dataclasses.fields(value)
        }
    if isinstance(value, Mapping):
        return {str(key): plain_argument(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return [plain_argument(item) for item in sorted(value)]
    if isinstance(value, Collection):
        return [plain_argument(item) for item in value]
    raise TypeError(f"a check is given {type(value).__name__}, which evidence cannot hold")


def _readers(of: Callable[..., Any]) -> Mapping[str, Reader]:
    """For each argument of a function, or field of a class: what makes it of its plain form."""
    return {name: _reader(hint) for name, hint in typing.get_type_hints(of).items()}


@functools.cache  # a case reads some hundred arguments, and has few types of them
def _reader(hint: Any) -> Reader:
    """The inverse of :func:`plain_argument`, for values of type ``hint``."""
    made = _reader_of_some(hint)
    return lambda value: None if value is None else made(value)


def _reader_of_some(hint: Any) -> Reader:
    """:func:`_reader` for values that are not None."""
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any or origin is Literal:
        return _as_it_is
    if origin in (Union, types.UnionType):
        kinds = [part for part in parts if part is not types.NoneType]
        return _reader(kinds[0]) if len(kinds) == 1 else _as_it_is
    if origin is tuple:
        return _reader_of_tuple(parts)
    if origin is not None and issubclass(origin, Mapping):
        key, item = map(_reader, parts)
        return lambda value: {key(name): item(one) for name, one in value.items()}
    if origin is not None:
        item = _reader(parts[0])
        return lambda value: tuple(map(item, value))
    if issubclass(hint, Message):
        return _message
    if dataclasses.is_dataclass(hint) and isinstance(hint, type) and not issubclass(hint, Event):
        fields = _readers(hint)
        return lambda value: hint(**{name: fields[name](one) for name, one in value.items()})
    if issubclass(hint, Enum):
        return lambda value: hint[value.upper()]
    return hint if issubclass(hint, int | float) else _as_it_is


def _reader_of_tuple(parts: tuple[Any, ...]) -> Reader:
    if parts[-1] is Ellipsis:
        each = _reader(parts[0])
        return lambda value: tuple(map(each, value))
    readers = tuple(map(_reader, parts))
    return lambda value: tuple(read(item) for read, item in zip(readers, value, strict=True))


def _as_it_is(value: Any) -> Any:
    return value


def _message(value: Any) -> Message:
    if isinstance(value, Message):
        return value
    return parse_once(value.text if isinstance(value, SipMessage) else value)
