"""The landing of one test call by the platform's report: the rows about the call, and their
conclusion.

A report lists all calls of the platform. A row is about the test call if it has the call's caller
ID and began within the call's time. A row that an earlier call of the same caller may have left
proves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.deployment import plain_name
from harness.sip.identity import is_address
from harness.witness.platform_report import ReportRow, names_in

#: What the clocks of platform and harness may differ by. An earlier call of the same caller began
#: at least ``stay_s`` before.
CLOCKS_DIFFER_S = 2.0


@dataclass(frozen=True, slots=True)
class Sought:
    """The call that is looked for; moments are seconds since 1970 by this machine's clock."""

    caller: str  #: who called, E.164
    shown: str  #: the number that its landing shows, E.164: the caller's, or another that a transfer promises
    line: str  #: the number that was called, E.164
    target: str  #: the group's own number, E.164, or its user; empty where it has neither
    region: str
    began: float
    #: When the AI was asked to hand over; None where the platform's own routing leads to the group.
    handed_over: float | None
    ended: float
    #: The number of the AI that is to hand over, E.164; empty where there is none.
    assistant: str = ""
    #: Whether other people's calls to the group show ``shown``, too.
    is_shown_by_others: bool = False


@dataclass(frozen=True, slots=True)
class GroupNames:
    """The report's names of the deployment's groups, in plain form."""

    of: Mapping[str, str]  #: name in the report → the group
    wanted: str  #: the group that the call is to land in
    ignored: frozenset[str] = frozenset()

    @classmethod
    def make(
        cls, reported_as: Mapping[str, Sequence[str]], wanted: str, ignored: Sequence[str]
    ) -> GroupNames:
        """From the names of each group, as written."""
        of: dict[str, str] = {}
        for group, names in reported_as.items():
            for name in names:
                of[plain_name(name)] = group
        return cls(of, wanted, frozenset(map(plain_name, ignored)))

    def read(self, row: ReportRow) -> list[str]:
        """The groups of a row: those of the deployment by its names, others as the report has them."""
        groups: dict[str, None] = {}
        for name, written in names_in(row.groups, frozenset(self.of) | self.ignored).items():
            if name not in self.ignored:
                groups[self.of.get(name, written)] = None
        return list(groups)


@dataclass(frozen=True, slots=True)
class ReportedLanding:
    """One call's landing by the report."""

    groups: tuple[str, ...] = ()  #: the groups where it landed; empty if unknown
    why: str = ""  #: why the landing is unknown
    rows: tuple[ReportRow, ...] = ()  #: the rows that show it
    beside: tuple[str, ...] = ()  #: further names in the report that may not have rung
    agents: tuple[str, ...] = ()  #: who took it


def where_landed(rows: Sequence[ReportRow], sought: Sought, names: GroupNames) -> ReportedLanding:
    """The landing by ``rows``, a whole report. No row counts that may be another call's."""
    # the time first: a report may have all calls of a month, and reading a number takes longer
    of_call = [row for row in rows if _may_be_within(row, sought) and _is_callers(row, sought)]
    first = [row for row in of_call if _is_first(row, sought)]
    others = [row for row in of_call if row not in first]
    for row in others:
        if _may_be_anybodys(row, sought):
            why = f"{row.place} of the report shows the number that transfers of other people's calls show, too"
            return ReportedLanding(why=why)
    for row in others:
        if doubt := _doubt(row, sought):
            return ReportedLanding(why=doubt)
    ours = [row for row in others if _is_within(row, sought)]
    landed = [row for row in ours if _is_to_group(row, sought)] or ours
    first = [row for row in first if _is_within(row, sought)]
    if landed:
        more = [row for row in (*ours, *first) if row not in landed]
        return _together(landed, more, sought, names)
    if not first:
        return ReportedLanding(
            why="the report does not list the call at its time (platform.report.zone?)"
        )
    where = _groups(first, names)
    words = f" in {', '.join(where)}" if where else ""
    why = f"the report lists the caller's first call{words}, and none to the group"
    return ReportedLanding(why=why, rows=tuple(first))


