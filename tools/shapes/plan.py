"""What is done with each customer: every case as it is, and some again with one fault on one
number.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from harness.deployment import Deployment, Line
from harness.errors import SelectionError
from harness.integrations import matrix
from harness.integrations.matrix import Case
from tools.selfproof.plan import FAULTS, SEEN_AT_PHONES, WHOLE_TENANT, Where
from tools.shapes.untold import is_unseen
from tools.trials import AXIS

#: How the second deployment of a customer's ends whose world is up by itself: it is wrong for as
#: long as it is.
WRONG = "-wrong"
#: Cases of other numbers, and of none, that run with the fault on: it must not show there.
_OTHERS = 4

#: What the platform does on calls that it transfers itself: one that a caller's phone places on a
#: REFER is no call of the number's.
_OF_TRANSFERS = frozenset(
    {
        "group-answered-by-others",
        "agent-hangup-not-passed-on",
        "transfer-no-audio",
        "agent-audio-stops",
    }
)


#: Rows on which faults show with the hours and overflows that customers have.
_FURTHER: Mapping[str, Sequence[Where]] = {
    "fallback-missing": [Where(("PEOPLE", "VOICEMAIL"))],
    "hours-wrong": [Where(("TD-INBOUND", "GL-INBOUND", "PEOPLE"))],
}

#: Stands for every fault where some are named that alone are to be tried.
ANY = "any"


@dataclass(frozen=True)
class Drawing:
    """What is drawn: the same for the same seed; with ``faults`` no clean cases, and these faults
    alone.
    """

    seed: int
    faults: tuple[str, ...] = ()

    def admits(self, fault: str) -> bool:
        """Whether it is one of those to be tried."""
        return not self.faults or fault in self.faults or ANY in self.faults


@dataclass(frozen=True)
class Trial:
    """One case to run, clean, or with ``fault`` on the number ``line``."""

    case: Case
    fault: str = ""
    line: str = ""
    struck: bool = False  #: whether the fault has to show in this case


def trials(deployments: Sequence[Deployment], drawing: Drawing) -> Iterator[Trial]:
    """All trials of these customers."""
    for deployment in deployments:
        try:
            cases = matrix.cases([deployment])
        except SelectionError:  # it has none, which left_out says of every row
            continue
        wrong = deployment.name.endswith(WRONG)
        if not wrong and not drawing.faults:
            yield from (Trial(case) for case in cases)
        if wrong or deployment.kind == "simulated":
            yield from _with_fault(deployment, cases, drawing)


def _with_fault(deployment: Deployment, cases: Sequence[Case], drawing: Drawing) -> Iterator[Trial]:
    dice = random.Random(f"{drawing.seed} {deployment.name}")
    strikes = [
        (fault, case)
        for fault, places in FAULTS.items()
        if drawing.admits(fault)
        and fault not in WHOLE_TENANT
        and (deployment.kind != "live" or fault in SEEN_AT_PHONES)
        for case in cases
        if any(_admits(place, case) for place in (*places, *_FURTHER.get(fault, ())))
        and _shows(fault, case, deployment)
    ]
    if not strikes:
        return
    fault = dice.choice(sorted({fault for fault, _ in strikes}))
    struck = dice.choice([case for name, case in strikes if name == fault])
    assert struck.line is not None
    others = [case for case in cases if case.line != struck.line and case.row.seconds < 20.0]
    for case in (struck, *dice.sample(others, min(_OTHERS, len(others)))):
        axes = {**case.axes, AXIS: fault}
        yield Trial(replace(case, axes=axes), fault, struck.line, struck=case is struck)


def _admits(place: Where, case: Case) -> bool:
    """Whether a fault shows there, by the rows of the self-proof's integrations."""
    if case.line is None or not any(
        case.row.id in (row, row.replace("TD-", "SBC-")) for row in place.rows
    ):
        return False
    wanted: Mapping[str, tuple[str, ...]] = place.axes
    return all(
        case.axes[axis] != "none" if axis == "selector" else case.axes[axis] in values
        for axis, values in wanted.items()
        if axis in case.axes
    )


