"""Cases that did not pass, gathered by their cause: the one grouping that terminal, report and
``causes.json`` show.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, partial

from typing_extensions import TypedDict

from harness.case.verdict import ORDER, Verdict
from harness.diagnosis import common
from harness.diagnosis.catalogue import owner_in_words
from harness.diagnosis.common import Common
from harness.diagnosis.result import HEDGES
from harness.report.evidence import CaseEvidence, PlainCause, text_of

#: ``CHECK of SUBJECT: …`` (a finding's text): the subject and the figures differ from case to case,
#: the check does not.
_FINDING = re.compile(r"^((?:[\w ]+: )?[a-z_]+(?:\.[a-z_]+)*) of .*", re.DOTALL)


class GroupDocument(TypedDict):
    """Cases of one verdict and one cause, as the terminal groups them."""

    verdict: Verdict
    headline: str
    issue: str
    fix: str
    owner: str
    link: str
    rows: dict[str, int]  # row: cases
    cases: list[str]


@dataclass(frozen=True)
class CauseGroup:
    """Cases of one verdict and one cause; there is at least one. A case with two causes stands in
    two groups.
    """

    verdict: Verdict
    cases: tuple[CaseEvidence, ...]
    #: What the run's failures together say of the cause; None where no cause is known.
    common: Common | None = None
    #: The deployments of its cases, and their sites, where the run has others.
    of: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """What names the cause from run to run: its id, or else verdict and kind of failure."""
        if self.common is not None:
            return self.common.id
        return f"{self.verdict}: {signature(self.cases[0].headline)}"

    @property
    def anchor(self) -> str:
        """Its name in the report's address; deployments may have the same cause."""
        return re.sub(r"[^\w.]+", "-", "-".join(("cause", self.id, *self.of)))

    @property
    def headline(self) -> str:
        """What is said of the first of them, or of the cause where that case has another first."""
        first = self.cases[0]
        if self.common is None or first.first_cause.get("id") == self.common.id:
            return first.headline
        cause = self.common.cause
        title = str(cause.get("title") or cause.get("cause") or "")
        if title:
            title = HEDGES.get(str(cause.get("confidence")), "") + title
        return ": ".join(filter(None, (self.said("issue"), title)))

    @property
    def is_mixed(self) -> bool:
        """Whether others of them word the cause otherwise, in their subjects or figures."""
        words = {self._words_of(case) for case in self.cases} - {""}
        return len(words) > 1

    def _words_of(self, case: CaseEvidence) -> str:
        """How a case words the cause, which need not be its first; empty where it does not name it."""
        if self.common is None:
            return case.headline
        named = (cause for cause in case.diagnosis if cause.get("id") == self.common.id)
        return str(next(named, {}).get("cause") or "")

    @property
    def cause(self) -> PlainCause:
        """The likeliest cause as the diagnosis has it; empty when there is none."""
        if self.common is not None:
            return self.common.cause
        return self.cases[0].first_cause

    @property
    def where(self) -> str:
        """The deployment or site, of several; what all its failures share, and no case that passed;
        what other cases showed of it.
        """
        words = list(self.of)
        if self.common is not None:
            words += [*self.common.where, *self.common.because[:2]]
            rest = len(self.common.because) - 2
            if rest > 0:
                words.append(f"and {rest} more cases")
        return "; ".join(words)

    def said(self, key: str) -> str:
        """One of the cause's words (``fix``, ``owner``, ``link``, ``issue``); empty when it was not
        said.
        """
        return str(self.cause.get(key) or "")

    @property
    def owner(self) -> str:
        """Whom to ask about the cause, in words."""
        return owner_in_words(self.said("owner"))

    @property
    def rows(self) -> Counter[str]:
        """How many cases of each row."""
        return Counter(case.row for case in self.cases)

    def plain(self) -> GroupDocument:
        """JSON-ready data."""
        return {
            "verdict": self.verdict,
            "headline": self.headline,
            "issue": self.said("issue"),
            "fix": self.said("fix"),
            "owner": self.said("owner"),
            "link": self.said("link"),
            "rows": dict(self.rows),
            "cases": [case.id for case in self.cases],
        }


