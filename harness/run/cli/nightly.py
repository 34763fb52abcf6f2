"""``harness nightly``: verify every night, and tell what has changed; ``harness compare``: what is
new between two runs.
"""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from harness.deployment.grants import Grants
from harness.errors import BrokenError, HarnessError, MistakeError
from harness.integrations import load
from harness.report import acknowledged, history
from harness.report.history import runs_of
from harness.report.markup import web_link
from harness.report.nightly import alerts, metrics, night, problems
from harness.report.nightly.compare import Difference, compare, lines, markdown
from harness.report.run_directory import RunEvidence, ended_run
from harness.report.standing import rates
from harness.run.cli.app import FAILED, PASSED, AsJson, Grant, echo_json, end_as_by_ctrl_c
from harness.run.cli.completion import DeploymentFiles
from harness.run.cli.help import DefaultGroup, group
from harness.support.mask import mask_text
from harness.support.model_words import instead
from harness.support.terminal import SafeConsole

_Reports = Annotated[
    Path, typer.Option(metavar="DIR", help="Where the nights leave their results.")
]


def nightly(
    files: DeploymentFiles,
    reports: _Reports = Path("reports"),
    name: Annotated[
        str, typer.Option(metavar="NAME", help="The series' name (default: the files').")
    ] = "",
    verify: Annotated[
        str,
        typer.Option(
            metavar="OPTIONS", help='More options of verify, e.g. "--transport tls -n 4".'
        ),
    ] = "",
    bounds_file: Annotated[
        Path | None,
        typer.Option("--bounds", metavar="FILE", help="Bounds of figures (TOML): kpi, row, max."),
    ] = None,
    metrics_file: Annotated[
        Path | None,
        typer.Option("--metrics", metavar="FILE", help="Write the figures as OpenMetrics."),
    ] = None,
    push: Annotated[
        str, typer.Option(metavar="URL", help="Push the figures to a Pushgateway.")
    ] = "",
    check_fresh: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            metavar="HOURS",
            help="Only check that a night has ended in so many hours; alert if none has.",
        ),
    ] = None,
    base_url: Annotated[
        str,
        typer.Option(
            metavar="URL",
            help="Where the reports are served; alerts link there (default: the file's [nightly]).",
        ),
    ] = "",
    grant: Grant = None,
) -> None:
    """Verify (preflight first), compare with the last good night, and alert when something has
    changed.

    Alerts go to the addresses in HARNESS_ALERTS (Apprise: mail, Slack, Teams, webhooks). The exit
    code is the verification's, or 1 when a figure is over its bound, a row is lost, or the
    verification left no results.
    """
    if base_url and not web_link(base_url):
        raise MistakeError(f"--base-url {base_url}: is no web address; allowed: https://host/path")
    series = name or "+".join(file.stem for file in files)
    to = alerts.addresses()
    if check_fresh is not None:
        raise typer.Exit(_check_fresh(reports, series, check_fresh, to))
    with _alerting(f"{series}: the night did not begin", to):
        served = _served(files, Grants.given(grant))
        bound = problems.read_bounds(bounds_file) if bounds_file else ()
        acknowledged.read(reports)
        more = [*_split(verify), *(f"--grant={word}" for word in grant or ())]
        if metrics_file or push:
            metrics.client()
    end_as_by_ctrl_c()
    with _alerting(f"{series}: the night could not be recorded", to):
        finished = night.one_night(
            files, reports, series=series, bound=bound, more=more, base_url=base_url or served
        )
    with contextlib.ExitStack() as rest:  # a failure of one does not stop the others
        rest.callback(_say, finished)
        rest.callback(_measure, finished, metrics_file, push)
        _alert(finished, reports, to)
    raise typer.Exit(finished.night.code)


def _check_fresh(reports: Path, series: str, hours: float, to: Sequence[str]) -> int:
    """Report whether a night ended within ``hours``, and alert if none did; returns the exit code."""
    with _alerting(f"{series}: it is unknown when a night last ended", to):
        stale = night.check_fresh(reports, series, hours)
    try:  # before printing: a closed terminal must not prevent it
        if stale:
            alerts.send(alerts.Alert(f"{series}: a night is missing", stale, "failure"), to)
    finally:
        typer.echo(stale or f"{series}: a night has ended in the last {hours:g} hours")
    return FAILED if stale else PASSED


def _alert(finished: night.FinishedNight, reports: Path, to: Sequence[str]) -> None:
    """Send the night's alert, if there is one; an alert that could not be sent is sent with the
    next night's.
    """
    if finished.alert is None:
        return
    try:
        history.keep_night(reports / history.FILE, replace(finished.night, told=False))
    finally:
        alerts.send(finished.alert, to)
    history.keep_night(reports / history.FILE, finished.night)


@contextlib.contextmanager
def _alerting(title: str, to: Sequence[str]) -> Iterator[None]:
    """Send an alert of an error and raise it again: at night no user sees the terminal."""
    try:
        yield
    except (HarnessError, OSError) as error:
        try:
            alerts.send(alerts.Alert(title, mask_text(str(error)), "failure"), to)
        except BrokenError as unsent:
            typer.echo(f"ERROR: {unsent}", err=True)
        raise


