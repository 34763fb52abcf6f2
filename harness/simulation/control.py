"""The world's control API: faults, settings and the audit. For tests of the harness; nothing that judges uses it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from aiohttp import web

from harness.errors import DeploymentError, SelectionError
from harness.simulation import guards
from harness.simulation.settings import parse
from harness.simulation.tenant import Tenant


class Controlled(Protocol):
    """The world, as its control API sees it."""

    @property
    def tenants(self) -> Sequence[Tenant]:
        """All of them, in order."""

    def state_of_all(self) -> dict[str, Any]:
        """What is up, and what went wrong."""


def control(world: Controlled, token: str) -> web.Application:
    """``GET /calls``, ``GET /faults``, ``POST`` and ``DELETE /faults`` with ``{"name", "line"?, "tenant"?}``; ``/settings``.

    ``DELETE /calls`` with ``{"tenant"?}`` hangs up what is up, and answers when it is over (504 where it does not end).
    """
    interface, app = _Interface(world), guards.application(guards.basic(token))
    app.router.add_get("/calls", interface.calls)
    app.router.add_delete("/calls", interface.end_calls)
    app.router.add_get("/faults", interface.faults)
    app.router.add_post("/faults", interface.change)
    app.router.add_delete("/faults", interface.change)
    app.router.add_get("/settings", interface.settings)
    app.router.add_put("/settings", interface.settle)
    return app


class _Interface:
    """The handlers of requests."""

    def __init__(self, world: Controlled) -> None:
        self._world = world

    async def calls(self, request: web.Request) -> web.Response:
        return web.json_response(self._world.state_of_all())

    async def end_calls(self, request: web.Request) -> web.Response:
        try:
            asked = json.loads(await request.read() or b"{}")
            await asyncio.gather(*(tenant.end_calls() for tenant in self._tenants(asked)))
        except SelectionError as error:
            return guards.error(400, str(error))
        except TimeoutError:
            return guards.error(504, "a call does not end")
        except (ValueError, TypeError, AttributeError, RecursionError):
            return guards.error(400, "a JSON object is needed")
        return await self.calls(request)

    async def faults(self, request: web.Request) -> web.Response:
        return web.json_response({tenant.number: tenant.faults.listed() for tenant in self._world.tenants})

    async def change(self, request: web.Request) -> web.Response:
        try:
            asked = json.loads(await request.read() or b"{}")
            tenants = self._tenants(asked)
            if request.method == "DELETE" and "name" not in asked:
                for tenant in tenants:
                    tenant.faults.clear_all()
            else:
                for tenant in tenants:
                    switch = tenant.faults.set if request.method == "POST" else tenant.faults.clear
                    switch(str(asked["name"]), asked.get("line"))
        except SelectionError as error:
            return guards.error(400, str(error))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return guards.error(400, "a JSON object with name is needed")
        return web.json_response({tenant.number: tenant.faults.listed() for tenant in tenants})

    async def settings(self, request: web.Request) -> web.Response:
        return web.json_response({tenant.number: tenant.settings.now.model_dump() for tenant in self._world.tenants})

    async def settle(self, request: web.Request) -> web.Response:
        try:
            asked = json.loads(await request.read() or b"{}")
            now = parse(asked["settings"])
            for tenant in self._tenants(asked):
                await tenant.change_settings(now)
        except (DeploymentError, SelectionError) as error:
            return guards.error(400, str(error))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return guards.error(400, "a JSON object with settings is needed")
        return web.json_response(now.model_dump())

    def _tenants(self, asked: dict[str, Any]) -> Iterable[Tenant]:
        number, tenants = asked.get("tenant"), self._world.tenants
        if number is None:
            return tenants
        found = [tenant for tenant in tenants if tenant.number == number]
        if not found:
            raise SelectionError(f"tenant {number}: there is none; allowed: 0 to {len(tenants) - 1}")
        return found
