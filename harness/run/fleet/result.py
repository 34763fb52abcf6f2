"""One report of all that the sites left, and ``fleet.json``: who ran what, what was lost, placed
again, or not run.
"""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from harness.deployment.grants import Grants
from harness.deployment.hours import planning_for
from harness.integrations import load, matrix
from harness.integrations.matrix import Selection
from harness.report import scope, signoff
from harness.report.case_document import names
from harness.report.evidence import CaseEvidence, key_of
from harness.report.merge import merge
from harness.report.run import FinishedRun, remake
from harness.report.run_directory import (
    CASES,
    RunEnd,
    point_latest,
    read_cases,
    read_end,
    read_planned,
    write_end,
)
from harness.run.fleet.controller import Accepted, Record
from harness.run.fleet.plan import FleetPlan
from harness.support.files import whole_file

FILE = "fleet.json"


def report(
    plan: FleetPlan,
    record: Record,
    ledger: Sequence[Mapping[str, Any]],
    *,
    files: Path,
    reports: Path,
    work: Path,
    grants: Grants | None = None,
) -> FinishedRun:
    """Make the run of all sites in ``reports``, with ``fleet.json`` in it; ``work`` is where their
    evidence is.
    """
    parts = [_finished_part(plan, accepted) for accepted in record.accepted]
    for site, cases in record.not_run.items():
        parts.append(_missing_part(plan, site, cases, files, work, grants))
    target = merge(parts, reports)
    planned, end = read_planned(target)
    workers = sum(site.workers for site in plan.fleet.sites)
    command = f"harness fleet ({plan.run})"
    interrupted = "; ".join(filter(None, (record.interrupted, end.interrupted)))
    end = dataclasses.replace(
        end, workers=workers, wall_s=record.wall_s, command=command, interrupted=interrupted
    )
    write_end(target, planned, end)
    _write_scope(target, plan, command)
    finished = remake(target)
    document = plain(plan, record, ledger, finished.evidence.cases)
    whole_file.write(target / FILE, json.dumps(document, indent=1) + "\n")
    signoff.seal(finished.evidence)
    if why := point_latest(target):
        finished = dataclasses.replace(finished, notes=(*finished.notes, why))
    return finished


def _write_scope(target: Path, plan: FleetPlan, command: str) -> None:
    """Replace the options of a shard's command line: only rows of the fleet's file limit the run."""
    found = scope.read(target)
    if found is not None:
        rows: set[str] = set()
        if all(one.rows for one in plan.fleet.verify):  # an entry without rows asks for all
            rows.update(*(one.rows for one in plan.fleet.verify))
        options: scope.Options = {**found.options, "row": sorted(rows)}
        scope.write(target, dataclasses.replace(found, options=options, command=command))


def _finished_part(plan: FleetPlan, accepted: Accepted) -> Path:
    """Make an attempt's directory a run of exactly the cases with evidence; breakages outside of
    cases stay.
    """
    run = accepted.directory
    planned = [evidence.case for evidence in read_cases(run)]
    known = read_end(run)  # none of an attempt that was lost
    broke = known[1].broke if known else ()
    end = RunEnd(
        workers=plan.fleet.site(accepted.site).workers,
        wall_s=0.0,
        broke=tuple(f"{accepted.site}: {line}" for line in broke),
    )
    write_end(run, planned, end)
    found = scope.read(run)
    if found is not None:
        scope.write(run, found.narrowed(set(map(key_of, planned))))
    return run


def _missing_part(
    plan: FleetPlan,
    site: str,
    cases: Sequence[str],
    files: Path,
    work: Path,
    grants: Grants | None,
) -> Path:
    """A run that planned these cases and ran none."""
    run = work / "not-run" / site
    (run / CASES).mkdir(parents=True, exist_ok=True)
    of_files = {}
    for shard in plan.shards:
        if not set(shard.cases).isdisjoint(cases):
            of_files[shard.deployment] = shard.file
    deployments = []
    for file in dict.fromkeys(of_files.values()):
        deployment = load(files / file, secrets=False, grants=grants)
        deployments.append(deployment.model_copy(update={"site": site}))
    rows: set[str] = set()
    for shard in plan.shards:
        if shard.deployment in of_files:
            rows.update(shard.rows)
    selection = Selection(rows=tuple(rows), ids=tuple(cases))
    with planning_for(datetime.fromisoformat(plan.as_of)):
        every = matrix.every_row_of(deployments, selection.rows)
        asked = matrix.cases(deployments, selection, every)
        options: scope.Options = {
            "timings": "quick",
            "live": plan.live,
            "fault": [],
            "keyword": "",
        }
        found = scope.scope_of(
            deployments,
            every,
            asked,
            began=plan.began,
            options=options,
            command="harness fleet",
        )
    scope.write(run, found)
    known = {d.name: d for d in deployments}
    planned = [{**case.plain(), **names(known[case.deployment])} for case in asked]
    why = f"{len(cases)} cases were not run at any site"
    write_end(run, planned, RunEnd(workers=0, wall_s=0.0, interrupted=why))
    return run


def placed_again(ledger: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Cases whose calls were admitted in more than one attempt of their shard: their numbers were
    called again.
    """
    attempts: dict[tuple[str, int], dict[int, Counter[str]]] = {}
    for entry in ledger:
        of_case = attempts.setdefault((str(entry["case"]), int(entry["shard"])), {})
        of_case.setdefault(int(entry["attempt"]), Counter())[str(entry["site"])] += 1
    again = []
    for (case, _), found in attempts.items():
        if len(found) > 1:
            tries = []
            for attempt, sites in sorted(found.items()):
                for site, calls in sites.items():
                    tries.append({"attempt": attempt, "site": site, "calls": calls})
            again.append({"case": case, "attempts": tries})
    return again


def plain(
    plan: FleetPlan,
    record: Record,
    ledger: Sequence[Mapping[str, Any]],
    cases: Sequence[CaseEvidence],
) -> dict[str, Any]:
    """What ``fleet.json`` holds; ``cases`` are the last attempts, for a case counts once however
    often it was run.
    """
    at = Counter(str(case.case.get("site", "")) for case in cases)
    sites = {}
    for site in plan.fleet.sites:
        sites[site.name] = {"workers": site.workers, "cases": at[site.name]}
    return {
        "run": plan.run,
        "sites": sites,
        "planned": sum(len(shard.cases) for shard in plan.shards),
        "cases": len(cases),
        "shards": len(plan.shards),
        "calls": len(ledger),
        "wall_s": round(record.wall_s, 3),
        "case_s": round(sum(case.wall_s for case in cases), 3),
        "losses": record.losses,
        "placed_again": placed_again(ledger),
        "not_run": record.not_run,
        "duplicates": record.duplicates,
        "interrupted": record.interrupted,
    }
