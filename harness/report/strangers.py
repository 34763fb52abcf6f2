"""Callers that are not the platform, counted over a run by address."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from harness.calls.events import StrangerRefused


@dataclass(frozen=True, slots=True)
class Stranger:
    """Requests from one address that no deployment file names, or that named a call wrongly."""

    source: str
    requests: int
    methods: tuple[str, ...]  #: the most frequent first
    user_agents: tuple[str, ...]
    why: tuple[str, ...]  #: ``address``: not one of the platform; ``call-id``: it named a call of the harness wrongly

    def __str__(self) -> str:
        agents = f", {', '.join(self.user_agents)}" if self.user_agents else ""
        return f"{self.source} ({self.requests}× {', '.join(self.methods)}{agents})"


def strangers(counts: Iterable[StrangerRefused]) -> list[Stranger]:
    """Each caller, the most frequent first, from the counts of all cases; cases that share a phone have the same counts."""
    counted: dict[str, Counter[str]] = {}
    agents: dict[str, Counter[str]] = {}
    why: dict[str, Counter[str]] = {}
    last: dict[tuple[str, ...], int] = {}
    seen = {(e.at, e.phone, e.source, e.transport, e.method, e.user_agent, e.why): e for e in counts}
    for event in sorted(seen.values(), key=lambda e: e.at):
        kind = (event.phone, event.leg or "", event.source, event.transport, event.method, event.user_agent, event.why)
        before = last.get(kind, 0)
        more = event.count - before if event.count > before else event.count  # a new lease counts from the beginning
        last[kind] = event.count
        counted.setdefault(event.source, Counter())[event.method] += more
        why.setdefault(event.source, Counter())[event.why] += more
        if event.user_agent:
            agents.setdefault(event.source, Counter())[event.user_agent] += more
    found = [
        Stranger(
            source,
            methods.total(),
            tuple(name for name, _ in methods.most_common()),
            tuple(name for name, _ in agents.get(source, Counter[str]()).most_common()),
            tuple(name for name, _ in why[source].most_common()),
        )
        for source, methods in counted.items()
    ]
    return sorted(found, key=lambda one: (-one.requests, one.source))
