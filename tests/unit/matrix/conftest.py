"""The examples as deployments, and the same with other values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from harness.deployment import Deployment, Trunk
from harness.integrations import load
from harness.integrations.matrix import Case, cases, left_out
from harness.support.resources import EXAMPLES

#: Place ("lines.*.refer", "trunks.udp-ip.host") → value, or what makes it of the one there; None
#: takes an entry of a table away.
Changes = Mapping[str, Any]


def example(name: str) -> Deployment:
    return load(EXAMPLES / f"{name}.toml", secrets=False)


@pytest.fixture(scope="module")
def talkdesk() -> Deployment:
    return example("simulated-talkdesk")


@pytest.fixture(scope="module")
def gladly() -> Deployment:
    return example("simulated-gladly")


def changed(deployment: Deployment, changes: Changes) -> Deployment:
    """The same, whatever the file's own checks would say of it."""
    for place, value in changes.items():
        deployment = _set(deployment, place.split("."), value)
    return deployment


def _set(found: Any, place: Sequence[str], value: Any) -> Any:
    if not place:
        return value(found) if callable(value) else value
    name, *rest = place
    if isinstance(found, dict):
        new = {key: _set(found.get(key), rest, value) for key in (found if name == "*" else [name])}
        return {key: entry for key, entry in {**found, **new}.items() if entry is not None}
    if isinstance(found, tuple):
        return tuple(_set(one, rest, value) if name in ("*", one.name) else one for one in found)
    return found.model_copy(update={name: _set(getattr(found, name), rest, value)})


def of_ai(ai: str, *kept: str) -> Any:
    """Of the trunks those of that AI which signal, or authenticate, so."""

    def trunks(there: tuple[Trunk, ...]) -> tuple[Trunk, ...]:
        return tuple(
            t
            for t in there
            if t.ai == ai and (not kept or {t.transport, t.authentication} & set(kept))
        )

    return trunks


def of(deployment: Deployment, row: str, **axes: str) -> list[Case]:
    return [
        case
        for case in cases([deployment])
        if case.row.id == row and axes.items() <= case.axes.items()
    ]


def why(deployment: Deployment, row: str) -> str:
    """Why the row has no case at all."""
    (left,) = [one for one in left_out(deployment) if one.row == row and one.line is None]
    return left.why


def said_of(deployment: Deployment, row: str) -> list[tuple[str | None, str]]:
    """What is said to be left out of a row: number, and why."""
    return [(one.line, one.why) for one in left_out(deployment) if one.row == row]
