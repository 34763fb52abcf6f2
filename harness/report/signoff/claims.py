"""What the document claims of a row: each thing that was seen, with what it was seen by, and never more than that.

The findings of cases that passed make the claims. A claim that could not be checked is listed as not seen, and a label that was not
observed as declared.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.calls.check_table import check_named
from harness.calls.checks.claims import Observation
from harness.calls.verdict import Finding, Strength, Verdict
from harness.report.coverage import CLAIMED, declared, words_of
from harness.report.evidence import CaseEvidence

__all__ = ["DECLARED", "NOT_SEEN", "ProvedClaim", "by_source", "claims", "source_of", "words_of"]

BY_RECORD, BY_MESSAGES, BY_THEIR_MESSAGES = (
    "by the AI's record",
    "by SIP messages of the harness's phones",
    "by SIP messages that the far end shows",
)
BY_PHONES = "by the harness's own phones"
DECLARED, NOT_SEEN = "declared, not seen", "not seen"
#: Of audio, by what a finding names as its observation.
_BY_OBSERVATION: Mapping[Observation, str] = {
    Observation.MARK: "proved, by a mark decoded at the other end",
    Observation.WORDS: "confirmed, by words in a transcript",
    Observation.DIGIT: "confirmed, by a digit that was acted upon",
    Observation.EXPERIMENT: "confirmed, by reactions to words spoken at random moments",
    Observation.RTCP: "indicated, by the other end's RTCP reports",
    Observation.SOUND: "indicated, by sound alone",
}
#: Of audio, where a finding names none.
_BY_STRENGTH: Mapping[Strength, str] = {
    Strength.PROVED: _BY_OBSERVATION[Observation.MARK],
    Strength.CONFIRMED: "confirmed, by the far system's own account",
    Strength.INDICATED: "indicated, by packets or sound alone",
}
#: In the order of what they are worth.
_BY_AUDIO = dict.fromkeys([*_BY_OBSERVATION.values(), *_BY_STRENGTH.values()])
_SOURCES = (
    *sorted(_BY_AUDIO, key=lambda words: ("proved", "confirmed", "indicated").index(words.partition(",")[0])),
    BY_MESSAGES, BY_PHONES, BY_THEIR_MESSAGES, BY_RECORD, DECLARED, NOT_SEEN,
)  # fmt: skip
#: What the deployment file says of itself, whether somebody looks or not.
_DECLARED = ("route.transport", "route.trunk", "codec")
_OUR_MESSAGE, _THEIR_MESSAGE = re.compile(r"m\d+"), re.compile(r"f\d+")


@dataclass(frozen=True)
class ProvedClaim:
    """One thing that was seen, or not, in so many cases, by one source."""

    words: str
    source: str
    cases: int


def claims(cases: Sequence[CaseEvidence]) -> tuple[ProvedClaim, ...]:
    """The claims of cases that passed, the best known first."""
    found: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for case in cases:
        for words, source in _of_case(case):
            found.setdefault((words, source), set()).add(case.key)
    listed = [ProvedClaim(words, source, len(keys)) for (words, source), keys in found.items()]
    return tuple(sorted(listed, key=lambda claim: _SOURCES.index(claim.source)))


def by_source(listed: Iterable[ProvedClaim]) -> dict[str, list[ProvedClaim]]:
    """The claims of each source."""
    found: dict[str, list[ProvedClaim]] = {}
    for claim in listed:
        found.setdefault(claim.source, []).append(claim)
    return found


def _of_case(case: CaseEvidence) -> Iterable[tuple[str, str]]:
    """Words and source of each claim, once. Of several findings of one claim the one that is known least counts."""
    found: dict[str, str] = {}
    for finding in case.findings:
        if finding.verdict in (Verdict.FAILED, Verdict.BROKEN):
            continue  # such a case did not pass; nothing is claimed of what went wrong
        words, source = (
            words_of(finding),
            source_of(finding, case.gist.ours, stand_in=case.axes.get("ai") == "stand-in"),
        )
        known = found.get(words)
        if known is None or _SOURCES.index(source) > _SOURCES.index(known):
            found[words] = source
    found |= {CLAIMED[axis][1]: DECLARED for axis in declared(case)}
    return found.items()


def _is_about(subject: str, name: str) -> bool:
    """Whether a finding's subject is that phone or leg, something of its, or one of the two that a direction is between."""
    return subject == name or subject.startswith((f"{name}'s ", f"{name} → ")) or subject.endswith(f" → {name}")


def source_of(finding: Finding, ours: Iterable[str], *, stand_in: bool) -> str:
    """What the finding rests on. ``ours`` are the phones and legs of the harness; ``stand_in``: the AI was one of them."""
    if finding.verdict is Verdict.NOT_OBSERVABLE or finding.strength is Strength.UNKNOWN:
        return DECLARED if finding.check in _DECLARED else NOT_SEEN
    facts = finding.facts
    if facts.get("record"):
        return BY_RECORD
    if finding.strength is not None:
        name = str(facts.get("observation") or "").upper()
        known = _BY_OBSERVATION.get(Observation[name]) if name in Observation.__members__ else None
        return known or _BY_STRENGTH[finding.strength]
    if any(_THEIR_MESSAGE.fullmatch(item) for item in finding.evidence):
        return BY_THEIR_MESSAGES
    if any(_OUR_MESSAGE.fullmatch(item) for item in finding.evidence):
        return BY_MESSAGES
    if stand_in or not check_named(finding.check).at_ai or any(_is_about(finding.subject, name) for name in ours):
        return BY_PHONES
    return BY_RECORD
