"""What a case is labelled with, as every view of it shows it: a label that nobody saw is said to be declared.

A case's id names the cell of the plan, and so stays what it is. Whether the call was what its cell says is another matter: over which
trunk and transport it came to the AI, say, nobody sees where the AI has nothing but its record.
"""

from __future__ import annotations

from collections.abc import Mapping

from harness.calls.verdict import Finding, Strength, Verdict
from harness.report.coverage import CLAIMS
from harness.report.evidence import CaseEvidence

#: Axes that say something of the system under test → the checks that look at it, and what the sign-off calls it.
#: The others are what the harness itself does (how it asks for a person, in which form it dials).
CLAIMED: Mapping[str, tuple[tuple[str, ...], str]] = {
    "transport": (("route.transport",), CLAIMS["route.transport"]),
    "authentication": (("registration", "registration.refused"), "how the trunk authenticates"),
    "trunk": (("route.trunk",), CLAIMS["route.trunk"]),
    "codec": (("codec",), CLAIMS["codec"]),
    "number": (("caller_id",), "number"),
    "refer": (("transfer.refer",), CLAIMS["transfer.refer"]),
    "caller_id": (("caller_id",), "whose number the agent sees"),
    "selector": (("header", "header.absent"), "the routing selector"),
}
DECLARED = "declared"


def declared(case: CaseEvidence) -> tuple[str, ...]:
    """The axes of the case whose value stands in the deployment file, and was seen by nobody."""
    looked: dict[str, bool] = {}  # of several findings the one that saw least counts
    for finding in case.findings:
        looked[finding.check] = looked.get(finding.check, True) and _saw(finding, case)
    return tuple(
        axis
        for axis in case.axes
        if axis in CLAIMED
        and not any(looked.get(check, False) for check in CLAIMED[axis][0])
        and not _was_sighted(case, axis)
    )


def labels(case: CaseEvidence) -> dict[str, str]:
    """The values of the case's axes, those that nobody saw with the word for it."""
    unseen = declared(case)
    return {axis: f"{value} ({DECLARED})" if axis in unseen else value for axis, value in case.axes.items()}


def _saw(finding: Finding, case: CaseEvidence) -> bool:
    if finding.verdict is Verdict.NOT_OBSERVABLE or finding.strength is Strength.UNKNOWN:
        return False
    # in most rows any G.711 passes: that it did does not say that it was the one of the label
    return finding.check != "codec" or str(finding.facts.get("codec")).lower() == case.axes.get("codec", "").lower()


def _was_sighted(case: CaseEvidence, axis: str) -> bool:
    seen = case.gist.sighted.get(axis, frozenset())
    if case.case.get("shows_messages"):
        seen |= case.gist.told.get(axis, frozenset())
    return bool(seen) if axis == "number" else case.axes[axis].lower() in seen
