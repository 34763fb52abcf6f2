"""The order of a run's cases."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.deployment import Deployment
from harness.deployment.network import CertificateFiles
from harness.integrations import load, matrix
from harness.integrations.matrix import Case
from harness.run.plugin.collection import in_order
from harness.run.plugin.run import Run, case_of
from harness.support.resources import EXAMPLES

#: As pytest collects them: by the names of the scenarios' files.
FILE_OF = {
    "TLS-BADCERT": "test_access",
    "FALLBACK-DOWN": "test_fallback",
    "FALLBACK-REFUSED": "test_fallback",
}


class Item:
    """A pytest item that runs a case."""

    def __init__(self, case: Case) -> None:
        self.callspec = SimpleNamespace(params={"case": case})


def in_turn(deployment: Deployment, workers: int) -> list[Case]:
    """The cases with the stand-in, in order."""
    run = Run(Path(), (deployment,), matrix.Selection(ais=("stand-in",)), "quick", workers=workers)
    collected = sorted(
        run.cases, key=lambda case: FILE_OF.get(case.row.scenario, "test_call_control")
    )
    items: Any = [Item(case) for case in collected]
    ordered = [case_of(item) for item in in_order(items, run)]
    found = [case for case in ordered if case is not None]
    assert sorted(case.id for case in found) == sorted(case.id for case in run.cases), (
        "none is lost, none twice"
    )
    return found


def real(name: str) -> Deployment:
    found = load(EXAMPLES / f"simulated-{name}.toml")
    bad = {
        kind: CertificateFiles(certificate="c", private_key="k")
        for kind in ("expired", "self-signed", "wrong-name")
    }
    place = found.stand_in.model_copy(update={"bind": "192.0.2.80", "bad_certificates": bad})
    return found.model_copy(update={"kind": "stand-in", "stand_in": place})


@pytest.mark.parametrize("workers", [0, 1, 4])
@pytest.mark.parametrize("integration", ["talkdesk", "gladly"])
def test_cases_that_take_the_trunk_down_come_last(integration: str, workers: int) -> None:
    cases = in_turn(real(integration), workers)
    kinds = [(case.row.own_place, case.row.takes_trunk_down) for case in cases]
    assert {(False, False), (True, False), (True, True)} == set(kinds)
    assert kinds == sorted(kinds), (
        "those that share the address, those that have it alone, those that take the trunk down"
    )
    scenarios = list(
        dict.fromkeys(case.row.scenario for case in cases if case.row.takes_trunk_down)
    )
    assert scenarios == ["FALLBACK-REFUSED", "TLS-BADCERT", "FALLBACK-DOWN"], (
        "and last of all who is away"
    )


def test_longest_cases_come_first_at_a_simulated_platform() -> None:
    cases = in_turn(load(EXAMPLES / "simulated-talkdesk.toml"), 0)
    seconds = [case.row.seconds for case in cases]
    assert seconds == sorted(seconds, reverse=True)
    assert any(case.row.takes_trunk_down for case in cases)
