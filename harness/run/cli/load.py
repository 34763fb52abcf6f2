"""``harness load``: many calls at once, in steps, each verified as a case's is."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from harness.errors import RefusedError
from harness.report.case_document import is_masked
from harness.run.cli.app import INTERRUPTED
from harness.run.cli.placing import Live, complete, may_call
from harness.run.load import picture, plan, result
from harness.run.load.call import LoadCall
from harness.run.load.result import LoadResult, Percentiles
from harness.run.load.run import load as run_load
from harness.support.files import json_file
from harness.support.files.own_directories import Scratch
from harness.support.mask import mask_text
from harness.support.terminal import SafeConsole

_WIDTH = 132


def load(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A deployment file.")],
    calls: Annotated[int, typer.Option("--calls", min=1, metavar="N", help="Calls at once.")],
    cps: Annotated[float, typer.Option("--cps", metavar="R", help="Calls per second.")] = 1.0,
    hold: Annotated[float, typer.Option("--for", min=0.0, metavar="T", help="Hold all of them for T seconds.")] = 10.0,
    step: Annotated[int | None, typer.Option(min=1, metavar="S", help="Calls added in a step (default: N/5).")] = None,
    trunk: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Over this trunk (repeatable; default: the first).")
    ] = None,
    line: Annotated[str | None, typer.Option(metavar="NAME", help="Call this line of the file.")] = None,
    reports: Annotated[Path, typer.Option(metavar="DIR", help="Where its results go.")] = Path("reports"),
    live: Live = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON only.")] = False,
) -> None:
    """Place calls in steps, verify each both ways, hold them, end them. Exit code 0 only when all asked for were."""
    if not cps > 0:  # nor is what is no number at all
        raise RefusedError(f"--cps {cps:g}: no calls would be placed; allowed: more than 0")
    chosen = may_call(file, live)
    asked = plan.plan(chosen, calls, cps, hold, step)
    cases = plan.cases(chosen, trunk or (), line)
    plan.check_marks(calls, cases)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = SafeConsole(highlight=False, stderr=as_json)
    console.width = max(_WIDTH, console.width)  # a narrow terminal wraps the table; nothing may be cut off in it
    with contextlib.ExitStack() as stack:
        scratch = stack.enter_context(Scratch()).path
        world = stack.enter_context(complete(chosen, file, scratch))
        found, run = run_load(
            world,
            cases,
            asked,
            timings=world.timings_by("quick"),
            reports=reports.absolute(),
            scratch=scratch,
            on_step=lambda number, placed: _tell(console, number, placed),
        )
    if as_json:
        print(json_file.text(found))
    _show(console, found, run)
    raise typer.Exit(INTERRUPTED if found.interrupted else found.exit_code)


def _tell(console: SafeConsole, number: int, calls: Sequence[LoadCall]) -> None:
    bad = [call for call in calls if call.failed_in is not None]
    said = f"step {number}: {len(calls) - len(bad)} of {len(calls)} calls up and verified"
    if bad:
        message = bad[0].message
        said += f"; call {bad[0].index}: {mask_text(message) if is_masked(bad[0].lane.context.deployment) else message}"
    console.print(said, soft_wrap=True)
    console.file.flush()


def _show(console: SafeConsole, found: LoadResult, run: Path) -> None:
    table = Table(title=f"load of {found.deployment}")
    for heading in ("step", "calls", "placed", "verified", "held", "calls/s"):
        table.add_column(heading, justify="right")
    for heading in ("setup ms\np50/p95/p99", "post-dial delay ms\np50/p95/p99", "two-way ms\np50/p95/p99"):
        table.add_column(heading, justify="right")
    table.add_column("verdict")
    for step in found.steps:
        table.add_row(
            *(str(value) for value in (step.step, step.calls, step.placed, step.verified, step.held)),
            "" if step.cps is None else f"{step.cps:g}",
            *(_of(one) for one in (step.setup_ms, step.post_dial_delay_ms, step.two_way_ms)),
            str(step.verdict),
        )
    console.print(table)
    for note in found.notes:
        console.print(f"note: {note}", soft_wrap=True)
    if found.interrupted:
        console.print(f"interrupted in step {len(found.steps)}: what was up was hung up")
    if (first := found.first_failing) is not None:
        console.print(f"first failing step: {first.step} ({first.calls} calls)", style="red")
        console.print(first.message or "not all of its calls were placed", soft_wrap=True)
    ended = sum(call.ended for call in found.calls)
    console.print(
        f"{found.verdict}: {found.calls_held} of {found.asked.calls} calls held, {ended} of {len(found.calls)} ended",
        style="green" if found.exit_code == 0 else "red",
    )
    for name in (result.FILE, picture.FILE):
        console.print(str(run / name), soft_wrap=True)


def _of(percentiles: Percentiles) -> str:
    known = (percentiles.p50, percentiles.p95, percentiles.p99)
    return "/".join("–" if value is None else f"{value:.0f}" for value in known) + f" of {percentiles.of}"
