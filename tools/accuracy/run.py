"""How often the detector errs, and how fast it is: ``python -m tools.accuracy`` (``make
accuracy``).

Everything is drawn by seeds, so two runs of one version count the same errors; only speeds differ.
Writes ``reports/accuracy.json`` and ``reports/accuracy.md``; the exit code is 1 when a bar is
missed. ``--short`` is a tenth of it, ``--only`` one part of it: marks in telephone calls, marks in
recordings of calls, or the kinds of real sounds.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

# Two processes share the work; threads of the matrix library would only get into each other's way.
# To be set before numpy is loaded, here and (by inheritance) in the workers, which is why the rest
# is imported below.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import multiprocessing

import numpy as np

from harness.audio.detector import Heard, marks_heard
from tools.accuracy import codecs, real_sound, speed
from tools.accuracy.channels import conceal, random_loss
from tools.accuracy.corpus import MINUTES, Item, corpus
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
_SPEEDS: Final = ("batch_x_realtime", "leg_cpu_percent")
_PAIR_LEVELS: Final = ("0", "-3", "-6", "-10", "-20")
_DELAY_CHANNELS: Final = {"ulaw": "G.711", "tandem": "G.711 tandem"}
_TRIALS: Final = 3000  #: of each condition
_MIXED_TRIALS: Final = 100_000
_CHUNK: Final = 250  #: trials a task
_RECORDINGS: Final = 15  #: in each form
_RECORDED_SPEECH: Final = 120  #: minutes, besides the corpus


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table."""

    what: str
    figure: str
    bar: str
    met: bool | None  #: None where there is no bar


@dataclass(frozen=True, slots=True)
class Task:
    """A piece of work for one process: what, with which seeds."""

    kind: str
    name: str
    first: int
    count: int


def run_task(task: Task) -> tuple[Task, Any]:
    """Do a task, in a worker; return it with its result."""
    seeds = range(task.first, task.first + task.count)
    match task.kind:
        case "false":
            return task, _false_marks(Item(task.name, task.first))
        case "recorded":
            return task, false_marks(Item(task.name, task.first))
        case "recording":
            form = next(form for form in FORMATS if form.name == task.name)
            return task, recording_trial(form, task.first)
        case "sound":
            minute = real_sound.Minute(task.name, task.first)
            return task, {way: real_sound.heard(minute, way) for way in real_sound.WAYS}
        case "trial":
            condition = next(c for c in (*CONDITIONS, MIXED) if c.name == task.name)
            outcomes = [trial(condition, seed) for seed in seeds]
            return task, (sum(o.wrong for o in outcomes), [o.delay_ms for o in outcomes])
        case "pair":
            return task, [pair_trial(float(task.name), seed) for seed in seeds]
        case "delay":
            return task, [delay_trial(task.name, seed) for seed in seeds]
        case "speed":
            return task, getattr(speed, task.name)()
    raise ValueError(task.kind)


