"""What is shown during a run and at its end. It only reads reports; the run does not depend on it.

pytest's own output is muted unless ``-v`` asks for it. A failure is shown as it comes when its
cause is new; at the end each cause is shown once, with its cases. ``-q`` shows no more than that,
and ``--json`` prints it for machines.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
import shlex
import sys
import time
from collections import Counter
from collections.abc import Generator, Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import pytest
from execnet import RemoteError
from rich.live import Live
from rich.text import Text

from harness.case.verdict import Conclusion, Verdict, exit_code
from harness.errors import HarnessError
from harness.pytest_plugin import PROGRESS
from harness.report import terminal
from harness.report.causes import GroupDocument, signature
from harness.report.evidence import CaseEvidence
from harness.report.github import workflow_commands
from harness.report.markup import relative
from harness.report.processes import make_ready
from harness.report.run_directory import STOPPED, RunEnd, last_attempt, write_end
from harness.report.summary import Figures
from harness.run.plugin.interruption import ENDED, INTERRUPTION
from harness.run.plugin.live_line import Standing
from harness.run.plugin.options import grants, ignored, no_case
from harness.run.plugin.parallel import WORLDS
from harness.run.plugin.run import Run, case_id, run_of
from harness.run.plugin.watch import DEAD_THREADS, when_thread_dies
from harness.run.plugin.witness_files import add_files
from harness.run.plugin.workers import WorkerForkServer
from harness.support.files import json_file, whole_file
from harness.support.mask import mask_text
from harness.support.memory import FreedMemory
from harness.support.terminal import SafeConsole, print_document

if TYPE_CHECKING:
    from harness.report.run import FinishedRun

#: Of the planned cases: the last ones take some seconds more.
_NEARLY_ALL: Final = 0.95

_ERROR = re.compile(
    r"^(?:E\s+)?(?!AssertionError: (?:Traceback|assert))([\w.]*(?:Error|Exception)\b.*)$",
    re.MULTILINE,
)
#: Erases the live line and shows the cursor (ECMA-48 EL; DECTCEM), where rich has no time to.
_END_LIVE = "\r\x1b[2K\x1b[?25h"
#: Seconds between progress lines if there is no terminal to redraw.
_PLAIN_EVERY_S = 5.0
#: Lines on changed files of the evidence: a whole directory may have been removed.
_MOST_CHANGED = 3


def pytest_configure(config: pytest.Config) -> None:
    """Show progress in the process that gathers the reports. What ``--collect-only`` lists pytest
    shows by itself.
    """
    run = run_of(config)
    if run is None:
        return
    config.pluginmanager.register(Retention(run, config), "harness-retention")
    is_worker = hasattr(config, "workerinput")
    only_plans = config.getoption("plan") or config.option.collectonly
    if not is_worker and not only_plans:
        config.pluginmanager.register(Progress(run, config), PROGRESS)


def mute_reporter(config: pytest.Config) -> None:
    """Make pytest's reporter count and print nothing: its lines would break the live line."""
    reporter = config.pluginmanager.getplugin("terminalreporter")
    if reporter is not None:
        reporter._tw._file = open(os.devnull, "w")  # noqa: SIM115  # lives as long as the process; no public way


def _summarises(config: pytest.Config) -> bool:
    """Whether a summary of pytest's own is asked for (``-rA``, ``--durations``), and its reporter
    is mute.
    """
    if config.getoption("verbose", 0) > 0:
        return False
    if config.getoption("durations", None) is not None:
        return True
    return bool(config.getoption("reportchars", "fE") != "fE")


def _in_a_line(text: str) -> str:
    """The error at the end of a pytest report, or its last line."""
    named: list[str] = _ERROR.findall(text)
    if named:
        return named[-1]
    lines = [line for line in text.splitlines() if line.strip()] or [""]
    return re.sub(r"^E\s+", "", lines[-1]).strip()


@dataclasses.dataclass(kw_only=True)
class ResultDocument(Figures):
    """What ``harness verify --json`` prints."""

    causes: list[GroupDocument]
    files: dict[str, str]  # what was made: its path


