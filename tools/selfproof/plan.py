"""What the self-proof does: every fault on every trunk it can show on, pairs of faults, and clean
runs.

``faults.toml`` has the faults.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from harness.case.check_table import RESPONSIVENESS
from harness.deployment import Deployment
from harness.integrations.matrix import Case, cases
from harness.run.plugin.worlds import list_faults
from tools import read_toml
from tools.trials import named

Kind = Literal["fault", "pair", "clean", "sweep"]
_OF_A_TRUNK = ("transport", "authentication", "ai")


@dataclass(frozen=True)
class Where:
    """Rows on which a fault shows, narrowed by axes (a case that lacks an axis is admitted)."""

    rows: tuple[str, ...]
    axes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def admits(self, case: Case) -> bool:
        """Whether the fault can show in this case."""
        if case.row.id not in self.rows:
            return False
        return self._has(case, self.axes)

    def takes_trunk(self, case: Case) -> bool:
        """Whether the fault can show on the case's trunk, and with its kind of AI."""
        return self._has(case, [axis for axis in self.axes if axis in _OF_A_TRUNK])

    def _has(self, case: Case, axes: Iterable[str]) -> bool:
        return all(case.axes.get(axis, self.axes[axis][0]) in self.axes[axis] for axis in axes)


def _where(rows: Sequence[str], **axes: str | list[str]) -> Where:
    return Where(
        tuple(rows), {a: (v,) if isinstance(v, str) else tuple(v) for a, v in axes.items()}
    )


_TABLE = read_toml(Path(__file__).with_name("faults.toml"))
_ROWS: Mapping[str, Mapping[str, Any]] = {**_TABLE["guides"], **_TABLE["further"]}
OF_THE_GUIDES: Sequence[str] = list(_TABLE["guides"])
#: Where each fault can show.
FAULTS: Mapping[str, tuple[Where, ...]] = {
    fault: tuple(_where(**place) for place in row["where"]) for fault, row in _ROWS.items()
}
#: Two faults at once, on the row where both can show.
PAIRS: Sequence[tuple[str, str, Where]] = [
    (*pair["faults"], _where(**{key: value for key, value in pair.items() if key != "faults"}))
    for pair in _TABLE["pairs"]
]
WHOLE_TENANT = frozenset(fault for fault, row in _ROWS.items() if row.get("whole_tenant"))
SEEN_AT_PHONES = frozenset(fault for fault, row in _ROWS.items() if row.get("seen_at_phones"))


def cause_of(fault: str) -> str:
    """The cause that must be named when this fault is on."""
    return str(_ROWS.get(fault, {}).get("cause", fault))


@dataclass(frozen=True)
class Undecided:
    """Faults that leave the same evidence on these cases, so that the answer is a list."""

    faults: tuple[str, ...]
    among: frozenset[str]
    why: str
    rows: tuple[str, ...] = ()  #: empty: every row
    integration: str = ""
    axes: Mapping[str, str] = field(default_factory=dict)

    def covers(self, fault: str, row: str, integration: str, axes: Mapping[str, str]) -> bool:
        """Whether this case of that fault is one of them."""
        return (
            fault in self.faults
            and (not self.rows or row in self.rows)
            and self.integration in ("", integration)
            and all(axes.get(axis) == value for axis, value in self.axes.items())
        )


def _undecided(
    among: str, faults: Sequence[str], rows: Sequence[str] = (), why: str = "", **where: Any
) -> Undecided:
    listed = _TABLE["among"][among]
    reason = f"{why} {listed['why']}".strip()
    return Undecided(tuple(faults), frozenset(listed["causes"]), reason, tuple(rows), **where)


#: The documented lists of candidates: where two causes leave the same evidence, and why.
UNDECIDED: tuple[Undecided, ...] = tuple(_undecided(**row) for row in _TABLE["undecided"])

