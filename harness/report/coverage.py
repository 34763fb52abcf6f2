"""What each check claims, by what it was seen, what could not be seen, and which labels of a case
are only declared.

A case's id names the cell of the plan and stays what it is. Whether the call was what its cell says
is another matter: nothing shows, for example, over which trunk and transport a call reached an AI
that gives only its record.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.case.check_table import CHECKS, check_named
from harness.case.events import phone_of
from harness.case.measurement import Direction
from harness.case.verdict import Finding, Strength, Verdict
from harness.deployment import SIP_NUMBER, STAND_IN
from harness.report.evidence import CaseEvidence, CaseKey

_ROLES = {"ai": "the AI", "caller": "the caller", "agent": "the agent"}


@dataclass(frozen=True)
class Coverage:
    """How many things were looked at, how many could be seen, and the names of the others; each
    thing once.
    """

    of: int
    seen: int
    unseen: tuple[str, ...]

    def __str__(self) -> str:
        seen = f"seen {self.seen} of {self.of}"
        return f"{seen}; not observed: {', '.join(self.unseen)}" if self.unseen else seen


def coverage(findings: Iterable[Finding], ours: Collection[str] = ()) -> Coverage:
    """Of the findings of one case, or of several of one row: what one of them could not see was not
    seen.

    ``ours`` are the harness's own phones and legs, by names that may be anything.
    """
    seen: dict[str, bool] = {}
    not_ai = [name for name in ours if phone_of(name) not in (STAND_IN, SIP_NUMBER)]
    for finding in findings:
        words = _at(finding, not_ai)
        seen[words] = seen.get(words, True) and finding.verdict is not Verdict.NOT_OBSERVABLE
    unseen = tuple(words for words, was_seen in seen.items() if not was_seen)
    return Coverage(len(seen), len(seen) - len(unseen), unseen)


def by_row(cases: Iterable[tuple[str, CaseEvidence]]) -> dict[str, Coverage]:
    """The coverage of each row, of the findings of all its cases."""
    found: dict[str, list[CaseEvidence]] = {}
    for row, case in cases:
        found.setdefault(row, []).append(case)
    by_name = {}
    for row, of_row in sorted(found.items()):
        findings: list[Finding] = []
        ours: set[str] = set()
        for case in of_row:
            findings += case.findings
            ours |= set(case.gist.ours)
        by_name[row] = coverage(findings, ours)
    return by_name


def _at(finding: Finding, not_ai: Collection[str]) -> str:
    """What is claimed, and at which end where that is the AI's: a codec has two. ``not_ai`` are the
    harness's phones and legs that do not stand in for it.
    """
    words, subject = words_of(finding), finding.subject
    if words.endswith("the AI") or not subject.startswith(("assistant ", "the AI", STAND_IN)):
        return words
    if any(_begins_with(subject, name) for name in not_ai):  # a harness phone that is called so
        return words
    return f"{words} at the AI"


def words_of(finding: Finding) -> str:
    """The claim that the finding supports, as the sign-off words it."""
    words = check_named(finding.check).claim or finding.check
    if finding.check == "audio":
        measured = finding.measured
        if not isinstance(measured, Direction):
            return words.format("the other end")
        towards = _ROLES.get(measured.towards, measured.towards or "the other end")
        said = words.format(towards)
        return f"{said}, after the change" if measured.again else said
    if finding.check in ("timing", "timing.within") and (what := _measured(finding, "what")):
        return f"{what}, in time"
    return words.format(_measured(finding, "header") or "a header") if "{}" in words else words


def _measured(finding: Finding, name: str) -> Any:
    """That field of its measurement; None where it has none."""
    return getattr(finding.measured, name, None)


#: Axes that describe the system under test → the checks that look at them, and their name in the
#: sign-off. Other axes describe the harness (how it asks for a person, in which form it dials).
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


def declared(case: CaseEvidence) -> tuple[str, ...]:
    """The axes of the case whose value is declared in the deployment file and was not observed."""
    axes = case.axes
    looked: dict[str, bool] = {}  # of several findings, the one that saw least counts
    for finding in case.findings:
        looked[finding.check] = looked.get(finding.check, True) and _saw(finding, axes)
    unseen = []
    for axis in axes:
        if axis not in CLAIMED:
            continue
        checks, _ = CLAIMED[axis]
        was_checked = any(looked.get(check, False) for check in checks)
        if not was_checked and not _was_seen(case, axis):
            unseen.append(axis)
    return tuple(unseen)


def labels(case: CaseEvidence) -> dict[str, str]:
    """The values of the case's axes; those that were not observed are marked as declared."""
    values = dict(case.axes)
    for axis in declared(case):
        values[axis] += " (declared)"
    return values


def _saw(finding: Finding, axes: Mapping[str, str]) -> bool:
    if finding.verdict is Verdict.NOT_OBSERVABLE or finding.strength is Strength.UNKNOWN:
        return False
    if finding.check == "codec":
        # in most rows any G.711 passes, so a pass does not prove the codec of the label
        return str(_measured(finding, "codec")).lower() == axes.get("codec", "").lower()
    return True


