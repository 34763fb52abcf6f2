"""A call of the child process, from its first message until its recordings are on disk."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from typing import Any, Final, Protocol

from harness.case.events import CallState, Event, MediaState, TransferProgress
from harness.phone import recording
from harness.phone.child.account import HostedPhone
from harness.phone.child.bindings import (
    Headers,
    PjCall,
    Refusal,
    misuse,
    only_audio,
    parameters,
    pj,
)
from harness.phone.child.hearing import Hearing
from harness.phone.child.media import LegMedia, PlayerFactory, playable
from harness.phone.child.messages import WireMessage
from harness.phone.child.parent import Parent
from harness.phone.child.rtp_monitor import RtpMonitor
from harness.phone.child.stack import Endpoint, is_sip_address
from harness.phone.protocol import FAREWELL_SECONDS
from harness.phone.rtp_log import path_of
from harness.sip.referrals import outcome

#: The Call-ID of a leg whose INVITE pjsua has not sent yet.
UNKNOWN: Final = ""

_INVALID_OPERATION: Final = 70013  # PJ_EINVALIDOP
_NOT_IN_BRIDGE: Final = -1  # PJSUA_INVALID_ID
#: By its index getAudioMedia does not find a stream behind one that is no audio.
_FIRST_IN_BRIDGE: Final = -1
_STATES: Final = {
    pj.PJSIP_INV_STATE_CALLING: "calling",
    pj.PJSIP_INV_STATE_INCOMING: "incoming",
    pj.PJSIP_INV_STATE_EARLY: "early",
    pj.PJSIP_INV_STATE_CONNECTING: "connecting",
    pj.PJSIP_INV_STATE_CONFIRMED: "confirmed",
    pj.PJSIP_INV_STATE_DISCONNECTED: "disconnected",
}
_MEDIA_IS_UP: Final = (
    pj.PJSUA_CALL_MEDIA_ACTIVE,
    pj.PJSUA_CALL_MEDIA_LOCAL_HOLD,
    pj.PJSUA_CALL_MEDIA_REMOTE_HOLD,
)
#: Until a caller knows that the phone has answered: a platform that relays the audio drops what came
#: before, and half a symbol is missing from the mark.
_ANSWER_ARRIVES_S: Final = 0.025
#: Longer than pjmedia needs for the last packet of a digit, which it sends three times.
_BETWEEN_DIGITS_S: Final = 0.5
_TRY_AGAIN: Final = (401, 407, 422)  # pjsip makes the same offer again
#: In pjsua's dump of a stream; pjsua2 has no field for it.
_SRTP_IS_ON: Final = "SRTP status: Active"
_DIRECTIONS: Final = {
    (True, True): "sendrecv",
    (True, False): "sendonly",
    (False, True): "recvonly",
}


def _is_up(media: Any) -> bool:
    if media.type != pj.PJMEDIA_TYPE_AUDIO or media.status not in _MEDIA_IS_UP:
        return False
    return bool(media.audioConfSlot != _NOT_IN_BRIDGE)


@contextlib.contextmanager
def _while_no_other_is() -> Iterator[None]:
    """Raise :class:`Refusal` if pjsip refuses an offer because another INVITE is pending (RFC 3261
    section 14.1).
    """
    try:
        yield
    except pj.Error as error:
        if error.status != _INVALID_OPERATION:
            raise
        raise Refusal("pending", "another offer is under way") from error


class LegHost(Protocol):
    """The process of a leg, as far as the leg uses it."""

    endpoint: Endpoint
    parent: Parent
    players: PlayerFactory

    def new_key(self) -> int: ...
    def begins(self, leg: CallLeg) -> None: ...
    def ends(self, leg: CallLeg) -> None: ...

    def free_slots(self) -> int:
        """Calls that the process can still make or take."""

    def arrived(self) -> WireMessage:
        """The received request that pjsip handles now."""


class CallLeg:
    """A call. The parent identifies it by ``key``, reports by ``name``.

    It begins with the first message or command (`Legs.begins`), and is over in two steps.
    `disconnected`: pjsua has forgotten the call; its audio is released. `settled`: the far end
    knows that the call is over, as the messages show. Between the two, its messages are still
    followed by `saw`.

    Commands of the parent are methods that check the state first. Callbacks of pjsua come through
    :class:`PjCall`.
    """

    def __init__(
        self,
        host: LegHost,
        phone: HostedPhone,
        call_id: str,
        direction: str,
        remote: str,
        *,
        mark: int | None = None,
        replaces: CallLeg | None = None,
    ) -> None:
        self.phone = phone
        self._host = host
        self.key = host.new_key()
        self.name = phone.next_leg_name()
        self.call_id = call_id
        self.tag = ""  #: of the local side, once a message has it
        self.branch = ""  #: of an incoming call's INVITE
        self.direction = direction
        self.remote = remote
        self.replaces = replaces
        self.call: PjCall | None = None
        self.codecs: tuple[str, ...] = phone.config.codecs  #: the codecs to offer and answer with
        self._agreed = self.codecs  # those of the last negotiation
        hearing = Hearing(phone.config.name, self.name, self._emit)
        self.media = LegMedia(host.players, recording.paths(phone.directory, self.name), hearing)
        self.media.mark = mark
        log = path_of(phone.directory, self.name)
        self.rtp = RtpMonitor(host.endpoint.native.taps, log, self.emit)
        #: The call is over for pjsua, which forgets it as soon as it hangs up.
        self.disconnected = False
        self.settled = False  #: the far end knows that the call is over
        self._answered = self._hung_up = False
        self._gives_up_at = 0.0  # waiting for the far end's answer and the recordings
        self.has_referred = False  #: the phone sent a REFER, so NOTIFYs may come
        #: A REFER of the far end was accepted; it may extend its subscription.
        self.was_referred = False
        self._last_notify = ""
        self._presses_until = 0.0
        host.begins(self)

    def emit(self, kind: type[Event], **facts: Any) -> None:
        """Emit an event of this leg, with the current time."""
        phone = self.phone.config.name
        self._emit([kind(at=time.monotonic(), phone=phone, leg=self.name, **facts)])

    def _emit(self, events: Sequence[Event]) -> None:
        self._host.parent.emit(events, self.phone.key, self.key)

    def waits_for(self, name: str) -> bool:
        """Whether its INVITE is not sent yet and may go to the host ``name``."""
        unsent = self.direction == "outgoing" and not self.tag and not self.disconnected
        return unsent and (name in self.phone.next_hops or name in self.remote)

    def offer_comes(self) -> None:
        """Select this leg's codecs for the SDP that pjsua makes next (RFC 3264 section 8)."""
        self._host.endpoint.prefer(self.codecs)

    def check_alive(self) -> bool:
        """Whether the call exists. A call that pjsua dropped silently or never placed is ended
        here.
        """
        if self.call is None:
            return False
        # pjsua asserts on an id of -1, which means that it could not place the call of a REFER.
        if self.call.getId() >= 0:
            if self.call.isActive():  # getInfo costs several times as much
                return True
            try:
                self.call.getInfo()
            except pj.Error:
                pass
            else:
                return True
        self.emit(
            CallState, state="disconnected", code=0, reason="the phone's stack dropped the call"
        )
        self.end()
        return False

    # Commands of the parent. Each checks the state it needs, because pjsua2 asserts on misuse.

    def live_call(self, *states: str) -> Any:
        """The call, if it is in one of ``states`` (any state if none is given)."""
        if not self.check_alive():
            raise misuse(f"{self.name} has ended")
        assert self.call is not None
        info = self.call.getInfo()
        state = _STATES.get(info.state, "null")
        if states and state not in states:
            raise misuse(f"{self.name} is {state}; it must be {' or '.join(states)}")
        return self.call

    def dial(self, headers: Headers, local_uri: str) -> None:
        """Place the call. Raises ``pj.Error``."""
        self.call = PjCall(self.phone.account, self)
        made = parameters(headers=headers, settings=True)
        settings, option = made.opt, made.txOption
        settings.customCallId = self.call_id
        if local_uri:
            option.localUri = local_uri
        self.offer_comes()
        try:
            self.call.makeCall(f"<{self.remote}>", made)
        except pj.Error as error:
            if self.call is not None:
                self.emit(CallState, state="disconnected", code=0, reason=error.reason)
            raise

    def respond(self, code: int, reason: str = "", headers: Headers = ()) -> None:
        """Answer the INVITE, provisionally or finally."""
        if self.direction != "incoming":
            raise misuse(f"{self.name} is an outgoing call and cannot be answered")
        call = self.live_call("incoming", "early")
        self._hung_up = self._hung_up or code >= 300
        self.offer_comes()
        call.answer(parameters(code, reason, headers))

    def hang_up(self, code: int = 0, reason: str = "", headers: Headers = ()) -> None:
        """Send BYE, CANCEL or a final response, according to the state; does nothing when the call
        is over.
        """
        call = self.call
        if call is not None:
            self._hung_up = True
            call.hangup(parameters(code, reason, headers))

    def hold(self) -> None:
        """Offer ``sendonly``."""
        call = self.live_call("confirmed")
        self.offer_comes()
        with _while_no_other_is():
            call.setHold(parameters())

    def resume(self) -> None:
        """Offer ``sendrecv`` again."""
        call = self.live_call("confirmed")
        made = parameters(settings=True)
        settings = made.opt
        settings.flag |= pj.PJSUA_CALL_UNHOLD
        self.offer_comes()
        with _while_no_other_is():
            call.reinvite(made)

    def reinvite(self, codecs: Sequence[str]) -> None:
        """Send a re-INVITE, with ``codecs`` if given."""
        self._host.endpoint.check_codecs(codecs)
        call = self.live_call("confirmed")
        before = self.codecs
        self.codecs = tuple(codecs) or before
        self.offer_comes()
        try:
            with _while_no_other_is():
                call.reinvite(parameters(settings=True))
        except (pj.Error, Refusal):
            self.codecs = before
            raise

    def send_digits(self, digits: str, method: str, duration_ms: int) -> None:
        """Send DTMF by RFC 4733 or INFO."""
        call = self.live_call("confirmed", "early")
        if method == "rfc4733" and not self.rtp.has_stream:
            raise misuse(f"{self.name} has no media to send digits with")
        made = pj.CallSendDtmfParam()
        made.digits = digits
        made.duration = duration_ms
        made.method = pj.PJSUA_DTMF_METHOD_RFC2833
        if method == "info":
            made.method = pj.PJSUA_DTMF_METHOD_SIP_INFO
        if method == "rfc4733":
            stream = call.getStreamInfo(self.rtp.stream)
            # Missing in the far end's SDP or in the phone's answer.
            if min(stream.audTxEventPt, stream.audRxEventPt) < 0:
                why = f"{self.name}: telephone-event (RFC 4733) was not negotiated"
                raise Refusal("not_negotiated", why)
            each_s = duration_ms / 1000 + _BETWEEN_DIGITS_S
            self._presses_until = time.monotonic() + len(digits) * each_s
        call.sendDtmf(made)

    def transfer(self, uri: str, headers: Headers) -> None:
        """Send REFER. The brackets keep the URI's parameters and headers from becoming header
        parameters (RFC 8217).
        """
        self.live_call("confirmed").xfer(f"<{uri}>", parameters(headers=headers))

    def play(self, source: list[Any]) -> None:
        """Send ``source`` from now on."""
        self.live_call()
        if self.media.bridged is not None:
            raise misuse(f"{self.name} is bridged")
        self.media.play(playable(source))

    def bridge(self, other: CallLeg) -> None:
        """Connect the audio of the two far ends."""
        if other is self:
            raise misuse(f"{self.name} cannot be bridged with itself")
        self.live_call()
        other.live_call()
        self.media.bridge(other.media)

    def emit_statistics(self) -> bool:
        """Emit the RTP counters; False without a stream."""
        return self.rtp.emit_statistics(self.call)

    def await_mark(self, seconds: float) -> None:
        """Report marks as soon as they are heard, for so long."""
        self.media.await_mark(seconds)

    # Callbacks of pjsua.

    def state_changed(self) -> None:
        """Emit the new state."""
        if self.call is None:
            return
        info = self.call.getInfo()
        state = _STATES.get(info.state)
        if state is None:
            return
        self.emit(CallState, state=state, code=info.lastStatusCode, reason=info.lastReason)
        if state == "disconnected":
            self.end()

    def end(self) -> None:
        """Clean up a call that is over for pjsua; the far end may not know it yet."""
        self.disconnected = True
        self._gives_up_at = time.monotonic() + FAREWELL_SECONDS
        # The phone's refusal must be acknowledged, even after a CANCEL (RFC 3261 section 17.2.1).
        refused = self.direction == "incoming" and not self._answered
        self.settled = self.settled or not (self._hung_up or refused)
        self.media.close()
        self.rtp.close()
        if self.call is not None:
            self.call.listener = None
        self.call = None
        self._host.ends(self)

    def saw(self, message: WireMessage) -> None:
        """Follow the dialog by its messages."""
        if message.unread:
            return
        if message.method in ("REFER", "NOTIFY"):
            self._saw_transfer(message)
        is_refused = message.method == "INVITE" and message.status >= 300
        if is_refused and message.ours and message.status not in _TRY_AGAIN:
            self.codecs = self._agreed  # as if no re-INVITE had been sent (RFC 3261 section 14.1)
        if message.direction == "received":
            self.rtp.known.add_host(message.remote_host)
        if message.method == "BYE":
            self.settled = self.settled or message.is_last
        elif message.method == "INVITE" and not self._answered:
            if 200 <= message.status < 300:
                self._answered = True
            else:
                # After 401, 407 or 422 there is another attempt.
                self.settled = message.ours and message.status >= 300
        elif message.method == "ACK" and not message.ours and not self._answered:
            self.settled = True  # the refusal has arrived

    def finished(self, now: float) -> bool:
        """Whether the far end knows that the call is over and the recordings are complete, or the
        time for that has passed.
        """
        if now >= self._gives_up_at:
            return True
        return self.settled and all(map(recording.is_whole, self.media.recordings))

    def media_opened(self, transport: int) -> None:
        """Count and log the packets of a media transport."""
        self.rtp.watch(transport)

    def digit(self, digit: str, timestamp: int, duration: int, *, ends: bool) -> None:
        digits = self.media.digits
        were_open = digits.are_open
        digits.event(digit, timestamp, duration, ends=ends)
        if digits.are_open and not were_open:
            self._host.endpoint.wake()

    def media_changed(self) -> None:
        """Connect the negotiated media and emit its state."""
        assert self.call is not None
        self._agreed = self.codecs
        info = self.call.getInfo()
        # Refused media stay in the SDP with port 0 (RFC 3264 section 6): other media before the
        # audio, or alternatives of it.
        audio = [(media.index, media.status, media.dir) for media in info.media if _is_up(media)]
        if not audio:
            self.rtp.without_stream()
            self.media.disconnect()
            self.emit(MediaState, active=False, direction="inactive")
            return
        index, status, direction = audio[0]
        sends = bool(direction & pj.PJMEDIA_DIR_ENCODING)
        receives = bool(direction & pj.PJMEDIA_DIR_DECODING)
        # First of all, because the audio clock does not wait.
        port = self.call.getAudioMedia(_FIRST_IN_BRIDGE)
        is_held_here = status == pj.PJSUA_CALL_MEDIA_LOCAL_HOLD
        begins_in_s = 0.0 if self.direction == "outgoing" else _ANSWER_ARRIVES_S
        self.media.connect(port, sends=sends and not is_held_here, begins_in_s=begins_in_s)
        stream = self.call.getStreamInfo(index)
        secure = self.phone.config.srtp != "off" and self._is_encrypted(index)
        self.rtp.begins(index, stream.rxPt, secure=secure)
        transport = self.call.getMedTransportInfo(index)
        self.emit(
            MediaState,
            active=True,
            direction=_DIRECTIONS.get((sends, receives), "inactive"),
            codec=stream.codecName,
            clock_rate=stream.codecClockRate,
            local_rtp=transport.localRtpName,
            remote_rtp=stream.remoteRtpAddress,
            secure=secure,
        )
        self.emit_statistics()

    def _is_encrypted(self, stream: int) -> bool:
        """Whether pjmedia encrypts the stream. A key in the far end's SDP may not have been
        accepted (RFC 4568 section 5.1.2).
        """
        assert self.call is not None
        _, _, dump = self.call.dump(True, "").partition(f"\n  #{stream} ")
        return _SRTP_IS_ON in dump.partition("\n  #")[0]

    def stream_ends(self, index: int) -> None:
        """Read a stream's counters for the last time."""
        if index == self.rtp.stream:
            self.rtp.ends(self.call)
            if time.monotonic() < self._presses_until:
                self.media.wait_until_alone()
            self.media.disconnect()

    def transfer_asked(self, prm: Any) -> None:
        """Follow a REFER if the configuration and the parent allow it."""
        target = prm.dstUri
        phone = self.phone
        # pjsua crashes on an empty one.
        if not is_sip_address(target) and "tel:" not in target.lower():
            prm.statusCode = pj.PJSIP_SC_BAD_REQUEST
            return
        question = {"leg": self.key, "uri": target, "has_room": self._host.free_slots() >= 1}
        if not self._host.parent.ask("may_follow", question):
            prm.statusCode = pj.PJSIP_SC_DECLINE
            return
        # pjsua2 frees prm.opt before pjsua places the call, so a Call-ID set here would dangle:
        # pjsua picks one.
        leg = CallLeg(self._host, phone, UNKNOWN, "outgoing", target, replaces=self)
        only_audio(prm.opt)
        leg.call = prm.newCall = PjCall(phone.account, leg)
        leg.offer_comes()
        prm.statusCode = pj.PJSIP_SC_ACCEPTED

    def _saw_transfer(self, message: WireMessage) -> None:
        """Emit what the far end says of the phone's REFER.

        pjsua reports outcomes that it makes up: it turns a 202 with ``Refer-Sub: false`` (RFC 4488
        section 4) into a 200 and then a 500, a REFER without an answer into a 408, and a
        subscription that expires into a 500.
        """
        status = message.status
        if message.method == "REFER" and message.direction == "sent":
            self.has_referred = self.has_referred or not status
            self.was_referred = self.was_referred or 200 <= status < 300
        elif message.method == "REFER" and message.is_last and status >= 300:
            reason = message.text.partition("\r\n")[0].partition(str(status))[2].strip()
            self.emit(TransferProgress, code=status, reason=reason, final=True)
        elif (message.method, message.direction, status) == ("NOTIFY", "received", 0):
            self._saw_notify(message)

    def _saw_notify(self, message: WireMessage) -> None:
        """Emit the progress of the phone's REFER."""
        # Repeated if the answer is lost (RFC 3261 section 17.1.2.2).
        if not self.has_referred or message.text == self._last_notify:
            return
        self._last_notify = message.text
        code, reason = outcome(message.body)
        if code:
            state = message.head.get("Subscription-State").lower()
            final = code >= 200 or state.startswith("terminated")
            self.emit(TransferProgress, code=code, reason=reason, final=final)

    def replacement_asked(self, prm: Any) -> None:
        """Create the leg of an INVITE with Replaces, which replaces this leg."""
        message = self._host.arrived()
        leg = CallLeg(
            self._host, self.phone, message.call_id, "incoming", message.from_uri, replaces=self
        )
        leg.call = prm.newCall = PjCall(self.phone.account, leg)
        leg.offer_comes()
