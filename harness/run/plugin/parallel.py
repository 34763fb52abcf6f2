"""The processes of a run: what the controller starts, what workers receive, and how they end."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import json
import os
import shlex
import shutil
import signal
import sys
from collections.abc import Generator
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from harness.deployment import Deployment
from harness.deployment.hours import AS_OF_VARIABLE, planned_at
from harness.deployment.limits import MOST_WORKERS, Lease, lease
from harness.errors import HarnessError, MistakeError, ResourceError, SelectionError
from harness.phone import PhoneConfig
from harness.phone.process import PhoneForkServer
from harness.phone.switchboard import Switchboard
from harness.pytest_plugin import PROGRESS
from harness.report import scope
from harness.report.case_document import is_masked, shown_name
from harness.report.run_directory import ALLURE, PREFLIGHT, create
from harness.run.plugin import last_failed, options
from harness.run.plugin.interruption import INTERRUPTION, Interruption
from harness.run.plugin.leases import in_turn
from harness.run.plugin.run import RUN, Run, run_of
from harness.run.plugin.watch import DEAD_THREADS, Watch, Watchdog, start_heartbeat
from harness.run.plugin.workers import AsTheyCome
from harness.run.plugin.worlds import Worlds, require_playable
from harness.scenario.phones import stand_in
from harness.support.files import own_directories, whole_file
from harness.support.files.own_directories import MEMORY, Scratch
from harness.support.forkserver import PYTHON, ForkServer, allow_open_files
from harness.support.mask import mask_fields
from harness.support.memory import settle
from harness.support.terminal import SafeConsole, lead_nowhere, print_errors
from harness.witness.campaign import SILENT_VARIABLE

_INPUT = "harness"
_RUNNER = pytest.StashKey[Lease]()
_TEXT = pytest.StashKey[str]()  #: the JSON that every worker receives
_BOARD = pytest.StashKey[Switchboard]()
#: The specifications of workers that are still to be started.
_OTHERS = pytest.StashKey[list[Any]]()
WORLDS = pytest.StashKey[Worlds]()
WATCH = pytest.StashKey[Watch]()


@pytest.hookimpl(tryfirst=True, optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int | None:
    """``-n auto``: seven workers a core, nine at least, since a case waits most of its time.

    The quick matrix on two quiet cores, for about the same CPU: 10 workers 121 s, 14 96 and 103 s,
    18 85 and 98 s; verdicts come later with 18 only, and no case was late or repeated (`python -m
    tools.speed --only matrix --workers N`).
    """
    if not options.files(config):
        return None
    return min(MOST_WORKERS, max(9, 7 * len(os.sched_getaffinity(0))))


def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """Prepare the run first of all; a mistake is printed as one line, and nothing is left running.

    xdist has decided the number of workers by now, and pytest has not begun its session.
    """
    settle()  # imported modules stay: garbage collections, pytest's five at the end above all, need not visit them
    if text := getattr(config, "workerinput", {}).get(_INPUT):
        _begin_worker(config, Run.from_json(text))
        return None
    if options.only_looks(config) or hasattr(config, "workerinput"):
        return None
    try:
        _begin(config)
    except HarnessError as error:
        return _say(error)
    except KeyboardInterrupt:
        return pytest.ExitCode.INTERRUPTED
    return None


def _say(error: HarnessError) -> pytest.ExitCode:
    """Print it; how the run exits."""
    print_errors(str(error))
    is_mistake = isinstance(error, MistakeError)
    return pytest.ExitCode.USAGE_ERROR if is_mistake else pytest.ExitCode.INTERNAL_ERROR


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    """Preflight, while the first worker starts and collects: it gets no case before. Then set up
    the stand-ins: a platform may send OPTIONS, and call only stand-ins that answered.
    """
    config = session.config
    if WORLDS in config.stash:
        run, code = config.stash[RUN], pytest.ExitCode.OK
        mode, json_alone = options.preflight(config), config.getoption("json")
        try:
            if not preflight_allows(run, config.stash[WORLDS], mode, stderr=json_alone):
                code = pytest.ExitCode.TESTS_FAILED
        except HarnessError as error:
            code = _say(error)
        except KeyboardInterrupt:
            code = pytest.ExitCode.INTERRUPTED
        if code:  # there is nothing to report
            config.pluginmanager.unregister(name=PROGRESS)
            raise pytest.exit.Exception("preflight", code)
        board = config.stash.get(_BOARD, None)
        if board is not None and run.switchboard is not None:  # a plugin may share no phones
            for phone in _stand_ins(run):
                with suppress(HarnessError):  # each case that needs it reports why it is missing
                    board.keep(phone)
    return (yield)


def _hand_down(config: pytest.Config, variable: str, value: str) -> None:
    """Set an environment variable for the run's processes, unless it is set; unset when the run
    ends.
    """
    if not os.environ.get(variable):
        os.environ[variable] = value
        config.add_cleanup(partial(os.environ.__delitem__, variable))


def _begin(config: pytest.Config) -> None:
    """Read what is asked for, and start what the session needs."""
    files = options.files(config)
    as_of = planned_at().isoformat() if os.environ.get(AS_OF_VARIABLE) else ""
    # workers and worlds make the same plan
    _hand_down(config, AS_OF_VARIABLE, datetime.now(UTC).isoformat())
    planned_at()  # an invalid moment is reported before anything is read
    _hand_down(config, "OPENBLAS_NUM_THREADS", "1")  # small matrices: threads only cost time
    allow_open_files()
    # evidence and reports hold telephone numbers and what people said; workers and worlds inherit it
    os.umask(0o077)
    config.stash[INTERRUPTION] = Interruption()
    only_plans = config.getoption("plan") or config.option.collectonly
    deployments = options.deployments(
        files,
        options.grants(config),
        secrets=not only_plans,
        commands=not only_plans and not config.getoption("no_reports"),
        site=config.getoption("site"),
    )
    faults = list(config.getoption("fault"))
    options.check_faults(faults, deployments)
    options.check_required(config, deployments)
    options.check_together(config)
    if config.getoption("no_manual"):
        os.environ[SILENT_VARIABLE] = "1"  # the workers inherit it
    if not only_plans:
        options.check_live(config, deployments)
    else:
        config.option.numprocesses = config.option.tx = None
        config.option.dist = "no"
    workers = getattr(config.option, "numprocesses", None) or 0
    if workers and config.option.maxschedchunk is None:
        config.option.maxschedchunk = (
            1  # the next free worker takes the next case; see collection.in_order
        )
    if workers > MOST_WORKERS:
        raise SelectionError(
            f"-n {workers}: every leg needs a mark of its own; allowed: up to {MOST_WORKERS} workers"
        )
    run = Run(
        directory=Path(),
        deployments=deployments,
        selection=options.selection(config),
        timings=options.timings(config),
        faults=tuple(faults),
        workers=workers,
    )
    repeated = ""
    if config.getoption("last_failed_cases"):
        run, repeated = last_failed.narrowed(run, options.reports(config))
    if importlib.util.find_spec("pjsua2") is None:
        raise ResourceError(
            "the softphones' library pjsua2 is not installed for this Python; `make clean verify` installs it"
        )
    cases = len(run.cases)  # an unknown name in the selection is reported before anything starts
    if config.getoption("cases_only") and workers > cases > 0:
        run.workers = config.option.numprocesses = cases
        config.option.tx = config.option.tx[:cases]
    config.stash[RUN] = run
    simulated = [pair for pair in zip(files, deployments, strict=True) if _is_simulated(pair[1])]
    if only_plans:
        require_playable([path for path, _ in simulated], faults)
        return
    _use_own_temporary_files(config)
    run.directory = create(options.reports(config).absolute())
    given: scope.Options = {**options.given(config), "as_of": as_of, "last_failed": repeated}
    _start(config, run, simulated, given)


def _is_simulated(deployment: Deployment) -> bool:
    return deployment.kind == "simulated"


def preflight_allows(run: Run, worlds: Worlds, mode: str, *, stderr: bool = False) -> bool:
    """Whether calls may be placed: unless it is off, look at one replica of each deployment, keep
    it as ``preflight.json``, and say what is not ok.

    Raises :class:`WorldLostError` where a world had an error of its own, so that nothing that was
    found counts.
    """
    if mode == "off":
        return True
    preflight = _load_preflight()
    reports = []
    for name, replicas in run.replicas.items():
        replica = replicas[0]
        report = preflight.run(replica, [case for case in run.cases if case.deployment == name])
        # as the evidence of its cases: a terminal's lines are kept by CI as files are
        if is_masked(replica):
            report = dataclasses.replace(mask_fields(report), deployment=shown_name(replica.name))
        reports.append(report)
    path = run.directory / PREFLIGHT
    try:
        whole_file.write(path, json.dumps([report.to_plain() for report in reports], indent=1))
    except OSError as error:
        raise ResourceError(
            f"{path}: the run's results cannot be written here: {error.strerror}"
        ) from error
    worlds.require_sound()
    console = SafeConsole(stderr=stderr)
    for report in reports:
        if any(line.status != "ok" for line in report.lines):
            preflight.show(console, report, all_lines=False)
    has_failed = any(report.failed for report in reports)
    if mode == "stop" and has_failed:
        console.print("The run ends before its first call; --preflight tell goes on all the same.")
        return False
    return True


def _use_own_temporary_files(config: pytest.Config) -> None:
    """Another user can take the names of pytest's (pytest-of-USER) and of the machine's directory.
    Raises :class:`MistakeError`.
    """
    try:
        own_directories.of_this_machine()
        if not config.option.basetemp:
            scratch = Scratch()
            config.add_cleanup(scratch.close)
            config.option.basetemp = str(scratch.path / "pytest")
    except OSError as error:
        where = error.filename or "temporary files"
        raise MistakeError(
            f"{where}: {error.strerror}; set TMPDIR to a directory that only you can write to"
        ) from error


def pytest_sessionstart(session: pytest.Session) -> None:
    """Watch this process's threads, once pytest has its own hook for them."""
    watch = session.config.stash.get(WATCH, None)
    if watch is not None:
        output = getattr(session.config, "workeroutput", {})
        watch.threads(output.setdefault(DEAD_THREADS, []))


