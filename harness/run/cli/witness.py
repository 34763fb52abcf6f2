"""``harness witness``: recordings and captures that others made of a run's calls, as further
evidence.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from harness.audio.wav import MOST_SECONDS
from harness.report import witnesses
from harness.report.evidence import CaseEvidence
from harness.report.run_directory import CASES
from harness.report.signoff import attest
from harness.run.cli.app import RunDirectory, echo
from harness.run.cli.listen import MaxHours
from harness.run.cli.report import make_again, require_whole


def witness(
    run: RunDirectory,
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE…", help="Sound files, captures, or folders of them, of any name."
        ),
    ],
    made_at: Annotated[
        Literal["ai", "platform"],
        typer.Option(
            "--made-at", help="Who made the recordings; only the AI's prove what the AI heard."
        ),
    ] = "platform",
    max_hours: MaxHours = MOST_SECONDS / 3600,
) -> None:
    """Add recordings and captures that others made of a run's calls, judge the run again, and make
    its views.

    Marks in a file tell whose call it is; in a capture, Call-IDs, headers and numbers do, too. The
    exit code is the run's, as it is judged then.
    """
    require_whole(run)
    run = run.resolve()
    reported, problems = witnesses.read_files(run, files, made_at, max_hours * 3600)
    for problem in problems:
        echo(problem)
    for one in reported:
        for line in witnesses.lines_of(run, one):
            echo(line)
    if made_at == "platform" and any(one.kind == "recording" for one in reported):
        typer.echo(
            "recordings count as the platform's, which prove nothing of what the AI heard (--made-at ai: the AI's)"
        )
    before = {
        path.name: CaseEvidence.read(path).verdict
        for path in (run / CASES).iterdir()
        if path.is_dir()
    }
    for name in witnesses.add(run, reported):
        case = CaseEvidence.read(run / CASES / name)
        if case.verdict is not before[name]:
            echo(f"{case.id}: {before[name]} → {case.verdict}")
    if (run / attest.FILE).exists():
        typer.echo(
            "the sign-off was signed without these files: make it again and sign it (harness signoff RUN --key FILE)"
        )
    raise typer.Exit(make_again(run))
