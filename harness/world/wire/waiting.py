"""A value that is set once and that any number of tasks may wait for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Waitable(Generic[T]):
    """Set once, to a value or an error. Unlike a future, it does not complain of an error that nobody awaits."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._error: Callable[[], BaseException] | None = None
        self.value: T | None = None

    @property
    def is_set(self) -> bool:
        """Whether the value or the error is there."""
        return self._event.is_set()

    def set(self, value: T) -> None:
        """Give the value; the first one counts."""
        if not self._event.is_set():
            self.value = value
            self._event.set()

    def fail(self, error: Callable[[], BaseException]) -> None:
        """Set what makes the error to raise. A kept error would keep the frames it was raised through, and these the error."""
        if not self._event.is_set():
            self._error = error
            self._event.set()

    def __await__(self) -> Generator[Any, None, T]:
        return self.wait().__await__()

    async def wait(self, within: float | None = None) -> T:
        """The value. Raises TimeoutError after ``within`` seconds, or the error."""
        async with asyncio.timeout(within):
            await self._event.wait()
        if self._error is not None:
            raise self._error()
        assert self.value is not None
        return self.value
