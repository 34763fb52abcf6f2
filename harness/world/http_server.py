"""An HTTP server of the world: Synthflow's API, campaigns, the control API."""

from __future__ import annotations

from ssl import SSLContext

from aiohttp import web


class HttpServer:
    """Serves an application. It can refuse connections for a while, and then listen on the same port again."""

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