def _stand_ins(run: Run) -> list[PhoneConfig]:
    """The stand-ins for the AI at real platforms."""
    with_stand_in = [case for case in run.cases if case.axes["ai"] == "stand-in"]
    found = []
    for name, trunk in dict.fromkeys((case.deployment, case.trunk) for case in with_stand_in):
        deployment = run.deployment(name)
        if not _is_simulated(deployment):
            found.append(stand_in(deployment, deployment.trunk(trunk)))
    return found


def _show(config: pytest.Config, text: str) -> None:
    """Print a line while the run goes on."""
    if (shown := config.pluginmanager.get_plugin(PROGRESS)) is not None:
        shown.mention(text)


def _load_preflight() -> Any:
    """DNS and HTTP libraries come with it, which no worker needs."""
    return importlib.import_module("harness.run.preflight")


def _prepare(run: Run, given: scope.Options) -> None:
    """What there is to do while the worlds start."""
    try:
        scope.write(run.directory, run.scope(given, _command()))
        run.written[scope.FILE] = whole_file.written(run.directory / scope.FILE)
    except OSError as error:
        raise ResourceError(
            f"{run.directory}: the run's results cannot be written here: {error.strerror}"
        ) from error
    _load_preflight()


def _command() -> str:
    """The command line as it was given: to ``harness``, or to pytest itself."""
    program = Path(sys.argv[0])
    name = program.name
    if name == "__main__.py":  # python -m pytest
        name = program.parent.name
    command = "pytest" if name in ("pytest", "py.test") else "harness"
    return shlex.join([command, *sys.argv[1:]])


