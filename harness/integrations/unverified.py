"""What a deployment file declares and none of its cases exercises, each entry once with its reason,
whatever a run selects.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from harness.deployment import Deployment, Group
from harness.finding_kinds import LANDING, LANDING_TURN, VOICEMAIL
from harness.integrations import matrix
from harness.integrations.matrix import Case, calls_of, landing_groups
from harness.integrations.row_plan import RowPlan, named
from harness.integrations.which import FAILS_OVER, PEOPLE_THEN_AI, a_full_trunk


@dataclass(frozen=True, slots=True)
class Unverified:
    """Entries of a deployment file that no case exercises for the same reason."""

    deployment: str
    entries: tuple[str, ...]  #: keys of the file: ``trunks.NAME``, ``groups.NAME.voicemail``
    why: str

    def __str__(self) -> str:
        return f"{named(self.entries)}: {self.why}"


def unverified(deployment: Deployment, every: Sequence[RowPlan] | None = None) -> list[Unverified]:
    """Every such entry; ``every``: the result of :func:`matrix.every_row`, if known."""
    every = matrix.every_row(deployment) if every is None else every
    by_reason: dict[str, list[str]] = {}
    for entry, why in _Declared(deployment, every).unused():
        by_reason.setdefault(why, []).append(entry)
    return [Unverified(deployment.name, tuple(entries), why) for why, entries in by_reason.items()]


class _Declared:
    def __init__(self, deployment: Deployment, every: Sequence[RowPlan]) -> None:
        self._deployment = deployment
        self._every = every
        self._cases = [case for plan in every for case in matrix.cases_of(plan)]
        self._reached = {name for case in self._cases for name in landing_groups(case, deployment)}
        self._rung_in_turns = {
            deployment.lines[c.line].group
            for c in self._cases
            if c.line and LANDING_TURN in c.required_findings
        }
        self._failed_over, self._overflowed = (
            {c.line for c in self._cases if c.line and c.row.which and which in c.row.which}
            for which in (FAILS_OVER, PEOPLE_THEN_AI)
        )

    def unused(self) -> Iterator[tuple[str, str]]:
        yield from self._trunks()
        coded, axes = {case.axes.get("codec") for case in self._cases}, self._deployment.axes
        for codec in axes.codecs if "codecs" in axes.model_fields_set else ():
            if codec not in coded:
                yield f"axes.codecs.{codec}", "no case calls the AI with it"
        yield from self._lines()
        called = {self._deployment.lines[case.line].ai for case in self._cases if case.line}
        led = {line.ai for line in self._deployment.lines.values()}
        for name in (name for name in self._deployment.assistants if name not in called):
            yield (
                f"assistants.{name}",
                "no case calls its numbers" if name in led else "no number leads to it",
            )
        yield from self._groups()
        yield from self._phones()

    def _trunks(self) -> Iterator[tuple[str, str]]:
        deployment = self._deployment
        lines = deployment.lines
        carrying = {trunk for name, trunk, _ in deployment.all_dids() if lines[name].ai}
        fails_over = {line.failover for line in deployment.lines.values()} - {None}
        used = {case.trunk for case in self._cases if case.row.moment != "people"}
        used |= {str(deployment.lines[name].failover) for name in self._failed_over}
        filled = {case.trunk for case in self._cases if case.row.calls is a_full_trunk}
        plan = next((plan for plan in self._every if plan.row.calls is a_full_trunk), None)
        for trunk in deployment.trunks:
            if trunk.name not in used:
                unproved = (
                    "it carries calls only while another trunk is down"
                    if trunk.name in fails_over
                    else ""
                )
                why = (
                    "no case is proved over it"
                    if trunk.name in carrying
                    else unproved or "it carries no number"
                )
                yield f"trunks.{trunk.name}", why
            elif "max_concurrent_calls" in trunk.model_fields_set and trunk.name not in filled:
                why = (
                    f"no row of {deployment.integration} fills a trunk"
                    if plan is None
                    else plan.why_not_over(trunk)
                )
                yield f"trunks.{trunk.name}.max_concurrent_calls", why

    def _lines(self) -> Iterator[tuple[str, str]]:
        deployment, cases = self._deployment, self._cases
        said = {left.line for left in matrix.left_out(deployment, self._every)}
        once = (
            'depth = "once": other numbers prove the rows'
            if deployment.depth == "once"
            else "no row calls it"
        )
        used = {case.line for case in cases}
        falls = {case.axes.get("overflow") for case in cases}
        falls |= {
            deployment.lines[case.line].fallback
            for case in cases
            if case.line and _falls_back(case)
        }
        for name, line in deployment.lines.items():
            if line.failover is not None and name not in self._failed_over:
                yield (
                    f"lines.{name}.failover",
                    "its own trunk is never down (reachable = true, and no stand-in to leave it)",
                )
            if line.overflow is not None and name not in self._overflowed | said:
                why = "its agents cannot all decline, or its assistant does not talk"
                yield f"lines.{name}.overflow", why
            if name not in used | said:
                yield f"lines.{name}", once
            elif line.fallback is not None and name not in said and line.fallback not in falls:
                yield f"lines.{name}.fallback", self._why_no_fallback(name)

    def _why_no_fallback(self, name: str) -> str:
        line, groups = self._deployment.lines[name], self._deployment.groups
        group = groups[str(line.fallback)]
        if group.empty and not group.has_machine:
            return "no agent and no machine answers there"
        if line.group is None:
            return next(
                (p.reason.why for p in self._every if p.row.moment == "fallback" and p.reason),
                "no row calls it",
            )
        if line.overflow:
            return "its assistant takes such calls first"
        if groups[line.group].has_machine:
            return "the machine of its own group answers first"
        if not group.present and not group.is_machine:
            return "no agent there has a harness phone"
        return "harness phones cannot decline for all of its own group, or are in both groups"

    def _groups(self) -> Iterator[tuple[str, str]]:
        deployment = self._deployment
        handovers = [
            h for name in deployment.assistants for h in deployment.handovers(name).values()
        ]
        led = {
            to
            for line in deployment.lines.values()
            for to in (line.group, line.fallback, line.closed)
        }
        led |= {to for group in deployment.groups.values() for to in (group.overflow, group.closed)}
        timed = {line.group for line in deployment.lines.values()}
        timed |= {handover.transfer_to for handover in handovers if handover.transfer == "cold"}
        overflowed = {
            handover.transfer_to
            for case in self._cases
            if matrix.taker_after_transfer(case, deployment)
            and (handover := case.handover(deployment)) is not None
        }
        led |= {
            to
            for handover in handovers
            for to in (handover.transfer_to, deployment.lands_at(handover))
        }
        heard = {
            case.axes.get("overflow") for case in self._cases if VOICEMAIL in case.required_findings
        }
        sent = {handover.transfer_topic for handover in handovers}
        for name, group in deployment.groups.items():
            unsent = [topic for topic in group.topic if topic not in sent]
            if unsent and name in self._reached:
                yield f"groups.{name}.topic", f"no handover sends {', '.join(unsent)}"
            if group.overflow is not None and name in self._reached - overflowed:
                why = "no transfer leads to it, or its agents cannot all decline"
                yield f"groups.{name}.overflow", why
            if group.hours and name not in timed:
                yield f"groups.{name}.hours", "no number of people and no cold handover leads to it"
            if name in self._reached:
                yield from _waits(name, group)
            if name in self._reached and group.turns[1:] and name not in self._rung_in_turns:
                yield f"groups.{name}.rings", "no row calls a number of people that leads to it"
            if name not in self._reached:
                now = "no case lands there" if deployment.is_within(group) else "it is closed now"
                why = now if name in led else "no number, handover or topic leads to it"
                yield f"groups.{name}", why
            elif group.has_machine and not group.is_machine and name not in heard:
                why = "no number of people leads to it, or its agents cannot all decline"
                yield f"groups.{name}.{'voicemail' if group.voicemail else 'announcement'}", why

    def _phones(self) -> Iterator[tuple[str, str]]:
        deployment = self._deployment
        agents = {agent for group in deployment.groups.values() for agent in group.agents}
        called = {call.who for case in self._cases for call in calls_of(case, deployment)}
        campaign = deployment.campaign is not None and deployment.campaign.customer
        callers = set(deployment.callers)
        for name in (
            name for name in deployment.phones if name not in agents | called | {campaign}
        ):
            why = (
                "there are fewer cases than callers"
                if name in callers
                else "it is no caller: other phones have numbers, or its address"
            )
            yield f"phones.{name}", why
        yield from self._agents()
        used = {phone.account for phone in deployment.phones.values()}
        for name in (name for name in deployment.accounts if name not in used):
            yield f"accounts.{name}", "no phone uses it"
        moments: Iterable[str] = (plan.row.moment for plan in self._every)
        if deployment.campaign is not None and "campaign" not in moments:
            yield "campaign", f"{deployment.integration} has no row with a campaign"

    def _agents(self) -> Iterator[tuple[str, str]]:
        """Agents whom no case is sure to ring, or to have take a call."""
        deployment, cases = self._deployment, self._cases
        answering = {
            name
            for case in cases
            if LANDING in case.required_findings
            for name in matrix.answering_groups(case, deployment)
        }
        rings, takes = set[str](), set[str]()
        for name in answering:
            turns = deployment.groups[name].turns
            count = (deployment.telling_turn(name) or 0) + 1
            rung = turns if name in self._rung_in_turns else turns[:count]
            rings.update(*rung)
            if rung and len(rung[-1]) == 1 and not deployment.groups[name].others:
                takes.update(rung[-1])
        reached = (deployment.groups[name] for name in self._reached)
        present = {a for group in reached if deployment.is_within(group) for a in group.present}
        for name, phone in deployment.phones.items():
            if name in present - rings:
                yield f"phones.{name}", "it rings only in a later turn of its groups"
            elif name in present - takes and phone.accept is not None:
                yield f"phones.{name}.accept", "another agent of its groups may take each call"


def _waits(name: str, group: Group) -> Iterator[tuple[str, str]]:
    """Times of a group that no case waits for."""
    for key in ("ring_s", "pause_s") if group.turns[1:] else ():
        if key in group.model_fields_set:
            yield f"groups.{name}.{key}", "harness phones answer or decline at once"
    if group.queue_s:
        yield f"groups.{name}.queue_s", "no case waits until its queue gives up"


def _falls_back(case: Case) -> bool:
    lands = {LANDING, VOICEMAIL} & case.required_findings.keys()
    return bool(lands) and case.row.moment not in ("people", "transfer", "campaign")