def _served(files: Sequence[Path], grants: Grants) -> str:
    """Where the deployment files say that reports are served. Raises :class:`MistakeError` for a
    mistake in one of them, before the night.
    """
    loaded = [load(file, secrets=False, grants=grants) for file in files]
    addresses = filter(None, (one.nightly.base_url for one in loaded))
    return next(addresses, "")


def _split(verify: str) -> list[str]:
    try:
        return shlex.split(verify)
    except ValueError as error:
        raise MistakeError(
            f"--verify {verify}: {error}; allowed: options of verify, as a shell takes them"
        ) from None


def _say(finished: night.FinishedNight) -> None:
    """Print what has changed, and where the page is."""
    for difference in finished.differences:
        _show(f"{difference.deployment}: since the last good night, {difference.old}", difference)
    for note in finished.notes:
        typer.echo(note)
    typer.echo(f"nights         {finished.page}")
    if finished.alert is not None:
        typer.echo(f"changed        {finished.alert.title}")
        for line in finished.alert.body.splitlines():
            typer.echo(f"  {line}" if line else "")
    elif finished.news.since:
        typer.echo(f"changed        nothing since {finished.news.since}")
    else:
        typer.echo("changed        this is the first night")


def _measure(finished: night.FinishedNight, file: Path | None, push: str) -> None:
    """Write the figures to the file and push them, if asked for."""
    if not file and not push:
        return
    flakes = []
    for runs in finished.histories:
        flakes += rates(runs)
    registry = metrics.registry_of(finished.night, finished.runs, flakes)
    if file:
        metrics.write(file, registry)
    if push:
        metrics.push(push, registry, finished.night.series)


def acknowledge(
    cause: Annotated[str, typer.Argument(metavar="CAUSE", help="Its id, as a night shows it.")],
    ticket: Annotated[str, typer.Option(metavar="TICKET", help="Where it is worked on.")],
    owner: Annotated[str, typer.Option(metavar="NAME", help="Who answers for it.")],
    until: Annotated[
        datetime, typer.Option(formats=["%Y-%m-%d"], metavar="DATE", help="The last day it counts.")
    ],
    deployment: Annotated[
        str, typer.Option(metavar="NAME", help="Only in this deployment (default: in each).")
    ] = "",
    reports: _Reports = Path("reports"),
) -> None:
    """Acknowledge a cause until a day: every view shows it as known, and no alert calls it new.

    Verdicts, exit codes of runs and the sign-off stay as they are.
    """
    known: set[str] = set()
    for run in history.read(reports / history.FILE, most=night.LOOK_BACK):
        for result in run.results:
            known.update(one.id for one in result.causes)
    if cause not in known:
        meant = instead(cause, known, "harness compare")
        raise MistakeError(f"{cause}: no run in {reports} has this cause{meant}")
    entry = acknowledged.Acknowledgement(
        cause=cause,
        deployment=deployment,
        ticket=ticket,
        owner=owner,
        until=until.date(),
    )
    typer.echo(f"{acknowledged.add(reports, entry)}: {cause}: {entry}")


nightly_app = group(
    DefaultGroup,
    "Verify every night; acknowledge known causes.",
    run=(nightly, "harness nightly acme.toml"),
    acknowledge=(
        acknowledge,
        "harness nightly acknowledge audio-blocked --ticket NET-12 --owner Ana --until 2026-12-31",
    ),
)


def compare_runs(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="A run's directory.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="A later run's directory.")],
    as_json: AsJson = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="As a Markdown table.")] = False,
) -> None:
    """What fails anew, is fixed, flaky, slower or lost, and since when. Exit code 1 if there is
    news.
    """
    if as_json and as_markdown:
        raise MistakeError("--json and --markdown: two forms of one page; allowed: one of them")
    directories = ended_run(old), ended_run(new)
    before, after = (runs_of(RunEvidence.read(directory)) for directory in directories)
    kept = new.resolve().parent / history.FILE
    past = []
    for run in after:
        earlier, _ = history.before(kept, run)
        past += earlier
    differences = compare(before, after, past, acknowledged.today(kept.parent))
    if as_json:
        echo_json(differences)
    elif as_markdown:
        typer.echo(markdown(differences), nl=False)
    else:
        for one in differences:
            _show(f"{one.deployment}: {one.old or '–'} → {one.new or '–'}", one)
    raise typer.Exit(FAILED if any(one.news for one in differences) else PASSED)


_STYLES = {
    "newly failing": "red",
    "failing for another cause": "red",
    "row lost": "red",
    "not run any more": "red",
    "cannot be compared": "magenta",
    "fixed": "green",
}


def _show(heading: str, difference: Difference) -> None:
    console = SafeConsole(soft_wrap=True)  # a case's name is to be copied: never broken
    found = list(lines(difference))
    console.print(Text(heading if found else f"{heading}: no difference"))
    for what, case, why in found:
        style = _STYLES.get(what, "yellow")
        said = f"{case} ({why})" if why else case
        console.print(Text.assemble("  ", (what, style), f": {said}"))