def _together(
    landed: Sequence[ReportRow], more: Sequence[ReportRow], sought: Sought, names: GroupNames
) -> ReportedLanding:
    rows, groups = tuple(landed), _groups(landed, names)
    beside = [name for name in _groups(more, names) if name not in groups]
    if sought.handed_over is None:
        # the row of a call that was to go to the AI may name what leads there
        known = set(names.of.values())
        beside += [name for name in groups if name not in known]
        groups = [name for name in groups if name in known]
    if not groups:
        where = "in no group"
        if beside:
            where = f"in {', '.join(beside)}, which the file has as no group (reported_as, ignore)"
        return ReportedLanding(why=f"the report lists the call {where}", rows=rows)
    of_rows = [names.read(row) for row in landed]
    in_wanted = [names.wanted in of_row for of_row in of_rows if of_row]
    if any(in_wanted) and not all(in_wanted):
        why = f"the report lists calls of this caller in {', '.join(groups)}, and does not tell which is this one"
        return ReportedLanding(why=why, rows=rows)
    taken = [row for row in landed if not row.untaken]
    if names.wanted in groups and not any(names.wanted in names.read(row) for row in taken):
        how = next(row.untaken for row in landed if row.untaken)
        why = f"the report lists the call in {names.wanted} as {how}, which no agent took"
        return ReportedLanding(why=why, rows=rows)
    agents = tuple(dict.fromkeys(row.agent for row in taken if row.agent))
    shows_agents = all(row.agent is not None for row in taken)
    if names.wanted in groups and shows_agents and not agents:
        why = f"the report lists the call in {names.wanted}, and no agent who took it"
        return ReportedLanding(why=why, rows=rows)
    return ReportedLanding(tuple(groups), rows=rows, beside=tuple(beside), agents=agents)


def _groups(rows: Sequence[ReportRow], names: GroupNames) -> list[str]:
    return list(dict.fromkeys(name for row in rows for name in names.read(row)))


def _is_first(row: ReportRow, sought: Sought) -> bool:
    """Whether it is the row of the caller's call itself, or of its leg to the AI: it does not show
    where the AI handed over.

    Some reports list with a number the groups that it is set up with, whether they rang or not.
    What began when the AI had been asked to hand over is another row, be it of the same number.
    """
    if sought.handed_over is None or not row.moments:
        return False
    if not _is(row.caller, sought.caller, sought):
        return False
    called = [number for number in (sought.line, sought.assistant) if number]
    if row.number and not any(_is(row.number, number, sought) for number in called):
        return False
    between = max(sought.handed_over - CLOCKS_DIFFER_S, (sought.began + sought.handed_over) / 2)
    return min(row.moments) < between


def _is_callers(row: ReportRow, sought: Sought) -> bool:
    if _is_to_group(row, sought):
        return _is(row.caller, sought.shown, sought)
    return _is(row.caller, sought.caller, sought)


def _may_be_anybodys(row: ReportRow, sought: Sought) -> bool:
    """Whether its number does not identify this caller: the AI shows the same for all whom it hands
    over.
    """
    return sought.is_shown_by_others and _is_to_group(row, sought)


def _is(written: str, number: str, sought: Sought) -> bool:
    return is_address(written, number, sought.region)


def _is_within(row: ReportRow, sought: Sought) -> bool:
    """Whether it began in the call's time, whichever moment its time means."""
    begins, ends = sought.began - CLOCKS_DIFFER_S, sought.ended + CLOCKS_DIFFER_S
    return bool(row.moments) and all(begins <= moment <= ends for moment in row.moments)


def _may_be_within(row: ReportRow, sought: Sought) -> bool:
    """Whether it may have begun in the call's time, by one of the moments its time means, or what
    was cut off.
    """
    begins, ends = sought.began - CLOCKS_DIFFER_S, sought.ended + CLOCKS_DIFFER_S
    spans = [(moment, moment + row.cut_off_s) for moment in row.moments]
    return not spans or any(begin <= ends and end > begins for begin, end in spans)


def _doubt(row: ReportRow, sought: Sought) -> str | None:
    """Why a row of this caller may be about another call; None if it is certainly about this one."""
    if not row.moments:
        return f"{row.place} of the report has this caller, and a time that cannot be read (time_format)"
    if _is_within(row, sought):
        return None
    return f"{row.place} of the report has this caller, and a time that may be an earlier call's as well"


def _is_to_group(row: ReportRow, sought: Sought) -> bool:
    if not sought.target.startswith("+"):
        return bool(sought.target) and row.number == sought.target
    return _is(row.number, sought.target, sought)
