"""HTTP requests to somebody else's server: answers of a limited size, in a limited time, and no redirection followed.

httpx limits each read, not the whole: a server that sends a byte every two seconds would be waited for without end.
"""

from __future__ import annotations

import asyncio
import functools
import ssl
import threading
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import httpx

#: More than any answer that is read here has; a hostile one could be any size.
MOST_BYTES = 8 * 1024 * 1024

Trouble = Literal["refused", "late", "unusable"]
Answer = TypeVar("Answer")


class HttpError(Exception):
    """No usable answer came; ``trouble`` says of which kind."""

    def __init__(self, trouble: Trouble, message: str) -> None:
        super().__init__(message)
        self.trouble = trouble


@dataclass(frozen=True)
class HttpResponse:
    """A whole answer."""

    status: int
    reason: str
    headers: httpx.Headers
    body: bytes

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300


async def fetch(
    client: httpx.AsyncClient,
    method: str,
    url: str,
    within_s: float,
    most_bytes: int = MOST_BYTES,
    headers: Mapping[str, str] | None = None,
    **arguments: Any,
) -> HttpResponse:
    """One request and its whole answer. Raises :class:`HttpError`, whose text holds no header of the request."""
    unsendable = HttpError("unusable", "a header of the request cannot be sent")
    try:
        own = httpx.Headers(headers)
    except ValueError:
        raise unsendable from None  # of both, the text shows what may be the token
    try:
        async with asyncio.timeout(within_s):
            async with client.stream(
                method, url, follow_redirects=False, timeout=None, headers=own, **arguments
            ) as response:
                body = await _body(response, most_bytes)
    except TimeoutError:
        raise HttpError("late", f"no whole answer within {within_s:g} s") from None
    except httpx.LocalProtocolError:
        raise unsendable from None
    except httpx.ConnectError as error:
        raise HttpError("refused", f"ConnectError: {error}") from error
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError, ValueError) as error:
        raise HttpError("unusable", f"{type(error).__name__}: {error}") from error
    except ExceptionGroup as group:  # anyio's, of a port that is none
        raise HttpError("unusable", "; ".join(f"{type(e).__name__}: {e}" for e in group.exceptions)) from group
    return HttpResponse(response.status_code, response.reason_phrase, response.headers, body)


async def _body(response: httpx.Response, most_bytes: int) -> bytes:
    # asked for as it is: a few bytes of gzip unpack to any number
    if response.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise HttpError("unusable", "the answer is compressed, which was not asked for")
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > most_bytes:
            raise HttpError("unusable", f"the answer has more than {most_bytes} bytes")
    return bytes(body)


def client(verify: ssl.SSLContext | bool = True) -> httpx.AsyncClient:
    """A client for :func:`fetch`: it reads neither proxies nor credentials from the environment.

    It trusts whom the system does, where nothing else is asked for; httpx by itself has a list of its own.
    """
    context = _system_trust() if verify is True else verify
    return httpx.AsyncClient(verify=context, headers={"Accept-Encoding": "identity"}, trust_env=False)


@functools.cache
def _system_trust() -> ssl.SSLContext:
    """Read once a process: it takes 20 ms."""
    return ssl.create_default_context()


class HttpClient:
    """:func:`fetch` for callers that block, from any thread; connections are kept."""

    def __init__(self, verify: ssl.SSLContext | bool = True, headers: Mapping[str, str] | None = None) -> None:
        self._client = client(verify)
        self._headers = headers or {}
        self._loop = asyncio.new_event_loop()
        # a daemon: a process that ends without close() does not wait for it
        self._thread = threading.Thread(target=self._loop.run_forever, name="http", daemon=True)
        self._thread.start()

    def request(
        self, method: str, url: str, within_s: float, headers: Mapping[str, str] | None = None, **arguments: Any
    ) -> HttpResponse:
        """One request and its whole answer. Raises :class:`HttpError`."""
        return self.wait(self.fetch(method, url, within_s, headers, **arguments))

    async def fetch(
        self, method: str, url: str, within_s: float, headers: Mapping[str, str] | None = None, **arguments: Any
    ) -> HttpResponse:
        """The same, for what :meth:`wait` is given."""
        own = {**self._headers, **(headers or {})}
        return await fetch(self._client, method, url, within_s, headers=own, **arguments)

    def wait(self, asked: Coroutine[Any, Any, Answer]) -> Answer:
        """What comes of several requests: a thread that waited for each by itself would cost as much as they do.

        Who is interrupted meanwhile asks no further.
        """
        answer = asyncio.run_coroutine_threadsafe(asked, self._loop)
        try:
            return answer.result()
        finally:
            answer.cancel()  # nothing, where it has come

    def close(self) -> None:
        """End the connections."""
        if self._thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._client.aclose(), self._loop).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()
