"""What a case of a real deployment needs while others run at the same time: callers, agents, a share of the trunk.

Cases that run at the same time are told apart by their callers' numbers, so each has callers of its own. Where its call is to land
it has the agents for itself, since a person takes one call at a time; where it only watches whether they ring it shares them. A
trunk, and the deployment's limits, allow so many calls.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush

from harness.deployment import CALLS_A_PHONE, Deployment
from harness.integrations.matrix import Case, calls_of, landing_groups

#: About how long a case's calls last: as many cases as begin within that time are at work at once.
_A_CASE_S = 4.0
#: What a case takes besides the time of its row: registrations, recordings, its evidence.
_OVERHEAD_S = 1.0
#: Shares of what cases use together.
_SHARES = 1000


@dataclass(frozen=True)
class AnyOf:
    """``count`` of these names, whichever are free."""

    names: tuple[str, ...]
    count: int


@dataclass(frozen=True)
class Needs:
    """Names of what a case takes. ``shared`` are shared with cases of the same deployment, and of no other."""

    exclusive: frozenset[str]
    shared: frozenset[str]
    callers: AnyOf  #: names of phones
    tokens: tuple[AnyOf, ...] = ()


def needs_of(case: Case, deployment: Deployment) -> Needs:
    """What ``case`` needs of its deployment."""
    calls = [call for call in calls_of(case, deployment) if call.by == "the harness"]
    numbers = {number for _, _, number in deployment.all_dids()} | {str(deployment.numbers.no_such_number)}
    dialled = [call for call in calls if call.number in numbers]
    at_once = len(dialled) if case.row.moment != "registration" else 0
    return Needs(
        frozenset(_exclusive(case, deployment)),
        frozenset(_shared(case, deployment)),
        _callers(case, deployment, at_once),
        tuple(_tokens(case, deployment, len(calls), at_once)),
    )


def phone_key(deployment: Deployment, name: str) -> str:
    """A phone as its registrar knows it: two files may have the same one."""
    entry = deployment.phones[name]
    account = deployment.accounts[entry.account]
    return f"phone {entry.aor_user} at {account.domain} {account.host}"


def landing_agents(case: Case, deployment: Deployment) -> frozenset[str]:
    """The agents that a call of the case is to land with."""
    return frozenset(agent for group in landing_groups(case, deployment) for agent in deployment.groups[group].agents)


def _callers(case: Case, deployment: Deployment, at_once: int) -> AnyOf:
    """The callers it needs. A campaign calls the customer that the plan shows, whichever other caller is free."""
    callers, moment = deployment.callers, case.row.moment
    if moment == "campaign" and deployment.customer in callers:
        return AnyOf((deployment.customer,), 1)
    return AnyOf(tuple(callers), min(len(callers), max(at_once, moment != "registration")))


def _exclusive(case: Case, deployment: Deployment) -> Iterator[str]:
    yield from (f"calls to {phone_key(deployment, agent)}" for agent in landing_agents(case, deployment))
    # the people of such a group get one of our calls at a time, and the report's rows of it are of one case
    reported = [name for name in landing_groups(case, deployment) if deployment.is_reported(name)]
    yield from (f"landing at {deployment.groups[name].address or name}" for name in reported)
    if case.row.moment == "campaign":
        yield phone_key(deployment, deployment.customer)
    if case.row.moment == "registration":
        trunk = deployment.trunk(case.trunk)
        # RFC 3261 section 10.2: bindings belong to the address of record, whatever transport and port they are made over
        yield f"registration of {trunk.username} at {trunk.termination_host}"
    if case.row.withholds:
        yield f"withheld numbers of {deployment.name}"
    if case.row.own_place and case.axes["ai"] == "stand-in":
        yield _place(case, deployment)


def _shared(case: Case, deployment: Deployment) -> Iterator[str]:
    yield f"all of {deployment.name}"
    agents = {agent for group in deployment.groups.values() for agent in group.agents}
    yield from (phone_key(deployment, agent) for agent in agents)
    if case.axes["ai"] == "stand-in" and not case.row.own_place:
        yield _place(case, deployment)


def _place(case: Case, deployment: Deployment) -> str:
    trunk = deployment.trunk(case.trunk)
    return f"place {trunk.transport} {deployment.stand_in.bind} {trunk.port}"


def _tokens(case: Case, deployment: Deployment, placed: int, at_once: int) -> Iterator[AnyOf]:
    limits, trunk = deployment.limits, deployment.trunk(case.trunk)
    carried = at_once + (case.row.moment in ("campaign", "transfer"))
    yield _any_of(f"call on {trunk.name} of {deployment.name}", trunk.max_concurrent_calls, carried)
    if case.axes["ai"] == "stand-in" and not case.row.own_place:
        yield _any_of(
            f"call at {_place(case, deployment)}", CALLS_A_PHONE, carried
        )  # beyond it would refuse them itself
    yield _any_of(f"call of {deployment.name}", limits.concurrent_calls, placed)
    yield _any_of(
        f"beginning call of {deployment.name}", max(1, math.ceil(_A_CASE_S * limits.calls_per_second)), placed
    )


def _any_of(what: str, there_are: int, needed: int) -> AnyOf:
    most = min(there_are, 64)  # no run has so many cases at once
    return AnyOf(tuple(f"{what} {number}" for number in range(most)), min(most, needed))


def in_turns(cases: Sequence[tuple[Case, Deployment]], workers: int) -> list[int]:
    """The order in which cases of real deployments best begin, so that none keeps a worker waiting for another.

    The run is simulated: of the cases that can begin, the first are those that are long themselves, and whose needs other cases
    want for longest.
    """
    wants = [_wants(needs_of(case, deployment), deployment) for case, deployment in cases]
    seconds = [case.row.seconds + _OVERHEAD_S for case, _ in cases]
    free = {name: most for want in wants for name, (most, _) in want.items()}
    left, order = list(range(len(cases))), list[int]()
    asked: dict[str, float] = {}
    for i in left:
        for name, (most, count) in wants[i].items():
            asked[name] = asked.get(name, 0.0) + seconds[i] * count / most
    running: list[tuple[float, int]] = []
    now = 0.0
    while left:
        can = [i for i in left if all(free[name] >= count for name, (_, count) in wants[i].items())]
        if not can or len(running) >= max(1, workers):
            now, over = heappop(running)
            for name, (_, count) in wants[over].items():
                free[name] += count
            continue
        chosen = max(can, key=lambda i: (seconds[i] + sum(asked[name] for name in wants[i]), -i))
        for name, (most, count) in wants[chosen].items():
            free[name] -= count
            asked[name] -= seconds[chosen] * count / most
        heappush(running, (now + seconds[chosen], chosen))
        left.remove(chosen)
        order.append(chosen)
    return order


def _wants(needs: Needs, deployment: Deployment) -> dict[str, tuple[int, int]]:
    """Name → how many there are, and how many of them the case takes."""
    # in one order in every worker: sums of floats depend on it, and the order of the cases on those
    wants = dict.fromkeys(sorted(needs.exclusive), (_SHARES, _SHARES)) | dict.fromkeys(
        sorted(needs.shared), (_SHARES, 1)
    )
    if needs.callers.count:  # one that has to be a certain caller leaves the others fewer, too
        wants[f"callers of {deployment.name}"] = len(deployment.callers), needs.callers.count
    for any_of in needs.tokens:
        if any_of.count:
            wants[f"any of {deployment.name} {any_of.names[0]}"] = len(any_of.names), any_of.count
    return wants