def _start(
    config: pytest.Config,
    run: Run,
    simulated: list[tuple[Path, Deployment]],
    given: scope.Options,
) -> None:
    """Start the worlds and what the run's processes share. Everything ends with the session."""
    _allure_results(config, run)
    stack = ExitStack()
    config.add_cleanup(stack.close)  # for every exit; an orderly end has already ended everything
    _make_control(run, stack)
    runner = lease([run.control / "runner"])
    config.stash[_RUNNER] = runner
    stack.callback(runner.release)
    worlds = config.stash[WORLDS] = Worlds(run.control)
    stack.callback(worlds.stop)
    run.replicas = {d.name: [d] for d in run.deployments if not _is_simulated(d)}
    stack.enter_context(in_turn(run.deployments))
    if run.workers:
        with suppress(OSError):  # as where a path is too long: phones are started each for itself
            phones = PhoneForkServer()
            stack.callback(phones.close)
            run.phone_fork_server = phones.path
    if run.replicas and (run.slots > 1 or _stand_ins(run)):
        say = partial(_show, config)
        board = config.stash[_BOARD] = Switchboard(fork_server=run.phone_fork_server, say=say)
        stack.callback(board.close)
        run.switchboard = str(board.path)
    plugins = config.pluginmanager.get_plugins()
    fork_servers = [plugin.path for plugin in plugins if isinstance(plugin, ForkServer)]
    try:
        started = worlds.start(
            simulated,
            tenants=run.slots + 1,
            timings=run.timings,
            faults=run.faults,
            controlled=config.getoption("world_control"),
            fork_server=fork_servers[0] if fork_servers else None,
            meanwhile=lambda: _prepare(run, given),
        )
        # a world only reads the file, and --site overrides it
        for name, replicas in started.items():
            run.replicas[name] = replicas.at(run.deployment(name).site)
        run.controls = worlds.controls
    except BaseException as error:
        worlds.stop(keep_logs=run.directory)
        if isinstance(error, MistakeError):
            shutil.rmtree(run.directory, ignore_errors=True)
        raise
    stack.callback(Watchdog(run).stop)
    if not run.workers:
        config.stash[WATCH] = Watch(run)


