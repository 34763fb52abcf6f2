"""What a scenario does while it goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable

from harness.calls.verdict import is_failure


class Background:
    """Work in threads of its own; its error breaks the case."""

    def __init__(self) -> None:
        self._threads: list[threading.Thread] = []
        self._error: BaseException | None = None

    def start(self, work: Callable[[], None]) -> None:
        """Do ``work`` while the scenario goes on."""

        def guarded() -> None:
            try:
                work()
            except BaseException as error:  # raised by join(), in the scenario's own thread
                self._error = error

        thread = threading.Thread(target=guarded, name="background", daemon=True)
        self._threads.append(thread)
        thread.start()

    @property
    def fatal_error(self) -> BaseException | None:
        """What broke; an expectation that failed is none."""
        return None if is_failure(self._error) else self._error

    def join(self, within: float) -> None:
        """Wait for all of it. Raises what went wrong."""
        for thread in self._threads:
            thread.join(timeout=within)
        if self._error is not None:
            raise self._error
