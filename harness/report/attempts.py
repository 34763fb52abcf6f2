"""The attempts at each case, and the one that counts."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from harness.calls.verdict import Conclusion, Verdict
from harness.report.evidence import CaseEvidence

_NEVER_ALONE = "it was a guess that a call was this case's, and it was not run again alone"


@dataclass(frozen=True)
class Tries:
    """The attempts at one case of one site, in their order."""

    attempts: Sequence[CaseEvidence]

    @cached_property
    def counting(self) -> CaseEvidence:
        """The attempt that counts, usually the last.

        An attempt that broke or was not observable says nothing of the system, so an earlier failure still counts. A guess has
        broken, too, where the case was not run again alone.
        """
        last = self.attempts[-1]
        if last.is_guessed:  # the one that would count was never begun
            last = dataclasses.replace(last, conclusion=Conclusion(Verdict.BROKEN, _NEVER_ALONE), diagnosis=())
        if last.verdict.says_something:
            return last
        said = (one for one in reversed(self.attempts) if one.verdict.says_something and not one.is_guessed)
        before = next(said, None)
        return before if before is not None and before.verdict is Verdict.FAILED else last

    @property
    def count(self) -> int:
        """How often the case was tried until it ended as it did: the last attempt, and those before that did not pass.

        An earlier attempt without evidence counts, since its end is unknown. An attempt without processor time does not count.
        """
        missing = max(0, self.counting.attempt - len(self.attempts))
        others = (one for one in self.attempts if one.directory != self.counting.directory)
        return 1 + missing + sum(one.verdict is not Verdict.PASSED and not one.is_starved for one in others)

    @property
    def passed_on_retry(self) -> bool:
        """Whether it passed in the end, after an attempt that did not. A guess that is run again alone is no retry."""
        return self.counting.verdict is Verdict.PASSED and self.count > 1

    @property
    def before(self) -> list[str]:
        """How the earlier attempts of a case that passed on retry ended: ``attempt 1, failed: …``."""
        return [
            f"attempt {one.attempt}, {one.verdict}: {one.headline.removeprefix(f'{one.verdict}: ')}"
            for one in self.attempts
            if one.verdict is not Verdict.PASSED
        ]


def tries_of(evidences: Iterable[CaseEvidence]) -> list[Tries]:
    """The attempts of each case of each site: by integration, row and id.

    Those of one run are in the order of their numbers, since the clock may have been set back; runs go by the wall clock.
    """
    every: dict[tuple[str, str], dict[object, list[CaseEvidence]]] = {}
    for evidence in evidences:
        every.setdefault(evidence.key, {}).setdefault(evidence.case.get("run"), []).append(evidence)
    found = []
    for runs in every.values():
        in_order = [sorted(of_run, key=lambda one: (one.attempt, one.began_wall)) for of_run in runs.values()]
        in_order.sort(key=lambda of_run: (of_run[-1].began_wall, of_run[-1].attempt))
        found.append(Tries([one for of_run in in_order for one in of_run]))
    return sorted(
        found, key=lambda one: (one.counting.integration, one.counting.row, one.counting.id, one.counting.site)
    )


def latest(evidences: Iterable[CaseEvidence]) -> list[CaseEvidence]:
    """Of each case of each site the attempt that counts: by integration, row and id."""
    return [one.counting for one in tries_of(evidences)]
