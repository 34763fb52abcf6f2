"""How often the detector errs, and how fast it is: ``python -m tools.accuracy`` (``make
accuracy``).

Everything is drawn by seeds, so two runs of one version count the same errors; only speeds differ.
Writes ``reports/accuracy.json`` and ``reports/accuracy.md``; the exit code is 1 when a bar is
missed. ``--short`` is a tenth of it, ``--only`` one part of it: marks in telephone calls, marks in
recordings of calls, or the kinds of real sounds.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import getitem
from pathlib import Path
from typing import Any, Final

# Two processes share the work; threads of the matrix library would only get into each other's way.
# To be set before numpy is loaded, here and (by inheritance) in the workers, which is why the rest
# is imported below.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import multiprocessing

import numpy as np

from harness.audio.detector import Heard, marks_heard
from tools import ROOT, read_toml, write_json
from tools.accuracy import codecs, real_sound, speed
from tools.accuracy.channels import lossy
from tools.accuracy.corpus import MINUTES, Item
from tools.accuracy.pairs import delay_trial, pair_trial
from tools.accuracy.recordings import (
    FORMATS,
    MARKS_EACH,
    RATIOS,
    Counts,
    false_marks,
    recording_trial,
)
from tools.accuracy.trials import CONDITIONS, MIXED, Condition, trial
from tools.ci.programs import missing_sounds, missing_voices

_WAYS: Final = ("clean", "5 % loss", "GSM", "Opus")
_PAIR_LEVELS: Final = ("0", "-3", "-6", "-10", "-20")
_DELAY_CHANNELS: Final = ("ulaw", "tandem")
_TABLE: Final = read_toml(Path(__file__).with_name("rows.toml"))
_TRIALS: Final = 3000  #: of each condition
_MIXED_TRIALS: Final = 100_000
_RECORDINGS: Final = 15  #: in each form
_RECORDED_SPEECH: Final = 120  #: minutes, besides the corpus


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table."""

    what: str
    figure: str
    bar: str = ""
    met: bool | None = None  #: None where there is no bar


@dataclass(frozen=True, slots=True)
class Task:
    """A piece of work for one process: what, with which seeds."""

    kind: str
    name: str
    seeds: range


#: The results of all tasks of a kind and name, one for each seed.
Results = Mapping[tuple[str, str], Sequence[Any]]


def _false_marks(kind: str, seed: int) -> dict[str, int]:
    samples = Item(kind, seed).samples()
    ways = {
        "clean": samples,
        "5 % loss": lossy(np.random.default_rng(seed), codecs.ulaw(samples), 0.05),
        "GSM": codecs.gsm(samples),
        "Opus": codecs.opus(samples),
    }
    return {
        way: sum(isinstance(fact, Heard) for fact in marks_heard(heard))
        for way, heard in ways.items()
    }


#: By the kind of a task, what is done with its name and each of its seeds.
_WORK: Final[Mapping[str, Callable[[str, int], Any]]] = {
    "false": _false_marks,
    "trial": lambda name, seed: trial(_condition(name), seed),
    "pair": lambda level, seed: pair_trial(float(level), seed),
    "delay": delay_trial,
    "speed": lambda name, seed: getattr(speed, name)(),
    "recorded": lambda kind, seed: false_marks(Item(kind, seed)),
    "recording": lambda name, seed: recording_trial(
        next(form for form in FORMATS if form.name == name), seed
    ),
    "sound": lambda source, number: real_sound.heard(real_sound.Minute(source, number)),
}


def _condition(name: str) -> Condition:
    return next(each for each in (*CONDITIONS, MIXED) if each.name == name)


def run_task(task: Task) -> tuple[Task, list[Any]]:
    """Do a task, in a worker; return it with its results."""
    return task, [_WORK[task.kind](task.name, seed) for seed in task.seeds]


def _tasks(kind: str, counts: Mapping[str, float], share: float, at_once: int) -> Iterator[Task]:
    """So many seeds of each name, or a share of them, ``at_once`` in a task."""
    for name, whole in counts.items():
        count = max(1, round(whole * share))
        for first in range(0, count, at_once):
            yield Task(kind, name, range(first, min(first + at_once, count)))


