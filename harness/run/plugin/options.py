"""The options of a verification besides ``--deployment``, and mistakes in them."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal, get_args

import pytest
from _pytest.mark.expression import Expression

from harness import integrations
from harness.deployment import Deployment
from harness.deployment.grants import Grants
from harness.diagnosis.catalogue import TableError, catalogue
from harness.errors import DeploymentError, RefusedError, SelectionError
from harness.integrations import load
from harness.integrations.matrix import DOCUMENTED, Selection
from harness.integrations.rows import TABLES
from harness.report.scope import Options
from harness.run.plugin.run import TimingsName
from harness.support import resources
from harness.support.files import user_files

#: The environment variable that means ``--live``.
LIVE_VARIABLE = "HARNESS_LIVE"
#: After a failed line of the preflight: end the run, or only print it; ``off``: no preflight.
PreflightMode = Literal["stop", "tell", "off"]
#: Options that may be given several times: what each names, and its help.
_LISTS = {
    "row": ("ID", "only this row of the matrix (repeatable)"),
    "require": (
        "ID",
        "fail when no case of this row is run; documented: of any row of the guide (repeatable)",
    ),
    "transport": ("NAME", "only this transport: udp, tcp, tls (repeatable)"),
    "auth": ("NAME", "only trunks with this authentication: ip, digest (repeatable)"),
    "codec": ("NAME", "only this codec: pcmu, pcma (repeatable)"),
    "ai": ("WHO", "only with this AI: synthflow, stand-in (repeatable)"),
    "fault": ("NAME[@LINE]", "make the simulated world wrong in this way (repeatable)"),
    "grant": (
        "WHAT",
        "grant the files env=NAME, host=HOST, path=DIR or command (repeatable; or HARNESS_GRANT)",
    ),
}
_FLAGS = {
    "no-reports": "keep the cases' evidence, and make no reports of it",
    "world-control": "let the worlds' faults be switched while they run",
    "plan": "show which cases and calls there would be, and place no call",
    "every-failure": "show each failure as it comes, and each row at the end",
    "json": "print the run's result as JSON, or with --plan the plan",
    "no-manual": "what a person would have to start is not observable",
    "live": "place calls at real platforms, which may cost money: deployments of kind live and stand-in need it "
    f"(or {LIVE_VARIABLE}=1)",
    "last-failed-cases": "only the cases that did not pass in the newest run of these files",
    "cases-only": "nothing else is run: no more workers than cases",
}
_VALUES: dict[str, dict[str, Any]] = {
    "cases": {
        "type": Path,
        "metavar": "FILE",
        "help": "only the cases whose ids stand in this file, one a line",
    },
    "site": {
        "default": "",
        "metavar": "NAME",
        "help": "where this runs, in the place of each file's own site",
    },
    "timings": {
        "choices": get_args(TimingsName),
        "help": "of simulated deployments: the guides' own timings, or scaled down where the guides let one set them "
        "(default: quick)",
    },
    "witness": {
        "type": Path,
        "action": "append",
        "default": [],
        "metavar": "FILE",
        "help": "add this recording or capture, or a folder of them, when the cases are over (repeatable)",
    },
    "reports": {
        "type": Path,
        "metavar": "DIR",
        "help": "where runs leave their results (default: ./reports)",
    },
    "retries": {
        "type": int,
        "default": 0,
        "metavar": "N",
        "help": "try a case that failed or broke again, N times at most; one that then passes is reported as passed on retry",
    },
    "preflight": {
        "choices": get_args(PreflightMode),
        "help": "look at ports, accounts and certificates first, and end the run when one is wrong (stop, the default), or "
        "only tell (the default with --fault)",
    },
}


#: pytest's configuration for a verification, whatever stands in the current directory's.
_CONFIGURATION = Path(__file__).with_name("verify.ini")
#: Plugins of the development tools, which would cost every worker half a second; one that has each
#: worker collect garbage five times at its end, to report exceptions that Python reports by itself;
#: and one that turns the death of a thread into a warning, which nothing here shows.
_WITHOUT = ("cacheprovider", "hypothesispytest", "anyio", "unraisableexception", "threadexception")


def collection_arguments(directories: Sequence[Path]) -> list[str]:
    """What to collect, and how.

    Of conftest.py files, those of the last directory count alone: what lies above them belongs to
    other tests.
    """
    arguments = [
        *map(str, directories),
        "--rootdir",
        str(resources.ROOT),
        "-c",
        str(_CONFIGURATION),
    ]
    arguments += ["--confcutdir", str(directories[-1].resolve())]
    for name in _WITHOUT:
        arguments += ["-p", f"no:{name}"]
    return arguments


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options; they stand in a group of their own in ``pytest --help``."""
    group = parser.getgroup("verification")
    for name, (metavar, text) in _LISTS.items():
        group.addoption(f"--{name}", action="append", default=[], metavar=metavar, help=text)
    for name, text in _FLAGS.items():
        group.addoption(f"--{name}", action="store_true", help=text)
    for name, more in _VALUES.items():
        group.addoption(f"--{name}", **more)


