"""One call of a phone, in the child: from its first message until its recordings are on disk."""

from __future__ import annotations

import time
from contextlib import nullcontext
from typing import Any, Final, Protocol

from harness.events import (
    CallState,
    DtmfReceived,
    Event,
    FarEndReport,
    ForeignRtp,
    MediaState,
    RtpPaused,
    RtpStatistics,
    TransferProgress,
)
from harness.phone import recording
from harness.phone.child.account import HostedPhone, PhoneHost
from harness.phone.child.attribution import UNKNOWN
from harness.phone.child.bindings import Call, Headers, Refusal, misuse, only_audio, parameters, pj, set_headers
from harness.phone.child.hearing import Hearing
from harness.phone.child.media import LegMedia, PlayerFactory
from harness.phone.child.reception import Reception
from harness.phone.child.rtcp import Block
from harness.phone.child.sip_log import LoggedMessage, read_text
from harness.phone.child.taps import Known, Tap, spelled
from harness.phone.protocol import FAREWELL_SECONDS
from harness.phone.rtp_log import Address, RtpLog, path_of

_RTP_CLOCK: Final = 8000  # of G.711, and of G.722 by RFC 3551 section 4.5.2
_NOT_IN_BRIDGE: Final = -1  # PJSUA_INVALID_ID
_FIRST_IN_BRIDGE: Final = -1  # by its index getAudioMedia does not find a stream behind one that is no audio
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
_DIRECTIONS: Final = {(True, True): "sendrecv", (True, False): "sendonly", (False, True): "recvonly"}


class LegHost(PhoneHost, Protocol):
    """The process, as its legs see it."""

    players: PlayerFactory

    def new_key(self) -> int:
        """A number for a leg, unique in this process."""

    def begins(self, leg: CallLeg) -> None:
        """A leg exists."""

    def ends(self, leg: CallLeg) -> None:
        """A leg is over for pjsua."""

    def free_slots(self) -> int:
        """Calls this process can still make or take."""

    def ask(self, name: str, arguments: dict[str, Any]) -> Any:
        """Ask the parent, and wait for its answer."""

    def emit(self, event: Event, phone: HostedPhone, leg: CallLeg | None = None) -> None:
        """Tell the parent."""


