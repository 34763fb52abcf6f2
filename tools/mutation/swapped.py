"""Puts a mutant's code in the place of functions that are loaded, so that nothing has to be
imported anew.
"""

from __future__ import annotations

import gc
import inspect
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FunctionType

_Place = tuple[str, str, int]  #: a function's file, qualified name and first line


class Loaded:
    """The functions that are loaded from under a directory."""

    def __init__(self, root: Path) -> None:
        self._functions: defaultdict[_Place, list[FunctionType]] = defaultdict(list)
        for found in gc.get_objects():
            if type(found) is FunctionType and found.__code__.co_filename.startswith(f"{root}/"):
                self._functions[_place(found.__code__)].append(found)

    def swap(self, path: Path, before: str, after: str) -> bool:
        """Give each function of the file the code that it has in the changed text. False, and
        nothing done, where that is not all of the change: a module's own statements, bodies of
        classes and defaults of parameters have run already.
        """
        old, new = (compile(text, str(path), "exec", dont_inherit=True) for text in (before, after))
        differing = _differing(old, new) or []
        places = Counter(_place(code) for code in _all(old))
        loaded = [
            (place, code) for of, code in differing if (place := _place(of)) in self._functions
        ]
        if not loaded or any(places[place] > 1 for place, _ in loaded):
            return False
        for place, code in loaded:
            for function in self._functions[place]:
                function.__code__ = code
        return True


def _differing(old: CodeType, new: CodeType) -> list[tuple[CodeType, CodeType]] | None:
    """The functions that differ, each with those around it; None where the change is outside of
    functions, or adds or removes one.
    """
    inner = list(_inner(old)), list(_inner(new))
    if len(inner[0]) != len(inner[1]) or (old.co_name, old.co_freevars) != (
        new.co_name,
        new.co_freevars,
    ):
        return None
    found: list[tuple[CodeType, CodeType]] = []
    for pair in zip(*inner, strict=True):
        within = _differing(*pair)
        if within is None:
            return None
        found += within
    is_function = bool(old.co_flags & inspect.CO_NEWLOCALS)
    if _own(old) != _own(new) and not is_function:
        return None
    if is_function and (found or _own(old) != _own(new)):
        found.append((old, new))
    return found


def _inner(code: CodeType) -> Iterator[CodeType]:
    return (constant for constant in code.co_consts if isinstance(constant, CodeType))


def _all(code: CodeType) -> Iterator[CodeType]:
    yield code
    for inner in _inner(code):
        yield from _all(inner)


def _own(code: CodeType) -> tuple[object, ...]:
    """What a code object does by itself; where it stands does not count."""
    constants = [
        repr(constant) for constant in code.co_consts if not isinstance(constant, CodeType)
    ]
    return code.co_code, code.co_exceptiontable, code.co_names, code.co_varnames, constants


def _place(code: CodeType) -> _Place:
    return code.co_filename, code.co_qualname, code.co_firstlineno
