"""The same for what a platform's report says, and an AI's record of the caller."""

from __future__ import annotations

from harness.calls.checks import identity, landing
from tests.unit.checks.calls import CALLER
from tests.unit.checks.example import Example

OF_REPORTS = [
    Example(
        "landing",
        landing.landed_by_report,
        lambda: landing.landed_by_report("the call", "billing", ["billing", "support"], took=True, rows=["row 2"]),
        (lambda: landing.landed_by_report("the call", "billing", ["support"], took=False, rows=[]),),
    ),
    Example(
        "landing.others",
        landing.none_beside_in_report,
        lambda: landing.none_beside_in_report("groups beside billing", [], ["row 2"]),
        (lambda: landing.none_beside_in_report("groups beside billing", ["support"], []),),
    ),
    Example(
        "caller_id",
        identity.caller_in_report,
        lambda: identity.caller_in_report("(415) 555-0101", "people", CALLER, "US", ["row 2"]),
        (
            lambda: identity.caller_in_report("+14155550102", "people", CALLER, "US", ["row 2"]),
            lambda: identity.caller_in_report("anonymous", "people", CALLER, "US", ["row 2"]),
        ),
    ),
    Example(
        "caller_id",
        identity.caller_in_record,
        lambda: identity.caller_in_record("4155550101", "ai", CALLER, "US", "c1"),
        (
            lambda: identity.caller_in_record("+14155550102", "ai", CALLER, "US", "c1"),
            lambda: identity.caller_in_record("anonymous", "ai", CALLER, "US", "c1"),
        ),
    ),
]
