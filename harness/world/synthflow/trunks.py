"""Synthflow's side of the trunks: their settings, which calls they bring, and the registration of
SIP numbers.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections import deque
from dataclasses import dataclass, replace
from typing import Any, Literal

from pydantic import BaseModel, Field

from harness.deployment import Trunk
from harness.sip.digest import Credentials, DigestServer
from harness.sip.grammar import decimal
from harness.sip.message import Response
from harness.sip.uri import NameAddr, Uri
from harness.world.addresses import Host
from harness.world.audit import Audit
from harness.world.b2bua import LegRefusedError
from harness.world.registrar import CHALLENGED
from harness.world.settings import TenantContext
from harness.world.wire.agent import UserAgent
from harness.world.wire.invite import IncomingCall
from harness.world.wire.transport import Endpoint, TransportName


class Trunks:
    """All trunks of a tenant, as somebody has typed them in at Synthflow: address, user name and
    password of each are copies of the platform's, and a fault may have spoilt them.

    A call is known by the address of its trunk's end; one from another address needs the
    credentials of a digest trunk.
    """

    def __init__(self, context: TenantContext) -> None:
        deployment = context.deployment
        self._faults = context.faults
        self._no_listener = context.block[Host.NO_LISTENER]
        self._domain = deployment.platform.domain
        self._is_gladly = deployment.integration == "gladly"
        self.all = [trunk for trunk in deployment.trunks if trunk.ai == "synthflow"]
        self._by_address = {trunk.termination_host: trunk for trunk in self.all}
        self._by_user: dict[str, Trunk] = {}
        for trunk in self.all:
            if trunk.authentication == "digest" and trunk.username:
                self._by_user[trunk.username] = trunk
        self._digest = DigestServer("synthflow", self._password_of)

    def credentials(self, trunk: Trunk) -> Credentials:
        """The trunk's credentials as they were copied from the platform."""
        password = trunk.password.get_secret_value() if trunk.password else ""
        return self.copied(Credentials(trunk.username or "", password))

    def copied(self, right: Credentials) -> Credentials:
        """The credentials as they were typed in, wrong where a fault says so. Both directions use
        the copy: a wrong one spoils registrations and the platform's calls.
        """
        username = right.username
        password = right.password
        if self._faults.on("username-wrong"):
            username += "-x"
        if self._faults.on("password-wrong"):
            password += "-x"
        return Credentials(username, password)

    def _termination(self, trunk: Trunk) -> Endpoint:
        return Endpoint(trunk.transport, trunk.termination_host or "", trunk.termination_port or 0)

    def hop(self, trunk: Trunk) -> Endpoint:
        """The Termination URI's address."""
        return self.typed(self._termination(trunk))

    def typed(self, right: Endpoint) -> Endpoint:
        """The address as it was typed in, wrong where a fault says so."""
        if self._faults.on("termination-uri-wrong"):
            return replace(right, address=self._no_listener)
        return right

    def target(self, trunk: Trunk, number: str) -> Uri:
        """A number at the platform, as calls and transfers name it: at the Termination URI, or for
        Gladly at its domain over TLS.
        """
        if self._is_gladly:
            return Uri("sip", number, self._domain).with_param("transport", "tls")
        return self._termination(trunk).uri(number)

    def dialled(self, trunk: Trunk, number: str) -> Uri:
        """The Request-URI of a call that the AI makes: the number at the Termination URI as it was
        typed in.
        """
        right = self.target(trunk, number)
        if self._faults.on("termination-uri-wrong"):
            return replace(right, host=self._no_listener)
        return right

    def knows(self, address: str) -> bool:
        """Whether a trunk's calls come from that address."""
        return address in self._by_address

    def admit(self, call: IncomingCall) -> Trunk | None:
        """The trunk an INVITE came over; None when it has been challenged. Raises
        `LegRefusedError`.
        """
        trunk = self._by_address.get(call.source[0])
        if trunk is None or trunk.authentication == "digest":
            checked = self._digest.verify(call.request)
            if checked.outcome in CHALLENGED:
                challenge = self._digest.challenge(stale=checked.stale)
                call.reject(self._digest.status, None, [challenge])
                return None
            if not checked.accepted:
                raise LegRefusedError(403, f"Credentials: {checked.outcome.value}")
            trunk = trunk or self._by_user[checked.username or ""]
        if trunk.transport == "tls" and call.flow.transport != "tls":
            raise LegRefusedError(403, "TLS required")
        return trunk

    def _password_of(self, username: str) -> str | None:
        for trunk in self._by_user.values():
            copy = self.credentials(trunk)
            if copy.username == username:
                return copy.password
        return None


_MOST_KEPT = 200
_MOST_EXPIRES = 2**32 - 1  # RFC 3261 section 20.19
Region = Literal["default", "other"]  #: the second signals from an address that no allowlist has


class AskedNumber(BaseModel):
    """A number to attach, as an API request has it."""

    termination_uri: str = Field(pattern=r"^[^:]+:[1-9][0-9]{0,4}$")
    transport: TransportName = "udp"
    username: str = ""
    password: str = ""
    #: Seconds; Synthflow's own least is 60, which scaled-down timings go below.
    expires: int | None = Field(None, ge=1, le=3600)
    region: Region = "default"


@dataclass(frozen=True)
class SipNumber:
    """The settings of a SIP number: the Termination URI's address, and the credentials."""

    hop: Endpoint
    credentials: Credentials
    expires: int
    region: Region = "default"


