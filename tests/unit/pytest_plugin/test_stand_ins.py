"""The stand-ins of all trunks are at their addresses before the first case: a platform may call nobody who was not there."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.deployment import Deployment
from harness.errors import ResourceError
from harness.integrations import load, matrix
from harness.phone import PhoneConfig
from harness.run.plugin import parallel
from harness.run.plugin.run import RUN, Run
from harness.support.resources import EXAMPLES


class Board:
    """Notes who is to be kept; the first address cannot be had."""

    def __init__(self) -> None:
        self.kept: list[tuple[str, int]] = []

    def keep(self, config: PhoneConfig) -> None:
        self.kept.append((config.transport, config.bind_port))
        if len(self.kept) == 1:
            raise ResourceError("taken")


def deployments() -> tuple[Deployment, Deployment]:
    simulated = load(EXAMPLES / "simulated-talkdesk.toml")
    trunks = [trunk.model_copy(update={"termination": "sbc.example:5060"}) for trunk in simulated.trunks]
    place = simulated.stand_in.model_copy(update={"bind": "192.0.2.80"})
    return simulated, simulated.model_copy(
        update={"kind": "stand-in", "name": "acme", "stand_in": place, "trunks": trunks}
    )


@pytest.mark.parametrize("switchboard", ["/nowhere", None])
def test_every_trunk_of_the_cases_asked_for_has_its_stand_in_before_the_first_case(switchboard: str | None) -> None:
    selection = matrix.Selection(transports=("udp", "tls"))
    run = Run(Path(), deployments(), selection, "quick", workers=1, switchboard=switchboard)
    board = Board()
    session: Any = SimpleNamespace(config=SimpleNamespace(stash={parallel._BOARD: board, RUN: run}))
    parallel.pytest_sessionstart(session)
    assert sorted(board.kept) == ([("tls", 32682), ("udp", 32681)] if switchboard else [])
