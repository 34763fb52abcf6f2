"""Synthflow as one customer sees it: where it listens, its assistants, its calls."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from harness.deployment import Deployment
from harness.simulation.books import Books
from harness.simulation.faults import Fault, Faults
from harness.simulation.media.leg import LegMedia
from harness.simulation.settings import Current
from harness.simulation.synthflow.conversation import Conversation
from harness.simulation.synthflow.record import CallRecord, Records
from harness.simulation.synthflow.studio import Studio
from harness.simulation.synthflow.trunks import Trunks
from harness.simulation.wire.agent import UserAgent
from harness.simulation.wire.incoming import IncomingCall
from harness.simulation.wire.transport import Traced
from harness.sip.grammar import SipSyntaxError
from harness.sip.identity import caller_id
from harness.sip.message import Message, Request
from harness.sip.uri import Uri

_NOT_A_NUMBER = "anonymous"


class Synthflow:
    """One tenant's Synthflow. Its agent traces into :meth:`trace`."""

    def __init__(
        self,
        deployment: Deployment,
        faults: Faults,
        books: Books,
        studio: Studio,
        ua: UserAgent,
        media_address: str,
        trunks: Trunks,
        settings: Current,
        line_of_call: Callable[[str], str | None],
    ) -> None:
        """``line_of_call`` says which line of the platform has a call of that Call-ID: only faults of one line ask."""
        self.deployment = deployment
        self.faults = faults
        self.books = books
        self.studio = studio
        self.ua = ua
        self.address = ua.listening[0].address
        self.media_address = media_address
        self.trunks = trunks
        self.settings = settings
        self.records = Records()
        self.conversations: set[Conversation] = set()
        self._assistants = {assistant.did: name for name, assistant in deployment.assistants.items()}
        self._line_of_call = line_of_call
        ua.on_invite = self._invited

    async def _invited(self, call: IncomingCall) -> None:
        try:
            number, line = _user(call.request.uri), self._line_of_call(call.call_id)
        except SipSyntaxError as error:
            call.reject(400, str(error))
            return
        record = self.records.of_sip(call.call_id)  # a challenged INVITE comes again
        if record is None or record.answered_at is not None:
            record = CallRecord(CallRecord.new_id(), self._caller(call.request), number)
            self.records.add(record, call.call_id)
        else:
            record.released_at = None
            record.status = "ringing"
        conversation = Conversation(self, call, record, line)
        self.conversations.add(conversation)
        await conversation.take()

    def _caller(self, request: Request) -> str:
        try:
            caller = caller_id(request, self.deployment.region)
        except SipSyntaxError:
            return _NOT_A_NUMBER
        return caller.from_.user or _NOT_A_NUMBER

    def assistant_of(self, number: str) -> str | None:
        """The name of the assistant a number is attached to."""
        return self._assistants.get(number)

    def transfer_number(self, did: str, line: str | None) -> str:
        """The number a transfer to the group with ``did`` is configured with."""
        if self.faults.on(Fault.GROUP_DID_WRONG, line):
            return self.deployment.numbers.no_such_number or "+12015550199"
        return did

    def new_media(self) -> LegMedia:
        """A new leg's media."""
        return LegMedia(self.media_address, rtcp=self.settings.now.rtcp)

    def over(self, conversation: Conversation) -> None:
        """A conversation has ended."""
        self.conversations.discard(conversation)

    def spawn(self, work: Coroutine[Any, Any, None], record: CallRecord) -> None:
        """Do something for a call beside everything else."""
        self.books.spawn(work, f"synthflow call {record.id}")

    def trace(self, traced: Traced) -> None:
        """A SIP message came or went: it belongs to the record of its call."""
        self.records.trace(_call_id(traced.data), traced)


def _user(uri: Uri) -> str:
    return (uri.user or "").partition(";")[0]


def _call_id(data: bytes) -> str:
    try:
        return Message.parse(data).call_id
    except SipSyntaxError:
        return ""
