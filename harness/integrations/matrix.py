"""Integrations × rows × axes → cases with stable ids."""

from __future__ import annotations

import dataclasses
import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from typing_extensions import TypedDict

from harness import integrations
from harness.deployment import Deployment, Handover, Timings
from harness.errors import SelectionError
from harness.finding_kinds import (
    AUDIO_TO_AI,
    LANDING,
    LANDING_OTHERS,
    TIMING,
    TIMING_WITHIN,
    VOICEMAIL,
    FindingKind,
    RequiredFindings,
)
from harness.integrations import observability
from harness.integrations.base import LANDED, Cell, Moment, PlannedCall, Row
from harness.integrations.row_plan import RowPlan, late_at, unproved_handovers
from harness.integrations.which import TO_CLOSED, TO_OVERFLOW
from harness.support.model_words import instead

#: A platform's clock may be ahead of this machine's by so much, or behind it, and a call takes its
#: time to get there.
_CLOCKS_DIFFER = timedelta(seconds=60)
#: After a failure, to find its cause.
_MORE_CALLS = 2
#: A machine speaks and beeps so long.
_MACHINE_S = 8.0
#: In ``require``: every row that the guide asks for.
DOCUMENTED = "documented"


class CaseAbout(TypedDict):
    """What a case is, as evidence and reports have it."""

    id: str
    row: str
    moment: Moment
    integration: str
    deployment: str
    trunk: str
    line: str | None  # None: the row calls no number
    axes: dict[str, str]
    title: str
    description: str
    source: str
    link: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One row in one cell of its axes, for one deployment."""

    row: Row
    deployment: str
    integration: str
    trunk: str
    line: str | None  #: the deployment's line it dials; None where the row calls no number
    axes: dict[str, str] = field(hash=False)
    caller: str = ""  #: who calls, of several the first; callers take turns over the cases
    required_findings: RequiredFindings = field(hash=False)  #: at least
    #: Check → why it is not observable here; the case passes without it.
    dispensable: Mapping[str, str] = field(hash=False)
    title: str
    link: str

    @property
    def id(self) -> str:
        """Stable across runs: row, deployment and the cell."""
        return f"{self.row.id}[{_in_id(self.deployment)}:{'-'.join(_in_id(value) for value in self.axes.values())}]"

    def handover(self, deployment: Deployment) -> Handover | None:
        """How the assistant of its number hands over in this case; None where it does not, or no
        number is called.
        """
        return deployment.handover(self.line, self.axes.get("handover", ""))

    def plain(self) -> CaseAbout:
        """JSON-ready data for evidence and reports."""
        return {
            "id": self.id,
            "row": self.row.id,
            "moment": self.row.moment,
            "integration": self.integration,
            "deployment": self.deployment,
            "trunk": self.trunk,
            "line": self.line,
            "axes": dict(self.axes),
            "title": self.title,
            "description": self.row.proves,
            "source": self.row.source,
            "link": self.link,
        }

    def to_plain(self) -> dict[str, Any]:
        """All of it in JSON's types, for :func:`cases_from_plain` in another process."""
        fields = {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}
        required = {str(kind): count for kind, count in self.required_findings.items()}
        return fields | {"row": self.row.id, "required_findings": required}


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What the user asked for; an empty tuple means everything."""

    rows: tuple[str, ...] = ()
    transports: tuple[str, ...] = ()
    authentication: tuple[str, ...] = ()
    codecs: tuple[str, ...] = ()
    ais: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()  #: of cases

    def admits(self, case: Case) -> bool:
        """Whether the case lies within the selection; an axis the case lacks is judged by its
        trunk's value.
        """
        wanted = (
            (self.rows, case.row.id),
            (self.transports, case.axes["transport"]),
            (self.authentication, case.axes["authentication"]),
            (self.codecs, case.axes.get("codec", "")),
            (self.ais, case.axes["ai"]),
            (self.ids, case.id),
        )
        return all(not allowed or value in allowed or value == "" for allowed, value in wanted)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A row without a case, or without one for some number or handover, and why."""

    deployment: str
    row: str
    documented: bool  #: whether the guide asks for it
    why: str
    #: The number that is not called, or not for a handover; None: there is no case of the row at
    #: all.
    line: str | None = None
    not_now: bool = False  #: only since it is not the time of the numbers that it would call


