from __future__ import annotations

import os
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from harness.deployment import hours
from harness.errors import MistakeError, RefusedError
from harness.run.cli.app import application
from harness.run.fleet import plan
from harness.run.fleet.plan import Fleet, read_fleet
from harness.run.fleet.result import placed_again
from harness.run.plugin.options import LIVE_VARIABLE
from harness.support.resources import EXAMPLES


def fleet(*verify: dict[str, Any], sites: str = "abc", **more: Any) -> Fleet:
    plain = {
        "results": "/r",
        "sites": [{"name": name, "workers": 2} for name in sites],
        "verify": list(verify),
    }
    return Fleet.model_validate(plain | more)


INBOUND = {"file": "simulated-talkdesk.toml", "rows": ["TD-INBOUND"]}


def shards(made: Fleet, durations: dict[str, float] | None = None) -> tuple[plan.Shard, ...]:
    return plan.plan(made, EXAMPLES, durations or {}, live=False).shards


def test_each_case_is_in_one_shard_and_each_site_gets_a_shard() -> None:
    found = shards(fleet(INBOUND))
    assert len(found) == 3
    cases = Counter(case for shard in found for case in shard.cases)
    assert set(cases.values()) == {1}
    assert len(cases) == 15
    assert [shard.number for shard in found] == [1, 2, 3]


def test_each_site_gets_every_case_when_asked() -> None:
    found = shards(fleet(INBOUND | {"each": True}, sites="ab"))
    for site in "ab":
        assert (
            len({case for shard in found if shard.sites == (site,) for case in shard.cases}) == 15
        )


def test_shards_are_sized_by_measured_durations_longest_first() -> None:
    made = fleet(INBOUND, sites="a", shard_s=100.0)
    (whole,) = shards(made)
    slow = dict.fromkeys(whole.cases, 60.0) | {whole.cases[0]: 300.0}
    found = shards(made, slow)  # 1,140 s for two workers: six shards of 100 s
    assert len(found) == 6
    assert found[0].cases == (whole.cases[0],), "nothing goes with the longest"
    assert [shard.seconds for shard in found] == sorted(
        (shard.seconds for shard in found), reverse=True
    )
    assert sum(shard.seconds for shard in found) == 1140.0


def test_real_deployment_is_not_split_by_site() -> None:
    (shard,) = shards(fleet({"file": "live-talkdesk.toml", "rows": ["TD-INBOUND"]}, shard_s=1000.0))
    assert shard.kind == "live"
    assert shard.sites == ("a", "b", "c")


def test_plan_survives_writing_and_reading(tmp_path: Path) -> None:
    made = plan.plan(fleet(INBOUND), EXAMPLES, {}, live=True)
    made.write(tmp_path)
    assert plan.read(tmp_path) == made
    with pytest.raises(MistakeError, match="not a fleet run's directory"):
        plan.read(tmp_path / "nowhere")


def test_opening_hours_are_judged_at_one_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without HARNESS_AS_OF it is the moment at which the plan was made."""
    moments = iter([datetime(2026, 3, 4, 15, tzinfo=UTC)])  # Wednesday afternoon, then Sunday night
    clock = MagicMock(datetime, wraps=datetime)
    clock.now = lambda zone: next(moments, datetime(2026, 3, 8, 3, tzinfo=UTC))
    monkeypatch.setattr("harness.deployment.hours.datetime", clock)
    monkeypatch.delenv(hours.AS_OF_VARIABLE, raising=False)
    made = plan.plan(fleet({"file": "live-large.toml"}), EXAMPLES, {}, live=True)
    assert made.as_of == "2026-03-04T15:00:00+00:00"
    assert hours.AS_OF_VARIABLE not in os.environ
    monkeypatch.setenv(hours.AS_OF_VARIABLE, made.as_of)
    assert shards(fleet({"file": "live-large.toml"})) == made.shards
    made.write(tmp_path)
    assert plan.read(tmp_path).as_of == made.as_of


def test_resumed_run_with_real_calls_needs_live(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(LIVE_VARIABLE, raising=False)
    plan.plan(
        fleet({"file": "live-talkdesk.toml", "rows": ["TD-INBOUND"]}), EXAMPLES, {}, live=True
    ).write(tmp_path)
    outcome = CliRunner().invoke(application(), ["fleet", "run", "--resume", str(tmp_path)])
    assert isinstance(outcome.exception, RefusedError)
    assert "--live" in str(outcome.exception)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("results = ", "not TOML"),
        ('results = "/r"\nsites = []\nverify = []', "sites"),
        (
            'results = "/r"\nsites = [{name = "a"}, {name = "a"}]\nverify = [{file = "x"}]',
            "two have one name",
        ),
        (
            'results = "/r"\nsites = [{name = "a"}]\nverify = [{file = "x", sites = ["b"]}]',
            "no site is called 'b'",
        ),
        ('results = "/r"\nsites = [{name = "a b"}]\nverify = [{file = "x"}]', r"sites\.0\.name"),
        ('results = "/r"\nsites = [{name = "a"}]\nverify = [{file = "x"}]\nlease = 1', "lease"),
    ],
)
def test_mistake_in_the_fleet_file_is_reported(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "fleet.toml"
    file.write_text(text)
    with pytest.raises(MistakeError, match=said):
        read_fleet(file)


@pytest.mark.parametrize("results", ["results", "~/results", "", "file://results", "s3:bucket"])
def test_results_need_an_absolute_path(results: str) -> None:
    """Each process would resolve a relative path in its own directory, and a shard's directory is
    deleted.
    """
    with pytest.raises(ValidationError, match="allowed: a whole path"):
        fleet(INBOUND, results=results)
    for whole in ("/results", "s3://bucket/prefix", "simplecache::s3://bucket"):
        assert fleet(INBOUND, results=whole).results == whole


def call(case: str, shard: int, attempt: int, site: str) -> dict[str, Any]:
    return {"case": case, "shard": shard, "attempt": attempt, "site": site}


def test_case_called_in_two_attempts_is_reported() -> None:
    ledger = [
        call("x", 1, 1, "a"),
        call("x", 1, 1, "a"),
        call("x", 1, 2, "b"),
        call("y", 1, 2, "b"),
        call("x", 2, 1, "c"),
    ]
    assert placed_again(ledger) == [
        {
            "case": "x",
            "attempts": [
                {"attempt": 1, "site": "a", "calls": 2},
                {"attempt": 2, "site": "b", "calls": 1},
            ],
        }
    ], "the same case of another shard is another site's own"


@pytest.mark.parametrize(
    ("deployments", "said"),
    [
        (
            ["simulated-talkdsk", "acme-*"],
            "'simulated-talkdsk' (perhaps simulated-talkdesk), 'acme-*' is none",
        ),
        ([], "[] is none"),
    ],
)
def test_trunk_cap_without_a_deployment_is_a_mistake(deployments: list[str], said: str) -> None:
    """A misspelt name would lift the trunk's cap."""
    trunk = {
        "name": "carrier",
        "concurrent_calls": 2,
        "calls_per_second": 1.0,
        "deployments": deployments,
    }
    with pytest.raises(MistakeError) as caught:
        shards(fleet(INBOUND, trunks=[trunk]))
    assert str(caught.value).startswith(f"trunks.0.deployments (carrier): {said}")
    assert shards(fleet(INBOUND, trunks=[trunk | {"deployments": [*deployments, "simulated-*"]}]))
