from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock
from xml.etree import ElementTree

import pytest

from harness.case.events import CallState
from harness.case.legs import LegEvents
from harness.case.verdict import INTERRUPTED, Verdict
from harness.run.load.call import LoadCall
from harness.run.load.result import Percentiles, svg
from harness.scenario.call import Call
from tests.unit.load.load_spec import LOAD, call, step


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([None], (None, None, None)),
        ([float(n) for n in range(1, 101)], (50.0, 95.0, 99.0)),
        ([3.0, None, 1.0, 2.0], (2.0, 3.0, 3.0)),
    ],
)
def test_percentiles_are_measured_values(values: list[float | None], expected: object) -> None:
    found = Percentiles.among(values)
    assert (found.p50, found.p95, found.p99) == expected
    assert found.of == len(values) - values.count(None)


def test_result_names_the_first_failing_step() -> None:
    assert (LOAD.first_failing_step, LOAD.calls_held, LOAD.exit_code) == (2, 1, 1)
    assert replace(LOAD, steps=LOAD.steps[:1], verdict=Verdict.PASSED).exit_code == 0
    assert replace(LOAD, verdict=Verdict.BROKEN).exit_code == 3


@pytest.mark.parametrize(
    ("verdict", "messages", "first"),
    [
        (Verdict.BROKEN, [INTERRUPTED], None),
        (Verdict.BROKEN, [INTERRUPTED, "phone caller was lost"], 2),  # before or during the hang-up
        (Verdict.FAILED, ["nobody answered"], 2),
    ],
)
def test_step_ended_by_ctrl_c_did_not_fail(
    verdict: Verdict, messages: list[str], first: int | None
) -> None:
    calls = [
        replace(call(at, verdict), message=words, failed_in=2)
        for at, words in enumerate(messages, 2)
    ]
    stopped = replace(
        LOAD, steps=[LOAD.steps[0], step(2, 2, 0, verdict)], calls=calls, interrupted=True
    )
    assert stopped.first_failing_step == first


@pytest.mark.parametrize(
    ("answered", "final", "cancelled", "refused"),
    [
        (True, (200, "OK"), False, ""),
        (False, (0, "no final response"), False, ""),
        (False, (487, "Request Terminated"), True, ""),  # cancelled by the harness
        (False, (487, "Request Terminated"), False, "487 Request Terminated"),
        (False, (486, "Busy Here"), False, "486 Busy Here"),
    ],
)
def test_call_result_names_the_refusal(
    answered: bool, final: tuple[int, str], cancelled: bool, refused: str
) -> None:
    states = [
        (1.0, "calling", 0),
        (1.2, "early", 183),
        *([(1.5, "confirmed", 200)] if answered else []),
    ]
    events = [
        CallState(at=at, phone="caller", leg="caller.1", state=state, code=code)  # type: ignore[arg-type]
        for at, state, code in states
    ]
    messages = [SimpleNamespace(text="CANCEL sip:x SIP/2.0")] if cancelled else []
    leg = SimpleNamespace(
        facts=LegEvents(events), messages=messages, invite=SimpleNamespace(at=1.0)
    )
    one: Any = LoadCall.__new__(LoadCall)
    own = MagicMock(spec=Call, first_leg=leg, final_response=lambda within: final)
    one._context = SimpleNamespace(calls=SimpleNamespace(own=[own]))
    assert one._refused_with(own) == refused
    assert one._ms_until(180) == pytest.approx(200.0)
    assert one._ms_until(200) == (pytest.approx(500.0) if answered else None)


def test_picture_shows_each_call_and_each_step() -> None:
    root = ElementTree.fromstring(svg(LOAD))
    said = "".join(root.itertext())
    assert "lab: 1 of 2 calls held and verified" in said
    assert "step 1 (1): passed" in said
    assert "step 2 (2): failed" in said
    assert len(root.findall(".//{*}circle")) == 4, "setup and post-dial delay of two calls"
    assert len(root.findall(".//{*}path")) == 1, "one did not pass"
    (line,) = root.findall(".//{*}polyline")
    heights = [float(point.partition(",")[2]) for point in line.attrib["points"].split()]
    assert min(heights) == heights[0] - 190 / 2, "one of two calls was up"
    assert heights[-1] == heights[0]
