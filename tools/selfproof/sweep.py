"""The sweep: what came of each fault on each row, as far as it acted there.

The world says whether the fault acted (``GET /calls``). Where it did, the row fails and the first
cause is the fault's, and no other cause is certain; ``sweep.toml`` has what a row cannot show, each
with its reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, get_args

from harness.case.verdict import Verdict
from tools import read_toml
from tools.selfproof.plan import FAULTS
from tools.selfproof.results import Result, spoken

#: Of the cases in which a fault acted and showed, the first cause is right in so many.
FIRST_RIGHT: Final = 0.94

Outcome = Literal["untouched", "invisible", "named", "listed", "misnamed", "missed", "false alarm"]

_TABLE = read_toml(Path(__file__).with_name("sweep.toml"))


@dataclass(frozen=True)
class Entry:
    """Faults on rows, narrowed by axes; no rows: on each."""

    faults: tuple[str, ...]
    why: str = ""
    rows: tuple[str, ...] = ()
    causes: tuple[str, ...] = ()  #: that are right as well
    #: Of them one shows the fault where it is made; of "as declared", a row of ``faults.toml``.
    checks: tuple[str, ...] = ()

    def covers(self, result: Result) -> bool:
        """Whether this result is one of them."""
        return result.faults[0] in self.faults and (not self.rows or result.row in self.rows)

    def shows(self, result: Result) -> bool:
        """Whether the case looked at what the fault changes."""
        declared = {row for where in FAULTS[result.faults[0]] for row in where.rows}
        if AS_DECLARED in self.checks and result.row in declared:
            return True
        return not set(self.checks).isdisjoint(result.made)


AS_DECLARED: Final = "as declared"


def _entries(name: str) -> tuple[Entry, ...]:
    rows: list[dict[str, Any]] = _TABLE[name]
    lists = ("faults", "rows", "causes", "checks")
    return tuple(Entry(**row | {key: tuple(row.get(key, ())) for key in lists}) for row in rows)


#: By what a case can show a fault; of the others, each check may.
SHOWN_BY: Final = _entries("shown_by")
#: What acts in a row, and cannot be seen there.
INVISIBLE: Final = _entries("invisible")
#: Where the evidence of a row fits other causes than the fault's.
ALIKE: Final = _entries("alike")


def is_visible(result: Result) -> bool:
    """Whether a fault that acted should have shown in the case."""
    if result.verdict is Verdict.NOT_OBSERVABLE or any(one.covers(result) for one in INVISIBLE):
        return False
    return all(one.shows(result) for one in SHOWN_BY if one.covers(result))


def outcome(result: Result) -> Outcome:
    """What the trial shows of its fault."""
    told, acted = result.told["all"], result.faults[0] in result.acted
    if result.verdict is not Verdict.FAILED:
        if not acted:
            return "untouched"
        return "missed" if is_visible(result) else "invisible"
    if not acted:
        return "false alarm"
    right = {result.cause, *_alike(result)}
    if told.candidates:
        return "listed" if result.cause in told.candidates or told.first in right else "misnamed"
    return "named" if told.first in right else "misnamed"


def wrongly_certain(result: Result) -> list[str]:
    """The causes that are certain and are not the fault's."""
    right = {result.cause, *_alike(result)}
    return [cause for cause in result.told["all"].certain if cause not in right]


def _alike(result: Result) -> set[str]:
    return {cause for one in ALIKE if one.covers(result) for cause in one.causes}


@dataclass(frozen=True)
class SweepProof:
    """All results of a sweep, counted."""

    results: Sequence[Result]
    missing: Sequence[str] = ()  #: trials that left no result
    wall_s: float = 0.0
    repeated: int = 0  #: trials that were made once more, since they had proved nothing

    @property
    def _whole(self) -> list[Result]:
        return [one for one in self.results if one.verdict is not Verdict.BROKEN]

    def plain(self) -> dict[str, Any]:
        """For ``reports/sweep.json``."""
        counted = Counter(map(outcome, self._whole))
        return {
            "trials": len(self.results),
            "faults": len({one.faults[0] for one in self.results}),
            "rows": len({(one.integration, one.row) for one in self.results}),
            **{name: counted[name] for name in get_args(Outcome)},
            "wrongly_certain": sum(bool(wrongly_certain(one)) for one in self._whole),
            "repeated": self.repeated,
            "broken": [one.case for one in self.results if one.verdict is Verdict.BROKEN],
            "missing": list(self.missing),
            "wall_s": round(self.wall_s, 1),
            "wrong": self._each("misnamed", "missed", "false alarm"),
        }

    def _each(self, *outcomes: Outcome) -> dict[str, str]:
        wrong = [one for one in self._whole if outcome(one) in outcomes]
        return {one.case: f"{outcome(one)}: {spoken(one.told['all'])}" for one in wrong}

    def shortfalls(self) -> list[str]:
        """The bars that were missed, a line each."""
        found = [
            f"{one.case}: certain, and not the fault's: {', '.join(wrong)}"
            for one in self._whole
            if (wrong := wrongly_certain(one))
        ]
        unsaid: Sequence[Outcome] = ("missed", "false alarm")
        found += [f"{case}: {words}" for case, words in self._each(*unsaid).items()]
        counted = Counter(map(outcome, self._whole))
        right = counted["named"] + counted["listed"]
        if right < FIRST_RIGHT * (right + counted["misnamed"]):
            found.append(f"{right} named or listed, {counted['misnamed']} not: under 94 %")
            found += [f"{case}: {words}" for case, words in self._each("misnamed").items()]
        return found + [f"{name}: left no result" for name in self.missing]


def is_void(result: Result) -> bool:
    """Whether the trial proves nothing: a part of it broke, and what is left misses the bars."""
    if result.verdict is Verdict.BROKEN:
        return True
    is_wrong = outcome(result) in ("misnamed", "missed") or bool(wrongly_certain(result))
    return result.broke and is_wrong
