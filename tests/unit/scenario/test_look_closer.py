"""What is looked at after a failure: the AI's records of this case's calls, and of no other's."""

from __future__ import annotations

from harness.case.events import FarEndRecord
from harness.report.evidence import CaseEvidence
from harness.scenario.case_phones import ConcurrentCases
from harness.scenario.post_failure_probes import look_closer
from tests.unit.scenario.conftest import MakeContext
from tests.unit.scenario.synthflow_api import CALLER, OTHER, FakeApi, record


def test_records_of_the_cases_beside_this_one_are_no_evidence_here(
    make_context: MakeContext,
) -> None:
    unknown = "+14155550177"  # the platform may show a number that nobody has
    calls = [
        record(call_id=number, phone_number_from=number) for number in (CALLER, OTHER, unknown)
    ]
    context = make_context(api=FakeApi(calls))
    context.concurrent = ConcurrentCases(numbers=(CALLER,), others=frozenset({OTHER}))
    look_closer(context, 0.0)
    events = CaseEvidence.read(context.evidence.directory).events
    found = [
        event.source
        for event in events
        if isinstance(event, FarEndRecord) and event.phone == "synthflow"
    ]
    assert len(found) == 2
    assert not any("0199" in source for source in found)


def test_calls_that_the_ai_placed_itself_are_no_evidence(make_context: MakeContext) -> None:
    """Somebody's campaign at the same time, which was refused: what is said of that is no refusal
    of this case's call.
    """
    refused = {
        "type_of_call": "outbound",
        "status": "failed",
        "error_message": "Telephony - 403 - Forbidden",
    }
    placed = record(call_id="placed", phone_number_from=OTHER, phone_number_to=CALLER, **refused)
    context = make_context(api=FakeApi([placed, record(call_id="ours")]))
    look_closer(context, 0.0)
    events = CaseEvidence.read(context.evidence.directory).events
    found = [
        event.source
        for event in events
        if isinstance(event, FarEndRecord) and event.phone == "synthflow"
    ]
    assert found == ["GET /v2/calls/ours"]
