"""Deployments that have most in common cross a pipe."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.deployment import Deployment, replicas_from_plain, replicas_to_plain
from harness.integrations import load
from harness.support.resources import EXAMPLES

ONE: Final[Deployment] = load(EXAMPLES / "simulated-talkdesk.toml")
OTHER: Final[Deployment] = load(EXAMPLES / "simulated-generic.toml")

#: What may differ without the names in a file becoming wrong.
CHANGES: Final[dict[str, st.SearchStrategy[Any]]] = {
    "name": st.sampled_from(["one", "other"]),
    "site": st.sampled_from(["local", "berlin"]),
    "zone": st.sampled_from(["Europe/Berlin", "America/New_York"]),
    "ca_file": st.sampled_from([None, "one.pem", "other.pem"]),
    "synthflow": st.sampled_from([None, ONE.synthflow, OTHER.synthflow]),
    "platform": st.sampled_from([ONE.platform, OTHER.platform]),
    "limits": st.sampled_from([ONE.limits, ONE.limits.model_copy(update={"concurrent_calls": 3})]),
    "require": st.sampled_from([(), ("TD-INBOUND",)]),
    "leave_out": st.sampled_from([{}, {"TD-INBOUND": "because"}]),
}


@given(st.lists(st.fixed_dictionaries({}, optional=CHANGES), max_size=4))
@settings(deadline=None)
def test_they_are_what_they_were(changes: list[dict[str, Any]]) -> None:
    replicas = [ONE.model_copy(update=change) for change in changes]
    assert replicas_from_plain(json.loads(json.dumps(replicas_to_plain(replicas)))) == replicas


def test_what_they_have_in_common_is_said_once_and_kept_once() -> None:
    replicas = [ONE.model_copy(update={"ca_file": f"/tenant-{number}/ca.pem"}) for number in range(11)]
    said = replicas_to_plain(replicas)
    assert [set(differs) for differs in said[1:]] == [{"ca_file"}] * 10
    again = replicas_from_plain(said)
    assert len({id(replica.lines) for replica in again}) == 1


def test_what_differs_is_checked() -> None:
    said = replicas_to_plain([ONE, ONE])
    with pytest.raises(ValueError, match="no account is called 'carrier'"):
        replicas_from_plain([said[0], {"accounts": {}}])
