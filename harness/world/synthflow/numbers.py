"""The SIP numbers of one tenant and their registrations at the platform (RFC 3261 section 10.2)."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from dataclasses import dataclass, field, replace
from typing import Any, Final

from harness.sip.digest import Credentials
from harness.sip.grammar import decimal
from harness.sip.message import Response
from harness.sip.uri import NameAddr, Uri
from harness.world.audit import Audit
from harness.world.context import TenantContext
from harness.world.synthflow.service import Trunks
from harness.world.wire.agent import UserAgent
from harness.world.wire.transport import TRANSPORTS, Hop

_MOST_KEPT = 200
_MOST_EXPIRES = 2**32 - 1  # RFC 3261 section 20.19


@dataclass(frozen=True, kw_only=True)
class SipNumber:
    """The settings of a SIP number: the Termination URI's address, and the credentials."""

    hop: Hop
    credentials: Credentials
    expires: int
    region: str = "default"


@dataclass
class Attempt:
    """One REGISTER and its final answer."""

    code: int
    reason: str
    at: float
    expires: int

    def plain(self) -> dict[str, Any]:
        """As the API returns it."""
        return {"code": self.code, "reason": self.reason, "at": self.at, "expires": self.expires}


@dataclass(eq=False)
class Registration:
    """A SIP number that is attached: registered, and registered again at half its interval until it is detached."""

    ua: UserAgent
    number: SipNumber
    id: str = field(default_factory=lambda: secrets.token_hex(8))
    attempts: list[Attempt] = field(default_factory=list)
    _call_id: str = field(default_factory=lambda: secrets.token_hex(16))
    _cseq: int = 1
    _task: asyncio.Task[None] | None = None
    _due: asyncio.Event = field(default_factory=asyncio.Event)

    def attach(self, audit: Audit) -> None:
        """Register now, and keep registered."""
        self._task = audit.spawn(self._keep(), f"registration {self.number.credentials.username}")

    async def detach(self) -> None:
        """Stop registering, and remove the binding."""
        if self._task is not None:
            self._task.cancel()
            self._task = None
        if self.attempts and self.attempts[-1].code == 200:
            await self._register(0)

    @property
    def registered(self) -> bool:
        """Whether the latest registration has not expired."""
        latest = self.attempts[-1] if self.attempts else None
        return latest is not None and latest.code == 200 and latest.at + latest.expires > time.time()

    def plain(self) -> dict[str, Any]:
        """As the API returns it, without the password."""
        latest = self.attempts[-1] if self.attempts else None
        return {
            "id": self.id,
            "username": self.number.credentials.username,
            "termination_uri": f"{self.number.hop.address}:{self.number.hop.port}",
            "transport": self.number.hop.transport,
            "region": self.number.region,
            "registered": self.registered,
            "code": latest.code if latest else None,
            "reason": latest.reason if latest else None,
            "expires": latest.expires if latest else None,
            "registrations": [attempt.plain() for attempt in self.attempts],
        }

    async def _keep(self) -> None:
        while True:
            response = await self._register(self.number.expires)
            granted = _granted(response, self.number.expires)
            self.attempts.append(Attempt(response.status, response.reason, time.time(), granted))
            del self.attempts[:-_MOST_KEPT]
            self._due.clear()
            # By its own setting, not by the granted interval: a shorter grant leaves a gap.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._due.wait(), self.number.expires / 2)

    def again(self) -> None:
        """Register now, without waiting for the next refresh."""
        self._due.set()

    async def _register(self, expires: int) -> Response:
        hop, user = self.number.hop, self.number.credentials.username
        listen = self.ua.local(hop.transport)
        of_record = NameAddr(Uri("sip", user, hop.address))
        # A separate Contact, so that removing this binding leaves other bindings of the user.
        contact = NameAddr(self.ua.contact(listen, user).uri.with_param("line", self.id))
        response = await self.ua.request(
            "REGISTER",
            hop.uri(None),
            from_=of_record,
            to=of_record,
            hop=hop,
            headers=[("Contact", str(contact)), ("Expires", str(expires))],
            credentials=self.number.credentials,
            call_id=self._call_id,
            cseq=self._cseq,
        )
        self._cseq += 2  # a challenge took one more
        return response


