"""What a night tells that no case found, and when a problem of an earlier night is gone."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest

from harness.report import history
from harness.report.history import Cause, Problem, runs_of
from harness.report.nightly.problems import Bound
from harness.report.run_directory import read_end, write_end
from tests.unit.nightly.conftest import BUSY, ROWS, Nights


@pytest.mark.parametrize(
    "then",
    [
        {"lost": ("HOLD",), "code": 3},  # the row left no figure
        {"bound": ()},  # nothing was held to it
        {"rows": ("BUSY",)},
    ],
)
def test_a_figure_that_nobody_held_to_its_bound_is_not_gone(
    nights: Nights, then: dict[str, Any]
) -> None:
    bound = (Bound(kpi="answer_s", max=0.4),)
    over = nights.pass_one(bound=bound)
    second = nights.pass_one(**{"bound": bound, **then})

    problem = Problem("HOLD at local: answer_s above 0.4")
    assert problem in over.night.problems
    assert problem in second.news.unverified
    assert second.alert is not None
    assert "all is well" not in second.alert.title


def test_a_figure_within_its_bound_is_gone(nights: Nights, monkeypatch: pytest.MonkeyPatch) -> None:
    bound = (Bound(kpi="answer_s", row="HOLD", max=0.4),)
    nights.pass_one(bound=bound)
    monkeypatch.setattr(history, "runs_of", lambda run: [_faster(one) for one in runs_of(run)])
    second = nights.pass_one(bound=bound)

    assert second.news.gone == (Problem("HOLD at local: answer_s above 0.4"),)
    assert second.alert is not None
    assert second.alert.title == "s: 1 gone; all is well"


def _faster(run: history.Run) -> history.Run:
    return replace(
        run, kpis={row: {**figures, "answer_s": 0.1} for row, figures in run.kpis.items()}
    )


@pytest.mark.parametrize(
    ("what", "problem"),
    [
        (
            {"broke": ["the world of a died"] * 2},
            Problem("broke outside of any case: the world of a died"),
        ),
        (
            {"options": {"require": ["TD-INBOUND"]}},
            Problem("required, and not run: example: TD-INBOUND (not asked for in this run)"),
        ),
        ({"unplanned": ("BUSY",)}, Problem(f"{BUSY}: not planned")),
        ({"lost": ("BUSY",)}, Problem(BUSY, "broken", Cause("not run"))),
    ],
    ids=["broke", "required", "unplanned", "never reported"],
)
def test_what_no_case_found_is_told_though_a_case_fails_each_night(
    nights: Nights, runs: ModuleType, what: dict[str, Any], problem: Problem
) -> None:
    failing: dict[str, Any] = {"code": 1, "plays": {"HOLD": runs.fails}}
    nights.pass_one(**failing)
    found, again, mended = (nights.pass_one(**failing, **more) for more in (what, what, {}))

    assert found.news.new == (problem,)
    assert found.alert is not None
    assert str(problem) in found.alert.body
    assert again.alert is None
    assert mended.news.gone == (problem,)


def test_what_broke_is_the_same_problem_in_the_next_run(nights: Nights) -> None:
    """A fault's words may hold a path in the run's directory."""
    for _ in range(2):
        made = nights._runs.make_run(nights.reports, rows=ROWS).directory
        planned, end = read_end(made) or pytest.fail("it ended")
        write_end(made, planned, replace(end, broke=(f"{made}/x: no space",)))
        found = nights.conclude(made.name, code=3)
    problem = Problem(f"broke outside of any case: {nights.reports}/…/x: no space")
    assert found.night.problems == (problem,)
    assert found.news.new == ()


@pytest.mark.parametrize("then", ["no run", "another reason", "another deployment", "ended"])
def test_an_interruption_is_gone_when_its_deployment_was_verified_to_the_end(
    nights: Nights, runs: ModuleType, then: str
) -> None:
    interrupted = nights.pass_one(code=1, interrupted="preflight ended it", lost=ROWS)
    (problem,) = interrupted.night.problems
    assert problem == Problem("example at local: interrupted: preflight ended it")
    if then == "no run":
        second = nights.conclude(code=2)
    else:
        more: dict[str, dict[str, Any]] = {
            "another reason": {"interrupted": "stopped by the user", "code": 130},
            "another deployment": {
                "deployment": runs.live().model_copy(update={"name": "another"})
            },
        }
        second = nights.pass_one(**more.get(then, {}))
    news = second.news
    assert (news.gone, news.unverified) == (
        ((problem,), ()) if then == "ended" else ((), (problem,))
    )
