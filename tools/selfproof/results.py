"""What came of the trials: counted against the bars, and what is still known with less to see."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from harness.case.check_table import CHECKS
from harness.case.verdict import Verdict
from harness.diagnosis import Visibility
from harness.report.evidence import CaseEvidence
from tools import read_json
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
        if self.causes:
            return self.causes[0]
        return "no documented cause" if self.unexplained else "nothing"


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
        where = (self.faults[0], self.row, self.integration, self.axes)
        return next((each for each in UNDECIDED if each.covers(*where)), None)

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
        if self.verdict is not Verdict.FAILED or "all" not in self.told:
            return False
        return set(map(cause_of, self.faults)) <= set(self.told["all"].causes[:FIRST])

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
    missing: Sequence[str] = ()  #: trials that left no result
    wall_s: float = 0.0
    repeated: int = 0  #: trials that were made once more, since they had proved nothing
    clean_wanted: int = 0  #: clean cases that have to pass
    partial: bool = False  #: only some faults were tried

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
            "checks": self.checks(),
            "claims": {visibility: self.claims(visibility) for visibility in VISIBILITIES},
            "visibility": {
                fault: self.seen(fault) for fault in sorted({r.faults[0] for r in injected})
            },
        }

    def _wrong(self) -> list[Result]:
        misnamed = [r for r in self.of("fault") if r.outcome in ("misnamed", "not failed")]
        return misnamed + [r for r in self.of("pair") if not r.names_both] + self.false_alarms

    def checks(self) -> dict[str, dict[str, int]]:
        """For each check the faults that made it fail, in how many cases."""
        failed = _counted((check, r.faults[0]) for r in self.of("fault") for check in r.failed)
        return {check: failed.get(check, {}) for check in (*CHECKS, *failed)}

    def claims(self, visibility: Visibility) -> dict[Claim, int]:
        """What is said of all faults by one who sees no more than that."""
        counted = Counter(result.claim(visibility) for result in self.of("fault"))
        return {claim: counted[claim] for claim in get_args(Claim)}

    def seen(self, fault: str) -> dict[str, dict[str, int]]:
        """For each visibility what would have been said of this fault."""
        mine = [result for result in self.of("fault") if result.faults[0] == fault]
        return _counted((sight, spoken(told)) for r in mine for sight, told in r.told.items())

    def shortfalls(self) -> list[str]:
        """The bars that were missed, a line each."""
        found = []
        for r in self.of("fault"):
            if r.outcome == "not failed":
                found.append(f"{r.case}: did not fail ({r.verdict})")
            if r.outcome == "misnamed":
                found.append(f"{r.case}: diagnosed as {spoken(r.told['all'])}")
            for less in VISIBILITIES[1:]:
                if r.claim(less) == "wrong":
                    found.append(f"{r.case}: by {less} diagnosed as {spoken(r.told[less])}")
        found += [
            f"{r.case}: a false alarm: {r.message.splitlines()[0]}" for r in self.false_alarms
        ]
        passed = sum(r.verdict is Verdict.PASSED for r in self.of("clean"))
        if passed < self.clean_wanted:
            found.append(f"{passed} clean cases passed; wanted: {self.clean_wanted}")
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
    return [_result(evidence) for evidence in found], missing


def _result(evidence: CaseEvidence) -> Result:
    plain = read_json(evidence.directory / RESULT)
    return Result(
        kind=plain["kind"],
        faults=tuple(plain["faults"]),
        case=evidence.id,
        row=evidence.row,
        integration=evidence.integration,
        axes=evidence.axes,
        verdict=evidence.verdict,
        message=evidence.message,
        told={
            visibility: Told(**{name: tuple(ids) for name, ids in told.items()})
            for visibility, told in plain["told"].items()
        },
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


def _counted(pairs: Iterable[tuple[str, str]]) -> dict[str, dict[str, int]]:
    """For each first name how often each second name stands with it: the most counted first, and
    equal counts by name, so that two runs alike write the same page.
    """
    counts: dict[str, dict[str, int]] = {}
    for (name, other), count in sorted(Counter(pairs).items(), key=lambda one: (-one[1], one[0])):
        counts.setdefault(name, {})[other] = count
    return counts
