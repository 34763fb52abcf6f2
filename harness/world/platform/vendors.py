"""The simulated platforms: Talkdesk (https://docs.synthflow.ai/sip-with-talkdesk), Gladly
(https://docs.synthflow.ai/sip-with-gladly), and any other SBC, by RFC 3261 alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from harness.world.b2bua import Headers, WireLeg
from harness.world.faults import Fault
from harness.world.identity import unassigned_number
from harness.world.platform.base import Platform
from harness.world.platform.routes import LineRoute
from harness.world.wire.transport import TRANSPORTS, TransportName

if TYPE_CHECKING:
    from harness.world.platform.call import PlatformCall


class GenericSbc(Platform):
    """A B2BUA that adds nothing of its own."""

    transports: ClassVar[tuple[TransportName, ...]] = TRANSPORTS


class Talkdesk(Platform):
    """Its legs have Call-IDs of their own; a header names the other leg's."""

    transports: ClassVar[tuple[TransportName, ...]] = TRANSPORTS

    def headers_to_ai(self, call: PlatformCall, route: LineRoute) -> Headers:
        return [("X-Talkdesk-Other-Leg-Call-Id", call.legs[0].call.call_id)]

    def headers_to_agent(self, call: PlatformCall, toward: WireLeg) -> Headers:
        return [("X-Talkdesk-Other-Leg-Call-Id", toward.call.call_id)]


CALLER_ID: Final = "X-Gladly-Caller-Id"
SELECTOR: Final = "X-Gladly-Routing-Selector"


class Gladly(Platform):
    """Takes SIP over TLS only; forwards calls with the caller's number and a topic in headers of its own."""

    transports: ClassVar[tuple[TransportName, ...]] = ("tls",)

    def headers_to_ai(self, call: PlatformCall, route: LineRoute) -> Headers:
        return [*self._caller_id(call, route.name), *self._selector(route)]

    def _caller_id(self, call: PlatformCall, line: str) -> Headers:
        number = call.caller.number
        if self.faults.on(Fault.CALLER_HEADER_MISSING, line):
            return []
        if self.faults.on(Fault.CALLER_HEADER_WITHOUT_PLUS, line):
            number = number.lstrip("+")
        if self.faults.on(Fault.CALLER_HEADER_WRONG, line):
            number = unassigned_number(self.deployment)
        return [(CALLER_ID, number)]

    def _selector(self, route: LineRoute) -> Headers:
        selector = route.line.selector
        if selector is None or self.faults.on(Fault.SELECTOR_MISSING, route.name):
            return []
        if self.faults.on(Fault.SELECTOR_WRONG, route.name):
            others = (g.topic for g in self.deployment.groups.values() if g.topic and g.topic != selector)
            selector = next(others, "nobodys-topic")
        return [(SELECTOR, selector)]

    def group_for(self, name: str, headers: Headers, line: str | None) -> str | None:
        """A topic given with the transfer wins over the number that was called."""
        topic = next((value for key, value in headers if key.lower() == SELECTOR.lower()), None)
        return super().group_for((topic and self.routes.topic(topic)) or name, headers, line)
