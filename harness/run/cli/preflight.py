"""``harness preflight``: what calls depend on, looked at before any is paid for."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.deployment import Deployment
from harness.integrations import load
from harness.run import preflight
from harness.run.cli.app import FAILED, PASSED
from harness.run.plugin.worlds import one_world
from harness.run.preflight import Report
from harness.support.files.own_directories import Scratch
from harness.support.terminal import SafeConsole


def run(
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Deployment files.")],
    all_lines: Annotated[bool, typer.Option("--all", help="Show what is ok as well.")] = False,
) -> None:
    """Look at names, ports, certificates, accounts, clocks, secrets and numbers; place no call.

    A simulated deployment's world is started for it.
    """
    console = SafeConsole(highlight=False)
    reports = [_report(file) for file in files]
    for report in reports:
        preflight.show(console, report, all_lines=all_lines)
    raise typer.Exit(FAILED if any(report.failed for report in reports) else PASSED)


def _report(file: Path) -> Report:
    if (deployment := _simulated(file)) is None:
        return preflight.of_file(file)
    with Scratch() as scratch, one_world(file, deployment, scratch.path) as world:
        return preflight.run(world.tenants[0])


def _simulated(file: Path) -> Deployment | None:
    """The deployment if its world must be started, else None. The next load reports mistakes in the file."""
    secrets = preflight.variables(file)
    deployment = load(file, dict.fromkeys(secrets, "-"))
    return deployment if deployment.kind == "simulated" else None
