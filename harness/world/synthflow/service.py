"""Synthflow as one customer sees it: where it listens, its assistants, its calls."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from harness.deployment import Deployment
from harness.sip.grammar import SipSyntaxError
from harness.sip.message import Message
from harness.world.audit import Audit
from harness.world.faults import Fault, Faults
from harness.world.media.leg import LegMedia
from harness.world.numbering import unassigned_number
from harness.world.settings import CurrentSettings
from harness.world.synthflow.media_engine import MediaEngine
from harness.world.synthflow.record import CallRecord, Records
from harness.world.synthflow.trunks import Trunks
from harness.world.watch import Watched
from harness.world.wire.agent import UserAgent
from harness.world.wire.transport import Traced


class WatchedCall(Protocol):
    """A conversation, as the service sees it."""

    def watched(self) -> list[Watched]:
        """Its answered legs."""


class Synthflow:
    """One tenant's Synthflow; `reception` takes its calls. Its agent traces into :meth:`trace`."""

    def __init__(
        self,
        deployment: Deployment,
        faults: Faults,
        audit: Audit,
        media_engine: MediaEngine,
        ua: UserAgent,
        media_address: str,
        trunks: Trunks,
        settings: CurrentSettings,
        line_of_call: Callable[[str], str | None],
    ) -> None:
        """``line_of_call`` says which line of the platform has a call of that Call-ID: only faults of one line ask."""
        self.deployment = deployment
        self.faults = faults
        self.audit = audit
        self.media_engine = media_engine
        self.ua = ua
        self.address = ua.listening[0].address
        self.media_address = media_address
        self.trunks = trunks
        self.settings = settings
        self.records = Records()
        self.conversations: set[WatchedCall] = set()
        self._assistants = {assistant.did: name for name, assistant in deployment.assistants.items()}
        self.line_of_call = line_of_call

    def assistant_of(self, number: str) -> str | None:
        """The name of the assistant that a number is attached to."""
        return self._assistants.get(number)

    def transfer_number(self, right: str, line: str | None) -> str:
        """The number or user that a transfer to ``right`` is configured with; a wrong one where a fault says so."""
        return unassigned_number(self.deployment) if self.faults.on(Fault.GROUP_DID_WRONG, line) else right

    def new_media(self) -> LegMedia:
        """A new leg's media."""
        return LegMedia(self.media_address, rtcp=self.settings.now.rtcp)

    def over(self, conversation: WatchedCall) -> None:
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
