"""Talkdesk: https://docs.synthflow.ai/sip-with-talkdesk."""

from __future__ import annotations

from typing import ClassVar

from harness.world.legs import Headers, WireLeg
from harness.world.platform.base import Platform
from harness.world.platform.routed import RoutedCall
from harness.world.platform.routes import LineRoute
from harness.world.wire.transport import TRANSPORTS, TransportName


class Talkdesk(Platform):
    """Its legs have Call-IDs of their own; a header names the other leg's."""

    transports: ClassVar[tuple[TransportName, ...]] = TRANSPORTS

    def headers_to_ai(self, call: RoutedCall, route: LineRoute) -> Headers:
        """See `Platform`."""
        return [("X-Talkdesk-Other-Leg-Call-Id", call.legs[0].call.call_id)]

    def headers_to_agent(self, call: RoutedCall, toward: WireLeg) -> Headers:
        """See `Platform`."""
        return [("X-Talkdesk-Other-Leg-Call-Id", toward.call.call_id)]
