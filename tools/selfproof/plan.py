"""What the self-proof does: every fault on every trunk it can show on, pairs of faults, and clean
runs.

``faults.toml`` has the faults.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from harness.case.check_table import RESPONSIVENESS
from harness.deployment import Deployment
from harness.integrations.matrix import Case, Selection, cases
from tools.trials import AXIS

Kind = Literal["fault", "pair", "clean"]


@dataclass(frozen=True)
class Where:
    """Rows on which a fault shows, narrowed by axes (a case that lacks an axis is admitted)."""

    rows: tuple[str, ...]
    axes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def admits(self, case: Case) -> bool:
        """Whether the fault can show in this case."""
        if case.row.id not in self.rows:
            return False
        return all(case.axes.get(axis, values[0]) in values for axis, values in self.axes.items())


def _where(rows: Sequence[str], **axes: str | list[str]) -> Where:
    return Where(
        tuple(rows), {a: (v,) if isinstance(v, str) else tuple(v) for a, v in axes.items()}
    )


_TABLE = tomllib.loads(Path(__file__).with_name("faults.toml").read_text(encoding="utf-8"))
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


def cause_of(fault: str, row: str = "") -> str:
    """The cause that must be named when this fault is on, in a case of that row."""
    plain = _ROWS.get(fault, {})
    if row.endswith("-INBOUND") and "cause_of_invite" in plain:
        return str(plain["cause_of_invite"])
    return str(plain.get("cause", fault))


_UNREACHED = frozenset({
    "route-missing", "trunk-transport-mismatch", "route-wrong-trunk", "tls-not-appended", "firewall-udp-32681-rejected",
    "firewall-tcp-32681-rejected", "firewall-tls-32682-rejected", "trunk-inactive",
})  # fmt: skip
_NEVER_ARRIVED = (
    "The platform's agents ring at once, the ports answer when they are asked, and nothing ever came to the AI: what the "
    "platform did instead stands in its own call log alone."
)


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


#: The documented lists of candidates: where two causes leave the same evidence, and why.
UNDECIDED: tuple[Undecided, ...] = (
    Undecided(
        ("route-missing", "trunk-transport-mismatch", "trunk-down"), _UNREACHED, _NEVER_ARRIVED
    ),
    Undecided(
        ("route-wrong-trunk",),
        _UNREACHED,
        "The other trunk leads to a place where nobody listens. " + _NEVER_ARRIVED,
        axes={"ai": "stand-in"},
    ),
    Undecided(
        ("route-wrong-trunk",),
        _UNREACHED,
        "The other trunk leads to the stand-in's address, where nobody listens. " + _NEVER_ARRIVED,
        integration="gladly",
    ),
    Undecided(
        ("tls-not-appended",),
        _UNREACHED,
        "The stand-in listens on TLS alone and does not see calls in the clear. " + _NEVER_ARRIVED,
        axes={"ai": "stand-in"},
    ),
    Undecided(
        ("firewall-udp-32681", "firewall-udp-32681-rejected"),
        frozenset({"firewall-udp-32681", "firewall-udp-32681-rejected"}),
        "A REGISTER over UDP that nobody answers was dropped, or rejected by an ICMP message that did not come back.",
        rows=("TD-REGISTER-OK",),
    ),
)


#: Checks that no fault of the catalogue makes fail, and why; what they let through and what not is
#: shown by ``tests/unit/checks/check_examples.py``.
UNREACHED: Mapping[str, str] = {
    **dict.fromkeys(RESPONSIVENESS, "the deployments of the proof set no limit to it"),
    "answered": "each fault that keeps a call from being answered is seen before, at the AI",
    "route.not_answered": "no fault lets a call through that has to be refused",
    "route.not_reached": "no fault makes the platform talk to a bad certificate",
    "codec": "a call without G.711 is refused before it has a codec",
    "media.encrypted": "no fault takes SRTP away from a call that goes on",
    "audio.silent": "no fault lets a voice through a hold, or leaves the AI in a warm transfer",
    "call.up": "no fault ends a call by itself",
    "answered.once": "no fault has a call answered twice",
    "answered.acknowledged": "no fault loses the caller's ACK",
    "header.absent": "no fault adds a header",
    "landing.stops": "no fault lets a phone ring on when another has answered",
    "ringing": "a call that does not reach the AI rings at somebody else",
    "transfer.told": "the deployments of the proof have the caller return to the AI",
    "voicemail": "what keeps a caller from voicemail keeps the call from being answered, which is seen first",
    "one_call": "no fault leaves a party with two calls",
    "session.interval": "no fault spoils session timers",
    "prack": "no fault spoils reliable provisional responses",
    "campaign": "it says that nothing can start a campaign",
    "case": "it says that a case looked at nothing",
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
    every = cases(deployments, Selection(rows=()))
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
    return Trial(kind, faults, replace(case, axes={**case.axes, AXIS: name}))
