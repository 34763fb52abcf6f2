"""The user agent, as its calls see it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar

from harness.sip.uri import NameAddr
from harness.world.wire.dialog import Dialog
from harness.world.wire.session import SessionPolicy
from harness.world.wire.transactions import Timers, TransactionLayer
from harness.world.wire.transport import Flow, Listen

T = TypeVar("T")


class Node(Protocol):
    """What calls need of their user agent; `UserAgent` says what each thing is."""

    name: str
    timers: Timers
    session: SessionPolicy | None
    layer: TransactionLayer

    def contact(self, listen: Listen, user: str | None = None) -> NameAddr:
        """Our Contact at one of our listeners."""

    def capabilities(self) -> list[tuple[str, str]]:
        """Allow and Supported."""

    def methods(self) -> list[str]:
        """What Allow says."""

    def flow_for(self, dialog: Dialog) -> Flow:
        """Where requests of a dialog go. Raises LookupError."""

    def spawn(self, work: Coroutine[Any, Any, T], what: str) -> asyncio.Task[T]:
        """Run something in the background until the node stops."""

    def guard(self, callback: Callable[[T], None], value: T) -> None:
        """Call a handler of the application; what it raises is logged."""
