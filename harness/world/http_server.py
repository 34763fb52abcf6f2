"""An HTTP server of the world (Synthflow's API, campaigns, the control API) and its guards.

The servers listen on loopback, which every local program reaches.
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from ssl import SSLContext
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler

MOST_BODY: Final = 64 * 1024  #: octets of a request's body
CONTROL_USER: Final = "control"


def application(authorization: str | None = None) -> web.Application:
    """An application behind the guards; ``authorization`` is the Authorization header that a
    request needs.

    Without one, a POST has to be JSON, which no web page can send to another origin without asking
    (CORS preflight).
    """

    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        host, port = (
            request.transport.get_extra_info("sockname")[:2] if request.transport else ("", 0)
        )
        if request.headers.getall("Host", []) != [f"{host}:{port}"]:
            # A name that was pointed at this address: DNS rebinding (RFC 9110 section 15.5.20).
            return error(421, "another host was asked for")
        if authorization is not None:
            shown = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
            if not hmac.compare_digest(shown, authorization.encode()):
                return error(401, "a token is needed")
        elif request.method == "POST" and request.content_type != "application/json":
            return error(415, "Content-Type has to be application/json")
        return await handler(request)

    return web.Application(middlewares=[guarded], client_max_size=MOST_BODY)


def basic(token: str) -> str:
    """A token as the password in an Authorization header, so that a URL can carry it (RFC 7617)."""
    return f"Basic {b64encode(f'{CONTROL_USER}:{token}'.encode()).decode()}"


def error(status: int, message: str) -> web.Response:
    """A refusal, as Synthflow's API words it."""
    return web.json_response(
        {"status": "error", "message": message, "error": message}, status=status
    )


class HttpServer:
    """Serves an application. It can refuse connections for a while, and then listen on the same
    port again.
    """

    def __init__(self, app: web.Application, address: str, tls: SSLContext | None = None) -> None:
        self._runner = web.AppRunner(app, access_log=None)
        self._address = address
        self._tls = tls
        self._port = 0
        self._site: web.TCPSite | None = None

    async def start(self) -> str:
        """Listen; returns host:port."""
        await self._runner.setup()
        await self.resume()
        self._port = int(self._runner.addresses[0][1])
        return f"{self._address}:{self._port}"

    async def resume(self) -> None:
        """Listen, unless it does already."""
        if self._site is None:
            self._site = web.TCPSite(self._runner, self._address, self._port, ssl_context=self._tls)
            await self._site.start()

    async def pause(self) -> None:
        """Refuse connections."""
        site, self._site = self._site, None
        if site is not None:
            await site.stop()

    async def stop(self) -> None:
        """Stop for good."""
        await self._runner.cleanup()