def _false_marks(item: Item) -> dict[str, int]:
    samples = item.samples()
    lost = random_loss(np.random.default_rng(item.seed), len(samples) // 160 + 1, 0.05)
    ways = {
        "clean": samples,
        "5 % loss": conceal(codecs.ulaw(samples), lost),
        "GSM": codecs.gsm(samples),
        "Opus": codecs.opus(samples),
    }
    return {
        way: sum(isinstance(fact, Heard) for fact in marks_heard(heard))
        for way, heard in ways.items()
    }


def main() -> int:
    """Run, print, write; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.accuracy", description=__doc__)
    parser.add_argument(
        "--short", action="store_true", help="a tenth of the corpus and of the trials"
    )
    parser.add_argument("--only", choices=("calls", "recordings", "sounds"), help="one part")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument(
        "--reports", type=Path, default=Path("reports"), help="where the results go"
    )
    options = parser.parse_args()
    share = 0.1 if options.short else 1.0
    if options.only == "sounds" and (missing := missing_sounds()):
        parser.error(f"no recorded sounds; apt-get install {' '.join(missing)}")
    begun = time.monotonic()
    summary: dict[str, Any] = {}
    rows: list[Row] = []
    if options.only in (None, "calls"):
        with multiprocessing.get_context("spawn").Pool(
            1
        ) as alone:  # speeds first, with the machine to itself
            speeds = {
                task.name: one
                for task, one in alone.map(run_task, [Task("speed", n, 0, 1) for n in _SPEEDS])
            }
        summary |= _summary(_done(_tasks(share), options.processes), speeds, share)
        rows += _rows(summary)
    if options.only in (None, "recordings"):
        summary |= _recordings(_done(_recording_tasks(share), options.processes))
        rows += _recording_rows(summary)
    if options.only == "sounds" or (options.only is None and not missing_sounds()):
        tasks = [Task("sound", m.source, m.number, 1) for m in real_sound.minutes(share)]
        summary["sounds"] = real_sound.summary(_done(tasks, options.processes))
        rows += [Row(*row) for row in real_sound.rows(summary["sounds"])]
    summary["seconds"] = round(time.monotonic() - begun)
    text = _table(rows, summary, " ".join(["make accuracy", *sys.argv[1:]]))
    options.reports.mkdir(parents=True, exist_ok=True)
    (options.reports / "accuracy.json").write_text(
        json.dumps(summary, indent=2, ensure_ascii=False) + "\n", "utf-8"
    )
    (options.reports / "accuracy.md").write_text(text, "utf-8")
    print(text)
    missed = [row for row in rows if row.met is False]
    for row in missed:
        print(f"missed: {row.what}: {row.figure}, to reach: {row.bar}", file=sys.stderr)
    return 1 if missed else 0


def _done(tasks: list[Task], processes: int) -> dict[tuple[str, str], list[Any]]:
    results: dict[tuple[str, str], list[Any]] = {}
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        for number, (task, value) in enumerate(pool.imap_unordered(run_task, tasks), 1):
            results.setdefault((task.kind, task.name), []).append(value)
            if number % 50 == 0 or number == len(tasks):
                print(f"\r{number} of {len(tasks)} pieces", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return results


def _recording_tasks(share: float) -> list[Task]:
    """Recordings with marks, and the corpus and recorded speech as recordings."""
    whole = {("recorded", kind): minutes for kind, minutes in MINUTES.items()}
    whole["recorded", "recorded speech"] = _RECORDED_SPEECH
    whole |= {("recording", form.name): _RECORDINGS for form in FORMATS}
    return [
        Task(kind, name, number, 1)
        for (kind, name), count in whole.items()
        for number in range(max(1, round(count * share)))
    ]


def _recordings(results: dict[tuple[str, str], list[Any]]) -> dict[str, Any]:
    false = {kind: values for (what, kind), values in results.items() if what == "recorded"}
    by_form: dict[str, list[Counts]] = {
        form.name: results["recording", form.name] for form in FORMATS
    }
    every = [one for counts in by_form.values() for one in counts]

    def found(counts: Sequence[Counts], ratio: int, *, deep: bool = False) -> float:
        named = sum((one.found if deep else one.heard)[ratio] for one in counts)
        return named * len(RATIOS) / (len(counts) * MARKS_EACH)

    worst = min(by_form, key=lambda form: found(by_form[form], 0))
    return {
        "recording_trials": len(every) * MARKS_EACH,
        "recording_speech": "synthetic" if missing_voices() else "recorded",
        "recording_wrong_marks": sum(one.wrong for one in every),
        "recording_hours": round(sum(map(len, false.values())) / 60, 2),
        "recording_false_marks": sum(map(sum, false.values())),
        "recording_detected_at_0_db": found(every, 0),
        "recording_worst_form": worst,
        "recording_worst_form_at_0_db": found(by_form[worst], 0),
        "recording_detected": {str(ratio): found(every, ratio) for ratio in RATIOS},
        "recording_detected_deep": {str(ratio): found(every, ratio, deep=True) for ratio in RATIOS},
    }


def _recording_rows(summary: dict[str, Any]) -> list[Row]:
    wrong, false, hours = (
        summary[f"recording_{name}"] for name in ("wrong_marks", "false_marks", "hours")
    )
    where = f"{summary['recording_trials']:,} trials, under {summary['recording_speech']} speech"
    at_0, worst = summary["recording_detected_at_0_db"], summary["recording_worst_form_at_0_db"]
    rows = [
        Row(f"recordings: wrong marks in {where}", str(wrong), "0", not wrong),
        Row(f"recordings: false marks in {hours:g} h without marks", str(false), "0", not false),
        Row("recordings: found as loud as the speech", f"{at_0:.2%}", "≥ 99 %", at_0 >= 0.99),
        Row(
            f"recordings: the same, worst form ({summary['recording_worst_form']})",
            f"{worst:.2%}",
            "",
            None,
        ),
    ]
    for ratio, found in summary["recording_detected"].items():
        deep = f"{found:.2%}; with the deep search {summary['recording_detected_deep'][ratio]:.2%}"
        rows.append(Row(f"recordings: found at {ratio} dB", deep, "", None))
    return rows


def conditions() -> list[Condition]:
    """The conditions that this machine can make: G.729 needs its codec."""
    return [c for c in CONDITIONS if c.name != "G.729" or codecs.has_g729()]


def _tasks(share: float) -> list[Task]:
    tasks = [Task("false", item.kind, item.seed, 1) for item in corpus(share)]
    for condition in conditions():
        tasks += _chunks("trial", condition.name, round(_TRIALS * share))
    tasks += _chunks("trial", MIXED.name, round(_MIXED_TRIALS * share))
    for level in _PAIR_LEVELS:
        tasks += _chunks("pair", level, round(1000 * share))
    for channel in _DELAY_CHANNELS:
        tasks += _chunks("delay", channel, round(500 * share))
    return tasks


def _chunks(kind: str, name: str, count: int) -> Iterable[Task]:
    return [
        Task(kind, name, first, min(_CHUNK, count - first)) for first in range(0, count, _CHUNK)
    ]


def _summary(
    results: dict[tuple[str, str], list[Any]], speeds: dict[str, float], share: float
) -> dict[str, Any]:
    items = corpus(share)
    false = {
        way: sum(counts[way] for kind in MINUTES for counts in results["false", kind])
        for way in _WAYS
    }
    detected, within_600, percentiles, wrong, trials = {}, {}, {}, 0, 0
    for condition in (*conditions(), MIXED):
        parts = results["trial", condition.name]
        delays = np.concatenate([np.array(part[1]) for part in parts])
        wrong += sum(part[0] for part in parts)
        trials += len(delays)
        detected[condition.name] = float(np.mean(delays <= 200))
        within_600[condition.name] = float(np.mean(delays <= 600))
        # Never is no number; a day stands for it.
        percentiles[condition.name] = [
            float(min(86.4e6, np.percentile(delays, p, method="higher"))) for p in (50, 95, 99)
        ]
    pairs = {
        level: float(np.mean(np.concatenate(results["pair", level]))) for level in _PAIR_LEVELS
    }
    delay = {
        channel: float(np.percentile(np.abs(np.concatenate(results["delay", channel])), 95))
        for channel in _DELAY_CHANNELS
    }
    return {
        "corpus_hours": round(len(items) / 60, 2),
        "corpus_minutes": {kind: sum(item.kind == kind for item in items) for kind in MINUTES},
        "heard_hours": round(len(items) * len(_WAYS) / 60, 2),
        "false_marks": sum(false.values()),
        "false_marks_by_way": false,
        "trials": trials,
        "wrong_marks": wrong,
        "detected": detected,
        "detected_within_600_ms": within_600,
        "decision_ms_p95": percentiles["G.711 µ-law"][1],
        "decision_ms_p50_p95_p99": percentiles,
        "pairs_named": pairs,
        "delay_error_ms_p95": delay,
        "batch_x_realtime": round(speeds["batch_x_realtime"]),
        "leg_cpu_percent": round(speeds["leg_cpu_percent"], 4),
    }


def _rows(summary: dict[str, Any]) -> list[Row]:
    hours, trials = summary["corpus_hours"], summary["trials"]
    rows = [
        Row(f"false marks in {hours:g} h without marks, {way}", str(count), "0", count == 0)
        for way, count in summary["false_marks_by_way"].items()
    ]
    wrong = summary["wrong_marks"]
    rows.append(
        Row(f"wrong marks in {trials:,} trials, all conditions", str(wrong), "0", wrong == 0)
    )
    for condition in (*conditions(), MIXED):
        rows += _condition_rows(condition, summary)
    rows += _timing_rows(summary)
    batch, leg = summary["batch_x_realtime"], summary["leg_cpu_percent"]
    rows.append(
        Row(
            "speed in batch on one core, all kinds of sound",
            f"{batch:,} × real time",
            "≥ 10,000 ×",
            batch >= 10_000,
        )
    )
    rows.append(
        Row("a live leg that hears a mark", f"{leg:.3f} % of a core", "≤ 0.1 %", leg <= 0.1)
    )
    return rows


def _timing_rows(summary: dict[str, Any]) -> list[Row]:
    p95 = summary["decision_ms_p95"]
    rows = [Row("first sample to decision, G.711, p95", f"{p95:.0f} ms", "≤ 120 ms", p95 <= 120)]
    for level, named in summary["pairs_named"].items():
        echo = level == "-20"
        what = (
            "own echo at -20 dB under another's mark, G.711, 640 ms"
            if echo
            else f"two marks, the second at {level} dB, G.711"
        )
        rows.append(
            Row(
                what,
                f"both named {named:.2%}",
                "≥ 98 %" if echo else "≥ 99.5 %",
                named >= (0.98 if echo else 0.995),
            )
        )
    for channel, error in summary["delay_error_ms_p95"].items():
        what = f"one-way delay (0-2 s), {_DELAY_CHANNELS[channel]}, error p95"
        rows.append(Row(what, f"{error:.4f} ms", "≤ 0.1 ms", error <= 0.1))
    return rows


def _condition_rows(condition: Condition, summary: dict[str, Any]) -> list[Row]:
    at_200, at_600 = (
        summary["detected"][condition.name],
        summary["detected_within_600_ms"][condition.name],
    )
    p50, p95, p99 = summary["decision_ms_p50_p95_p99"][condition.name]
    figure = f"≤ 200 ms {at_200:.2%}, ≤ 600 ms {at_600:.2%}; p50 {p50:.0f}, p95 {p95:.0f}, p99 {p99:.0f} ms"
    match condition.bar:
        case "g711":
            return [Row(condition.name, figure, "≤ 200 ms: ≥ 99.9 %", at_200 >= 0.999)]
        case "lossy":
            return [
                Row(
                    condition.name,
                    figure,
                    "≤ 200 ms: ≥ 98.5 %, ≤ 600 ms: 100 %",
                    at_200 >= 0.985 and at_600 == 1,
                )
            ]
        case "low rate":
            return [
                Row(
                    condition.name,
                    figure,
                    "p95 ≤ 300 ms, ≤ 600 ms: ≥ 99 %",
                    p95 <= 300 and at_600 >= 0.99,
                )
            ]
    return [Row(condition.name, figure, "", None)]


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
