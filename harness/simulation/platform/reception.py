"""Calls that come in to a platform: from the carrier, and over its trunks from the AI."""

from __future__ import annotations

from functools import partial

from harness.simulation.legs import WireLeg
from harness.simulation.platform.base import Platform
from harness.simulation.platform.call import AI, PlatformCall
from harness.simulation.platform.trunk import Termination
from harness.simulation.wire.incoming import IncomingCall


def take_platform_calls(platform: Platform) -> None:
    """From now on ``platform`` takes the calls that it is sent."""
    platform.ua.on_invite = partial(_from_outside, platform)
    for gate in platform.gates.values():
        gate.ua.on_invite = partial(_from_trunk, platform, gate)


async def _from_outside(platform: Platform, call: IncomingCall) -> None:
    if platform.carrier is None or call.source[0] != platform.carrier.address:
        call.reject(403, "Address not allowed")
        return
    made = PlatformCall(platform, call, f"{platform.name} {call.call_id}")
    made.start(WireLeg(call, made.anchored(), "caller"))


async def _from_trunk(platform: Platform, gate: Termination, call: IncomingCall) -> None:
    if gate.admit_call(call, platform.line_behind(gate)):
        made = PlatformCall(platform, call, f"{platform.name} {gate.trunk.name} {call.call_id}", gate)
        made.start(WireLeg(call, made.anchored(), AI))
