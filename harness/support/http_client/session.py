"""One request of aiohttp's and its whole answer.

aiohttp's exceptions end here: some hold the request with its headers, so that an :class:`HttpError`
has none of them behind it.
"""

from __future__ import annotations

import asyncio
import errno
import functools
import ipaddress
import re
import socket
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
from aiohttp import hdrs
from yarl import URL

from harness.support import network_text
from harness.support.http_client.answers import MOST_BYTES, HttpError, HttpResponse, Trust

#: Of a line of an answer's head; aiohttp's own limit of 8 KiB is less than some pages' policies
#: have.
_MOST_LINE_BYTES = 64 * 1024
#: A kept connection is used again for so long: uvicorn and Node close theirs after 5 s, and a POST
#: is not sent twice.
_KEPT_S = 4.0

#: RFC 9110 sections 5.1 and 5.5; servers differ in how they read non-ASCII characters.
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"([!-~]([ \t!-~]*[!-~])?)?")
#: RFC 9110 section 8.4.1, and IANA's registry. Some servers write other words there, as UTF-8 or
#: nothing, and mean none of them.
_CODINGS = frozenset(
    {"gzip", "x-gzip", "deflate", "compress", "x-compress", "br", "zstd", "dcb", "dcz"}
)
_NO_HEX = re.compile(r"%(?![0-9A-Fa-f]{2})")
#: What a path and a query may hold as it is, RFC 3986 sections 3.3 and 3.4.
_AS_IT_IS = "/?:@!$&'()*+,;=%[]"


async def fetch(
    client: aiohttp.ClientSession,
    method: str,
    url: str,
    within_s: float,
    most_bytes: int = MOST_BYTES,
    *,
    headers: Mapping[str, str] | None = None,
    params: Mapping[str, str] | None = None,
    json: Any = None,
    content: str | None = None,
    repeatable: bool = False,
) -> HttpResponse:
    """One request and its whole answer. Raises :class:`HttpError`, whose text holds no header of
    the request.

    ``repeatable``: it may be sent a second time where its connection, as one that was kept, is
    closed before an answer.
    """
    own = headers or {}
    if not all(
        _HEADER_NAME.fullmatch(name) and _HEADER_VALUE.fullmatch(value)
        for name, value in own.items()
    ):
        raise HttpError(
            "unusable", "a header of the request cannot be sent"
        )  # which of them may be the token
    arguments: dict[str, Any] = {"headers": own, "json": json}
    if content is not None:
        arguments |= {
            "data": content.encode("utf-8", "replace"),
            "skip_auto_headers": (hdrs.CONTENT_TYPE,),
        }
    if not repeatable:
        arguments["middlewares"] = (_once,)
    try:
        asked = _asked_for(f"{url}?{urlencode(params)}" if params else url)
        async with asyncio.timeout(within_s):
            response = await client.request(method, asked, allow_redirects=False, **arguments)
            try:
                return await _whole(response, most_bytes)
            finally:
                response.close()  # the connection of one that was read to its end is kept
    except (aiohttp.ClientError, OSError, ValueError) as error:  # a TimeoutError is an OSError
        failed = _failed(error, within_s)
    raise failed


def _failed(error: Exception, within_s: float) -> HttpError:
    match error:
        case TimeoutError():
            return HttpError("late", f"no whole answer within {within_s:g} s")
        case aiohttp.ClientConnectorError():
            return HttpError("refused", f"ConnectError: {error.os_error}")
        case aiohttp.ServerDisconnectedError() | DisconnectedError():
            said = "the connection was closed without a whole answer"
        case aiohttp.ClientResponseError():  # what follows in it quotes the answer
            said = network_text.line(error.message.partition("\n")[0].rstrip(":"))[:200]
        case _:
            said = str(error)
    return HttpError("unusable", f"{type(error).__name__}: {said}")


@functools.lru_cache(maxsize=64)
def _asked_for(url: str) -> URL:
    """A URL with its path and query as they stand: yarl by itself would resolve ``..`` and unquote.
    Raises :class:`HttpError`.
    """
    try:
        read = URL(url)
    except ValueError as error:
        raise HttpError("unusable", f"InvalidURL: {error}") from None
    if (
        read.scheme not in ("http", "https")
        or not read.raw_host
        or not read.port
        or not url.isprintable()
    ):
        raise HttpError("unusable", "InvalidURL: it is not http://host… or https://host…")
    rest = _NO_HEX.sub("%25", URL(url, encoded=True).raw_path_qs)
    return URL(f"{read.scheme}://{read.raw_authority}{quote(rest, _AS_IT_IS)}", encoded=True)


class DisconnectedError(aiohttp.ClientError):
    """In the stead of those that aiohttp takes as a reason to ask again."""


async def _once(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Sends nothing twice, as aiohttp does with a GET or PUT where the connection breaks off: a
    campaign's calls somebody.
    """
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise DisconnectedError from error


def _public_socket(target: aiohttp.AddrInfoType) -> socket.socket:
    """The socket for a connection. Raises OSError for a private, link-local or loopback address: it
    is asked for just before the connection, when all names are looked up.
    """
    family, kind, protocol, _, (address, *_) = target
    read = ipaddress.ip_address(str(address).partition("%")[0])
    read = getattr(read, "ipv4_mapped", None) or read
    if not read.is_global or read.is_multicast:
        raise OSError(errno.EACCES, f"{read} is no address of the Internet")
    return socket.socket(family, kind, protocol)


async def _whole(response: aiohttp.ClientResponse, most_bytes: int) -> HttpResponse:
    headers: dict[str, str] = {}
    for name, value in response.headers.items():
        name, value = name.lower(), network_text.line(value)
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    # asked for as it is: a few bytes of gzip unpack to any number
    if _CODINGS & {
        coding.strip().lower() for coding in headers.get("content-encoding", "").split(",")
    }:
        raise HttpError("unusable", "the answer is compressed, which was not asked for")
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > most_bytes:
            raise HttpError("unusable", f"the answer has more than {most_bytes} bytes")
    return HttpResponse(
        response.status, network_text.line(response.reason or ""), headers, bytes(body)
    )


def client(verify: Trust = True, *, public: bool = False) -> aiohttp.ClientSession:
    """A client for :func:`fetch`, made in the loop that it is used in: it reads neither proxies nor
    credentials from the environment, and keeps no cookie.

    ``public``: it connects to addresses of the Internet alone.
    """
    # By itself aiohttp asks DNS past the system's own table, where aiodns is installed.
    by_system = aiohttp.ThreadedResolver()
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            ssl=verify,
            resolver=by_system,
            keepalive_timeout=_KEPT_S,
            socket_factory=_public_socket if public else None,
        ),
        headers={hdrs.ACCEPT_ENCODING: "identity"},
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(),  # fetch has its own, of the whole
        auto_decompress=False,
        trust_env=False,
        max_line_size=_MOST_LINE_BYTES,
        max_field_size=_MOST_LINE_BYTES,
    )
