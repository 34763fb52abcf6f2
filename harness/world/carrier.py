"""The public telephone network as one carrier: callers and customers with accounts, numbers routed
by E.164.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from harness.sip.digest import DigestServer
from harness.sip.identity import is_number
from harness.sip.uri import NameAddr
from harness.world.b2bua import (
    BackToBack,
    Caller,
    DirectMedia,
    LegTarget,
    WireLeg,
    number_of,
    x_headers,
)
from harness.world.registrar import Registrar, refuse
from harness.world.settings import TenantContext
from harness.world.wire.agent import UserAgent
from harness.world.wire.call import InDialogRequest
from harness.world.wire.invite import IncomingCall
from harness.world.wire.transport import Endpoint

if TYPE_CHECKING:
    from harness.world.platform.base import Platform

_RING_SECONDS = 180.0  # no carrier lets a phone ring for longer


class Carrier:
    """Authenticates its subscribers' calls and asserts their numbers (RFC 3325); passes X- headers
    on.

    ``passwords`` are by the user of each account, ``users`` by its number: many carriers name
    accounts otherwise.
    """

    #: The platform that it is connected with, whose SBC it trusts by its address; the tenant sets
    #: both.
    platform: Platform
    to_platform: Endpoint

    def __init__(
        self,
        context: TenantContext,
        ua: UserAgent,
        realm: str,
        passwords: Mapping[str, str],
        users: Mapping[str, str],
    ) -> None:
        self.ua = ua
        self.realm = realm
        self.region = context.deployment.region
        self.audit = context.audit
        self.registrar = Registrar(realm, passwords)
        self.guard = DigestServer(realm, passwords.get, proxy=True)
        self.subscribers = users
        self.numbers = {user: number for number, user in users.items()}
        self.calls: set[CarrierCall] = set()
        ua.on_invite = self._invited
        ua.on("REGISTER", self.registrar.handle)

    async def _invited(self, call: IncomingCall) -> None:
        CarrierCall(self, call).start(WireLeg(call, DirectMedia(), "caller"))


class CarrierCall(BackToBack):
    """One call through the carrier: from a subscriber to the platform or another subscriber, or
    from the platform to a subscriber. Media passes by, between the ends.
    """

    def __init__(self, carrier: Carrier, incoming: IncomingCall) -> None:
        super().__init__(f"carrier {incoming.call_id}", carrier.audit, carrier.calls)
        self._carrier = carrier
        self._incoming = incoming

    async def run(self, first: WireLeg) -> None:
        """Authenticate, route, connect."""
        call = self._incoming
        carrier = self._carrier
        if call.offer is None:
            call.reject(488, "An offer is needed")
            return
        first.media.learn(call.offer)
        from_platform = call.source[0] == carrier.to_platform.address
        if from_platform:
            caller = Caller.of(call.request, carrier.region, asserted=True)
        else:
            checked = carrier.guard.verify(call.request)
            if not checked.accepted:
                refuse(call.reject, carrier.guard, checked)
                return
            # A subscriber may withhold the number, or write it in another form, but not show
            # another's.
            shown = Caller.of(call.request, carrier.region, asserted=False)
            caller = Caller(carrier.numbers[checked.username or ""], shown.display, shown.withheld)
        call.progress(100)
        target = self._route(caller, from_platform=from_platform)
        if isinstance(target, int):
            call.reject(target)
            return
        await self.dial(target, first, _RING_SECONDS)

    def _route(self, caller: Caller, *, from_platform: bool) -> LegTarget | int:
        """The target for the called number, or a final status if it leads nowhere."""
        carrier = self._carrier
        platform = carrier.platform
        uri = self._incoming.request.uri
        number = platform.routes.called(uri)
        if number is None:
            return 484 if uri.user else 404  # RFC 3261 section 21.4.22: an incomplete address
        is_subscriber = number in carrier.subscribers
        # A group's number may be a subscriber's: what the platform itself sends out goes to the
        # subscriber.
        if platform.routes.find(number) and not (from_platform and is_subscriber):
            if is_number(number) and not platform.takes(uri.user or "", number):
                return 404
            return self._platform_target(number, caller)
        if not is_subscriber:
            return 404
        bindings = carrier.registrar.bindings(carrier.subscribers[number])
        if not bindings:
            return 480
        latest = bindings[0]
        return LegTarget(
            peer=number,
            ua=carrier.ua,
            uri=latest.contact,
            hop=latest.hop,
            flow=latest.flow,
            from_=caller.from_(carrier.realm),
            headers=x_headers(self._incoming.request),
        )

    def _platform_target(self, number: str, caller: Caller) -> LegTarget:
        carrier = self._carrier
        passed_on = x_headers(self._incoming.request)
        return LegTarget(
            peer="platform",
            ua=carrier.ua,
            uri=carrier.to_platform.uri(number),
            hop=carrier.to_platform,
            from_=caller.from_(carrier.realm),
            headers=[*passed_on, *caller.asserted(carrier.realm)],
        )

    async def on_refer(self, leg: WireLeg, request: InDialogRequest, target: NameAddr) -> None:
        """Pass a REFER on with the target at this carrier: a phone calls numbers through its own
        carrier only.
        """
        number = number_of(target.uri, self._carrier.region)
        if number is not None:
            here = self._carrier.ua.listening[0]
            other = self.other(leg)
            if other is not None and other.call.dialog is not None:
                here = other.call.dialog.flow.listen  # which the phone reaches already
            target = NameAddr(replace(here.uri(number), headers=target.uri.headers))
        await self.pass_refer_on(leg, request, target)
