"""Synthflow's HTTP API: calls as documented, and the simulation's own ``sip_numbers`` (see
docs/simulation.md).
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Iterator
from email.utils import formatdate
from http import HTTPStatus
from itertools import product
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from pydantic import BaseModel, Field, ValidationError

from harness.deployment import Deployment
from harness.world import http_server
from harness.world.settings import TenantContext
from harness.world.synthflow import recordings
from harness.world.synthflow.record import CallRecord, Records
from harness.world.synthflow.recordings import RecordingStore
from harness.world.synthflow.trunks import AskedNumber, SipNumbers

_log = logging.getLogger(__name__)
#: What a list names otherwise than a single call does.
_NAMES_IN_A_LIST = {
    "status": "call_status",
    "phone_number_from": "lead_phone_number",
    "phone_number_to": "agent_phone_number",
}
#: How old the calls are that a list has whatever it was asked for.
_AGES_S = (5.0, 3600.0, 86_400.0)
#: What a single call alone has.
_NOT_IN_A_LIST = ("prompt_variables", "telephony_ringing_duration")


class AskedList(BaseModel):
    """The query of a list of calls."""

    model_id: str
    from_date: int = 0
    offset: int = Field(0, ge=0)
    limit: int = Field(20, ge=0)


class AskedCall(BaseModel):
    """A call to come, whose id is asked for."""

    from_number: str
    to_number: str
    model_id: str


def api(
    context: TenantContext, records: Records, numbers: SipNumbers, store: RecordingStore, token: str
) -> web.Application:
    """The application for one tenant; every request needs the bearer token. ``store`` gives the
    files of recordings.
    """
    deployment = context.deployment
    began = time.time()
    models = {
        assistant.address: str(assistant.model_id) for assistant in deployment.assistants.values()
    }
    callers = [phone.number for phone in deployment.phones.values() if phone.number]

    def old_calls(model: str) -> Iterator[CallRecord]:
        """Old calls of each caller."""
        dids = [did for did, named in models.items() if named == model]
        for did, caller, age_s in product(dids, callers, _AGES_S):
            call_id = f"stale-{did[1:]}-{caller[1:]}-{age_s:g}"
            record = CallRecord(call_id, caller, did, status="completed")
            record.began = record.answered_at = began - age_s
            record.released_at = record.began + 1.0
            yield record

    def in_a_list(record: CallRecord) -> dict[str, Any]:
        fields = {}
        for name, value in record.plain(context.settings.api).items():
            if name not in _NOT_IN_A_LIST:
                fields[_NAMES_IN_A_LIST.get(name, name)] = value
        return fields

    async def calls(request: web.Request) -> web.Response:
        """A page of an assistant's calls, the newest first, those before ``from_date`` left out."""
        asked = AskedList.model_validate(dict(request.query))
        found = []
        for record in records.newest_first():
            is_of_model = models.get(record.number_to) == asked.model_id
            if is_of_model and record.began * 1000 >= asked.from_date:
                found.append(record)
        if context.settings.api.stale:
            found += old_calls(asked.model_id)
        page = found[asked.offset :][: asked.limit]
        pagination = {
            "total_records": len(found),
            "limit": asked.limit,
            "offset": asked.offset,
        }
        return _ok({"pagination": pagination, "calls": [in_a_list(record) for record in page]})

    async def call(request: web.Request) -> web.Response:
        record = records.get(request.match_info["id"])
        if record is None:
            return http_server.error(404, "no such call")
        return _ok({"calls": [record.plain(context.settings.api)]})

    async def recording(request: web.Request) -> web.Response:
        """A redirection to the file, which is on another host."""
        asked = records.get(request.match_info["id"])
        return await recordings.answer(asked, records.newest_first(), context.settings.api, store)

    async def prepare_inbound(request: web.Request) -> web.Response:
        """An id for a call to come, which its X-EI header then names."""
        asked = AskedCall.model_validate(await _body(request))
        answer = {"call_status": "registered", "direction": "inbound", "model_id": asked.model_id}
        return web.json_response({**answer, "synthflow_call_id": records.prepare()})

    async def sip_numbers(request: web.Request) -> web.Response:
        return _ok({"sip_numbers": [registration.plain() for registration in numbers.all()]})

    async def attach(request: web.Request) -> web.Response:
        asked = AskedNumber.model_validate(await _body(request))
        return _ok(numbers.attach(asked).plain(), 201)

    async def sip_number(request: web.Request) -> web.Response:
        number_id = request.match_info["id"]
        for registration in numbers.all():
            if registration.id == number_id:
                return _ok(registration.plain())
        return http_server.error(404, "no such SIP number")

    async def detach(request: web.Request) -> web.Response:
        if not await numbers.detach(request.match_info["id"]):
            return http_server.error(404, "no such SIP number")
        return _ok({"detached": True})

    app = http_server.application(f"Bearer {token}")  # RFC 6750 section 2.1
    app.middlewares.append(_as_settings_say(context, records))
    app.add_routes(
        [
            web.get("/v2/calls", calls),
            web.get("/v2/calls/{id}", call),
            web.get("/v2/calls/{id}/recording", recording),
            web.post("/v2/prepare_inbound", prepare_inbound),
            web.get("/v2/sip_numbers", sip_numbers),
            web.post("/v2/sip_numbers", attach),
            web.get("/v2/sip_numbers/{id}", sip_number),
            web.delete("/v2/sip_numbers/{id}", detach),
        ]
    )
    return app


