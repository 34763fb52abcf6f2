"""What ``--plan`` reports, and its exit code."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.deployment import Deployment, Safety, WitnessFiles
from harness.deployment.grants import Grants
from harness.integrations import load
from harness.integrations.matrix import Case, Selection, cases, every_row_of
from harness.report.scope import scope_of
from harness.run.plugin.plan import PlanOnly, lines, plan_of
from harness.run.plugin.run import TimingsName
from harness.support.resources import EXAMPLES


def problems(
    deployment: Deployment, timings: TimingsName = "documented"
) -> list[tuple[Case, tuple[str, ...]]]:
    """Each case of the deployment with the limits it exceeds."""
    found = cases([deployment])
    plan = plan_of([deployment], every_row_of([deployment]), found, timings, 1, Grants())
    return [(case, entry.problems) for case, entry in zip(found, plan.cases, strict=True)]


def too_long(deployment: Deployment) -> dict[str, bool]:
    """Whether a row's calls exceed seconds_per_call."""
    return {
        case.row.id: any("seconds_per_call" in p for p in found)
        for case, found in problems(deployment, "documented")
    }


def limited(deployment: Deployment, **limits: float) -> Deployment:
    return deployment.model_copy(update={"limits": deployment.limits.model_copy(update=limits)})


def total(deployment: Deployment, calls: int) -> str:
    """The plan's total for this many cases with one call each."""
    case = next(case for case in cases([deployment]) if case.row.id == "TD-INBOUND")
    plan = plan_of(
        [deployment], every_row_of([deployment]), [case] * calls, "documented", 1, Grants()
    )
    return " ".join(line.plain for line in lines(plan, [deployment]))


@pytest.mark.parametrize(("failed", "code"), [(True, 3), (False, 0)])
def test_unreadable_scenario_gives_the_plan_the_runs_exit_code(failed: bool, code: int) -> None:
    plan, session = PlanOnly(cast("Any", None)), SimpleNamespace(exitstatus=int(failed))
    plan.pytest_collectreport(
        cast("Any", SimpleNamespace(failed=failed, nodeid="test_x.py", longreprtext="no module"))
    )
    plan.pytest_sessionfinish(cast("Any", session))
    assert session.exitstatus == code


@pytest.mark.parametrize("most", [1, 2, 200])
def test_plan_reports_cases_beyond_concurrent_calls(most: int) -> None:
    deployment = load(EXAMPLES / "simulated-talkdesk.toml")
    deployment = limited(deployment, concurrent_calls=most)
    told = {
        (case.row.id, case.axes["ai"]): [p for p in found if "at once" in p]
        for case, found in problems(deployment)
    }
    carries = deployment.trunks[0].max_concurrent_calls + 1
    too_many = [f"needs {carries} calls at once: raise limits.concurrent_calls"]
    assert told["TD-CAPACITY", "synthflow"] == (too_many if carries > most else [])
    assert bool(told["TD-TRANSFER-WARM", "stand-in"]) is (most == 1)
    assert bool(told["CONCURRENT", "synthflow"]) is (most < 3)
    assert not told["TD-INBOUND", "synthflow"]
    assert not told["TD-TRANSFER-BLIND", "synthflow"]


@pytest.mark.parametrize(
    ("require", "row", "says"),
    [
        (("TD-INBOUND",), (), False),
        (("DTMF-INFO", "TD-INBOUND"), (), True),
        (("TD-INBOUND",), ("NUMBERFORMATS",), True),
    ],
)
def test_plan_reports_required_rows_without_a_case(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    require: tuple[str, ...],
    row: tuple[str, ...],
    says: bool,
) -> None:
    """Such a run cannot pass."""
    deployment = load(EXAMPLES / "live-talkdesk.toml", secrets=False).model_copy(
        update={"require": require}
    )
    every = every_row_of([deployment], row)
    run = cast("Any", SimpleNamespace(deployments=[deployment], rows=every, timings="quick"))
    asked = cases([deployment], Selection(rows=row), every)
    run.scope = lambda options, command: scope_of(
        [deployment], every, asked, began=0.0, options={"require": []}, command=command
    )
    monkeypatch.setattr("harness.run.plugin.plan.given", lambda config: {})
    session = SimpleNamespace(items=[], config=SimpleNamespace(getoption=lambda name: 0))
    PlanOnly(run).pytest_runtestloop(cast("Any", session))
    told = [line for line in capsys.readouterr().out.splitlines() if line.startswith("required")]
    assert bool(told) is says
    if says:
        missed = require[0] if not row else "TD-INBOUND"
        assert told[0].startswith(f"required, and not run: {deployment.name}: {missed} (")


