"""Integrations × rows × axes → cases with stable ids."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import compress, product
from typing import Any

from harness import integrations
from harness.deployment import Ai, Deployment, Trunk
from harness.errors import SelectionError
from harness.finding_kinds import LANDING, LANDING_OTHERS, RequiredFindings
from harness.integrations import sight
from harness.integrations.base import NOT_OBSERVABLE, Cell, Integration, PlannedCall, Row

#: A platform's clock may be ahead of this machine's by so much, or behind it, and a call takes its time to get there.
_CLOCKS_DIFFER = timedelta(seconds=60)
#: In ``require``: every row that the guide asks for.
DOCUMENTED = "documented"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One row in one cell of its axes, for one deployment."""

    row: Row
    deployment: str
    integration: str
    trunk: str
    line: str | None  #: the deployment's line it dials; None where the row calls no number
    axes: dict[str, str] = field(hash=False)
    required_findings: RequiredFindings = field(hash=False)  #: at least
    #: Check → why nobody can make it here, and the case does without.
    dispensable: Mapping[str, str] = field(hash=False)
    title: str
    link: str

    @property
    def id(self) -> str:
        """Stable across runs: row, deployment and the cell."""
        return f"{self.row.id}[{_in_id(self.deployment)}:{'-'.join(_in_id(value) for value in self.axes.values())}]"

    def plain(self) -> dict[str, Any]:
        """JSON-ready data for evidence and reports."""
        return {
            "id": self.id,
            "row": self.row.id,
            "moment": self.row.moment,
            "integration": self.integration,
            "deployment": self.deployment,
            "line": self.line,
            "axes": dict(self.axes),
            "title": self.title,
            "description": self.row.proves,
            "source": self.row.source,
            "link": self.link,
        }


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
        """Whether the case lies within the selection; an axis the case lacks is judged by its trunk's value."""
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
    """A row of the integration that has no case, or none for one of the numbers, and why."""

    deployment: str
    row: str
    documented: bool  #: whether the guide asks for it
    why: str
    line: str | None = None  #: the number that is not called; None: there is no case of the row at all


def left_out(deployments: Iterable[Deployment]) -> list[LeftOut]:
    """Every row that no case of its deployment proves, whatever is selected of the rest, and every number that is not called now."""
    found = []
    for deployment in deployments:
        for row in integrations.find(deployment.integration).rows:
            cells = _Cells(row, deployment, asked=False)
            if cells.why_none:
                found.append(LeftOut(deployment.name, row.id, row.documented, cells.why_none))
            found += [LeftOut(deployment.name, row.id, row.documented, why, line) for line, why in cells.not_now()]
    return found


def cases(deployments: Iterable[Deployment], selection: Selection = Selection()) -> list[Case]:
    """All selected cases. Raises :class:`SelectionError` for a row or value that none of the deployments has."""
    deployments = list(deployments)
    for deployment in deployments:
        rows = [row.id for row in integrations.find(deployment.integration).rows]
        _all_known("leave_out", tuple(deployment.leave_out), rows, [deployment], prefix="")
        required = tuple(row for row in deployment.require if row != DOCUMENTED)
        _all_known("require", required, rows, [deployment], prefix="")
    known: dict[str, set[str]] = {
        "row": {row.id for d in deployments for row in integrations.find(d.integration).rows},
        "transport": {trunk.transport for d in deployments for trunk in d.trunks},
        "auth": {trunk.authentication for d in deployments for trunk in d.trunks},
        "codec": {codec for d in deployments for codec in d.axes.codecs},
        "ai": {trunk.ai for d in deployments for trunk in d.trunks},
    }
    asked = {
        "row": selection.rows,
        "transport": selection.transports,
        "auth": selection.authentication,
        "codec": selection.codecs,
        "ai": selection.ais,
    }
    for what, values in asked.items():
        _all_known(what, values, known[what], deployments)
    found = [case for d in deployments for case in _of_deployment(d, selection.rows) if selection.admits(case)]
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
        raise SelectionError(
            f"{twice[0]}: two cases have this id; allowed: names of trunks and lines that differ in more than blanks and dashes"
        )
    return found