#: Checks that no fault of the catalogue makes fail, and why.
UNREACHED: Mapping[str, str] = {
    **dict.fromkeys(RESPONSIVENESS, "the deployments of the proof set no limit to it"),
    **_TABLE["unreached"],
}


@dataclass(frozen=True)
class Trial:
    """One case to run with these faults switched on."""

    kind: Kind
    faults: tuple[str, ...]
    case: Case


def trials(
    deployments: Sequence[Deployment], clean_cases: int, faults: Iterable[str] = ()
) -> list[Trial]:
    """All of them; with ``faults`` only those of these faults, and no clean runs.

    ``pairs`` stands for all pairs, ``guides`` for each fault of the guides once. Clean runs go over
    the whole matrix, as often as it takes to reach ``clean_cases``.
    """
    every = cases(deployments)
    wanted = tuple(faults)
    found = list(
        _single(every, [name for name in wanted or FAULTS if name not in ("pairs", "guides")])
    )
    if "guides" in wanted:
        found += [next(_single(every, [fault])) for fault in OF_THE_GUIDES]
    if not wanted or "pairs" in wanted:
        found += _pairs(every)
    if not wanted:
        found += _clean(every, clean_cases)
    return found


def swept(
    deployments: Sequence[Deployment],
    seed: str,
    most: int = 0,
    faults: Iterable[str] = (),
    rows: Collection[str] = (),
) -> list[Trial]:
    """Each fault on each row of each integration, on one trunk that ``seed`` draws; with ``faults``
    or ``rows`` only those of these, and of all ``most``, drawn as well (0: all).
    """
    dice = random.Random(seed)
    by_row: dict[tuple[str, str], list[Case]] = {}
    for case in cases(deployments):
        if not rows or case.row.id in rows:
            by_row.setdefault((case.integration, case.row.id), []).append(case)
    integrations = {fault["name"]: fault["integrations"] for fault in list_faults()}
    found = []
    for fault in tuple(faults) or FAULTS:
        for (integration, _), of_row in by_row.items():
            if integration not in integrations[fault]:
                continue
            could = [c for c in of_row if any(where.takes_trunk(c) for where in FAULTS[fault])]
            if could:
                found.append(_trial("sweep", (fault,), dice.choice(could), fault))
    return dice.sample(found, most) if 0 < most < len(found) else found


def _single(every: Sequence[Case], wanted: Sequence[str]) -> Iterator[Trial]:
    for fault in wanted:
        for where in FAULTS[fault]:
            for case in _variants(every, where):
                yield _trial("fault", (fault,), case, fault)


def _pairs(every: Sequence[Case]) -> Iterator[Trial]:
    """Each pair once per integration and kind of AI: what is proved is the reasoning, the trunks
    are proved one by one.
    """
    for one, other, where in PAIRS:
        seen: set[tuple[str, str]] = set()
        for case in _variants(every, where):
            place = (case.integration, case.axes["ai"])
            if place not in seen:
                seen.add(place)
                yield _trial("pair", (one, other), case, f"{one}+{other}")


def _clean(every: Sequence[Case], wanted: int) -> Iterator[Trial]:
    # a fifty-second row is proved clean once
    short = [case for case in every if case.row.seconds < 20.0]
    count, turn = 0, 0
    while count < wanted:
        turn += 1
        for case in every if turn == 1 else short:
            yield _trial("clean", (), case, f"clean-{turn}")
            count += 1


def _variants(every: Sequence[Case], where: Where) -> Iterator[Case]:
    """The cases a fault is tried on: one codec for each trunk and value of the row's own axes."""
    seen: set[tuple[str, ...]] = set()
    for case in every:
        place = (case.row.id, case.trunk, *(v for axis, v in case.axes.items() if axis != "codec"))
        if where.admits(case) and place not in seen:
            seen.add(place)
            yield case


def _trial(kind: Kind, faults: tuple[str, ...], case: Case, name: str) -> Trial:
    return Trial(kind, faults, named(case, name))
