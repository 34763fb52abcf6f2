"""The soak's figures: what is lost, false or growing is seen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tools.soak.processes import Sample, growth
from tools.soak.run import counted, shortfalls

FINE = {
    "cases": 4000, "lost_verdicts": 0, "false_failures": 0, "broken": 2, "broken_at_last": 0, "kills": 3, "survived": 3,
    "rss_growth_percent": 0.4, "lasting_rss_growth_percent": 0.4, "fd_growth": 0, "process_growth": 0,
}  # fmt: skip


def samples(rss: float = 1.0, descriptors: float = 0.0, processes: float = 0.0) -> list[Sample]:
    """A hundred cases, with so much growth from the first to the last."""
    return [
        Sample(
            n,
            int(100 + descriptors * n / 100),
            dict.fromkeys(
                range(int(20 + processes * n / 100)), int(1000 * (1 + (rss - 1) * n / 100))
            ),
        )
        for n in range(101)
    ]


def test_what_grows_is_seen() -> None:
    found = growth(samples(rss=1.5, descriptors=40, processes=10))
    assert found is not None
    assert found.rss_percent > 10
    assert found.descriptors > 10
    assert found.processes >= 4


def test_what_grows_is_seen_although_others_have_ended() -> None:
    """Phones go with their cases, and the last cases have fewer: the sum of all falls, whatever the
    workers keep.
    """
    both = {1: 1000, 2: 5000}
    found = growth([Sample(n, 0, both if n < 60 else {1: 1200}) for n in range(101)])
    assert found is not None
    assert found.rss_percent < -50
    assert found.lasting_rss_percent == 20.0


def test_too_few_samples_tell_nothing() -> None:
    assert growth(samples()[:2]) is None
    assert shortfalls(FINE | {"rss_growth_percent": None}) == ["too few samples to tell of growth"]


def test_growth_is_no_matter_of_a_short_run() -> None:
    assert shortfalls(FINE | {"cases": 200, "rss_growth_percent": 30.0}) == []
    assert len(shortfalls(FINE | {"cases": 200, "lost_verdicts": 1})) == 1


def test_a_sound_run_has_no_shortfall() -> None:
    assert shortfalls(FINE) == []


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("lost_verdicts", 1),
        ("false_failures", 1),
        ("broken", 4),
        ("broken_at_last", 1),
        ("survived", 2),
        ("rss_growth_percent", 2.5),
        ("lasting_rss_growth_percent", 2.5),
        ("fd_growth", 9),
        ("process_growth", 3),
    ],
)
def test_each_bar_is_held(key: str, value: float) -> None:
    assert len(shortfalls(FINE | {key: value})) == 1


def figures(run: Path, *attempts: tuple[str, int, str], planned: int, kills: int) -> dict[str, Any]:
    """Of a run with these attempts: case, number, and verdict or none; each has two legs."""
    legs = "".join(f'{{"leg": "{leg}"}}\n' for leg in ("caller.1", "caller.1", "billing.1"))
    for name, attempt, verdict in attempts:
        directory = run / "cases" / f"{name}-{attempt}"
        directory.mkdir(parents=True)
        end = {"verdict": verdict} if verdict else None
        told = {"id": name, "attempt": attempt, "end": end}
        (directory / "case.json").write_text(json.dumps(told))
        (directory / "events.jsonl").write_text(legs)
    return counted(run, planned, kills, grown=None)


def test_cases_without_an_end_are_lost(tmp_path: Path) -> None:
    attempts = (("a", 1, "passed"), ("b", 1, "failed"), ("c", 1, ""))
    found = figures(tmp_path, *attempts, planned=5, kills=1)
    assert (found["cases"], found["calls"]) == (3, 6)
    assert (found["lost_verdicts"], found["false_failures"], found["survived"]) == (3, 1, 0)


def test_a_second_attempt_is_no_case_more(tmp_path: Path) -> None:
    repeated = (("a", 1, "broken"), ("a", 2, "passed"), ("b", 1, "broken"), ("b", 2, "broken"))
    found = figures(tmp_path, *repeated, ("c", 1, "passed"), planned=4, kills=3)
    assert (found["cases"], found["lost_verdicts"]) == (3, 1)
    assert (found["broken"], found["broken_at_last"]) == (3, 1)
