"""``harness report``: every view made again, sites merged, and what is handed on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness import signoff
from harness.cli.app import INTERRUPTED
from harness.errors import MistakeError
from harness.report import bundle, scope
from harness.report.closing import show
from harness.report.foreign import require_ended, require_files
from harness.report.merge import merge
from harness.report.run import STOPPED, remake
from harness.signoff import attest, document, manifest
from harness.terminal import SafeConsole


def report(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN…", help="Runs' directories; several become one.")],
    into: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="Where the run made of several goes; by default beside the first. One alone is made again in its place.",
        ),
    ] = None,
    zip_case: Annotated[
        str,
        typer.Option("--zip", metavar="CASE|all", help="Bundle a case, or all, to hand on: playable, numbers masked."),
    ] = "",
    complete: Annotated[
        bool, typer.Option("--complete", help="Draw, encode and capture what passed, too (else: what did not).")
    ] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Write all cases as a table, too.")] = False,
) -> None:
    """Make the views of a run again, from its evidence. The exit code is the run's."""
    one = len({path.resolve() for path in runs}) == 1
    if one and into is not None:
        raise MistakeError(f"--into {into}: a single run is made again where it is; allowed: with several runs")
    for run in runs:
        _require_whole(run, is_merged=not one, complete=complete)
    run = runs[0].resolve() if one else merge(runs, into or runs[0].resolve().parent)
    bundled = [bundle.zipped(run, zip_case)] if zip_case else []  # first: there may be no such case
    finished = remake(run, complete=complete)
    is_signed = (run / attest.FILE).exists()  # and stays as it is
    page = run / document.HTML if is_signed else signoff.seal(run, finished.cases)
    show(finished.summary, finished.groups, SafeConsole(highlight=False, soft_wrap=True), run=run)
    made = [finished.report, page, finished.junit]
    made += [finished.allure_report] if finished.allure_report else []
    made += bundled + ([bundle.table(run)] if csv else [])
    for path in made:
        typer.echo(str(path))
    for note in finished.notes:
        typer.echo(note)
    stopped = STOPPED in finished.summary.interrupted.split("; ")
    raise typer.Exit(INTERRUPTED if stopped else finished.summary.exit_code)


def _require_whole(run: Path, *, is_merged: bool, complete: bool) -> None:
    """Refuse what no view may be made of: no run, one that is not as it was left, or a signed one that would get more files."""
    if not (run / "cases").is_dir():
        what = "not a run's directory: it has no cases" if run.exists() else "no such directory"
        raise MistakeError(f"{run}: {what}; allowed: a run's directory, e.g. reports/latest")
    require_files(run.resolve())
    require_ended(run)
    if (run / document.HTML).exists() and not (run / manifest.FILE).exists():  # both were made as the run ended
        raise MistakeError(
            f"{run / manifest.FILE}: is missing, so nobody knows what the run left; allowed: a whole run"
        )
    if (run / manifest.FILE).exists() and (differing := manifest.differences(run.resolve())):
        raise MistakeError(f"{run}: the evidence is not as the run left it: {'; '.join(differing[:3])}")
    if is_merged and not (run / scope.FILE).exists():
        raise MistakeError(
            f"{run / scope.FILE}: is missing, so nobody knows what the run was asked for; "
            "allowed: whole runs, to be merged"
        )
    if complete and (run / attest.FILE).exists():
        raise MistakeError(f"{run}: is signed, so --complete may add nothing to it; allowed: --zip, which makes a copy")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(report)
