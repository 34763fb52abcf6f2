"""Calls that come in to Synthflow."""

from __future__ import annotations

from functools import partial

from harness.sip.grammar import SipSyntaxError
from harness.sip.identity import caller_id
from harness.sip.message import Request
from harness.sip.uri import Uri
from harness.world.synthflow.conversation import Conversation
from harness.world.synthflow.record import CallRecord
from harness.world.synthflow.service import Synthflow
from harness.world.wire.incoming import IncomingCall

_NOT_A_NUMBER = "anonymous"


def take_ai_calls(service: Synthflow) -> None:
    """Have ``service`` take the calls that it is sent."""
    service.ua.on_invite = partial(_invited, service)


async def _invited(service: Synthflow, call: IncomingCall) -> None:
    try:
        number, line = _user(call.request.uri), service.line_of_call(call.call_id)
    except SipSyntaxError as error:
        call.reject(400, str(error))
        return
    record = service.records.of_sip(call.call_id)  # a challenged INVITE comes again
    if record is None or record.answered_at is not None:
        record = CallRecord(CallRecord.new_id(), _caller(service, call.request), number)
        service.records.add(record, call.call_id)
    else:
        record.released_at = None
        record.status = "ringing"
    conversation = Conversation(service, call, record, line)
    service.conversations.add(conversation)
    await conversation.take()


def _caller(service: Synthflow, request: Request) -> str:
    try:
        caller = caller_id(request, service.deployment.region)
    except SipSyntaxError:
        return _NOT_A_NUMBER
    return caller.from_.user or _NOT_A_NUMBER


def _user(uri: Uri) -> str:
    return (uri.user or "").partition(";")[0]