def _see_callers(deployment: Deployment, agents: Sequence[str]) -> bool:
    """Whether there are agents, and each one's phone shows the caller's number as it is."""
    return bool(agents) and all(deployment.phones[agent].shows == "original" for agent in agents)


def _shows(fault: str, case: Case, deployment: Deployment) -> bool:
    """Whether anybody of ours sees the fault at this number.

    An agent's telephone may show any number as it is; a group is exchanged for another one that has
    agents, on calls that the platform itself transfers (one that a caller's phone places on a REFER
    is no call of the number's).
    """
    entry = deployment.lines[case.line or ""]
    if is_unseen(fault, case, deployment):
        return False
    if fault == "caller-id-lost-on-fallback":
        fallen_to = deployment.groups[entry.fallback].present if entry.fallback else []
        return _see_callers(deployment, fallen_to)
    if fault == "fallback-missing" and case.row.moment == "people":
        return case.axes.get("overflow") not in (None, entry.group)
    if fault == "caller-id-lost-at-second-agent":
        return _see_callers(deployment, deployment.groups[str(entry.group)].present)
    if (
        fault == "hours-wrong" and case.row.out_of_hours and entry.group
    ):  # a phone rings that belongs to the open number alone
        closed = deployment.opening(case.line or "").closed
        by_night = set(deployment.groups[closed].agents) if closed else set()
        return bool(set(deployment.groups[entry.group].first_turn) - by_night)
    if (
        fault == "hours-wrong" and not case.row.out_of_hours
    ):  # a phone rings that belongs to the closed number alone
        closed = deployment.opening(case.line or "").closed
        return closed is not None and _rings_first(deployment, entry, closed)
    if fault == "fallback-wrong-group":  # where nobody else is, none is rung, as without a fallback
        return _has_others(deployment, [entry.fallback] if entry.fallback else [])
    if (
        fault == "trunk-limit-lower"
    ):  # than one is none: no call has a way to the AI, as without a route
        return deployment.trunk(case.trunk).max_concurrent_calls > 1
    if fault in _OF_TRANSFERS and case.row.moment == "transfer" and entry.refer != "consumed":
        return False
    if fault == "group-wrong" and entry.group:
        return _rings_others(deployment, [entry.group])
    if fault not in ("caller-id-lost-on-transfer", "group-wrong") or entry.assistant is None:
        return True
    handover = case.handover(deployment)
    to = [handover.transfer_to] if handover and handover.transfer_to else []
    if fault == "group-wrong":
        return entry.refer == "consumed" and _rings_others(deployment, to)
    topic = handover.transfer_topic if handover else None
    to += [name for name, group in deployment.groups.items() if topic in group.topic]
    agents = {agent for name in to for agent in deployment.groups[name].present}
    return all(deployment.phones[agent].shows == "original" for agent in agents)


def _rings_others(deployment: Deployment, groups: Sequence[str]) -> bool:
    """Whether any other group's first turn rings somebody who is in none of these, before an agent
    of theirs has answered.
    """
    own = {agent for name in groups for agent in deployment.groups[name].agents}
    turns = [
        group.turns[0]
        for name, group in deployment.groups.items()
        if name not in groups and group.present and deployment.is_within(group)
    ]
    return bool(turns) and all(set(turn) - own for turn in turns)


def _rings_first(deployment: Deployment, entry: Line, closed: str) -> bool:
    """Whether the first turn out of hours has somebody who takes no call by day."""
    by_day = {
        agent
        for name in (entry.group, entry.fallback)
        if name
        for agent in deployment.groups[name].agents
    }
    return bool(set(deployment.groups[closed].first_turn) - by_day)


def _has_others(deployment: Deployment, groups: Sequence[str]) -> bool:
    """Whether somebody is in a group who is in none of these."""
    own = {agent for name in groups for agent in deployment.groups[name].agents}
    there = filter(deployment.is_within, deployment.groups.values())
    return bool({agent for group in there for agent in group.present} - own)
