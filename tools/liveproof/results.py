"""What the runs said of the worlds, held against what is so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from harness.case.log import CASE
from harness.case.verdict import Verdict
from harness.report.evidence import CaseEvidence
from harness.run.load.result import percentile
from tools.liveproof.plan import LOST, World
from tools.trials import ended

#: How the titles of the steps end that hold a scenario up for a look at who hears whom, and of
#: those in which the AI has its turn.
_LOOK: Final = " hear each other"
_AIS_TURN: Final = (
    " lets the far end finish",
    " lets the AI greet first",
    " gives the far end time to answer",
    " hears the answer",
)
#: The share of a case's time in which the world's audio may stand still: as much RTP may be lost.
_MOST_STILL: Final = 0.05
#: What the harness may say for certain of such a case: the world did send too little.
_OF_A_STILL_WORLD: Final = "rtp-not-sent"

_LEAST_LOCALISED: Final = 0.95
#: The point of capture that audio passes first, and the other one, by its way.
_POINTS: Final = {"to_ai": ("carrier", "trunk"), "to_caller": ("trunk", "carrier")}

Times = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Result:
    """One case in one world."""

    world: World
    case: str
    row: str
    verdict: Verdict
    message: str
    certain: tuple[str, ...]  #: causes that were named as certain
    looks_s: tuple[
        float, ...
    ]  #: how long each look at who hears whom held the scenario up, without the AI's turns
    whole_looks_s: tuple[
        float, ...
    ]  #: the same with the time that the AI takes to think and to speak
    held_s: float  #: how long all looks together did, those at several calls at once counted once
    lost_between: frozenset[str] = (
        frozenset()
    )  #: the ways on which it names the two captures between which audio is lost
    still: float = (
        0.0  #: the share of its time in which the world itself, too busy, sent and heard nothing
    )

    @property
    def is_injected(self) -> bool:
        """Whether a claim of this case is false."""
        return self.world.is_false

    @property
    def is_false_pass(self) -> bool:
        """Whether it passed all the same."""
        return self.is_injected and self.verdict is Verdict.PASSED

    @property
    def is_void(self) -> bool:
        """Whether it proves nothing: the harness or the world had too little processor time. A
        false pass is never void.
        """
        alarm = self.is_false_alarm and self.was_still
        return (self.verdict is Verdict.BROKEN or alarm) and not self.is_wrong_certain

    @property
    def was_still(self) -> bool:
        """Whether the world had too little processor time to send its audio."""
        return self.still > _MOST_STILL

    @property
    def is_localised(self) -> bool | None:
        """Whether it names the two captures between which the audio is lost; None where it is not
        lost between two.
        """
        lost = self.world.lost_between
        return bool(lost & self.lost_between) if lost else None

    @property
    def is_wrong_certain(self) -> bool:
        """Whether a cause was named as certain that is not the one."""
        right = self.world.right_causes | ({_OF_A_STILL_WORLD} if self.was_still else set())
        return bool(set(self.certain) - right)

    @property
    def is_false_alarm(self) -> bool:
        """Whether all is well, and it says otherwise; where the witness cannot tell, "not
        observable" is right.
        """
        if self.is_injected:
            return False
        fits = (Verdict.PASSED,) if self.world.allows else (Verdict.PASSED, Verdict.NOT_OBSERVABLE)
        return self.verdict not in fits


def read(run: Path, worlds: Iterable[World], stood_still: Times = ()) -> Iterator[Result]:
    """Every case of a run. ``stood_still``: from when to when the world was too busy to send and
    hear.
    """
    by_name = {world.name: world for world in worlds}
    for evidence in ended(run, CASE)[0]:
        world = by_name[evidence.deployment]
        looks, whole_looks, held_s = _times(evidence.steps)
        yield Result(
            world,
            evidence.id,
            evidence.row,
            evidence.verdict,
            evidence.conclusion.message.partition("\n")[0],
            tuple(str(c.get("id")) for c in evidence.diagnosis if _is_certain(c)),
            looks,
            whole_looks,
            held_s,
            frozenset(_segments(evidence.diagnosis)),
            _share(stood_still, evidence),
        )


def _share(stood_still: Times, evidence: CaseEvidence) -> float:
    began, ended = evidence.began, evidence.ended
    still_s = sum(max(0.0, min(end, ended) - max(begin, began)) for begin, end in stood_still)
    return still_s / max(ended - began, 0.001)


def _segments(diagnosis: Iterable[Any]) -> Iterator[str]:
    for cause in diagnosis:
        if cause["id"] != LOST or cause.get("candidate"):
            continue
        shown = "\n".join(cause["evidence"])
        for way, (first, second) in _POINTS.items():
            is_of_it = cause["rule"] == f"audio.way.{way}.between"
            if (
                is_of_it
                and f" is in {first}.pcap" in shown
                and f" is not in {second}.pcap" in shown
            ):
                yield way


def _is_certain(cause: Any) -> bool:
    return cause.get("confidence") == "certain" and not cause.get("candidate")


def _times(steps: Sequence[Any]) -> tuple[tuple[float, ...], tuple[float, ...], float]:
    """Seconds of each look without the AI's turns, and with them, and of all looks together."""
    ended = [step for step in _all(steps) if step.ended is not None]
    turns = [step for step in ended if step.title.endswith(_AIS_TURN)]
    looks = [step for step in ended if step.title.endswith(_LOOK) or f"{_LOOK}:" in step.title]
    seconds = []
    for step in looks:
        call = step.title.partition(" ")[0]
        mine = [one for one in turns if one.title.startswith(f"{call} ")]
        seconds.append(step.ended - step.began - sum(_overlap(step, one) for one in mine))
    held_s, until = 0.0, 0.0
    for step in sorted(looks, key=lambda one: one.began):
        held_s += max(0.0, step.ended - max(until, step.began))
        until = max(until, step.ended)
    return tuple(seconds), tuple(step.ended - step.began for step in looks), held_s


