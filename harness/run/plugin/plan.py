"""``--plan``: which cases would run and whom they would call, as text or, with ``--json``, as data.
No call is placed.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from rich.text import Text

from harness import integrations
from harness.case.verdict import Verdict, exit_code
from harness.deployment import Deployment, to_plain
from harness.deployment.grants import Grants
from harness.deployment.hours import planned_at
from harness.deployment.safety import Guard
from harness.integrations.base import By
from harness.integrations.matrix import (
    Case,
    LeftOut,
    calls_of,
    landing_looks_like,
    left_out,
    seconds_of,
    why_never_passed,
)
from harness.integrations.observability import proofs
from harness.integrations.row_plan import RowPlan
from harness.integrations.unverified import Unverified, unverified
from harness.phone.options_seen import patience
from harness.report.evidence import key_of
from harness.report.markup import number_of
from harness.report.run_directory import as_kept
from harness.report.scope import missing
from harness.run.plugin.options import given, grants, no_case
from harness.run.plugin.progress import mute_reporter
from harness.run.plugin.run import Run, TimingsName, case_of, run_of
from harness.support.files import json_file
from harness.support.terminal import SafeConsole, print_document


@dataclass(frozen=True, kw_only=True)
class CallEntry:
    """One call of a planned case."""

    who: str
    number: str
    by: By  #: who places it
    refused: str = ""  #: why the safety rules would refuse it; empty: they allow it


@dataclass(frozen=True, kw_only=True)
class CaseEntry:
    """One planned case."""

    id: str
    row: str
    deployment: str
    title: str
    axes: Mapping[str, str]
    calls: tuple[CallEntry, ...]
    seconds: float  #: about how long its calls last
    cannot_pass: str = ""  #: why it may fail and cannot pass
    problems: tuple[str, ...] = ()  #: limits of the deployment that it does not fit in


@dataclass(frozen=True, kw_only=True)
class Lookalike:
    """Groups whose landings cannot be distinguished, because the same phones ring first."""

    deployment: str
    group: str
    others: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class DeploymentTotal:
    """The calls of all planned cases of a deployment, and what they may take."""

    name: str
    cases: int
    calls: int  #: placed by harness phones, when each case is tried once
    calls_refused: int  #: by the safety rules
    attempts: int  #: how often each case may be tried
    minutes: int  #: at most, with all attempts
    cost: float | None  #: at most; None: the file states no price
    problems: tuple[str, ...]  #: limits of the deployment that the run does not fit in
    proofs: Mapping[str, str]  #: by what each claim about the AI's side will be known


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a run with these options would do."""

    as_of: str  #: the moment that opening hours are judged by (ISO 8601)
    cases: tuple[CaseEntry, ...]
    left_out: tuple[LeftOut, ...]
    unverified: tuple[Unverified, ...]  #: what the files declare and no case of theirs exercises
    lookalikes: tuple[Lookalike, ...]
    warnings: tuple[str, ...]  #: what a deployment's cases take for granted of its platform
    #: What a run asks, reads and runs on this machine besides its calls, and which option lets it.
    uses: tuple[str, ...]
    required_missing: tuple[str, ...]  #: rows that must run and have no case here
    deployments: tuple[DeploymentTotal, ...]


def plan_of(
    deployments: Sequence[Deployment],
    every: Mapping[str, Sequence[RowPlan]],
    cases: Sequence[Case],
    timings: TimingsName,
    attempts: int,
    grants: Grants,
) -> Plan:
    """The plan for these cases. ``every``: the rows by deployment. ``required_missing`` is left to
    the caller, who knows the options.
    """
    by_name = {one.name: one for one in deployments}
    guards = {one.name: Guard(one) for one in deployments}
    planned = []
    lookalikes = {}
    for case in cases:
        deployment = by_name[case.deployment]
        planned.append(_case(case, deployment, guards[deployment.name], timings))
        for group, others in landing_looks_like(case, deployment):
            lookalikes[deployment.name, group] = Lookalike(
                deployment=deployment.name, group=group, others=tuple(others)
            )
    not_run: list[LeftOut] = []
    not_exercised: list[Unverified] = []
    warnings: list[str] = []
    uses = []
    totals = []
    for one in deployments:
        not_run += left_out(one, every[one.name])
        not_exercised += unverified(one, every[one.name])
        warnings += _warnings(one, [case for case in cases if case.deployment == one.name])
        uses += [f"{one.name}: {line}" for line in grants.outlook(to_plain(one), Path("/"))]
        totals.append(
            _total(one, [case for case in planned if case.deployment == one.name], attempts)
        )
    return Plan(
        as_of=planned_at().isoformat(),
        cases=tuple(planned),
        left_out=tuple(not_run),
        unverified=tuple(not_exercised),
        lookalikes=tuple(lookalikes.values()),
        warnings=tuple(warnings),
        uses=tuple(uses),
        required_missing=(),
        deployments=tuple(totals),
    )


