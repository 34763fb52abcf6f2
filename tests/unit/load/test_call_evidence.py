"""What a call of a load finds is judged with what its lane knows of this machine."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from harness.calls.verdict import CaseOutcome, Finding, Verdict
from harness.run.load.call import _OwnEvidence
from harness.scenario.evidence import Evidence


def test_a_dropout_while_the_world_stood_still_is_broken() -> None:
    evidence = Evidence(recorder := SimpleNamespace(finding=lambda finding: None), (), lambda: None)  # type: ignore[arg-type]
    evidence.starved_at_once = lambda begin, end: 0.5
    context = SimpleNamespace(
        evidence=evidence, case=SimpleNamespace(dispensable=()), phones=SimpleNamespace(fatal_error=None)
    )
    lane: Any = SimpleNamespace(recorder=recorder, context=context)
    pauses = Finding("audio.dropouts", "caller.1", Verdict.FAILED, "a whole voice", "two pauses in it", at=9.0)
    own = _OwnEvidence(lane, CaseOutcome())
    assert own.add_of_said(pauses, [(8.0, 9.0)]).verdict is Verdict.BROKEN
    assert Evidence(recorder, (), lambda: None).add_of_said(pauses, [(8.0, 9.0)]).verdict is Verdict.FAILED  # type: ignore[arg-type]