def every_row(deployment: Deployment, asked: Sequence[str] = ()) -> list[RowPlan]:
    """The cells of each row of its integration; rows that take long have theirs where they are
    ``asked`` for by name.
    """
    plans = [
        RowPlan(row, deployment, asked=row.id in asked)
        for row in integrations.find(deployment.integration).rows
    ]
    turn = 0
    for plan in plans:  # a case has the same caller, whatever is selected
        plan.turn = turn
        if not plan.row.opt_in:
            turn += sum(
                any(call.by == "the harness" for call in plan.row.calls(cell))
                for cell in plan.cells
            )
    return plans


def every_row_of(
    deployments: Iterable[Deployment], asked: Sequence[str] = ()
) -> dict[str, list[RowPlan]]:
    """As :func:`every_row`, by deployment."""
    return {one.name: every_row(one, asked) for one in deployments}


def left_out(deployment: Deployment, every: Sequence[RowPlan] | None = None) -> list[LeftOut]:
    """What the deployment's cases do not prove, independent of the selection: rows without a case,
    numbers that are not called now or not observable, handovers without a proof. ``every``: the
    result of :func:`every_row`, if known.
    """
    found = []
    every = every_row(deployment) if every is None else every
    for cells in every:
        row = cells.row
        if cells.reason:
            not_now = cells.is_postponed
            found.append(
                LeftOut(deployment.name, row.id, row.documented, cells.reason.why, not_now=not_now)
            )
        found += [
            LeftOut(deployment.name, row.id, row.documented, why, line, True)
            for line, why in cells.not_now()
        ]
        found += [
            LeftOut(deployment.name, row.id, row.documented, why, line)
            for line, why in cells.not_seen()
        ]
    for row, line, why in unproved_handovers(deployment, every):
        found.append(LeftOut(deployment.name, row.id, row.documented, why, line))
    return found


def cases(
    deployments: Iterable[Deployment],
    selection: Selection = Selection(),
    every: Mapping[str, Sequence[RowPlan]] | None = None,
) -> list[Case]:
    """All selected cases. ``every``: the result of :func:`every_row_of`, if known.

    Raises :class:`SelectionError` for a row or value that none of the deployments has.
    """
    deployments = list(deployments)
    for deployment in deployments:
        rows = [row.id for row in integrations.find(deployment.integration).rows]
        _all_known("leave_out", tuple(deployment.leave_out), rows, [deployment], prefix="")
        required = tuple(row for row in deployment.require if row != DOCUMENTED)
        _all_known("require", required, [DOCUMENTED, *rows], [deployment], prefix="")
    every = every_row_of(deployments, selection.rows) if every is None else every
    there = [
        case
        for one in deployments
        for plan in every[one.name]
        if not selection.rows or plan.row.id in selection.rows
        for case in cases_of(plan)
    ]
    trunks = [trunk for deployment in deployments for trunk in deployment.trunks]
    # a number of a trunk that takes calls by address may register with digest all the same
    authentication = {case.axes["authentication"] for case in there} | {
        trunk.authentication for trunk in trunks
    }
    for what, values, known in (
        (
            "row",
            selection.rows,
            {row.id for d in deployments for row in integrations.find(d.integration).rows},
        ),
        ("transport", selection.transports, {trunk.transport for trunk in trunks}),
        ("auth", selection.authentication, authentication),
        ("codec", selection.codecs, {codec for d in deployments for codec in d.axes.codecs}),
        ("ai", selection.ais, {trunk.ai for trunk in trunks}),
    ):
        _all_known(what, values, known, deployments)
    found = [case for case in there if selection.admits(case)]
    if unknown := set(selection.ids) - {case.id for case in found}:
        raise SelectionError(
            f"{min(unknown)}: no such case here (one of {len(unknown)}); allowed: ids that --plan shows"
        )
    if not found and selection == Selection():
        raise SelectionError("\n".join(map(_why_nothing, deployments)))
    if not found:
        raise SelectionError(
            "no case is left by --row, --transport, --auth, --codec and --ai together; allowed: fewer of them"
        )
    if twice := [name for name, times in Counter(case.id for case in found).items() if times > 1]:
        alike = " and ".join(", ".join(case.axes.values()) for case in found if case.id == twice[0])
        raise SelectionError(
            f"{twice[0]}: two cases have this id ({alike}); allowed: names of deployments, trunks, lines and handovers that differ "
            "in more than blanks and dashes, also where an id has one behind the other"
        )
    return found


def _why_nothing(deployment: Deployment) -> str:
    """Why no row has a case, by the reason that most of them give."""
    ((why, rows),) = Counter(
        left.why for left in left_out(deployment) if left.line is None
    ).most_common(1)
    return f"{deployment.name}: no row has a case, {rows} of them since {why}; allowed: what a row needs"


