"""The groups that a scenario watches: each telephone once, in however many of them its agent is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.scenario.cast import Cast
from harness.scenario.people import Group
from tests.unit.clock import Clock

GROUPS = {"sales": ("ann", "bob"), "service": ("bob", "cid"), "night": ("ann",)}


def cast_of(away: tuple[str, ...] = ()) -> Cast:
    groups = {
        name: SimpleNamespace(
            present=tuple(a for a in agents if a not in away),
            away=tuple(a for a in agents if a in away),
            shared=False,
            address=None,
        )
        for name, agents in GROUPS.items()
    }
    context = SimpleNamespace(deployment=SimpleNamespace(groups=groups), clock=Clock())
    found = Cast(cast("Any", context))
    phones = {agent: SimpleNamespace(name=agent) for agents in GROUPS.values() for agent in agents}
    found._agent = lambda name, **_: cast("Any", phones[name])  # type: ignore[method-assign]
    return found


def named(groups: list[Group]) -> list[tuple[str, list[str]]]:
    return [(group.name, [phone.name for phone in group.phones]) for group in groups]


@pytest.mark.parametrize(
    ("away", "but", "watched"),
    [
        ((), None, [("sales", ["ann", "bob"]), ("service", ["cid"])]),
        ((), "service", [("sales", ["ann"])]),
        ((), "night", [("sales", ["bob"]), ("service", ["cid"])]),
        (("ann",), None, [("sales", ["bob"]), ("service", ["cid"]), ("sales", ["ann"])]),
    ],
)
def test_each_telephone_is_watched_once(
    away: tuple[str, ...], but: str | None, watched: list[tuple[str, list[str]]]
) -> None:
    found = cast_of(away)
    assert named(found.all_groups(but=found.group(but) if but else None)) == watched
