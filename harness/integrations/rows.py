"""Reads rows from ``tables/*.toml``, where one stands as::

    [calls.ACME-SELECTOR]                                   # a group of rows, and the row's id
    scenario = "HEADER-SELECTOR"                            # default: the id
    which = ["TO_AI", "fails busy"]                         # names of harness.integrations.which, some with an argument
    axes = ["SELECTORS"]                                    # likewise, and so is ``needs``
    values = { digits = ["to-ai", "from-ai"] }              # axes with fixed values, which multiply all others
    calls = "blind_transfer"                                # a name of harness.integrations.which; default: one call
    finds = ["WITH_THE_AI", "CODEC 2", "HEADER|HEADER_ABSENT"]  # required findings; a later entry replaces an earlier one
    finds_at = { "ai stand-in" = ["ROUTE_NOT_ANSWERED 2"] }  # more of them, in cells with that value of an axis

The other keys are the fields of :class:`Row`. A row without ``which`` calls no number. ``[every]``
has what each row of the table says unless it says otherwise.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from functools import reduce
from operator import or_
from pathlib import Path
from typing import Any, Final

from harness import finding_kinds
from harness.finding_kinds import FindingKind, RequiredFindings
from harness.integrations import base, which
from harness.integrations.base import Row
from harness.support.files import user_files

TABLES: Final = Path(__file__).with_name("tables")
#: Findings that many rows require together.
_TOGETHER: Final = ("WITH_THE_AI", "HANDED_OVER", "FALLEN_BACK", "AGAIN", "ADDRESSED")

#: A row as its table has it.
Plain = Mapping[str, Any]


def table(name: str) -> dict[str, dict[str, Plain]]:
    """The rows of a table by group and id."""
    groups = tomllib.loads(user_files.read_text(TABLES / f"{name}.toml", user_files.SETTINGS))
    every = groups.pop("every")
    found: dict[str, dict[str, Plain]] = {}
    for group, declared in groups.items():
        found[group] = {row_id: every | plain for row_id, plain in declared.items()}
    return found


def rows(name: str) -> dict[str, tuple[Row, ...]]:
    """The rows of each group of a table, in their order."""
    found = {}
    for group, declared in table(name).items():
        found[group] = tuple(row(row_id, plain) for row_id, plain in declared.items())
    return found


def row(row_id: str, plain: Plain) -> Row:
    """The row that a table declares. Raises ``AttributeError`` for a name that does not exist."""
    keys = {"scenario": row_id, "which": None, "subject": (), "axes": (), **plain}
    for key in ("which", "needs", "axes"):
        if keys.get(key) is not None:
            keys[key] = tuple(map(_named, keys[key]))
    for name, values in keys.pop("values", {}).items():
        keys["axes"] += (which.with_values(name, *values, full=True),)
    keys["calls"] = getattr(which, keys.get("calls", "one_call"))
    keys["subject"] = frozenset(keys["subject"])
    for key in ("transports", "authentication"):
        if key in keys:
            keys[key] = tuple(keys[key])
    keys["required_findings"] = _findings(keys.pop("finds"))
    keys["required_findings_at"] = {
        tuple(cell.split(" ")): _findings(finds) for cell, finds in keys.pop("finds_at", {}).items()
    }
    return Row(id=row_id, **keys)


def _named(text: str) -> Any:
    """A condition or an axis, made with its argument where it takes one."""
    name, _, argument = text.partition(" ")
    found = getattr(which, name)
    return found(argument) if argument else found


def _findings(texts: Iterable[str]) -> RequiredFindings:
    found: dict[FindingKind, int] = {}
    for text in texts:
        names, _, times = text.partition(" ")
        if names in _TOGETHER:
            kinds: RequiredFindings = getattr(base, names)
        else:
            either = [getattr(finding_kinds, name) for name in names.split("|")]
            kinds = {reduce(or_, either): 1}
        for kind, count in kinds.items():
            found[kind] = count * int(times or 1)
    return found