class Registration:
    """A SIP number that is attached: registered, and registered again at half its interval until it
    is detached.

    It refreshes by the interval that it asked for. RFC 3261 section 10.2.4 has a client go by what
    was granted; that Synthflow does not is what a registrar that grants less shows as gaps.
    """

    def __init__(self, ua: UserAgent, number: SipNumber, audit: Audit) -> None:
        self.number = number
        self.id = secrets.token_hex(8)
        self._ua = ua
        self._call_id = secrets.token_hex(16)
        self._cseq = 1
        #: Each REGISTER's final answer.
        self._attempts: deque[dict[str, Any]] = deque(maxlen=_MOST_KEPT)
        self._due = asyncio.Event()
        self._task = audit.spawn(self._keep(), f"registration {number.credentials.username}")

    async def detach(self) -> None:
        """Stop registering, and remove the binding."""
        self._task.cancel()
        if self._attempts and self._attempts[-1]["code"] == 200:
            await self._register(0)

    def plain(self) -> dict[str, Any]:
        """As the API returns it, without the password."""
        hop = self.number.hop
        latest: dict[str, Any] = {"code": None, "reason": None, "expires": None}
        if self._attempts:
            latest = self._attempts[-1]
        return {
            "id": self.id,
            "username": self.number.credentials.username,
            "termination_uri": f"{hop.address}:{hop.port}",
            "transport": hop.transport,
            "region": self.number.region,
            "registered": latest["code"] == 200 and latest["at"] + latest["expires"] > time.time(),
            "code": latest["code"],
            "reason": latest["reason"],
            "expires": latest["expires"],
            "registrations": list(self._attempts),
        }

    async def _keep(self) -> None:
        """Register, and again at each half of the interval, until the task is cancelled."""
        while True:
            response = await self._register(self.number.expires)
            granted = self._granted(response)
            attempt = {
                "code": response.status,
                "reason": response.reason,
                "at": time.time(),
                "expires": granted,
            }
            self._attempts.append(attempt)
            self._due.clear()
            # By its own setting, not by the granted interval: a shorter grant leaves a gap.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._due.wait(), self.number.expires / 2)

    def again(self) -> None:
        """Register now, without waiting for the next refresh."""
        self._due.set()

    async def _register(self, expires: int) -> Response:
        """Send a REGISTER; 0 seconds remove the binding (RFC 3261 section 10.2.2). All are of one
        call (section 10.2).
        """
        hop = self.number.hop
        user = self.number.credentials.username
        of_record = NameAddr(Uri("sip", user, hop.address))
        # A separate Contact, so that removing this binding leaves other bindings of the user.
        ours = self._ua.contact(self._ua.local(hop.transport), user)
        contact = NameAddr(ours.uri.with_param("line", self.id))
        response = await self._ua.request(
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

    def _granted(self, response: Response) -> int:
        """What the registrar granted: the expires parameter of its own Contact among all that are
        listed (RFC 3261 section 10.2.4), the Expires header, or what was asked.
        """
        if not response.is_success:
            return 0
        own = [
            contact for contact in response.contacts if contact.uri.params.get("line") == self.id
        ]
        for contact in own or response.contacts:
            granted = decimal(contact.params.get("expires") or "", most=_MOST_EXPIRES)
            if granted is not None:
                return granted
        return self.number.expires if response.expires is None else response.expires


class SipNumbers:
    """The SIP numbers of one tenant; ``agents`` are by region.

    The number of each digest trunk is attached from the start, and again when a fault changes its
    settings; others are attached over the API.
    """

    def __init__(
        self, context: TenantContext, agents: dict[Region, UserAgent], trunks: Trunks
    ) -> None:
        self._agents = agents
        self._trunks = trunks
        self._expires = context.timings.register_expires_s
        # trunk registrations have the documented lifetime in quick runs, too: no case waits for
        # their refresh
        self._trunks_expire = context.deployment.timings.register_expires_s
        self._audit = context.audit
        #: Of each digest trunk by its name, others by their id.
        self._registrations: dict[str, Registration] = {}
        context.faults.on_change.append(self.renew)

    def renew(self) -> None:
        """Register the number of every digest trunk, with the settings as they are now."""
        for trunk in self._trunks.all:
            if trunk.authentication != "digest":
                continue
            hop = self._trunks.hop(trunk)
            number = SipNumber(hop, self._trunks.credentials(trunk), self._trunks_expire)
            old = self._registrations.get(trunk.name)
            if old is not None and old.number == number:
                old.again()
                continue
            if old is not None:
                self._audit.spawn(old.detach(), f"detach {trunk.name}")
            self._registrations[trunk.name] = self._attached(number)

    def _attached(self, number: SipNumber) -> Registration:
        return Registration(self._agents[number.region], number, self._audit)

    def attach(self, asked: AskedNumber) -> Registration:
        """Attach a number; the faults of the trunks' settings apply to it, too."""
        host, _, port = asked.termination_uri.partition(":")
        hop = self._trunks.typed(Endpoint(asked.transport, host, int(port)))
        credentials = self._trunks.copied(Credentials(asked.username, asked.password))
        expires = asked.expires or self._expires
        made = self._attached(SipNumber(hop, credentials, expires, asked.region))
        self._registrations[made.id] = made
        return made

    async def detach(self, number_id: str) -> bool:
        """Detach a number that was attached over the API; return whether there was one."""
        registration = self._registrations.get(number_id)
        if registration is None or registration.id != number_id:
            return False  # unknown, or a trunk's, which is kept by the trunk's name
        del self._registrations[number_id]
        await registration.detach()
        return True

    def all(self) -> list[Registration]:
        return list(self._registrations.values())

    async def stop(self) -> None:
        """Remove all registrations."""
        for registration in self.all():
            await registration.detach()
