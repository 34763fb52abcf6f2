"""What a case of a real deployment needs while others run at the same time, and how it gets it for
itself.

Cases that run at the same time are distinguished by their callers' numbers, so each has callers of its
own. Where its call is to land it has the agents for itself, since a person takes one call at a
time; where it only watches whether they ring it shares them. A trunk, and the deployment's limits,
allow a number of calls. A case takes all that it needs at once, or nothing. What a whole run needs
of this machine, other runs wait for (:func:`in_turn`).
"""

from __future__ import annotations

import hashlib
import math
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from heapq import heappop, heappush
from pathlib import Path

from harness.case.events import AskedByOptions
from harness.deployment import CALLS_A_PHONE, Deployment
from harness.deployment.limits import Lease, address, lease, try_lease
from harness.errors import HarnessError
from harness.integrations.matrix import Case, calls_of, landing_groups
from harness.phone.switchboard import wait_until_asked
from harness.run.plugin.run import Run
from harness.scenario.case_phones import ALONE, ConcurrentCases
from harness.scenario.handover import number_shown
from harness.scenario.phones import stand_in
from harness.support.files import stem_of

#: About how long a case's calls last: the cases that begin within that time run at once.
_A_CASE_S = 4.0
#: A case's time besides its row's: registrations, recordings, evidence.
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
    """Names of what a case takes. ``shared`` are shared with cases of the same deployment, and of
    no other.
    """

    exclusive: frozenset[str]
    shared: frozenset[str]
    callers: AnyOf  #: names of phones
    tokens: tuple[AnyOf, ...] = ()


def needs_of(case: Case, deployment: Deployment) -> Needs:
    """What ``case`` needs of its deployment."""
    calls = [call for call in calls_of(case, deployment) if call.by == "the harness"]
    numbers = {number for _, _, number in deployment.all_dids()}
    numbers.add(str(deployment.numbers.no_such_number))
    at_once = 0
    if case.row.moment != "registration":
        at_once = sum(call.number in numbers for call in calls)
    return Needs(
        exclusive=frozenset(_exclusive(case, deployment)),
        shared=frozenset(_shared(case, deployment)),
        callers=_callers(case, deployment, at_once),
        tokens=tuple(_tokens(case, deployment, len(calls), at_once)),
    )


def phone_key(deployment: Deployment, name: str) -> str:
    """A phone as its registrar knows it: two files may have the same one."""
    entry = deployment.phones[name]
    account = deployment.accounts[entry.account]
    return f"phone {entry.aor_user} at {account.domain} {account.host}"


def landing_agents(case: Case, deployment: Deployment) -> frozenset[str]:
    """The agents that a call of the case is to land with."""
    agents: set[str] = set()
    for group in landing_groups(case, deployment):
        agents.update(deployment.groups[group].agents)
    return frozenset(agents)


def _callers(case: Case, deployment: Deployment, at_once: int) -> AnyOf:
    """The callers it needs. A campaign calls the customer that the plan shows, whichever other
    caller is free.
    """
    callers, moment = deployment.callers_from(case.caller), case.row.moment
    if "caller" in case.axes:
        callers = callers[:1]
    if moment == "campaign" and deployment.customer in callers:
        return AnyOf((deployment.customer,), 1)
    least = 0 if moment == "registration" else 1
    return AnyOf(tuple(callers), min(len(callers), max(at_once, least)))


def _exclusive(case: Case, deployment: Deployment) -> Iterator[str]:
    """What no other case may use at the same time."""
    for agent in landing_agents(case, deployment):
        yield f"calls to {phone_key(deployment, agent)}"
    for name in landing_groups(case, deployment):
        # the people of such a group get one of our calls at a time, and the report's rows of it are
        # of one case
        if deployment.may_be_reported(name):
            yield f"landing at {deployment.groups[name].address or name}"
    if case.row.moment == "campaign":
        yield phone_key(deployment, deployment.customer)
    if case.row.moment == "registration":
        trunk = deployment.trunk(case.trunk)
        # RFC 3261 section 10.2: bindings belong to the address of record, whatever transport and
        # port they are made over
        yield f"registration of {trunk.username} at {trunk.termination_host}"
    if case.row.withholds:
        yield f"withheld numbers of {deployment.name}"
    if case.row.own_place and case.axes["ai"] == "stand-in":
        yield _place(case, deployment)


