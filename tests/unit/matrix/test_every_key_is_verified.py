"""Every key of a deployment file is noticed by a case where the platform does otherwise, is listed as
not verified, or is exempt with a reason (``tests/contract/keys.toml``).

That the cases do fail is shown by ``tests/acceptance/test_changed_keys.py``.
"""

from __future__ import annotations

import tomllib
from functools import cache
from typing import Any

import pytest

from harness.case.check_table import CHECKS
from harness.deployment import Deployment
from harness.integrations import matrix
from harness.integrations.matrix import Case
from harness.integrations.unverified import unverified
from tests.keys import FILES, TABLE, Seen, matches, places, seen_in, text_of
from tests.unit.deployment.model_keys import keys
from tools.selfproof.plan import FAULTS

_KINDS = ("fault", "listed", "like", "exempt")
_SEEN = {key: entry for file in FILES for key, entry in TABLE["seen"][file].items()}
_PATTERNS = [*_SEEN, *(key for kind in _KINDS for key in TABLE[kind])]


@cache
def plain(file: str) -> dict[str, Any]:
    return tomllib.loads(text_of(file))


@cache
def cases(file: str) -> list[Case]:
    return matrix.cases([Deployment.model_validate(plain(file))])


def declared() -> list[tuple[str, ...]]:
    """Each key of the model that holds no further keys."""
    every = [tuple(map(str, place)) for model, place in keys() if model is Deployment]
    tables = {place[:length] for place in every for length in range(1, len(place))}
    return [place for place in every if place not in tables]


@pytest.mark.parametrize("place", declared(), ids=".".join)
def test_a_key_is_verified_or_listed_or_exempt(place: tuple[str, ...]) -> None:
    found = [pattern for pattern in _PATTERNS if matches(pattern, place)]
    assert len(found) == 1, f"tests/contract/keys.toml has {found}; needed: one entry"


def test_each_entry_names_keys_that_there_are() -> None:
    unknown = [one for one in _PATTERNS if not any(matches(one, place) for place in declared())]
    assert unknown == []
    known = {*_SEEN, *TABLE["fault"], *TABLE["listed"]}
    assert set(TABLE["like"].values()) <= known
    assert set(TABLE["fault"].values()) <= set(FAULTS)
    assert all(TABLE["exempt"].values())


@pytest.mark.parametrize("file", FILES)
def test_what_the_world_has_otherwise_is_seen_by_a_planned_case(file: str) -> None:
    differs = set(places(plain(file)["simulated"]["differs"]))
    seen = seen_in(file)
    assert not {one.check for one in seen} - set(CHECKS)
    for one in seen:
        assert any(matches(one.key, place) for place in differs), (
            f"{one.key}: the same in the world"
        )
        assert any(map(one.is_in, cases(file))), f"{one.key}: no such case"
    left = [place for place in differs if not any(matches(one.key, place) for one in seen)]
    assert left == [], "nothing says by which case these are noticed"


@pytest.mark.parametrize("key", TABLE["listed"])
def test_a_key_that_no_case_can_notice_is_listed(key: str) -> None:
    entry = TABLE["listed"][key]
    table, name, field = entry["place"].split(".")
    assert matches(key, (table, name, field))
    routing = plain("routing")
    declares = {**routing, table: {**routing[table]}}
    declares[table][name] = {**routing[table][name], field: entry["value"]}
    listed = [
        {place for one in unverified(Deployment.model_validate(each)) for place in one.entries}
        for each in (routing, declares)
    ]
    assert entry["place"] in listed[1] - listed[0]


def test_a_case_is_found_by_its_row_number_and_axis() -> None:
    every = cases("asking")
    asked = Seen("escalation.prompt", "TD-TRANSFER-BLIND", "asked", "landing", "prompt")
    (found,) = filter(asked.is_in, every)
    assert found.axes["ask"] == "prompt"