def with_models(deployment: Deployment) -> Deployment:
    """The deployment with Synthflow's id of each assistant, made up where the file does not say it."""
    named = {}
    for name, assistant in deployment.assistants.items():
        model_id = assistant.model_id or str(uuid5(NAMESPACE_URL, name))
        named[name] = assistant.model_copy(update={"model_id": model_id})
    return deployment.model_copy(update={"assistants": named})


def _as_settings_say(context: TenantContext, records: Records) -> Middleware:
    """Down, slow, limited or with a wrong Date, as the settings say; an error of a handler is a
    JSON object, too.
    """

    @web.middleware
    async def answered(request: web.Request, handler: Handler) -> web.StreamResponse:
        settings = context.settings.api
        if settings.answers == "refused":  # connections from before: new ones find no listener
            if request.transport is not None:
                request.transport.abort()
            raise ConnectionResetError
        if settings.delay_s:
            await asyncio.sleep(settings.delay_s)
        response: web.StreamResponse
        if settings.answers == "normally":
            response = await _handled(request, handler)
        else:
            status = HTTPStatus(int(settings.answers))
            response = http_server.error(status.value, status.phrase)
            if settings.answers in ("429", "503"):
                response.headers["Retry-After"] = "1"
        if settings.date_jumps_s and records.newest_first():
            response.headers["Date"] = formatdate(time.time() + settings.date_jumps_s, usegmt=True)
        return response

    return answered


async def _handled(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A handler's answer, or its error in the API's own words."""
    try:
        return await handler(request)
    except web.HTTPRedirection:
        raise  # to a recording's signed address
    except web.HTTPException as error:
        return http_server.error(error.status, error.reason)
    except ValidationError as error:
        mistakes = [f"{one['loc']}: {one['msg']}" for one in error.errors()]
        return http_server.error(400, "; ".join(mistakes))
    except Exception:
        _log.exception("%s %s failed", request.method, request.path)
        return http_server.error(500, "internal error")


async def _body(request: web.Request) -> dict[str, Any]:
    """The request's JSON object; an empty body counts as an empty one."""
    try:
        plain = json.loads(await request.read() or b"{}")
    except (ValueError, RecursionError):
        plain = None
    if not isinstance(plain, dict):
        raise web.HTTPBadRequest(reason="the body is not a JSON object")
    return plain


def _ok(response: dict[str, Any], status: int = 200) -> web.Response:
    return web.json_response({"status": "ok", "response": response}, status=status)
