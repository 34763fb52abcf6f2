"""Campaigns: the platform calls a customer, and connects the customer with the AI.

A request to its trigger starts each call, as a customer's own system would send it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from aiohttp import web

from harness.deployment import Deployment
from harness.sip.identity import normalise
from harness.world import http_server
from harness.world.b2bua import Caller, LegRefusedError, WireLeg
from harness.world.platform.base import Platform
from harness.world.platform.call import PlatformCall
from harness.world.platform.routing import LineRoute
from harness.world.wire.dialog import CallFailedError, sdp_of
from harness.world.wire.invite import OutgoingCall

_CUSTOMER_RINGS_SECONDS = 60.0


class CampaignCall(PlatformCall):
    """One customer's call: its first leg is one that the platform makes. To the AI it looks like a
    call from the customer, over the line's trunk.
    """

    def __init__(self, platform: Platform, route: LineRoute, customer: str) -> None:
        """Call the customer, who is shown the line's number; continue in the background."""
        super().__init__(platform, None, f"{platform.name} campaign {route.name} to {customer}")
        self._route = route
        self.caller = Caller(customer)
        target = platform.outside(customer, Caller(route.did), [])
        media = platform.anchored()
        call = platform.ua.invite(
            target.uri,
            from_=target.from_,
            hop=target.hop,
            sdp=media.offer(),
            headers=target.headers,
        )
        self.start(WireLeg(call, media, "customer"))

    async def run(self, first: WireLeg) -> None:
        """Wait for the customer, then go to the AI."""
        assert isinstance(first.call, OutgoingCall)
        try:
            answer = await first.call.wait_answered(_CUSTOMER_RINGS_SECONDS)
        except (CallFailedError, TimeoutError):
            first.call.hangup()
            return
        body = sdp_of(answer)
        if body is None:
            raise LegRefusedError(488)
        first.media.learn(body)
        await self.to_ai(first, self._route, [])


def campaigns(platform: Platform, deployment: Deployment) -> web.Application:
    """The trigger: ``POST /campaigns/calls`` with ``from`` (a line's number or name), ``to`` (the
    customer's), and the line's id under some key, if the file's request has ``{campaign}``.
    """
    trigger = deployment.campaign
    ids: Mapping[str, str] = {}
    if trigger is not None and "{campaign}" in trigger.body:
        ids = trigger.ids

    async def call(request: web.Request) -> web.Response:
        try:
            asked = json.loads(await request.read())
            line = str(asked["from"])
            customer = normalise(str(asked["to"]), deployment.region)
        except (ValueError, KeyError, TypeError, RecursionError):
            return http_server.error(400, "a JSON object with from and to is needed")
        route = platform.routes.find(line)
        if not isinstance(route, LineRoute):
            return http_server.error(404, f"from: {line!r} is no line")
        if ids and ids.get(route.name, "") not in map(str, asked.values()):
            return http_server.error(404, f"from: {line!r} is of another campaign")
        if customer is None or not platform.is_outside(customer):
            return http_server.error(404, f"to: {asked['to']!r} cannot be called")
        made = CampaignCall(platform, route, customer)
        return web.json_response({"id": made.legs[0].call.call_id}, status=202)

    app = http_server.application()
    app.router.add_post("/campaigns/calls", call)
    return app
