"""Rows that ask an address no allowlist has: left out where there is none, rather than planned and broken."""

from __future__ import annotations

import pytest

from harness.deployment import Deployment
from harness.integrations import load
from harness.integrations.matrix import cases, left_out
from harness.support.resources import EXAMPLES

FILE = EXAMPLES / "live-talkdesk.toml"
ROW = "TD-REGISTER-NOTALLOWED"


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("TALKDESK_TRUNK_PASSWORD", "SYNTHFLOW_API_TOKEN", "TEST_LINE_PASSWORD", "AGENT_PASSWORD"):
        monkeypatch.setenv(name, "none")


def stand_in(stranger: str | None) -> Deployment:
    """The example's deployment, with a harness phone in the AI's place."""
    live = load(FILE)
    trunks = tuple(trunk.model_copy(update={"ai": "stand-in"}) for trunk in live.trunks)
    place = live.stand_in.model_copy(update={"bind": "192.0.2.10", "stranger_bind": stranger})
    return live.model_copy(update={"kind": "stand-in", "trunks": trunks, "stand_in": place})


@pytest.mark.parametrize("stranger", [None, "192.0.2.77"])
def test_where_no_other_address_is_known(stranger: str | None) -> None:
    deployment = stand_in(stranger)
    planned = {case.row.id for case in cases([deployment])}
    assert "TD-REGISTER-BADPASS" in planned
    assert (ROW in planned) is (stranger is not None)
    why = [left.why for left in left_out(deployment) if left.row == ROW]
    assert why == ([] if stranger else ["stand_in.stranger_bind: there is no address that no allowlist has"])


def test_synthflow_has_addresses_of_its_own() -> None:
    (left,) = [left for left in left_out(load(FILE)) if left.row == ROW]
    assert "stranger_bind" not in left.why
