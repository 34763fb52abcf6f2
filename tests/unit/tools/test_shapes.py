"""Randomly generated customers: valid deployment files of many shapes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import tomli_w

from harness.deployment import Deployment
from harness.deployment.hours import is_open
from harness.integrations import load
from harness.integrations.matrix import Case, cases
from harness.world.faults import listed
from tools.selfproof.plan import WHOLE_TENANT
from tools.shapes.draw import CLOSED, Customer, as_of, drawn
from tools.shapes.plan import strikes, trials
from tools.shapes.results import Results

pytestmark = pytest.mark.nightly  # as the measurement itself

SEED = 11
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def found() -> list[Customer]:
    return [drawn(index, SEED) for index in range(60)]


@pytest.fixture(scope="module")
def deployments(
    found: Sequence[Customer], tmp_path_factory: pytest.TempPathFactory
) -> list[Deployment]:
    directory = tmp_path_factory.mktemp("customers")
    made = []
    for index, customer in enumerate(found):
        file = directory / f"{index}.toml"
        file.write_text(tomli_w.dumps(as_of(customer.table, datetime.now(UTC))), encoding="utf-8")
        made.append(load(file))
    return made


def test_faults_are_tried_on_their_number_and_on_another(deployments: list[Deployment]) -> None:
    planned = list(trials(deployments[:30], SEED))
    assert len({trial.case.id for trial in planned}) == len(planned)
    struck = [trial for trial in planned if trial.struck]
    assert len(struck) > 10
    assert all(trial.case.line == trial.line for trial in struck)
    assert all(
        trial.case.line != trial.line for trial in planned if trial.fault and not trial.struck
    )
    assert any(trial.fault and not trial.struck for trial in planned)


def struck(fault: str, deployments: list[Deployment]) -> list[tuple[Deployment, Case]]:
    """The customers at whom a fault can show, with a case in which it does."""
    found = []
    for deployment in deployments:
        could = strikes(deployment, cases([deployment]))
        found += [(deployment, case) for case in could.get(fault, ())[:1]]
    return found


def test_wrong_fallback_group_needs_another_group_with_present_agents(
    deployments: list[Deployment],
) -> None:
    """Without present agents no phone rings, so no fallback can be observed."""
    found = struck("fallback-wrong-group", deployments)
    assert found
    for deployment, case in found:
        group = deployment.lines[str(case.line)].fallback
        own = set(deployment.groups[str(group)].agents)
        assert any(set(other.present) - own for other in deployment.groups.values())


def test_lost_caller_id_needs_an_agent_who_may_see_it(deployments: list[Deployment]) -> None:
    """No agent sees what a machine is shown."""
    found = struck("caller-id-lost-on-fallback", deployments)
    assert found
    for deployment, case in found:
        assert deployment.groups[str(deployment.lines[str(case.line)].fallback)].present


def test_closed_number_is_closed_on_any_day(found: list[Customer]) -> None:
    closed = [
        line
        for customer in found
        for line in customer.table["lines"].values()
        if line.get("hours") == CLOSED
    ]
    assert closed, "the draw itself names no day"
    for day in range(7):
        moment = datetime(2031, 3, 3, 10, tzinfo=UTC) + timedelta(days=day)
        hours = as_of({"lines": {"one": closed[0]}}, moment)["lines"]["one"]["hours"]
        assert not is_open(hours, "Etc/UTC", moment)
        assert is_open(hours, "Etc/UTC", moment + timedelta(days=3))


def test_customers_cover_every_shape(found: list[Customer]) -> None:
    tables = [customer.table for customer in found]
    named = {
        kind: [one for table in tables for one in table[kind].values()]
        for kind in ("groups", "lines", "phones")
    }
    assert {1, 2, 3} <= {len(table["trunks"]) for table in tables}
    assert max(len(table["lines"]) for table in tables) > 20
    assert any("hours" in group for group in named["groups"])
    assert any("overflow" in line for line in named["lines"])
    assert any("assistant" in group for group in named["groups"])
    assert {"live", "stand-in", "simulated"} == {customer.kind for customer in found}
    assert {"marks", "words", "records", "nothing"} == {customer.told for customer in found}
    assert {"talkdesk", "gladly", "generic"} == {table["integration"] for table in tables}
    assert {"all", "batches", "one-by-one"} == {
        group.get("rings", "all") for group in named["groups"]
    }
    assert max(len(group.get("agents", ())) for group in named["groups"]) > 2
    for kind, key in (("groups", "away"), ("groups", "empty"), ("groups", "voicemail"), ("groups", "queue_s"),
                      ("groups", "announcement"), ("lines", "group"),
                      ("lines", "closed"), ("lines", "press"), ("phones", "accept")):  # fmt: skip
        assert any(one.get(key) for one in named[kind]), f"{kind}: {key}"
    assert any(line.get("group") and line.get("fallback") for line in named["lines"])
    callers = [
        [phone["number"][:3] for phone in table["phones"].values() if "number" in phone]
        for table in tables
    ]
    assert any(len(set(countries)) > 3 for countries in callers)
    handovers = [
        each
        for table in tables
        for one in table["assistants"].values()
        for each in one.get("handovers", {}).values()
    ]
    assert {"cold", "warm"} == {each["transfer"] for each in handovers}
    assert {("digit",), ("prompt",), ("digit", "prompt"), ("ways",)} <= {
        tuple(way for way in ("digit", "prompt", "ways") if way in each) for each in handovers
    }
    assert any("transfer_topic" in each for each in handovers)
    assert {"original", "platform", "any"} <= {phone.get("shows") for phone in named["phones"]}


def test_faults_of_the_whole_tenant_have_no_number() -> None:
    assert {fault["name"] for fault in listed() if not fault["per_line"]} == WHOLE_TENANT


@pytest.mark.parametrize(
    ("figures", "is_bad"),
    [
        ({"faults": 19, "named_first": 0}, False),
        ({"faults": 20, "named_first": 17}, True),
        ({"faults": 20, "named_first": 18}, False),
        ({"faults": 22, "named_first": 18, "undecided": 2}, False),
        ({"faults": 22, "named_first": 17, "undecided": 2}, True),
        ({"faults": 0, "false_alarms": 1}, True),
        ({"faults": 4, "named_first": 4, "missed": 1}, True),
        ({"faults": 4, "named_first": 2, "wrongly_certain": 1}, True),
    ],
)
def test_named_share_is_judged_from_twenty_faults_on(figures: dict[str, int], is_bad: bool) -> None:
    found = Results(SEED, {})
    found.figures.update(figures)
    assert found.is_bad is is_bad
