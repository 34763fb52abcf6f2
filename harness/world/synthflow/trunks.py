"""The customer's trunks as Synthflow has them: known by address or password, and the way back to the platform."""

from __future__ import annotations

from dataclasses import dataclass, replace

from harness.deployment import Deployment, Trunk
from harness.sip.digest import CredentialCheck, Credentials, DigestServer
from harness.sip.uri import Uri
from harness.world.faults import Fault, Faults
from harness.world.wire.incoming import IncomingCall
from harness.world.wire.transport import Hop


@dataclass(frozen=True, slots=True)
class TrunkRefusal:
    """Why a call is not taken that came over no trunk, or over one in the wrong way."""

    status: int
    reason: str


class Trunks:
    """All trunks of a tenant. ``nobody`` is an address that nobody listens at."""

    def __init__(self, deployment: Deployment, faults: Faults, nobody: str) -> None:
        self._faults = faults
        self._nobody = nobody
        self._domain = deployment.platform.domain
        self._is_gladly = deployment.integration == "gladly"
        self._trunks = [trunk for trunk in deployment.trunks if trunk.ai == "synthflow"]
        self._by_address = {self._termination(trunk)[0]: trunk for trunk in self._trunks}
        self._by_user = {t.username: t for t in self._trunks if t.authentication == "digest" and t.username}
        self._digest = DigestServer("synthflow", self._password_of)

    def all(self) -> list[Trunk]:
        """All trunks."""
        return list(self._trunks)

    def credentials(self, trunk: Trunk) -> Credentials:
        """The trunk's credentials as they were copied from the platform."""
        return self.copied(
            Credentials(trunk.username or "", trunk.password.get_secret_value() if trunk.password else "")
        )

    def copied(self, right: Credentials) -> Credentials:
        """The credentials as they were typed in, wrong where a fault says so."""
        username, password = right.username, right.password
        if self._faults.on(Fault.USERNAME_WRONG):
            username += "-x"
        if self._faults.on(Fault.PASSWORD_WRONG):
            password += "-x"
        return Credentials(username, password)

    def hop(self, trunk: Trunk) -> Hop:
        """The Termination URI's address."""
        return self.typed(Hop(trunk.transport, *self._termination(trunk)))

    def typed(self, right: Hop) -> Hop:
        """The address as it was typed in, wrong where a fault says so."""
        return replace(right, address=self._nobody) if self._faults.on(Fault.TERMINATION_URI_WRONG) else right

    def target(self, trunk: Trunk, number: str) -> Uri:
        """A number at the platform, as calls and transfers name it."""
        if self._is_gladly:
            return Uri("sip", number, self._domain).with_param("transport", "tls")
        host, port = self._termination(trunk)
        uri = Uri("sip", number, host, port)
        return uri if trunk.transport == "udp" else uri.with_param("transport", trunk.transport)

    def dialled(self, trunk: Trunk, number: str) -> Uri:
        """What a call of the AI's own asks for: the number at the Termination URI as it was typed in."""
        right = self.target(trunk, number)
        return replace(right, host=self._nobody) if self._faults.on(Fault.TERMINATION_URI_WRONG) else right

    def knows(self, address: str) -> bool:
        """Whether a trunk's calls come from that address."""
        return address in self._by_address

    def admit(self, call: IncomingCall) -> Trunk | TrunkRefusal | None:
        """The trunk an INVITE came over; None when it has been challenged."""
        trunk = self._by_address.get(call.source[0])
        if trunk is None or trunk.authentication == "digest":
            checked = self._digest.verify(call.request)
            if checked.outcome in (CredentialCheck.MISSING, CredentialCheck.STALE, CredentialCheck.REPLAYED):
                call.reject(self._digest.status, None, [self._digest.challenge(stale=checked.stale)])
                return None
            if not checked.accepted:
                return TrunkRefusal(403, f"Credentials: {checked.outcome.value}")
            trunk = trunk or self._by_user[checked.username or ""]
        if trunk.transport == "tls" and call.flow.transport != "tls":
            return TrunkRefusal(403, "TLS required")
        return trunk

    def _password_of(self, username: str) -> str | None:
        for trunk in self._by_user.values():
            credentials = self.credentials(trunk)
            if credentials.username == username:
                return credentials.password
        return None

    @staticmethod
    def _termination(trunk: Trunk) -> tuple[str, int]:
        host, _, port = (trunk.termination or "").rpartition(":")
        return host, int(port)