def preflight(config: pytest.Config) -> str:
    """The mode of the preflight: ``stop`` by default, ``tell`` with ``--fault``, whose world is
    wrong on purpose.
    """
    default = "tell" if config.getoption("fault") else "stop"
    return str(config.getoption("preflight") or default)


def live_is_allowed(asked: bool) -> bool:
    """Whether ``--live`` was given, or the environment says so."""
    return asked or os.environ.get(LIVE_VARIABLE) == "1"


def live_refusal(name: str, kind: str, instead: str = "") -> RefusedError:
    """The error for calls at a real platform without ``--live``; ``instead`` names an alternative."""
    return RefusedError(
        f"{name}: is of kind {kind!r}, so its calls are real and may cost money; "
        f"allowed: --live or {LIVE_VARIABLE}=1{instead}"
    )


def check_live(config: pytest.Config, chosen: tuple[Deployment, ...]) -> None:
    """Raises :class:`RefusedError` for a real platform without ``--live``."""
    if live_is_allowed(config.getoption("live")):
        return
    instead = ", or --plan to see the calls first"
    for deployment in chosen:
        if deployment.kind != "simulated":
            raise live_refusal(deployment.name, deployment.kind, instead)


def selection(config: pytest.Config) -> Selection:
    """The selection that the options ask for."""
    option = config.getoption
    return Selection(
        rows=tuple(option("row")),
        transports=tuple(option("transport")),
        authentication=tuple(option("auth")),
        codecs=tuple(option("codec")),
        ais=tuple(option("ai")),
        ids=_listed(option("cases")),
    )


def _listed(file: Path | None) -> tuple[str, ...]:
    """The ids in a file of ``--cases``, one a line."""
    if file is None:
        return ()
    try:
        lines = user_files.read_text(file, user_files.NUMBERS).splitlines()
    except (OSError, ValueError) as error:
        raise SelectionError(f"--cases {file}: cannot be read: {error}") from None
    ids = tuple(filter(None, map(str.strip, lines)))
    if not ids:
        raise SelectionError(f"--cases {file}: is empty; allowed: an id of a case in each line")
    return ids


def given(config: pytest.Config) -> Options:
    """Every option that decides what is verified, and how."""
    option = config.getoption
    lists = {name: list(option(name)) for name in _LISTS} | {"grant": grants(config).words}
    found: Options = {
        "deployment": [str(path) for path in option("deployment")],
        "keyword": str(option("keyword") or ""),
        "timings": timings(config),
        "retries": int(option("retries")),
        "live": live_is_allowed(bool(option("live"))),
        "no_manual": bool(option("no_manual")),
        "preflight": preflight(config),
    }
    return {**found, **lists}  # type: ignore[typeddict-item]  # whose keys these are as well


def timings(config: pytest.Config) -> TimingsName:
    """The timings that simulated deployments run with."""
    return "documented" if config.getoption("timings") == "documented" else "quick"


def check_required(config: pytest.Config, chosen: tuple[Deployment, ...]) -> None:
    """Raise :class:`SelectionError` for a row that none of the deployments has."""
    known = {DOCUMENTED}
    for deployment in chosen:
        known.update(row.id for row in integrations.find(deployment.integration).rows)
    for row in config.getoption("require"):
        if row not in known:
            unknown = f"no row of these deployments; allowed: {DOCUMENTED}, a row's id"
            raise SelectionError(f"--require {row}: {unknown}")


def only_looks(config: pytest.Config) -> bool:
    """Whether pytest only shows information and runs nothing."""
    names = ("help", "version", "markers", "showfixtures", "show_fixtures_per_test", "cacheshow")
    return any(getattr(config.option, name, None) for name in names)


