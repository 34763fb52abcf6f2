"""The registry of checks. It records what each finding was made from, for ``harness report
--rejudge``.

``@check("caller_id")`` puts the check's stable name and its arguments on the finding that the
function returns. ``@adjustment("late")`` does the same for a later change of a finding. Stored
evidence has these names and parameters: a check function may be renamed or moved, but its
``@check`` name stays, and renaming or removing a parameter needs a new version of ``events.jsonl``.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import inspect
import pkgutil
import types
import typing
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from numbers import Integral, Real
from typing import Any, Concatenate, Literal, ParamSpec, TypeVar, Union, cast

from harness.case import checks
from harness.case.events import Event, SipMessage
from harness.case.verdict import Asked, Finding
from harness.sip.message import Message, parse_once

P = ParamSpec("P")
Found = TypeVar("Found", bound=Finding | None)


@dataclass(frozen=True)
class _Check:
    function: Callable[..., Finding | None]
    compares_numbers: bool


_CHECKS: dict[str, _Check] = {}
_ADJUSTMENTS: dict[str, Callable[..., Finding]] = {}


def check(
    name: str, *, compares_numbers: bool = False
) -> Callable[[Callable[P, Found]], Callable[P, Found]]:
    """Register a function that makes findings under a stable name.

    ``compares_numbers``: the outcome depends on whole telephone numbers, which masked evidence does
    not have.
    """

    def declare(function: Callable[P, Found]) -> Callable[P, Found]:
        assert name not in _CHECKS, f"two checks are called {name}"
        _CHECKS[name] = _Check(function, compares_numbers)
        signature = inspect.signature(function)

        @functools.wraps(function)
        def asked(*args: P.args, **kwargs: P.kwargs) -> Found:
            finding = function(*args, **kwargs)
            if finding is None:
                return finding
            given = {
                key: plain_argument(value)
                for key, value in signature.bind(*args, **kwargs).arguments.items()
            }
            return cast(Found, replace(finding, asked=Asked(name, given), adjusted=()))

        return asked

    return declare


def adjustment(
    name: str,
) -> Callable[
    [Callable[Concatenate[Finding, P], Finding]], Callable[Concatenate[Finding, P], Finding]
]:
    """Register a function that changes a finding that did not pass, under a stable name."""

    def declare(
        function: Callable[Concatenate[Finding, P], Finding],
    ) -> Callable[Concatenate[Finding, P], Finding]:
        assert name not in _ADJUSTMENTS, f"two adjustments are called {name}"
        _ADJUSTMENTS[name] = function
        signature = inspect.signature(function)

        @functools.wraps(function)
        def adjusted(finding: Finding, /, *args: P.args, **kwargs: P.kwargs) -> Finding:
            given = dict(signature.bind(finding, *args, **kwargs).arguments)
            del given[next(iter(signature.parameters))]
            asked = Asked(name, {key: plain_argument(value) for key, value in given.items()})
            return replace(function(finding, *args, **kwargs), adjusted=(*finding.adjusted, asked))

        return adjusted

    return declare


def compares_numbers(name: str) -> bool:
    """Whether the check of that name depends on whole telephone numbers. Raises ``KeyError`` for an
    unknown name.
    """
    return _checks()[name].compares_numbers


def make_again(asked: Asked) -> Finding | None:
    """The finding that the current check makes from the same arguments. Raises ``KeyError`` for an
    unknown name, ``TypeError`` or ``ValueError`` for arguments that the check does not have.
    """
    function = _checks()[asked.by].function
    return function(**_read_arguments(function, asked.given))


def adjust_again(finding: Finding, asked: Asked) -> Finding:
    """The finding as the current adjustment changes it. Raises the errors of :func:`make_again`."""
    function = _adjustments()[asked.by]
    return function(finding, **_read_arguments(function, asked.given))


def _checks() -> Mapping[str, _Check]:
    _load()
    return _CHECKS


def _adjustments() -> Mapping[str, Callable[..., Finding]]:
    _load()
    return _ADJUSTMENTS


@functools.cache
def _load() -> None:
    """Import every module of checks: a module declares its checks when it is imported."""
    for module in pkgutil.iter_modules(checks.__path__):
        importlib.import_module(f"{checks.__name__}.{module.name}")


def plain_argument(value: object) -> Any:
    """JSON-ready data. Events and messages are kept: the recorder stores references to them."""
    if isinstance(value, Enum):
        return value.name.lower()  # the values are words for people
    if value is None or isinstance(value, bool | str | Event | Message):
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


def _is_dataclass(hint: Any) -> bool:
    return dataclasses.is_dataclass(hint)


def _read_arguments(function: Callable[..., object], given: Mapping[str, Any]) -> dict[str, Any]:
    hints = _hints(function)
    return {name: _read(hints[name], value) for name, value in given.items()}


@functools.cache
def _hints(function: Callable[..., object]) -> Mapping[str, Any]:
    return typing.get_type_hints(function)


def _read(hint: Any, value: Any) -> Any:
    """The inverse of :func:`plain_argument`, for a value of type ``hint``."""
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if value is None or hint is Any or origin is Literal:
        return value
    if origin in (Union, types.UnionType):
        kinds = [part for part in parts if part is not types.NoneType]
        return _read(kinds[0], value) if len(kinds) == 1 else value
    if origin is tuple:
        of_each = parts[:1] * len(value) if parts[-1] is Ellipsis else parts
        return tuple(_read(part, item) for part, item in zip(of_each, value, strict=True))
    if origin is not None and issubclass(origin, Mapping):
        return {_read(parts[0], key): _read(parts[1], item) for key, item in value.items()}
    if origin is not None:
        return tuple(_read(parts[0], item) for item in value)
    if issubclass(hint, Message):
        return parse_once(value.text if isinstance(value, SipMessage) else value)
    if _is_dataclass(hint) and not issubclass(hint, Event):
        hints = _hints(hint)
        return hint(**{name: _read(hints[name], item) for name, item in value.items()})
    if issubclass(hint, Enum):
        return hint[value.upper()]
    return hint(value) if issubclass(hint, int | float) else value
