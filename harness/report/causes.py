"""Cases that did not pass, gathered by their cause: what the terminal, the report and a machine's summary show of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.report.evidence import CaseEvidence
from harness.verdict import ORDER, Verdict

#: ``CHECK of SUBJECT: …`` (a finding's text): the subject and the figures differ from case to case, the check does not.
_FINDING = re.compile(r"^((?:[\w ]+: )?[a-z_]+(?:\.[a-z_]+)*) of .*", re.DOTALL)


@dataclass(frozen=True)
class Group:
    """Cases of one verdict and one cause; there is at least one."""

    verdict: Verdict
    cases: tuple[CaseEvidence, ...]

    @property
    def headline(self) -> str:
        """What is said of the first of them."""
        return self.cases[0].headline

    @property
    def is_mixed(self) -> bool:
        """Whether others of them are worded otherwise, in their subjects or figures."""
        return len({case.headline for case in self.cases}) > 1

    @property
    def cause(self) -> Mapping[str, Any]:
        """The likeliest cause as the diagnosis has it; empty when there is none."""
        return self.cases[0].diagnosis[0] if self.cases[0].diagnosis else {}

    def said(self, key: str) -> str:
        """One of the cause's words (``fix``, ``owner``, ``link``, ``issue``); empty when it was not said."""
        return str(self.cause.get(key) or "")

    @property
    def rows(self) -> Counter[str]:
        """How many cases of each row."""
        return Counter(case.row for case in self.cases)

    def plain(self) -> dict[str, Any]:
        """JSON-ready data."""
        return {
            "verdict": str(self.verdict),
            "headline": self.headline,
            **{key: self.said(key) for key in ("issue", "fix", "owner", "link")},
            "rows": dict(self.rows),
            "cases": [case.id for case in self.cases],
        }


def signature(words: str) -> str:
    """What tells one kind of failure from another in its first line: a finding's check, or the line without its figures."""
    line = words.splitlines()[0] if words else ""
    found = _FINDING.match(line)
    return found[1] if found else re.sub(r"\d+", "#", line)


def grouped(cases: Sequence[CaseEvidence]) -> list[Group]:
    """What did not pass: failed first, the most frequent first."""
    found: dict[tuple[Verdict, str], list[CaseEvidence]] = {}
    for case in cases:
        if case.verdict is not Verdict.PASSED:
            found.setdefault((case.verdict, signature(case.headline)), []).append(case)
    groups = [Group(verdict, tuple(members)) for (verdict, _), members in found.items()]
    return sorted(groups, key=lambda group: (ORDER.index(group.verdict), -len(group.cases)))
