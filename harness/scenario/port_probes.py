"""The ports that calls should have got through, asked whether they answer at all."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from harness.calls.events import FarEndRecord
from harness.errors import ResourceError
from harness.scenario.context import CaseContext
from harness.witness.ports.port import ask
from harness.witness.ports.probes import Target, ai_end, termination


def ask_ports(context: CaseContext) -> None:
    """Keep what each port says, as evidence."""
    places = dict(_places(context))
    with ThreadPoolExecutor(max_workers=2) as threads:
        asked = {of: threads.submit(ask, context.deployment, place) for of, place in places.items()}
        for of, answer in asked.items():
            try:
                record = {"of": of, **answer.result()}
            except ResourceError as error:  # of this machine: the case's verdict does not hang on it
                context.evidence.note_once(f"{places[of]} was not asked: {error}")
                continue
            source = f"OPTIONS to {places[of]}"
            context.evidence.event(FarEndRecord(at=time.monotonic(), phone="probe", source=source, record=record))


def _places(context: CaseContext) -> Iterator[tuple[str, Target]]:
    trunk, deployment = context.trunk, context.deployment
    if trunk.ai == "synthflow" and (target := ai_end(deployment, trunk)) is not None:
        yield "ai", target
    if (target := termination(deployment, trunk)) is not None:
        yield "termination", target