def _granted(response: Response, asked: int) -> int:
    """What the registrar granted: the expires parameter of the Contact, the Expires header, or what was asked."""
    if not response.is_success:
        return 0
    for contact in response.contacts:
        granted = decimal(contact.params.get("expires") or "", most=_MOST_EXPIRES)
        if granted is not None:
            return granted
    return asked if response.expires is None else response.expires


SHORTEST, LONGEST = 1, 3600  #: seconds; Synthflow's own least is 60, which scaled-down timings go below
REGIONS: Final = ("default", "other")  #: the second signals from an address that no allowlist has


class BadNumberError(ValueError):
    """The number cannot be attached; the message says why."""


class SipNumbers:
    """The SIP numbers of one tenant; ``agents`` are by region."""

    def __init__(self, context: TenantContext, agents: dict[str, UserAgent], trunks: Trunks) -> None:
        self._agents = agents
        self._trunks = trunks
        self._expires = context.timings.register_expires_s
        self._audit = context.audit
        self._standing: dict[str, Registration] = {}
        self._attached: dict[str, Registration] = {}
        context.faults.on_change.append(self.renew)

    def start(self) -> None:
        """Register the number of every digest trunk."""
        self.renew()

    def renew(self) -> None:
        """Register anew with the settings as they are now."""
        for trunk in self._trunks.all():
            if trunk.authentication != "digest":
                continue
            number = SipNumber(
                hop=self._trunks.hop(trunk), credentials=self._trunks.credentials(trunk), expires=self._expires
            )
            old = self._standing.get(trunk.name)
            if old is not None and old.number == number:
                old.again()
                continue
            if old is not None:
                self._audit.spawn(old.detach(), f"detach {trunk.name}")
            self._standing[trunk.name] = self._attach(number)

    def _attach(self, number: SipNumber) -> Registration:
        registration = Registration(self._agents[number.region], number)
        registration.attach(self._audit)
        return registration

    def attach(self, asked: dict[str, Any]) -> Registration:
        """Attach a number with the settings of an API request. Raises `BadNumberError`."""
        number = _parsed(asked, self._expires)
        # The faults of the settings apply to numbers attached over the API, too.
        number = replace(
            number, hop=self._trunks.typed(number.hop), credentials=self._trunks.copied(number.credentials)
        )
        registration = self._attach(number)
        self._attached[registration.id] = registration
        return registration

    async def detach(self, number_id: str) -> bool:
        """Detach a number that was attached over the API; return whether there was one."""
        registration = self._attached.pop(number_id, None)
        if registration is not None:
            await registration.detach()
        return registration is not None

    def find(self, number_id: str) -> Registration | None:
        return next((registration for registration in self.all() if registration.id == number_id), None)

    def all(self) -> list[Registration]:
        return [*self._standing.values(), *self._attached.values()]

    async def stop(self) -> None:
        """Remove all registrations."""
        for registration in self.all():
            await registration.detach()


def _parsed(asked: dict[str, Any], expires: int) -> SipNumber:
    host, _, text = str(asked.get("termination_uri", "")).rpartition(":")
    port = decimal(text, most=65535)
    transport = asked.get("transport", "udp")
    region = asked.get("region", "default")
    wanted = asked.get("expires", expires)
    if not host or not port:
        raise BadNumberError("termination_uri: host:port is needed")
    known = next((name for name in TRANSPORTS if name == transport), None)
    if known is None:
        raise BadNumberError(f"transport: {transport!r}; allowed: {', '.join(TRANSPORTS)}")
    if region not in REGIONS:
        raise BadNumberError(f"region: {region!r}; allowed: {', '.join(REGIONS)}")
    if not isinstance(wanted, int) or not SHORTEST <= wanted <= LONGEST:
        raise BadNumberError(f"expires: {wanted!r}; allowed: {SHORTEST} to {LONGEST} seconds")
    credentials = Credentials(str(asked.get("username", "")), str(asked.get("password", "")))
    return SipNumber(hop=Hop(known, host, port), credentials=credentials, expires=wanted, region=region)
