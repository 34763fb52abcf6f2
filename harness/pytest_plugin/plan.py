"""``--plan``: shows which cases would run and who would be called, and places no call."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from rich.text import Text

from harness.deployment import Deployment
from harness.matrix import Case, calls_of, landing_looks_like, left_out, seconds_of, why_never_passed
from harness.phone.options_seen import patience
from harness.pytest_plugin.items import case_of
from harness.pytest_plugin.options import given
from harness.pytest_plugin.progress import mute_reporter
from harness.pytest_plugin.run import Run, run_of
from harness.report.evidence import key_of
from harness.report.run import as_kept
from harness.report.scope import missing
from harness.safety import Guard
from harness.terminal import SafeConsole
from harness.verdict import Verdict, exit_code


def pytest_configure(config: pytest.Config) -> None:
    """Show the plan where ``--plan`` asks for it."""
    run = run_of(config)
    if run is not None and config.getoption("plan"):
        config.pluginmanager.register(PlanOnly(run), "harness-plan")


class PlanOnly:
    """Shows what would run and who would be called, and calls nobody."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._console = SafeConsole(highlight=False, soft_wrap=True)
        self._is_whole = True
        self._refused: Counter[str] = Counter()  #: deployment → calls
        self._alike: dict[tuple[str, str], list[str]] = {}  #: deployment and group → those it looks like

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Mute pytest's reporter."""
        if session.config.getoption("verbose", 0) <= 0:
            mute_reporter(session.config)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A scenario that cannot be read would be missing from the plan without a word."""
        if report.failed:
            self._is_whole = False
            self._console.print(Text(f"BROKEN   {report.nodeid} cannot be read:\n{report.longreprtext}", "red"))

    def pytest_internalerror(self, excrepr: object) -> None:
        """A fault of pytest's or of a plugin's: no plan, and a line that says so."""
        self._console.print(Text(f"BROKEN   no plan could be made: {str(excrepr).strip().splitlines()[-1]}", "red"))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """What could not be read makes a plan end as it would make the run."""
        if not self._is_whole:
            session.exitstatus = exit_code([Verdict.PASSED], broke=True)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Instead of running the cases, list them with their calls."""
        cases = [case for item in session.items if (case := case_of(item))]
        placed: dict[str, int] = {}
        for case in cases:
            placed[case.deployment] = placed.get(case.deployment, 0) + self._list(case)
        for deployment in self._run.deployments:
            for row in left_out(deployment):
                self._console.print(f"left out of {deployment.name}: {row.row} ({row.why})", markup=False)
        for (name, group), alike in self._alike.items():
            same = f"{name}: who rings does not tell a call that lands at {group} from one at {' or '.join(alike)}"
            self._console.print(Text(same, "yellow"))
        planned = {key_of(case) for case in as_kept(self._run.plain(case) for case in cases)}
        for gap in missing(self._run.scope(given(session.config), "").narrowed(planned)):
            self._console.print(Text(f"required, and not run: {gap}", "red"))
        self._console.print(f"{_counted(len(cases), 'case')}; none was run")
        for name, calls in placed.items():
            self._total(self._run.deployment(name), calls, 1 + int(session.config.getoption("retries")))
        return True

    def _list(self, case: Case) -> int:
        """One case; how many calls of it are the harness's own."""
        self._console.print(Text.assemble((case.id, "bold"), f"  {case.title}"))
        deployment = self._run.deployment(case.deployment)
        guard, longest = Guard(deployment), deployment.limits.seconds_per_call
        calls = calls_of(case, deployment)
        for call in calls:
            by = "" if call.by == "the harness" else f" (placed by {call.by})"
            refused = guard.refusal(call.number)
            self._refused[case.deployment] += refused is not None
            text = Text(f"    {call.who} calls {call.number}, {longest:g} s at most{by}")
            self._console.print(text.append(f"  REFUSED: {refused}", "red") if refused else text)
        at_once = len({call.who for call in calls if call.by == "the harness"})
        if at_once > deployment.limits.concurrent_calls:
            self._console.print(Text(f"    needs {at_once} calls at once: raise limits.concurrent_calls", "red"))
        if why := why_never_passed(case, deployment):
            self._console.print(Text(f"    may fail, and cannot pass: {why}", "yellow"))
        if (seconds := seconds_of(case, deployment, deployment.timings_by(self._run.timings))) > longest:
            self._console.print(Text(f"    needs {seconds:g} s: raise limits.seconds_per_call", "red"))
        self._alike.update({(case.deployment, group): alike for group, alike in landing_looks_like(case, deployment)})
        return sum(call.by == "the harness" for call in calls)

    def _total(self, deployment: Deployment, calls: int, attempts: int) -> None:
        limits = deployment.limits
        text = f"{deployment.name}: {_counted(calls, 'call')} of the harness"
        if attempts > 1:
            calls *= attempts
            text += f", {calls} if every case is tried {attempts} times"
        every = calls * limits.seconds_per_call
        text += f", {_counted(math.ceil(min(every, limits.seconds_per_run) / 60), 'minute')} at most"
        if every > limits.seconds_per_run:
            text += (
                f" (limits.seconds_per_run = {limits.seconds_per_run:g}; the calls may take {every / 60:.0f} minutes)"
            )
        if limits.cost_per_minute:
            text += f", {calls * limits.cost(limits.seconds_per_call):.2f} at most"
        if limits.cost_per_run is not None:
            text += f" (limits.cost_per_run = {limits.cost_per_run:g})"
        text += "; cases that were spoilt run again besides"
        self._console.print(Text(text))
        if (asks := deployment.stand_in.options_every_s) is not None and deployment.kind != "simulated":
            waits = f"    calls to the stand-in wait for the platform's OPTIONS, {patience(asks):g} s at most: a trunk's first, and"
            self._console.print(Text(f"{waits} those behind a row that has its address alone"))
        if refused := self._refused[deployment.name]:
            self._console.print(
                Text(f"    planned calls that are REFUSED, each with its reason above: {refused}", "red")
            )
        if calls > limits.calls_per_run:
            over = f"    more than limits.calls_per_run = {limits.calls_per_run}: the run would end there"
            self._console.print(Text(over, "red"))


def _counted(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