def _was_seen(case: CaseEvidence, axis: str) -> bool:
    seen = case.gist.values_seen.get(axis, frozenset())
    if case.case.get("shows_messages"):
        seen |= case.gist.values_recorded.get(axis, frozenset())
    return bool(seen) if axis == "number" else case.axes[axis].lower() in seen


# -- what the sign-off claims of a row: each thing that was seen, with what it was seen by, and never more than that.
# The findings of cases that passed make the claims. A claim that could not be checked is listed as not seen, and a label that was
# not observed as declared.

#: What a claim rests on, in a word, and in words; in the order of what they are worth.
SOURCES: Mapping[str, str] = {
    "mark": "proved, by a mark decoded at the other end",
    "recording": "proved, by a recording of the AI",
    "transcript": "confirmed, by words in a transcript",
    "digit": "confirmed, by a digit that was acted upon",
    "account": "confirmed, by the far system's own account",
    "RTCP": "indicated, by the other end's RTCP reports",
    "sound": "indicated, by sound alone",
    "packets": "indicated, by packets or sound alone",
    "messages": "by SIP messages of the harness's phones",
    "phones": "by the harness's own phones",
    "capture": "by SIP messages in a capture that others made",
    "their messages": "by SIP messages that the far end shows",
    "record": "by the AI's record: its own interface says so; the call itself was not seen",
    "declared": "declared, not seen: the deployment file says so; it could not be looked at",
    "not seen": "not seen",
}
_WORTH = list(SOURCES)
#: Of audio, by what a finding names as its observation.
_BY_OBSERVATION = {
    "mark": "mark",
    "recording": "recording",
    "words": "transcript",
    "digit": "digit",
    "rtcp": "RTCP",
    "sound": "sound",
}
#: Of audio, where a finding names none.
_BY_STRENGTH = {
    Strength.PROVED: "mark",
    Strength.CONFIRMED: "account",
    Strength.INDICATED: "packets",
}
#: What the deployment file says of itself, whether somebody looks or not.
_DECLARED = ("route.transport", "route.trunk", "codec")
#: By the number of a message that a finding names.
_BY_NUMBER = {
    "capture": re.compile(r"h\d+ in .+"),
    "their messages": re.compile(r"f\d+"),
    "messages": re.compile(r"m\d+"),
}


@dataclass(frozen=True)
class ProvedClaim:
    """One thing that was seen, or not, in so many cases, by one of :data:`SOURCES`."""

    words: str
    source: str
    cases: int


def claims(cases: Sequence[CaseEvidence]) -> tuple[ProvedClaim, ...]:
    """The claims of cases that passed, the best known first."""
    found: dict[tuple[str, str], set[CaseKey]] = {}
    for case in cases:
        for words, source in _of_case(case):
            found.setdefault((words, source), set()).add(case.key)
    listed = [ProvedClaim(words, source, len(keys)) for (words, source), keys in found.items()]
    return tuple(sorted(listed, key=lambda claim: _WORTH.index(claim.source)))


def by_source(listed: Iterable[ProvedClaim]) -> dict[str, list[ProvedClaim]]:
    """The claims of each source."""
    found: dict[str, list[ProvedClaim]] = {}
    for claim in listed:
        found.setdefault(claim.source, []).append(claim)
    return found


def _of_case(case: CaseEvidence) -> Iterable[tuple[str, str]]:
    """Words and source of each claim, once. Of several findings of one claim the one that is known
    least counts.
    """
    found: dict[str, str] = {}
    is_stand_in = case.axes.get("ai") == "stand-in"
    for finding in case.findings:
        if finding.verdict in (Verdict.FAILED, Verdict.BROKEN):
            continue  # such a case did not pass; nothing is claimed of what went wrong
        words = words_of(finding)
        source = source_of(finding, case.gist.ours, stand_in=is_stand_in)
        known = found.get(words)
        if known is None or _WORTH.index(source) > _WORTH.index(known):
            found[words] = source
    found |= {CLAIMED[axis][1]: "declared" for axis in declared(case)}
    return found.items()


def _is_about(subject: str, name: str) -> bool:
    """Whether a finding's subject is that phone or leg, something of its, or one of the two that a
    direction is between.
    """
    return _begins_with(subject, name) or subject.endswith(f" → {name}")


def _begins_with(subject: str, name: str) -> bool:
    return subject == name or subject.startswith((f"{name}'s ", f"{name} → "))


def source_of(finding: Finding, ours: Iterable[str], *, stand_in: bool) -> str:
    """What the finding rests on. ``ours`` are the phones and legs of the harness; ``stand_in``: the
    AI was one of them.
    """
    if finding.verdict is Verdict.NOT_OBSERVABLE or finding.strength is Strength.UNKNOWN:
        return "declared" if finding.check in _DECLARED else "not seen"
    if _measured(finding, "record"):
        return "record"
    if finding.strength is not None:
        named = str(_measured(finding, "observation") or "")
        return _BY_OBSERVATION.get(named) or _BY_STRENGTH[finding.strength]
    for source, number in _BY_NUMBER.items():
        if any(map(number.fullmatch, finding.evidence)):
            return source
    if stand_in or not check_named(finding.check).at_ai:
        return "phones"
    is_about_ours = any(_is_about(finding.subject, name) for name in ours)
    return "phones" if is_about_ours else "record"
