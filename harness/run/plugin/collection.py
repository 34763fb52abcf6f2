"""``@scenario``-marked tests are multiplied by the cases of their rows, and stand in the order of
the queue.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from typing import Final

import pytest

from harness import integrations
from harness.integrations.matrix import waits_of
from harness.run.plugin.leases import in_turns
from harness.run.plugin.run import Run, case_of, run_of

#: Above what a case may take by itself before pytest-timeout ends it, in seconds.
_LAST_RESORT_S: Final = 60.0
_SCENARIOS = pytest.StashKey[dict[str, str]]()  #: names, and the tests that prove them


@pytest.hookimpl(trylast=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Multiply a scenario by the cases of its rows; refuse other parametrisation, since a case has
    one place for its evidence.
    """
    marker = metafunc.definition.get_closest_marker("scenario")
    if marker is None:
        return
    run = run_of(metafunc.config)
    _check(metafunc, marker)
    _check_planned(metafunc, marker, run)
    if (
        metafunc._calls
    ):  # no public name: marks, parameters of fixtures, and plugins (--count) come to the same
        pytest.fail(
            f"{metafunc.definition.nodeid}: is parametrized, and a case is one test; allowed: a custom row for each value, "
            "or a loop in the scenario",
            pytrace=False,
        )
    cases = [case for case in run.cases if case.row.scenario in marker.args] if run else []
    if "case" not in metafunc.fixturenames:
        metafunc.fixturenames.append("case")
    metafunc.parametrize("case", cases, ids=[case.id for case in cases], indirect=True)


def _check(metafunc: pytest.Metafunc, marker: pytest.Mark) -> None:
    """Fail unless each name belongs to a row and to no other scenario: else nothing would be
    proved, or a case run twice.
    """
    config, here = metafunc.config, metafunc.definition.nodeid
    rows = [row for one in integrations.loadable() for row in one.rows]
    if not {row.scenario for row in rows} & set(marker.args):
        named = ", ".join(map(str, marker.args))
        pytest.fail(
            f"{here}: @scenario({named}): no row has it; allowed: a row's scenario, or a custom row",
            pytrace=False,
        )
    for name in marker.args:
        other = config.stash.setdefault(_SCENARIOS, {}).setdefault(str(name), here)
        if other != here:
            pytest.fail(
                f"{here}: @scenario({name}): is that of {other}; allowed: a custom row",
                pytrace=False,
            )


def _check_planned(metafunc: pytest.Metafunc, marker: pytest.Mark, run: Run | None) -> None:
    """Fail for a row that was declared after planning: its calls are not in the plan, the caps and
    the preflight.
    """
    planned = run.planned_own if run is not None else None
    late = [
        row.id for row in integrations.own_rows() if planned is not None and row.id not in planned
    ]
    if named := [row_id for row_id in late if row_id in marker.args]:
        pytest.fail(
            f"{metafunc.definition.nodeid}: own_row({named[0]!r}) was declared when the run was planned already; allowed: in the "
            "conftest.py of the directory that pytest is started in, or of one that its command line names",
            pytrace=False,
        )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out scenarios without a case; order the rest, and give each case its time limit."""
    run = run_of(config)
    if run is None:  # --fixtures, --markers
        return
    rowed = [item for item in items if item.get_closest_marker("scenario")]
    empty = [item for item in rowed if case_of(item) is None]
    if empty:
        config.hook.pytest_deselected(items=empty)
    left = [item for item in items if item not in empty]
    items[:] = in_order(left, run)
    for item in items:
        if found := case_of(item):
            deployment = run.deployment(found.deployment)
            longest = max(deployment.limits.seconds_per_call, found.row.seconds) + waits_of(
                found, deployment
            )
            item.add_marker(pytest.mark.timeout(longest + _LAST_RESORT_S, method="signal"))


#: A longer case delays the one that xdist keeps behind it.
_LONG_S: Final = 10.0


def in_order(items: list[pytest.Item], run: Run) -> list[pytest.Item]:
    """The longest first. xdist hands each worker two to begin with, and a worker keeps the second
    to itself while the first runs: so behind each of the longest stands one of the shortest.

    At the end those that have a stand-in's address for themselves, and last of all those behind
    which a platform may take the trunk for down.
    """
    cases = {item: case for item in items if (case := case_of(item)) is not None}
    deployments = {item: run.deployment(case.deployment) for item, case in cases.items()}
    real = {item for item, deployment in deployments.items() if deployment.kind != "simulated"}
    seconds = {item: case.row.seconds for item, case in cases.items()}
    turns = Counter[str]()

    def place_in_queue(item: pytest.Item) -> tuple[float, int]:
        if item not in cases:
            return 0.0, 0
        # deployments take turns, since one that is real carries few cases at once
        turns[cases[item].deployment] += 1
        return -seconds[item], turns[cases[item].deployment]

    def is_last(item: pytest.Item) -> bool:
        """Whether the case needs the stand-in's address for itself, so that the phone is set up
        again afterwards.
        """
        return item in real and cases[item].row.own_place and cases[item].axes["ai"] == "stand-in"

    queue = sorted(items, key=place_in_queue)
    last = list(filter(is_last, queue))
    last.sort(key=lambda item: (cases[item].row.takes_trunk_down, seconds[item]))
    first = [item for item in queue if not is_last(item)]
    # cases of real deployments swap places so that they do not wait for each other
    waiting = [item for item in first if item in real]
    turn = iter(in_turns([(cases[item], deployments[item]) for item in waiting], run.workers))
    ordered = [waiting[next(turn)] if item in real else item for item in first]
    is_long = [seconds.get(item, 0.0) > _LONG_S for item in ordered]
    return _dealt(ordered, is_long, run.workers, any_real=bool(waiting)) + last


def _dealt(
    ordered: list[pytest.Item], is_long: Sequence[bool], workers: int, *, any_real: bool
) -> list[pytest.Item]:
    """Reorder for xdist's first deal of two to each worker: a short case stands behind each long
    one.
    """
    if not workers or len(ordered) < 2 * workers:
        return ordered
    if not any_real:
        longest, rest, shortest = ordered[:workers], ordered[workers:-workers], ordered[-workers:]
        return [
            item for pair in zip(longest, reversed(shortest), strict=True) for item in pair
        ] + rest
    left, dealt = deque(ordered[workers:]), list[pytest.Item]()
    for item, lasts in zip(ordered[:workers], is_long, strict=False):
        dealt += [item, left.pop() if lasts else left.popleft()]
    return dealt + list(left)
