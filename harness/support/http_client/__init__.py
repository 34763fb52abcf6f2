"""HTTP requests to somebody else's server: answers of a limited size, in a limited time, and no
redirection followed.

aiohttp is imported with the first client (``session``): a run's controller, which makes none, would
begin a tenth of a second later.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Mapping
from concurrent.futures import wait
from typing import TYPE_CHECKING, Any, Final, TypeVar

from harness.support.http_client.answers import MOST_BYTES, HttpError, HttpResponse, Trouble, Trust

if TYPE_CHECKING:
    import aiohttp

__all__ = ["MOST_BYTES", "Answer", "HttpClient", "HttpError", "HttpResponse", "Trouble", "Trust"]

Answer = TypeVar("Answer")

_LONGEST_NAP_S: Final = 1.0


class HttpClient:
    """Requests for callers that block, from any thread; connections are kept."""

    def __init__(
        self,
        verify: Trust = True,
        headers: Mapping[str, str] | None = None,
        *,
        public: bool = False,
    ) -> None:
        """``public``: it connects to addresses of the Internet alone, whatever a name leads to."""
        from harness.support.http_client import session

        async def opened() -> aiohttp.ClientSession:
            return session.client(verify, public=public)

        self._headers = headers or {}
        self._fetch = session.fetch
        self._loop = asyncio.new_event_loop()
        # a daemon: a process that ends without close() does not wait for it
        self._thread = threading.Thread(target=self._run, name="http", daemon=True)
        self._thread.start()
        self._client = self.wait(opened())

    def _run(self) -> None:
        # A bound method keeps the instance alive as long as the thread: aiohttp warns of unclosed
        # sessions that are freed.
        self._loop.run_forever()

    def request(
        self,
        method: str,
        url: str,
        within_s: float,
        headers: Mapping[str, str] | None = None,
        **arguments: Any,
    ) -> HttpResponse:
        """One request and its whole answer. Raises :class:`HttpError`."""
        return self.wait(self.fetch(method, url, within_s, headers, **arguments))

    async def fetch(
        self,
        method: str,
        url: str,
        within_s: float,
        headers: Mapping[str, str] | None = None,
        **arguments: Any,
    ) -> HttpResponse:
        """The same as a coroutine for :meth:`wait`; further arguments are those of
        :func:`.session.fetch`.
        """
        own = {**self._headers, **(headers or {})}
        return await self._fetch(self._client, method, url, within_s, headers=own, **arguments)

    def wait(self, asked: Coroutine[Any, Any, Answer]) -> Answer:
        """Run a coroutine that makes several requests, and return its result; a thread per request
        would be expensive.

        An interruption cancels it.
        """
        answer = asyncio.run_coroutine_threadsafe(asked, self._loop)
        try:
            while not answer.done():
                # a signal that comes between the interpreter's last look and the wait itself is
                # seen when that ends, and not before
                wait([answer], _LONGEST_NAP_S)
            return answer.result()
        finally:
            answer.cancel()  # nothing, where it has come

    def close(self) -> None:
        """End the connections."""
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    async def _end(self) -> None:
        asked = asyncio.all_tasks() - {asyncio.current_task()}
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
        await self._client.close()
