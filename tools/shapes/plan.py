"""What is done with each customer: every case as it is, and some again with one fault on one
number.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.deployment import Deployment, Line
from harness.errors import SelectionError
from harness.integrations import matrix
from harness.integrations.matrix import Case
from tools.selfproof.plan import FAULTS, SEEN_AT_PHONES, WHOLE_TENANT, Where
from tools.shapes.untold import is_unseen
from tools.trials import named

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


@dataclass(frozen=True)
class Trial:
    """One case to run, clean, or with ``fault`` on the number ``line``."""

    case: Case
    fault: str = ""
    line: str = ""
    struck: bool = False  #: whether the fault has to show in this case


def trials(deployments: Sequence[Deployment], seed: int) -> Iterator[Trial]:
    """All trials of these customers; the same for the same seed."""
    for deployment in deployments:
        try:
            cases = matrix.cases([deployment])
        except SelectionError:  # it has none, which left_out says of every row
            continue
        wrong = deployment.name.endswith(WRONG)
        if not wrong:
            yield from map(Trial, cases)
        if wrong or deployment.kind == "simulated":
            yield from _with_fault(deployment, cases, seed)


def strikes(deployment: Deployment, cases: Sequence[Case]) -> dict[str, list[Case]]:
    """Each fault that can show at this customer, with the cases in which it has to."""
    found: dict[str, list[Case]] = {}
    for fault, places in FAULTS.items():
        if fault in WHOLE_TENANT or (deployment.kind == "live" and fault not in SEEN_AT_PHONES):
            continue
        for case in cases:
            where = (*places, *_FURTHER.get(fault, ()))
            if any(_admits(place, case) for place in where) and _shows(fault, case, deployment):
                found.setdefault(fault, []).append(case)
    return found


def _with_fault(deployment: Deployment, cases: Sequence[Case], seed: int) -> Iterator[Trial]:
    dice = random.Random(f"{seed} {deployment.name}")
    could = strikes(deployment, cases)
    if not could:
        return
    fault = dice.choice(sorted(could))
    struck = dice.choice(could[fault])
    assert struck.line is not None
    others = [case for case in cases if case.line != struck.line and case.row.seconds < 20.0]
    for case in (struck, *dice.sample(others, min(_OTHERS, len(others)))):
        yield Trial(named(case, fault), fault, struck.line, struck=case is struck)


def _admits(place: Where, case: Case) -> bool:
    """Whether a fault shows there, by the rows of the self-proof's integrations."""
    if case.line is None or not any(
        case.row.id in (row, row.replace("TD-", "SBC-")) for row in place.rows
    ):
        return False
    return all(
        case.axes[axis] != "none" if axis == "selector" else case.axes[axis] in values
        for axis, values in place.axes.items()
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
    if fault in _OF_TRANSFERS and case.row.moment == "transfer":
        return entry.refer == "consumed"
    match fault:
        case "caller-id-lost-on-fallback":
            fallen_to = deployment.groups[entry.fallback].present if entry.fallback else []
            return _see_callers(deployment, fallen_to)
        case "caller-id-lost-at-second-agent":
            return _see_callers(deployment, deployment.groups[str(entry.group)].present)
        case "caller-id-lost-on-transfer" if entry.assistant:
            handover = case.handover(deployment)
            topic = handover.transfer_topic if handover else None
            to = [name for name, group in deployment.groups.items() if topic in group.topic]
            agents = [
                agent
                for name in to + _transferred_to(case, deployment)
                for agent in deployment.groups[name].present
            ]
            return not agents or _see_callers(deployment, agents)
        case "fallback-missing" if case.row.moment == "people":
            return case.axes.get("overflow") not in (None, entry.group)
        case "fallback-wrong-group":  # without another group none rings, as without a fallback
            there = filter(deployment.is_within, deployment.groups.values())
            others = {agent for group in there for agent in group.present}
            return not others <= _members(deployment, entry.fallback)
        case (
            "trunk-limit-lower"
        ):  # than one is none: no call has a way to the AI, as without a route
            return deployment.trunk(case.trunk).max_concurrent_calls > 1
        case "hours-wrong":
            return _rings_at_the_wrong_time(entry, case, deployment)
        case "group-wrong" if entry.group:
            return _rings_others(deployment, [entry.group])
        case "group-wrong" if entry.assistant:
            to = _transferred_to(case, deployment)
            return entry.refer == "consumed" and _rings_others(deployment, to)
    return True


def _transferred_to(case: Case, deployment: Deployment) -> list[str]:
    """The group that the AI transfers to, if any."""
    handover = case.handover(deployment)
    return [handover.transfer_to] if handover and handover.transfer_to else []


def _members(deployment: Deployment, *groups: str | None) -> set[str]:
    return {agent for name in groups if name for agent in deployment.groups[name].agents}


def _rings_others(deployment: Deployment, groups: Sequence[str]) -> bool:
    """Whether any other group's first turn rings somebody who is in none of these, before an agent
    of theirs has answered.
    """
    own = _members(deployment, *groups)
    turns = [
        group.turns[0]
        for name, group in deployment.groups.items()
        if name not in groups and group.present and deployment.is_within(group)
    ]
    return bool(turns) and all(set(turn) - own for turn in turns)


def _rings_at_the_wrong_time(entry: Line, case: Case, deployment: Deployment) -> bool:
    """Whether a phone rings that belongs to the open number alone, or to the closed one alone."""
    closed = deployment.opening(case.line or "").closed
    if not case.row.out_of_hours:
        by_day = _members(deployment, entry.group, entry.fallback)
        return closed is not None and not set(deployment.groups[closed].first_turn) <= by_day
    if not entry.group:
        return True
    return not set(deployment.groups[entry.group].first_turn) <= _members(deployment, closed)