def _done(tasks: Iterable[Task], processes: int = os.cpu_count() or 1) -> Results:
    results: dict[tuple[str, str], list[Any]] = {}
    tasks = list(tasks)
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        for number, (task, found) in enumerate(pool.imap_unordered(run_task, tasks), 1):
            results.setdefault((task.kind, task.name), []).extend(found)
            if number % 50 == 0 or number == len(tasks):
                print(f"\r{number} of {len(tasks)} pieces", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return results


def main() -> int:
    """Run, print, write; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.accuracy", description=__doc__)
    parser.add_argument(
        "--short", action="store_true", help="a tenth of the corpus and of the trials"
    )
    parser.add_argument("--only", choices=PARTS, help="one part")
    parser.add_argument(
        "--reports", type=Path, default=ROOT / "reports", help="where the results go"
    )
    asked = parser.parse_args()
    missing = missing_sounds()
    if asked.only == "sounds" and missing:
        parser.error(f"no recorded sounds; apt-get install {' '.join(missing)}")
    begun = time.monotonic()
    summary: dict[str, Any] = {}
    rows: list[Row] = []
    every = [name for name in PARTS if not (name == "sounds" and missing)]
    for name in [asked.only] if asked.only else every:
        figures, more = PARTS[name](0.1 if asked.short else 1.0)
        summary |= figures
        rows += more
    summary["seconds"] = round(time.monotonic() - begun)
    text = _table(rows, summary, " ".join(["make accuracy", *sys.argv[1:]]))
    write_json(asked.reports / "accuracy.json", summary)
    (asked.reports / "accuracy.md").write_text(text, "utf-8")
    print(text)
    missed = [row for row in rows if row.met is False]
    for row in missed:
        print(f"missed: {row.what}: {row.figure}, to reach: {row.bar}", file=sys.stderr)
    return 1 if missed else 0


def _table(rows: list[Row], summary: dict[str, Any], command: str) -> str:
    lines = [f"Made by `{command}` in {summary['seconds']} s on {os.cpu_count()} cores.", ""]
    if "corpus_minutes" in summary:
        kinds = ", ".join(
            f"{kind} {minutes} min" for kind, minutes in summary["corpus_minutes"].items()
        )
        heard = f"heard {len(_WAYS)} times over: {', '.join(_WAYS)}"
        lines += [f"Corpus without marks: {summary['corpus_hours']:g} h ({kinds}), {heard}.", ""]
    lines += ["| what | figure | to reach | met |", "|---|---|---|---|"]
    met = {True: "yes", False: "**no**", None: ""}
    lines += [f"| {row.what} | {row.figure} | {row.bar} | {met[row.met]} |" for row in rows]
    return "\n".join(lines) + "\n"


# -- marks in telephone calls


def conditions() -> list[Condition]:
    """The conditions that this machine can make, and the mixed ones: G.729 needs its codec."""
    return [c for c in (*CONDITIONS, MIXED) if c.name != "G.729" or codecs.has_g729()]


def _calls(share: float) -> tuple[dict[str, Any], list[Row]]:
    # speeds first, with the machine to itself
    speeds = _done(
        _tasks("speed", {"batch_x_realtime": 1, "leg_cpu_percent": 1}, 1.0, 1), processes=1
    )
    trials = {each.name: _TRIALS for each in conditions()} | {MIXED.name: _MIXED_TRIALS}
    results = _done(
        [
            *_tasks("false", MINUTES, share, 1),
            *_tasks("trial", trials, share, 250),
            *_tasks("pair", dict.fromkeys(_PAIR_LEVELS, 1000), share, 250),
            *_tasks("delay", dict.fromkeys(_DELAY_CHANNELS, 500), share, 250),
        ]
    )
    summary = _summary(results)
    summary["batch_x_realtime"] = round(speeds["speed", "batch_x_realtime"][0])
    summary["leg_cpu_percent"] = round(speeds["speed", "leg_cpu_percent"][0], 4)
    by_condition = [_condition_row(condition, summary) for condition in conditions()]
    return summary, [*_rows("calls", summary), *by_condition, *_rows("timing", summary)]


def _summary(results: Results) -> dict[str, Any]:
    minutes = {kind: len(results["false", kind]) for kind in MINUTES}
    corpus_minutes = sum(minutes.values())
    false = {
        way: sum(counts[way] for kind in MINUTES for counts in results["false", kind])
        for way in _WAYS
    }
    detected, within_600, percentiles, wrong, trials = {}, {}, {}, 0, 0
    for condition in conditions():
        outcomes = results["trial", condition.name]
        delays = np.array([outcome.delay_ms for outcome in outcomes])
        wrong += sum(outcome.wrong for outcome in outcomes)
        trials += len(outcomes)
        detected[condition.name] = float(np.mean(delays <= 200))
        within_600[condition.name] = float(np.mean(delays <= 600))
        # Never is no number; a day stands for it.
        percentiles[condition.name] = [
            float(min(86.4e6, np.percentile(delays, p, method="higher"))) for p in (50, 95, 99)
        ]
    return {
        "corpus_hours": round(corpus_minutes / 60, 2),
        "corpus_minutes": minutes,
        "heard_hours": round(corpus_minutes * len(_WAYS) / 60, 2),
        "false_marks": sum(false.values()),
        "false_marks_by_way": false,
        "trials": trials,
        "wrong_marks": wrong,
        "detected": detected,
        "detected_within_600_ms": within_600,
        "decision_ms_p95": percentiles["G.711 µ-law"][1],
        "decision_ms_p50_p95_p99": percentiles,
        "pairs_named": {level: float(np.mean(results["pair", level])) for level in _PAIR_LEVELS},
        "delay_error_ms_p95": {
            channel: float(np.percentile(np.abs(results["delay", channel]), 95))
            for channel in _DELAY_CHANNELS
        },
    }


def _rows(part: str, summary: Mapping[str, Any]) -> Iterator[Row]:
    """Rows of ``rows.toml``."""
    for row in _TABLE[part]:
        figure = reduce(getitem, row["key"].split("/"), summary)
        met = None
        if "bar" in row:
            met = row.get("least", figure) <= figure <= row.get("most", figure)
        shown = row.get("figure", "{}").format(figure)
        yield Row(row["what"].format(**summary), shown, row.get("bar", ""), met)


def _condition_row(condition: Condition, summary: dict[str, Any]) -> Row:
    name, bar = condition.name, condition.bar
    at_200, at_600 = summary["detected"][name], summary["detected_within_600_ms"][name]
    p50, p95, p99 = summary["decision_ms_p50_p95_p99"][name]
    figure = f"≤ 200 ms {at_200:.2%}, ≤ 600 ms {at_600:.2%}; p50 {p50:.0f}, p95 {p95:.0f}, p99 {p99:.0f} ms"
    if bar is None:
        return Row(name, figure)
    met = at_200 >= bar.at_200 and at_600 >= bar.at_600 and p95 <= bar.p95_ms
    return Row(name, figure, bar.words, met)


# -- marks in recordings


def _recordings(share: float) -> tuple[dict[str, Any], list[Row]]:
    """Recordings with marks, and the corpus and recorded speech as recordings."""
    whole = MINUTES | {"recorded speech": _RECORDED_SPEECH}
    results = _done(
        [
            *_tasks("recorded", whole, share, 1),
            *_tasks("recording", {form.name: _RECORDINGS for form in FORMATS}, share, 1),
        ]
    )
    false = [count for kind in whole for count in results["recorded", kind]]
    by_form = {form.name: results["recording", form.name] for form in FORMATS}
    every = [one for counts in by_form.values() for one in counts]

    def found(counts: Sequence[Counts], ratio: int, *, deep: bool = False) -> float:
        named = sum((one.found if deep else one.heard)[ratio] for one in counts)
        return named * len(RATIOS) / (len(counts) * MARKS_EACH)

    worst = min(by_form, key=lambda form: found(by_form[form], 0))
    summary = {
        "recording_trials": len(every) * MARKS_EACH,
        "recording_speech": "synthetic" if missing_voices() else "recorded",
        "recording_wrong_marks": sum(one.wrong for one in every),
        "recording_hours": round(len(false) / 60, 2),
        "recording_false_marks": sum(false),
        "recording_detected_at_0_db": found(every, 0),
        "recording_worst_form": worst,
        "recording_worst_form_at_0_db": found(by_form[worst], 0),
        "recording_detected": {str(ratio): found(every, ratio) for ratio in RATIOS},
        "recording_detected_deep": {str(ratio): found(every, ratio, deep=True) for ratio in RATIOS},
    }
    return summary, [*_rows("recordings", summary), *_depth_rows(summary)]


def _depth_rows(summary: Mapping[str, Any]) -> Iterator[Row]:
    for ratio, found in summary["recording_detected"].items():
        deep = summary["recording_detected_deep"][ratio]
        figure = f"{found:.2%}; with the deep search {deep:.2%}"
        yield Row(f"recordings: found at {ratio} dB", figure)


# -- real sounds


def _sounds(share: float) -> tuple[dict[str, Any], list[Row]]:
    results = _done(_tasks("sound", real_sound.minutes(), share, 1))
    counts = real_sound.summary({source: found for (_, source), found in results.items()})
    return {"sounds": counts}, [Row(*row) for row in real_sound.rows(counts)]


PARTS: Final[Mapping[str, Callable[[float], tuple[dict[str, Any], list[Row]]]]] = {
    "calls": _calls,
    "recordings": _recordings,
    "sounds": _sounds,
}
