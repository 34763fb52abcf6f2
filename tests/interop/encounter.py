"""A caller of the harness and somebody it can ask nothing of; judged in the words of the scenarios."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.case.checks.audio import direction
from harness.case.events import Event
from harness.case.recorder import CaseRecorder
from harness.case.verdict import Finding, Strength, Verdict, overall
from harness.deployment import Deployment
from harness.deployment.limits import CallGate
from harness.diagnosis import Diagnosis, diagnose
from harness.integrations import load, matrix
from harness.integrations.matrix import Selection
from harness.phone.pool import PhonePool
from harness.report.case_document import names
from harness.report.evidence import CaseEvidence
from harness.scenario.call import Call
from harness.scenario.cast import Cast
from harness.scenario.conclusion import conclude
from harness.scenario.context import CaseContext
from harness.scenario.people import Caller
from tools.interop.kamailio import from_template
from tools.interop.processes import PATIENCE

_TEMPLATE = Path(__file__).with_name("deployments") / "sipp.toml"
DID = "+12085550100"


#: The far end as findings call it: it can be asked nothing, and is known by its mark alone.
FAR_END = "assistant main"


class Encounter:
    """One case: who takes part, its evidence, its verdict."""

    def __init__(self, cast: Cast, events: list[Event]) -> None:
        self.cast = cast
        self.context = cast.context
        self._events = events

    def caller(self, **more: Any) -> Caller:
        """Who calls."""
        return self.cast.caller(**more)

    def hears(self, call: Call, mark: int, within: float = PATIENCE) -> Finding:
        """Whether ``call`` hears the stranger, as the harness's own check finds it."""
        since = time.monotonic()
        sound = call.hears_marks({mark}, since, since + within)
        return self.context.evidence.expect(
            direction.of(
                FAR_END,
                call.label,
                sound,
                call.account(since),
                since=since,
                own={call.mark},
                least=Strength.PROVED,
                names={mark: FAR_END},
                towards=call.role,
            )
        )

    @property
    def verdict(self) -> Verdict:
        """Of what was found so far."""
        return overall(self.context.evidence.findings)

    @property
    def first_failure(self) -> str:
        """What the first failed finding expected, and what it saw instead; empty when none failed."""
        failed = [
            finding
            for finding in self.context.evidence.findings
            if finding.verdict is Verdict.FAILED
        ]
        return f"{failed[0].expected}: {failed[0].actual.splitlines()[0]}" if failed else ""

    def diagnosis(self) -> Diagnosis:
        """What the harness makes of its findings. No harness phone was in the AI's place, so that
        nobody has looked there.
        """
        context = self.context
        conclude(context)
        findings, events = context.evidence.findings, self._events
        case, deployment = context.case.plain(), context.deployment
        return diagnose(
            case, findings, events, deployment, visibility="caller+agents", number_of=lambda _: ""
        )


@contextmanager
def encounter(
    directory: Path, pool: PhonePool, marks: Iterator[int], deployment: Deployment
) -> Iterator[Encounter]:
    """One case. Its evidence is whole when it ends: :func:`evidence_of`."""
    (case, *_) = matrix.cases([deployment], Selection(rows=("TD-INBOUND",)))
    plain = {**case.plain(), **names(deployment), "kind": deployment.kind, "mask": False}
    recorder = CaseRecorder(directory / "case", plain)
    events: list[Event] = []
    gate = CallGate(directory / "gate", deployment.limits)
    context = CaseContext(
        case, deployment, deployment.timings_by("quick"), recorder, pool, marks, None, gate
    )
    record = recorder.event

    def both(event: Event) -> None:
        events.append(event)
        record(event)

    recorder.event = both  # type: ignore[method-assign]
    context.phones.keeps_registrations = False
    cast = Cast(context)
    try:
        yield Encounter(cast, events)
    finally:
        cast.close()
        findings = context.evidence.findings
        recorder.close(overall(findings) if findings else Verdict.PASSED, "")


def evidence_of(directory: Path) -> CaseEvidence:
    """What an encounter left in ``directory``."""
    return CaseEvidence.read(directory / "case")


def with_sipp(
    directory: Path, caller_host: str, sipp: tuple[str, int], transport: str = "udp"
) -> Deployment:
    """A deployment where SIPp is everybody but the caller."""
    values = {"SIPP": sipp[0], "PORT": str(sipp[1]), "CALLERS": caller_host, "TRANSPORT": transport}
    path = directory / "sipp.toml"
    path.write_text(from_template(_TEMPLATE, values))
    return load(path)
