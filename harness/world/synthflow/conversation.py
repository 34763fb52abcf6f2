"""A call that an assistant takes: it answers, listens, speaks, does what its caller asks for, and transfers."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import Any, Final

from harness.audio.dtmf import dtmf
from harness.audio.prompts import prompt_text
from harness.deployment import Assistant, Handover, Trunk, Way
from harness.sip import xei
from harness.sip.grammar import SipSyntaxError
from harness.sip.identity import caller_id
from harness.sip.message import Request
from harness.sip.offer_answer import NoAgreementError
from harness.sip.sdp import TELEPHONE_EVENT
from harness.sip.uri import NameAddr, Uri
from harness.world.audit import Watched
from harness.world.b2bua import BackToBack, WireLeg, renegotiate_alone
from harness.world.faults import Fault
from harness.world.media import sound
from harness.world.media.digits import ReceivedDigit, info_of_digit, take_info
from harness.world.media.leg import LegMedia
from harness.world.media.sound import TICK
from harness.world.settings import AssistantSettings
from harness.world.synthflow.media_engine import Channel
from harness.world.synthflow.record import CallRecord
from harness.world.synthflow.service import Synthflow, TrunkRefusal
from harness.world.synthflow.speech import ANSWER, FIRST_WORDS, GOODBYE, HOLD, SPEAKS_ON
from harness.world.wire.call import InDialogRequest
from harness.world.wire.dialog import CallFailedError, End, How, sdp_of
from harness.world.wire.invite import IncomingCall, OutgoingCall

EARLY_SECONDS: Final = 0.6  #: how long an assistant with early media speaks before it answers
TRANSFER_SECONDS: Final = 40.0  #: a transfer that has come to nothing by then is given up
_GRACE_SECONDS = 0.1  # after a transfer, the platform may end the AI's leg itself
_REFUSING = {"unavailable": 503, "busy": 486, "declines": 603}
_STATUS = {486: "busy", 480: "no-answer", 408: "no-answer", 487: "canceled"}


def _begins(handover: Handover, way: Way, said: str) -> bool:
    """Whether a caller who says that begins to ask for that handover."""
    match way:
        case "digit":
            return handover.digit == said
        case "prompt":
            return "prompt" in handover.ways and handover.prompt == said
        case _:
            return "silence" in handover.ways


class Conversation:
    """One inbound call of Synthflow."""

    def __init__(self, service: Synthflow, call: IncomingCall, record: CallRecord, line: str | None) -> None:
        self._service = service
        self._line = line  # of the platform, by which it came
        self._call = call
        self.record = record
        self._trunk: Trunk | None = None
        self._assistant: Assistant | None = None
        self._media: LegMedia | None = None
        self._channel: Channel | None = None
        self._settings = AssistantSettings()
        self._attentive = True  #: takes in what it hears
        self._acting = False
        self._amid: dict[
            str, tuple[str, ...]
        ] = {}  # handovers that are asked for, and what it waits to hear before each
        self._pending: OutgoingCall | None = None  # to the agent, while it rings
        self._bridge: BackToBack | None = None  # of caller and agent, once the agent has answered
        call.on_ended = self._ended
        call.on_info = self._on_info
        call.on_offer = self._renegotiate

    def watched(self) -> list[Watched]:
        """Its answered legs."""
        if self._bridge is not None:
            return self._bridge.watched()
        return [(self._call, self._media)] if self._media is not None and self._call.state == "confirmed" else []

    # --- taking the call ---------------------------------------------------------------------------

    async def take(self) -> None:
        """Answer it, or not, by the assistant's settings."""
        call, service = self._call, self._service
        trunk = service.trunks.admit(call)
        if not isinstance(trunk, Trunk) and not service.trunks.knows(call.source[0]):
            service.records.forget(self.record)  # a stranger's: no customer gets to see it
        if trunk is None:
            return  # challenged: the call comes again
        if isinstance(trunk, TrunkRefusal):
            self._refuse(trunk.status, trunk.reason)
            return
        self._trunk = trunk
        self._read_headers()
        name = service.assistant_of(self.record.number_to)
        if name is None or service.faults.on(Fault.ASSISTANT_NOT_ATTACHED, self._line):
            self._refuse(404, "No assistant is attached to this number")
            return
        if service.faults.on(Fault.CONCURRENCY_EXHAUSTED, self._line):
            self._refuse(429, "Concurrency limit reached")
            return
        self.record.assistant = name
        self._assistant = service.deployment.assistants[name]
        self._settings = service.context.settings.assistant(name)
        await self._behave(self._assistant)

    async def _behave(self, assistant: Assistant) -> None:
        if assistant.behaviour in _REFUSING:
            self._refuse(_REFUSING[assistant.behaviour])
            return
        if self._call.offer is None:
            self._refuse(488, "An offer is needed")
            return
        self._media = self._service.new_media()
        try:
            answer = self._media.answer(self._call.offer)
        except (SipSyntaxError, NoAgreementError) as error:
            self._refuse(488, str(error))
            return
        self._call.ring()
        if assistant.behaviour == "never-answers":
            return
        if assistant.behaviour == "early-media":
            self._call.progress(183, answer)
            self._open_channel()
            await asyncio.sleep(EARLY_SECONDS)
        if self._settings.answers_after_s:
            await asyncio.sleep(self._settings.answers_after_s)
        self._call.answer(answer)
        if self._call.state != "confirmed":
            return
        self.record.answered_at = time.time()
        self.record.status = "in-progress"
        self._open_channel()
        self._attentive = self._settings.interruptible or not self._settings.greeting_s
        if not self._attentive:
            await asyncio.sleep(self._settings.greeting_s)
            self._attentive = True
        if self._channel is not None:
            self._channel.begin_to_reply()

    def _open_channel(self) -> None:
        if self._media is None or self._channel is not None or self._call.state == "ended":
            return
        voice = self._assistant.voice if self._assistant else None
        channel = self._channel = self._service.media_engine.open(self._media, self, voice, self._settings)
        self.record.listening(lambda: channel.packets)
        first = FIRST_WORDS.get(self._settings.sends)
        if self._settings.sends == "voice" or first:
            self.record.say("bot", prompt_text(first) if first else "[speaks]")
        self._note_codec()

    def _note_codec(self) -> None:
        codec = self._media.codec if self._media is not None else None
        self.record.codec = codec.name.upper() if codec is not None else None

    def _refuse(self, status: int, reason: str | None = None) -> None:
        self.record.error_message = f"{status} {reason}" if reason else None
        self.record.ended(_STATUS.get(status, "failed"), "agent", reason or str(status))
        self._call.reject(status, reason)

    def _read_headers(self) -> None:
        request, record = self._call.request, self.record
        caller = caller_id(request, self._service.deployment.region)
        variables = {name: value for name, value in request.headers if xei.passes(name, value)}
        try:
            ei = xei.merged_with_diversion(request)
        except SipSyntaxError as error:
            ei = None
            variables["x_ei_error"] = str(error)
        if ei is not None:
            told = (("call_id", ei.call_id), ("external_id", ei.external_id), ("original_caller", ei.original_caller))
            variables |= {name: value for name, value in told if value is not None}
        record.variables |= variables | {"from_number": caller.number or "anonymous"}
        self._service.records.rename(record, ei.call_id if ei else None)

    # --- what is heard -----------------------------------------------------------------------------

    def heard_mark(self, mark: int, began: float, level_dbov: float) -> None:
        self.record.hear(mark, began, time.time(), level_dbov)

    def heard_digit(self, digit: ReceivedDigit) -> None:
        if not self._attentive:
            return
        self.record.press(digit)
        asked = self._service.deployment.escalation
        if self._asks("digit", digit.digit):
            return
        if digit.digit == asked.goodbye_digit:
            self._service.spawn(self._say_goodbye(), self.record)
        elif digit.digit == asked.digits_back_digit and asked.digits_back:
            self._service.spawn(self._send_digits(asked.digits_back, digit), self.record)

    def heard_prompt(self, name: str) -> None:
        if not self._attentive:
            return
        self.record.say("human", prompt_text(name))
        if self._settings.sends in SPEAKS_ON:
            self.record.say("bot", prompt_text(ANSWER))
        self._asks("prompt", name)

    def heard_nothing(self, seconds: float) -> None:
        if seconds < self._service.deployment.escalation.silence_s:
            return
        self._asks("silence", "")

    async def _on_info(self, request: InDialogRequest) -> None:
        if digit := take_info(request):
            self.heard_digit(digit)

    # --- what it does ------------------------------------------------------------------------------

    async def _say_goodbye(self) -> None:
        self.record.actions.append({"name": "end_call", "status": "done"})
        self.record.ended("completed", "agent", "normal clearing", "agent_goodbye")
        self._call.hangup()

    async def _send_digits(self, digits: str, like: ReceivedDigit) -> None:
        if like.method == "info":
            for digit in digits:
                content_type, body = info_of_digit(digit)
                await self._call.info(body, content_type)
        elif self._channel is not None and not (like.method == "rfc4733" and self._channel.send_digits(digits)):
            self._channel.say(sound.frames(dtmf(digits), self._channel.law))

    def _asks(self, way: Way, said: str) -> bool:
        """Whether that asks for a handover, or answers the assistant's question; it hands over when everything has been said."""
        left = {name: answers[1:] for name, answers in self._amid.items() if answers[0] == said}
        if not left:
            left = {name: handover.then for name, handover in self._handovers.items() if _begins(handover, way, said)}
        if not left:
            return False  # what it does not understand is no answer
        whole = next((name for name, answers in left.items() if not answers), None)
        self._amid = left if whole is None else {}
        if whole is not None:
            self._escalate(whole)
        else:
            self.record.say("bot", "[asks back]")
        return True

    @property
    def _handovers(self) -> dict[str, Handover]:
        name = self.record.assistant
        return self._service.deployment.handovers(name) if name is not None else {}

    def _escalate(self, asked: str) -> None:
        if self._acting or self._assistant is None:
            return
        made = self._handovers.get(self._settings.confuses.get(asked, asked))
        if made is None:
            return  # it does nothing
        self._acting = True
        self._service.spawn(self._transfer(self._assistant, made), self.record)

    async def _transfer(self, assistant: Assistant, handover: Handover) -> None:
        assert handover.transfer_to is not None
        group = self._service.deployment.groups[handover.transfer_to]
        number = self._service.transfer_number(str(group.address), self._line)
        action: dict[str, Any] = {
            "name": "transfer_call",
            "type": handover.transfer,
            "to": number,
            "status": "started",
        }
        self.record.actions.append(action)
        self.record.say("bot", f"[transfers to {number}]")
        if self._settings.please_hold_s:
            self._say(HOLD)
            await asyncio.sleep(self._settings.please_hold_s)
        try:
            status = await (
                self._cold(handover, number) if handover.transfer == "cold" else self._warm(assistant, handover, number)
            )
        except TimeoutError:
            status = 408
        action |= {"status": "done" if status == 200 else "failed", "status_code": status}
        if status != 200:
            self.record.error_message = f"transfer failed: {status}"
            await self._after_failed_transfer()
        self._acting = False

    async def _after_failed_transfer(self) -> None:
        if self._settings.after_failed_transfer == "stays":
            return
        if self._settings.after_failed_transfer == "says-goodbye" and self._channel is not None:
            await asyncio.sleep(self._say(GOODBYE))
        await self._say_goodbye()

    def _say(self, prompt: str) -> float:
        """Say it to the caller, and in the transcript; how many seconds that takes."""
        self.record.say("bot", prompt_text(prompt))
        if self._channel is None:
            return 0.0
        words = sound.prompt(prompt, self._channel.law)
        self._channel.say(words)
        return len(words) * TICK

    async def _cold(self, handover: Handover, number: str) -> int:
        assert self._trunk is not None
        target = self._service.trunks.target(self._trunk, number)
        if handover.transfer_topic is not None:
            target = target.with_header("X-Gladly-Routing-Selector", handover.transfer_topic)
        referral = self._call.refer(NameAddr(target))
        status, _ = await referral.wait_final(TRANSFER_SECONDS)
        if status == 200 and not self._service.faults.on(Fault.AI_LEG_LEFT_BEHIND, self._line):
            self.record.end_call_reason = "transferred"
            try:
                await self._call.wait_ended(_GRACE_SECONDS)
            except TimeoutError:
                await self._call.bye()
        return status

    async def _warm(self, assistant: Assistant, handover: Handover, number: str) -> int:
        service, media, trunk = self._service, self._media, self._trunk
        assert trunk is not None
        assert media is not None
        assert media.codec is not None
        to_agent = service.new_media()
        call = self._pending = service.ua.invite(
            service.trunks.dialled(trunk, number),
            from_=NameAddr(Uri("sip", self._number_shown(assistant, handover), service.address)),
            hop=service.trunks.hop(trunk),
            # What the caller's side has agreed on, as nothing is transcoded here.
            sdp=to_agent.offer((media.codec, TELEPHONE_EVENT)),
            headers=self._transfer_headers(handover),
            credentials=service.trunks.credentials(trunk) if trunk.authentication == "digest" else None,
        )
        service.records.also(self.record, call.call_id)
        try:
            to_agent.learn(sdp_of(await call.wait_answered(TRANSFER_SECONDS)) or b"")
            await asyncio.sleep(handover.briefing_s)
            if self._call.state == "confirmed":
                self._step_aside(call, to_agent)
                return 200
            return 487
        except CallFailedError as error:
            return error.status
        except SipSyntaxError:
            return 488
        finally:
            self._pending = None
            if self._bridge is None:
                call.hangup()
                to_agent.close()

    def _transfer_headers(self, handover: Handover) -> list[tuple[str, str]]:
        headers = [("x-ci", self.record.id)]
        if handover.transfer_topic is not None:
            headers.append(("X-Gladly-Routing-Selector", handover.transfer_topic))
        return headers

    def _number_shown(self, assistant: Assistant, handover: Handover) -> str:
        original = self.record.number_from
        if handover.transfer_caller_id == "agent":
            return assistant.did
        if handover.transfer_caller_id == "fixed":
            return handover.fixed_caller_id or assistant.did
        if handover.transfer_caller_id == "header":
            return (self._call.request.get(handover.caller_id_header or "") or original).strip()
        return original

    def _step_aside(self, agent: OutgoingCall, to_agent: LegMedia) -> None:
        """Connect caller and agent: they hear each other, and requests of one go to the other."""
        assert self._media is not None
        self._stop_listening()
        self.record.end_call_reason = "transferred"
        bridge = self._bridge = BackToBack(f"synthflow call {self.record.id}", self._service.audit, set())
        caller = bridge.adopt(WireLeg(self._call, self._media, "caller"))
        bridge_ended = self._call.on_ended

        def ended(end: End) -> None:
            if bridge_ended is not None:
                bridge_ended(end)
            self._ended(end)

        self._call.on_ended = ended
        bridge.join(bridge.adopt(WireLeg(agent, to_agent, "agent")), caller)

    def _stop_listening(self) -> None:
        self.record.listening(None)
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    # --- while it lasts ----------------------------------------------------------------------------

    async def _renegotiate(self, request: InDialogRequest) -> None:
        if self._media is not None and renegotiate_alone(self._media, request):
            self._note_codec()
            if self._channel is not None:
                self._channel.relearn()

    def _ended(self, end: End) -> None:
        record = self.record
        self._stop_listening()
        if self._media is not None:
            self._media.close()
        if self._pending is not None:
            self._pending.hangup()
        by = "caller" if end.by == "remote" else "agent"
        if end.how is How.CANCELLED:
            record.ended("canceled", by, "request terminated")
        elif end.how is How.REJECTED:
            record.ended(_STATUS.get(end.status, "failed"), by, end.reason)
        else:
            reason = record.end_call_reason or ("human_hangup" if by == "caller" else "agent_hangup")
            record.ended("completed", by, "normal clearing" if end.how is How.BYE else end.how.value, reason)
        self._service.over(self)


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
