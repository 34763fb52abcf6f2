"""A load from its first lease to its files, with calls that only have results."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.calls.verdict import INTERRUPTED, Verdict
from harness.deployment import Kind
from harness.errors import BrokenError
from harness.integrations import load, matrix
from harness.integrations.matrix import Selection
from harness.run.cli import load as command
from harness.run.load import lane, run
from harness.run.load.plan import LoadPlan
from harness.run.load.result import LoadResult
from harness.support.resources import EXAMPLES
from harness.support.terminal import SafeConsole
from tests.unit.load.load_spec import LOAD

_FILE = EXAMPLES / "simulated-talkdesk.toml"

NUMBER = "+13125550100"
PLAN = LoadPlan(levels=(1,), cps=1.0, hold_s=0.0)


class Lane:
    """Of which nothing is said."""

    notes = (f"no OPTIONS came of {NUMBER}",)
    calls = 1
    line = SimpleNamespace(trunk=SimpleNamespace(name="udp-ip", max_concurrent_calls=1))

    def __init__(self, *arguments: Any) -> None: ...

    def get_ready(self) -> None: ...

    def __enter__(self) -> Lane:
        return self

    def __exit__(self, *raised: object) -> None: ...


class Pool:
    pids = ()

    def __init__(self, directory: Path) -> None: ...

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *raised: object) -> None: ...


def loaded(kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[LoadResult, Path]:
    """A load of a deployment of that ``kind``, with a call whose message names a number."""
    calls = [LOAD.calls[0], replace(LOAD.calls[1], message=f"{NUMBER} is silent", refused_with=f"486 {NUMBER} is busy")]
    monkeypatch.setattr(run, "Lane", Lane)
    monkeypatch.setattr(run, "PhonePool", Pool)
    monkeypatch.setattr(run, "api_of", lambda deployment: None)
    monkeypatch.setattr(run, "Steps", lambda plan, lanes, on_step: SimpleNamespace(run=lambda: None))
    monkeypatch.setattr(run, "result", lambda steps, **measured: replace(LOAD, kind=kind, calls=calls))
    monkeypatch.setattr(run, "_listen_to_the_world", lambda deployment, control: None)
    deployment: Any = SimpleNamespace(kind=kind, limits=SimpleNamespace())
    case: Any = None
    monkeypatch.setattr(run, "CallGate", lambda directory, limits: None)
    given: Any = {"timings": None, "on_step": None}
    return run.load(deployment, [case], PLAN, reports=tmp_path, scratch=tmp_path, **given)


def shown(found: LoadResult, directory: Path) -> str:
    """All that a load leaves and says."""
    terminal = io.StringIO()
    command._show(SafeConsole(file=terminal, width=200), found, directory)
    return terminal.getvalue() + "".join(path.read_text() for path in directory.iterdir() if path.is_file())


@pytest.mark.parametrize("kind", ["live", "stand-in"])
def test_numbers_of_a_real_deployment_are_masked_wherever_they_stand(
    kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = shown(*loaded(kind, tmp_path, monkeypatch))
    assert "5550100" not in said
    assert said.count("+1312•••0100") == 5, "on the terminal a note and a step, in the picture a call, thrice"


def test_numbers_of_a_simulated_deployment_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown(*loaded("simulated", tmp_path, monkeypatch)).count(NUMBER) == 9


@pytest.mark.parametrize(("kind", "shows"), [("live", "+1312•••0100"), ("simulated", NUMBER)])
def test_a_number_in_the_words_after_a_step(kind: str, shows: str) -> None:
    terminal = io.StringIO()
    lane = SimpleNamespace(context=SimpleNamespace(deployment=SimpleNamespace(kind=kind)))
    call: Any = SimpleNamespace(index=1, failed_in=1, verdict=Verdict.FAILED, message=f"{NUMBER} is silent", lane=lane)
    command._tell(SafeConsole(file=terminal, width=200), 1, [call])
    assert terminal.getvalue() == f"step 1: 0 of 1 calls up and verified; call 1: {shows} is silent\n"


@pytest.mark.parametrize(("raised", "why"), [(BrokenError("no phone"), "no phone"), (KeyboardInterrupt(), INTERRUPTED)])
def test_what_keeps_a_load_from_beginning_breaks_the_evidence_of_each_lane(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, raised: BaseException, why: str
) -> None:
    """Nothing was looked at then, which speaks against nobody."""
    deployment = load(_FILE)
    (first, *others) = matrix.cases([deployment], Selection(rows=("TD-INBOUND",), ais=("synthflow",)))
    second = next(case for case in others if case.trunk != first.trunk)
    already: list[object] = []

    def get_ready(of: object) -> None:
        if already:
            raise raised
        already.append(of)

    monkeypatch.setattr(lane.Lane, "get_ready", get_ready)
    monkeypatch.setattr(run, "api_of", lambda deployment: None)
    monkeypatch.setattr(run, "_listen_to_the_world", lambda deployment, control: None)
    given: Any = {"timings": deployment.timings_by("quick"), "on_step": None}
    with pytest.raises(type(raised)):
        run.load(deployment, [first, second], PLAN, reports=tmp_path, scratch=tmp_path, **given)
    ends = [json.loads(path.read_text())["end"] for path in tmp_path.glob("load/*/cases/*/case.json")]
    assert [(end["verdict"], end["message"]) for end in ends] == [("broken", why)] * 2
