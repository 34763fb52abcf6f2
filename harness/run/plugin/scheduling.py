"""A worker has its cases as soon as it has collected them; xdist by itself lets the first wait until the last has.

Which cases a worker begins with is the same: those that :class:`LoadScheduling` deals when all are there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from xdist.scheduler import LoadScheduling


class AsTheyCome(LoadScheduling):  # type: ignore[misc]  # xdist has no types
    """The scheduler of a run, which also starts all workers but the first: that one has its case meanwhile."""

    collection: list[str] | None
    pending: list[int]

    def __init__(self, config: pytest.Config, log: Any, others: Sequence[Any]) -> None:
        """``others`` are the specifications of the workers that have not been started."""
        super().__init__(config, log)
        self._others = others
        self._come = 0  #: workers that have collected

    def add_node_collection(self, node: Any, collection: Sequence[str]) -> None:
        """Take note of what a worker has collected, and let it begin."""
        super().add_node_collection(node, collection)
        if self.collection is None:
            self.collection = list(collection)
            self.pending[:] = range(len(collection))
        if list(collection) == self.collection:
            self._deal(node, len(collection))
        else:
            self._check_nodes_have_same_collection()  # reports it as a failure of the run
            node.shutdown()
        others, self._others = self._others, ()
        start(self.config, others)

    def schedule(self) -> None:
        """All have come: who has nothing behind the case it runs gets more, or learns that there is no more."""
        for node in self.nodes:
            if not self.pending or len(self.node2pending[node]) < 2:
                self.check_schedule(node)

    def _deal(self, node: Any, cases: int) -> None:
        workers, turn = self.numnodes, self._come
        self._come += 1
        if turn >= workers:
            return  # it stands in for one that died: it gets what is left
        if cases < 2 * workers:
            mine = [case for case in range(turn, cases, workers) if case in self.pending]
        else:
            mine = self.pending[: max(min(cases // workers // 4, self.maxschedchunk), 2)]
        for case in mine:
            self.pending.remove(case)
        self.node2pending[node].extend(mine)
        node.send_runtest_some(mine)
        if cases < 2 * workers:
            node.shutdown()  # there are no more cases, and a worker holds its last case back until its shutdown


def start(config: pytest.Config, specs: Sequence[Any]) -> None:
    """Start workers, as xdist starts one in the place of another."""
    session: Any = config.pluginmanager.get_plugin("dsession")
    for spec in specs:
        session._active_nodes.add(session.nodemanager.setup_node(spec, session.queue.put))