class CallLeg:
    """A call, as the parent knows it by ``key`` and reports by ``name``."""

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
        self.phone, self._host = phone, host
        self.key = self._host.new_key()
        self.name = phone.next_leg_name()
        self.call_id, self.tag, self.branch = call_id, "", ""
        self.direction, self.remote, self.replaces = direction, remote, replaces
        self.call: Call | None = None
        self.codecs: tuple[str, ...] = phone.config.codecs
        hearing = Hearing(phone.config.name, self.name, self._emit, digits=phone.config.inband_dtmf)
        self.media = LegMedia(self._host.players, recording.paths(phone.directory, self.name), hearing)
        self.media.mark = mark
        self.disconnected = False
        self.settled = False  #: the far end knows that the call is over
        self._gives_up_at = 0.0
        self._answered = self._hung_up = False
        self._far_media: list[str] = []  # the media descriptions of the far end's last SDP
        self._stream = -1  # index of the audio stream, -1 without media
        self._payload_type = 0  # what it is to receive
        self._counts: dict[str, int] = {}  # of RTP, as told last
        self._counts_before: dict[str, int] = {}  # of streams that have ended: each negotiation may begin another
        self._tap: Tap | None = None  # what looks at the RTP that passes the transport
        self._known = Known()  # whence it may come
        self._strange: dict[Address, int] = {}  # packets from elsewhere, as told last
        self._far_end_has = 0  # packets of ours, by its own account
        self._host.begins(self)

    def emit(self, kind: type[Event], **facts: Any) -> None:
        """Tell an event of this leg that happens now."""
        self._emit(kind(at=time.monotonic(), phone=self.phone.config.name, leg=self.name, **facts))

    def _emit(self, event: Event) -> None:
        self._host.emit(event, self.phone, self)

    def waits_for(self, name: str) -> bool:
        """Whether its INVITE has not left yet, and may go to that host."""
        unsent = self.direction == "outgoing" and not self.tag and not self.disconnected
        return unsent and (name in self.phone.next_hops or name in self.remote)

    def offer_comes(self) -> None:
        """SDP is made next: let it offer this leg's codecs."""
        self._host.endpoint.prefer(self.codecs, self.phone.config.telephone_event)

    def check_alive(self) -> bool:
        """Whether there is a call. One that pjsua dropped without a word, or never placed, ends here."""
        if self.call is None:
            return False
        # An id of -1 would be asserted on: pjsua could not place the call a REFER asked for.
        if self.call.getId() >= 0:
            try:
                self.call.getInfo()
            except pj.Error:
                pass
            else:
                return True
        self.emit(CallState, state="disconnected", code=0, reason="the stack gave the call up")
        self.end()
        return False

    # What the parent asks for. Each command checks what it needs: pjsua2 asserts where it is surprised.

    def live_call(self, *states: str) -> Any:
        """The call, provided that it is in one of ``states`` (any, if none is named)."""
        if not self.check_alive():
            raise misuse(f"{self.name} has ended")
        assert self.call is not None
        info = self.call.getInfo()
        state = _STATES.get(info.state, "null")
        if states and state not in states:
            raise misuse(f"{self.name} is {state}, and would have to be {' or '.join(states)}")
        return self.call

    def dial(self, headers: Headers, local_uri: str) -> None:
        """Place the call. Raises ``pj.Error``."""
        self.call = Call(self.phone.account, self)
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
            raise misuse(f"{self.name} is an outgoing call: there is nothing to answer")
        call = self.live_call("incoming", "early")
        if code >= 300:
            self._hung_up = True
        self.offer_comes()
        call.answer(parameters(code, reason, headers))

    def hang_up(self, code: int = 0, reason: str = "", headers: Headers = ()) -> None:
        """BYE, CANCEL or a final response, as the state asks for; nothing when the call is over already."""
        call = self.call
        if call is not None:
            self._hung_up = True
            call.hangup(parameters(code, reason, headers))

    def hold(self) -> None:
        """Offer ``sendonly``."""
        self.live_call("confirmed").setHold(parameters())

    def resume(self) -> None:
        """Offer ``sendrecv`` again."""
        call = self.live_call("confirmed")
        made = parameters(settings=True)
        settings = made.opt
        settings.flag |= pj.PJSUA_CALL_UNHOLD
        call.reinvite(made)

    def reinvite(self, codecs: tuple[str, ...]) -> None:
        """Offer again, with ``codecs`` unless there are none."""
        call = self.live_call("confirmed")
        self.codecs = codecs or self.codecs
        self.offer_comes()
        call.reinvite(parameters(settings=True))

    def send_digits(self, digits: str, method: str, duration_ms: int) -> None:
        """DTMF, by RFC 4733 or INFO."""
        call = self.live_call("confirmed", "early")
        if self._stream < 0:
            raise misuse(f"{self.name} has no media to send digits by")
        made = pj.CallSendDtmfParam()
        made.digits, made.duration = digits, duration_ms
        made.method = pj.PJSUA_DTMF_METHOD_SIP_INFO if method == "info" else pj.PJSUA_DTMF_METHOD_RFC2833
        if method == "rfc4733":
            stream = call.getStreamInfo(self._stream)
            if stream.audTxEventPt < 0:
                raise Refusal("not_negotiated", f"{self.name}: telephone-event (RFC 4733) was not negotiated")
        call.sendDtmf(made)

    def transfer(self, uri: str, headers: Headers) -> None:
        """REFER."""
        self.live_call("confirmed").xfer(uri, parameters(headers=headers))

    def transfer_attended(self, other: CallLeg, headers: Headers) -> None:
        """REFER with Replaces."""
        call = self.live_call("confirmed")
        call.xferReplaces(other.live_call("confirmed", "early"), parameters(headers=headers))

    def send_request(self, method: str, headers: Headers, body: str, content_type: str) -> None:
        """A request within the dialog."""
        call = self.live_call("confirmed", "early")
        made = pj.CallSendRequestParam()
        made.method = method
        option = made.txOption
        set_headers(option, headers)
        if body:
            option.msgBody, option.contentType = body, content_type
        call.sendRequest(made)

    def bridge(self, other: CallLeg) -> None:
        """Let the two far ends hear each other."""
        if other is self:
            raise misuse(f"{self.name} cannot be bridged with itself")
        self.live_call()
        other.live_call()
        self.media.bridge(other.media)

    def tell_statistics(self) -> bool:
        """Tell the counters so far; False without a stream."""
        self._tell_strange()
        if self.call is None or self._stream < 0:
            return False
        statistics = self.call.getStreamStat(self._stream)
        rtcp = statistics.rtcp
        sent, received = rtcp.txStat, rtcp.rxStat
        sent_jitter, rtt = sent.jitterUsec, rtcp.rttUsec
        told = {
            "tx_packets": sent.pkt,
            "tx_bytes": sent.bytes,
            "tx_lost": sent.loss,
            "rx_packets": received.pkt,
            "rx_bytes": received.bytes,
            "rx_discarded": received.discard,
        }
        with self._tap.reception() if self._tap else nullcontext(Reception()) as reception:
            told |= reception.counts(self._payload_type)
            jitter_ms, burst_ms = reception.jitter_ms, reception.burst_ms
            pauses = reception.flow.take_pauses()
        for began, ended in pauses:
            self.emit(RtpPaused, began=began, ended=ended)
        self._counts = {name: count + self._counts_before.get(name, 0) for name, count in told.items()}
        self.emit(
            RtpStatistics,
            **self._counts,
            rx_jitter_ms=jitter_ms,
            tx_jitter_ms=sent_jitter.mean / 1000,
            rtt_ms=rtt.last / 1000,
            rx_burst_ms=burst_ms,
            tx_offered=self._tap.offered if self._tap else 0,
        )
        return True

    def _tell_strange(self) -> None:
        for source, packets in self._known.strange.copy().items():
            if packets > self._strange.get(source, 0):
                self._strange[source] = packets
                self.emit(ForeignRtp, source=spelled(source), packets=packets)

    def _reported(self, sent: int, received: int | None, block: Block | None) -> None:
        """The far end's account of our stream came, in the media's thread."""
        # A source that nothing came from since the last report has no block (RFC 3550 section 6.4.1): it has grown by nothing.
        self._far_end_has = self._far_end_has if received is None else received
        self.emit(
            FarEndReport,
            sent=sent,
            received=self._far_end_has,
            lost=block.lost if block else 0,
            fraction_lost=block.fraction_lost if block else 0.0,
            jitter_ms=1000 * block.jitter / _RTP_CLOCK if block else 0.0,
            names_us=block is not None,
        )

    # What pjsua says.

    def state_changed(self) -> None:
        """Tell the new state."""
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
        """The call is over for pjsua; the far end may have to learn it yet, and the recordings have to be closed."""
        self.disconnected = True
        # A refusal of ours has to be acknowledged, whoever gave the call up (RFC 3261 section 17.2.1).
        refused = self.direction == "incoming" and not self._answered
        self.settled = self.settled or not (self._hung_up or refused)
        self._gives_up_at = time.monotonic() + FAREWELL_SECONDS
        self._stream = -1
        self.media.close()
        if self._tap is not None:
            self._tap.close()
        if self.call is not None:
            self.call.listener = None
        self.call = None
        self._host.ends(self)

    def saw(self, message: LoggedMessage) -> None:
        """Follow the dialog by its messages: pjsua forgets a call the moment it is told to hang up."""
        if message.unread:
            return
        if message.direction == "received":
            self._known.add_host(message.remote.rpartition(":")[0].strip("[]"))
        if message.direction == "received" and "\r\nm=audio " in message.text:
            self._far_media = message.text.split("\r\nm=")[1:]
        if message.method == "BYE":
            self.settled = self.settled or message.is_last
        elif message.method == "INVITE" and not self._answered:
            if 200 <= message.status < 300:
                self._answered = True
            else:
                # What refuses one attempt (401, 407, 422) does not refuse the next.
                self.settled = message.ours and message.status >= 300
        elif message.method == "ACK" and not message.ours and not self._answered:
            self.settled = True  # our refusal has arrived

    def finished(self, now: float) -> bool:
        """Whether nothing is left to wait for: the far end knows, and the recordings are whole."""
        return now >= self._gives_up_at or (self.settled and self.media.is_saved)

    def transport_opened(self, address: int) -> None:
        """Count and log what passes it."""
        log = self._tap.log if self._tap else RtpLog(path_of(self.phone.directory, self.name))
        self._tap = self._host.endpoint.native.taps.put(address, log, self._known, self._reported)

    def media_changed(self) -> None:
        """Media was negotiated: connect it, and tell what it is."""
        assert self.call is not None
        info = self.call.getInfo()
        # What an answer refuses stays in the description with port 0 (RFC 3264 section 6): another type of media before
        # the audio, or audio that was offered in several ways.
        audio = next(
            (
                (m.index, m.status, m.dir)
                for m in info.media
                if m.type == pj.PJMEDIA_TYPE_AUDIO and m.status in _MEDIA_IS_UP and m.audioConfSlot != _NOT_IN_BRIDGE
            ),
            None,
        )
        if audio is None:
            self._stream = -1
            self.media.disconnect()
            self.emit(MediaState, active=False, direction="inactive")
            return
        self._stream, status, direction = audio
        sends, receives = bool(direction & pj.PJMEDIA_DIR_ENCODING), bool(direction & pj.PJMEDIA_DIR_DECODING)
        # This first of all: the audio clock does not wait.
        self.media.connect(
            self.call.getAudioMedia(_FIRST_IN_BRIDGE), sends=sends and status != pj.PJSUA_CALL_MEDIA_LOCAL_HOLD
        )
        stream = self.call.getStreamInfo(self._stream)
        self._payload_type = stream.rxPt
        transport = self.call.getMedTransportInfo(self._stream)
        self.emit(
            MediaState,
            active=True,
            direction=_DIRECTIONS.get((sends, receives), "inactive"),
            codec=stream.codecName,
            clock_rate=stream.codecClockRate,
            local_rtp=transport.localRtpName,
            remote_rtp=stream.remoteRtpAddress,
            secure=self.phone.config.srtp != "off" and self._has_key(self._stream),
        )
        self.tell_statistics()

    def _has_key(self, stream: int) -> bool:
        """Whether the far end's description of that stream has a key (RFC 4568); over RTP/AVP as well."""
        return any("\r\na=crypto:" in media for media in self._far_media[stream : stream + 1])

    def stream_ends(self, index: int) -> None:
        """The last look at a stream's counters."""
        if index == self._stream:
            self.tell_statistics()
            self._counts_before = self._counts
            self._stream = -1
            self.media.disconnect()

    def digit(self, method: int, digit: str, duration: int) -> None:
        """A digit came."""
        name = "info" if method == pj.PJSUA_DTMF_METHOD_SIP_INFO else "rfc4733"
        self.emit(DtmfReceived, digit=digit, duration_ms=duration, method=name)

    def transfer_asked(self, prm: Any) -> None:
        """A REFER: follow it if the phone does that, there is room, and the parent allows the target."""
        target, phone = prm.dstUri, self.phone
        if not self._host.endpoint.is_sip_uri(target) and "tel:" not in target.lower():  # pjsua dies of an empty one
            prm.statusCode = pj.PJSIP_SC_BAD_REQUEST
            return
        question = {"leg": self.key, "uri": target}
        if not phone.config.accept_refer or self._host.free_slots() < 1 or not self._host.ask("may_follow", question):
            prm.statusCode = pj.PJSIP_SC_DECLINE
            return
        # pjsua2 frees prm.opt before pjsua places the call, so a Call-ID of ours would dangle: pjsua picks one.
        leg = CallLeg(self._host, phone, UNKNOWN, "outgoing", target, replaces=self)
        only_audio(prm.opt)
        leg.call = prm.newCall = Call(phone.account, leg)
        leg.offer_comes()
        prm.statusCode = pj.PJSIP_SC_ACCEPTED

    def transfer_progressed(self, code: int, reason: str, final: bool) -> None:
        """What became of our REFER."""
        self.emit(TransferProgress, code=code, reason=reason, final=bool(final))

    def replacement_asked(self, prm: Any, invite: str) -> None:
        """An INVITE with Replaces: a leg of its own takes this one's place."""
        message = read_text(invite, direction="received")
        leg = CallLeg(self._host, self.phone, message.call_id, "incoming", message.from_uri, replaces=self)
        leg.call = prm.newCall = Call(self.phone.account, leg)
        leg.offer_comes()