class Progress:
    """Counts the results of cases, shows them, and derives the exit code."""

    def __init__(self, run: Run, config: pytest.Config) -> None:
        self._run = run
        self._config = config
        self._began = time.monotonic()
        self._as_json = bool(config.getoption("json"))
        self._every_failure = bool(config.getoption("every_failure"))
        self._quiet = self._as_json or config.getoption("verbose", 0) < 0
        # a copy: pytest redirects the real stream while a case runs in this process
        stream = sys.__stderr__ if self._as_json else sys.__stdout__
        assert stream is not None
        output = os.fdopen(os.dup(stream.fileno()), "w", encoding=stream.encoding)
        self._console = SafeConsole(file=output, soft_wrap=True)
        self._live: Live | None = None
        self._standing = Standing()  #: what the live line shows; replaced, never changed
        self._last_line = self._began
        #: Ids of the cases to be reported → their pytest node ids.
        self._planned: dict[str, str] = {}
        self._done: dict[str, Verdict] = {}
        self._kinds: set[tuple[Verdict, str]] = set()  #: of failures already shown
        self._ordinary_ended: Counter[str] = Counter()  #: tests beside the cases, by outcome
        self._unreadable: set[str] = set()
        self._internal_error = False
        self._broke: list[str] = []  #: outside of any case
        self._unsteady: set[str] = set()  #: cases of which an attempt did not pass
        self._stopped: str | None = None  #: what ended the run before its time; empty for Ctrl-C

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        """Begin to show."""
        when_thread_dies(self._broke.append)
        interruption = self._config.stash[INTERRUPTION]
        interruption.keep, interruption.output = self._cut_short, self._console.file.fileno()
        for line in ignored(self._config, self._run.deployments):
            self._console.say(line)
        if self._config.getoption("verbose", 0) <= 0:
            mute_reporter(self._config)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self) -> None:
        """Keep a live line at a terminal, once preflight has printed its lines."""
        if self._quiet or self._config.getoption("verbose", 0) > 0:
            return
        # Not where FORCE_COLOR makes a pipe pass for a terminal, and not where TERM is dumb.
        if self._console.is_interactive and self._console.file.isatty():
            self._calls_up = self._run.calls_up  # opens a file, so not in rich's thread
            self._live = Live(
                console=self._console,
                get_renderable=self._line,
                refresh_per_second=5,
                transient=True,
            )
            self._live.start()

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A scenario that cannot be read breaks the run."""
        if report.failed and report.nodeid not in self._unreadable:  # each worker reports it
            self._unreadable.add(report.nodeid)
            why = report.longreprtext
            self._broken(
                f"{report.nodeid} cannot be read: {_in_a_line(why)}",
                f"{report.nodeid} cannot be read:\n{why}",
            )

    def pytest_internalerror(self, excrepr: object) -> None:
        """An error in pytest, a plugin or a worker: one line here, all of it in a file."""
        text = str(excrepr)
        if not self._internal_error:  # later ones follow from it
            self._internal_error = True
            self._broken(f"pytest or a plugin of it failed: {_in_a_line(text)}")
        whole = self._run.directory / "internal-error.txt"
        # on a full disk the line that was shown has to do
        with contextlib.suppress(OSError):
            whole_file.append(whole, mask_text(text) + "\n")

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        """A worker that ended, maybe by an error (not by its death)."""
        self._broke += getattr(node, "workeroutput", {}).get(DEAD_THREADS, ())
        if isinstance(error, RemoteError):
            self.pytest_internalerror(error.formatted)

    def pytest_keyboard_interrupt(self, excinfo: pytest.ExceptionInfo[BaseException]) -> None:
        """The user stops the run, or pytest does: ``-x``, or too many dead workers."""
        self._stopped = str(excinfo.value)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Note what is to be reported (one process)."""
        self._plan(item.nodeid for item in session.items)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        """Note what is to be reported (workers)."""
        self._plan(ids)

    def _plan(self, nodeids: Iterable[str]) -> None:
        """Note the cases among these."""
        seconds = self._seconds
        for nodeid in nodeids:
            name = case_id(nodeid)
            if name in seconds:
                self._planned[name] = nodeid
        self._standing = self._standing.with_plan([seconds[name] for name in self._planned])

    @cached_property
    def _seconds(self) -> Mapping[str, float]:
        """How long each case takes, by its row."""
        return {case.id: case.row.seconds for case in self._run.cases}

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Count a case, or an ordinary test."""
        name = case_id(report.nodeid)
        for key, value in report.user_properties:
            if key == "written":
                path, *file = cast("list[Any]", value)
                self._run.written[path] = whole_file.Written(*file)
        if name in self._run.case_ids:
            self._count(name, report)
        else:
            self._ordinary(report)

    def _count(self, name: str, report: pytest.TestReport) -> None:
        """Count a case when its last phase is reported, or when its worker crashed."""
        crashed = report.when not in ("setup", "call", "teardown")
        if name in self._done or not (crashed or report.when == "teardown"):
            return
        said = dict(report.user_properties)
        if crashed:
            conclusion = self._of_crashed(name)
        else:
            verdict = Verdict(str(said.get("verdict", Verdict.BROKEN)))
            conclusion = Conclusion(verdict, str(said.get("message", "")))
        verdict = conclusion.verdict
        attempt = str(said.get("attempt", "1"))
        first = "no reason was given"
        if conclusion.message:
            first = conclusion.first_line().removeprefix(f"{verdict}: ")
        again = bool(said.get("tried again"))
        if not verdict.says_something and name in self._unsteady and not again:
            counting = self._by_evidence(name)
            # no later attempt hides a failure
            if counting is not None and counting.verdict is Verdict.FAILED:
                verdict = counting.verdict
                why = counting.headline.removeprefix(f"{verdict}: ")
                first = f"attempt {counting.attempt}: {why}"
        if not again:
            self._done[name] = verdict
            self._standing = self._standing.with_ended(verdict, self._seconds[name])
            if len(self._done) == round(_NEARLY_ALL * len(self._planned)):
                make_ready(len(self._planned), self._fork_server())
        elif verdict is not Verdict.PASSED:  # a passed guess is run again as well
            self._unsteady.add(name)
        if not self._quiet:
            self._show_case(name, verdict, first, attempt, again=again)

    def _fork_server(self) -> Path | None:
        """Where the workers are forked, if there is such a process."""
        plugins = self._config.pluginmanager.get_plugins()
        return next((one.path for one in plugins if isinstance(one, WorkerForkServer)), None)

    def _of_crashed(self, name: str) -> Conclusion:
        """The conclusion of a case whose worker died: what its evidence shows may have failed
        before.
        """
        left = self._by_evidence(name)
        if left is None or left.verdict is Verdict.BROKEN:
            return Conclusion(Verdict.BROKEN, "its worker process died")
        return left.conclusion

    def _ordinary(self, report: pytest.TestReport) -> None:
        """A test of the user's project beside the cases: its failure is shown and counts in the
        exit code.
        """
        if report.when == "call" or not report.passed:
            self._ordinary_ended[report.outcome] += 1
        if report.failed:
            heading = f"FAILED   {report.nodeid} (a test beside the cases)"
            self._console.say(f"{heading}:\n{report.longreprtext}", "red")

    def _show_case(
        self,
        name: str,
        verdict: Verdict,
        first: str,
        attempt: str,
        *,
        again: bool,
    ) -> None:
        """Show an ended case if it is news, else now and then the progress."""
        kind = (verdict, signature(first))
        words, style = first, "yellow"
        if again:
            heading = f"RETRY    attempt {attempt} {verdict}  "
        elif verdict is Verdict.PASSED and name in self._unsteady:
            heading, words = "PASSED ON RETRY  ", f"at attempt {attempt}"
        elif verdict is not Verdict.PASSED and (kind not in self._kinds or self._every_failure):
            self._kinds.add(kind)
            heading, style = f"{verdict.upper():<8} ", terminal.STYLES[verdict]
        else:
            if self._live is None and time.monotonic() - self._last_line >= _PLAIN_EVERY_S:
                self._last_line = time.monotonic()
                self._console.say(self._line())
            return
        self._console.say(Text.assemble((heading, style), (name, "bold"), f"  {words}"))

    def _by_evidence(self, case: str) -> CaseEvidence | None:
        """The attempt that the reports will count; None if the case left no evidence."""
        found = next(one for one in self._run.cases if one.id == case)
        return last_attempt(self._run.directory, self._run.plain(found))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_terminal_summary(
        self, terminalreporter: Any, config: pytest.Config
    ) -> Generator[None]:
        """Let pytest's own summary through."""
        muted = terminalreporter._tw._file
        if _summarises(config):
            terminalreporter._tw._file = self._console.file
        yield
        terminalreporter._tw._file = muted

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> Generator[None]:
        """When the workers have ended: the worlds end too, then come the reports, the table and the
        exit code.
        """
        self._config.stash[INTERRUPTION].is_ending = True
        yield
        worlds = self._config.stash.get(WORLDS, None)
        faults = worlds.stop(keep_logs=self._run.directory) if worlds is not None else []
        if self._live is not None:
            self._live.stop()
        for fault in faults:
            self._broken(str(fault))
        broken = self._is_evidence_changed() or bool(faults)
        session.exitstatus = self._exit_code(exitstatus, self._interruption(session), broken)

    def _is_evidence_changed(self) -> bool:
        """Whether others have changed files of the evidence, which is reported."""
        changed = self._run.changed_files()
        for line in changed[:_MOST_CHANGED]:
            self._broken(f"{line} before the run ended, so the evidence is not what was recorded")
        if len(changed) > _MOST_CHANGED:
            self._broken(f"{len(changed) - _MOST_CHANGED} more files of the evidence were changed")
        return bool(changed)

    def _cut_short(self) -> str:
        """Keep the record of an end at once, called in a signal's handler; returns what to write."""
        is_live = self._live is not None and self._live.is_started
        write_end(self._run.directory, *self._end(STOPPED))
        report = f"`harness report {relative(self._run.directory)}`"
        line = f"{ENDED}; no reports were made: {report} makes them of what was recorded"
        return f"{_END_LIVE * is_live}BROKEN   {line}"

    def _interruption(self, session: pytest.Session) -> str:
        """Why the run ended early; empty if it did not. Pytest runs nothing after an unreadable
        scenario.
        """
        stopped = None if self._unreadable else self._stopped
        # of a worker, xdist says so
        if stopped is not None and (not stopped or stopped.endswith("keyboard-interrupt")):
            return STOPPED
        said = stopped or str(session.shouldfail or "")
        if not said or self._done.keys() >= self._planned.keys():  # it stopped after the last case
            return ""
        return f"pytest ended it: {mask_text(said).splitlines()[0]}"

    def _exit_code(self, exitstatus: int, interruption: str, broken: bool) -> int:
        """Failed before broken, so that what was found in the system under test is never hidden;
        see ``harness.run.cli.app``.
        """
        none_ran = exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED
        if exitstatus == pytest.ExitCode.OK:
            none_ran = not self._planned
        if none_ran and not self._broke:
            print(no_case(self._config), file=sys.stderr)
            return pytest.ExitCode.NO_TESTS_COLLECTED
        broke = broken or exitstatus == pytest.ExitCode.INTERNAL_ERROR
        if self._unreadable or interruption:
            broke = True
        finished = None
        if self._config.getoption("no_reports"):
            broke = not self._end_kept(interruption) or broke
        else:
            finished = self._reports(interruption)
            broke = broke or finished is None
        if interruption == STOPPED:
            return pytest.ExitCode.INTERRUPTED
        code = finished.summary.exit_code if finished else exit_code(self._done.values())
        if self._ordinary_ended["failed"]:
            return exit_code([Verdict.FAILED])
        return code or exit_code([Verdict.PASSED], broke=broke)

    def _end(self, interrupted: str) -> tuple[list[Mapping[str, object]], RunEnd]:
        """The cases that were planned, and what only this process knows."""
        results = getattr(self._config.option, "allure_report_dir", None)
        end = RunEnd(
            workers=self._run.slots,
            wall_s=time.monotonic() - self._began,
            allure_results=Path(results) if results else None,
            interrupted=interrupted,
            broke=tuple(self._broke),
            command=shlex.join(["pytest", *self._config.invocation_params.args]),
        )
        planned: list[Mapping[str, object]] = []
        for case in self._run.cases:
            if nodeid := self._planned.get(case.id):
                # Allure knows a test by its node's id, also one that never began
                planned.append(self._run.plain(case) | {"nodeid": nodeid})
        return planned, end

    def _end_kept(self, interrupted: str) -> bool:
        """Write the record of the end, from which reports can be made later; whether that worked."""
        try:
            write_end(self._run.directory, *self._end(interrupted))
        except OSError as error:
            why = f"the run's end cannot be written: {error.strerror}"
            self._broken(f"{self._run.directory}: {why}")
            return False
        return True

    def _reports(self, interrupted: str) -> FinishedRun | None:
        """Make and show every report; None where they could not be made."""
        # 26 ms that a run's first call does not wait for
        from harness.report.run import finish, remember
        from harness.report.signoff import seal

        self._add_files()
        planned, end = self._end(interrupted)
        try:
            finished = finish(self._run.directory, planned, end)
            signoff = seal(finished.evidence)
        except (HarnessError, OSError) as error:
            self._broken(str(error))
            self._console.say(self._line())
            return None
        try:
            kept = remember(finished)
        except HarnessError as error:  # this run's verdicts and reports are whole without it
            kept = (f"later runs will not know of this one: {mask_text(str(error))}",)
        finished = dataclasses.replace(finished, notes=(*finished.notes, *kept))
        files = {**finished.files, "signoff": signoff}
        if self._as_json:
            self._print_document(finished, files)
        else:
            self._show_result(finished, files)
        return finished

    def _add_files(self) -> None:
        """Add what others made of the run's calls (``--witness``)."""
        directory, deployments = self._run.directory, self._run.deployments
        given, allowed = self._config.getoption("witness"), grants(self._config)
        try:
            for line in add_files(directory, deployments, given, allowed):
                self._console.say(line)
        except (HarnessError, OSError) as error:  # the evidence of the run is none the worse for it
            self._broken(str(error))

    def _print_document(self, finished: FinishedRun, files: Mapping[str, Path]) -> None:
        document = ResultDocument(
            **finished.summary.figures,
            causes=[group.plain() for group in finished.groups],
            files={name: str(path) for name, path in files.items()},
        )
        assert sys.__stdout__ is not None  # it was open at the start
        print_document(json_file.text(document), sys.__stdout__)

    def _show_result(self, finished: FinishedRun, files: Mapping[str, Path]) -> None:
        """Show the table, each cause, and where the reports are."""
        terminal.show(
            finished.summary,
            finished.groups,
            self._console,
            run=finished.directory,
            every_row=self._every_failure,
            past=finished.past,
        )
        for command in workflow_commands(finished.groups, self._broke):
            self._console.say(command)
        if self._ordinary_ended:
            counts = sorted(self._ordinary_ended.items())
            ended = ", ".join(f"{count} {outcome}" for outcome, count in counts)
            self._console.say(f"tests beside the cases: {ended}")
        for name, path in files.items():
            self._console.say(f"{name:<15}{relative(path)}")
        for note in finished.notes:
            self._console.say(note)

    def _broken(self, message: str, whole: str = "") -> None:
        """Report what broke outside of any case, masked: the first line in all views, the ``whole``
        only here.
        """
        self._broke += mask_text(message).splitlines()[:1]
        shown = mask_text(whole or message)
        self._console.say(f"BROKEN   {shown}", terminal.STYLES[Verdict.BROKEN])

    def _line(self) -> Text:
        """Called in rich's thread, too: what it reads is replaced, and never changes."""
        elapsed_s, workers = time.monotonic() - self._began, self._run.slots
        if self._live is None or not self._live.is_started:
            return self._standing.line(elapsed_s, workers)
        text = self._standing.line(elapsed_s, workers, self._calls_up.total())
        text.no_wrap, text.overflow = True, "ellipsis"  # a second line would stay in the window
        return text

    def mention(self, text: str) -> None:
        """Print what the run waits for, unless it is quiet. Thread-safe."""
        if not self._quiet:
            self._console.say(text)


class Retention:
    """Drops what a process of the run keeps of finished cases: pytest keeps all their reports, and
    a night has thousands of cases.
    """

    def __init__(self, run: Run, config: pytest.Config) -> None:
        self._run, self._config = run, config
        self._freed = FreedMemory()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> Generator[None]:
        """Drop a report's keywords, which only select tests, and the output of passed cases."""
        yield
        reporter = self._config.pluginmanager.getplugin("terminalreporter")
        if reporter is None:
            return
        if hasattr(self._config, "workerinput"):
            reporter.stats.clear()  # the controller shows reports
        elif case_id(report.nodeid) in self._run.case_ids:
            report.keywords = {}
            if report.passed and not _summarises(self._config):
                report.sections = []
            # the durations of fixtures are shown only when verbose
            if self._config.getoption("verbose", 0) <= 0:
                reporter.stats.pop("", None)

    def pytest_runtest_logfinish(self) -> None:
        """Between two cases."""
        self._freed.give_back()
