"""The run's first step: the preflight of every deployment. What has to be mended ends the run before a call is placed."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable

from harness.deployment import Deployment
from harness.errors import ResourceError
from harness.integrations.matrix import Case
from harness.report.case_document import is_masked, shown_name
from harness.run import preflight
from harness.run.plugin.run import Run
from harness.run.preflight import Report
from harness.support.files import whole_file
from harness.support.mask import mask_fields
from harness.support.terminal import SafeConsole


def check(run: Run, mode: str, *, stderr: bool = False, looked: Callable[[], None] = lambda: None) -> bool:
    """Look at one replica of each deployment, keep what was found as ``preflight.json``, and say what is not ok.

    ``looked`` is called before anything is said; it raises where nothing that was found counts.
    """
    if mode == "off":
        return True
    asked = {name: [case for case in run.cases if case.deployment == name] for name in run.replicas}
    reports = [_report(replicas[0], asked[name]) for name, replicas in run.replicas.items()]
    path = run.directory / "preflight.json"
    try:
        whole_file.write(path, json.dumps([report.to_plain() for report in reports], indent=1))
    except OSError as error:
        raise ResourceError(f"{path}: the run's results cannot be written here: {error.strerror}") from error
    looked()
    console = SafeConsole(highlight=False, stderr=stderr)
    for report in reports:
        if report.counts.total() > report.counts[preflight.Status.OK]:
            preflight.show(console, report, all_lines=False)
    failed = [report for report in reports if report.failed]
    if failed and mode == "stop":
        console.print("The run ends before its first call; --preflight tell goes on all the same.")
        return False
    return True


def _report(replica: Deployment, asked: Iterable[Case]) -> Report:
    """As the evidence of its cases: a terminal's lines are kept by CI as files are."""
    report = preflight.run(replica, asked)
    if not is_masked(replica):
        return report
    return dataclasses.replace(mask_fields(report), deployment=shown_name(replica.name))
