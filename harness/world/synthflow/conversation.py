"""Synthflow as one customer sees it: the calls its assistants take, and what they do in them:
answer, listen, speak, transfer.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final

from harness.audio.dtmf import dtmf
from harness.audio.prompts import prompt_text
from harness.deployment import Handover, Trunk, Way
from harness.sip.grammar import SipSyntaxError
from harness.sip.identity import identity_of, is_passed_on, numbers_shown, x_ei
from harness.sip.message import Message, Request
from harness.sip.offer_answer import NoAgreementError
from harness.sip.sdp import TELEPHONE_EVENT
from harness.sip.uri import NameAddr, Uri
from harness.world.addresses import Host
from harness.world.b2bua import (
    BackToBack,
    LegRefusedError,
    Watched,
    WireLeg,
    renegotiate_alone,
    unassigned_number,
)
from harness.world.media import sound
from harness.world.media.digits import ReceivedDigit, info_of_digit, take_info
from harness.world.media.leg import LegMedia
from harness.world.media.sound import TICK
from harness.world.settings import TenantContext
from harness.world.synthflow.media_engine import (
    ANSWER,
    FIRST_WORDS,
    GOODBYE,
    HOLD,
    SPEAKS_ON,
    Channel,
    MediaEngine,
)
from harness.world.synthflow.record import CallRecord, Records
from harness.world.synthflow.recordings import Recording
from harness.world.synthflow.trunks import Trunks
from harness.world.wire.agent import UserAgent
from harness.world.wire.call import InDialogRequest
from harness.world.wire.dialog import CallFailedError, End, How, sdp_of
from harness.world.wire.invite import IncomingCall, OutgoingCall
from harness.world.wire.transport import Traced

EARLY_SECONDS: Final = 0.6  #: how long an assistant with early media speaks before it answers
TRANSFER_SECONDS: Final = 40.0  #: a transfer that has come to nothing by then is given up
_GRACE_SECONDS = 0.1  # after a transfer, the platform may end the AI's leg itself
_REFUSING = {"unavailable": 503, "busy": 486, "declines": 603}
_STATUS = {486: "busy", 480: "no-answer", 408: "no-answer", 487: "canceled"}
_NOT_A_NUMBER = "anonymous"


class Synthflow:
    """One tenant's Synthflow: admits calls and hands them to assistants. Its user agent traces into
    :meth:`trace`.

    A call is refused for its trunk first (credentials, transport), then for its assistant: none
    attached (404), no call left on the plan (429), one that is busy, declines or is unavailable,
    and last for its offer (488).
    """

    def __init__(
        self,
        context: TenantContext,
        media_engine: MediaEngine,
        ua: UserAgent,
        trunks: Trunks,
        line_of_call: Callable[[str], str | None],
    ) -> None:
        """``line_of_call`` returns the platform's line of a Call-ID; only faults set for one line
        use it.
        """
        self.context = context
        self.deployment = context.deployment
        self.faults = context.faults
        self.audit = context.audit
        self.media_engine = media_engine
        self.ua = ua
        self.trunks = trunks
        self.records = Records()
        self.conversations: set[Conversation] = set()
        self._assistants = {
            assistant.address: name for name, assistant in self.deployment.assistants.items()
        }
        self._line_of_call = line_of_call
        ua.on_invite = self._invited

    def new_media(self) -> LegMedia:
        return LegMedia(self.context.block[Host.SYNTHFLOW_MEDIA], rtcp=self.context.settings.rtcp)

    def trace(self, traced: Traced) -> None:
        """Add a SIP message to the record of its call."""
        try:
            self.records.trace(Message.parse(traced.data).call_id, traced)
        except SipSyntaxError:
            return

    async def _invited(self, call: IncomingCall) -> None:
        """Admit a call and have an assistant take it. Each INVITE of a trunk leaves a record,
        whatever becomes of it, as a customer would look it up; only a stranger's leaves none.
        """
        region = self.deployment.region
        try:
            number = call.request.uri.user or ""
            caller = identity_of(call.request.from_, region).user or _NOT_A_NUMBER
        except SipSyntaxError as error:
            call.reject(400, str(error))
            return
        record = self._record_for(call.call_id, caller, number.partition(";")[0])
        trunk: Trunk | None = None
        conversation: Conversation | None = None
        try:
            trunk = self.trunks.admit(call)
            if trunk is not None:
                shown = next(iter(numbers_shown(call.request, region)), None)
                self._read_headers(call.request, shown, record)
                line = self._line_of_call(call.call_id)
                conversation = self._admitted(call, record, line, trunk)
        except LegRefusedError as error:
            if error.reason:
                record.error_message = f"{error.status} {error.reason}"
            else:
                record.error_message = None
            status = _STATUS.get(error.status, "failed")
            record.ended(status, "agent", error.reason or str(error.status))
            call.reject(error.status, error.reason)
        if trunk is None and not self.trunks.knows(call.source[0]):
            self.records.forget(record)  # a stranger's: no customer gets to see it
        if conversation is None:
            record.ended("failed", "agent", "")  # challenged, unless it has been refused
            return
        self.conversations.add(conversation)
        await conversation.take()

    def _record_for(self, call_id: str, caller: str, number: str) -> CallRecord:
        """The record of a SIP call. An INVITE that was challenged comes again with credentials, and
        is the same call.
        """
        record = self.records.of_sip(call_id)
        if record is None or record.answered_at is not None:
            record = CallRecord(CallRecord.new_id(), caller, number)
            self.records.add(record, call_id)
        else:
            record.released_at = None
            record.status = "ringing"
        return record

    def _admitted(
        self, call: IncomingCall, record: CallRecord, line: str | None, trunk: Trunk
    ) -> Conversation:
        """The conversation with the assistant whose number was called. Raises `LegRefusedError`."""
        name = self._assistants.get(record.number_to)
        if name is None or self.faults.on("assistant-not-attached", line):
            raise LegRefusedError(404, "No assistant is attached to this number")
        if self.faults.on("concurrency-exhausted", line):
            raise LegRefusedError(429, "Concurrency limit reached")
        record.assistant = name
        behaviour = self.deployment.assistants[name].behaviour
        if behaviour in _REFUSING:
            raise LegRefusedError(_REFUSING[behaviour])
        if call.offer is None:
            raise LegRefusedError(488, "An offer is needed")
        media = self.new_media()
        try:
            media.answer(call.offer)
        except (SipSyntaxError, NoAgreementError) as error:
            media.close()
            raise LegRefusedError(488, str(error)) from None
        return Conversation(self, call, record, line, trunk, name, media)

    def _read_headers(self, request: Request, caller: str | None, record: CallRecord) -> None:
        """Keep what the call's headers say for the record: prompt variables, and the id that X-EI
        may name.
        """
        try:
            reported = x_ei(request)
        except SipSyntaxError as error:
            reported = {"x_ei_error": str(error)}
        for name, value in request.headers:
            if is_passed_on(name, value):
                record.variables[name] = value
        record.variables |= reported
        record.variables["from_number"] = caller or _NOT_A_NUMBER
        self.records.rename(record, reported.get("call_id"))


def _begins(handover: Handover, way: Way, said: str) -> bool:
    """Whether a caller who says that begins to ask for that handover."""
    asked = {"digit": handover.digit, "prompt": handover.prompt, "silence": ""}
    if said != asked[way]:
        return False
    return way == "digit" or way in handover.ways


class Conversation:
    """One inbound call that an assistant takes.

    `take` rings and answers. From then on the media engine reports what the caller does
    (`heard_mark`, `heard_digit`, `heard_prompt`, `heard_nothing`), and a word, digit or silence that
    a handover is declared for begins it, after the assistant's own questions (``then``). During a
    handover the assistant goes on listening, but begins no other. After a warm one it has stepped
    aside: a :class:`BackToBack` joins caller and agent, and the record goes on until they hang up.
    """

    def __init__(
        self,
        service: Synthflow,
        call: IncomingCall,
        record: CallRecord,
        line: str | None,
        trunk: Trunk,
        assistant: str,
        media: LegMedia,
    ) -> None:
        """``media`` has answered the call's offer; ``line`` is the platform's."""
        self.record = record
        self._service = service
        self._call = call
        self._line = line
        self._trunk = trunk
        self._media = media
        self._assistant = service.deployment.assistants[assistant]
        self._handovers = service.deployment.handovers(assistant)
        self._settings = service.context.settings.assistant(assistant)
        self._channel: Channel | None = None
        #: Whether it takes in what it hears.
        self._attentive = self._settings.interruptible or not self._settings.greeting_s
        self._acting = False
        #: Handovers that are asked for, and what it waits to hear before each.
        self._amid: dict[str, tuple[str, ...]] = {}
        self._pending: OutgoingCall | None = None  # to the agent, while it rings
        self._bridge: BackToBack | None = None  # of caller and agent, once the agent has answered
        call.on_ended = self._ended
        call.on_info = self._on_info
        call.on_offer = self._renegotiate

    def watched(self) -> list[Watched]:
        """Its answered legs."""
        if self._bridge is not None:
            return self._bridge.watched()
        return [(self._call, self._media)] if self._call.state == "confirmed" else []

    async def take(self) -> None:
        """Ring, and answer as the assistant does."""
        call = self._call
        behaviour = self._assistant.behaviour
        answer = self._media.again()
        call.ring()
        if behaviour == "never-answers":
            return
        if behaviour == "early-media":
            call.progress(183, answer)
            self._open_channel()
            await asyncio.sleep(EARLY_SECONDS)
        if self._settings.answers_after_s:
            await asyncio.sleep(self._settings.answers_after_s)
        call.answer(answer)
        if call.state != "confirmed":
            return
        self.record.answered_at = time.time()
        self.record.status = "in-progress"
        self._open_channel()
        if not self._attentive:
            await asyncio.sleep(self._settings.greeting_s)
            self._attentive = True
        if self._channel is not None:
            self._channel.begin_to_reply()

    def _open_channel(self) -> None:
        """Begin to speak and listen, once: with early media before the answer, else with it."""
        if self._channel is not None or self._call.state == "ended":
            return
        channel = self._service.media_engine.open(
            self._media, self, self._assistant.voice, self._settings
        )
        self._channel = channel
        self.record.count_packets = lambda: channel.packets
        declared = self._service.deployment.synthflow
        if declared is not None and declared.recording:
            self.record.recording = Recording()
            channel.record(self.record.recording)
        first = FIRST_WORDS.get(self._settings.sends)
        if first is not None:
            self.record.say("bot", prompt_text(first))
        elif self._settings.sends == "voice":
            self.record.say("bot", "[speaks]")
        self._note_codec()

    def _note_codec(self) -> None:
        codec = self._media.codec
        self.record.codec = codec.name.upper() if codec is not None else None

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
            self._spawn(self._say_goodbye())
        elif digit.digit == asked.digits_back_digit and asked.digits_back:
            self._spawn(self._send_digits(asked.digits_back, digit))

    def heard_prompt(self, name: str) -> None:
        if not self._attentive:
            return
        self.record.say("human", prompt_text(name))
        if self._settings.sends in SPEAKS_ON:
            self.record.say("bot", prompt_text(ANSWER))
        self._asks("prompt", name)

    def heard_nothing(self, seconds: float) -> None:
        if seconds >= self._service.deployment.escalation.silence_s:
            self._asks("silence", "")

    async def _on_info(self, request: InDialogRequest) -> None:
        digit = take_info(request)
        if digit is not None:
            self.heard_digit(digit)

    # --- what it does ------------------------------------------------------------------------------

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self._service.audit.spawn(work, f"synthflow call {self.record.id}")

    async def _say_goodbye(self) -> None:
        self.record.actions.append({"name": "end_call", "status": "done"})
        self.record.ended("completed", "agent", "normal clearing", "agent_goodbye")
        self._call.hangup()

    async def _send_digits(self, digits: str, like: ReceivedDigit) -> None:
        """Send digits the way that ``like`` came; as tones, if no telephone-events were agreed."""
        if like.method == "info":
            for digit in digits:
                content_type, body = info_of_digit(digit)
                await self._call.info(body, content_type)
            return
        channel = self._channel
        if channel is None:
            return
        if like.method == "rfc4733" and channel.send_digits(digits):
            return
        channel.say(sound.frames(dtmf(digits), channel.law))

    def _asks(self, way: Way, said: str) -> bool:
        """Whether that asks for a handover, or answers the assistant's question; it hands over when
        everything has been said.
        """
        left = {name: answers[1:] for name, answers in self._amid.items() if answers[0] == said}
        if not left:
            for name, handover in self._handovers.items():
                if _begins(handover, way, said):
                    left[name] = handover.then
        if not left:
            return False  # what it does not understand is no answer
        complete = [name for name, answers in left.items() if not answers]
        if complete:
            self._amid = {}
            self._hand_over(complete[0])
        else:
            self._amid = left
            self.record.say("bot", "[asks back]")
        return True

    def _hand_over(self, asked: str) -> None:
        """Make the handover, or the one that this assistant takes it for, if there is one."""
        name = self._settings.confuses.get(asked, asked)
        handover = self._handovers.get(name)
        if handover is not None and not self._acting:
            self._acting = True
            self._spawn(self._transfer(handover))

    async def _transfer(self, handover: Handover) -> None:
        """Hand over, and note in the record how it went; one that failed leaves the caller with the
        assistant.
        """
        service = self._service
        number = str(service.deployment.groups[handover.transfer_to].address)
        if service.faults.on("group-did-wrong", self._line):
            number = unassigned_number(service.deployment)
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
        transfer = self._cold if handover.transfer == "cold" else self._warm
        try:
            status = await transfer(handover, number)
        except TimeoutError:
            status = 408
        action["status_code"] = status
        if status == 200:
            action["status"] = "done"
        else:
            action["status"] = "failed"
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
        """Ask the platform by REFER to call the target. After a success the platform should release
        this leg; where it does not, the assistant does. Returns the final status.
        """
        target = self._service.trunks.target(self._trunk, number)
        if handover.transfer_topic is not None:
            target = target.with_header("X-Gladly-Routing-Selector", handover.transfer_topic)
        status, _ = await self._call.refer(NameAddr(target)).wait_final(TRANSFER_SECONDS)
        if status == 200 and not self._service.faults.on("ai-leg-left-behind", self._line):
            self.record.end_call_reason = "transferred"
            try:
                await self._call.wait_ended(_GRACE_SECONDS)
            except TimeoutError:
                await self._call.bye()
        return status

    async def _warm(self, handover: Handover, number: str) -> int:
        """Call the target over the same trunk, brief the person who answers, and connect the two calls.
        Returns the final status of that call, 487 if the caller has hung up by then.
        """
        service = self._service
        trunk = self._trunk
        agreed = self._media.codec
        assert agreed is not None
        to_agent = service.new_media()
        headers = [("x-ci", self.record.id)]
        if handover.transfer_topic is not None:
            headers.append(("X-Gladly-Routing-Selector", handover.transfer_topic))
        credentials = None
        if trunk.authentication == "digest":
            credentials = service.trunks.credentials(trunk)
        address = service.ua.listening[0].address
        call = self._pending = service.ua.invite(
            service.trunks.dialled(trunk, number),
            from_=NameAddr(Uri("sip", self._number_shown(handover), address)),
            hop=service.trunks.hop(trunk),
            # What the caller's side has agreed on, as nothing is transcoded here.
            sdp=to_agent.offer((agreed, TELEPHONE_EVENT)),
            headers=headers,
            credentials=credentials,
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

    def _number_shown(self, handover: Handover) -> str:
        """The caller's number in the INVITE of a warm transfer, as the handover declares it."""
        original = self.record.number_from
        own = self._assistant.address
        match handover.transfer_caller_id:
            case "agent":
                return own
            case "fixed":
                return handover.fixed_caller_id or own
            case "header":
                value = self._call.request.get(handover.caller_id_header or "")
                return (value or original).strip()
            case _:
                return original

    def _step_aside(self, agent: OutgoingCall, to_agent: LegMedia) -> None:
        """Connect caller and agent: they hear each other, and requests of one go to the other."""
        self._stop_listening()
        self.record.end_call_reason = "transferred"
        bridge = BackToBack(f"synthflow call {self.record.id}", self._service.audit, set())
        self._bridge = bridge
        caller = bridge.adopt(WireLeg(self._call, self._media, "caller"))
        bridge_ended = self._call.on_ended

        def ended(end: End) -> None:
            if bridge_ended is not None:
                bridge_ended(end)
            self._ended(end)

        self._call.on_ended = ended
        bridge.join(bridge.adopt(WireLeg(agent, to_agent, "agent")), caller)

    def _stop_listening(self) -> None:
        received = self.record.count_packets()
        self.record.count_packets = lambda: received
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    # --- while it lasts ----------------------------------------------------------------------------

    async def _renegotiate(self, request: InDialogRequest) -> None:
        if renegotiate_alone(self._media, request):
            self._note_codec()
            if self._channel is not None:
                self._channel.relearn()

    def _ended(self, end: End) -> None:
        """Close the record with the reason that Synthflow would report."""
        record = self.record
        self._stop_listening()
        self._media.close()
        if self._pending is not None:
            self._pending.hangup()
        by = "caller" if end.by == "remote" else "agent"
        if end.how is How.CANCELLED:
            record.ended("canceled", by, "request terminated")
        elif end.how is How.REJECTED:
            record.ended(_STATUS.get(end.status, "failed"), by, end.reason)
        else:
            why = "normal clearing" if end.how is How.BYE else end.how.value
            hung_up = "human_hangup" if by == "caller" else "agent_hangup"
            record.ended("completed", by, why, record.end_call_reason or hung_up)
        self._service.conversations.discard(self)
