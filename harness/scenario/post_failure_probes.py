"""After a failure: looks closer, for the diagnosis. What is found is evidence; it changes no verdict."""

from __future__ import annotations

import time
from importlib import import_module

from harness.calls.events import FarEndRecord
from harness.calls.verdict import Finding, Verdict
from harness.errors import BrokenError, FarEndError
from harness.scenario import second_call
from harness.scenario.context import CaseContext
from harness.witness.clock import to_wall

#: Failures after which it matters whether the trunk's ports answer at all.
_OF_REACH = ("landing", "landing.answered_by", "route.tried", "registration", "answered", "phone.wait")


def look_closer(context: CaseContext, began: float) -> None:
    """Keep what the AI's interface says of every call since ``began``, and ask the trunk's ports where nothing got through."""
    _records(context, began)
    if any(_is_of_reach(finding) for finding in context.evidence.findings):
        # DNS and TLS libraries come with it, which a worker without such a failure has no use for.
        import_module("harness.scenario.port_probes").ask_ports(context)
    if context.deployment.expect.second_call:
        second_call.settle(context)


def _is_of_reach(finding: Finding) -> bool:
    return finding.verdict is Verdict.FAILED and finding.check in _OF_REACH


def _records(context: CaseContext, began: float) -> None:
    try:
        listed = context.far_end.api.calls(since=to_wall(began), models=context.deployment.models())
    except FarEndError as error:
        context.far_end.trouble(error)
        return
    except BrokenError:  # a deployment without an API
        return
    # what the AI placed itself is nothing that came to it
    records = [record for record in listed if record.is_since(to_wall(began)) and not record.is_outbound]
    declared = context.deployment.synthflow
    if declared is not None and declared.shared:  # other people's calls are none of our business
        records = [record for record in records if record.number_from in context.calls.numbers]
    # Nor are those of the cases beside this one: what came to the AI there did not come to it here.
    records = [record for record in records if record.number_from not in context.company.others]
    for record in reversed(records):
        source = f"GET /v2/calls/{record.id}"
        context.evidence.event(
            FarEndRecord(at=time.monotonic(), phone="synthflow", source=source, record=record.evidence)
        )
