"""The controller assigns shards and gives them up; Redis and the sites are fakes in this process."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from celery import Celery

from harness.case.log import CASE
from harness.run.fleet import controller
from harness.run.fleet.controller import Controller
from harness.run.fleet.plan import Fleet, FleetPlan, Shard
from harness.run.fleet.state import ShardRef, ShardState, State
from harness.run.fleet.store import Store
from harness.run.fleet.worker import NOT_BEGUN

#: What a site makes of a task: the exit code of the attempt, and the cases with evidence.
Site = Callable[[dict[str, Any]], tuple[int, list[str]]]


def sound(task: dict[str, Any]) -> tuple[int, list[str]]:
    return 0, task["cases"]


def refuses(task: dict[str, Any]) -> tuple[int, list[str]]:
    return NOT_BEGUN, []


def breaks(task: dict[str, Any]) -> tuple[int, list[str]]:
    return 3, []


class Sites:
    """Redis and Celery in one: an attempt has ended when its state is read the second time."""

    def __init__(self, directory: Path, **sites: Site) -> None:
        self.sites, self.began = sites, dict[int, list[str]]()
        self.tasks: list[dict[str, Any]] = []
        self.answered_for_s = math.inf
        self._directory = directory
        self._shards: dict[int, Iterator[ShardState]] = {}

    def begin(self, run: str, nonce: str) -> None:
        pass

    def knows(self, run: str, nonce: str) -> bool:
        return True

    def is_alive(self, site: str) -> bool:
        return site in self.sites

    def queue(self, ref: ShardRef, site: str) -> bool:
        return True

    def send_task(self, name: str, args: list[dict[str, Any]], queue: str) -> None:
        (task,) = args
        self.tasks.append(task)
        self.began.setdefault(task["ref"]["shard"], []).append(task["site"])
        self._shards[task["ref"]["shard"]] = self._run(task)

    def _run(self, task: dict[str, Any]) -> Iterator[ShardState]:
        attempt = task["ref"]["attempt"]
        code, cases = self.sites[task["site"]](task)
        yield ShardState("running", attempt, 1.0, None, "", task["site"])
        for case in cases:
            directory = self._directory / "site" / "cases" / case
            directory.mkdir(parents=True, exist_ok=True)
            (directory / CASE).write_text(json.dumps({"id": case}))
            Store(task["results"], task["ref"]["run"]).put_case(
                task["ref"]["shard"], attempt, directory
            )
        while True:
            words = "a secret is missing" if code == NOT_BEGUN else ""
            yield ShardState("ended", attempt, 1.0, code, words, task["site"])

    def shard(self, ref: ShardRef) -> ShardState:
        return (
            next(self._shards[ref.shard])
            if ref.shard in self._shards
            else ShardState("", 0, 0.0, None, "")
        )


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(controller, "_POLL_S", 0.0)


def made(directory: Path, sites: tuple[str, ...], shards: int) -> FleetPlan:
    fleet = {
        "results": str(directory / "results"),
        "sites": [{"name": name} for name in sites],
        "verify": [{"file": "lab.toml"}],
    }
    return FleetPlan(
        run="r",
        nonce="n",
        began=0.0,
        as_of="2026-03-04T15:00:00+00:00",
        fleet=Fleet.model_validate(fleet),
        shards=tuple(
            Shard(
                number,
                "lab.toml",
                "lab",
                "",
                "simulated",
                (f"{number}-a", f"{number}-b"),
                (),
                sites,
                1.0,
            )
            for number in range(1, shards + 1)
        ),
    )


def of(directory: Path, sites: Sites, plan: FleetPlan) -> Controller:
    return Controller(
        plan, directory / "run", cast("State", sites), cast("Celery", sites), lambda _: None
    )


def test_site_that_refuses_everything_does_not_starve_the_others(tmp_path: Path) -> None:
    """Such a site is free again at once, so it could use up every shard's attempts."""
    sites = Sites(tmp_path, ams=refuses, fra=sound, nyc=sound)
    record = of(tmp_path, sites, made(tmp_path, ("ams", "fra", "nyc"), 10)).run()
    assert record.not_run == {}
    assert len(record.accepted) == 10
    assert {one.site for one in record.accepted} == {"fra", "nyc"}
    assert all(where.count("ams") <= 1 for where in sites.began.values()), sites.began
    assert {task["as_of"] for task in sites.tasks} == {"2026-03-04T15:00:00+00:00"}, (
        "the plan's moment"
    )
    assert {loss["why"] for loss in record.losses} == {
        "it was not begun there: a secret is missing"
    }


