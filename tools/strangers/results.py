"""What came of the trials, against the bars."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from harness.case.verdict import Verdict
from harness.report.evidence import CaseEvidence
from tools import read_json
from tools.strangers.fault import FAULTS, Fault
from tools.strangers.plugin import RESULT
from tools.trials import ended

NAMED_BAR, LISTED_BAR, FALSE_ALARM_CASES = 0.90, 0.98, 500
#: A wire that holds up messages for longer than this is no clean one: the harness allows a voice
#: 400 ms.
RIG_LATE_S = 0.3
Outcome = Literal["named", "listed", "unknown", "misnamed", "not failed", "broken"]
_BY_NAME: Mapping[str, Fault] = {fault.name: fault for fault in FAULTS}


@dataclass(frozen=True)
class Result:
    """One trial: its fault (None for a clean one), how it ended, and what was said of it."""

    case: str
    fault: Fault | None
    verdict: Verdict
    message: str
    causes: tuple[Mapping[str, Any], ...]
    rig_late_s: float = 0.0  #: for how long our own wire held up at worst what goes over it

    @property
    def first(self) -> str:
        """The cause named first."""
        return str(self.causes[0].get("id")) if self.causes else "nothing"

    @property
    def listed(self) -> tuple[str, ...]:
        """The candidates, where there are several."""
        return tuple(str(cause.get("id")) for cause in self.causes if cause.get("candidate"))

    @property
    def outcome(self) -> Outcome:
        """Of a fault."""
        assert self.fault is not None
        if self.verdict is Verdict.BROKEN:
            return "broken"
        if self.verdict is not Verdict.FAILED:
            return "not failed"
        if self.is_right:
            return "named"
        if not set(self.fault.causes).isdisjoint(self.listed):
            return "listed"
        return "unknown" if self.first in ("unknown", "nothing") else "misnamed"

    @property
    def confidence(self) -> str:
        """Of the first cause."""
        return str(self.causes[0].get("confidence", "")) if self.causes else ""

    @property
    def is_right(self) -> bool:
        """Whether the first cause is the fault's."""
        return self.fault is not None and self.first in self.fault.causes


@dataclass(frozen=True)
class Proof:
    """All results, counted."""

    results: Sequence[Result]
    missing: Sequence[str]
    programs: Mapping[str, str]
    wall_s: float
    clean_wanted: int  #: clean cases that have to pass

    @property
    def injected(self) -> list[Result]:
        """Trials with a fault that the harness can see."""
        return [r for r in self.results if r.fault is not None and not r.fault.unseen]

    @property
    def failed(self) -> list[Result]:
        """The trials whose row failed."""
        return [r for r in self.injected if r.verdict is Verdict.FAILED]

    @property
    def clean_passed(self) -> int:
        """Trials without a fault that passed."""
        return sum(r.fault is None and r.verdict is Verdict.PASSED for r in self.results)

    def clean_failed(self, *, rig_late: bool) -> list[Result]:
        """Trials without a fault that failed: false alarms, unless our own wire was late. Those show
        that it was, and count neither way.
        """
        failed = [r for r in self.results if r.fault is None and r.verdict is Verdict.FAILED]
        return [r for r in failed if (r.rig_late_s >= RIG_LATE_S) is rig_late]

    @property
    def false_alarms(self) -> list[Result]:
        """Clean trials that failed, though our own wire was in time."""
        return self.clean_failed(rig_late=False)

    def count(self, outcome: Outcome) -> int:
        """Trials with that outcome."""
        return sum(r.outcome == outcome for r in self.injected)

    @property
    def wrong_certain(self) -> list[Result]:
        """Trials whose first cause is certain, and is another than the fault's."""
        return [r for r in self.failed if r.confidence == "certain" and not r.is_right]

    def calibration(self) -> dict[str, dict[str, int]]:
        """For each confidence how often the first cause was right."""
        said = Counter(r.confidence for r in self.failed if r.confidence)
        right = Counter(r.confidence for r in self.failed if r.is_right)
        return {name: {"said": said[name], "right": right[name]} for name in sorted(said)}

    def plain(self) -> dict[str, Any]:
        """For ``reports/strangers.json``."""
        kept = [r for r in self.injected if r.fault and r.fault.held_out]
        return {
            "faults": len({r.fault.name for r in self.injected if r.fault}),
            "injected": len(self.injected),
            "row_failed": len(self.failed),
            "named_first": self.count("named"),
            "listed": self.count("listed"),
            "unknown": self.count("unknown"),
            "wrong_certain": len(self.wrong_certain),
            "clean_cases": self.clean_passed,
            "false_alarms": len(self.false_alarms),
            "programs": dict(self.programs),
            "held_out": {
                "injected": len(kept),
                "named_first": sum(r.outcome == "named" for r in kept),
            },
            "calibration": self.calibration(),
            "unseen": {f.name: f.unseen for f in FAULTS if f.unseen},
            "rig_late": {
                r.case: f"{r.rig_late_s:.2f} s: {r.message.splitlines()[0]}"
                for r in self.clean_failed(rig_late=True)
            },
            "broken": [r.case for r in self.results if r.verdict is Verdict.BROKEN],
            "missing": list(self.missing),
            "wrong": {
                r.case: {
                    "outcome": r.outcome,
                    "said": r.first,
                    "confidence": r.confidence,
                    "listed": r.listed,
                }
                for r in self.injected
                if r.outcome != "named"
            },
            "alarms": {r.case: r.message.splitlines()[0] for r in self.false_alarms},
            "wall_s": round(self.wall_s, 1),
        }

    def shortfalls(self) -> list[str]:
        """The bars that were missed, a line each."""
        injected, named = len(self.injected), self.count("named")
        found = []
        for count, what, bar in (
            (len(self.failed), "rows failed", 1.0),
            (named, "were named first", NAMED_BAR),
            (named + self.count("listed"), "were named or listed", LISTED_BAR),
        ):
            if count < bar * injected:
                found.append(f"{count} of {injected} {what}; wanted: {bar:.0%}")
        found += [f"{r.case}: certain, and wrong: {r.first}" for r in self.wrong_certain]
        found += [
            f"{r.case}: a false alarm: {r.message.splitlines()[0]}" for r in self.false_alarms
        ]
        if self.clean_passed < self.clean_wanted:
            found.append(f"{self.clean_passed} clean cases passed; wanted: {self.clean_wanted}")
        return found + [f"{name}: left no result" for name in self.missing]


def read(run: Path) -> tuple[list[Result], list[str]]:
    """The results of a run, of the last attempt at each trial, and the cases that left none."""
    found, missing = ended(run, RESULT)
    return [_result(evidence) for evidence in found], missing


def _result(evidence: CaseEvidence) -> Result:
    left = read_json(evidence.directory / RESULT)
    return Result(
        case=evidence.id,
        fault=_BY_NAME[left["fault"]] if left["fault"] else None,
        verdict=evidence.verdict,
        message=evidence.message,
        causes=evidence.diagnosis,
        rig_late_s=left.get("rig_late_s", 0.0),
    )
