"""The calls that a row's cases will place: each caller and the number it calls."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from harness.integrations.base import By, Calls, Cell, PlannedCall, one_call
from harness.integrations.which import callers_at_once


def none(cell: Cell) -> Iterator[PlannedCall]:
    """No call."""
    yield from ()


def times(count: int) -> Calls:
    """A caller calls the number so many times."""
    return lambda cell: chain.from_iterable(one_call(cell) for _ in range(count))


def unassigned(cell: Cell) -> Iterator[PlannedCall]:
    """A call to an unassigned number."""
    yield PlannedCall(cell.deployment.callers[0], str(cell.deployment.numbers.no_such_number))


def campaign(cell: Cell) -> Iterator[PlannedCall]:
    """The platform calls the campaign's customer."""
    deployment = cell.deployment
    yield PlannedCall("campaign", str(deployment.phones[deployment.customer].number), "the platform")


def a_full_trunk(cell: Cell) -> Iterator[PlannedCall]:
    """As many callers as the trunk carries, and one more."""
    yield from _callers(cell, cell.trunk.max_concurrent_calls + 1)


def several(cell: Cell) -> Iterator[PlannedCall]:
    """Several callers at once."""
    yield from _callers(cell, callers_at_once(cell.deployment, cell.trunk.max_concurrent_calls))


def _callers(cell: Cell, most: int) -> Iterator[PlannedCall]:
    for name in cell.deployment.callers[:most]:
        yield PlannedCall(name, cell.did)


def blind_transfer(cell: Cell) -> Iterator[PlannedCall]:
    """The call, and the one that the REFER makes: by the caller's phone, the stand-in's platform, or the AI."""
    if cell.entry.refer == "passed-on":
        yield from one_call(cell)
        yield PlannedCall(cell.deployment.callers[0], _target(cell))  # its phone follows the REFER
    else:
        yield from _handed_over(cell, "the platform")


def warm_transfer(cell: Cell) -> Iterator[PlannedCall]:
    """The call, and the AI's new one to the group; a stand-in places that itself."""
    yield from _handed_over(cell, "the harness")


def _handed_over(cell: Cell, by_stand_in: By) -> Iterator[PlannedCall]:
    yield from one_call(cell)
    if cell.ai == "stand-in":
        yield PlannedCall("stand-in", _target(cell), by_stand_in)
    else:
        yield PlannedCall("AI", _target(cell), "the AI")


def _target(cell: Cell) -> str:
    """What the group is called by that the AI hands over to."""
    assert cell.handover is not None
    assert cell.handover.transfer_to is not None
    return str(cell.deployment.groups[cell.handover.transfer_to].address)


def from_the_ai(cell: Cell) -> Iterator[PlannedCall]:
    """A stand-in calls an agent group."""
    yield PlannedCall("stand-in", group_called(cell))


def in_the_clear(cell: Cell) -> Iterator[PlannedCall]:
    """The caller's call, and a stand-in's over UDP and over TCP."""
    yield from one_call(cell)
    if cell.ai == "stand-in":
        yield from (PlannedCall("stand-in", group_called(cell)) for _ in ("udp", "tcp"))


def group_called(cell: Cell) -> str:
    """What the group is called by that calls from the AI's side go to."""
    deployment = cell.deployment
    return str(deployment.groups[str(deployment.group_called)].address)
