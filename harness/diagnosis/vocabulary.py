"""``tables/vocabulary.toml``: the facts that rules may ask for, with their values, and the named lists."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from harness.support.files import user_files

TABLES = Path(__file__).with_name("tables")


@cache
def vocabulary() -> Mapping[str, Any]:
    """``vocabulary.toml``: ``fact``, ``values``, ``observe``, ``symptoms``, ``guide``, ``conditions``, ``vary``."""
    return tomllib.loads(user_files.read_text(TABLES / "vocabulary.toml", user_files.SETTINGS))


@dataclass(frozen=True, slots=True)
class FactKind:
    """What a fact is about. ``observe`` says how to observe it, as the end of a sentence.

    ``values`` are the words it may have; ``flag``: yes and no; ``status``: a SIP status.
    """

    label: str
    observe: str
    values: tuple[str, ...] = ()
    flag: bool = False
    status: bool = False


@cache
def fact_kinds() -> Mapping[str, FactKind]:
    """Every declared fact."""
    return {name: _kind(entry) for name, entry in vocabulary()["fact"].items()}


def fact_kind(name: str) -> FactKind:
    """The declaration of one fact. Raises ``KeyError`` when there is none."""
    return fact_kinds()[name]


@cache
def value_lists() -> Mapping[str, tuple[str, ...]]:
    """The named lists of values, which conditions write as ``$name``."""
    return {name: tuple(words) for name, words in vocabulary()["values"].items()}


def _kind(entry: Mapping[str, Any]) -> FactKind:
    observe = entry["observe"]
    if observe.startswith("$"):
        observe = vocabulary()["observe"][observe[1:]]
    lists = value_lists()
    words = (one for word in entry.get("values", ()) for one in (lists[word[1:]] if word.startswith("$") else (word,)))
    return FactKind(entry["label"], observe, tuple(words), entry.get("flag", False), entry.get("status", False))
