"""What a case of a real deployment needs for itself while others run beside it: callers, agents, a share of the trunk.

Cases beside each other are told apart by their callers' numbers, so each has callers of its own. Where its call is to land it
has the agents for itself, since a person takes one call at a time; where it only looks whether they ring it shares them. Trunks,
and the deployment's limits, carry so many calls.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from harness.deployment import Deployment
from harness.matrix import Case, calls_of

#: About how long a case's calls last: as many cases as begin within that time are at work at once.
_A_CASE_S = 4.0


@dataclass(frozen=True)
class Some:
    """So many of these, whichever are free."""

    names: tuple[str, ...]
    count: int


@dataclass(frozen=True)
class Needs:
    """Names of what a case takes. ``beside`` are shared with cases of the same deployment, and with no other's."""

    alone: frozenset[str]
    beside: frozenset[str]
    callers: Some  #: names of phones
    tokens: tuple[Some, ...] = ()


def needs_of(case: Case, deployment: Deployment) -> Needs:
    """What ``case`` needs of its deployment."""
    calls = [call for call in calls_of(case, deployment) if call.by == "the harness"]
    numbers = {number for _, _, number in deployment.all_dids()} | {str(deployment.numbers.no_such_number)}
    dialled = [call for call in calls if call.number in numbers]
    at_once = len(dialled) if case.row.moment != "registration" else 0
    count = min(len(deployment.callers), max(at_once, case.row.moment != "registration"))
    return Needs(
        frozenset(_alone(case, deployment)),
        frozenset(_beside(case, deployment)),
        Some(tuple(deployment.callers), count),
        tuple(_tokens(case, deployment, len(calls), at_once)),
    )


def phone_key(deployment: Deployment, name: str) -> str:
    """A phone as its registrar knows it: two files may have the same one."""
    entry = deployment.phones[name]
    account = deployment.accounts[entry.account]
    return f"phone {entry.aor_user} at {account.domain} {account.host}"


def landing_agents(case: Case, deployment: Deployment) -> frozenset[str]:
    """The agents that a call of the case is to land with."""
    return frozenset(agent for group in _landing_groups(case, deployment) for agent in deployment.groups[group].agents)


def _landing_groups(case: Case, deployment: Deployment) -> Iterator[str]:
    called = {call.number for call in calls_of(case, deployment)}
    yield from (name for name, group in deployment.groups.items() if group.did in called)
    if case.line is None:
        return
    entry = deployment.lines[case.line]
    assistant = deployment.assistants[entry.assistant] if entry.assistant else None
    if entry.group is not None:
        yield entry.group
    if case.row.moment == "transfer" and assistant is not None:
        if assistant.transfer_to is not None:
            yield assistant.transfer_to
        topic = assistant.transfer_topic
        yield from (name for name, group in deployment.groups.items() if topic and group.topic == topic)
    if entry.fallback is not None and "landing" in {kind.partition(" ")[0] for kind in case.finds}:
        yield entry.fallback


def _alone(case: Case, deployment: Deployment) -> Iterator[str]:
    yield from (phone_key(deployment, agent) for agent in landing_agents(case, deployment))
    if case.row.moment == "campaign" and deployment.campaign is not None and deployment.campaign.customer is not None:
        yield phone_key(deployment, deployment.customer)
    if case.row.moment == "registration":
        trunk = deployment.trunk(case.trunk)
        yield f"registration of {trunk.username} at {trunk.termination}"
    if case.row.withholds:
        yield f"withheld numbers of {deployment.name}"
    if case.row.own_place and case.axes["ai"] == "stand-in":
        yield _place(case, deployment)


def _beside(case: Case, deployment: Deployment) -> Iterator[str]:
    yield f"all of {deployment.name}"
    agents = {agent for group in deployment.groups.values() for agent in group.agents}
    yield from (phone_key(deployment, agent) for agent in agents - landing_agents(case, deployment))
    if case.axes["ai"] == "stand-in" and not case.row.own_place:
        yield _place(case, deployment)


def _place(case: Case, deployment: Deployment) -> str:
    trunk = deployment.trunk(case.trunk)
    return f"place {trunk.transport} {deployment.stand_in.bind} {trunk.port}"


def _tokens(case: Case, deployment: Deployment, placed: int, at_once: int) -> Iterator[Some]:
    limits, trunk = deployment.limits, deployment.trunk(case.trunk)
    carried = at_once + (case.row.moment in ("campaign", "transfer"))
    yield _some(f"call on {trunk.name} of {deployment.name}", trunk.max_concurrent_calls, carried)
    yield _some(f"call of {deployment.name}", limits.concurrent_calls, placed)
    yield _some(f"beginning call of {deployment.name}", max(1, math.ceil(_A_CASE_S * limits.calls_per_second)), placed)


def _some(what: str, there_are: int, needed: int) -> Some:
    most = min(there_are, 64)  # no run has so many cases at once
    return Some(tuple(f"{what} {number}" for number in range(most)), min(most, needed))


def in_turns(cases: Sequence[tuple[Case, Deployment]], workers: int) -> list[int]:
    """The order in which cases of real deployments best begin: so that those that need the same thing alone do not wait for it.

    As a timetable that is played through: whoever is free takes the longest case that can begin now, those first whose own
    thing is asked for longest.
    """
    wanted = [needs_of(case, deployment).alone for case, deployment in cases]
    seconds = [case.row.seconds + 1.0 for case, _ in cases]
    left = set(range(len(cases)))
    asked = {name: sum(seconds[i] for i in left if name in wanted[i]) for name in set().union(*wanted)}
    free_at: dict[str, float] = {}
    workers_free = [0.0] * max(1, workers)
    order: list[int] = []
    while left:
        now = min(workers_free)
        chosen = min(left, key=lambda i: (_begins(wanted[i], free_at, now), -_urgency(wanted[i], asked, seconds[i]), i))
        ends = _begins(wanted[chosen], free_at, now) + seconds[chosen]
        workers_free[workers_free.index(now)] = ends
        free_at |= dict.fromkeys(wanted[chosen], ends)
        for name in wanted[chosen]:
            asked[name] -= seconds[chosen]
        left.remove(chosen)
        order.append(chosen)
    return order


def _begins(names: Iterable[str], free_at: dict[str, float], now: float) -> float:
    return max([now, *(free_at.get(name, 0.0) for name in names)])


def _urgency(names: Iterable[str], asked: dict[str, float], seconds: float) -> float:
    return max([seconds, *(asked[name] for name in names)])