def calls_of(case: Case, deployment: Deployment) -> list[PlannedCall]:
    """Every call of a case, in order; the tests hold this against what cases really dial."""
    return list(case.row.calls(_cell_of(case, deployment)))


def _cell_of(case: Case, deployment: Deployment) -> Cell:
    trunk = deployment.trunk(case.trunk)
    return Cell(deployment, trunk, case.line or "", case.axes, case.caller)


def why_not_now(case: Case, deployment: Deployment, at: datetime) -> str | None:
    """Why the number of a planned case is not called ``at`` that moment: it is not its time, or
    about to begin or end.
    """
    if case.line is None:
        return None
    moments = (at - _CLOCKS_DIFFER, at, at + _CLOCKS_DIFFER)
    late = [late_at(_cell_of(case, deployment), case.row, moment) for moment in moments]
    found = next(filter(None, late), None)
    if found is None:
        return None
    whose = "its" if found[0] == case.line else f"{found[0]}'s"
    hours = f"{whose} hours ({found[1].hours_in_words})"
    if all(late):
        return f"{hours} have begun or ended since the run was planned"
    return f"{hours} begin or end now, by whichever clock the platform goes"


def why_never_passed(case: Case, deployment: Deployment) -> str | None:
    """Why a case can never pass: a required finding is not observable with the strength that the
    file requires.

    Audio with an AI that names no marks is confirmed only by words; the platform's report does not
    prove every landing.
    """
    report, required = deployment.platform.report, case.required_findings
    if (
        case.axes["ai"] == "synthflow"
        and AUDIO_TO_AI in required
        and (why := _why_audio_stays_unknown(deployment))
    ):
        return why
    if LANDING in required and (
        twins := [
            twin
            for name in answering_groups(case, deployment)
            if not deployment.is_told_by_report(name)
            for twin in deployment.twins(name)
        ]
    ):
        return f"nothing tells its landing from one at {' or '.join(dict.fromkeys(twins))}, which has the same people"
    if report is None or not _is_reported(case, deployment):
        return None
    if shown_by_others(case, deployment):
        return "the platform's report does not tell its landing from that of another call that is handed over with the same number"
    is_seen_at_ai = case.axes["ai"] == "stand-in"  # from when until when the platform rang it
    if TIMING_WITHIN in required or (TIMING in required and not is_seen_at_ai):
        return "the platform's report does not say when the group's phones rang"
    if report.strength is None:
        return 'the people there cannot be heard (platform.report.strength = "unknown" does without that)'
    return None


def _why_audio_stays_unknown(deployment: Deployment) -> str | None:
    expect, files = deployment.expect, deployment.witness
    if (
        deployment.names_marks
        or deployment.records_calls
        or (files is not None and files.made_at == "ai")
    ):
        return None
    if expect.strength == "proved":
        return (
            "this AI names no marks, and nothing else proves audio "
            '(synthflow.recording = true proves it; expect.strength = "confirmed" asks for less)'
        )
    if expect.strength == "confirmed" and deployment.transcript == "none":
        return 'there is no transcript, and nothing else confirms audio (expect.strength = "indicated" asks for less)'
    return None


def seconds_of(case: Case, deployment: Deployment, timings: Timings) -> float:
    """About how long a case's calls last: what its row takes, and what the file has them wait for."""
    minutes = case.axes.get("minutes")
    seconds = case.row.seconds if minutes is None else 60.0 * int(minutes)
    if case.row.moment == "registration" and TIMING_WITHIN in case.required_findings:
        seconds += (
            timings.register_expires_s
        )  # the next registration; its registrar may grant another time
    if case.line is None or case.row.moment == "campaign":  # whose customer hears no announcement
        return seconds
    entry, handover = deployment.lines[case.line], case.handover(deployment)
    seconds += entry.announcement_s + entry.notice_s + entry.menu_waits_s
    if TIMING in case.required_findings:
        seconds += timings.ring_timeout_s
    by_machine = VOICEMAIL in case.required_findings
    if (
        by_machine or "overflow" in case.axes
    ):  # no agent takes the call, so each queue lasts its full time
        seconds += sum(
            deployment.groups[name].queue_s for name in set(landing_groups(case, deployment))
        )
    if by_machine and VOICEMAIL not in case.row.required_findings:
        seconds += _MACHINE_S
    if case.axes.get("ask") == "silence" and case.axes["ai"] == "synthflow":
        seconds += deployment.escalation.silence_s
    if case.row.hands_over == "warm" and handover is not None and case.axes["ai"] == "synthflow":
        seconds += handover.briefing_s
    if (report := deployment.platform.report) is not None and _is_reported(case, deployment):
        seconds += report.stay_s
    return seconds


