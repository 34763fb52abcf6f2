"""The filter and the trace of a node's bytes."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Literal

from harness.world.wire.transport import REJECT, Delayed, Filter, Flow, Passage, Passed, Trace, Traced

_log = logging.getLogger(__name__)


class TracedFilter:
    """Filter and trace of one node. What they raise is logged and stops no message."""

    def __init__(self, node: str, filter: Filter | None, trace: Trace | None) -> None:
        self.node = node
        self.filter = filter
        self.trace = trace
        self._delayed: set[asyncio.TimerHandle] = set()

    def judge(self, passage: Passage) -> Passed:
        """The filter's answer; without a filter, or when it fails, the bytes as they are."""
        if self.filter is None:
            return passage.data
        try:
            return self.filter(passage)
        except Exception:
            _log.exception("%s: the filter failed", self.node)
            return passage.data

    def carry_out(self, verdict: Passed, deliver: Callable[[bytes], None], reject: Callable[[], None]) -> None:
        """Do what the filter said."""
        if verdict is None:
            return
        if verdict is REJECT:
            reject()
        elif isinstance(verdict, Delayed):
            self._later(verdict, deliver)
        elif isinstance(verdict, bytes):
            deliver(verdict)
        else:
            for piece in verdict:
                deliver(piece)

    def _later(self, delayed: Delayed, deliver: Callable[[bytes], None]) -> None:
        def fire() -> None:
            self._delayed.discard(handle)
            deliver(delayed.data)

        handle = asyncio.get_running_loop().call_later(delayed.seconds, fire)
        self._delayed.add(handle)

    def record(self, direction: Literal["sent", "received"], flow: Flow, data: bytes, verdict: Passed = b"") -> None:
        """Hand a whole message to the trace; a changed one as it went on."""
        if self.trace is None:
            return
        outcome: Literal["passed", "dropped", "rejected"] = "passed"
        if verdict is None:
            outcome = "dropped"
        elif verdict is REJECT:
            outcome = "rejected"
        elif isinstance(verdict, bytes) and verdict:
            data = verdict
        traced = Traced(time.monotonic(), self.node, direction, flow.transport, flow.local, flow.remote, data, outcome)
        try:
            self.trace(traced)
        except Exception:
            _log.exception("%s: the trace failed", self.node)

    def close(self) -> None:
        """Forget what is still delayed."""
        for handle in self._delayed:
            handle.cancel()
        self._delayed.clear()
