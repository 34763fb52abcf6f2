"""A campaign: the platform calls a customer, and puts the AI on the line when the customer answers."""

from __future__ import annotations

import json

from aiohttp import web

from harness.deployment import Deployment
from harness.world import guards
from harness.world.identity import Caller
from harness.world.legs import LegRefusedError, WireLeg
from harness.world.numbering import e164
from harness.world.platform.base import Platform
from harness.world.platform.call import PlatformCall
from harness.world.platform.routes import LineRoute
from harness.world.wire.content import sdp_of
from harness.world.wire.ends import CallFailedError
from harness.world.wire.outgoing import OutgoingCall

RING_SECONDS = 60.0


class CampaignCall(PlatformCall):
    """One customer's call."""

    def __init__(self, platform: Platform, route: LineRoute, customer: str) -> None:
        super().__init__(platform, None, f"{platform.name} campaign {route.name} to {customer}")
        self._route = route
        self._customer = customer
        self.caller = Caller(customer)

    def begin(self) -> None:
        """Call the customer, and continue in the background. Raises `LookupError` without a trunk to the carrier."""
        platform = self.platform
        target = platform.outside(self._customer, Caller(self._route.did), [])
        media = self.anchored()
        call = platform.ua.invite(
            target.uri, from_=target.from_, hop=target.hop, sdp=media.offer(), headers=target.headers
        )
        self.start(WireLeg(call, media, "customer"))

    async def run(self, first: WireLeg) -> None:
        """Wait for the customer, then go to the AI."""
        assert isinstance(first.call, OutgoingCall)
        try:
            body = sdp_of(await first.call.wait_answered(RING_SECONDS))
        except (CallFailedError, TimeoutError):
            first.call.hangup()
            return
        if body is None:
            raise LegRefusedError(488)
        first.media.learn(body)
        await self.to_ai(first, self._route, [])


def campaigns(platform: Platform, deployment: Deployment) -> web.Application:
    """The trigger: ``POST /campaigns/calls`` with ``from`` (a line's number or name) and ``to`` (the customer's)."""

    async def call(request: web.Request) -> web.Response:
        try:
            asked = json.loads(await request.read())
            line, customer = str(asked["from"]), e164(str(asked["to"]), deployment.region)
        except (ValueError, KeyError, TypeError, RecursionError):
            return guards.error(400, "a JSON object with from and to is needed")
        route = platform.routes.find(line)
        if not isinstance(route, LineRoute):
            return guards.error(404, f"from: {line!r} is no line")
        if customer is None or not platform.is_outside(customer):
            return guards.error(404, f"to: {asked['to']!r} cannot be called")
        made = CampaignCall(platform, route, customer)
        made.begin()
        return web.json_response({"id": made.legs[0].call.call_id}, status=202)

    app = guards.application()
    app.router.add_post("/campaigns/calls", call)
    return app
