from __future__ import annotations

import pytest

from harness.deployment import Deployment, Limits
from harness.deployment.hours import AS_OF_VARIABLE
from harness.errors import RefusedError, SelectionError
from harness.integrations import load
from harness.run.load import plan
from harness.support.resources import EXAMPLES


@pytest.fixture(scope="module")
def talkdesk() -> Deployment:
    return load(EXAMPLES / "simulated-talkdesk.toml")


def limited(deployment: Deployment, **limits: float) -> Deployment:
    wide = {
        "concurrent_calls": 1000,
        "calls_per_second": 1000.0,
        "calls_per_run": 1000,
        "seconds_per_call": 100.0,
    }
    return deployment.model_copy(update={"limits": Limits.model_validate(wide | limits)})


@pytest.mark.parametrize(
    ("calls", "step", "levels"),
    [
        (1, None, (1,)),
        (13, None, (3, 6, 9, 12, 13)),
        (6, 2, (2, 4, 6)),
        (6, 9, (6,)),
    ],
)
def test_steps_end_with_all_calls(
    talkdesk: Deployment, calls: int, step: int | None, levels: tuple[int, ...]
) -> None:
    made = plan.plan(limited(talkdesk), calls, 10.0, 1.0, step)
    assert made.levels == levels
    assert made.calls == calls


@pytest.mark.parametrize(
    ("limits", "at", "beyond"),
    [
        ({"concurrent_calls": 5}, (5, 1.0, 1.0), (6, 1.0, 1.0)),
        ({"calls_per_second": 2.0}, (5, 2.0, 1.0), (5, 2.1, 1.0)),
        ({"calls_per_run": 5}, (5, 1.0, 1.0), (6, 1.0, 1.0)),
        ({"seconds_per_call": 15.0}, (5, 1.0, 9.9), (5, 1.0, 10.0)),
        ({"seconds_per_run": 500.0}, (5, 1.0, 1.0), (6, 1.0, 1.0)),
        ({"cost_per_minute": 1.0, "cost_per_run": 10.0}, (5, 1.0, 1.0), (6, 1.0, 1.0)),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_load_stays_within_each_limit(
    talkdesk: Deployment,
    limits: dict[str, float],
    at: tuple[int, float, float],
    beyond: tuple[int, float, float],
) -> None:
    deployment = limited(talkdesk, **limits)
    assert plan.plan(deployment, *at).calls == at[0]
    with pytest.raises(RefusedError, match=rf"limits\.{list(limits)[-1]} = "):
        plan.plan(deployment, *beyond)


def test_first_trunk_is_the_default(talkdesk: Deployment) -> None:
    (case,) = plan.cases(talkdesk, (), None)
    assert (case.trunk, case.line) == ("udp-ip", "inbound")
    chosen = plan.cases(talkdesk, ("tls-digest", "udp-ip-stand-in"), "inbound-warm")
    assert [(case.trunk, case.line, case.axes["ai"]) for case in chosen] == [
        ("tls-digest", "inbound-warm", "synthflow"),
        ("udp-ip-stand-in", "inbound-warm", "stand-in"),
    ]


def test_unknown_trunk_or_line_is_a_mistake(talkdesk: Deployment) -> None:
    with pytest.raises(SelectionError, match=r"--trunk nosuch: .*allowed: udp-ip, "):
        plan.cases(talkdesk, ("nosuch",), None)
    with pytest.raises(
        SelectionError,
        match="--line people: leads to no assistant over trunk udp-ip; allowed: inbound, ",
    ):
        plan.cases(talkdesk, (), "people")


def test_closed_number_is_not_called(talkdesk: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(AS_OF_VARIABLE, "2026-03-08T15:00+00:00")  # Sunday
    hours = {"hours": "mon-fri 08:00-18:00", "zone": "Europe/Paris"}
    closed = talkdesk.lines["inbound"].model_copy(update=hours)
    two = talkdesk.model_copy(update={"lines": talkdesk.lines | {"inbound": closed}})
    said = r"^--line inbound: is closed now \(its hours: mon-fri 08:00-18:00\); allowed: a number that is open$"
    with pytest.raises(SelectionError, match=said):
        plan.cases(two, (), "inbound")
    (case,) = plan.cases(two, (), None)
    assert case.line != "inbound"
    alone = talkdesk.model_copy(
        update={"lines": {"inbound": closed, "people": talkdesk.lines["people"]}}
    )
    said = "^simulated-talkdesk: closed now: inbound; allowed: a number that leads to the AI now$"
    with pytest.raises(SelectionError, match=said):
        plan.cases(alone, (), None)


def test_premium_number_is_refused(talkdesk: Deployment) -> None:
    premium = talkdesk.lines["inbound"].model_copy(
        update={"did": "+19005550100", "dids": {}, "trunk": "udp-ip"}
    )
    deployment = talkdesk.model_copy(update={"lines": {"inbound": premium}})
    with pytest.raises(RefusedError, match="premium"):
        plan.cases(deployment, (), None)


def test_load_needs_a_mark_for_every_leg(talkdesk: Deployment) -> None:
    own, stand_in = (
        plan.cases(talkdesk, ("udp-ip",), None),
        plan.cases(talkdesk, ("udp-ip-stand-in",), None),
    )
    plan.check_marks(239, own)
    plan.check_marks(119, stand_in)
    for calls, cases in ((240, own), (120, stand_in)):
        with pytest.raises(SelectionError, match="239 legs"):
            plan.check_marks(calls, cases)
