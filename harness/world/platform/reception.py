"""How calls begin at a platform: from the carrier, over a trunk from the AI, and from a campaign."""

from __future__ import annotations

import json
from functools import partial
from typing import Final

from aiohttp import web

from harness.deployment import Deployment
from harness.world import http_server
from harness.world.b2bua import LegRefusedError, WireLeg
from harness.world.faults import Fault
from harness.world.identity import Caller, e164, number_of
from harness.world.platform.base import Platform
from harness.world.platform.call import AI, PlatformCall
from harness.world.platform.routes import GroupRoute, LineRoute
from harness.world.platform.trunk import Termination
from harness.world.wire.dialog import CallFailedError, sdp_of
from harness.world.wire.invite import IncomingCall, OutgoingCall

#: No name server is asked for it, so it exists nowhere: a label has 63 octets at most (RFC 1035 section 2.3.4).
_NO_HOST: Final = f"media.{'x' * 64}.invalid"


def take_platform_calls(platform: Platform) -> None:
    """Have ``platform`` take the calls that it is sent."""
    platform.ua.on_invite = partial(_from_outside, platform)
    for termination in platform.terminations.values():
        termination.ua.on_invite = partial(_from_trunk, platform, termination)


async def _from_outside(platform: Platform, call: IncomingCall) -> None:
    if platform.carrier is None or call.source[0] != platform.carrier.address:
        call.reject(403, "Address not allowed")
        return
    made = PlatformCall(platform, call, f"{platform.name} {call.call_id}")
    is_wrong = platform.faults.on(Fault.MEDIA_HOST_UNKNOWN, _line(platform, call))
    made.start(WireLeg(call, platform.anchored(_NO_HOST if is_wrong else None), "caller"))


def _line(platform: Platform, call: IncomingCall) -> str | None:
    """The line whose number is called."""
    number = number_of(call.request.uri, platform.region)
    route = platform.routes.find(number) if number else None
    if isinstance(route, GroupRoute):
        return route.line
    return route.name if route else None


async def _from_trunk(platform: Platform, termination: Termination, call: IncomingCall) -> None:
    if termination.admit_call(call, platform.line_behind(termination)):
        made = PlatformCall(platform, call, f"{platform.name} {termination.trunk.name} {call.call_id}", termination)
        made.start(WireLeg(call, platform.anchored(), AI))


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
        media = platform.anchored()
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
            return http_server.error(400, "a JSON object with from and to is needed")
        route = platform.routes.find(line)
        if not isinstance(route, LineRoute):
            return http_server.error(404, f"from: {line!r} is no line")
        if customer is None or not platform.is_outside(customer):
            return http_server.error(404, f"to: {asked['to']!r} cannot be called")
        made = CampaignCall(platform, route, customer)
        made.begin()
        return web.json_response({"id": made.legs[0].call.call_id}, status=202)

    app = http_server.application()
    app.router.add_post("/campaigns/calls", call)
    return app