def waits_of(case: Case, deployment: Deployment) -> float:
    """For how long a case may wait besides its calls, in seconds.

    For the limits to let it call, a number to register again, a campaign to call, words to come,
    the platform's report to list it.
    """
    campaign, report, synthflow = (
        deployment.campaign,
        deployment.platform.report,
        deployment.synthflow,
    )
    seconds = (len(calls_of(case, deployment)) + _MORE_CALLS) / deployment.limits.calls_per_second
    if synthflow is not None and deployment.transcript == "after":
        seconds += synthflow.transcript_within_s
    if synthflow is not None and deployment.records_calls:
        seconds += synthflow.recording_within_s
    if case.row.moment == "registration":
        seconds += max(deployment.expect.refresh_within_s, deployment.timings.register_expires_s)
    if case.row.moment == "campaign" and campaign is not None:
        seconds += (
            campaign.calls_within_s if campaign.trigger == "http" else campaign.manual_within_s
        )
    if report is not None and any(
        map(deployment.may_be_reported, landing_groups(case, deployment))
    ):
        seconds += report.stay_s + report.within_s + report.timeout_s
    return seconds


def _is_reported(case: Case, deployment: Deployment) -> bool:
    """Whether the platform's report alone tells of its landing."""
    return LANDING in case.required_findings and any(
        map(deployment.is_reported, landing_groups(case, deployment))
    )


def answering_groups(case: Case, deployment: Deployment) -> Iterable[str]:
    """Of the :func:`landing_groups` those whose agents are to answer."""
    handover, overflow = case.handover(deployment), case.axes.get("overflow")
    if taker := taker_after_transfer(case, deployment):
        return [taker]
    if case.row.moment == "transfer" and handover is not None:
        return [deployment.lands_at(handover)]
    return [overflow] if overflow else set(landing_groups(case, deployment))


def taker_after_transfer(case: Case, deployment: Deployment) -> str | None:
    """The group that is to take over from the one of the handover, in the rows on that: when its
    agents decline, or out of its hours.
    """
    handover, which = case.handover(deployment), case.row.which or ()
    if handover is None or not handover.transfer_to:
        return None
    group = deployment.groups[handover.transfer_to]
    return group.overflow if TO_OVERFLOW in which else group.closed if TO_CLOSED in which else None


def landing_looks_like(case: Case, deployment: Deployment) -> Iterator[tuple[str, list[str]]]:
    """Each group that a call of the case is to land with and is not told from others by who rings
    there at first, and these.
    """
    if LANDING in case.required_findings:
        for name in dict.fromkeys(landing_groups(case, deployment)):
            first = deployment.groups[name].first_turn
            if first and (alike := deployment.alike(name, first)):
                yield name, alike


def shown_by_others(case: Case, deployment: Deployment) -> bool:
    """Whether the number that a warm transfer shows is no caller's, and calls of other people come
    to the group with it, too.
    """
    handover = case.handover(deployment)
    if (
        case.row.hands_over != "warm"
        or handover is None
        or handover.transfer_caller_id not in ("agent", "fixed")
    ):
        return False
    if deployment.synthflow is not None and deployment.synthflow.shared:
        return True
    # others come there by assistants that the file does not have, which may show the company's
    # number as well
    return (
        handover.transfer_caller_id == "fixed"
        and deployment.groups[deployment.lands_at(handover)].shared
    )


def landing_groups(case: Case, deployment: Deployment) -> Iterator[str]:
    """The groups that a call of the case is to land with, or that are to let it go on to another."""
    called = {call.number for call in calls_of(case, deployment)}
    yield from (name for name, group in deployment.groups.items() if group.address in called)
    if case.line is None:
        return
    entry = deployment.lines[case.line]
    handover = case.handover(deployment)
    if entry.group is not None and not case.row.out_of_hours:
        yield from (entry.group, case.axes.get("overflow", entry.group))
    if taker := taker_after_transfer(case, deployment):
        yield taker
    if case.row.moment == "transfer" and handover is not None:
        yield from deployment.groups_of_topic(handover.transfer_topic)
    lands_elsewhere = case.row.moment in ("transfer", "people")
    closed = deployment.opening(case.line).closed
    if case.row.out_of_hours and case.row.moment == "people" and closed:
        yield closed
    lands = {LANDING, VOICEMAIL} & case.required_findings.keys()
    if entry.fallback is not None and not lands_elsewhere and lands:
        yield entry.fallback


