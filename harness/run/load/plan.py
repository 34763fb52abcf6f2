"""The planned load, compared with the deployment's limits before the first call."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from harness import integrations
from harness.deployment import Deployment
from harness.deployment.limits import LEG_MARKS
from harness.deployment.safety import Guard
from harness.errors import RefusedError, SelectionError
from harness.integrations import matrix
from harness.integrations.matrix import Case

#: So many steps lead to all calls, unless their size is said.
_STEPS = 5
#: The scenario whose row a call of the load is a case of: a caller reaches the AI.
_SCENARIO = "INBOUND"


@dataclass(frozen=True, kw_only=True)
class LoadPlan:
    """``levels`` are the calls that are up at the end of each step; the last of them are held for
    ``hold_s`` seconds.
    """

    levels: tuple[int, ...]
    cps: float  #: calls begun in a second, at most
    hold_s: float

    @property
    def calls(self) -> int:
        """All calls asked for."""
        return self.levels[-1]

    @property
    def longest_s(self) -> float:
        """How long the first call is up at least: the way up and the hold, without what verifying
        takes.
        """
        return self.calls / self.cps + self.hold_s


def plan(
    deployment: Deployment,
    calls: int,
    cps: float,
    hold_s: float,
    step: int | None = None,
) -> LoadPlan:
    """The planned load. Raises :class:`RefusedError` with a line for each limit of the deployment
    that it exceeds.
    """
    size = step or math.ceil(calls / _STEPS)
    made = LoadPlan(levels=(*range(size, calls, size), calls), cps=cps, hold_s=hold_s)
    if mistakes := list(_beyond(deployment, made)):
        raise RefusedError("\n".join(mistakes))
    return made


def _beyond(deployment: Deployment, plan: LoadPlan) -> Iterator[str]:
    """A line for each limit of the deployment that the load exceeds."""
    limits, calls = deployment.limits, plan.calls
    at_once = limits.concurrent_calls
    if calls > at_once:
        yield f"--calls {calls}: more at once than allowed: limits.concurrent_calls = {at_once}"
    if plan.cps > limits.calls_per_second:
        yield f"--cps {plan.cps:g}: faster than allowed: limits.calls_per_second = {limits.calls_per_second:g}"
    if calls > limits.calls_per_run:
        yield f"--calls {calls}: more than a run may place: limits.calls_per_run = {limits.calls_per_run}"
    if plan.longest_s >= limits.seconds_per_call:
        yield (
            f"--for {plan.hold_s:g}: the first call would be up for {plan.longest_s:g} s or more "
            f"({calls} calls at {plan.cps:g} a second, then --for); allowed: less than "
            f"limits.seconds_per_call = {limits.seconds_per_call:g}"
        )
    together = calls * limits.seconds_per_call  # each is entered at its longest time
    if together > limits.seconds_per_run:
        yield f"--calls {calls}: may last {together:g} s together; allowed: limits.seconds_per_run = {limits.seconds_per_run:g}"
    cost = calls * limits.cost(limits.seconds_per_call)
    if limits.cost_per_run is not None and cost > limits.cost_per_run:
        yield f"--calls {calls}: may cost {cost:.4g}; allowed: limits.cost_per_run = {limits.cost_per_run:g}"


def cases(deployment: Deployment, trunks: Sequence[str], line: str | None) -> list[Case]:
    """The case that each call is, one for each trunk: the first trunk's alone unless some are
    named.

    Raises :class:`SelectionError` where the deployment has no such trunk or number,
    :class:`RefusedError` for a number that may not be called.
    """
    inbound = [case for case in matrix.cases([deployment]) if case.row.scenario == _SCENARIO]
    if not inbound:
        why = _why_none(deployment)
        raise SelectionError(
            f"{deployment.name}: {why}; allowed: a number that leads to the AI now"
        )
    found: dict[str, Case] = {}
    for case in inbound:
        found.setdefault(case.trunk, case)
    for trunk in trunks:
        if trunk not in found:
            none = "no number that leads to the AI is on it"
            raise SelectionError(f"--trunk {trunk}: {none}; allowed: {', '.join(found)}")
    chosen = [found[trunk] for trunk in dict.fromkeys(trunks or [next(iter(found))])]
    if line is not None:
        chosen = [_at(deployment, case, line) for case in chosen]
    guard = Guard(deployment)
    for case in chosen:
        assert case.line is not None  # the row calls a number
        guard.number(deployment.did(case.line, case.trunk))
    # A stand-in takes all the load's calls on one phone, which is set up for so many.
    return [replace(case, row=replace(case.row, own_place=True)) for case in chosen]


def _why_none(deployment: Deployment) -> str:
    rows = integrations.find(deployment.integration).rows
    inbound = {row.id for row in rows if row.scenario == _SCENARIO}
    return next(left.why for left in matrix.left_out(deployment) if left.row in inbound)


def _at(deployment: Deployment, case: Case, line: str) -> Case:
    """The case with another number; raises :class:`SelectionError` where the line does not lead to
    an assistant now.
    """
    with_assistant = [name for name, entry in deployment.lines.items() if entry.assistant]
    fits = [name for name in with_assistant if case.trunk in deployment.numbers_of_line(name)]
    if line not in fits:
        none = f"leads to no assistant over trunk {case.trunk}"
        raise SelectionError(f"--line {line}: {none}; allowed: {', '.join(fits)}")
    if not deployment.is_open(line):
        hours = deployment.opening(line).hours_in_words
        closed = f"is closed now (its hours: {hours})"
        raise SelectionError(f"--line {line}: {closed}; allowed: a number that is open")
    return replace(case, line=line)


def check_marks(calls: int, cases: Sequence[Case]) -> None:
    """Check that there is a mark for every leg. Raises :class:`SelectionError`."""
    legs = calls
    if any(case.axes["ai"] == "stand-in" for case in cases):
        legs *= 2  # the AI's end is a harness phone, too
    if legs > LEG_MARKS:
        need = f"they have {legs} legs here, and every leg needs a mark of its own"
        raise SelectionError(f"--calls {calls}: {need}; allowed: {LEG_MARKS} legs")
