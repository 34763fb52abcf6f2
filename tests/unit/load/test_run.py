"""A load from its first lease to its files."""

import io
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest

from harness.case.verdict import INTERRUPTED
from harness.deployment import Kind
from harness.errors import BrokenError
from harness.integrations import load, matrix
from harness.integrations.matrix import Selection
from harness.run.cli import call as command
from harness.run.load import call, run
from harness.run.load.plan import LoadPlan
from harness.support.resources import EXAMPLES
from harness.support.terminal import SafeConsole
from harness.witness import synthflow
from tests.unit.load.load_spec import LOAD

NUMBER, MASKED = "+13125550100", "+1312•••0100"
PLAN = LoadPlan(levels=(1,), cps=1.0, hold_s=0.0)


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(synthflow, "api_of", lambda deployment: None)
    monkeypatch.setattr(run, "_listen_to_the_world", lambda deployment, control: None)


def shown(kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """All output of a load whose messages contain numbers."""
    calls = [
        LOAD.calls[0],
        replace(LOAD.calls[1], message=f"{NUMBER} is silent", refused_with=f"486 {NUMBER} is busy"),
    ]
    trunk = SimpleNamespace(name="udp-ip", max_concurrent_calls=1)
    noted = MagicMock(
        notes=[f"no OPTIONS came of {NUMBER}"], calls=1, line=SimpleNamespace(trunk=trunk)
    )
    noted.__enter__.return_value = noted
    for name, value in {
        "Lane": lambda *_: noted,
        "PhonePool": MagicMock(),
        "CallGate": MagicMock(),
        "Steps": MagicMock(),
        "result": lambda steps, **measured: replace(LOAD, kind=kind, calls=calls),
    }.items():
        monkeypatch.setattr(run, name, value)
    monkeypatch.setattr(run, "monitor", lambda: MagicMock(take_lateness=lambda: 0.0))
    given: Any = {"timings": None, "on_step": None}
    deployment: Any = SimpleNamespace(
        kind=kind, limits=None, reached_over=lambda *_: MagicMock(synthflow=None)
    )
    found, directory = run.load(
        deployment, [MagicMock()], PLAN, reports=tmp_path, scratch=tmp_path, **given
    )
    terminal = io.StringIO()
    command._show_load(SafeConsole(file=terminal, width=200), found, directory)
    return terminal.getvalue() + "".join(
        path.read_text() for path in directory.iterdir() if path.is_file()
    )


@pytest.mark.parametrize(("kind", "real", "masked"), [("live", 0, 5), ("simulated", 9, 0)])
def test_real_numbers_are_masked_in_all_outputs(
    kind: Kind, real: int, masked: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the terminal, in ``load.json`` and in the picture. Numbers of a simulated deployment stay."""
    said = shown(kind, tmp_path, monkeypatch)
    assert (said.count("5550100"), said.count(MASKED)) == (real, masked)


@pytest.mark.parametrize(
    ("raised", "why"), [(BrokenError("no phone"), "no phone"), (KeyboardInterrupt(), INTERRUPTED)]
)
def test_error_before_the_first_call_breaks_every_lane(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, raised: BaseException, why: str
) -> None:
    deployment = load(EXAMPLES / "simulated-talkdesk.toml")
    (first, *others) = matrix.cases(
        [deployment], Selection(rows=("TD-INBOUND",), ais=("synthflow",))
    )
    second = next(case for case in others if case.trunk != first.trunk)
    monkeypatch.setattr(call.Lane, "get_ready", MagicMock(side_effect=[None, raised]))
    given: Any = {"timings": deployment.timings_by("quick"), "on_step": None}
    with pytest.raises(type(raised)):
        run.load(deployment, [first, second], PLAN, reports=tmp_path, scratch=tmp_path, **given)
    ends = [
        json.loads(path.read_text())["end"] for path in tmp_path.glob("load/*/cases/*/case.json")
    ]
    assert [(end["verdict"], end["message"]) for end in ends] == [("broken", why)] * 2
