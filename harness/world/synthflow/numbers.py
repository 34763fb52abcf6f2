"""The SIP numbers of one tenant and their registrations at the platform (RFC 3261 section 10.2)."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections import deque
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, Field

from harness.sip.digest import Credentials
from harness.sip.grammar import decimal
from harness.sip.message import Response
from harness.sip.uri import NameAddr, Uri
from harness.world.audit import Audit
from harness.world.context import TenantContext
from harness.world.synthflow.service import Trunks
from harness.world.wire.agent import UserAgent
from harness.world.wire.transport import Hop, TransportName

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


@dataclass(frozen=True, kw_only=True)
class SipNumber:
    """The settings of a SIP number: the Termination URI's address, and the credentials."""

    hop: Hop
    credentials: Credentials
    expires: int
    region: Region = "default"


class Registration:
    """A SIP number that is attached: registered, and registered again at half its interval until it is detached."""

    def __init__(self, ua: UserAgent, number: SipNumber, audit: Audit) -> None:
        self.number = number
        self.id = secrets.token_hex(8)
        self._ua = ua
        self._call_id = secrets.token_hex(16)
        self._cseq = 1
        self._attempts: deque[dict[str, Any]] = deque(maxlen=_MOST_KEPT)  # each REGISTER's final answer
        self._due = asyncio.Event()
        self._task = audit.spawn(self._keep(), f"registration {number.credentials.username}")

    async def detach(self) -> None:
        """Stop registering, and remove the binding."""
        self._task.cancel()
        if self._attempts and self._attempts[-1]["code"] == 200:
            await self._register(0)

    def plain(self) -> dict[str, Any]:
        """As the API returns it, without the password."""
        latest: dict[str, Any] = self._attempts[-1] if self._attempts else dict.fromkeys(("code", "reason", "expires"))
        return {
            "id": self.id,
            "username": self.number.credentials.username,
            "termination_uri": f"{self.number.hop.address}:{self.number.hop.port}",
            "transport": self.number.hop.transport,
            "region": self.number.region,
            "registered": latest["code"] == 200 and latest["at"] + latest["expires"] > time.time(),
            **{name: latest[name] for name in ("code", "reason", "expires")},
            "registrations": list(self._attempts),
        }

    async def _keep(self) -> None:
        while True:
            response = await self._register(self.number.expires)
            granted = _granted(response, self.number.expires)
            attempt = {"code": response.status, "reason": response.reason, "at": time.time(), "expires": granted}
            self._attempts.append(attempt)
            self._due.clear()
            # By its own setting, not by the granted interval: a shorter grant leaves a gap.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._due.wait(), self.number.expires / 2)

    def again(self) -> None:
        """Register now, without waiting for the next refresh."""
        self._due.set()

    async def _register(self, expires: int) -> Response:
        hop, user = self.number.hop, self.number.credentials.username
        of_record = NameAddr(Uri("sip", user, hop.address))
        # A separate Contact, so that removing this binding leaves other bindings of the user.
        contact = NameAddr(self._ua.contact(self._ua.local(hop.transport), user).uri.with_param("line", self.id))
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


def _granted(response: Response, asked: int) -> int:
    """What the registrar granted: the expires parameter of the Contact, the Expires header, or what was asked."""
    if not response.is_success:
        return 0
    for contact in response.contacts:
        granted = decimal(contact.params.get("expires") or "", most=_MOST_EXPIRES)
        if granted is not None:
            return granted
    return asked if response.expires is None else response.expires


class SipNumbers:
    """The SIP numbers of one tenant; ``agents`` are by region."""

    def __init__(self, context: TenantContext, agents: dict[Region, UserAgent], trunks: Trunks) -> None:
        self._agents = agents
        self._trunks = trunks
        self._expires = context.timings.register_expires_s
        self._audit = context.audit
        self._registrations: dict[str, Registration] = {}  # of each digest trunk by its name, others by their id
        context.faults.on_change.append(self.renew)

    def renew(self) -> None:
        """Register the number of every digest trunk, with the settings as they are now."""
        for trunk in self._trunks.all():
            if trunk.authentication != "digest":
                continue
            number = SipNumber(
                hop=self._trunks.hop(trunk), credentials=self._trunks.credentials(trunk), expires=self._expires
            )
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
        registration = self._attached(
            SipNumber(
                hop=self._trunks.typed(Hop(asked.transport, host, int(port))),
                credentials=self._trunks.copied(Credentials(asked.username, asked.password)),
                expires=asked.expires or self._expires,
                region=asked.region,
            )
        )
        self._registrations[registration.id] = registration
        return registration

    async def detach(self, number_id: str) -> bool:
        """Detach a number that was attached over the API; return whether there was one."""
        if (registration := self._registrations.get(number_id)) is None or registration.id != number_id:
            return False
        del self._registrations[number_id]
        await registration.detach()
        return True

    def find(self, number_id: str) -> Registration | None:
        return next((registration for registration in self.all() if registration.id == number_id), None)

    def all(self) -> list[Registration]:
        return list(self._registrations.values())

    async def stop(self) -> None:
        """Remove all registrations."""
        for registration in self.all():
            await registration.detach()
