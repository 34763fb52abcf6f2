"""The SIP numbers of one tenant: those of its digest trunks, and those attached over the API."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from harness.sip.digest import Credentials
from harness.sip.grammar import decimal
from harness.world.audit import Audit
from harness.world.faults import Faults
from harness.world.synthflow.registration import Registration, SipNumber
from harness.world.synthflow.trunks import Trunks
from harness.world.wire.agent import UserAgent
from harness.world.wire.transport import TRANSPORTS, Hop

SHORTEST, LONGEST = 1, 3600  #: seconds; Synthflow's own least is 60, which scaled-down timings go below
REGIONS: Final = ("default", "other")  #: the second signals from an address that no allowlist has


class BadNumberError(ValueError):
    """The number cannot be attached; the message says why."""


class SipNumbers:
    """``agents`` by region; ``expires`` is the trunks' registration interval."""

    def __init__(
        self, agents: dict[str, UserAgent], trunks: Trunks, expires: int, faults: Faults, audit: Audit
    ) -> None:
        self._agents = agents
        self._trunks = trunks
        self._expires = expires
        self._audit = audit
        self._standing: dict[str, Registration] = {}
        self._attached: dict[str, Registration] = {}
        faults.on_change.append(self.renew)

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
        # Whoever gets a number's settings wrong does so with this one as well.
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
        """The number with that id."""
        return next((registration for registration in self.all() if registration.id == number_id), None)

    def all(self) -> list[Registration]:
        """All numbers."""
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
