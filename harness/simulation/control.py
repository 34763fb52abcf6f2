"""The world's control API: faults, settings and the audit. For tests of the harness; nothing that judges uses it."""

from __future__ import annotations

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
    """``GET /calls``, ``GET /faults``, ``POST`` and ``DELETE /faults`` with ``{"name", "line"?, "tenant"?}``; ``/settings``."""

    async def calls(request: web.Request) -> web.Response:
        return web.json_response(world.state_of_all())

    async def faults(request: web.Request) -> web.Response:
        return web.json_response({tenant.number: tenant.faults.listed() for tenant in world.tenants})

    async def change(request: web.Request) -> web.Response:
        try:
            asked = json.loads(await request.read() or b"{}")
            tenants = _tenants(world, asked)
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

    async def settings(request: web.Request) -> web.Response:
        return web.json_response({tenant.number: tenant.settings.now.model_dump() for tenant in world.tenants})

    async def settle(request: web.Request) -> web.Response:
        try:
            asked = json.loads(await request.read() or b"{}")
            now = parse(asked["settings"])
            for tenant in _tenants(world, asked):
                await tenant.change_settings(now)
        except (DeploymentError, SelectionError) as error:
            return guards.error(400, str(error))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return guards.error(400, "a JSON object with settings is needed")
        return web.json_response(now.model_dump())

    app = guards.application(guards.basic(token))
    app.router.add_get("/calls", calls)
    app.router.add_get("/faults", faults)
    app.router.add_get("/settings", settings)
    app.router.add_put("/settings", settle)
    app.router.add_post("/faults", change)
    app.router.add_delete("/faults", change)
    return app


def _tenants(world: Controlled, asked: dict[str, Any]) -> Iterable[Tenant]:
    number = asked.get("tenant")
    if number is None:
        return world.tenants
    found = [tenant for tenant in world.tenants if tenant.number == number]
    if not found:
        raise SelectionError(f"tenant {number}: there is none; allowed: 0 to {len(world.tenants) - 1}")
    return found