def _shared(case: Case, deployment: Deployment) -> Iterator[str]:
    """What cases of the same deployment may use together."""
    yield f"all of {deployment.name}"
    for group in deployment.groups.values():
        for agent in group.agents:
            yield phone_key(deployment, agent)
    if case.axes["ai"] == "stand-in" and not case.row.own_place:
        yield _place(case, deployment)


def _place(case: Case, deployment: Deployment) -> str:
    trunk = deployment.trunk(case.trunk)
    return f"place {trunk.transport} {deployment.stand_in.bind} {trunk.port}"


def _tokens(case: Case, deployment: Deployment, placed: int, at_once: int) -> Iterator[AnyOf]:
    """How many calls it takes of those that the trunk, the stand-in and the limits allow."""
    limits, trunk = deployment.limits, deployment.trunk(case.trunk)
    carried = at_once
    if case.row.moment in ("campaign", "transfer"):
        carried += 1
    yield _any_of(f"call on {trunk.name} of {deployment.name}", trunk.max_concurrent_calls, carried)
    if case.axes["ai"] == "stand-in" and not case.row.own_place:
        # it would refuse more
        yield _any_of(f"call at {_place(case, deployment)}", CALLS_A_PHONE, carried)
    yield _any_of(f"call of {deployment.name}", limits.concurrent_calls, placed)
    beginning = max(1, math.ceil(_A_CASE_S * limits.calls_per_second))
    yield _any_of(f"beginning call of {deployment.name}", beginning, placed)


def _any_of(what: str, there_are: int, needed: int) -> AnyOf:
    most = min(there_are, 64)  # more cases than run at once
    return AnyOf(tuple(f"{what} {number}" for number in range(most)), min(most, needed))


def in_turns(cases: Sequence[tuple[Case, Deployment]], workers: int) -> list[int]:
    """The order in which cases of real deployments best begin, so that none keeps a worker waiting
    for another.

    The run is simulated: of the cases that can begin, the first are those that are long themselves,
    and whose needs other cases want for longest.
    """
    wants = [_wants(needs_of(case, deployment), deployment) for case, deployment in cases]
    seconds = [case.row.seconds + _OVERHEAD_S for case, _ in cases]
    left, order = list(range(len(cases))), list[int]()
    free: dict[str, int] = {}
    asked: dict[str, float] = {}  # for how long the cases that are left want it
    for i in left:
        for name, (most, count) in wants[i].items():
            free[name] = most
            asked[name] = asked.get(name, 0.0) + seconds[i] * count / most

    def can_begin(i: int) -> bool:
        return all(free[name] >= count for name, (_, count) in wants[i].items())

    def urgency(i: int) -> tuple[float, int]:
        return seconds[i] + sum(asked[name] for name in wants[i]), -i

    running: list[tuple[float, int]] = []  # when each ends
    now = 0.0
    while left:
        can = [i for i in left if can_begin(i)]
        if not can or len(running) >= max(1, workers):
            now, over = heappop(running)
            for name, (_, count) in wants[over].items():
                free[name] += count
            continue
        chosen = max(can, key=urgency)
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
    wants = dict.fromkeys(sorted(needs.exclusive), (_SHARES, _SHARES))
    wants |= dict.fromkeys(sorted(needs.shared), (_SHARES, 1))
    if needs.callers.count:  # a fixed caller also leaves fewer for the others
        wants[f"callers of {deployment.name}"] = len(deployment.callers), needs.callers.count
    for any_of in needs.tokens:
        if any_of.count:
            wants[f"any of {deployment.name} {any_of.names[0]}"] = len(any_of.names), any_of.count
    return wants


