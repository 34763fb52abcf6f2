"""After a failure: looks closer, for the diagnosis. What is found is evidence; it changes no verdict."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from harness.errors import BrokenError, FarEndError
from harness.events import FarEndRecord
from harness.far_end.clock import to_wall
from harness.preflight.port import ask
from harness.preflight.probes import Place
from harness.verdict import Finding, Verdict

if TYPE_CHECKING:
    from harness.scenario.stage import Stage

#: Failures after which it matters whether the trunk's ports answer at all.
_OF_REACH = ("landing", "landing.answered_by", "route.tried", "registration", "answered", "phone.wait")


def look_closer(stage: Stage, began: float) -> None:
    """Keep what the AI's interface says of every call since ``began``, and ask the trunk's ports where nothing got through."""
    _records(stage, began)
    if any(_is_of_reach(finding) for finding in stage.findings):
        _ports(stage)


def _is_of_reach(finding: Finding) -> bool:
    return finding.verdict is Verdict.FAILED and finding.check in _OF_REACH


def _records(stage: Stage, began: float) -> None:
    try:
        records = stage.api.calls(since=to_wall(began))
    except FarEndError as error:
        stage.api_trouble(error)
        return
    except BrokenError:  # a deployment without an API
        return
    declared = stage.deployment.synthflow
    if declared is not None and declared.shared:  # other people's calls are none of our business
        records = [record for record in records if record.number_from in stage.callers_numbers()]
    for record in reversed(records):
        source = f"GET /v2/calls/{record.id}"
        stage.sink(FarEndRecord(at=time.monotonic(), phone="synthflow", source=source, record=record.plain))


def _ports(stage: Stage) -> None:
    places = dict(_places(stage))
    with ThreadPoolExecutor(max_workers=2) as threads:
        asked = threads.map(lambda place: ask(stage.deployment, place), places.values())
        for of, told in zip(places, asked, strict=True):
            source = f"OPTIONS to {places[of]}"
            stage.sink(FarEndRecord(at=time.monotonic(), phone="probe", source=source, record={"of": of, **told}))


def _places(stage: Stage) -> Iterator[tuple[str, Place]]:
    trunk, deployment = stage.trunk, stage.deployment
    if trunk.ai == "synthflow" and trunk.host is not None:
        yield "ai", Place(trunk.host, trunk.port, trunk.transport, ca_file=deployment.ca_file)
    host, _, port = (trunk.termination or "").rpartition(":")
    if host and port.isdigit():
        yield "termination", Place(host, int(port), trunk.transport, ca_file=deployment.ca_file)