def _why_nothing(deployment: Deployment) -> str:
    """Why no row has a case, by the reason that most of them give."""
    ((why, rows),) = Counter(left.why for left in left_out([deployment]) if left.line is None).most_common(1)
    return f"{deployment.name}: no row has a case, {rows} of them since {why}; allowed: what a row needs"


def calls_of(case: Case, deployment: Deployment) -> list[PlannedCall]:
    """Every call of a case, in order; the tests hold this against what cases really dial."""
    return list(case.row.calls(Cell(deployment, deployment.trunk(case.trunk), case.line or "", case.axes)))


def why_not_now(case: Case, deployment: Deployment, at: datetime) -> str | None:
    """Why the number of a planned case is not called ``at`` that moment: it is not its time, or about to begin or end."""
    if case.line is None:
        return None
    moments = (at - _CLOCKS_DIFFER, at, at + _CLOCKS_DIFFER)
    wrong = [deployment.is_open(case.line, moment) == case.row.out_of_hours for moment in moments]
    if not any(wrong):
        return None
    hours = f"its hours ({deployment.lines[case.line].hours})"
    if all(wrong):
        return f"{hours} have begun or ended since the run was planned"
    return f"{hours} begin or end now, by whichever clock the platform goes"


def landing_groups(case: Case, deployment: Deployment) -> Iterator[str]:
    """The groups that a call of the case is to land with."""
    called = {call.number for call in calls_of(case, deployment)}
    yield from (name for name, group in deployment.groups.items() if group.did in called)
    if case.line is None:
        return
    entry = deployment.lines[case.line]
    assistant = deployment.assistants[entry.assistant] if entry.assistant else None
    if entry.group is not None:
        yield entry.group
    if case.row.moment == "transfer" and assistant is not None:
        topic = assistant.transfer_topic
        yield from (name for name, group in deployment.groups.items() if topic and group.topic == topic)
    if case.row.out_of_hours and entry.closed is not None:
        yield entry.closed
    lands_elsewhere = case.row.moment in ("transfer", "people")
    if entry.fallback is not None and not lands_elsewhere and LANDING in case.required_findings:
        yield entry.fallback


def _all_known(
    what: str, values: Sequence[str], known: Iterable[str], deployments: Sequence[Deployment], prefix: str = "--"
) -> None:
    for value in values:
        if value in known:
            continue
        whose = (name for name in integrations.names() if any(r.id == value for r in integrations.find(name).rows))
        elsewhere = next(whose, None) if what == "row" else None
        names = ", ".join(d.name for d in deployments)
        hint = f" (it is a row of {elsewhere})" if elsewhere else ""
        raise SelectionError(f"{prefix}{what} {value}: not in {names}{hint}; allowed: {', '.join(sorted(known))}")


def _of_deployment(deployment: Deployment, asked_rows: Sequence[str]) -> Iterator[Case]:
    integration = integrations.find(deployment.integration)
    for row in integration.rows:
        if not asked_rows or row.id in asked_rows:
            yield from _Cells(row, deployment, asked=row.id in asked_rows).cases(integration)