def _warnings(deployment: Deployment, cases: Sequence[Case]) -> Iterator[str]:
    """What these cases of the deployment take for granted of its platform."""
    for key, values in deployment.safety:
        if values:  # the file may be from somebody else
            yield f"{deployment.name}: its safety.{key} permits {', '.join(values)}"
    if deployment.kind == "simulated":
        return
    if integrations.find(deployment.integration).carries_out_refer:
        return
    names: dict[str, None] = {}
    is_cold = False
    for case in cases:
        if case.row.hands_over == "cold" and case.axes.get("refer") == "consumed":
            is_cold = True
            if case.line:
                names[str(deployment.lines[case.line].assistant)] = None
    if is_cold:
        yield (
            f"{deployment.name}: cold transfers ({', '.join(names)}) need a platform that carries out the AI's REFER (RFC 3515); "
            'one that cannot needs transfer = "warm"'
        )


def _case(case: Case, deployment: Deployment, guard: Guard, timings: TimingsName) -> CaseEntry:
    """A case with its calls, each held against the safety rules and the limits."""
    seconds = seconds_of(case, deployment, deployment.timings_by(timings))
    calls = []
    callers = set()
    for call in calls_of(case, deployment):
        by_others = call.by != "the harness"
        if not by_others:
            callers.add(call.who)
        refused = guard.refusal(call.number, by_others=by_others) or ""
        calls.append(CallEntry(who=call.who, number=call.number, by=call.by, refused=refused))
    return CaseEntry(
        id=case.id,
        row=case.row.id,
        deployment=case.deployment,
        title=case.title,
        axes=dict(case.axes),
        calls=tuple(calls),
        seconds=seconds,
        cannot_pass=why_never_passed(case, deployment) or "",
        problems=tuple(_problems(deployment, len(callers), seconds)),
    )


def _problems(deployment: Deployment, at_once: int, seconds: float) -> Iterator[str]:
    if at_once > deployment.limits.concurrent_calls:
        yield f"needs {at_once} calls at once: raise limits.concurrent_calls"
    if seconds > deployment.limits.seconds_per_call:
        yield f"needs {seconds:g} s: raise limits.seconds_per_call"


def _total(deployment: Deployment, cases: Sequence[CaseEntry], attempts: int) -> DeploymentTotal:
    """The calls of a deployment's cases, and what they take at most."""
    limits = deployment.limits
    placed = refused = 0
    for case in cases:
        placed += sum(call.by == "the harness" for call in case.calls)
        refused += sum(bool(call.refused) for call in case.calls)
    most = placed * attempts
    most_s = min(most * limits.seconds_per_call, limits.seconds_per_run)
    over = f"more than limits.calls_per_run = {limits.calls_per_run}: the run would end there"
    return DeploymentTotal(
        name=deployment.name,
        cases=len(cases),
        calls=placed,
        calls_refused=refused,
        attempts=attempts,
        minutes=math.ceil(most_s / 60),
        cost=most * limits.cost(limits.seconds_per_call) if limits.cost_per_minute else None,
        problems=(over,) if most > limits.calls_per_run else (),
        proofs=proofs(deployment),
    )


def pytest_configure(config: pytest.Config) -> None:
    """Show the plan where ``--plan`` asks for it."""
    run = run_of(config)
    if run is not None and config.getoption("plan"):
        shown = PlanOnly(run, as_json=bool(config.getoption("json")))
        config.pluginmanager.register(shown, "harness-plan")


