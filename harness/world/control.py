"""The world's control API: faults, settings and the audit. For tests of the harness; nothing that judges uses it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from functools import wraps
from typing import TYPE_CHECKING, Any

from aiohttp import web

from harness.errors import DeploymentError, SelectionError
from harness.world import http_server
from harness.world.settings import parse
from harness.world.tenant import Tenant

if TYPE_CHECKING:
    from harness.world.world import World

_Asked = Callable[["_Interface", dict[str, Any]], Awaitable[web.Response]]
_Handler = Callable[["_Interface", web.Request], Awaitable[web.Response]]


def control(world: World, token: str) -> web.Application:
    """``GET /calls``, ``GET /faults``, ``POST`` and ``DELETE /faults`` with ``{"name", "line"?, "tenant"?}``; ``/settings``.

    ``DELETE /calls`` with ``{"tenant"?}`` hangs up what is up, and answers when it is over (504 where it does not end).
    """
    interface, app = _Interface(world), http_server.application(http_server.basic(token))
    app.router.add_get("/calls", interface.calls)
    app.router.add_delete("/calls", interface.end_calls)
    app.router.add_get("/faults", interface.faults)
    app.router.add_post("/faults", interface.set_fault)
    app.router.add_delete("/faults", interface.clear_faults)
    app.router.add_get("/settings", interface.settings)
    app.router.add_put("/settings", interface.settle)
    return app


def _listed(tenants: Iterable[Tenant]) -> web.Response:
    return web.json_response({tenant.number: tenant.context.faults.listed() for tenant in tenants})


def _asked_in_json(needed: str) -> Callable[[_Asked], _Handler]:
    """A handler of requests whose body is a JSON object; a mistake in it is 400, a call that does not end 504."""

    def handled(answer: _Asked) -> _Handler:
        @wraps(answer)
        async def handler(interface: _Interface, request: web.Request) -> web.Response:
            try:
                return await answer(interface, json.loads(await request.read() or b"{}"))
            except (DeploymentError, SelectionError) as error:
                return http_server.error(400, str(error))
            except TimeoutError:
                return http_server.error(504, "a call does not end")
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                return http_server.error(400, needed)

        return handler

    return handled


class _Interface:
    """The handlers of requests."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def calls(self, request: web.Request) -> web.Response:
        return web.json_response(self._world.state_of_all())

    @_asked_in_json("a JSON object is needed")
    async def end_calls(self, asked: dict[str, Any]) -> web.Response:
        await asyncio.gather(*(tenant.end_calls() for tenant in self._tenants(asked)))
        return web.json_response(self._world.state_of_all())

    async def faults(self, request: web.Request) -> web.Response:
        return _listed(self._world.tenants)

    @_asked_in_json("a JSON object with name is needed")
    async def set_fault(self, asked: dict[str, Any]) -> web.Response:
        tenants = self._tenants(asked)
        for tenant in tenants:
            tenant.context.faults.set(str(asked["name"]), asked.get("line"))
        return _listed(tenants)

    @_asked_in_json("a JSON object with name is needed")
    async def clear_faults(self, asked: dict[str, Any]) -> web.Response:
        tenants = self._tenants(asked)
        for tenant in tenants:
            if "name" in asked:
                tenant.context.faults.clear(str(asked["name"]), asked.get("line"))
            else:
                tenant.context.faults.clear_all()
        return _listed(tenants)

    async def settings(self, request: web.Request) -> web.Response:
        return web.json_response(
            {tenant.number: tenant.context.settings.model_dump() for tenant in self._world.tenants}
        )

    @_asked_in_json("a JSON object with settings is needed")
    async def settle(self, asked: dict[str, Any]) -> web.Response:
        now = parse(asked["settings"])
        for tenant in self._tenants(asked):
            await tenant.change_settings(now)
        return web.json_response(now.model_dump())

    def _tenants(self, asked: dict[str, Any]) -> Iterable[Tenant]:
        number, tenants = asked.get("tenant"), self._world.tenants
        if number is None:
            return tenants
        found = [tenant for tenant in tenants if tenant.number == number]
        if not found:
            raise SelectionError(f"tenant {number}: there is none; allowed: 0 to {len(tenants) - 1}")
        return found
