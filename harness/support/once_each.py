"""What is derived again and again from objects that never change."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def once_for_each(derive: Callable[[T], R]) -> Callable[[T], R]:
    """Remember what ``derive`` returns for each object, by its identity, until that is freed.

    For objects that cannot be hashed. The result must not refer to its object, which would keep it
    in memory, and must not be changed. Thread-safe.
    """
    known: dict[int, R] = {}

    @functools.wraps(derive)
    def derived(of: T) -> R:
        if id(of) not in known:
            found = derive(of)
            weakref.finalize(of, known.pop, id(of), None).atexit = False
            known[id(of)] = found
        return known[id(of)]

    return derived
