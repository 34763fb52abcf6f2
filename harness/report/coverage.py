"""What each check claims, what could not be seen of it, and which labels of a case are only declared.

A case's id names the cell of the plan and stays what it is. Whether the call was what its cell says is another matter: nothing
shows, for example, over which trunk and transport a call reached an AI that gives only its record.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.calls.check_table import CHECKS, check_named
from harness.calls.events import phone_of
from harness.calls.measurement import Direction
from harness.calls.verdict import Finding, Strength, Verdict
from harness.deployment import SIP_NUMBER, STAND_IN
from harness.report.evidence import CaseEvidence

_ROLES = {"ai": "the AI", "caller": "the caller", "agent": "the agent"}


@dataclass(frozen=True)
class Coverage:
    """How many things were looked at, how many could be seen, and the names of the others; each thing once."""

    of: int
    seen: int
    unseen: tuple[str, ...]

    def __str__(self) -> str:
        seen = f"seen {self.seen} of {self.of}"
        return f"{seen}; nobody could see: {', '.join(self.unseen)}" if self.unseen else seen


def coverage(findings: Iterable[Finding], ours: Collection[str] = ()) -> Coverage:
    """Of the findings of one case, or of several of one row: what one of them could not see was not seen.

    ``ours`` are the harness's own phones and legs, by names that may be anything.
    """
    seen: dict[str, bool] = {}
    for finding in findings:
        words = _at(finding, ours)
        seen[words] = seen.get(words, True) and finding.verdict is not Verdict.NOT_OBSERVABLE
    unseen = tuple(words for words, was_seen in seen.items() if not was_seen)
    return Coverage(len(seen), len(seen) - len(unseen), unseen)


def by_row(cases: Sequence[tuple[str, Sequence[Finding], Collection[str]]]) -> dict[str, Coverage]:
    """The coverage of each row, of the findings of all its cases, each with the phones and legs that are ours."""
    found: dict[str, tuple[list[Finding], set[str]]] = {}
    for row, findings, ours in cases:
        listed, names = found.setdefault(row, ([], set()))
        listed.extend(findings)
        names.update(ours)
    return {row: coverage(findings, ours) for row, (findings, ours) in sorted(found.items())}


def _at(finding: Finding, ours: Collection[str]) -> str:
    """What is claimed, and at which end where that is the AI's: a codec has two."""
    words, subject = words_of(finding), finding.subject
    is_at_ai = subject.startswith(("assistant ", "the AI", STAND_IN)) and not any(
        subject == name or subject.startswith((f"{name}'s ", f"{name} → "))
        for name in ours
        if phone_of(name) not in (STAND_IN, SIP_NUMBER)
    )
    return f"{words} at the AI" if is_at_ai and not words.endswith("the AI") else words


def words_of(finding: Finding) -> str:
    """The claim that the finding supports, as the sign-off words it."""
    words = check_named(finding.check).claim or finding.check
    if finding.check == "audio":
        measured = finding.measured
        towards = measured.towards if isinstance(measured, Direction) else ""
        again = isinstance(measured, Direction) and measured.again
        return words.format(_ROLES.get(towards, towards or "the other end")) + (", after the change" if again else "")
    if finding.check in ("timing", "timing.within") and finding.facts.get("what"):
        return f"{finding.facts['what']}, in time"
    return words.format(finding.facts.get("header") or "a header") if "{}" in words else words


#: Axes that describe the system under test → the checks that look at them, and their name in the sign-off.
#: Other axes describe the harness (how it asks for a person, in which form it dials).
CLAIMED: Mapping[str, tuple[tuple[str, ...], str]] = {
    "transport": (("route.transport",), CHECKS["route.transport"].claim),
    "authentication": (("registration", "registration.refused"), "how the trunk authenticates"),
    "trunk": (("route.trunk",), CHECKS["route.trunk"].claim),
    "codec": (("codec",), CHECKS["codec"].claim),
    "number": (("caller_id",), "number"),
    "refer": (("transfer.refer",), CHECKS["transfer.refer"].claim),
    "caller_id": (("caller_id",), "whose number the agent sees"),
    "selector": (("header", "header.absent"), "the routing selector"),
}


DECLARED = "declared"


def declared(case: CaseEvidence) -> tuple[str, ...]:
    """The axes of the case whose value is declared in the deployment file and was not observed."""
    looked: dict[str, bool] = {}  # of several findings, the one that saw least counts
    for finding in case.findings:
        looked[finding.check] = looked.get(finding.check, True) and _saw(finding, case)
    return tuple(
        axis
        for axis in case.axes
        if axis in CLAIMED
        and not any(looked.get(check, False) for check in CLAIMED[axis][0])
        and not _was_seen(case, axis)
    )


def labels(case: CaseEvidence) -> dict[str, str]:
    """The values of the case's axes; those that were not observed are marked as declared."""
    unseen = declared(case)
    return {axis: f"{value} ({DECLARED})" if axis in unseen else value for axis, value in case.axes.items()}


def _saw(finding: Finding, case: CaseEvidence) -> bool:
    if finding.verdict is Verdict.NOT_OBSERVABLE or finding.strength is Strength.UNKNOWN:
        return False
    # in most rows any G.711 passes, so a pass does not prove the codec of the label
    return finding.check != "codec" or str(finding.facts.get("codec")).lower() == case.axes.get("codec", "").lower()


def _was_seen(case: CaseEvidence, axis: str) -> bool:
    seen = case.gist.values_seen.get(axis, frozenset())
    if case.case.get("shows_messages"):
        seen |= case.gist.values_recorded.get(axis, frozenset())
    return bool(seen) if axis == "number" else case.axes[axis].lower() in seen
