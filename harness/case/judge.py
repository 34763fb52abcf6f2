"""The judge: what a log says of the system under test.

One function makes every finding: while a case runs, at its end, and when a stored case is judged
again, alone or with files that others made.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from harness.case.checks.registry import registered
from harness.case.events import Event, Expected
from harness.case.excuses import Excuses, Machine, MachineInLog
from harness.case.legs import EventLog
from harness.case.verdict import Finding

Agents = Mapping[str, Collection[str]]  #: of each group
#: An expectation and its finding → the expectation with what files of others show besides; None
#: where they show nothing of it.
Changed = Callable[[Expected, Finding | None], Expected | None]


class Judge:
    """Judges the expectations of one case, in their order, by the events so far.

    ``events`` may still grow. ``agents``: the agents of each group of the deployment.
    """

    def __init__(
        self,
        events: EventLog,
        machine: Machine,
        agents: Agents,
        began: float,
    ) -> None:
        self._excuses = Excuses(events, machine, agents, began)

    def finding(self, expected: Expected) -> Finding | None:
        """The finding of an expectation; None where its check cannot say anything.

        Raises ``KeyError`` for a check that is not registered, ``TypeError`` or ``ValueError`` for
        arguments that it does not have.
        """
        found = registered(expected.check).judged(expected.given)
        if found is None:
            return None
        at = expected.at if expected.dated_at is None else expected.dated_at
        found = replace(found, at=at, dispensable=expected.dispensable)
        return self._excuses.applied(found, expected)


@dataclass(frozen=True)
class Judged:
    """An expectation of a stored case, and its finding."""

    expected: Expected
    finding: Finding | None  #: None where the check says nothing
    error: str = ""  #: why it could not be judged
    is_changed: bool = False  #: files of others show something of it


def unchanged(expected: Expected, found: Finding | None) -> None:
    """There are no files of others."""


def judged(
    events: Iterable[Event],
    agents: Agents,
    began: float,
    *,
    changed: Changed = unchanged,
) -> Iterator[Judged]:
    """Each expectation of a stored case, judged by the events before it."""
    log = EventLog()
    judge = Judge(log, MachineInLog(log), agents, began)
    for event in events:
        if isinstance(event, Expected):
            try:
                found = judge.finding(event)
                better = changed(event, found)
                if better is None:
                    yield Judged(event, found)
                else:
                    yield Judged(better, judge.finding(better), is_changed=True)
            except (LookupError, TypeError, ValueError) as error:
                yield Judged(event, None, f"{event.check}: {error}")
        log.add(event)
