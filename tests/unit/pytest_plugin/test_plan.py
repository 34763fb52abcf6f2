"""What a plan says beforehand, and that one that cannot be made says so."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.integrations import load
from harness.matrix import cases
from harness.pytest_plugin.progress import PlanOnly

FILES = Path(__file__).parents[3] / "scenarios" / "deployments"


def test_a_plan_that_cannot_be_made_says_why_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    PlanOnly(cast("Any", None)).pytest_internalerror("Traceback …\n  File x\nIndexError: list index out of range\n")
    assert capsys.readouterr().out.splitlines() == [
        "BROKEN   no plan could be made: IndexError: list index out of range"
    ]


@pytest.mark.parametrize("name", ["simulated-talkdesk", "simulated-gladly"])
@pytest.mark.parametrize("most", [1, 2, 200])
def test_a_case_of_more_calls_at_once_than_allowed_is_told_beforehand(
    capsys: pytest.CaptureFixture[str], name: str, most: int
) -> None:
    deployment = load(FILES / f"{name}.toml")
    limits = deployment.limits.model_copy(update={"concurrent_calls": most})
    deployment = deployment.model_copy(update={"limits": limits})
    plan = PlanOnly(cast("Any", SimpleNamespace(deployment=lambda _: deployment)))
    told = {}
    for case in cases([deployment]):
        plan._list(case)
        at_once = [line for line in capsys.readouterr().out.splitlines() if "calls at once" in line]
        told[case.row.id, case.axes["ai"], case.axes["transport"]] = at_once
    warm, capacity = ("TD-TRANSFER-WARM", "stand-in", "udp"), ("TD-CAPACITY", "synthflow", "udp")
    carries = deployment.trunks[0].max_concurrent_calls + 1
    if name == "simulated-talkdesk":
        assert told[capacity] == (
            [f"    needs {carries} calls at once: raise limits.concurrent_calls"] if carries > most else []
        )
        assert bool(told[warm]) is (most == 1)
        assert not told["TD-INBOUND", "synthflow", "udp"]
        assert not told["TD-TRANSFER-BLIND", "synthflow", "udp"]
    assert bool(told["CONCURRENT", "synthflow", "tls" if "gladly" in name else "udp"]) is (most < 3)
