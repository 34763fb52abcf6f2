"""A landing with people whom no harness phone hears: what the platform's report makes of it, when
it comes, and if it never does.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast

import pytest

from harness.case.verdict import Finding, Verdict
from harness.deployment import Deployment, Report
from harness.errors import FarEndError
from harness.scenario import conclusion
from harness.scenario.context import CaseContext
from harness.scenario.expect import Expect
from harness.scenario.people import Group
from harness.scenario.reported import ReportedCall
from harness.witness.platform_report import ReportRow, ReportSource
from tests.unit.scenario.conftest import MakeContext

CALLER, ANOTHER = "+14155550101", "+14155550199"
NAMES = {"billing": "Rechnung Süd", "support": "Retouren"}
Reads = Callable[..., list[ReportRow]]


def deployment(context: CaseContext, **more: Any) -> Deployment:
    """Billing and support are people of the platform's own, which its report names."""
    plain = {
        "url": "https://reports.example/calls",
        "stay_s": 5,
        "within_s": 0.2,
        "poll_s": 0.01,
    } | more
    entries = {
        name: group.model_copy(
            update={"agents": (), "reported_as": (NAMES[name],)} if name in NAMES else {}
        )
        for name, group in context.deployment.groups.items()
    }
    platform = context.deployment.platform.model_copy(
        update={"report": Report.model_validate(plain)}
    )
    return context.deployment.model_copy(update={"platform": platform, "groups": entries})


def listed(context: CaseContext, group: str = "billing", **more: Any) -> ReportRow:
    """A row as of now."""
    whole: dict[str, Any] = {
        "place": "row 2",
        "caller": CALLER,
        "number": context.deployment.groups["billing"].did,
    }
    whole |= {
        "groups": (NAMES[group],),
        "agent": "Eve",
        "moments": (time.time(),),
        "cut_off_s": 1.0,
    }
    return ReportRow(**(whole | more))


class Case:
    """A case whose caller has landed with billing."""

    def __init__(self, context: CaseContext, monkeypatch: pytest.MonkeyPatch, **more: Any) -> None:
        context.deployment = deployment(context, **more)
        self.context = context
        self.hung_up = False
        self.hung_up_at = 0.0
        self.reads: list[list[ReportRow] | FarEndError] = [[]]
        entry = context.deployment.groups["billing"]
        self.group = Group(context, "billing", entry, [])
        self.caller: Any = SimpleNamespace(
            label="caller.1", number=CALLER, began=time.monotonic(), legs=[]
        )
        self.caller.is_over, self.caller.hang_up = lambda: self.hung_up, self.hang_up
        context.calls.own.append(cast("Any", self.caller))
        monkeypatch.setattr(ReportSource, "read", lambda source, since: self.read())

    def hang_up(self) -> None:
        self.hung_up, self.hung_up_at = True, time.monotonic()

    def read(self) -> list[ReportRow]:
        found = self.reads.pop(0) if len(self.reads) > 1 else self.reads[0]
        if isinstance(found, FarEndError):
            raise found
        return found

    def lands(self) -> ReportedCall:
        landed = ReportedCall(self.context, self.group, self.caller)
        Expect(self.context, landed).caller_id(CALLER)
        return landed

    def told(self) -> dict[str, Finding]:
        before = len(self.context.evidence.findings)
        conclusion._look_later(self.context)
        found = self.context.evidence.findings[before:]
        return {finding.check: finding for finding in found}


@pytest.fixture
def make(make_context: MakeContext, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Case]:
    return lambda **more: Case(make_context("TD-TRANSFER-BLIND"), monkeypatch, **more)


def test_the_report_comes_late(make: Callable[..., Case]) -> None:
    case = make()
    case.lands()
    case.reads = [[], FarEndError("429"), [], [listed(case.context)], [listed(case.context)]]
    found = case.told()
    assert case.hung_up, "a report lists calls that are over"
    assert {check: finding.verdict for check, finding in found.items()} == {
        "landing": Verdict.PASSED,
        "caller_id": Verdict.PASSED,
        "landing.others": Verdict.PASSED,
    }
    assert {finding.strength for finding in found.values()} == {2}
    assert all(finding.at <= case.hung_up_at for finding in found.values()), (
        "what the harness did then is no evidence"
    )
    assert not any(
        "Eve" in text for finding in found.values() for text in (finding.actual, *finding.evidence)
    )


OPEN = Verdict.NOT_OBSERVABLE


@pytest.mark.parametrize(
    ("rows", "ahead_s", "verdict", "said"),
    [
        ([{}], 0.0, Verdict.PASSED, "billing"),
        ([{"group": "support"}], 0.0, Verdict.FAILED, "support"),
        ([{"caller": ANOTHER}], 0.0, OPEN, "(platform.report.zone?), 0.2 s after the call's end"),
        ([{"later_s": -30.0}], 0.0, OPEN, "does not list the call"),  # an earlier call's row
        ([{}], 2.5, OPEN, "ahead of"),  # an earlier call's row may then be in the time of this one
        ([{}], -61.0, OPEN, "behind"),
        (FarEndError("the platform's report: 503"), 0.0, OPEN, "503"),
    ],
)
def test_a_landing_is_what_the_report_lists(
    make: Callable[..., Case],
    monkeypatch: pytest.MonkeyPatch,
    rows: Any,
    ahead_s: float,
    verdict: Verdict,
    said: str,
) -> None:
    case = make(strength="unknown")
    case.lands()
    monkeypatch.setattr(ReportSource, "clock_ahead_s", ahead_s)
    if isinstance(rows, list):
        moments = [(time.time() + row.get("later_s", 0.0),) for row in rows]
        plain = [{name: value for name, value in row.items() if name != "later_s"} for row in rows]
        rows = [
            listed(case.context, **row, moments=at) for row, at in zip(plain, moments, strict=True)
        ]
    case.reads = [rows]
    found = case.told()
    assert found["landing"].verdict is verdict
    assert said in found["landing"].actual
    assert not any(finding.dispensable for finding in found.values()), (
        "no row passes without its landing"
    )
