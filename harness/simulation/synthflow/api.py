"""Synthflow's HTTP API: calls as documented, and the simulation's own ``sip_numbers`` (see docs/simulation.md)."""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from harness.simulation import guards
from harness.simulation.audit import Audit
from harness.simulation.settings import Current
from harness.simulation.synthflow.numbers import BadNumberError, SipNumbers
from harness.simulation.synthflow.record import CallRecord, Records

_MOST_LISTED = 200


def api(records: Records, numbers: SipNumbers, token: str, audit: Audit, settings: Current) -> web.Application:
    """The application for one tenant; every request needs the bearer token."""

    @web.middleware
    async def answered(request: web.Request, handler: Any) -> web.StreamResponse:
        try:
            response: web.StreamResponse = await handler(request)
            return response
        except web.HTTPException as error:
            return guards.error(error.status, error.reason)
        except Exception as error:
            audit.error(f"synthflow API {request.method} {request.path}", error)
            return guards.error(500, "internal error")

    app = guards.application(guards.bearer(token))
    app.middlewares.append(_unwilling(settings))
    app.middlewares.append(answered)
    handlers = _Handlers(records, numbers, settings)
    app.router.add_get("/v2/calls", handlers.calls)
    app.router.add_get("/v2/calls/{id}", handlers.call)
    app.router.add_post("/v2/prepare_inbound", handlers.prepare_inbound)
    app.router.add_get("/v2/sip_numbers", handlers.sip_numbers)
    app.router.add_post("/v2/sip_numbers", handlers.attach)
    app.router.add_get("/v2/sip_numbers/{id}", handlers.sip_number)
    app.router.add_delete("/v2/sip_numbers/{id}", handlers.detach)
    return app


def _unwilling(settings: Current) -> Middleware:
    """Down, slow or limited, as the settings say."""

    @web.middleware
    async def unwilling(request: web.Request, handler: Handler) -> web.StreamResponse:
        told = settings.now.api
        if told.answers == "refused":  # connections from before: new ones find no listener
            if request.transport is not None:
                request.transport.abort()
            raise ConnectionResetError
        if told.delay_s:
            await asyncio.sleep(told.delay_s)
        if told.answers != "normally":
            refusal = guards.error(int(told.answers), HTTPStatus(int(told.answers)).phrase)
            if told.answers in ("429", "503"):
                refusal.headers["Retry-After"] = "1"
            return refusal
        return await handler(request)

    return unwilling


class _Handlers:
    def __init__(self, records: Records, numbers: SipNumbers, settings: Current) -> None:
        self._settings = settings
        self._records = records
        self._numbers = numbers

    async def calls(self, request: web.Request) -> web.Response:
        query = request.query
        try:
            since = float(query.get("since", "0"))
        except ValueError:
            return guards.error(400, "since: seconds since the epoch are needed")
        found = [
            record
            for record in self._records.newest_first()
            if record.began >= since
            and query.get("phone_number_from", record.number_from) == record.number_from
            and query.get("phone_number_to", record.number_to) == record.number_to
        ]
        return _ok({"calls": [self._plain(record) for record in found[:_MOST_LISTED]]})

    async def call(self, request: web.Request) -> web.Response:
        record = self._records.get(request.match_info["id"])
        return _ok({"calls": [self._plain(record)]}) if record is not None else guards.error(404, "no such call")

    def _plain(self, record: CallRecord) -> dict[str, Any]:
        return record.plain(self._settings.now.api)

    async def prepare_inbound(self, request: web.Request) -> web.Response:
        await _body(request)
        return _ok({"synthflow_call_id": self._records.prepare()})

    async def sip_numbers(self, request: web.Request) -> web.Response:
        return _ok({"sip_numbers": [registration.plain() for registration in self._numbers.all()]})

    async def attach(self, request: web.Request) -> web.Response:
        try:
            return _ok(self._numbers.attach(await _body(request)).plain(), 201)
        except BadNumberError as error:
            return guards.error(400, str(error))

    async def sip_number(self, request: web.Request) -> web.Response:
        registration = self._numbers.find(request.match_info["id"])
        return _ok(registration.plain()) if registration is not None else guards.error(404, "no such SIP number")

    async def detach(self, request: web.Request) -> web.Response:
        found = await self._numbers.detach(request.match_info["id"])
        return _ok({"detached": True}) if found else guards.error(404, "no such SIP number")


async def _body(request: web.Request) -> dict[str, Any]:
    try:
        plain = json.loads(await request.read() or b"{}")
    except (ValueError, RecursionError):
        plain = None
    if not isinstance(plain, dict):
        raise web.HTTPBadRequest(reason="the body is not a JSON object")
    return plain


def _ok(response: dict[str, Any], status: int = 200) -> web.Response:
    return web.json_response({"status": "ok", "response": response}, status=status)