def signature(words: str) -> str:
    """What tells one kind of failure from another in its first line: a finding's check, or the line
    without its figures.
    """
    line = words.splitlines()[0] if words else ""
    found = _FINDING.match(line)
    return found[1] if found else re.sub(r"\d+", "#", line)


def judged(cases: Sequence[CaseEvidence]) -> list[common.Judged]:
    """The cases as the second look of the diagnosis takes them."""
    return [
        common.Judged(
            id=case.id,
            row=case.row,
            deployment=case.deployment,
            axes=case.axes,
            passed=case.passed,
            failed=case.verdict is Verdict.FAILED,
            causes=[cause for cause in case.diagnosis if cause.get("id")],
            landed=partial(_landed, case),
            integration=case.integration,
            moment=text_of(case.case, "moment"),
            trunk=text_of(case.case, "trunk"),
            reached=cache(partial(_reached, case)),
        )
        for case in cases
    ]


def _landed(case: CaseEvidence) -> set[str]:
    found = set()
    for finding in case.findings:
        if finding.check == "landing" and finding.verdict is Verdict.PASSED:
            found.add(str(finding.facts.get("wanted")))
    return found


def _reached(case: CaseEvidence) -> bool | None:
    checks = "landing.answered_by", "route.tried"
    verdicts = {finding.verdict for finding in case.findings if finding.check in checks}
    if Verdict.FAILED in verdicts:
        return False
    return True if Verdict.PASSED in verdicts else None


def grouped(cases: Sequence[CaseEvidence]) -> list[CauseGroup]:
    """What did not pass, each cause once: failed first, the most frequent first.

    Failures go by the causes they have in common (``causes.json``), all else by what is said of it.
    """
    failed: dict[str, list[CaseEvidence]] = {}
    for case in cases:
        if case.verdict is Verdict.FAILED:
            failed.setdefault(case.id, []).append(case)
    groups, explained = [], set()
    for one in common.common_causes(judged(cases)):
        members: list[CaseEvidence] = []
        for name in dict.fromkeys(one.cases):
            members += _of_cause(failed[name], one.id)
        explained |= {id(case) for case in members}
        # what a case says first, it says best; the surest first
        members.sort(key=lambda case: (case.first_cause.get("id") != one.id, doubt(case)))
        groups.append(CauseGroup(Verdict.FAILED, tuple(members), one, _of(members, cases)))
    others: dict[tuple[Verdict, str], list[CaseEvidence]] = {}
    for case in cases:
        if not case.passed and id(case) not in explained:
            others.setdefault((case.verdict, signature(case.headline)), []).append(case)
    for (verdict, _), members in others.items():
        groups.append(CauseGroup(verdict, tuple(members), of=_of(members, cases)))
    return sorted(groups, key=lambda group: (ORDER.index(group.verdict), -len(group.cases)))


def _of(members: Sequence[CaseEvidence], cases: Sequence[CaseEvidence]) -> tuple[str, ...]:
    """The deployments and sites of a group's cases; none where they are all that the run has."""
    found = []
    for what in ("deployment", "site"):
        own = dict.fromkeys(text_of(case.case, what) for case in members)
        every = {text_of(case.case, what) for case in cases}
        if len(own) < len(every):
            found.append(f"{what} {' and '.join(own)}")
    return tuple(found)


def _of_cause(same: Sequence[CaseEvidence], cause: object) -> Sequence[CaseEvidence]:
    """Of the cases of one id, which several sites may have run, those that have the cause."""
    if len(same) == 1:
        return same
    having = [case for case in same if any(one.get("id") == cause for one in case.diagnosis)]
    return having or same


def doubt(case: CaseEvidence) -> int:
    """How unsure the case is of its first cause: 0 is certain."""
    confidence = str(case.first_cause.get("confidence"))
    return list(HEDGES).index(confidence) if confidence in HEDGES else len(HEDGES)