_POLL_S = 0.05


@dataclass(frozen=True)
class Leased:
    """The deployment as the case has it, and the cases beside it."""

    replica: Deployment
    concurrent: ConcurrentCases = ALONE

    def wait_until_asked(self, case: Case) -> AskedByOptions | None:
        """Wait until the platform has asked the stand-in's phone by OPTIONS, where it does; None
        where no phone is kept for that.
        """
        switchboard = self.concurrent.switchboard
        if switchboard is None or case.axes["ai"] != "stand-in":
            return None
        phone = stand_in(self.replica, self.replica.trunk(case.trunk))
        every_s = self.replica.stand_in.options_every_s
        with suppress(HarnessError):  # the case reports why it cannot be reached
            return wait_until_asked(switchboard, phone, every_s)
        return None


@contextmanager
def leased(run: Run, case: Case, *, alone: bool = False) -> Iterator[Leased]:
    """Wait until the case can run. ``alone``: with no other of its deployment beside it."""
    replicas = run.replicas[case.deployment]
    if run.switchboard is None or replicas[0].kind == "simulated":
        # each worker prefers its own, where its phones are registered
        first = run.slot % len(replicas)
        order = [*range(first, len(replicas)), *range(first)]
        control, stem = run.control, f"replica-{stem_of(case.deployment)}"
        with lease([control / f"{stem}-{index}" for index in order]) as held:
            yield Leased(replicas[order[held.index]])
        return
    whole, alone = replicas[0], alone or run.slots == 1
    table = LeaseTable(run.control / "table", [deployment.name for deployment in run.deployments])
    with table.taken(needs_of(case, whole), whole, alone=alone) as callers:
        replica, mine = _narrowed(whole, callers), set(callers)
        if case.row.moment == "campaign":
            mine.add(replica.customer)
        yield Leased(replica, _concurrent_cases(run, case, whole, mine, alone=alone))


def _narrowed(deployment: Deployment, callers: list[str]) -> Deployment:
    """The deployment with these callers alone: the others are another case's."""
    others = set(deployment.callers) - set(callers)
    without = {deployment.address_of_record(name) for name in others}
    phones = {}
    for name, phone in deployment.phones.items():
        if deployment.address_of_record(name) not in without:
            phones[name] = phone
    return deployment.model_copy(update={"phones": phones})


def _concurrent_cases(
    run: Run,
    case: Case,
    deployment: Deployment,
    mine: set[str],
    *,
    alone: bool,
) -> ConcurrentCases:
    """What the case knows of the cases beside it: ``mine`` are its callers."""
    numbers = {name: phone.number for name, phone in deployment.phones.items() if phone.number}
    neither = set(mine)
    for group in deployment.groups.values():
        neither.update(group.agents)
    others = {number for name, number in numbers.items() if name not in neither}
    return ConcurrentCases(
        switchboard=Path(run.switchboard) if run.switchboard else None,
        numbers=tuple(number for name, number in numbers.items() if name in mine),
        others=frozenset() if alone else frozenset(others),
        lands_at=landing_agents(case, deployment),
        withholds=case.row.withholds,
        shows=_shows(case, deployment),
    )


def _shows(case: Case, deployment: Deployment) -> str | None:
    """What an agent sees after the case's warm transfer, where it is another number than the
    caller's.
    """
    handover = case.handover(deployment)
    if case.row.hands_over != "warm" or case.line is None or handover is None:
        return None
    assistant = str(deployment.lines[case.line].assistant)
    return number_shown(handover, deployment.assistants[assistant].address)