def check_together(config: pytest.Config) -> None:
    """Raise :class:`SelectionError` for options that contradict each other or mean nothing here.

    pytest itself looks at the expression of ``-k`` only after everything has started.
    """
    if (retries := config.getoption("retries")) < 0:
        raise SelectionError(f"--retries {retries}: not a number of retries; allowed: 0, 1, 2 …")
    if config.getoption("dist", "no") == "each":
        raise SelectionError(
            "--dist each: every worker would run every case; allowed: load, worksteal, loadfile, loadscope"
        )
    if config.getoption("tx", ()) and not config.getoption("numprocesses", 0):
        raise SelectionError(
            "--tx: workers are processes of this machine, and share its calls; allowed: -n N"
        )
    if config.getoption("setuponly", False) or config.getoption("setupplan", False):
        raise SelectionError(
            "--setup-only, --setup-plan: a case without its calls shows nothing; allowed: --plan, --collect-only"
        )
    _check_keyword(config.option.keyword or "any")


#: Operators and brackets that pytest's parser, which calls itself for each, is sure to take.
_MOST_OPERATORS: Final = 250


def _check_keyword(expression: str) -> None:
    """Raise :class:`SelectionError` for an expression that pytest cannot read."""
    problem = ""
    if len(re.findall(r"\(|\b(?:and|or|not)\b", expression)) > _MOST_OPERATORS:
        problem = f"more than {_MOST_OPERATORS} operators and brackets"
    else:
        try:
            Expression.compile(expression)
        except (SyntaxError, ValueError) as error:  # ValueError: a number of 5,000 digits
            problem = getattr(error, "msg", str(error))
    if problem:
        shown = expression if len(expression) <= 80 else f"{expression[:80]}…"
        raise SelectionError(f"-k {shown}: {problem}; allowed: words with and, or, not, ( )")


def no_case(config: pytest.Config) -> str:
    """The line for a run, or a plan, without cases."""
    expression = config.option.keyword
    why = f"-k {expression}: matches no case" if expression else "no case is left"
    return f"ERROR: {why}; allowed: a selection that leaves some, as `--plan` shows them"


def ignored(config: pytest.Config, chosen: tuple[Deployment, ...]) -> list[str]:
    """A line for each option that does not apply to one of the deployments."""
    if config.getoption("timings") is None:
        return []
    real = [deployment.name for deployment in chosen if deployment.kind != "simulated"]
    why = "it runs with the [timings] of its file, as its platform does"
    return [f"--timings is ignored for {name}: {why}" for name in real]


def reports(config: pytest.Config) -> Path:
    """Where runs leave their results."""
    return config.getoption("reports") or config.invocation_params.dir / "reports"


def files(config: pytest.Config) -> list[Path]:
    """The deployment files asked for."""
    return [Path(name) for name in config.getoption("deployment")]


def grants(config: pytest.Config) -> Grants:
    """What the user lets the deployment files use. Raises :class:`SelectionError`."""
    return Grants.given(config.getoption("grant"))


def deployments(
    paths: list[Path],
    grants: Grants,
    *,
    secrets: bool,
    commands: bool = False,
    site: str = "",
) -> tuple[Deployment, ...]:
    """Read all deployment files. ``secrets``: False if no call will be placed. ``commands``:
    whether their commands will be run. ``site``: the site of the deployments, if given.

    Raises :class:`DeploymentError` with every mistake of every file, a line each.
    """
    found: dict[str, Deployment] = {}
    mistakes: list[str] = []
    for path in paths:
        try:
            deployment = load(path, secrets=secrets, commands=commands, grants=grants)
            own = integrations.find(deployment.integration).diagnosis
            if own and own.parent != TABLES:  # tests hold the harness's, which take 65 ms
                catalogue(deployment.integration)
        except (DeploymentError, TableError) as error:
            mistakes.append(str(error))
            continue
        if deployment.name in found:
            twice = f"{deployment.name!r} is another file's too"
            mistakes.append(f"{path}: name: {twice}; allowed: a name of its own for each")
        if site:
            deployment = deployment.model_copy(update={"site": site})
        found[deployment.name] = deployment
    if mistakes:
        raise DeploymentError("\n".join(mistakes))
    return tuple(found.values())


def check_faults(faults: list[str], chosen: tuple[Deployment, ...]) -> None:
    """A fault needs a world that can be made wrong. Raises :class:`SelectionError`."""
    if faults and not any(deployment.kind == "simulated" for deployment in chosen):
        names = ", ".join(deployment.name for deployment in chosen)
        raise SelectionError(
            f"--fault {faults[0]}: {names} is not simulated; allowed: --fault with a simulated deployment"
        )