def _overlap(one: Any, other: Any) -> float:
    return max(0.0, float(min(one.ended, other.ended) - max(one.began, other.began)))


def _all(steps: Iterable[Any]) -> Iterator[Any]:
    for step in steps:
        yield step
        yield from _all(step.steps)


@dataclass(frozen=True)
class Proof:
    """All results, counted."""

    results: Sequence[Result]
    worlds: int
    missing: int  #: worlds of which no case was reported
    seconds: float
    repeated: int = 0  #: cases that were made once more, since they had said nothing

    def plain(self) -> dict[str, Any]:
        """The figures."""
        injected = [result for result in self.results if result.is_injected]
        verdicts = Counter(result.verdict for result in injected)
        well = [result for result in self.results if not result.is_injected]
        return {
            "worlds": self.worlds,
            "missing": self.missing,
            "injected": len(injected),
            "false_pass": sum(result.is_false_pass for result in injected),
            "failed": verdicts[Verdict.FAILED],
            "not_observable": verdicts[Verdict.NOT_OBSERVABLE],
            "broken": verdicts[Verdict.BROKEN],
            "repeated": self.repeated,
            "wrong_certain": sum(result.is_wrong_certain for result in self.results),
            "clean_cases": len(well),
            "clean_passed": sum(result.verdict is Verdict.PASSED for result in well),
            "false_alarms": sum(result.is_false_alarm for result in well),
            "proved_share": self.proved_share,
            "localised": self.localised,
            "audio_check_s_p95": _p95([s for r in well if r.world.allows for s in r.looks_s]),
            "audio_check_recorded_s_p95": _p95([s for r in self._recorded for s in r.looks_s]),
            "audio_check_whole_s_p95": _p95(
                [s for r in well if r.world.allows for s in r.whole_looks_s]
            ),
            "audio_check_wrong_s_p95": _p95([s for r in injected for s in r.looks_s]),
            "three_at_once_s_p95": _p95([r.held_s for r in well if r.row == "CONCURRENT"]),
            "one_at_once_s_p95": _p95([r.held_s for r in well if r.row == "REINVITE-CODEC"]),
            "seconds": round(self.seconds, 1),
        }

    @property
    def proved_share(self) -> float | None:
        """Of the clean cases with a good recording, the share that passed as proved."""
        return _share_of(r.verdict is Verdict.PASSED for r in self._recorded)

    @property
    def _recorded(self) -> list[Result]:
        """The clean cases with a good recording."""
        return [r for r in self.results if not r.is_injected and r.world.allows == "proved"]

    @property
    def localised(self) -> float | None:
        """Of the cases whose audio is lost between two captures, the share whose diagnosis names
        the two.
        """
        return _share_of(r.is_localised for r in self.results if r.is_localised is not None)

    @property
    def shortfalls(self) -> list[str]:
        """What is not as it has to be, a line each."""
        said = []
        is_seldom_localised = self.localised is not None and self.localised < _LEAST_LOCALISED
        for r in self.results:
            where = f"{r.world.title}: {r.case}"
            if r.is_false_pass:
                said.append(f"{where}: passed")
            if r.is_wrong_certain:
                said.append(f"{where}: certain of {', '.join(r.certain)}")
            if r.is_false_alarm:
                said.append(f"{where}: {r.verdict}: {r.message}")
            if r.is_injected and r.verdict is Verdict.BROKEN:
                said.append(f"{where}: broken: {r.message}")
            if r.is_localised is False and is_seldom_localised:
                said.append(f"{where}: not localised")
        return said + [f"{self.missing} worlds left no case"] * bool(self.missing)

    def with_cases(self) -> dict[str, Any]:
        """The figures, and every case behind them."""
        cases = [
            {
                "world": r.world.title,
                "case": r.case,
                "verdict": str(r.verdict),
                "message": r.message,
                "certain": list(r.certain),
                "looks_s": [round(s, 2) for s in r.looks_s],
                "localised": r.is_localised,
                "stood_still": round(r.still, 3),
            }
            for r in self.results
        ]
        return {**self.plain(), "shortfalls": self.shortfalls, "cases": cases}


def _share_of(right: Iterable[bool]) -> float | None:
    each = list(right)
    return round(sum(each) / len(each), 3) if each else None


def _p95(seconds: Sequence[float]) -> float | None:
    return percentile([round(each, 2) for each in seconds], 0.95)
