"""What a deployment file declares and none of its cases exercises, each entry once with its reason,
whatever a run selects.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from harness.deployment import Deployment, Group, Handover, Trunk
from harness.finding_kinds import LANDING, LANDING_TURN, VOICEMAIL
from harness.integrations import matrix
from harness.integrations.base import Which
from harness.integrations.matrix import Case, calls_of, landing_groups
from harness.integrations.row_plan import RowPlan, named
from harness.integrations.which import FAILS_OVER, PEOPLE_THEN_AI, a_full_trunk

_NO_ROW: Final = "no row calls it"
_NOT_TIMED: Final = "no number of people and no cold handover leads to it"


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
        turns = [case for case in self._cases if LANDING_TURN in case.required_findings]
        self._rung_in_turns = {deployment.lines[case.line].group for case in turns if case.line}
        self._failed_over = self._lines_of_rows_with(FAILS_OVER)
        self._overflowed = self._lines_of_rows_with(PEOPLE_THEN_AI)

    def _lines_of_rows_with(self, condition: Which) -> set[str]:
        """The numbers that cases call whose rows have this condition."""
        found = set()
        for case in self._cases:
            if case.line and condition in (case.row.which or ()):
                found.add(case.line)
        return found

    def unused(self) -> Iterator[tuple[str, str]]:
        """Each entry that no case exercises, and why."""
        yield from self._trunks()
        yield from self._codecs()
        yield from self._lines()
        yield from self._assistants()
        yield from self._groups()
        yield from self._phones()

    def _codecs(self) -> Iterator[tuple[str, str]]:
        axes = self._deployment.axes
        if "codecs" not in axes.model_fields_set:
            return
        used = {case.axes.get("codec") for case in self._cases}
        for codec in axes.codecs:
            if codec not in used:
                yield f"axes.codecs.{codec}", "no case calls the AI with it"

    def _assistants(self) -> Iterator[tuple[str, str]]:
        lines = self._deployment.lines
        called = {lines[case.line].ai for case in self._cases if case.line}
        led = {line.ai for line in lines.values()}
        for name in self._deployment.assistants:
            if name not in called:
                why = "no case calls its numbers" if name in led else "no number leads to it"
                yield f"assistants.{name}", why

    def _trunks(self) -> Iterator[tuple[str, str]]:
        deployment = self._deployment
        used = {case.trunk for case in self._cases if case.row.moment != "people"}
        used |= {str(deployment.lines[name].failover) for name in self._failed_over}
        filled = {case.trunk for case in self._cases if case.row.calls is a_full_trunk}
        for trunk in deployment.trunks:
            if trunk.name not in used:
                yield f"trunks.{trunk.name}", self._why_trunk_unused(trunk)
            elif "max_concurrent_calls" in trunk.model_fields_set and trunk.name not in filled:
                yield f"trunks.{trunk.name}.max_concurrent_calls", self._why_not_filled(trunk)

    def _why_trunk_unused(self, trunk: Trunk) -> str:
        deployment = self._deployment
        lines = deployment.lines
        if trunk.name in {name for line, name, _ in deployment.all_dids() if lines[line].ai}:
            return "no case is proved over it"
        if trunk.name in {line.failover for line in lines.values()}:
            return "it carries calls only while another trunk is down"
        return "it carries no number"

    def _why_not_filled(self, trunk: Trunk) -> str:
        for plan in self._every:
            if plan.row.calls is a_full_trunk:
                return plan.why_not_over(trunk)
        return f"no row of {self._deployment.integration} fills a trunk"

    def _lines(self) -> Iterator[tuple[str, str]]:
        deployment, cases = self._deployment, self._cases
        said = {left.line for left in matrix.left_out(deployment, self._every)}
        used = {case.line for case in cases}
        falls = {case.axes.get("overflow") for case in cases}
        for case in cases:
            if case.line and _falls_back(case):
                falls.add(deployment.lines[case.line].fallback)
        for name, line in deployment.lines.items():
            if line.failover is not None and name not in self._failed_over:
                why = "its own trunk is never down (reachable = true, and no stand-in to leave it)"
                yield f"lines.{name}.failover", why
            if name in said:
                continue
            if line.overflow is not None and name not in self._overflowed:
                why = "its agents cannot all decline, or its assistant does not talk"
                yield f"lines.{name}.overflow", why
            if name not in used:
                is_once = deployment.depth == "once"
                why = 'depth = "once": other numbers prove the rows' if is_once else _NO_ROW
                yield f"lines.{name}", why
            elif line.fallback is not None and line.fallback not in falls:
                yield f"lines.{name}.fallback", self._why_no_fallback(name)

    def _why_no_fallback(self, name: str) -> str:
        line, groups = self._deployment.lines[name], self._deployment.groups
        group = groups[str(line.fallback)]
        if group.empty and not group.has_machine:
            return "no agent and no machine answers there"
        if line.group is None:
            for plan in self._every:
                if plan.row.moment == "fallback" and plan.reason:
                    return plan.reason.why
            return _NO_ROW
        if line.overflow:
            return "its assistant takes such calls first"
        if groups[line.group].has_machine:
            return "the machine of its own group answers first"
        if not group.present and not group.is_machine:
            return "no agent there has a harness phone"
        return "harness phones cannot decline for all of its own group, or are in both groups"

    def _groups(self) -> Iterator[tuple[str, str]]:
        deployment = self._deployment
        handovers = self._handovers()
        timed = {line.group for line in deployment.lines.values()}
        timed |= {handover.transfer_to for handover in handovers if handover.transfer == "cold"}
        overflowed, heard = self._overflowed_groups(), set[str | None]()
        for case in self._cases:
            if VOICEMAIL in case.required_findings:
                heard.add(case.axes.get("overflow"))
        sent = {handover.transfer_topic for handover in handovers}
        led = self._led_to()
        for name, group in deployment.groups.items():
            is_untimed = bool(group.hours) and name not in timed
            if name not in self._reached:
                if is_untimed:
                    yield f"groups.{name}.hours", _NOT_TIMED
                now = "no case lands there" if deployment.is_within(group) else "it is closed now"
                why = now if name in led else "no number, handover or topic leads to it"
                yield f"groups.{name}", why
                continue
            unsent = [topic for topic in group.topic if topic not in sent]
            if unsent:
                yield f"groups.{name}.topic", f"no handover sends {', '.join(unsent)}"
            if group.overflow is not None and name not in overflowed:
                why = "no transfer leads to it, or its agents cannot all decline"
                yield f"groups.{name}.overflow", why
            if is_untimed:
                yield f"groups.{name}.hours", _NOT_TIMED
            yield from _waits(name, group)
            if group.turns[1:] and name not in self._rung_in_turns:
                yield f"groups.{name}.rings", "no row calls a number of people that leads to it"
            if group.has_machine and not group.is_machine and name not in heard:
                why = "no number of people leads to it, or its agents cannot all decline"
                yield f"groups.{name}.{'voicemail' if group.voicemail else 'announcement'}", why

    def _handovers(self) -> list[Handover]:
        found: list[Handover] = []
        for name in self._deployment.assistants:
            found += self._deployment.handovers(name).values()
        return found

    def _overflowed_groups(self) -> set[str | None]:
        """The groups whose agents decline a transfer in some case."""
        found = set[str | None]()
        for case in self._cases:
            handover = case.handover(self._deployment)
            if handover is not None and matrix.taker_after_transfer(case, self._deployment):
                found.add(handover.transfer_to)
        return found

    def _led_to(self) -> set[str | None]:
        """The groups to which a number, another group or a handover leads."""
        deployment = self._deployment
        led: set[str | None] = set()
        for line in deployment.lines.values():
            led |= {line.group, line.fallback, line.closed}
        for group in deployment.groups.values():
            led |= {group.overflow, group.closed}
        for handover in self._handovers():
            led |= {handover.transfer_to, deployment.lands_at(handover)}
        return led

    def _phones(self) -> Iterator[tuple[str, str]]:
        deployment = self._deployment
        used = set[str | None]()
        for group in deployment.groups.values():
            used.update(group.agents)
        for case in self._cases:
            used.update(call.who for call in calls_of(case, deployment))
        if deployment.campaign is not None:
            used.add(deployment.campaign.customer)
        callers = set(deployment.callers)
        for name in deployment.phones:
            if name not in used:
                if name in callers:
                    why = "there are fewer cases than callers"
                else:
                    why = "it is no caller: other phones have numbers, or its address"
                yield f"phones.{name}", why
        yield from self._agents()
        accounts = {phone.account for phone in deployment.phones.values()}
        for name in deployment.accounts:
            if name not in accounts:
                yield f"accounts.{name}", "no phone uses it"
        moments: Iterable[str] = (plan.row.moment for plan in self._every)
        if deployment.campaign is not None and "campaign" not in moments:
            yield "campaign", f"{deployment.integration} has no row with a campaign"

    def _agents(self) -> Iterator[tuple[str, str]]:
        """Agents whom no case is sure to ring, or to have take a call."""
        deployment = self._deployment
        answering: dict[str, None] = {}
        for case in self._cases:
            if LANDING in case.required_findings:
                answering.update(dict.fromkeys(matrix.answering_groups(case, deployment)))
        rings, takes = set[str](), set[str]()
        for name in answering:
            turns = deployment.groups[name].turns
            count = (deployment.telling_turn(name) or 0) + 1
            rung = turns if name in self._rung_in_turns else turns[:count]
            rings.update(*rung)
            if rung and len(rung[-1]) == 1 and not deployment.groups[name].others:
                takes.update(rung[-1])
        present = set[str]()
        for name in self._reached:
            if deployment.is_within(deployment.groups[name]):
                present.update(deployment.groups[name].present)
        for name, phone in deployment.phones.items():
            if name in present - rings:
                yield f"phones.{name}", "it rings only in a later turn of its groups"
            elif name in present - takes and phone.accept is not None:
                yield f"phones.{name}.accept", "another agent of its groups may take each call"


def _waits(name: str, group: Group) -> Iterator[tuple[str, str]]:
    """Times of a group that no case waits for."""
    if group.turns[1:]:
        for key in ("ring_s", "pause_s"):
            if key in group.model_fields_set:
                yield f"groups.{name}.{key}", "harness phones answer or decline at once"
    if group.queue_s:
        yield f"groups.{name}.queue_s", "no case waits until its queue gives up"


def _falls_back(case: Case) -> bool:
    lands = {LANDING, VOICEMAIL} & case.required_findings.keys()
    return bool(lands) and case.row.moment not in ("people", "transfer", "campaign")
