"""The cells of a row in a deployment (trunks × axes × numbers × handovers), or the reason why it
has none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from harness.deployment import Ai, Deployment, Opening, Trunk
from harness.finding_kinds import LANDING
from harness.integrations import observability
from harness.integrations.base import NOT_OBSERVABLE, Cell, Reason, Row, Which

_AIS: tuple[Ai, ...] = ("synthflow", "stand-in")
#: Most numbers that a reason lists.
_MOST_NAMED = 3
#: Nearness of a row that lacks only open numbers: it can be proved at another time.
_NOT_NOW = (2, 0)


class RowPlan:
    """The cells of one row in one deployment, or the reason why it has none."""

    def __init__(self, row: Row, deployment: Deployment, *, asked: bool) -> None:
        self.row = row
        self._deployment = deployment
        self._missing: Reason | None = None
        self._nearness = (0, 0)  #: how near the row came to a case without the missing condition
        self._whom: tuple[Which, Sequence[Cell]] | None = (
            None  #: the missing condition, and the cells that lack it
        )
        self._late: dict[str, None] = {}  #: numbers that could prove the row at another time
        self._lacking: dict[object, str] = {}  #: handover → why it has no cell
        self._asked: set[object] = set()  #: handovers that have a cell for every way to ask
        self.turn = 0  #: how many cases of earlier rows have had a caller
        self.unseen = observability.unseen(deployment)
        self.cells: list[Cell] = []
        self.reason = self._why_not(asked)  #: why there is no cell
        if self.reason is None:
            self.cells = list(self._all())
            if not self.cells:
                self.reason = self._nearest()

    @property
    def is_postponed(self) -> bool:
        """Whether the row has no case only because of the opening hours."""
        return self.reason is not None and self.reason.kind == "not now"

    def why_not_over(self, trunk: Trunk) -> str:
        """Why the row has no case over that trunk."""
        if self.reason:
            return self.reason.why
        cells = [cell for cell in self._of_each_number({}) if cell.trunk is trunk]
        for which in self.row.which or ():
            kept = [cell for cell in cells if which.holds(cell)]
            if not kept:
                return which.why_none(cells)
            cells = kept
        return "its numbers are not called now"

    def not_now(self) -> Iterator[tuple[str, str]]:
        """Further numbers that the row would call at another time, each with its reason."""
        if self.reason:
            return
        if self.row.every_number and self._deployment.depth != "once":
            yield from self._numbers_not_now()
        else:
            yield from self._values_not_now()

    def _numbers_not_now(self) -> Iterator[tuple[str, str]]:
        row, deployment = self.row, self._deployment
        said = {cell.line for cell in self.cells}
        variants = {
            tuple(cell.axes[axis.name] for axis in row.axes): cell.axes for cell in self.cells
        }.values()
        for line, trunk, _ in deployment.all_dids():
            if line in said:
                continue
            would = [Cell(deployment, deployment.trunk(trunk), line, axes) for axes in variants]
            late = (late_at(c, row) for c in would if all(w.holds(c) for w in row.which or ()))
            if found := next(filter(None, late), None):
                said.add(line)
                yield line, self._closed(*found)

    def _values_not_now(self) -> Iterator[tuple[str, str]]:
        """For each axis value that no number proves now over some trunk: the first number that
        would at another time.
        """
        row, every = self.row, self._of_each_number({})
        names = [axis.name for axis in row.axes if axis.full]
        each = row.over == "trunks"
        said = {
            (each and cell.trunk.name, *(cell.axes[name] for name in names)) for cell in self.cells
        }
        found = defaultdict[tuple[str, str, str], list[str]](list)
        for variant in row.variants(self._deployment, everything=False):
            shown = "".join(f" with {name} {variant[name]}" for name in names)
            values = [variant[name] for name in names]
            unsaid = (cell for cell in every if (each and cell.trunk.name, *values) not in said)
            whole = (replace(cell, axes={**cell.axes, **variant}) for cell in unsaid)
            for cell in (cell for one in whole for cell in self._handovers(one)):
                key = (each and cell.trunk.name, *values)
                late = None if key in said else late_at(cell, row)
                if late and all(which.holds(cell) for which in row.which or ()):
                    said.add(key)
                    found[cell.line, self._closed(*late), shown].append(cell.trunk.name)
        for (line, closed, shown), trunks in found.items():
            over = f" over {', '.join(trunks)}" if each and self._deployment.trunks[1:] else ""
            yield line, f"{closed}, and no other number proves it{shown}{over}"

    def _closed(self, name: str, late: Opening) -> str:
        now = "open" if self._deployment.is_within(late) else "closed"
        return f"{name} is {now} now (its hours: {late.hours_in_words})"

    def not_seen(self) -> Iterator[tuple[str, str]]:
        """Numbers that the row does not call because the harness cannot observe or cause its
        subject there, each with its reason.

        Only for rows with cells now or at another time. Fallback rows name one number per group;
        rows that do not call every number, one per trunk.
        """
        if not (self.cells or self.is_postponed):
            return
        row = self.row
        if row.every_number or row.moment == "fallback":
            if self._deployment.depth != "once":
                yield from self._numbers_not_seen()
        elif self.cells and row.over == "trunks" and row.hands_over is None:
            yield from self._trunks_not_seen()

    def _numbers_not_seen(self) -> Iterator[tuple[str, str]]:
        row, falls_back = self.row, self.row.moment == "fallback"
        said = {cell.entry.fallback for cell in self.cells} if falls_back else set[str | None]()
        leads = (
            "falls back"
            if falls_back
            else "leads, while it is closed,"
            if row.out_of_hours
            else "leads"
        )
        cells = self._of_each_number(self.cells[0].axes if self.cells else {})
        hidden = (cell for cell in cells if _is_hidden(cell, row.which or ()))
        beyond_us = (
            cell for cell in cells if falls_back and _is_unobservable(cell, row.which or ())
        )
        for found, why in (
            (hidden, f"{leads} to people without a harness phone"),
            (beyond_us, f"{leads}, and its AI cannot be made to fail"),
        ):
            for cell in found:
                about = cell.entry.fallback if falls_back else cell.line
                if about not in said:
                    said.add(about)
                    yield (
                        cell.line,
                        f"{NOT_OBSERVABLE}{cell.line} {why}"
                        + (f" ({about})" if falls_back else ""),
                    )

    def _trunks_not_seen(self) -> Iterator[tuple[str, str]]:
        said, which = {cell.trunk.name for cell in self.cells}, self.row.which or ()
        for cell in self._of_each_number(self.cells[0].axes):
            why = next(
                (one.missing for one in which if not one.holds(cell)), None
            )  # none: it is not its time
            if (
                why
                and cell.trunk.name not in said
                and (_is_hidden(cell, which) or _is_unobservable(cell, which))
            ):
                said.add(cell.trunk.name)
                yield cell.line, f"{NOT_OBSERVABLE}{why} (trunk {cell.trunk.name})"

    def _of_each_number(self, axes: Mapping[str, str]) -> list[Cell]:
        """A cell for each number and each trunk that carries it, if the row can be proved and
        observed over that trunk.
        """
        row, deployment = self.row, self._deployment
        is_unseen = any(check in self.unseen for check in row.subject)
        chosen = {cell.ai for cell in self.cells} if row.ai == "either" else set[Ai]()
        ais = {"stand-in"} if row.ai == "stand-in" or is_unseen else chosen or {*_AIS}
        trunks = {
            trunk.name: trunk
            for trunk in deployment.trunks
            if trunk.ai in ais and _carries(row, trunk)
        }
        numbers = [
            (line, trunks[name]) for line, name, _ in deployment.all_dids() if name in trunks
        ]
        return [Cell(deployment, trunk, line, {**axes, "ai": trunk.ai}) for line, trunk in numbers]

    def _why_not(self, asked: bool) -> Reason | None:
        row, deployment = self.row, self._deployment
        if row.id in deployment.leave_out:
            return Reason("left out", deployment.leave_out[row.id])
        if row.opt_in and not asked:
            return Reason("takes long", f"takes long; run when asked for by name (--row {row.id})")
        missing = [need.why_none(deployment) for need in row.needs if not need.holds(deployment)]
        missing += [axis.missing for axis in row.axes if not axis.values(deployment)]
        return next(map(Reason.of, missing), None)

    def _nearest(self) -> Reason:
        """The reason of the trunk that came nearest to a case."""
        if self._missing is None:
            return Reason("lacking", self._no_trunk())
        return replace(self._missing, why=self._missing.why + self._of_whom())

    def _no_trunk(self) -> str:
        if self.row.ai == "stand-in" and not any(
            trunk.ai == "stand-in" for trunk in self._deployment.trunks
        ):
            return "only a stand-in for the AI can show it"
        whose = " to a stand-in" if self.row.ai == "stand-in" else ""
        trunks = [
            trunk
            for trunk in self._deployment.trunks
            if self.row.ai in ("both", "either", trunk.ai)
        ]
        if not any(trunk.transport in self.row.transports for trunk in trunks):
            return f"no trunk{whose} signals over {' or '.join(self.row.transports)}"
        if not any(_authenticates(self.row, trunk) for trunk in trunks):
            return f"no trunk{whose} authenticates by {' or '.join(self.row.authentication)}"
        return f"no number is carried by a trunk{whose}"

    def _all(self) -> Iterator[Cell]:
        """All useful cells: Synthflow over every axis, a stand-in once per transport."""
        for ai in _AIS:
            if self.row.ai not in ("both", "either", ai):
                continue
            hidden = next(
                (self.unseen[check] for check in sorted(self.row.subject) if check in self.unseen),
                None,
            )
            if ai == "synthflow" and hidden is not None:
                # name what hides it only if the row would have a case here, now or at another time
                if any(self._of_ai(ai)) or self._nearness == _NOT_NOW:
                    self._say_missing(Reason("not observable", hidden), (3, 0))
                continue
            found = list(self._of_ai(ai))
            yield from found
            if found and self.row.ai == "either":
                return

    def _of_ai(self, ai: Ai) -> Iterator[Cell]:
        row, deployment = self.row, self._deployment
        trunks = [trunk for trunk in deployment.trunks if trunk.ai == ai and _carries(row, trunk)]
        codecs = (
            deployment.axes.codecs
            if ai == "synthflow" and row.over == "trunks"
            else deployment.axes.codecs[:1]
        )
        found, seen = False, defaultdict[object, set[object]](set)
        for trunk in trunks:
            cells: dict[
                tuple[str, ...], list[Cell]
            ] = {}  # by variant: whatever the codec is, the numbers are the same
            for codec in codecs if row.codecs else codecs[:1]:
                for variant in row.variants(deployment, everything=ai == "synthflow" and not found):
                    axes: dict[str, str] = {"ai": ai, "transport": trunk.transport}
                    axes["authentication"] = _authentication(row, trunk)
                    if _has_twin(row, trunk, trunks):
                        axes["trunk"] = trunk.name
                    if row.codecs:
                        axes["codec"] = codec
                    place = None if row.over == "default" else (trunk.name, codec)
                    values = tuple(variant.values())
                    if values not in cells:
                        cells[values] = self._of_numbers(trunk, axes | variant)
                    for cell in self._chosen(cells[values], seen[place, *values]):
                        found = True
                        yield (
                            replace(cell, axes={**cell.axes, "codec": codec})
                            if row.codecs
                            else cell
                        )
            if found and row.over == "default" and not self._beyond_one_trunk:
                return

    @property
    def _beyond_one_trunk(self) -> bool:
        """Whether numbers of every trunk count, not only of the first: for people, who are called
        over no trunk; with ``depth = "full"``; and for handovers, which are all proved, also those
        of numbers on other trunks.
        """
        row, depth = self.row, self._deployment.depth
        hands_over = row.hands_over is not None and depth != "once"
        return row.moment == "people" or hands_over or (depth == "full" and row.which is not None)

    def _say_missing(
        self,
        why: Reason,
        nearness: tuple[int, int],
        whom: tuple[Which, Sequence[Cell]] | None = None,
    ) -> None:
        """Keep the reason of the trunk that came nearest to a case; another trunk may have no such
        number at all.
        """
        if self._missing is None or nearness >= self._nearness:
            self._missing, self._nearness, self._whom = why, nearness, whom

    def _of_numbers(self, trunk: Trunk, axes: dict[str, str]) -> list[Cell]:
        """The cell for each number of the trunk that can prove the row now, the best first."""
        row, deployment = self.row, self._deployment
        if row.which is None:
            return [Cell(deployment, trunk, "", axes)]
        carried = [
            line for line in deployment.lines if trunk.name in deployment.numbers_of_line(line)
        ]
        cells = [
            cell
            for line in carried
            for cell in self._handovers(Cell(deployment, trunk, line, axes))
        ]
        for stage, which in enumerate(row.which):
            kept = [cell for cell in cells if which.holds(cell)]
            if cells and not kept:
                why = Reason.of(which.why_none(cells))
                self._say_missing(why, (int(why.kind == "not observable"), stage), (which, cells))
            self._say_lacking(cells, which)
            cells = kept
        lateness = [(cell, late_at(cell, row)) for cell in cells]
        found = [cell for cell, late in lateness if late is None]
        late = [(cell, at[0]) for cell, at in lateness if at]
        for cell, name in late:
            self._lacking.setdefault(_which_handover(cell), f"closed now: {name}")
        if late and not found:
            some = row.moment == "transfer" or any(
                deployment.is_open(line) != row.out_of_hours for line in deployment.lines
            )
            self._late |= dict.fromkeys(name for _, name in late)  # collected over all trunks
            said = _not_their_time(row, self._late, some=some)
            self._say_missing(Reason("not now", said), _NOT_NOW)
        for which in reversed(row.which):
            found.sort(key=which.prefers)
        return found

    def _chosen(self, cells: Sequence[Cell], seen: set[object]) -> Iterator[Cell]:
        """Those that must prove the row, unless one in ``seen`` does so."""
        row = self.row
        if row.which is None:
            yield from cells
            return
        once, full = self._deployment.depth == "once", self._deployment.depth == "full"
        for cell in cells:
            # a closed number has no menu
            number = (
                cell.did
                if row.out_of_hours and not self._deployment.closes_after_menu(cell.line)
                else cell.line
            )
            kind = (
                None
                if once
                else (cell.trunk.name, number)
                if row.every_number or full
                else _way(row, cell)
            )
            case = cell.axes.get("handover" if row.hands_over else "overflow")
            if (kind, case) not in seen:
                seen.add((kind, case))
                for chosen in self._ways(cell):
                    yield from self._by_callers(
                        replace(cell, axes=chosen | ({} if once else {"number": cell.line}))
                    )

    def _by_callers(self, cell: Cell) -> Iterator[Cell]:
        """The cell, with ``depth = "every-caller"`` once per caller where one caller calls."""
        callers = self._deployment.callers if self._deployment.depth == "every-caller" else []
        if self.row.moment in ("limit", "campaign") or not callers:
            yield cell
            return
        for caller in callers:
            yield replace(cell, axes={**cell.axes, "caller": caller}, caller=caller)

    def _of_whom(self) -> str:
        """The numbers that the reason is about, if it does not apply to all numbers of the file."""
        if self._whom is None:
            return ""
        which, cells = self._whom
        deployment, axes = self._deployment, cells[0].axes
        trunks = {trunk.name: trunk for trunk in deployment.trunks}
        rest = [
            Cell(deployment, trunks[trunk], line, {**axes, "ai": trunks[trunk].ai})
            for line, trunk, _ in deployment.all_dids()
            if trunk in trunks
            and (deployment.lines[line].assistant is None) == (cells[0].assistant is None)
        ]
        if not any(which.holds(cell) for one in rest for cell in self._handovers(one)):
            return ""
        return f" (of those it is about: {named(list(dict.fromkeys(cell.line for cell in cells)))})"

    def proves(self, assistant: str, name: str) -> bool:
        """Whether the row has a cell for that handover of the assistant."""
        return any(_which_handover(cell) == (assistant, name) for cell in self.cells)

    def lacking(self, assistant: str, name: str) -> str | None:
        """Why that handover has no cell, None if unknown."""
        return self._lacking.get((assistant, name))

    def _say_lacking(self, cells: Sequence[Cell], which: Which) -> None:
        for cell in cells:
            if which.reason_for_one and not which.holds(cell):
                self._lacking.setdefault(_which_handover(cell), which.reason_for_one)

    def _handovers(self, cell: Cell) -> Iterator[Cell]:
        """The cell once per handover of its number's assistant, if the row is about handovers; or
        as it is, and with its overflow.
        """
        row, assistant = self.row, cell.entry.assistant
        if row.moment != "transfer" or assistant is None:
            yield cell
            if row.overflows and (taker := cell.deployment.overflow(cell.line)) is not None:
                yield replace(cell, axes={**cell.axes, "overflow": taker})
            return
        own = {axis: axis.of_handover for axis in row.axes if axis.of_handover is not None}
        handovers = cell.deployment.handovers(assistant)
        if not handovers:
            yield cell
        for name, handover in handovers.items():
            # With depth = "once" one number proves the cell, so the values of unnamed handovers are
            # varied like any axis.
            asked = {
                axis: of
                for axis, of in own.items()
                if name or (axis.of_each and cell.deployment.depth != "once")
            }
            if all(cell.axes[axis.name] == axis.values(cell.deployment)[0] for axis in asked):
                values = {axis.name: of(handover) for axis, of in asked.items()}
                yield replace(
                    cell, axes={**cell.axes, **values} | ({"handover": name} if name else {})
                )

    def _ways(self, cell: Cell) -> Iterator[dict[str, str]]:
        """The cell's axes once per way to ask for its handover, if it is named; the name tells it
        from the others.
        """
        name = cell.axes.get("handover")
        if name is None or self.row.hands_over is None:
            yield dict(cell.axes)
            return
        assert cell.handover is not None
        first = (cell.ai, cell.entry.assistant, name) not in self._asked
        self._asked.add((cell.ai, cell.entry.assistant, name))
        for way in (
            cell.handover.ways if first and cell.ai == "synthflow" else cell.handover.ways[:1]
        ):
            axes = {key: value for key, value in cell.axes.items() if key != "handover"}
            yield axes | {"ask": way, "handover": name}


def unproved_handovers(
    deployment: Deployment, every: Sequence[RowPlan]
) -> Iterator[tuple[Row, str, str]]:
    """Handovers that no row proves although other handovers have a row: the row, a number, and the
    reason.
    """
    lines = {
        entry.assistant: line
        for line, entry in reversed(deployment.lines.items())
        if entry.assistant
    }
    transfers = [cells for cells in every if cells.row.hands_over is not None and cells.cells]
    for assistant in (name for name in deployment.assistants if name in lines):
        for name, handover in deployment.handovers(assistant).items():
            key = (
                f"assistants.{assistant}.handovers.{name}"
                if name
                else f"assistants.{assistant}.transfer"
            )
            rows = [cells for cells in every if cells.row.hands_over == handover.transfer]
            there = [
                cells for cells in rows if cells.cells
            ]  # a row without cells has its own reason
            if not rows and transfers:
                yield (
                    transfers[0].row,
                    lines[assistant],
                    f"{key}: no row proves a {handover.transfer} handover",
                )
            elif there and not any(cells.proves(assistant, name) for cells in rows):
                reasons = filter(None, (cells.lacking(assistant, name) for cells in rows))
                once = 'depth = "once": another number proves the row'
                why = next(
                    reasons,
                    once
                    if deployment.depth == "once"
                    else "no number that leads to it can prove it",
                )
                yield there[0].row, lines[assistant], f"{key}: {why}"


def named(lines: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(lines) - _MOST_NAMED} more" if len(lines) > _MOST_NAMED else ""
    return f"{', '.join(lines[:_MOST_NAMED])}{more}"


def _which_handover(cell: Cell) -> tuple[str | None, str]:
    return cell.entry.assistant, cell.axes.get("handover", "")


def late_at(cell: Cell, row: Row, at: datetime | None = None) -> tuple[str, Opening] | None:
    """What is not open ``at`` that moment, or not closed where the row needs that: the number, or a
    group that is to take the call.
    """
    deployment, transfers = cell.deployment, row.moment == "transfer"
    opening = deployment.opening(cell.line, at)
    if deployment.is_within(opening, at) == (row.out_of_hours and not transfers):
        return cell.line, opening
    names: Iterable[str] = ()
    if transfers and cell.handover is not None:
        names = [deployment.lands_at(cell.handover)]
    elif LANDING in row.required_findings:
        names = observability.lands_with(cell, row.moment)
    shut = transfers and row.out_of_hours
    groups = ((name, deployment.groups[name]) for name in names)
    late = ((f"groups.{n}", one) for n, one in groups if deployment.is_within(one, at) == shut)
    return next(late, None)


def _not_their_time(row: Row, lines: Iterable[str], *, some: bool) -> str:
    """Why the numbers cannot prove the row now; ``some``: other numbers can be called at this time."""
    names = ", ".join(lines)
    if row.out_of_hours:
        return f"open now: {names}" if some else "no number is closed now"
    return f"closed now: {names}" if some else "every number is closed now"


def _is_hidden(cell: Cell, which: Sequence[Which]) -> bool:
    """Whether the row applies to the number, but no harness phone can observe it."""
    return any(one.hides(cell) for one in which) and all(
        one.holds(cell) or one.hides(cell) for one in which
    )


def _is_unobservable(cell: Cell, which: Sequence[Which]) -> bool:
    """Whether the row applies to the number, but the harness cannot cause its situation."""
    about = all(one.holds(cell) or one.beyond_us(cell) or one.hides(cell) for one in which)
    return about and any(one.beyond_us(cell) for one in which)


def _way(row: Row, cell: Cell) -> object:
    """What numbers have in common of which one is enough: the assistant, the way to it; of a
    fallback who takes over, too.
    """
    entry = cell.entry
    takes_over = entry.fallback if row.moment == "fallback" else None
    speaks = bool(entry.announcement_s)
    return (
        entry.assistant,
        entry.group,
        len(entry.press or ""),
        speaks,
        entry.refer,
        entry.selector,
        takes_over,
    )


def _has_twin(row: Row, trunk: Trunk, trunks: Sequence[Trunk]) -> bool:
    """Whether another trunk looks the same by its axes, so that only its name tells the cases
    apart.
    """
    alike = [other for other in trunks if other.transport == trunk.transport]
    return sum(_authentication(row, other) == _authentication(row, trunk) for other in alike) > 1


def _carries(row: Row, trunk: Trunk) -> bool:
    """Whether the row can be proved over the trunk."""
    return trunk.transport in row.transports and _authenticates(row, trunk)


def _authenticates(row: Row, trunk: Trunk) -> bool:
    return _authentication(row, trunk) in row.authentication


def _authentication(row: Row, trunk: Trunk) -> str:
    """How who calls or registers over the trunk in this row authenticates.

    A phone cannot challenge, so a stand-in's trunk takes calls by address; it may still have
    credentials to register with.
    """
    if (
        trunk.authentication not in row.authentication
        and trunk.ai == "stand-in"
        and trunk.username is not None
    ):
        return row.authentication[0]
    return trunk.authentication
