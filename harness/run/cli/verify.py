"""``harness verify``: puts a pytest command line together, and translates its exit code."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import Annotated

import pytest
import typer

from harness.errors import BrokenError, SelectionError
from harness.pytest_plugin import PROGRESS, SCENARIOS
from harness.run.cli.app import BROKEN, FAILED, INTERRUPTED, MISTAKE, PASSED, Grant, Live, Repeated
from harness.run.cli.completion import Fault, deployment_files, row_ids
from harness.run.cli.startup import world_fork_server
from harness.run.plugin.options import PreflightMode, collection_arguments
from harness.run.plugin.run import TimingsName
from harness.run.plugin.workers import worker_fork_server
from harness.support import resources

#: pytest's exit codes; the plugin has already turned broken cases into 3.
_CODES = {
    pytest.ExitCode.OK: PASSED,
    pytest.ExitCode.TESTS_FAILED: FAILED,
    pytest.ExitCode.INTERRUPTED: INTERRUPTED,
    pytest.ExitCode.INTERNAL_ERROR: BROKEN,
    pytest.ExitCode.USAGE_ERROR: MISTAKE,
    pytest.ExitCode.NO_TESTS_COLLECTED: MISTAKE,
}


#: Parameters whose pytest option has another name.
_OPTIONS = {
    "files": "--deployment",
    "workers": "-n",
    "expression": "-k",
    "last_failed": "--last-failed-cases",
    "exitfirst": "-x",
    "quiet": "-q",
    "verbose": "--every-failure",
    "as_json": "--json",
}


def verify(
    context: typer.Context,
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[FILE]…",
            help=f"Deployment files, or names of examples (default: the example {resources.DEFAULT_EXAMPLE}).",
            show_default=False,
            autocompletion=deployment_files,
        ),
    ] = None,
    row: Annotated[
        Repeated,
        typer.Option(
            metavar="ID", help="Only this row of the matrix (repeatable).", autocompletion=row_ids
        ),
    ] = None,
    transport: Annotated[
        Repeated, typer.Option(metavar="NAME", help="Only udp, tcp or tls (repeatable).")
    ] = None,
    auth: Annotated[
        Repeated,
        typer.Option(metavar="NAME", help="Only trunks with ip or digest (repeatable)."),
    ] = None,
    codec: Annotated[
        Repeated, typer.Option(metavar="NAME", help="Only pcmu or pcma (repeatable).")
    ] = None,
    ai: Annotated[
        Repeated,
        typer.Option(metavar="WHO", help="Only synthflow or stand-in (repeatable)."),
    ] = None,
    workers: Annotated[
        str,
        typer.Option(
            "--workers",
            "-n",
            metavar="N|auto",
            help="Cases at once; 0: one after another, all in this process.",
        ),
    ] = "auto",
    require: Annotated[
        Repeated,
        typer.Option(
            metavar="ID",
            help="Fail if this row is not run (repeatable); documented: all of the guide's.",
            autocompletion=row_ids,
        ),
    ] = None,
    timings: Annotated[
        TimingsName | None,
        typer.Option(
            help="Simulated deployments: scaled down (quick, default), or as in the guides."
        ),
    ] = None,
    fault: Fault = None,
    witness: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="Add this recording, capture or folder after the cases (repeatable).",
        ),
    ] = None,
    reports: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where the run leaves its results (default: ./reports)."),
    ] = None,
    expression: Annotated[
        str | None,
        typer.Option("--keyword", "-k", metavar="EXPR", help="Only cases whose name matches."),
    ] = None,
    last_failed: Annotated[
        bool,
        typer.Option(
            "--last-failed",
            "--lf",
            help="Only the cases that did not pass in the newest run of these files.",
        ),
    ] = False,
    exitfirst: Annotated[
        bool,
        typer.Option("--exitfirst", "-x", help="End the run after the first that does not pass."),
    ] = False,
    maxfail: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="End the run after so many that do not pass."),
    ] = None,
    live: Live = False,
    grant: Grant = None,
    preflight: Annotated[
        PreflightMode | None,
        typer.Option(
            help="Check ports, accounts and certificates first: stop on a failure (default), or tell (default with --fault)."
        ),
    ] = None,
    no_manual: Annotated[
        bool,
        typer.Option(
            "--no-manual",
            help="Ask no person to start a call; rows that need it are not observable.",
        ),
    ] = False,
    retries: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="N",
            help="Retry cases that failed or broke; then they are 'passed on retry'.",
        ),
    ] = 0,
    plan: Annotated[bool, typer.Option("--plan", help="Show the cases; place no call.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show only the result.")] = False,
    verbose: Annotated[
        bool,
        typer.Option("--verbose", "-v", help="Show every case that does not pass, and every row."),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON only; with --plan, the plan.")
    ] = False,
) -> None:
    """Run the matrix against deployments, in parallel, and judge every call."""
    if workers != "auto" and not workers.isdecimal():
        allowed = "allowed: auto, 0 (all in this process), 1, 2 …"
        raise SelectionError(f"-n {workers}: not a number of workers; {allowed}")
    given = {**context.params, "files": files or _example()}
    arguments = [*_of_pytest(Path(SCENARIOS)), "--cases-only"]
    for name, value in given.items():
        option = _OPTIONS.get(name, f"--{name.replace('_', '-')}")
        for each in value if isinstance(value, list | tuple) else [value]:
            if each is True:
                arguments.append(option)
            elif each and option.startswith("--"):
                arguments.append(f"{option}={each}")
            elif each:
                arguments += [option, str(each)]
    raise typer.Exit(_run(arguments, forks_workers=workers != "0" and not plan, plan=plan))


def _run(arguments: list[str], *, forks_workers: bool, plan: bool) -> int:
    """The exit code of a verification. Raises :class:`SelectionError` if pytest ran no case."""
    worlds, watch = world_fork_server(), _RunWatch()
    with worker_fork_server(worlds) if forks_workers else contextlib.nullcontext() as forks:
        code = pytest.main(arguments, [plugin for plugin in (forks, worlds, watch) if plugin])
    if code == pytest.ExitCode.OK and not plan and not watch.is_verification:
        why = "pytest ran no case"
        if given := os.environ.get("PYTEST_ADDOPTS"):
            why = f"PYTEST_ADDOPTS={given!r} only shows something; unset it"
        raise SelectionError(f"no call was placed: {why}, or use --plan")
    return _CODES.get(pytest.ExitCode(code), BROKEN)


class _RunWatch:
    """Notes whether pytest's session was a verification: options in PYTEST_ADDOPTS may make it only
    list tests.
    """

    is_verification = False

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """A verification has the plugin that counts cases."""
        self.is_verification = session.config.pluginmanager.has_plugin(PROGRESS)


def _example() -> list[Path]:
    print(
        f"no deployment file was named: this verifies the example {resources.DEFAULT_EXAMPLE}",
        file=sys.stderr,
    )
    return [Path(resources.DEFAULT_EXAMPLE)]


def _of_pytest(own: Path) -> list[str]:
    """pytest's arguments for the scenarios of the package, and for those of ``own`` where there is
    such a directory.

    That is named as from here: pytest takes a ``[`` in a path for the parameters of a test.
    """
    if not resources.SCENARIOS.is_dir():
        raise BrokenError(
            f"{resources.SCENARIOS}: the scenarios are missing; allowed: a complete checkout, or the wheel"
        )
    directories = []
    if own.resolve() != resources.SCENARIOS:
        directories.append(resources.SCENARIOS)
    if own.is_dir():
        directories.append(own)
    return collection_arguments(directories)
