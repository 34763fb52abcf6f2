"""One SIP trunk as the platform has it: whom it takes calls and registrations from, and how calls leave over it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from harness.deployment import PLAIN_PORT, TLS_PORT, Trunk
from harness.sip.digest import Credentials, DigestServer
from harness.sip.message import HeaderPairs
from harness.world.context import TenantContext
from harness.world.faults import Fault
from harness.world.registrar import Registrar, refuse
from harness.world.wire.agent import UserAgent
from harness.world.wire.call import IncomingRequest
from harness.world.wire.invite import IncomingCall
from harness.world.wire.transactions import Timers
from harness.world.wire.transport import Hop

if TYPE_CHECKING:
    from harness.world.platform.call import PlatformCall

Answer = Callable[[int, str | None, HeaderPairs], None]


class TrunkTimers(Timers):
    """Timers of an SBC that waits some seconds for a dead peer, where RFC 3261 says 64*T1."""

    @property
    def transaction(self) -> float:
        """Timers B, F and their like."""
        return 10 * self.t1


class Termination:
    """The trunk's own address at the platform, by which it is known: the Termination URI of the AI's side."""

    def __init__(self, context: TenantContext, trunk: Trunk, ua: UserAgent, clear: UserAgent | None) -> None:
        self.trunk = trunk
        self.ua = ua
        self._clear = clear
        self._faults = context.faults
        realm = context.deployment.platform.domain
        password = trunk.password.get_secret_value() if trunk.password else ""
        self.credentials: Final = Credentials(trunk.username, password) if trunk.username else None
        passwords = {trunk.username: password} if trunk.username else {}
        self.registrar = Registrar(realm, passwords, self._granted, explains=True)
        self._guard = DigestServer(realm, passwords.get, proxy=True)
        #: Calls to the AI that are up or being set up: what counts against the trunk's maximum.
        self.in_use: set[PlatformCall] = set()
        ua.on("REGISTER", self._register)
        if clear is not None:
            clear.on_invite = _refuse_clear

    def is_full(self, line: str) -> bool:
        """Whether one more call of that line is too many."""
        if self._faults.on(Fault.LIMIT_NOT_ENFORCED, line):
            return False
        return len(self.in_use) >= self.trunk.max_concurrent_calls - self._faults.on(Fault.LIMIT_LOWER, line)

    def next_hop(self, line: str, *, other_host: str | None, in_the_clear: bool) -> tuple[UserAgent, Hop]:
        """Who sends calls to the AI, and where to. ``other_host`` is an address instead of the AI's."""
        trunk = self.trunk
        host = other_host or trunk.host or ""
        if in_the_clear and self._clear is not None:
            # What a SIP address without a transport parameter means (RFC 3263 section 4.1).
            return self._clear, Hop("udp", host, PLAIN_PORT)
        port = trunk.port
        if self._faults.on(Fault.TRANSPORT_MISMATCH, line):
            port = TLS_PORT if port == PLAIN_PORT else PLAIN_PORT
        return self.ua, Hop(trunk.transport, host, port)

    def admit_call(self, call: IncomingCall, line: str | None) -> bool:
        """Whether an INVITE over the trunk, for a call of that line, is accepted; otherwise it has been answered."""
        if not self._admit(call.source[0], call.reject):
            return False
        if self.trunk.authentication == "digest" or self._faults.on(Fault.TRUNK_WANTS_DIGEST, line):
            checked = self._guard.verify(call.request)
            if not checked.accepted:
                refuse(call.reject, self._guard, checked, explains=True)
                return False
        return True

    async def _register(self, incoming: IncomingRequest) -> None:
        if not self._admit(incoming.source[0], incoming.respond):
            return
        if self.credentials is None:
            incoming.respond(403, "This trunk authenticates by address")
            return
        await self.registrar.handle(incoming)

    def _admit(self, source: str, answer: Answer) -> bool:
        if source not in self.trunk.allowed_addresses or self._faults.on(Fault.IP_NOT_ALLOWED):
            answer(403, "Address not allowed", ())
            return False
        if self._faults.on(Fault.TRUNK_INACTIVE):
            answer(503, "Trunk inactive", ())
            return False
        return True

    def _granted(self, asked: int) -> int:
        return max(1, asked // 5) if self._faults.on(Fault.REGISTRATION_EXPIRES_EARLY) else asked


async def _refuse_clear(call: IncomingCall) -> None:
    call.reject(403, "TLS required")