def _make_control(run: Run, stack: ExitStack) -> None:
    """In memory if there is room: a permit that waited 1.4 s for a disk came too late for a
    transfer.
    """
    try:
        memory = stack.enter_context(Scratch(MEMORY))
        run.control.symlink_to(memory.path)
    except OSError:  # no such memory, or a file system without links
        run.control.mkdir()
    stack.callback(run.remove_control)


def _allure_results(config: pytest.Config, run: Run) -> None:
    """Allure's results are always written: into the run's directory, unless ``--alluredir`` says
    where.
    """
    if getattr(config.option, "allure_report_dir", "") is None:
        config.option.allure_report_dir = str(run.directory / ALLURE)


def _begin_worker(config: pytest.Config, run: Run) -> None:
    """A worker holds its slot for life; one that replaces a dead one takes over the dead one's."""
    run.slot = lease([run.control / f"slot-{index}" for index in range(run.slots)]).index
    run.calls_up.set(run.slot, 0)
    config.stash[RUN] = run
    start_heartbeat(run)
    _allure_results(config, run)
    watch = config.stash[WATCH] = Watch(run)
    watch.runner(run.control / "runner")


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """End the process of a worker that an error ended: it may live on and hold the slot that its
    successor waits for.
    """
    if error and run_of(node.config):
        node.gateway.exit()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Send a worker the run, with its secrets, through the pipe."""
    if run := run_of(node.config):
        # one string for all: xdist keeps each worker's input, which is megabytes for thousands of
        # numbers
        if _TEXT not in node.config.stash:
            node.config.stash[_TEXT] = run.to_json()
        node.workerinput[_INPUT] = node.config.stash[_TEXT]


@pytest.hookimpl(optionalhook=True, trylast=True)
def pytest_xdist_setupnodes(config: pytest.Config, specs: list[Any]) -> None:
    """Start one worker first; the others follow when it has its case. Ctrl-C is ignored by a worker
    that still imports (it would print a traceback), until :class:`Watch` takes it.
    """
    if not run_of(config):
        return
    for spec in specs:
        if spec.popen:
            python = shlex.split(spec.python) if spec.python else PYTHON
            spec.python = shlex.join(["sh", "-c", 'trap "" INT; exec "$@"', "sh", *python])
    if config.getoption("dist") == "load":
        config.stash[_OTHERS] = specs[1:]
        del specs[1:]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """With ``--dist load`` each worker gets cases as soon as it has collected them."""
    if (others := config.stash.get(_OTHERS, None)) is None:
        return None
    return AsTheyCome(config, log, others)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """After an interruption, wake the workers at once: they stop waiting and hang up.

    In a worker, Ctrl-C and the runner's death have no more effect from here on. If the runner is
    gone, the worker prints nothing more: xdist cannot send its results.
    """
    if hasattr(session.config, "workerinput") and run_of(session.config) is not None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if session.config.stash[WATCH].runner_is_gone:
            lead_nowhere(sys.stderr)
    runner = session.config.stash.get(_RUNNER, None)
    if runner and exitstatus == pytest.ExitCode.INTERRUPTED:
        runner.release()
