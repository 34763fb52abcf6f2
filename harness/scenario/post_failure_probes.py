"""After a failure: looks closer, for the diagnosis. What is found is evidence; it changes no verdict."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from harness.errors import BrokenError, FarEndError
from harness.events import FarEndRecord
from harness.far_end.clock import to_wall
from harness.preflight.port import ask
from harness.preflight.probes import Target
from harness.scenario import second_call
from harness.scenario.context import CaseContext
from harness.sip.grammar import decimal
from harness.verdict import Finding, Verdict

#: Failures after which it matters whether the trunk's ports answer at all.
_OF_REACH = ("landing", "landing.answered_by", "route.tried", "registration", "answered", "phone.wait")


def look_closer(context: CaseContext, began: float) -> None:
    """Keep what the AI's interface says of every call since ``began``, and ask the trunk's ports where nothing got through."""
    _records(context, began)
    if any(_is_of_reach(finding) for finding in context.evidence.findings):
        _ports(context)
    if context.deployment.expect.second_call:
        second_call.settle(context)


def _is_of_reach(finding: Finding) -> bool:
    return finding.verdict is Verdict.FAILED and finding.check in _OF_REACH


def _records(context: CaseContext, began: float) -> None:
    try:
        records = context.far_end.api.calls(since=to_wall(began))
    except FarEndError as error:
        context.far_end.trouble(error)
        return
    except BrokenError:  # a deployment without an API
        return
    declared = context.deployment.synthflow
    if declared is not None and declared.shared:  # other people's calls are none of our business
        records = [record for record in records if record.number_from in context.calls.numbers]
    for record in reversed(records):
        source = f"GET /v2/calls/{record.id}"
        context.evidence.event(FarEndRecord(at=time.monotonic(), phone="synthflow", source=source, record=record.plain))


def _ports(context: CaseContext) -> None:
    places = dict(_places(context))
    with ThreadPoolExecutor(max_workers=2) as threads:
        asked = threads.map(lambda place: ask(context.deployment, place), places.values())
        for of, told in zip(places, asked, strict=True):
            source = f"OPTIONS to {places[of]}"
            context.evidence.event(
                FarEndRecord(at=time.monotonic(), phone="probe", source=source, record={"of": of, **told})
            )


def _places(context: CaseContext) -> Iterator[tuple[str, Target]]:
    trunk, deployment = context.trunk, context.deployment
    if trunk.ai == "synthflow" and trunk.host is not None:
        yield "ai", Target(trunk.host, trunk.port, trunk.transport, ca_file=deployment.ca_file)
    host, _, port = (trunk.termination or "").rpartition(":")
    number = decimal(port, most=65535)
    if host and number is not None:
        yield "termination", Target(host, number, trunk.transport, ca_file=deployment.ca_file)
