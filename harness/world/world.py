"""All tenants of one process, from start to the final audit, and the control API."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from aiohttp import web
from aiohttp.typedefs import Handler

from harness.deployment import Deployment, is_digit, replicas_to_plain
from harness.errors import DeploymentError, SelectionError
from harness.world import http_server
from harness.world.addresses import StartError
from harness.world.audit import Audit
from harness.world.http_server import CONTROL_USER, HttpServer
from harness.world.media.sound import Ticker
from harness.world.pki import Authority
from harness.world.settings import parse
from harness.world.synthflow.media_engine import MediaEngine
from harness.world.tenant import Tenant
from harness.world.wire.transport import ListenError, Trace, Traced

_CONTROL = 2  # the last octet of the control API's address, in the first tenant's block
_CHANNELS_PER_TENANT = 24
_FEWEST_CHANNELS = 128  # `harness load` asks one tenant for more

#: What callers say if only the transcript identifies them.
_GREETING = "hello-en"


def _understood(deployment: Deployment) -> tuple[str, ...]:
    """The prompts that the deployment's assistants understand, each once."""
    asked = [_GREETING]
    for name in deployment.assistants:
        for handover in deployment.handovers(name).values():
            if "prompt" in handover.ways and handover.prompt is not None:
                asked.append(handover.prompt)
            asked += [answer for answer in handover.then if not is_digit(answer)]
    return tuple(dict.fromkeys(asked))


class World:
    """``tenants`` copies of a deployment; ``directory`` gets certificates and logs.

    The tenants share the process, the clock for audio, the certificate authority, and the media
    engine, which has channels for the calls of all. They share no address and no call. The audit
    has the world's errors, its own and those of its tenants.
    """

    def __init__(
        self,
        deployment: Deployment,
        tenants: int,
        directory: Path,
        *,
        timings: Literal["quick", "documented"] = "quick",
        trace: bool = False,
        speech: bool = False,
    ) -> None:
        self.directory = directory
        self.speech = speech
        self.audit = Audit()
        self.ticker = Ticker()
        channels = max(
            _FEWEST_CHANNELS,
            _CHANNELS_PER_TENANT * tenants,
            deployment.limits.concurrent_calls + _CHANNELS_PER_TENANT,
        )
        self.media_engine = MediaEngine(self.ticker, _understood(deployment), channels)
        self.authority = Authority(directory / "certificates")
        self._trace_file = (directory / "sip.log").open("w", encoding="utf-8") if trace else None
        self.trace: Trace | None = self._write_trace if trace else None
        self.tenants = [
            Tenant(number, self, deployment, deployment.timings_by(timings))
            for number in range(tenants)
        ]
        self._control: HttpServer | None = None

    async def start(
        self, faults: Sequence[tuple[str, str | None]] = (), *, with_control: bool = False
    ) -> str | None:
        """Listen, then set the faults; returns the control API's URL with its password. Raises
        `StartError`, `SelectionError`.
        """
        # No address of a block is anybody else's, but the fixed ports of Synthflow may be taken by
        # a program that is bound to all addresses.
        try:
            for tenant in self.tenants:
                await tenant.start()
        except ListenError as error:
            for tenant in self.tenants:
                await tenant.close()
            raise StartError("busy-port", str(error)) from error
        self.ticker.start()
        for tenant in self.tenants:
            for name, line in faults:
                tenant.context.faults.set(name, line)
            tenant.numbers.renew()  # everything listens now, and the first faults are set
        return await self._start_control() if with_control else None

    async def _start_control(self) -> str:
        token = secrets.token_urlsafe(24)
        address = self.tenants[0].context.block[_CONTROL]
        self._control = HttpServer(control(self, token), address)
        return f"http://{CONTROL_USER}:{token}@{await self._control.start()}"

    def deployments(self) -> Sequence[dict[str, Any]]:
        """One for each tenant, as :func:`replicas_to_plain` has them."""
        return replicas_to_plain([tenant.as_declared for tenant in self.tenants])

    async def stop(self) -> bool:
        """Hang up and close; returns whether nothing was left over and nothing went wrong. A call or
        dialog that outlives its tenant is a defect of the world.
        """
        await asyncio.gather(*(tenant.stop() for tenant in self.tenants))
        if self._control is not None:
            await self._control.stop()
        self.ticker.stop()
        await self.audit.cancel_all()
        for tenant in self.tenants:
            left = tenant.state()
            if left["calls"] or left["ai_calls"] or left["dialogs"]:
                self.audit.add(f"left over: {left}")
        self.authority.remove()
        if self._trace_file is not None:
            self._trace_file.close()
        return not self.audit.errors

    def state_of_all(self) -> dict[str, Any]:
        """What is up, and what went wrong."""
        return {
            "tenants": [tenant.state() for tenant in self.tenants],
            "channels": len(self.media_engine),
            "errors": self.audit.errors,
            "stood_still": list(self.ticker.stood_still),
        }

    def _write_trace(self, traced: Traced) -> None:
        if self._trace_file is None or self._trace_file.closed:
            return
        arrow = "->" if traced.direction == "sent" else "<-"
        ends = f"{traced.local} {arrow} {traced.remote}"
        head = f"--- {traced.at:.4f} {traced.node} {traced.transport} {ends}"
        message = traced.data.decode("utf-8", "replace")
        with contextlib.suppress(OSError):  # calls go on without a trace on a full disk
            self._trace_file.write(f"{head}\n{message}\n")
            self._trace_file.flush()