class LeaseTable:
    """File locks by name. A case takes all that it needs at once, or nothing, so that no two wait
    for each other.
    """

    def __init__(self, directory: Path, deployments: list[str]) -> None:
        self._directory, self._deployments = directory, deployments
        directory.mkdir(exist_ok=True)

    @contextmanager
    def taken(
        self, needs: Needs, deployment: Deployment, *, alone: bool = False
    ) -> Iterator[list[str]]:
        """Wait until all of it is taken; yields the names of the callers. ``alone``: with no other
        case of the deployment.
        """
        with ExitStack() as waiting:
            if alone:  # no other case may begin meanwhile, or this one could wait forever
                waiting.enter_context(lease([self._file(f"wish of {deployment.name}")]))
            while (found := self._try(needs, deployment, alone=alone)) is None:
                time.sleep(_POLL_S)
            held, callers = found
        with held:
            yield callers

    def _file(self, name: str) -> Path:
        return self._directory / stem_of(name)

    def _try(
        self, needs: Needs, deployment: Deployment, *, alone: bool
    ) -> tuple[ExitStack, list[str]] | None:
        """Take everything, or nothing; returns what was taken with the callers' names, None while
        something is in use.
        """
        with ExitStack() as stack, lease([self._file("mutex")]):
            if not alone and not self._is_free(f"wish of {deployment.name}"):
                return None
            others = [name for name in self._deployments if name != deployment.name]
            for name in needs.shared | needs.exclusive:
                shared = not (alone or name in needs.exclusive)
                if not self._take(stack, f"{name} by {deployment.name}", shared=shared):
                    return None
                if not all(self._is_free(f"{name} by {other}") for other in others):
                    return None
            for token in needs.tokens:
                if len(self._take_any(stack, token.names, token.count)) < token.count:
                    return None
            names = {phone_key(deployment, name): name for name in needs.callers.names}
            callers = self._take_any(stack, tuple(names), needs.callers.count)
            if len(callers) < needs.callers.count:
                return None
            return stack.pop_all(), [names[key] for key in callers]

    def _take(self, stack: ExitStack, name: str, *, shared: bool = False) -> bool:
        held: Lease | None = try_lease(self._file(name), shared=shared)
        if held is not None:
            stack.enter_context(held)
        return held is not None

    def _take_any(self, stack: ExitStack, names: tuple[str, ...], count: int) -> list[str]:
        found: list[str] = []
        for name in names:
            if len(found) < count and self._take(stack, name):
                found.append(name)
        return found

    def _is_free(self, name: str) -> bool:
        held = try_lease(self._file(name))
        if held is not None:
            held.release()
        return held is not None


@contextmanager
def in_turn(deployments: Sequence[Deployment]) -> Iterator[None]:
    """Wait until no other of the user's runs, loads or calls has a phone of these, or a stand-in's
    address; hold them meanwhile.

    The platform would call both registrations of one phone, calls from one number could not be told
    apart, and a deployment's limits would not hold over both runs. Raises :class:`ResourceError`.
    """
    with ExitStack() as stack:
        # sorted, or two runs could wait for each other
        for place, words in sorted(_exclusive_to_a_run(deployments).items()):
            said = f"waiting for another run, {words}"
            waiting = partial(print, said, file=sys.stderr, flush=True)
            stack.enter_context(address(place, waiting))
        yield


def _exclusive_to_a_run(deployments: Sequence[Deployment]) -> dict[str, str]:
    """Name of each lock → what another run has."""
    places: dict[str, str] = {}
    for deployment in deployments:
        if deployment.kind == "simulated":
            continue
        for name in deployment.phones:
            # a file name, which must not show a number
            hidden = hashlib.sha256(phone_key(deployment, name).encode()).hexdigest()
            places[f"phone {hidden[:32]}"] = f"which has the phone {name} of {deployment.name}"
        for trunk in deployment.trunks:
            if trunk.ai == "stand-in" and deployment.stand_in.bind is not None:
                place = f"{deployment.stand_in.bind}:{trunk.port}/{trunk.transport}"
                places[place] = f"whose stand-in is at {place}"
    return places
