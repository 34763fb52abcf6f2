"""A Synthflow API without a network, and calls for it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from harness.deployment import Synthflow
from harness.errors import FarEndError
from harness.report.evidence import CaseEvidence
from harness.scenario.ai import Ai
from harness.scenario.endpoints import SynthflowEndpoint
from harness.witness.call_record import CallRecord
from tests.unit.scenario.conftest import MakeContext

ASSISTANT, CALLER, OTHER = "+12065550100", "+14155550101", "+14155550199"


@dataclass
class FakeApi:
    """Answers with these records, or with an error."""

    records: list[dict[str, Any]] | FarEndError
    is_down: bool = False
    asked: list[tuple[str, ...]] = field(default_factory=list)

    def calls(self, since: float, models: Sequence[str] = ()) -> list[CallRecord]:
        self.asked.append(tuple(models))
        if isinstance(self.records, FarEndError):
            raise self.records
        return [CallRecord(str(plain.get("call_id", "c")), plain) for plain in self.records]


def call(
    *,
    answered: bool = True,
    over: bool = False,
    prepared: str | None = None,
    number: str = CALLER,
    leg: Any = None,
) -> Any:
    leg = leg or SimpleNamespace(id="caller.1", messages=[])
    return SimpleNamespace(
        leg=leg,
        first_leg=leg,
        began=time.monotonic(),
        number=number,
        prepared=prepared,
        answered_at=lambda: 1.0 if answered else None,
        is_over=lambda: over,
        announced=None,
        assistants=set(),
        end_quiet=lambda: None,
        end_silence=lambda: None,
        obeyed=lambda at: None,
    )


def record(**fields: Any) -> dict[str, Any]:
    known = {
        "call_id": "c1",
        "status": "in-progress",
        "phone_number_to": ASSISTANT,
        "phone_number_from": CALLER,
        "start_time": str(
            int(time.time() * 1000) + 3_600_000
        ),  # after whatever call of these tests
    }
    return {key: value for key, value in (known | fields).items() if value is not None}


class Place:
    """Synthflow as a case sees it through this API, and what of that is noted for the reader."""

    def __init__(self, make_context: MakeContext, api: Any, **synthflow: Any) -> None:
        self.api = api
        self.context = make_context(
            api=api, synthflow=Synthflow(**{"poll_s": 0.001, "lag_s": 0.0} | synthflow)
        )
        self.context.calls.add(call())
        self.endpoint = SynthflowEndpoint(self.context)

    @property
    def troubles(self) -> list[str]:
        return [note.text for note in CaseEvidence.read(self.context.evidence.directory).notes]


def leg(*messages: tuple[str, str]) -> Any:
    return SimpleNamespace(
        id="caller.1",
        messages=[SimpleNamespace(direction=way, text=text) for way, text in messages],
    )


@dataclass
class Failing:
    """Gives a record, and then fails in some way."""

    then: Any
    given: int = 0

    def calls(self, since: float, models: Sequence[str] = ()) -> list[CallRecord]:
        return [CallRecord("c1", record())]

    def call(self, call_id: str) -> CallRecord:
        self.given += 1
        if isinstance(self.then, FarEndError):
            raise self.then
        return CallRecord("c1", self.then)


_LAG_S = 0.3


class LateApi(FakeApi):
    """Lists its records after a while."""

    def __init__(self, *records: dict[str, Any], after_s: float) -> None:
        super().__init__(list(records))
        self.monotonic = time.monotonic
        self.from_then = time.monotonic() + after_s

    def calls(self, since: float, models: Any = ()) -> Any:
        return super().calls(since, models) if self.monotonic() >= self.from_then else []


def ai_of(make_context: MakeContext, api: Any, **synthflow: Any) -> Ai:
    context = make_context(
        api=api,
        synthflow=Synthflow(
            **{"poll_s": 0.001, "lag_s": _LAG_S, "witness": ("record",)} | synthflow
        ),
    )
    api.monotonic = context.clock.monotonic
    ai = Ai(context)
    ai._endpoint = SynthflowEndpoint(context)
    return ai
