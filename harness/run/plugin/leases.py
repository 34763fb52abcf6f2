"""Leases a case a deployment for itself, or a part of one that other cases use at the same time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from harness.calls.events import AskedByOptions
from harness.deployment import Deployment
from harness.deployment.limits import Lease, lease, try_lease
from harness.errors import HarnessError
from harness.integrations.matrix import Case
from harness.phone.switchboard import wait_until_asked
from harness.run.plugin.needs import Needs, landing_agents, needs_of, phone_key
from harness.run.plugin.run import Run
from harness.scenario.case_phones import ALONE, ConcurrentCases
from harness.scenario.handover import number_shown
from harness.scenario.phones import stand_in
from harness.support.files.names import stem_of

_POLL_S = 0.05


@dataclass(frozen=True)
class Leased:
    """The deployment as the case has it, and the cases beside it."""

    replica: Deployment
    company: ConcurrentCases = ALONE

    def wait_until_asked(self, case: Case) -> AskedByOptions | None:
        """Wait until the platform has asked the stand-in's phone by OPTIONS, where it does; None where no phone is kept for that."""
        if self.company.switchboard is None or case.axes["ai"] != "stand-in":
            return None
        phone = stand_in(self.replica, self.replica.trunk(case.trunk))
        with suppress(HarnessError):  # the case says why it cannot be reached
            return wait_until_asked(self.company.switchboard, phone, self.replica.stand_in.options_every_s)
        return None


@contextmanager
def leased(run: Run, case: Case, *, alone: bool = False) -> Iterator[Leased]:
    """Wait until the case can run. ``alone``: with no other of its deployment beside it."""
    replicas = run.replicas[case.deployment]
    if run.switchboard is None or replicas[0].kind == "simulated":
        first = run.slot % len(replicas)  # each worker goes back to its own, where its phones are registered
        order = [*range(first, len(replicas)), *range(first)]
        with lease([run.control / f"replica-{stem_of(case.deployment)}-{index}" for index in order]) as held:
            yield Leased(replicas[order[held.index]])
        return
    whole, alone = replicas[0], alone or run.slots == 1
    table = LeaseTable(run.control / "table", [deployment.name for deployment in run.deployments])
    with table.taken(needs_of(case, whole), whole, alone=alone) as callers:
        replica, mine = _narrowed(whole, callers), set(callers)
        if case.row.moment == "campaign":
            mine.add(replica.customer)
        yield Leased(replica, _company(run, case, whole, mine, alone=alone))


def _narrowed(deployment: Deployment, callers: list[str]) -> Deployment:
    """The deployment with these callers alone: the others are another case's."""
    without = {deployment.address_of_record(name) for name in set(deployment.callers) - set(callers)}
    phones = {n: p for n, p in deployment.phones.items() if deployment.address_of_record(n) not in without}
    return deployment.model_copy(update={"phones": phones})


def _company(run: Run, case: Case, deployment: Deployment, mine: set[str], *, alone: bool) -> ConcurrentCases:
    numbers = {name: phone.number for name, phone in deployment.phones.items() if phone.number}
    agents = {agent for group in deployment.groups.values() for agent in group.agents}
    return ConcurrentCases(
        switchboard=Path(run.switchboard) if run.switchboard else None,
        numbers=tuple(number for name, number in numbers.items() if name in mine),
        others=frozenset() if alone else frozenset(n for name, n in numbers.items() if name not in mine | agents),
        lands_at=landing_agents(case, deployment),
        withholds=case.row.withholds,
        shows=_shows(case, deployment),
    )


def _shows(case: Case, deployment: Deployment) -> str | None:
    """What an agent sees after the case's warm transfer, where it is another number than the caller's."""
    handover = case.handover(deployment)
    if case.row.hands_over != "warm" or case.line is None or handover is None:
        return None
    return number_shown(handover, deployment.assistants[str(deployment.lines[case.line].assistant)].did)


class LeaseTable:
    """File locks by name. A case takes all that it needs at once, or nothing, so that no two wait for each other."""

    def __init__(self, directory: Path, deployments: list[str]) -> None:
        self._directory, self._deployments = directory, deployments
        directory.mkdir(exist_ok=True)

    @contextmanager
    def taken(self, needs: Needs, deployment: Deployment, *, alone: bool = False) -> Iterator[list[str]]:
        """Wait until all of it is taken; yields the names of the callers. ``alone``: with no other case of the deployment."""
        with ExitStack() as waiting:
            if alone:  # no other case may begin meanwhile, or this one might wait for ever
                waiting.enter_context(lease([self._file(f"wish of {deployment.name}")]))
            while (found := self._try(needs, deployment, alone=alone)) is None:
                time.sleep(_POLL_S)
            held, callers = found
        with held:
            yield callers

    def _file(self, name: str) -> Path:
        return self._directory / stem_of(name)

    def _try(self, needs: Needs, deployment: Deployment, *, alone: bool) -> tuple[ExitStack, list[str]] | None:
        with ExitStack() as stack, lease([self._file("mutex")]):
            if not alone and not self._is_free(f"wish of {deployment.name}"):
                return None
            for name in needs.shared | needs.exclusive:
                shared = not (alone or name in needs.exclusive)
                if not self._take(stack, f"{name} by {deployment.name}", shared=shared):
                    return None
                others = (f"{name} by {other}" for other in self._deployments if other != deployment.name)
                if not all(map(self._is_free, others)):
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