class _Cells:
    """The cells of one row in one deployment; where there are none, the reason."""

    def __init__(self, row: Row, deployment: Deployment, *, asked: bool) -> None:
        self._row = row
        self._deployment = deployment
        self._missing: str | None = None
        self._nearness = (0, 0)  #: of what is missing: how near a case came for want of it
        self.unseen = sight.unseen(deployment)
        self.cells: list[Cell] = []
        self.why_none = self._why_not(asked)
        if self.why_none is None:
            self.cells = list(self._all())
            if not self.cells:
                self.why_none = self._missing or self._no_trunk()

    def cases(self, integration: Integration) -> Iterator[Case]:
        """Each cell as a case."""
        for cell in self.cells:
            required = dict(self._row.required_in(cell.axes))
            unseen = dict(self.unseen) if cell.ai == "synthflow" else {}
            if LANDING in required:
                unseen |= sight.unseen_at_people(cell)
            if not sight.has_bystanders(cell, self._row.moment, lands=LANDING in required):
                required.pop(LANDING_OTHERS, None)
            yield Case(
                row=self._row,
                deployment=self._deployment.name,
                integration=integration.name,
                trunk=cell.trunk.name,
                line=cell.line or None,
                axes=dict(cell.axes),
                required_findings=required,
                dispensable=unseen,
                title=self._row.title,
                link=integration.link(self._row),
            )

    def not_now(self) -> Iterator[tuple[str, str]]:
        """The numbers that a row which is there would call, too, if it were their time, and why it does not."""
        row, deployment = self._row, self._deployment
        if self.why_none or not row.every_number or row.out_of_hours or deployment.depth == "once":
            return
        said = {cell.line for cell in self.cells}
        variants = {tuple(cell.axes[axis.name] for axis in row.axes): cell.axes for cell in self.cells}.values()
        for line, trunk, _ in deployment.all_dids():
            if line in said or deployment.is_open(line):
                continue
            would = [Cell(deployment, deployment.trunk(trunk), line, axes) for axes in variants]
            if any(all(which.holds(cell) for which in row.which or ()) for cell in would):
                said.add(line)
                yield line, f"{line} is closed now (its hours: {deployment.lines[line].hours})"

    def _why_not(self, asked: bool) -> str | None:
        row, deployment = self._row, self._deployment
        if row.id in deployment.leave_out:
            return deployment.leave_out[row.id]
        if row.opt_in and not asked:
            return f"takes long; run when asked for by name (--row {row.id})"
        missing = [need.missing for need in row.needs if not need.holds(deployment)]
        missing += [axis.missing for axis in row.axes if not axis.values(deployment)]
        return next(iter(missing), None)

    def _no_trunk(self) -> str:
        if self._row.seats == "stand-in" and not any(trunk.ai == "stand-in" for trunk in self._deployment.trunks):
            return "only a phone of ours in the AI's place can show it"
        whose = {"both": "", "stand-in": " to a stand-in", "synthflow": " to Synthflow"}[self._row.seats]
        trunks = [trunk for trunk in self._deployment.trunks if self._row.seats in ("both", trunk.ai)]
        if not any(trunk.transport in self._row.transports for trunk in trunks):
            return f"no trunk{whose} signals over {' or '.join(self._row.transports)}"
        if not any(_authenticates(self._row, trunk) for trunk in trunks):
            return f"no trunk{whose} authenticates by {' or '.join(self._row.authentication)}"
        return f"no number is carried by a trunk{whose}"

    def _all(self) -> Iterator[Cell]:
        """The cells that mean something: Synthflow over every axis, a stand-in once for each transport."""
        for ai in ("synthflow", "stand-in"):
            if self._row.seats not in ("both", ai):
                continue
            hidden = next((self.unseen[check] for check in sorted(self._row.subject) if check in self.unseen), None)
            if ai == "synthflow" and hidden is not None:
                if any(self._of_ai(ai)):  # else it means nothing here, whoever could see it
                    self._say_missing(hidden, (3, 0))
                continue
            yield from self._of_ai(ai)

    def _of_ai(self, ai: Ai) -> Iterator[Cell]:
        row, deployment = self._row, self._deployment
        trunks = [
            trunk
            for trunk in deployment.trunks
            if trunk.ai == ai and trunk.transport in row.transports and _authenticates(row, trunk)
        ]
        codecs = deployment.axes.codecs if ai == "synthflow" and row.over == "trunks" else deployment.axes.codecs[:1]
        found = False
        for trunk in trunks:
            for codec in codecs if row.codecs else codecs[:1]:
                for variant in _variants(row, deployment, everything=ai == "synthflow" and not found):
                    axes: dict[str, str] = {"ai": ai, "transport": trunk.transport}
                    axes["authentication"] = trunk.authentication
                    if _has_twin(trunk, trunks):
                        axes["trunk"] = trunk.name
                    if row.codecs:
                        axes["codec"] = codec
                    for cell in self._on(trunk, axes | variant):
                        found = True
                        yield cell
            if found and row.over == "default":
                return

    def _say_missing(self, why: str, nearness: tuple[int, int]) -> None:
        """Keep what the trunk says that came nearest to a case: another has perhaps no such number at all."""
        if self._missing is None or nearness >= self._nearness:
            self._missing, self._nearness = why, nearness

    def _on(self, trunk: Trunk, axes: dict[str, str]) -> Iterator[Cell]:
        """The cell once for each number that is to prove it."""
        row, deployment = self._row, self._deployment
        if row.which is None:
            yield Cell(deployment, trunk, "", axes)
            return
        carried = [line for line in deployment.lines if trunk.name in deployment.numbers_of_line(line)]
        found = [Cell(deployment, trunk, line, axes) for line in carried]
        found, others = _in_time(found, row)
        whole = bool(found)
        for stage, which in enumerate(row.which):
            kept, also = ([cell for cell in cells if which.holds(cell)] for cells in (found, others))
            if (found or others) and not kept and not also:
                why = which.why_none([*found, *others])
                self._say_missing(why, (int(why.startswith(NOT_OBSERVABLE)), stage))
            found, others = kept, also
        if others and not found:
            self._say_missing(_not_their_time(row, others, some=whole), (2, 0))
        for which in reversed(row.which):
            found.sort(key=which.prefers)
        if deployment.depth == "once":
            yield from found[:1]
            return
        seen: set[object] = set()
        for cell in found:
            kind = cell.line if row.every_number or deployment.depth == "full" else _way(cell)
            if kind not in seen:
                seen.add(kind)
                yield Cell(deployment, trunk, cell.line, axes | {"number": cell.line})


