"""Synthflow's HTTP API: calls as documented, and the simulation's own ``sip_numbers`` (see docs/simulation.md)."""

from __future__ import annotations

import hmac
import json
from typing import Any

from aiohttp import web

from harness.simulation.books import Books
from harness.simulation.synthflow.numbers import BadNumberError, SipNumbers
from harness.simulation.synthflow.record import Records

_MOST_LISTED = 200


def api(records: Records, numbers: SipNumbers, token: str, books: Books) -> web.Application:
    """The application for one tenant; every request needs the bearer token."""
    wanted = f"Bearer {token}".encode()

    @web.middleware
    async def authorised(request: web.Request, handler: Any) -> web.StreamResponse:
        if not hmac.compare_digest(request.headers.get("Authorization", "").encode(), wanted):
            return _error(401, "a bearer token is needed")
        try:
            response: web.StreamResponse = await handler(request)
            return response
        except web.HTTPException as error:
            return _error(error.status, error.reason)
        except Exception as error:
            books.error(f"synthflow API {request.method} {request.path}", error)
            return _error(500, "internal error")

    app = web.Application(middlewares=[authorised])
    handlers = _Handlers(records, numbers)
    app.router.add_get("/v2/calls", handlers.calls)
    app.router.add_get("/v2/calls/{id}", handlers.call)
    app.router.add_post("/v2/prepare_inbound", handlers.prepare_inbound)
    app.router.add_get("/v2/sip_numbers", handlers.sip_numbers)
    app.router.add_post("/v2/sip_numbers", handlers.attach)
    app.router.add_get("/v2/sip_numbers/{id}", handlers.sip_number)
    app.router.add_delete("/v2/sip_numbers/{id}", handlers.detach)
    return app


class _Handlers:
    def __init__(self, records: Records, numbers: SipNumbers) -> None:
        self._records = records
        self._numbers = numbers

    async def calls(self, request: web.Request) -> web.Response:
        query = request.query
        try:
            since = float(query.get("since", "0"))
        except ValueError:
            return _error(400, "since: seconds since the epoch are needed")
        found = [
            record
            for record in self._records.newest_first()
            if record.began >= since
            and query.get("phone_number_from", record.number_from) == record.number_from
            and query.get("phone_number_to", record.number_to) == record.number_to
        ]
        return _ok({"calls": [record.plain() for record in found[:_MOST_LISTED]]})

    async def call(self, request: web.Request) -> web.Response:
        record = self._records.get(request.match_info["id"])
        return _ok({"calls": [record.plain()]}) if record is not None else _error(404, "no such call")

    async def prepare_inbound(self, request: web.Request) -> web.Response:
        await _body(request)
        return _ok({"synthflow_call_id": self._records.prepare()})

    async def sip_numbers(self, request: web.Request) -> web.Response:
        return _ok({"sip_numbers": [registration.plain() for registration in self._numbers.all()]})

    async def attach(self, request: web.Request) -> web.Response:
        try:
            return _ok(self._numbers.attach(await _body(request)).plain(), 201)
        except BadNumberError as error:
            return _error(400, str(error))

    async def sip_number(self, request: web.Request) -> web.Response:
        registration = self._numbers.find(request.match_info["id"])
        return _ok(registration.plain()) if registration is not None else _error(404, "no such SIP number")

    async def detach(self, request: web.Request) -> web.Response:
        found = await self._numbers.detach(request.match_info["id"])
        return _ok({"detached": True}) if found else _error(404, "no such SIP number")


async def _body(request: web.Request) -> dict[str, Any]:
    try:
        plain = json.loads(await request.read() or b"{}")
    except ValueError:
        plain = None
    if not isinstance(plain, dict):
        raise web.HTTPBadRequest(reason="the body is not a JSON object")
    return plain


def _ok(response: dict[str, Any], status: int = 200) -> web.Response:
    return web.json_response({"status": "ok", "response": response}, status=status)


def _error(status: int, message: str) -> web.Response:
    return web.json_response({"status": "error", "message": message}, status=status)
