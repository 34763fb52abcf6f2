"""The cases that run beside this one in the same deployment, as far as it has to know of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.phone.shared import Sharing


@dataclass(frozen=True)
class Company:
    """What tells the case's calls from those of the cases beside it; by default nobody is."""

    switchboard: Path | None = None  #: where the phones are that all of them use; None: the case has its own
    numbers: tuple[str, ...] = ()  #: of the case's own callers, E.164
    others: frozenset[str] = frozenset()  #: numbers whose calls are another case's
    lands_at: frozenset[str] = frozenset()  #: the agents that no other case expects a call at
    withholds: bool = False  #: whether the case's caller withholds the number
    #: What an agent sees after the case's handover, where it is another number than the caller's.
    shows: str | None = None

    def sharing(self, lands: bool) -> Sharing | None:
        """How the case takes part in a phone that it shares; ``lands``: it waits for a call there."""
        if self.switchboard is None:
            return None
        numbers = (*self.numbers, self.shows) if lands and self.shows else self.numbers
        return Sharing(self.switchboard, numbers, lands, self.withholds)


ALONE = Company()
