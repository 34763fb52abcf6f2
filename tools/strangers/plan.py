"""Which cases are run: every fault on each of its rows, over the transports in turn, and clean ones
between.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, cycle

from harness.deployment import Deployment
from harness.integrations.matrix import Case, cases
from tools.strangers.fault import FAULTS, Fault
from tools.trials import named

#: Rows that this platform cannot carry out: it is a proxy, in front of a wire that hides who
#: registers.
LEFT_OUT = ("TD-REGISTER-NOTALLOWED", "SESSIONTIMER", "LONGCALL", "TLS-BADCERT")


_OF_A_TRUNK = ("transport", "codec", "authentication")


@dataclass(frozen=True)
class Trial:
    """A case, and the fault it is run with; None for a clean one."""

    case: Case
    fault: Fault | None


def trials(
    deployments: Sequence[Deployment], clean: int, only: Sequence[str], held_out: bool
) -> list[Trial]:
    """All of them, dealt to the deployments in turn. ``held_out`` adds the faults that are kept
    aside.
    """
    by_deployment = [[c for c in cases([each]) if c.row.id not in LEFT_OUT] for each in deployments]
    turn = cycle(range(len(deployments)))
    numbers = count()
    found: list[Trial] = []
    for index, fault in enumerate(FAULTS):
        asked = fault.name in only if only else held_out or not fault.held_out
        if not asked:
            continue
        for row in fault.rows:
            for case in _chosen(fault, row, by_deployment[next(turn)], index):
                found.append(Trial(named(case, f"{fault.name}.{next(numbers)}"), fault))
    for round_number in count():
        for case in by_deployment[0]:
            if sum(trial.fault is None for trial in found) >= clean:
                return found
            other = by_deployment[next(turn)]
            same = next(c for c in other if (c.row.id, c.axes) == (case.row.id, case.axes))
            found.append(Trial(named(same, f"clean.{round_number}"), None))
    return found


def _chosen(fault: Fault, row: str, among: Sequence[Case], index: int) -> Iterator[Case]:
    """One case for each combination of the fault's own axes; the transport changes with the fault."""
    variants: dict[tuple[str, ...], list[Case]] = {}
    for case in among:
        if case.row.id == row and _fits(fault, case):
            own = (value for axis, value in case.axes.items() if axis not in _OF_A_TRUNK)
            variants.setdefault(tuple(own), []).append(case)
    for same in variants.values():
        yield same[index % len(same)]


def _fits(fault: Fault, case: Case) -> bool:
    if case.axes.get("ask", "digit") != "digit":
        return False
    wanted = dict(fault.axes)
    if "authentication" in wanted and case.axes["ai"] == "stand-in":
        # a stand-in's trunk has a password where it has a user name: here all but the one over UDP
        digest = case.axes["transport"] != "udp"
        if digest is not (wanted.pop("authentication") == ("digest",)):
            return False
    return all(case.axes.get(axis) in values for axis, values in wanted.items())
