"""The pytest plugin: a verification run is a pytest run over the scenarios, with ``--deployment
FILE``.

===============  ====================================================================================
``options``      the command line, and mistakes in it
``run``          what every process of a run knows: :class:`~harness.run.plugin.run.Run`
``worlds``       starts, watches and ends the simulated worlds
``parallel``     what the controller starts; preflight before the first case; what workers are handed
``workers``      workers are forked, and given their cases as they come
``leases``       what cases of a real deployment need for themselves while others run
``collection``   ``@scenario``-marked tests become cases, in the order in which they are taken
``cases``        each case leases a deployment; each attempt at it records its evidence, and is closed with its verdict
``fixtures``     the fixtures of scenarios, loaded where scenarios run
``plan``         ``--plan``
``progress``     what is shown while a run goes on, and at its end; what is kept of cases that are over
``live_line``    the line that a terminal shows meanwhile
``interruption`` Ctrl-C, SIGTERM, a terminal that closes
``last_failed``  the cases that did not pass last time
===============  ====================================================================================

What ``fixtures`` builds on: the fixtures ``case`` (:class:`harness.integrations.matrix.Case`),
``replica`` (the filled-in :class:`harness.deployment.Deployment` leased to the case), ``recorder``
(its open :class:`harness.case.recorder.CaseRecorder`, closed by the plugin), ``run``,
``case_marks`` (an iterator of mark ids no other leg has) and ``gate`` (the
:class:`harness.deployment.limits.CallGate` of the deployment).

pytest finds this module by the entry point ``harness.pytest_plugin`` in every environment the
package is installed in. So it imports nothing but pytest and adds one option; all else is loaded
when ``--deployment`` is given, and tests of other kinds are not touched. The entry point's name is
the module's, so that ``pytest_plugins = ["harness.pytest_plugin"]`` and ``-p`` mean the same
plugin, not a second one.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import pytest

from harness.support import resources

#: Where scenarios live, under the current directory and in the package.
SCENARIOS = "scenarios"
#: Name of the plugin that counts and shows the cases of a verification.
PROGRESS = "harness-progress"

_PARTS = ("options", "parallel", "collection", "cases", "plan", "progress")
_ROOM = "harness.run.plugin"
_LAST = f"{_ROOM}.{_PARTS[-1]}"
_NEEDS = "scenarios need a deployment; allowed: --deployment FILE (`harness init` writes one, `harness examples` lists some)"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the one option that makes a verification of a pytest run."""
    parser.getgroup("verification").addoption(
        "--deployment",
        action="append",
        default=[],
        metavar="FILE",
        help="verify what this deployment file describes (repeatable); with --help it shows the options of a verification",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Load the rest of the plugin, when there is a deployment to verify; its options are parsed
    after this.
    """
    given = early_config.known_args_namespace
    if given.deployment:
        for part in _PARTS:
            _load(early_config.pluginmanager, part)
    elif not given.help and any(
        _is_scenario(Path(argument.partition("::")[0])) for argument in given.file_or_dir
    ):
        raise pytest.UsageError(
            _NEEDS
        )  # before the options of a verification are called unrecognized


def _load(plugins: pytest.PytestPluginManager, part: str) -> None:
    # pytest's own way to import a plugin warns of modules that are there already, which
    # ``-W error`` makes an end
    name = f"{_ROOM}.{part}"
    if not plugins.has_plugin(name):
        plugins.register(import_module(name), name)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Load the fixtures where scenarios run. A process that only hands them to workers need not
    import them.
    """
    config = session.config
    has_workers = config.getoption("dist", "no") != "no" and not hasattr(config, "workerinput")
    if config.getoption("deployment") and not has_workers:
        _load(config.pluginmanager, "fixtures")


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers", "scenario(name, …): proves the rows of the verification matrix that name it"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Where no path was given, the package's scenarios are run as well as what pytest finds by
    itself; in workers, too.
    """
    if not config.getoption("deployment"):
        return
    if not config.pluginmanager.has_plugin(
        _LAST
    ):  # found in a conftest.py alone, which is too late for it
        raise pytest.UsageError(
            f"--deployment: plugins are not loaded by themselves here; allowed: -p {__name__}"
        )
    if config.args_source is not pytest.Config.ArgsSource.ARGS:
        config.args.append(str(resources.SCENARIOS))


def _is_scenario(path: Path) -> bool:
    """Whether ``path`` is a directory ``scenarios`` that has some, or a file there that does."""
    from harness.support.files import (
        user_files,
    )  # ordinary tests load this module, too, and need none of it

    files = (
        path.rglob("test_*.py")
        if path.name == SCENARIOS
        else [path]
        if path.parent.name == SCENARIOS
        else []
    )
    return any(
        b"harness.scenario" in user_files.read(file, user_files.SETTINGS)
        for file in files
        if file.is_file()
    )


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """A scenario that was collected along with other tests cannot run without a deployment either."""
    written = "harness.scenario" in sys.modules  # else the mark is of somebody else
    if written and not item.config.getoption("deployment") and item.get_closest_marker("scenario"):
        pytest.fail(_NEEDS, pytrace=False)