@pytest.mark.parametrize(
    ("calls", "limits", "said"),
    [
        (1, {}, "1 call placed by the harness, 2 minutes at most; repeats"),
        (1, {"seconds_per_call": 20.0}, "1 call placed by the harness, 1 minute at most"),
        (1, {"seconds_per_call": 80.0}, "1 call placed by the harness, 2 minutes at most"),
        (
            1,
            {"seconds_per_run": 60.0},
            "1 minute at most (limits.seconds_per_run = 60; the calls may take 2 minutes)",
        ),
        (400, {}, "600 minutes at most (limits.seconds_per_run = 36000; the calls may take 800"),
    ],
)
def test_plan_reports_the_longest_duration(calls: int, limits: dict[str, float], said: str) -> None:
    deployment = load(EXAMPLES / "simulated-talkdesk.toml")
    assert said in total(limited(deployment, **{"seconds_per_run": 36_000.0} | limits), calls)


@pytest.mark.parametrize("most", [20.0, 40.0, 400.0])
def test_plan_reports_cases_beyond_seconds_per_call(most: float) -> None:
    """Waits for a ring timeout, an announcement or a queue count."""
    deployment = load(EXAMPLES / "simulated-talkdesk.toml")
    nobody = {n for n, group in deployment.groups.items() if group.empty and group.voicemail}
    queued = {
        n: g.model_copy(update={"queue_s": 300.0} if n in nobody else {})
        for n, g in deployment.groups.items()
    }
    spoken = {
        n: e.model_copy(update={"announcement_s": 60.0} if n == "ivr" else {})
        for n, e in deployment.lines.items()
    }
    deployment = limited(
        deployment.model_copy(update={"groups": queued, "lines": spoken}), seconds_per_call=most
    )
    told = too_long(deployment)
    waits = {
        "TD-FALLBACK-TIMEOUT": 30.0,
        "NOANSWER": 30.0,
        "TD-OUTBOUND-IVR": 60.0,
        "VOICEMAIL": 300.0,
        "ABANDON": 0.0,
    }
    assert {row: told[row] for row in waits} == {row: wait > most for row, wait in waits.items()}


@pytest.mark.parametrize(
    ("example", "kind", "warned"),
    [("generic", "live", True), ("generic", "simulated", False), ("talkdesk", "live", False)],
)
def test_cold_transfers_of_a_plain_sip_trunk_warn_that_the_platform_carries_out_refer(
    example: str, kind: str, warned: bool
) -> None:
    deployment = load(EXAMPLES / f"simulated-{example}.toml").model_copy(update={"kind": kind})
    plan = plan_of(
        [deployment], every_row_of([deployment]), cases([deployment]), "documented", 1, Grants()
    )
    said = [
        line.plain
        for line in lines(plan, [deployment])
        if "carries out the AI's REFER" in line.plain
    ]
    assert len(said) == len(plan.warnings) == int(warned)


def test_plan_names_what_the_file_permits_beyond_the_rules() -> None:
    """The file may be from somebody else, and its calls may cost more than others."""
    deployment = load(EXAMPLES / "simulated-talkdesk.toml")
    permits = Safety(allow=("+19005550100", "2000"), countries=("CU",))
    changed = deployment.model_copy(update={"safety": permits})
    plan = plan_of([changed], every_row_of([changed]), [], "documented", 1, Grants())
    assert plan.warnings == (
        "simulated-talkdesk: its safety.allow permits +19005550100, 2000",
        "simulated-talkdesk: its safety.countries permits CU",
    )


@pytest.mark.parametrize(
    ("example", "synthflow", "made_at", "audio"),
    [
        ("simulated-talkdesk", {}, None, "proved by the marks that the AI names"),
        (
            "live-talkdesk",
            {},
            None,
            "confirmed by the transcript; recordings of the AI prove it (harness witness)",
        ),
        (
            "live-talkdesk",
            {"transcript": "none"},
            None,
            "indicated by RTCP and sound; recordings of the AI prove it",
        ),
        ("live-talkdesk", {"recording": True}, None, "proved by the AI's recording of each call"),
        ("live-talkdesk", {}, "ai", "proved by the AI's recordings that [witness] brings"),
        ("live-talkdesk", {}, "platform", "confirmed by the transcript"),
    ],
)
def test_plan_says_by_what_audio_to_the_ai_is_known(
    example: str, synthflow: dict[str, Any], made_at: Any, audio: str
) -> None:
    deployment = load(EXAMPLES / f"{example}.toml", secrets=False)
    assert deployment.synthflow is not None
    witness = WitnessFiles(made_at=made_at) if made_at else None
    update = {"synthflow": deployment.synthflow.model_copy(update=synthflow), "witness": witness}
    assert f"audio to and from the AI: {audio}" in total(deployment.model_copy(update=update), 1)


def test_a_row_asked_for_by_name_is_not_left_out_as_well() -> None:
    deployment = load(EXAMPLES / "simulated-talkdesk.toml", secrets=False)
    every = every_row_of([deployment], ["LONGCALL"])
    found = cases([deployment], Selection(rows=("LONGCALL",)), every)
    plan = plan_of([deployment], every, found, "documented", 1, Grants())
    assert {case.row for case in plan.cases} == {"LONGCALL"}
    assert "LONGCALL" not in {left.row for left in plan.left_out}
