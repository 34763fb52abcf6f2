"""Calls that come in to a platform: from the carrier, and over its trunks from the AI."""

from __future__ import annotations

from functools import partial
from typing import Final

from harness.world.faults import Fault
from harness.world.legs import WireLeg
from harness.world.numbering import number_of
from harness.world.platform.base import Platform
from harness.world.platform.call import AI, PlatformCall
from harness.world.platform.routes import GroupRoute
from harness.world.platform.trunk import Termination
from harness.world.wire.incoming import IncomingCall

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
        made.start(WireLeg(call, made.anchored(), AI))