@web.middleware
async def _explained(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A mistake in a request is 400, a call that does not end 504."""
    try:
        return await handler(request)
    except (DeploymentError, SelectionError) as error:
        return http_server.error(400, str(error))
    except TimeoutError:
        return http_server.error(504, "a call does not end")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        return http_server.error(400, f"the body does not have what this request needs: {error!r}")


async def _asked(request: web.Request) -> Any:
    return json.loads(await request.read() or b"{}")


def control(world: World, token: str) -> web.Application:
    """``GET /calls``, ``GET /faults``, ``POST`` and ``DELETE /faults`` with ``{"name", "line"?,
    "tenant"?}``; ``/settings``.

    ``DELETE /calls`` with ``{"tenant"?}`` hangs up what is up, and answers when it is over (504
    where it does not end). For tests of the harness; nothing that judges uses it.
    """

    def chosen(asked: Any) -> list[Tenant]:
        number = asked.get("tenant")
        found = [tenant for tenant in world.tenants if number in (None, tenant.number)]
        if not found:
            last = len(world.tenants) - 1
            raise SelectionError(f"tenant {number}: there is none; allowed: 0 to {last}")
        return found

    def listed(tenants: Sequence[Tenant]) -> web.Response:
        return web.json_response(
            {tenant.number: tenant.context.faults.listed() for tenant in tenants}
        )

    async def calls(request: web.Request) -> web.Response:
        return web.json_response(world.state_of_all())

    async def end_calls(request: web.Request) -> web.Response:
        tenants = chosen(await _asked(request))
        await asyncio.gather(*(tenant.end_calls() for tenant in tenants))
        return web.json_response(world.state_of_all())

    async def faults(request: web.Request) -> web.Response:
        return listed(world.tenants)

    async def set_fault(request: web.Request) -> web.Response:
        asked = await _asked(request)
        tenants = chosen(asked)
        for tenant in tenants:
            tenant.context.faults.set(str(asked["name"]), asked.get("line"))
        return listed(tenants)

    async def clear_faults(request: web.Request) -> web.Response:
        asked = await _asked(request)
        tenants = chosen(asked)
        for tenant in tenants:
            if "name" in asked:
                tenant.context.faults.clear(str(asked["name"]), asked.get("line"))
            else:
                tenant.context.faults.clear_all()
        return listed(tenants)

    async def settings(request: web.Request) -> web.Response:
        return web.json_response(
            {tenant.number: tenant.context.settings.model_dump() for tenant in world.tenants}
        )

    async def change_settings(request: web.Request) -> web.Response:
        asked = await _asked(request)
        now = parse(asked["settings"], speech=world.speech)
        for tenant in chosen(asked):
            await tenant.change_settings(now)
        return web.json_response(now.model_dump())

    app = http_server.application(http_server.basic(token))
    app.middlewares.append(_explained)
    app.add_routes(
        [
            web.get("/calls", calls),
            web.delete("/calls", end_calls),
            web.get("/faults", faults),
            web.post("/faults", set_fault),
            web.delete("/faults", clear_faults),
            web.get("/settings", settings),
            web.put("/settings", change_settings),
        ]
    )
    return app