def _in_time(cells: Sequence[Cell], row: Row) -> tuple[list[Cell], list[Cell]]:
    """The cells whose number is open, for a row of out of hours closed, and the others."""
    in_time = [cell.is_open != row.out_of_hours for cell in cells]
    return list(compress(cells, in_time)), list(compress(cells, (not now for now in in_time)))


def _not_their_time(row: Row, cells: Sequence[Cell], *, some: bool) -> str:
    """Why the numbers that could prove the row do not now; ``some``: others are called at this time."""
    names = ", ".join(dict.fromkeys(cell.line for cell in cells))
    if row.out_of_hours:
        return f"open now: {names}" if some else "no number is closed now"
    return f"closed now: {names}" if some else "every number is closed now"


def _way(cell: Cell) -> object:
    """What numbers have in common of which one is enough: the assistant, and the way to it."""
    entry = cell.entry
    speaks = bool(entry.announcement_s)
    return (entry.assistant, entry.group, len(entry.press or ""), speaks, entry.refer, entry.selector)


def _has_twin(trunk: Trunk, trunks: Sequence[Trunk]) -> bool:
    """Whether another trunk looks the same by its axes, so that only its name tells the cases apart."""
    alike = [other for other in trunks if other.transport == trunk.transport]
    return sum(other.authentication == trunk.authentication for other in alike) > 1


def _authenticates(row: Row, trunk: Trunk) -> bool:
    # a phone cannot challenge, so a stand-in's trunk takes calls by address; it may still have credentials to register with
    return trunk.authentication in row.authentication or (trunk.ai == "stand-in" and trunk.username is not None)


def _variants(row: Row, deployment: Deployment, *, everything: bool) -> Iterator[dict[str, str]]:
    """The values of the row's own axes: full axes always multiply, the others only in the first cell."""
    axes = [(axis, list(axis.values(deployment))) for axis in row.axes]
    full = [[(axis.name, value) for value in values] for axis, values in axes if axis.full]
    for chosen in product(*full):
        yield {axis.name: values[0] for axis, values in axes} | dict(chosen)
    if everything:
        for axis, values in axes:
            if not axis.full:
                for value in values[1:]:
                    yield {a.name: v[0] for a, v in axes} | {axis.name: value}


#: A telephone number, as a customer who keeps numbers in a spreadsheet may name a line.
_NUMBER = re.compile(r"\+\d(?:[-.]*\d){6,}|\d{10,}")


def _in_id(value: str) -> str:
    """An axis' value within a case's id: text of the customer's own as plain ASCII, told apart by a hash where that loses some.

    Of a telephone number the last four digits stay. An id stands in every record of the run and is what its cases are told apart
    by: it has nothing that may have to be masked in one place and not in another.
    """
    plain = re.sub(
        r"[^A-Za-z0-9.+]+", "-", unicodedata.normalize("NFKD", value).encode("ascii", "ignore").decode()
    ).strip("-")
    plain = _NUMBER.sub(lambda found: re.sub(r"\D", "", found[0])[-4:], plain)
    plain = re.sub(r"\+(?=\d)", "", plain)  # with what follows it in the id it could read as a number
    if plain == value or plain == value.replace(" ", "-"):
        return plain
    return f"{plain}~{hashlib.sha256(value.encode()).hexdigest()[:4]}"