class PlanOnly:
    """Prints the plan instead of running the cases. With ``as_json``, everything else goes to
    standard error.
    """

    def __init__(self, run: Run, *, as_json: bool = False) -> None:
        self._run = run
        self._as_json = as_json
        self._console = SafeConsole(highlight=False, soft_wrap=True, stderr=as_json)
        self._is_whole = True

    def pytest_sessionstart(self, session: pytest.Session) -> None:
        """Mute pytest's reporter."""
        if session.config.getoption("verbose", 0) <= 0:
            mute_reporter(session.config)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Name a scenario file that cannot be read: its cases are missing from the plan."""
        if report.failed:
            self._is_whole = False
            said = f"{report.nodeid} cannot be read:\n{report.longreprtext}"
            self._console.print(Text(f"BROKEN   {said}", "red"))

    def pytest_internalerror(self, excrepr: object) -> None:
        """Say in one line that pytest or a plugin failed and there is no plan."""
        why = str(excrepr).strip().splitlines()[-1]
        self._console.print(Text(f"BROKEN   no plan could be made: {why}", "red"))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """End with the exit code of a run in which the same scenario file cannot be read."""
        if not self._is_whole:
            session.exitstatus = exit_code([Verdict.PASSED], broke=True)
        elif session.exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
            print(no_case(session.config), file=sys.stderr)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Print the plan instead of running the cases."""
        cases = list(filter(None, map(case_of, session.items)))
        attempts = 1 + int(session.config.getoption("retries"))
        run = self._run
        kept = {key_of(case) for case in as_kept(run.plain(case) for case in cases)}
        required = missing(run.scope(given(session.config), "").narrowed(kept))
        allowed = grants(session.config)
        plan = plan_of(run.deployments, run.rows, cases, run.timings, attempts, allowed)
        plan = replace(plan, required_missing=tuple(required))
        if self._as_json:
            print_document(json_file.text(plan), sys.__stdout__ or sys.stdout)
        else:
            for line in lines(plan, run.deployments):
                self._console.print(line)
        return True


def lines(plan: Plan, deployments: Sequence[Deployment]) -> Iterator[Text]:
    """The plan as the terminal shows it."""
    by_name = {one.name: one for one in deployments}
    for case in plan.cases:
        yield from _case_lines(case, by_name[case.deployment].limits.seconds_per_call)
    for left in plan.left_out:
        yield Text(f"left out of {left.deployment}: {left.row} ({left.why})")
    for entry in plan.unverified:
        yield Text(f"declared in {entry.deployment}, not verified: {entry}")
    for one in plan.lookalikes:
        others = " or ".join(one.others)
        said = f"who rings does not tell a call that lands at {one.group} from one at {others}"
        yield Text(f"{one.deployment}: {said}", "yellow")
    for warning in plan.warnings:
        yield Text(warning, "yellow")
    for use in plan.uses:
        yield Text(use)
    for gap in plan.required_missing:
        yield Text(f"required, and not run: {gap}", "red")
    yield Text(f"{number_of(len(plan.cases), 'case')} planned; no calls placed")
    for total in plan.deployments:
        if total.cases:
            yield from _total_lines(total, by_name[total.name])


def _case_lines(case: CaseEntry, longest: float) -> Iterator[Text]:
    yield Text.assemble((case.id, "bold"), f"  {case.title}")
    for call in case.calls:
        by = "" if call.by == "the harness" else f" (placed by {call.by})"
        text = Text(f"    {call.who} calls {call.number}, {longest:g} s at most{by}")
        yield text.append(f"  REFUSED: {call.refused}", "red") if call.refused else text
    if case.cannot_pass:
        yield Text(f"    may fail, and cannot pass: {case.cannot_pass}", "yellow")
    for problem in case.problems:
        yield Text(f"    {problem}", "red")


def _total_lines(total: DeploymentTotal, deployment: Deployment) -> Iterator[Text]:
    limits = deployment.limits
    calls = total.calls * total.attempts
    text = f"{total.name}: {number_of(total.calls, 'call')} placed by the harness"
    if total.attempts > 1:
        text += f", {calls} if every case is tried {total.attempts} times"
    text += f", {number_of(total.minutes, 'minute')} at most"
    if (seconds := calls * limits.seconds_per_call) > limits.seconds_per_run:
        text += f" (limits.seconds_per_run = {limits.seconds_per_run:g}; the calls may take {seconds / 60:.0f} minutes)"
    if total.cost is not None:
        text += f", {total.cost:.2f} at most"
    if limits.cost_per_run is not None:
        text += f" (limits.cost_per_run = {limits.cost_per_run:g})"
    yield Text(f"{text}; repeats of disturbed cases are not counted")
    for claim, by in total.proofs.items():
        yield Text(f"    {claim}: {by}")
    if (asks := deployment.stand_in.options_every_s) is not None and deployment.kind != "simulated":
        waits = f"    calls to the stand-in wait for the platform's OPTIONS, {patience(asks):g} s at most: the first of a trunk, and"
        yield Text(f"{waits} the first after a row that uses the stand-in's address alone")
    if total.calls_refused:
        refused = "planned calls that are REFUSED, each with its reason above"
        yield Text(f"    {refused}: {total.calls_refused}", "red")
    for problem in total.problems:
        yield Text(f"    {problem}", "red")