@pytest.mark.parametrize(
    ("names", "amiss", "last", "began"),
    [
        ("abc", refuses, refuses, "abca"),
        ("abc", breaks, breaks, "abca"),
        (
            "abcdef",
            refuses,
            sound,
            "abcdef",
        ),  # refusals do not count as attempts until every site has had the shard
        ("abcdef", breaks, breaks, "abcd"),  # each attempt that began may have placed calls
    ],
)
def test_shard_is_given_up_after_the_allowed_attempts(
    tmp_path: Path, names: str, amiss: Site, last: Site, began: str
) -> None:
    sites = Sites(tmp_path, **dict.fromkeys(names, amiss) | {names[-1]: last})
    record = of(tmp_path, sites, made(tmp_path, tuple(names), 1)).run()
    assert sites.began == {1: list(began)}
    assert record.not_run == ({} if last is sound else {"a": ["1-a", "1-b"]})


def test_site_with_partial_evidence_gets_the_rest(tmp_path: Path) -> None:
    sites = Sites(tmp_path, a=lambda task: (3, task["cases"][:1]), b=sound)
    record = of(tmp_path, sites, made(tmp_path, ("a", "b"), 1)).run()
    assert sites.began == {1: ["a", "a"]}
    assert [one.cases for one in record.accepted] == [("1-a",), ("1-b",)]


def test_resumed_controller_knows_the_earlier_attempts(tmp_path: Path) -> None:
    names, plan = tuple("abc"), made(tmp_path, tuple("abc"), 1)
    sites = Sites(tmp_path, a=refuses, b=breaks, c=sound)

    def killed(task: dict[str, Any]) -> tuple[int, list[str]]:
        raise ZeroDivisionError

    sites.sites["c"] = killed
    first = of(tmp_path, sites, plan)
    with pytest.raises(ZeroDivisionError):
        first.run()
    os.close(first._lock)  # as when its process is gone
    sites.sites["c"] = breaks
    sites.send_task("", [sites.tasks[-1]], "")  # its site has run it meanwhile
    again = of(tmp_path, sites, plan)
    again.resume()
    record = again.run()
    assert sites.began == {1: [*names, "c", "a"]}, "three were begun, and the fourth is refused"
    assert [loss["attempt"] for loss in record.losses] == [1, 2, 3]


@pytest.mark.parametrize("is_queued", [False, True])
def test_redis_outage_does_not_reassign_a_shard(tmp_path: Path, is_queued: bool) -> None:
    """Otherwise every number of the shard would be called again."""
    sites = Sites(tmp_path, ams=sound)
    ended = sites._run

    def run(task: dict[str, Any]) -> Iterator[ShardState]:
        if len(sites.tasks) == 1:
            sites.answered_for_s = 14.0
            if is_queued:  # and the site's heartbeat has expired as well
                sites.sites, run_of._shards[0].sent_at = {}, run_of._shards[0].sent_at - 100
            yield ShardState("queued" if is_queued else "running", 1, -7.0, None, "")
        sites.sites, sites.answered_for_s = {"ams": sound}, 15.0
        yield from ended(task)

    sites._run = run  # type: ignore[method-assign]
    run_of = of(tmp_path, sites, made(tmp_path, ("ams",), 1))
    record = run_of.run()
    assert record.losses == []
    assert {task["ref"]["attempt"] for task in sites.tasks} == {1}


def test_silent_worker_is_lost_when_redis_answers(tmp_path: Path) -> None:
    sites = Sites(tmp_path, ams=sound)
    ended = sites._run

    def run(task: dict[str, Any]) -> Iterator[ShardState]:
        if len(sites.tasks) == 1:
            yield ShardState("running", 1, -7.0, None, "")
        yield from ended(task)

    sites._run = run  # type: ignore[method-assign]
    sites.cancel = lambda ref, site: None  # type: ignore[attr-defined]
    record = of(tmp_path, sites, made(tmp_path, ("ams",), 1)).run()
    assert ([loss["site"] for loss in record.losses], len(sites.tasks)) == (["ams"], 2)