def _all_known(
    what: str,
    values: Sequence[str],
    known: Iterable[str],
    deployments: Sequence[Deployment],
    prefix: str = "--",
) -> None:
    for value in values:
        if value in known:
            continue
        whose = (
            one.name for one in integrations.loadable() if any(row.id == value for row in one.rows)
        )
        elsewhere = next(whose, None) if what == "row" else None
        names = ", ".join(d.name for d in deployments)
        hint = (
            f"; it is a row of {elsewhere}" if elsewhere else instead(value, known, "harness rows")
        )
        raise SelectionError(f"{prefix}{what} {value}: not in {names}{hint}")


def cases_of(cells: RowPlan) -> Iterator[Case]:
    """The case of each cell."""
    row = cells.row
    callers = cells.cells[0].deployment.callers if cells.cells else []
    for turn, cell in enumerate(cells.cells, cells.turn):
        integration = integrations.find(cell.deployment.integration)
        required = dict(row.required_in(cell.axes))
        unseen = dict(cells.unseen) if cell.ai == "synthflow" else {}
        if LANDING in required and observability.is_taken_by_machine(cell, row.moment):
            required = {**(Counter(required) - Counter(LANDED)), VOICEMAIL: 1}
        if LANDING in required:
            unseen |= observability.unseen_at_people(cell)
        lands = LANDING in required or "overflow" in cell.axes
        if not observability.has_bystanders(cell, row.moment, lands=lands):
            required.pop(LANDING_OTHERS, None)
        yield Case(
            row=row,
            deployment=cell.deployment.name,
            integration=integration.name,
            trunk=cell.trunk.name,
            line=cell.line or None,
            axes=dict(cell.axes),
            caller=cell.caller or (callers[turn % len(callers)] if callers else ""),
            required_findings=required,
            dispensable=unseen,
            title=row.title,
            link=integration.link(row),
        )


def cases_from_plain(plain: Iterable[Mapping[str, Any]]) -> list[Case]:
    """The inverse of :meth:`Case.to_plain`. Raises :class:`SelectionError` where this process lacks
    a row.
    """
    kind = cache(FindingKind.read)
    rows = cache(lambda name: {row.id: row for row in integrations.find(name).rows})
    cases = []
    for fields in plain:
        row = rows(fields["integration"]).get(fields["row"])
        if row is None:
            raise SelectionError(
                f"own_row({fields['row']!r}): workers do not have it; allowed: where each process reads it"
            )
        required = {kind(text): count for text, count in fields["required_findings"].items()}
        cases.append(Case(**{**fields, "row": row, "required_findings": required}))
    return cases


#: A telephone number, as a customer who keeps numbers in a spreadsheet may name a line.
_NUMBER = re.compile(r"\+?\d(?:[-.]*\d){6,}")


#: Eight digits in a row could read as a number.
_LETTERS = str.maketrans("0123456789", "ghijklmnop")


@cache
def _in_id(value: str) -> str:
    """An axis' value within a case's id: text of the customer's own in Latin letters, distinguished by
    a hash where that loses some.

    Of a telephone number the last four digits stay. An id stands in every record of the run and is
    what its cases are distinguished by: it has nothing that may have to be masked in one place and not
    in another.
    """
    plain = re.sub(r"[^A-Za-z0-9.+]+", "-", _in_latin(unicodedata.normalize("NFKC", value))).strip(
        "-"
    )
    plain = _NUMBER.sub(lambda found: re.sub(r"\D", "", found[0])[-4:], plain)
    plain = re.sub(
        r"\+(?=\d)", "", plain
    )  # with what follows it in the id it could read as a number
    if plain == value or plain == value.replace(" ", "-"):
        return plain
    return f"{plain}~{name_hash(value)}"


def _in_latin(text: str) -> str:
    if text.isascii():
        return text
    from anyascii import (
        anyascii,
    )  # its tables are read from files, and most names need none of them

    return anyascii(text)


def name_hash(name: str) -> str:
    """Eight letters that tell a name apart from hundreds of others where nothing else is left of
    it.
    """
    return hashlib.sha256(name.encode()).hexdigest()[:8].translate(_LETTERS)
