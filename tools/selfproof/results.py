"""What came of the trials: counted against the bars, and what is still known with less to see."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from harness.case.check_table import CHECKS
from harness.case.verdict import Verdict
from harness.diagnosis import Visibility
from harness.report.evidence import CaseEvidence
from tools.selfproof.plan import UNDECIDED, UNREACHED, Kind, Undecided, cause_of
from tools.selfproof.plugin import RESULT, VISIBILITIES
from tools.trials import ended

#: Of two faults at once, both have to be among the first causes named.
FIRST = 3
PAIRS_BAR = 0.9

#: What is said of a fault by one who sees less: never another cause, nor a list without it.
Claim = Literal["named", "listed", "no documented cause", "nothing seen", "wrong"]

Outcome = Literal["named", "listed", "misnamed", "not failed"]


@dataclass(frozen=True)
class Told:
    """What a diagnosis said."""

    causes: tuple[str, ...]
    candidates: tuple[str, ...]
    unexplained: tuple[str, ...] = ()
    certain: tuple[str, ...] = ()  #: of the causes

    @property
    def first(self) -> str:
        """The first cause, or what there is instead."""
        return (
            self.causes[0]
            if self.causes
            else "no documented cause"
            if self.unexplained
            else "nothing"
        )


@dataclass(frozen=True)
class Result:
    """One trial that was run."""

    kind: Kind
    faults: tuple[str, ...]
    case: str
    row: str
    integration: str
    axes: Mapping[str, str]
    verdict: Verdict
    message: str
    told: Mapping[Visibility, Told]
    failed: tuple[str, ...] = ()  #: the checks that failed
    broke: bool = False  #: a finding says nothing, since the harness was kept waiting or failed
    acted: tuple[str, ...] = ()  #: faults that changed something in the case, as the world has it
    made: tuple[str, ...] = ()  #: the checks that had something to look at

    @property
    def cause(self) -> str:
        """Of a single fault: what has to be named."""
        return cause_of(self.faults[0])

    @property
    def outcome(self) -> Outcome:
        """Of a single fault: whether it was named alone, was in the list documented for it, or
        neither.
        """
        told, cause = self.told.get("all"), self.cause
        if self.verdict is not Verdict.FAILED or told is None:
            return "not failed"
        if told.first == cause and not told.candidates:
            return "named"
        listed = self.undecided
        if listed and cause in told.candidates and set(told.candidates) <= listed.among:
            return "listed"
        return "misnamed"

    @property
    def undecided(self) -> Undecided | None:
        """The documented list of candidates, where the evidence cannot decide."""
        return next(
            (
                u
                for u in UNDECIDED
                if u.covers(self.faults[0], self.row, self.integration, self.axes)
            ),
            None,
        )

    def claim(self, visibility: Visibility) -> Claim:
        """Of a single fault: what is said of it by one who sees no more than that."""
        told, cause = self.told.get(visibility), self.cause
        if told is None or told.first == "nothing":
            return "nothing seen"
        if not told.causes:
            return "no documented cause"
        if told.candidates:
            return "listed" if cause in told.candidates else "wrong"
        return "named" if told.first == cause else "wrong"

    @property
    def names_both(self) -> bool:
        """Of a pair: whether both are among the first causes."""
        told = self.told.get("all")
        wanted = set(map(cause_of, self.faults))
        return (
            self.verdict is Verdict.FAILED
            and told is not None
            and wanted <= set(told.causes[:FIRST])
        )

    @property
    def is_void(self) -> bool:
        """Whether it proves nothing: the case is broken, or so is what would have shown the other
        fault of a pair.
        """
        if self.kind == "pair" and self.verdict is Verdict.FAILED:
            return self.broke and not self.names_both
        return self.verdict is Verdict.BROKEN


@dataclass(frozen=True)
class Proof:
    """All results, counted."""

    results: Sequence[Result]
    wall_s: float = 0.0
    missing: Sequence[str] = field(default_factory=tuple)  #: trials that left no result
    partial: bool = False  #: only some faults were tried
    repeated: int = 0  #: trials that were made once more, since they had proved nothing

    def of(self, kind: Kind) -> list[Result]:
        """The results of one kind."""
        return [result for result in self.results if result.kind == kind]

    @property
    def false_alarms(self) -> list[Result]:
        """Clean cases that did not pass, or of which a cause was told."""
        return [
            r
            for r in self.of("clean")
            if r.verdict is Verdict.FAILED or r.told["all"].first != "nothing"
        ]

    @property
    def broken(self) -> list[Result]:
        """Trials in which the harness or its surroundings failed, so that they prove nothing."""
        return [r for r in self.results if r.verdict not in (Verdict.PASSED, Verdict.FAILED)]

    def count(self, outcome: Outcome) -> int:
        """Single faults with that outcome."""
        return sum(result.outcome == outcome for result in self.of("fault"))

    def plain(self) -> dict[str, Any]:
        """For ``reports/selfproof.json``."""
        injected, clean, pairs = self.of("fault"), self.of("clean"), self.of("pair")
        return {
            "faults": len({r.faults[0] for r in injected}),
            "injected": len(injected),
            "row_failed": sum(r.verdict is Verdict.FAILED for r in injected),
            "named_first": self.count("named"),
            "candidates_only": self.count("listed"),
            "clean_cases": sum(r.verdict is Verdict.PASSED for r in clean),
            "false_alarms": len(self.false_alarms),
            "pairs": len(pairs),
            "pairs_named": sum(r.names_both for r in pairs),
            "repeated": self.repeated,
            "broken": [r.case for r in self.broken],
            "missing": list(self.missing),
            "misnamed": {
                r.case: r.told["all"].first if "all" in r.told else "" for r in self._wrong()
            },
            "wall_s": round(self.wall_s, 1),
            "matrix": self.matrix(),
            "checks": self.checks(),
            "claims": {visibility: self.claims(visibility) for visibility in VISIBILITIES},
            "visibility": {
                fault: self.seen(fault) for fault in sorted({r.faults[0] for r in injected})
            },
        }

    def _wrong(self) -> Iterator[Result]:
        yield from (r for r in self.of("fault") if r.outcome in ("misnamed", "not failed"))
        yield from (r for r in self.of("pair") if not r.names_both)
        yield from self.false_alarms

    def matrix(self) -> dict[str, dict[str, int]]:
        """Injected × diagnosed: the cause named, or ``one of …`` for a list."""
        counted: dict[str, Counter[str]] = {}
        for result in self.of("fault"):
            counted.setdefault(result.faults[0], Counter())[spoken(result.told.get("all"))] += 1
        return {fault: _ranked(counter) for fault, counter in counted.items()}

    def checks(self) -> dict[str, dict[str, int]]:
        """For each check the faults that made it fail, in how many cases."""
        counted: dict[str, Counter[str]] = {check: Counter() for check in CHECKS}
        for result in self.of("fault"):
            for check in result.failed:
                counted.setdefault(check, Counter())[result.faults[0]] += 1
        return {check: _ranked(counter) for check, counter in counted.items()}

    def claims(self, visibility: Visibility) -> dict[Claim, int]:
        """What is said of all faults by one who sees no more than that."""
        counted = Counter(result.claim(visibility) for result in self.of("fault"))
        return {claim: counted[claim] for claim in get_args(Claim)}

    def seen(self, fault: str) -> dict[str, dict[str, int]]:
        """For each visibility what would have been said of this fault."""
        counted: dict[str, Counter[str]] = {}
        for result in self.of("fault"):
            if result.faults[0] == fault:
                for visibility, told in result.told.items():
                    counted.setdefault(visibility, Counter())[spoken(told)] += 1
        return {visibility: _ranked(counter) for visibility, counter in counted.items()}

    def shortfalls(self, clean_wanted: int) -> list[str]:
        """The bars that were missed, a line each."""
        found = [
            f"{r.case}: did not fail ({r.verdict})"
            for r in self.of("fault")
            if r.outcome == "not failed"
        ]
        found += [
            f"{r.case}: diagnosed as {spoken(r.told['all'])}"
            for r in self.of("fault")
            if r.outcome == "misnamed"
        ]
        for less in VISIBILITIES[1:]:
            wrong = [r for r in self.of("fault") if r.claim(less) == "wrong"]
            found += [f"{r.case}: by {less} diagnosed as {spoken(r.told[less])}" for r in wrong]
        found += [
            f"{r.case}: a false alarm: {r.message.splitlines()[0]}" for r in self.false_alarms
        ]
        passed = sum(r.verdict is Verdict.PASSED for r in self.of("clean"))
        if passed < clean_wanted:
            found.append(f"{passed} clean cases passed; wanted: {clean_wanted}")
        pairs = self.of("pair")
        named = sum(r.names_both for r in pairs)
        if pairs and named < PAIRS_BAR * len(pairs):
            missed = "; ".join(
                f"{r.case}: {spoken(r.told['all'])}" for r in pairs if not r.names_both
            )
            found.append(
                f"{named} of {len(pairs)} pairs were named; wanted: {PAIRS_BAR:.0%} ({missed})"
            )
        found += [f"{name}: left no result" for name in self.missing]
        if not self.partial:
            unmade = [
                check
                for check, faults in self.checks().items()
                if not faults and check not in UNREACHED
            ]
            found += [f"no fault made the check {check} fail" for check in unmade]
        return found


def spoken(told: Told | None) -> str:
    """A diagnosis in short."""
    if told is None:
        return "nothing"
    if len(told.candidates) == 1:
        return f"possibly {told.first}"
    return (
        f"one of {', '.join(told.candidates)}"
        if told.candidates
        else ", then ".join(told.causes) or told.first
    )


def read(run: Path) -> tuple[list[Result], list[str]]:
    """The results of a run, of the last attempt at each trial, and the cases that left none."""
    found, missing = ended(run, RESULT)
    return [
        _result(json.loads((one.directory / RESULT).read_text(encoding="utf-8")), one)
        for one in found
    ], missing


def _result(plain: Mapping[str, Any], evidence: CaseEvidence) -> Result:
    return Result(
        kind=plain["kind"],
        faults=tuple(plain["faults"]),
        case=evidence.id,
        row=evidence.row,
        integration=evidence.integration,
        axes=evidence.axes,
        verdict=evidence.verdict,
        message=evidence.message,
        told={visibility: _told(told) for visibility, told in plain["told"].items()},
        failed=tuple(plain["failed"]),
        broke=any(finding.verdict is Verdict.BROKEN for finding in evidence.findings),
        acted=tuple(plain["acted"]),
        made=_made(evidence),
    )


def _made(evidence: CaseEvidence) -> tuple[str, ...]:
    """The checks that had something to look at; of one about the AI's end, that, too."""
    looked = [f for f in evidence.findings if f.verdict in (Verdict.PASSED, Verdict.FAILED)]
    made = {finding.check for finding in looked}
    for finding in looked:
        ends = (finding.subject, finding.speaker, finding.listener)
        if any(str(end).startswith(("assistant", "stand-in", "ai-")) for end in ends):
            made.add(f"{finding.check} at the AI")
    return tuple(sorted(made))


def _told(plain: Mapping[str, Any]) -> Told:
    return Told(
        tuple(plain["causes"]),
        tuple(plain["candidates"]),
        tuple(plain["unexplained"]),
        tuple(plain["certain"]),
    )


def _ranked(counter: Counter[str]) -> dict[str, int]:
    """The most counted first; equal counts by name, so that two runs alike write the same page."""
    return dict(sorted(counter.items(), key=lambda counted: (-counted[1], counted[0])))
