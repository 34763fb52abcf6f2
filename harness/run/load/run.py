"""A load from its first lease to its files: ``reports/load/<run>/`` holds ``load.json``, ``load.svg`` and the evidence."""

from __future__ import annotations

import dataclasses
import secrets
import time
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from harness.deployment import Deployment, Timings
from harness.deployment.limits import CallGate, Marks
from harness.errors import WorldLostError
from harness.integrations.matrix import Case
from harness.phone.pool import PhonePool
from harness.report.case_document import is_masked
from harness.report.run_directory import create
from harness.run.load import picture
from harness.run.load.lane import Lane, SharedMarks
from harness.run.load.plan import LoadPlan
from harness.run.load.result import LoadResult, StepResult, result
from harness.run.load.steps import THREADS, OnStep, Steps
from harness.run.plugin.starvation import LATE_S, monitor
from harness.run.plugin.worlds import erred, heartbeat
from harness.support.heartbeat import Listener
from harness.support.mask import mask_fields
from harness.witness.synthflow import api_of

#: A note is made when the rate was below this share of the one asked for.
_RATE_MISSED = 0.8


def load(
    deployment: Deployment,
    cases: Sequence[Case],
    plan: LoadPlan,
    *,
    timings: Timings,
    reports: Path,
    scratch: Path,
    on_step: OnStep,
) -> tuple[LoadResult, Path]:
    """Place the calls of ``plan``; return the results, numbers of a real deployment masked, and the run's directory.

    ``on_step`` is called after each step.

    Raises :class:`BrokenError` for what this machine cannot give: phones, registrations, marks, disk.
    """
    run = create(reports / "load")
    began = time.monotonic()
    with ExitStack() as stack:
        pool = stack.enter_context(PhonePool(scratch / "phones"))
        monitor().watch(lambda: pool.pids)
        marks = SharedMarks(Marks(0, 1, secrets.randbits(64)).of_case())
        api = api_of(deployment)
        if api is not None:
            stack.callback(api.close)
        gate = CallGate(scratch / "gate", deployment.limits)
        lanes = []
        world = _listen_to_the_world(deployment, scratch)
        stood_still = world.stood_still if world is not None else lambda begin, end: []
        for index, case in enumerate(cases):
            share = len(range(index, plan.calls, len(cases)))
            lane = Lane(run, case, deployment, timings, pool, marks, api, gate, share, stood_still)
            lanes.append(stack.enter_context(lane))
            if world is not None:
                lane.context.evidence.world_fault = partial(_fault, world, deployment.name, lane.context.began)
        for lane in lanes:
            lane.get_ready()
        steps = Steps(plan, lanes, on_step)
        steps.run()
        found = result(steps, began=began, wall_s=time.monotonic() - began)
        found = dataclasses.replace(found, notes=_notes(lanes, plan, found.steps))
    if is_masked(deployment):
        found = mask_fields(found)
    found.write(run)
    picture.write(run, found)
    return found, run


def _listen_to_the_world(deployment: Deployment, control: Path) -> Listener | None:
    """Hears when its audio stands still, and when it has an error; a real platform does not say."""
    if deployment.kind != "simulated":
        return None
    listener = Listener(heartbeat(control, deployment.name))
    listener.listen("listen to the world")
    return listener


def _fault(world: Listener, name: str, since: float) -> WorldLostError | None:
    return WorldLostError(erred(name)) if world.has_erred(since) else None


def _notes(lanes: Sequence[Lane], plan: LoadPlan, steps_found: Sequence[StepResult]) -> list[str]:
    notes = []
    for lane in lanes:
        notes += lane.notes
        trunk, most = lane.line.trunk, lane.line.trunk.max_concurrent_calls
        if lane.calls > most:
            notes.append(f"trunk {trunk.name} is declared with {most} calls at once, and was asked for {lane.calls}")
    if (late := monitor().take_lateness()) >= LATE_S:
        notes.append(f"this machine was busy: the harness was woken up to {late:.1f} s late")
    rates = [step.cps for step in steps_found if step.cps is not None]
    if rates and min(rates) < _RATE_MISSED * plan.cps:
        notes.append(
            f"a step's calls left at {min(rates):g} a second: a call waits until the AI's side of the last one from its number "
            f"is found (more callers in the file make more calls a second), and while {THREADS} others are being verified"
        )
    return notes
