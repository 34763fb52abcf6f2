"""Synthflow as one customer sees it: its trunks, where it listens, its assistants, its calls."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from harness.deployment import Trunk
from harness.sip.digest import CredentialCheck, Credentials, DigestServer
from harness.sip.grammar import SipSyntaxError
from harness.sip.message import Message
from harness.sip.uri import Uri
from harness.world.addresses import Host
from harness.world.context import TenantContext
from harness.world.faults import Fault
from harness.world.identity import unassigned_number
from harness.world.media.leg import LegMedia
from harness.world.synthflow.media_engine import MediaEngine
from harness.world.synthflow.record import CallRecord, Records
from harness.world.wire.agent import UserAgent
from harness.world.wire.invite import IncomingCall
from harness.world.wire.transport import Hop, Traced

if TYPE_CHECKING:
    from harness.world.synthflow.conversation import Conversation


@dataclass(frozen=True, slots=True)
class TrunkRefusal:
    """Why a call is refused: it came over no trunk, or over a trunk in the wrong way."""

    status: int
    reason: str


class Trunks:
    """All trunks of a tenant."""

    def __init__(self, context: TenantContext) -> None:
        deployment = context.deployment
        self._faults = context.faults
        self._no_listener = context.block[Host.NO_LISTENER]
        self._domain = deployment.platform.domain
        self._is_gladly = deployment.integration == "gladly"
        self._trunks = [trunk for trunk in deployment.trunks if trunk.ai == "synthflow"]
        self._by_address = {self._termination(trunk)[0]: trunk for trunk in self._trunks}
        self._by_user = {t.username: t for t in self._trunks if t.authentication == "digest" and t.username}
        self._digest = DigestServer("synthflow", self._password_of)

    def all(self) -> list[Trunk]:
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
        return replace(right, address=self._no_listener) if self._faults.on(Fault.TERMINATION_URI_WRONG) else right

    def target(self, trunk: Trunk, number: str) -> Uri:
        """A number at the platform, as calls and transfers name it."""
        if self._is_gladly:
            return Uri("sip", number, self._domain).with_param("transport", "tls")
        return Hop(trunk.transport, *self._termination(trunk)).uri(number)

    def dialled(self, trunk: Trunk, number: str) -> Uri:
        """What a call of the AI's own asks for: the number at the Termination URI as it was typed in."""
        right = self.target(trunk, number)
        return replace(right, host=self._no_listener) if self._faults.on(Fault.TERMINATION_URI_WRONG) else right

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


class Synthflow:
    """One tenant's Synthflow; `reception` takes its calls. Its agent traces into :meth:`trace`."""

    def __init__(
        self,
        context: TenantContext,
        media_engine: MediaEngine,
        ua: UserAgent,
        trunks: Trunks,
        line_of_call: Callable[[str], str | None],
    ) -> None:
        """``line_of_call`` returns the platform's line of a Call-ID; only faults set for one line use it."""
        self.context = context
        self.deployment = context.deployment
        self.faults = context.faults
        self.audit = context.audit
        self.media_engine = media_engine
        self.ua = ua
        self.address = ua.listening[0].address
        self.trunks = trunks
        self.records = Records()
        self.conversations: set[Conversation] = set()
        self._assistants = {assistant.did: name for name, assistant in self.deployment.assistants.items()}
        self.line_of_call = line_of_call

    def assistant_of(self, number: str) -> str | None:
        """The name of the assistant that a number is attached to."""
        return self._assistants.get(number)

    def transfer_number(self, right: str, line: str | None) -> str:
        """The number or user that a transfer to ``right`` is configured with; a wrong one where a fault says so."""
        return unassigned_number(self.deployment) if self.faults.on(Fault.GROUP_DID_WRONG, line) else right

    def new_media(self) -> LegMedia:
        return LegMedia(self.context.block[Host.SYNTHFLOW_MEDIA], rtcp=self.context.settings.rtcp)

    def over(self, conversation: Conversation) -> None:
        """Forget a conversation that has ended."""
        self.conversations.discard(conversation)

    def spawn(self, work: Coroutine[Any, Any, None], record: CallRecord) -> None:
        """Run something for a call in the background."""
        self.audit.spawn(work, f"synthflow call {record.id}")

    def trace(self, traced: Traced) -> None:
        """Add a SIP message to the record of its call."""
        self.records.trace(_call_id(traced.data), traced)


def _call_id(data: bytes) -> str:
    try:
        return Message.parse(data).call_id
    except SipSyntaxError:
        return ""
