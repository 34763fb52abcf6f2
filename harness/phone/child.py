"""The process side of softphones: one pjsua2 Endpoint, its accounts and calls, driven over a socket pair.

Started as ``python -m harness.phone.child FD DIRECTORY`` by ``process.py``, and of no use otherwise. This module may
import the standard library, numpy, pjsua2 (nothing else may), ``harness.audio``, ``harness.events`` and its
neighbours ``config``, ``hearing``, ``log_ring``, ``protocol``, ``sip_log`` and ``sockets``.

What shapes it (pjproject 2.15.1):

- pjlib's asserts are on, so misuse aborts the process: every command checks the state it needs before it calls.
- SIP runs in one thread, the main one, in ``libHandleEvents``. A second thread reads commands and wakes the first with
  a datagram. Audio comes from the null device's clock thread, which touches nothing but ears.
- An exception that leaves a callback ends in ``std::terminate``: each callback is wrapped.
- A SWIG proxy of a member does not keep its owner alive: owners stay in a name while members are read.
- ``Call``'s destructor hangs up whatever call has its slot *then*: a Call object is dropped within its last callback.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import functools
import os
import queue
import signal
import socket
import sys
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

import pjsua2 as pj
import soundfile

from harness.audio import marks
from harness.events import (
    CallState,
    DtmfReceived,
    Event,
    MediaState,
    Recorded,
    RegistrationState,
    RtpStatistics,
    SipMessage,
    TransferProgress,
    TransportFailed,
    to_plain,
)
from harness.phone import recording, sip_log, sockets
from harness.phone.config import PhoneConfig
from harness.phone.hearing import RATE, Hearing
from harness.phone.log_ring import LogRing
from harness.phone.native import Native, Player
from harness.phone.protocol import (
    FAREWELL_SECONDS,
    PULSE_INTERVAL,
    Answer,
    Early,
    Mark,
    Policy,
    Reject,
    Ring,
    Silence,
    Source,
    Wav,
    Wire,
    choice_from_plain,
)

Headers = Sequence[Sequence[str]]

_FRAME_MS: Final = 20
_MARK_FILE_SECONDS: Final = 4.0
_STATISTICS_INTERVAL: Final = 1.0
_TOO_MANY_CALLS: Final = 70010  # PJ_ETOOMANY
_NOT_IN_BRIDGE: Final = -1  # PJSUA_INVALID_ID
_LONGEST_TRANSACTION: Final = 33.0  # 64 × T1 (RFC 3261 table 4), and a little
_DTMF_ENDS: Final = 2  # PJMEDIA_STREAM_DTMF_IS_END
_STATES: Final = {
    pj.PJSIP_INV_STATE_CALLING: "calling",
    pj.PJSIP_INV_STATE_INCOMING: "incoming",
    pj.PJSIP_INV_STATE_EARLY: "early",
    pj.PJSIP_INV_STATE_CONNECTING: "connecting",
    pj.PJSIP_INV_STATE_CONFIRMED: "confirmed",
    pj.PJSIP_INV_STATE_DISCONNECTED: "disconnected",
}
_TRANSPORTS: Final = {
    "udp": pj.PJSIP_TRANSPORT_UDP,
    "tcp": pj.PJSIP_TRANSPORT_TCP,
    "tls": pj.PJSIP_TRANSPORT_TLS,
}
_SRTP: Final = {
    "off": pj.PJMEDIA_SRTP_DISABLED,
    "optional": pj.PJMEDIA_SRTP_OPTIONAL,
    "mandatory": pj.PJMEDIA_SRTP_MANDATORY,
}
_TIMER: Final = {
    "off": pj.PJSUA_SIP_TIMER_INACTIVE,
    "optional": pj.PJSUA_SIP_TIMER_OPTIONAL,
    "required": pj.PJSUA_SIP_TIMER_ALWAYS,
}
_RELIABLE: Final = {
    "off": pj.PJSUA_100REL_NOT_USED,
    "optional": pj.PJSUA_100REL_OPTIONAL,
    "required": pj.PJSUA_100REL_MANDATORY,
}


class Refusal(Exception):
    """A command that cannot be done; ``kind`` names the error that the parent raises."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


def misuse(text: str) -> Refusal:
    """The state of the phone or its call does not allow it."""
    return Refusal("misuse", text)


def _callback(method: Callable[..., None]) -> Callable[..., None]:
    """Keep exceptions from leaving a callback: pjsua2's C++ would end in ``std::terminate``."""

    @functools.wraps(method)
    def wrapped(self: Any, *arguments: Any) -> None:
        try:
            method(self, *arguments)
        except Exception:
            self.child.fault(traceback.format_exc())

    return wrapped


class _Vector(ctypes.Structure):
    """The head of a ``std::vector<unsigned char>``: walking its SWIG proxy costs more than all the rest of a leg."""

    _fields_ = (("begin", ctypes.c_size_t), ("end", ctypes.c_size_t))


class _Stack(pj.Endpoint):  # type: ignore[misc]
    """The one Endpoint; it chooses the account of a call that comes in."""

    child: Child

    @_callback
    def onSelectAccount(self, prm: Any) -> None:
        rdata = prm.rdata
        self.child.select_account(prm, rdata.wholeMsg)

    @_callback
    def onTransportState(self, prm: Any) -> None:
        if prm.state == pj.PJSIP_TP_STATE_DISCONNECTED and prm.lastError:
            self.child.transport_failed(int(prm.hnd), prm.lastError, prm.tlsInfo)


class _Log(pj.LogWriter):  # type: ignore[misc]
    """Where pjsua's log goes: SIP messages become events, the rest is kept in the ring."""

    child: Child

    @_callback
    def write(self, entry: Any) -> None:
        self.child.logged(entry.level, entry.msg)


class _Account(pj.Account):  # type: ignore[misc]
    """A phone's account."""

    def __init__(self, child: Child, phone: _Phone) -> None:
        super().__init__()
        self.child, self.phone = child, phone

    @_callback
    def onIncomingCall(self, prm: Any) -> None:
        self.child.incoming(self.phone, prm.callId)

    @_callback
    def onRegState(self, prm: Any) -> None:
        self.phone.registration_changed(prm.code, prm.reason, prm.expiration)

    @_callback
    def onSendRequest(self, prm: Any) -> None:
        event = prm.e
        body = event.body
        tsx_state = body.tsxState
        tsx = tsx_state.tsx
        self.child.request_answered(int(prm.userData), tsx.statusCode, tsx.statusText)


class _Call(pj.Call):  # type: ignore[misc]
    """A leg's call; without a leg nothing of it is told."""

    def __init__(self, phone: _Phone, leg: _Leg | None, *arguments: Any) -> None:
        super().__init__(phone.account, *arguments)
        self.child, self.leg = phone.child, leg

    @_callback
    def onCallState(self, prm: Any) -> None:
        if self.leg:
            self.leg.state_changed()

    @_callback
    def onCallMediaState(self, prm: Any) -> None:
        if self.leg:
            self.leg.media_changed()

    @_callback
    def onStreamDestroyed(self, prm: Any) -> None:
        if self.leg:
            self.leg.stream_ends(prm.streamIdx)

    @_callback
    def onDtmfEvent(self, prm: Any) -> None:
        if self.leg and prm.flags & _DTMF_ENDS:
            self.leg.digit(prm.method, prm.digit, prm.duration)

    @_callback
    def onCallTransferRequest(self, prm: Any) -> None:
        if self.leg:
            self.leg.transfer_asked(prm)

    @_callback
    def onCallTransferStatus(self, prm: Any) -> None:
        if self.leg:
            self.leg.transfer_progressed(prm.statusCode, prm.reason, prm.finalNotify)

    @_callback
    def onCallReplaceRequest(self, prm: Any) -> None:
        rdata = prm.rdata
        if self.leg:
            self.leg.replacement_asked(prm, rdata.wholeMsg)

    @_callback
    def onCallRxReinvite(self, prm: Any) -> None:
        if self.leg:
            self.child.prefer(self.leg.codecs, self.leg.phone.config.telephone_event)


class _Ears(pj.AudioMediaPort):  # type: ignore[misc]
    """A port that hands received audio to a leg's hearing.

    Ears are never destroyed, only parked: the clock thread may be inside them at any moment.
    """

    def __init__(self, child: Child) -> None:
        super().__init__()
        self.child = child
        self.hearing: Hearing | None = None
        audio = pj.MediaFormatAudio()
        audio.init(pj.PJMEDIA_FORMAT_PCM, RATE, 1, _FRAME_MS * 1000, 16)
        self.createPort("ears", audio)

    @_callback
    def onFrameReceived(self, frame: Any) -> None:
        hearing = self.hearing
        if hearing is None:
            return
        vector = _Vector.from_address(int(frame.buf.this))
        if length := vector.end - vector.begin:
            hearing.feed(time.monotonic(), ctypes.string_at(vector.begin, length))


class _Phone:
    """One leased or parked phone: an account on a transport of its own."""

    def __init__(self, child: Child, key: int, config: PhoneConfig, directory: Path) -> None:
        self.child, self.key, self.config, self.directory = child, key, config, directory
        self.policy: Policy = Ring()
        self.parked = False
        self.legs_so_far = 0
        self.registered = False
        self.refresh_at: float | None = None
        self.transport = child.open_transport(config)
        self.address: str = child.stack.transportGetInfo(self.transport).localName
        self.account = _Account(child, self)
        try:
            self.account.create(self._account_config())
        except pj.Error:
            child.stack.transportClose(self.transport)
            raise

    def _account_config(self) -> Any:
        config = self.config
        account = pj.AccountConfig()
        display = f'"{config.display_name}" ' if config.display_name else ""
        account.idUri = f"{display}<{config.address_of_record}>"
        sip, reg, nat, media, call = (
            account.sipConfig,
            account.regConfig,
            account.natConfig,
            account.mediaConfig,
            account.callConfig,
        )
        suffix = "" if config.transport == "udp" else f";transport={config.transport}"
        sip.transportId = self.transport
        if config.proxy:
            # "hide": the request goes there, but carries no Route that would name it.
            sip.proxies.append(f"<sip:{config.proxy}{suffix};lr;hide>")
        if config.username is not None:
            sip.authCreds.append(pj.AuthCredInfo("digest", "*", config.username, 0, config.password or ""))
        if registrar := config.registrar or config.proxy:
            reg.registrarUri = f"sip:{registrar}{suffix}"
        reg.registerOnAdd = False
        reg.timeoutSec = config.register_expires
        reg.delayBeforeRefreshSec = max(1, min(5, config.register_expires // 3))
        # One attempt each time it is asked for: a silent retry would hide a refusal.
        reg.retryIntervalSec = 0
        reg.proxyUse = 0
        reg.contactParams = config.contact_params
        # The phone says what its configuration says, wherever its messages seem to come from.
        nat.contactRewriteUse = 0
        nat.viaRewriteUse = 0
        nat.sdpNatRewriteUse = 0
        nat.sipOutboundUse = 0
        nat.udpKaIntervalSec = 0
        # Without a certificate nobody can open a TLS connection to us: name the port of the one we opened.
        nat.contactUseSrcPort = int(config.transport == "tls" and config.tls.certificate is None)
        media.lockCodecEnabled = False
        media.srtpUse = _SRTP[config.srtp]
        media.srtpSecureSignaling = 0
        rtp = media.transportConfig
        rtp.boundAddress = config.bind_address
        rtp.publicAddress = config.public_address or ""
        first, last = config.rtp_ports or (10000, 59998)
        rtp.port, rtp.portRange, rtp.randomizePort = first, last - first, True
        call.timerUse = _TIMER[config.session_timer]
        call.timerSessExpiresSec = config.session_expires
        call.timerMinSESec = config.min_se
        call.prackUse = _RELIABLE[config.reliable_provisional]
        return account

    @property
    def host(self) -> str:
        """The address without its port."""
        return self.address.rsplit(":", 1)[0]

    @property
    def sent_by(self) -> str:
        """What the Via of its requests names."""
        public = self.config.public_address
        return f"{public}:{self.address.rsplit(':', 1)[1]}" if public else self.address

    def registration_changed(self, code: int, reason: str, expires: int) -> None:
        self.registered = 200 <= code < 300 and expires > 0
        # pjsip refreshes no earlier than after five seconds (sip_reg.c), which is too late for the shortest ones.
        self.refresh_at = time.monotonic() + expires * 2 / 3 if self.registered and expires < 10 else None
        self.child.emit(
            RegistrationState(
                at=time.monotonic(),
                phone=self.config.name,
                code=code,
                reason=reason,
                expires=expires if self.registered else 0,
                active=self.registered,
            ),
            self,
        )

    def send_request(self, call: int, method: str, uri: str, headers: Headers, body: str, content_type: str) -> None:
        parameters = pj.SendRequestParam()
        parameters.method = method
        option = parameters.txOption
        option.targetUri = uri
        _set_headers(option, headers)
        if body:
            option.msgBody, option.contentType = body, content_type
        # A token has to be a pointer, and comes back as one: the address of an object that lives until then.
        parameters.userData = parameters
        self.account.sendRequest(parameters)
        self.child.requests[int(parameters.this)] = (call, parameters)

    def close(self) -> None:
        """Give up the account, and free its ports."""
        # pjsip keeps a transport until its last transaction has timed out (RFC 3261 timer J: 32 s), but the next case,
        # perhaps in another process, needs the port now; and pjsip has only 64 sockets.
        udp = self.child.native.udp_transport(self.account.getId()) if self.config.transport == "udp" else None
        self.account.shutdown()
        # Its destructor would delete the account that has its number by then.
        self.account.thisown = False
        if udp is not None:
            self.child.native.close_udp_socket(udp)
        self.child.stack.transportClose(self.transport)
        sockets.free({self.address, *self.child.connections_of(self)})


#: The Call-ID of a leg whose INVITE pjsua has not sent yet.
_UNKNOWN: Final = ""


class _Leg:
    """One call of a phone, from its first message until its recordings are on disk."""

    def __init__(
        self,
        phone: _Phone,
        call_id: str,
        direction: str,
        remote: str,
        *,
        mark: int | None = None,
        replaces: _Leg | None = None,
    ) -> None:
        self.phone, self.child = phone, phone.child
        self.key = self.child.new_key()
        phone.legs_so_far += 1
        self.name = f"{phone.config.name}.{phone.legs_so_far}"
        self.call_id, self.tag, self.branch = call_id, "", ""
        self.direction = direction
        self.call: _Call | None = None
        self.codecs: tuple[str, ...] = phone.config.codecs
        self.source: Source = Mark()
        self.mark = mark  # None until the parent has named it
        self.bridged: _Leg | None = None
        self.disconnected = False
        self.settled = False  # the far end knows that the call is over
        self.gives_up_at = 0.0
        self._answered = False
        self._far_crypto = False  # the far end's last SDP has a key (RFC 4568); over RTP/AVP as well
        self._hung_up = False
        self._stream = -1  # index of the audio stream, -1 without media
        self._sends = False
        self._audio: Any = None  # the call's port in the bridge
        self._player: Player | None = None
        self.player_done = 0.0
        self._ears: _Ears | None = None
        self._recorders: list[Any] = []
        self.recordings: tuple[Path, ...] = ()
        self.child.begin(self, replaces, remote)

    def emit(self, kind: type[Event], **facts: Any) -> None:
        self.child.emit(
            kind(at=time.monotonic(), phone=self.phone.config.name, leg=self.name, **facts), self.phone, self
        )

    # What the parent asks for. Each command checks what it needs: pjsua2 asserts where it is surprised.

    def live_call(self, *states: str) -> Any:
        """The call, provided that it is in one of ``states`` (any, if none is named)."""
        if self.call is None:
            raise misuse(f"{self.name} has ended")
        info = self.call.getInfo()
        state = _STATES.get(info.state, "null")
        if states and state not in states:
            raise misuse(f"{self.name} is {state}, and would have to be {' or '.join(states)}")
        return self.call

    def respond(self, code: int, reason: str = "", headers: Headers = ()) -> None:
        """Answer the INVITE, provisionally or finally."""
        if self.direction != "incoming":
            raise misuse(f"{self.name} is an outgoing call: there is nothing to answer")
        call = self.live_call("incoming", "early")
        if code >= 300:
            self._hung_up = True
        self.child.prefer(self.codecs, self.phone.config.telephone_event)
        call.answer(_parameters(code, reason, headers))

    def hang_up(self, code: int = 0, reason: str = "", headers: Headers = ()) -> None:
        """BYE, CANCEL or a final response, as the state asks for; nothing when the call is over already."""
        call = self.call
        if call is not None:
            self._hung_up = True
            call.hangup(_parameters(code, reason, headers))

    def hold(self) -> None:
        self.live_call("confirmed").setHold(_parameters())

    def resume(self) -> None:
        call = self.live_call("confirmed")
        parameters = _parameters(settings=True)
        options = parameters.opt
        options.flag |= pj.PJSUA_CALL_UNHOLD
        call.reinvite(parameters)

    def reinvite(self, codecs: tuple[str, ...]) -> None:
        call = self.live_call("confirmed")
        self.codecs = codecs or self.codecs
        self.child.prefer(self.codecs, self.phone.config.telephone_event)
        call.reinvite(_parameters(settings=True))

    def send_digits(self, digits: str, method: str, duration_ms: int) -> None:
        call = self.live_call("confirmed", "early")
        if self._stream < 0:
            raise misuse(f"{self.name} has no media to send digits by")
        parameters = pj.CallSendDtmfParam()
        parameters.digits = digits
        parameters.duration = duration_ms
        parameters.method = pj.PJSUA_DTMF_METHOD_SIP_INFO if method == "info" else pj.PJSUA_DTMF_METHOD_RFC2833
        if method == "rfc4733":
            stream = call.getStreamInfo(self._stream)
            if stream.audTxEventPt < 0:
                raise Refusal("not_negotiated", f"{self.name}: telephone-event (RFC 4733) was not negotiated")
        call.sendDtmf(parameters)

    def transfer(self, uri: str, headers: Headers) -> None:
        self.live_call("confirmed").xfer(uri, _parameters(headers=headers))

    def transfer_attended(self, other: _Leg, headers: Headers) -> None:
        call = self.live_call("confirmed")
        call.xferReplaces(other.live_call("confirmed", "early"), _parameters(headers=headers))

    def send_request(self, method: str, headers: Headers, body: str, content_type: str) -> None:
        call = self.live_call("confirmed", "early")
        parameters = pj.CallSendRequestParam()
        parameters.method = method
        option = parameters.txOption
        _set_headers(option, headers)
        if body:
            option.msgBody, option.contentType = body, content_type
        call.sendRequest(parameters)

    # What pjsua says.

    def state_changed(self) -> None:
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
        self.settled = self.settled or not self._hung_up
        self.gives_up_at = time.monotonic() + FAREWELL_SECONDS
        self._close_media()
        if self.call is not None:
            self.call.leg = None
        self.call = None
        self.child.ending.append(self)

    def saw(self, message: sip_log.LoggedMessage) -> None:
        """Follow the dialog by its messages: pjsua forgets a call the moment it is told to hang up."""
        if message.direction == "received" and "\r\nm=audio " in message.text:
            self._far_crypto = "\r\na=crypto:" in message.text
        if message.method == "BYE":
            self.settled = self.settled or message.status >= 200
        elif message.method == "INVITE":
            if 200 <= message.status < 300:
                self._answered = True
            elif message.status >= 300 and not self._answered and message.status not in (401, 407):
                self.settled = True

    def finished(self, now: float) -> bool:
        """Whether nothing is left to wait for: the far end knows, and the recordings are whole."""
        return now >= self.gives_up_at or (self.settled and all(map(recording.is_whole, self.recordings)))

    def media_changed(self) -> None:
        assert self.call is not None
        info = self.call.getInfo()
        audio = next(
            ((m.index, m.status, m.dir, m.audioConfSlot) for m in info.media if m.type == pj.PJMEDIA_TYPE_AUDIO), None
        )
        held = pj.PJSUA_CALL_MEDIA_LOCAL_HOLD
        active = (pj.PJSUA_CALL_MEDIA_ACTIVE, held, pj.PJSUA_CALL_MEDIA_REMOTE_HOLD)
        if audio is None or audio[1] not in active or audio[3] == _NOT_IN_BRIDGE:
            self._audio, self._stream = None, -1
            self.emit(MediaState, active=False, direction="inactive")
            return
        index, status, direction, _ = audio
        stream = self.call.getStreamInfo(index)
        transport = self.call.getMedTransportInfo(index)
        sends, receives = bool(direction & pj.PJMEDIA_DIR_ENCODING), bool(direction & pj.PJMEDIA_DIR_DECODING)
        self._stream = index
        self._audio = self.call.getAudioMedia(index)
        self._sends = sends and status != held
        self._connect()
        self.emit(
            MediaState,
            active=True,
            direction={(1, 1): "sendrecv", (1, 0): "sendonly", (0, 1): "recvonly"}.get((sends, receives), "inactive"),
            codec=stream.codecName,
            clock_rate=stream.codecClockRate,
            local_rtp=transport.localRtpName,
            remote_rtp=stream.remoteRtpAddress,
            secure=self._far_crypto and self.phone.config.srtp != "off",
        )
        self.tell_statistics()

    def stream_ends(self, index: int) -> None:
        if index == self._stream:
            self.tell_statistics()
            self._audio, self._stream = None, -1

    def digit(self, method: int, digit: str, duration: int) -> None:
        name = "info" if method == pj.PJSUA_DTMF_METHOD_SIP_INFO else "rfc4733"
        self.emit(DtmfReceived, digit=digit, duration_ms=duration, method=name)

    def transfer_asked(self, prm: Any) -> None:
        target = prm.dstUri
        phone = self.phone
        question = {"leg": self.key, "uri": target}
        if not phone.config.accept_refer or self.child.free_slots() < 1 or not self.child.ask("may_follow", question):
            prm.statusCode = pj.PJSIP_SC_DECLINE
            return
        # pjsua2 frees prm.opt before pjsua places the call, so a Call-ID of ours would dangle: pjsua picks one (_adopt)
        leg = _Leg(phone, _UNKNOWN, "outgoing", target, replaces=self)
        settings = prm.opt
        settings.audioCount, settings.videoCount = 1, 0
        leg.call = prm.newCall = _Call(phone, leg)
        self.child.prefer(leg.codecs, phone.config.telephone_event)
        prm.statusCode = pj.PJSIP_SC_ACCEPTED

    def transfer_progressed(self, code: int, reason: str, final: bool) -> None:
        self.emit(TransferProgress, code=code, reason=reason, final=bool(final))

    def replacement_asked(self, prm: Any, text: str) -> None:
        invite = sip_log.read_text(text, direction="received")
        leg = _Leg(self.phone, invite.call_id, "incoming", invite.from_uri, replaces=self)
        leg.call = prm.newCall = _Call(self.phone, leg)
        self.child.prefer(leg.codecs, self.phone.config.telephone_event)

    # Audio.

    def _connect(self) -> None:
        """Join the call's port with ears, recorders and source; its slot in the bridge is new after each negotiation."""
        if self._ears is None:
            self._ears = self.child.take_ears()
            self._ears.hearing = Hearing(
                self.phone.config.name, self.name, self._heard, digits=self.phone.config.inband_dtmf
            )
            self.recordings = recording.paths(self.phone.directory, self.name)
            for path in self.recordings:
                recorder = pj.AudioMediaRecorder()
                recorder.createRecorder(str(path))
                self._recorders.append(recorder)
        self._audio.startTransmit(self._ears)
        self._audio.startTransmit(self._recorders[0])
        if self.bridged is not None:
            self._join()
        elif not self._sends:
            self._stop_player()
        elif self._player is not None:
            self._player.connect(self._audio.getPortId())
        else:
            self.play(self.source)

    def _heard(self, event: Event) -> None:
        self.child.emit(event, self.phone, self)

    def play(self, source: Source) -> None:
        """Send ``source`` from now on, or as soon as there is media to send it by."""
        self.source = source
        self._stop_player()
        if self._audio is None or not self._sends or isinstance(source, Silence):
            return
        if isinstance(source, Mark):
            if self.mark is None:
                return  # the parent is about to name it
            path, loop = self.child.mark_file(self.mark), True
        else:
            path, loop = Path(source.path), source.loop
        try:
            self._player = self.child.native.player(path, loop=loop)
        except OSError as error:
            raise misuse(str(error)) from error
        if not loop:
            self.player_done = time.monotonic() + soundfile.info(str(path)).duration
        self._player.connect(self._audio.getPortId())
        self._player.connect(self._recorders[1].getPortId())

    def tick(self, now: float) -> None:
        """A WAV that is played once gives way to the mark when it is over."""
        if self.player_done and now >= self.player_done:
            self.play(Mark())

    def _stop_player(self) -> None:
        self.player_done = 0.0
        if self._player is not None:
            self._player.close()
            self._player = None

    def bridge(self, other: _Leg) -> None:
        """Let the two far ends hear each other, for as long as both legs last."""
        for one, two in ((self, other), (other, self)):
            one.live_call()
            one._stop_player()
            one.bridged = two
        self._join()

    def _join(self) -> None:
        other = self.bridged
        if other is None or self._audio is None or other._audio is None:
            return
        for one, two in ((self, other), (other, self)):
            one._audio.startTransmit(two._audio)
            one._audio.startTransmit(two._recorders[1])

    def _close_media(self) -> None:
        if self.bridged is not None:
            self.bridged.bridged, self.bridged.source = None, Silence()
            self.bridged = None
        self._stop_player()
        self._audio, self._stream = None, -1
        if self._ears is not None:
            self.child.park_ears(self._ears)
            self._ears = None
        self._recorders.clear()  # the clock thread closes their files at its next tick

    def tell_statistics(self) -> bool:
        """Tell the counters so far; False without a stream."""
        if self.call is None or self._stream < 0:
            return False
        statistics = self.call.getStreamStat(self._stream)
        rtcp = statistics.rtcp
        sent, received = rtcp.txStat, rtcp.rxStat
        sent_jitter, received_jitter, rtt = sent.jitterUsec, received.jitterUsec, rtcp.rttUsec
        self.emit(
            RtpStatistics,
            tx_packets=sent.pkt,
            tx_bytes=sent.bytes,
            rx_packets=received.pkt,
            rx_bytes=received.bytes,
            rx_lost=received.loss,
            rx_discarded=received.discard,
            rx_reordered=received.reorder,
            rx_duplicated=received.dup,
            rx_jitter_ms=received_jitter.mean / 1000,
            tx_lost=sent.loss,
            tx_jitter_ms=sent_jitter.mean / 1000,
            rtt_ms=rtt.last / 1000,
        )
        return True


@dataclass
class _Departure:
    """A phone that is being given up, and the parent's call that waits for it."""

    phone: _Phone
    call: int
    deadline: float
    unregistering: bool = False


class Child:
    """The process: its stack, its phones, its legs, and the line to its parent."""

    def __init__(self, wire: Wire, directory: Path) -> None:
        self.wire, self._directory = wire, directory
        self._ring = LogRing(directory / f"child-{os.getpid()}.ring")
        self.phones: dict[int, _Phone] = {}
        self.legs: dict[int, _Leg] = {}
        self.dialogs: dict[str, list[_Leg]] = {}  # by Call-ID; both ends of a call may live here
        self.ending: list[_Leg] = []  # over, but not finished
        self._lingering: list[tuple[float, _Leg]] = []  # finished for us, but their call slot may still be taken
        self.requests: dict[int, tuple[int, Any]] = {}  # by token: the parent's call, and what the token points to
        self._departures: list[_Departure] = []
        self._answers_due: list[tuple[float, _Leg, Answer]] = []
        self._unbound: dict[str, list[tuple[float, sip_log.LoggedMessage]]] = {}  # INVITEs that have no leg yet
        self._callers: dict[tuple[str, bool], _Phone] = {}  # (Call-ID, ours) of what is no call (REGISTER, OPTIONS …)
        self._connections: dict[tuple[str, str], list[sip_log.Connection]] = {}  # (transport, remote)
        self._spare_ears: list[_Ears] = []
        self._keys = 0
        self._commands: queue.SimpleQueue[list[Any]] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[list[Any]] = queue.SimpleQueue()
        self._orphaned = threading.Event()
        self._preferred: tuple[tuple[str, ...], bool] | None = None
        self._start()

    # The stack.

    def _start(self) -> None:
        self.native = Native(pj._pjsua2.__file__)
        self.stack = _Stack()
        self.stack.child = self
        self.stack.libCreate()
        config = pj.EpConfig()
        ua, media, log = config.uaConfig, config.medConfig, config.logConfig
        self.most_calls: int = ua.maxCalls
        ua.threadCnt = 0
        ua.mainThreadOnly = False
        ua.natTypeInSdp = 0
        ua.userAgent = "call-verification-harness"
        media.clockRate = media.sndClockRate = RATE
        media.audioFramePtime = _FRAME_MS
        media.ptime = _FRAME_MS
        media.noVad = True
        media.ecTailLen = 0
        # Hear each packet as soon as it is due: no prefetching, two frames at most where the network makes it wait.
        media.jbInit, media.jbMaxPre, media.jbMax = 0, 2 * _FRAME_MS, 200
        media.sndAutoCloseTime = -1  # closing files needs the clock, also between calls
        self._log = _Log()
        self._log.child = self
        log.level = log.consoleLevel = 4  # the "console" is the writer
        log.msgLogging = 1
        log.decor = pj.PJ_LOG_HAS_SENDER
        log.writer = self._log
        self.stack.libInit(config)
        # The writer now belongs to the endpoint, which deletes it.
        self._log.thisown = False
        waking = self.stack.transportCreate(pj.PJSIP_TRANSPORT_UDP, _bind(pj.TransportConfig(), "127.0.0.1", 0))
        host, port = self.stack.transportGetInfo(waking).localName.rsplit(":", 1)
        self._waker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._waker.connect((host, int(port)))
        self.stack.libStart()
        self.stack.audDevManager().setNullDev()
        codecs = self.stack.codecEnum2()
        self._codecs = {codec.codecId.split("/")[0].upper(): codec.codecId for codec in reversed(list(codecs))}
        self._codec_ids = [codec.codecId for codec in codecs]

    def wake(self) -> None:
        """Make ``libHandleEvents`` return: a datagram too short for SIP, which pjsip drops without a word."""
        with contextlib.suppress(OSError):
            self._waker.send(b"\r\n")

    def prefer(self, codecs: tuple[str, ...], telephone_event: bool) -> None:
        """Set what the next SDP offers. pjsua has one list for all accounts, so it is set before each SDP is made."""
        if self._preferred == (codecs, telephone_event):
            return
        wanted = [self._codecs[name.upper()] for name in codecs]
        for codec in self._codec_ids:
            self.stack.codecSetPriority(codec, 250 - wanted.index(codec) if codec in wanted else 0)
        if self._preferred is None or self._preferred[1] != telephone_event:
            self.native.offer_telephone_event(telephone_event)
        self._preferred = (codecs, telephone_event)

    def open_transport(self, config: PhoneConfig) -> int:
        """A transport of the phone's own, bound to its address."""
        transport = _bind(pj.TransportConfig(), config.bind_address, config.bind_port)
        transport.publicAddress = config.public_address or ""
        if config.transport == "tls":
            tls = transport.tlsConfig
            tls.CaListFile = config.tls.ca_file or ""
            tls.certFile = config.tls.certificate or ""
            tls.privKeyFile = config.tls.private_key or ""
            tls.verifyServer = config.tls.verify
            tls.verifyClient = tls.requireClientCert = config.tls.require_client_certificate
            tls.proto = pj.PJ_SSL_SOCK_PROTO_TLS1_2
        if config.transport != "udp":
            # Connections of the phone that had the port before may still be in TIME_WAIT.
            options = transport.sockOptParams
            reuse = pj.SockOpt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            options.sockOpts.append(reuse)
            transport.sockOptParams = options
        try:
            return int(self.stack.transportCreate(_TRANSPORTS[config.transport], transport))
        except pj.Error as error:
            where = f"{config.transport} {config.bind_address}:{config.bind_port}"
            raise Refusal("resource", f"phone {config.name} cannot open {where}: {error.reason}") from error

    # What pjsua says.

    def logged(self, level: int, entry: str) -> None:
        """A line of pjsua's log: SIP messages and new connections are in it, the rest is kept in the ring."""
        now = time.monotonic()
        message = sip_log.read_message(entry)
        if message is None:
            self._ring.write(f"{now:.3f} {level} {entry.strip()}")
            connection = sip_log.read_connection(entry)
            if connection is not None:
                known = self._connections.setdefault((connection.transport, connection.remote), [])
                known[:] = [*[other for other in known if other.local != connection.local][-7:], connection]
            return
        start = message.text.split("\r\n", 1)[0]
        self._ring.write(f"{now:.3f} {message.direction} {message.transport} {message.remote} {start}")
        leg = self._leg_of(message) or self._adopt(message)
        if leg is not None:
            self._tell_message(now, message, leg.phone, leg)
            leg.saw(message)
        elif message.direction == "received" and message.begins_call:
            self._unbound.setdefault(message.call_id, []).append((now, message))
        elif message.call_id in self._unbound and not message.ours:
            self._unbound[message.call_id].append((now, message))
        else:
            self._tell_message(now, message, self._owner(message), None)

    def _leg_of(self, message: sip_log.LoggedMessage) -> _Leg | None:
        """The leg of a message: by Call-ID and this side's tag, or before there is one by who began the dialog."""
        legs = self.dialogs.get(message.call_id)
        if not legs:
            return None
        tag = message.local_tag
        if tag:
            for leg in legs:
                if leg.tag == tag:
                    return leg
        direction = "outgoing" if message.ours else "incoming"
        for leg in legs:
            if leg.direction == direction and (not leg.tag or not tag):
                if direction == "incoming" and message.begins_call and message.branch != leg.branch:
                    continue  # another fork of the same INVITE
                leg.tag = leg.tag or tag
                return leg
        return None

    def _adopt(self, message: sip_log.LoggedMessage) -> _Leg | None:
        """The leg placed on a REFER whose first INVITE this is: pjsua sends it as soon as it may be followed."""
        waiting = self.dialogs.get(_UNKNOWN)
        if not waiting or message.direction != "sent" or not message.ours or not message.begins_call:
            return None
        leg = waiting[0]
        self._forget(leg)
        leg.call_id = message.call_id
        self.dialogs.setdefault(leg.call_id, []).append(leg)
        return self._leg_of(message)

    def _tell_message(self, at: float, message: sip_log.LoggedMessage, phone: _Phone | None, leg: _Leg | None) -> None:
        if phone is None:
            return
        event = SipMessage(
            at=at,
            phone=phone.config.name,
            leg=leg.name if leg else None,
            direction=message.direction,
            transport=message.transport,
            local=self._local(phone, message),
            remote=message.remote,
            text=message.text,
        )
        self.emit(event, phone, leg)

    def _local(self, phone: _Phone, message: sip_log.LoggedMessage) -> str:
        host = phone.host
        for connection in reversed(self._connections.get((message.transport, message.remote), [])):
            if connection.local.rsplit(":", 1)[0] == host:
                return connection.local
        return phone.address

    def _owner(self, message: sip_log.LoggedMessage) -> _Phone | None:
        """The phone a message outside all calls belongs to."""
        key = (message.call_id, message.ours)  # a phone may ask another of the same process
        phone = self._callers.get(key)
        if phone is None:
            if message.ours:
                phone = next((p for p in self.phones.values() if p.sent_by == message.sent_by), None)
            if phone is None:
                phone = self._called(message)
            if phone is not None:
                while len(self._callers) >= 500:
                    self._callers.pop(next(iter(self._callers)))
                self._callers[key] = phone
        return phone

    def _called(self, message: sip_log.LoggedMessage) -> _Phone | None:
        """The phone a request is for: by address, else by user, else the only one on its transport."""
        phones = [phone for phone in self.phones.values() if phone.config.transport == message.transport]
        users = {user for user, _ in message.targets()}
        places = {place for _, place in message.targets()}
        for found in (
            [phone for phone in phones if phone.address in places],
            [phone for phone in phones if phone.config.user in users],
            [phone for phone in phones if phone.host in places],
        ):
            if len(found) == 1:
                return found[0]
        return phones[0] if len(phones) == 1 else None

    def connections_of(self, phone: _Phone) -> set[str]:
        """Local addresses of the connections that the phone opened itself."""
        host = phone.host
        shared = any(p.host == host for p in self.phones.values() if p is not phone)
        if shared:
            return set()  # they cannot be told apart, and close by themselves after 33 s without use
        mine = set()
        for known in self._connections.values():
            for connection in known:
                if connection.transport == phone.config.transport and connection.local.rsplit(":", 1)[0] == host:
                    mine.add(connection.local)
        self._connections = {
            key: rest
            for key, known in self._connections.items()
            if (rest := [connection for connection in known if connection.local not in mine])
        }
        return mine

    def select_account(self, prm: Any, text: str) -> None:
        """Choose the phone of an incoming call, and prepare its answer's SDP, which pjsua makes right after this."""
        phone = self._called(sip_log.read_text(text, direction="received"))
        if phone is None:
            phone = next((p for p in self.phones.values() if p.account.getId() == prm.accountIndex), None)
        if phone is not None:
            prm.accountIndex = phone.account.getId()
            self.prefer(phone.config.codecs, phone.config.telephone_event)

    def incoming(self, phone: _Phone, call_id: int) -> None:
        """A call for ``phone``: do as its policy says."""
        call = _Call(phone, None, call_id)
        if phone.parked:
            call.hangup(_parameters(480))
            return
        if (
            sum(1 for leg in self.legs.values() if leg.phone is phone and not leg.disconnected)
            >= phone.config.max_calls
        ):
            call.hangup(_parameters(486))
            return
        info = call.getInfo()
        leg = _Leg(phone, info.callIdString, "incoming", info.remoteUri)
        leg.call, call.leg = call, leg
        leg.state_changed()
        policy = phone.policy
        if isinstance(policy, Ring):
            leg.respond(180)
        elif isinstance(policy, Early):
            leg.respond(policy.code)
        elif isinstance(policy, Reject):
            leg.respond(policy.code, policy.reason)
        elif isinstance(policy, Answer):
            if policy.after > 0:
                leg.respond(180)
                self._answers_due.append((time.monotonic() + policy.after, leg, policy))
            else:
                leg.respond(200, headers=policy.headers)

    def transport_failed(self, handle: int, error: int, tls: Any) -> None:
        """A connection failed or broke: tell the phones whose address it left from."""
        reason = self.stack.utilStrError(error)
        if not tls.isEmpty() and tls.verifyStatus:
            reason = f"{reason}: {'; '.join(list(tls.verifyMsgs))}"
        for known in self._connections.values():
            for connection in known:
                if connection.handle != handle:
                    continue
                host = connection.local.rsplit(":", 1)[0]
                for phone in self.phones.values():
                    if phone.config.transport == connection.transport and phone.host == host:
                        self.emit(
                            TransportFailed(
                                at=time.monotonic(),
                                phone=phone.config.name,
                                transport=connection.transport,
                                remote=connection.remote,
                                reason=reason,
                            ),
                            phone,
                        )

    # Legs, ears, marks.

    def new_key(self) -> int:
        """A number for a leg, unique in this process."""
        self._keys += 1
        return self._keys

    def begin(self, leg: _Leg, replaces: _Leg | None, remote: str) -> None:
        """Announce a leg, then the messages that came before pjsua said whose they are."""
        self.legs[leg.key] = leg
        self.dialogs.setdefault(leg.call_id, []).append(leg)
        before = self._unbound.pop(leg.call_id, []) if leg.direction == "incoming" else []
        if before:
            leg.branch = before[0][1].branch
        self._tell(
            "leg_started",
            at=before[0][0] if before else time.monotonic(),
            phone=leg.phone.key,
            leg=leg.key,
            name=leg.name,
            direction=leg.direction,
            remote_uri=remote,
            mark=leg.mark,
            replaces=replaces.key if replaces else None,
        )
        for at, message in before:
            self._tell_message(at, message, leg.phone, leg)
            leg.saw(message)

    def _forget(self, leg: _Leg) -> None:
        legs = self.dialogs[leg.call_id]
        legs.remove(leg)
        if not legs:
            del self.dialogs[leg.call_id]

    def free_slots(self, call: int = 0) -> int:
        """Calls this process can still make or take."""
        taken = sum(1 for leg in self.legs.values() if not (leg.disconnected and leg.settled))
        return self.most_calls - taken - sum(1 for _, leg in self._lingering if not leg.settled)

    def take_ears(self) -> _Ears:
        """Ears that nobody uses. They are never destroyed: the clock thread may be inside them at any moment."""
        return self._spare_ears.pop() if self._spare_ears else _Ears(self)

    def park_ears(self, ears: _Ears) -> None:
        """Take ears back; what the clock thread still brings is not heard."""
        ears.hearing = None
        self._spare_ears.append(ears)

    def mark_file(self, mark: int) -> Path:
        """The WAV of a mark, made when it is first asked for."""
        path = self._directory / f"mark-{mark}.wav"
        if not path.exists():
            marks.write_wav(path, mark, _MARK_FILE_SECONDS, RATE)
        return path

    # The line to the parent.

    def emit(self, event: Event, phone: _Phone, leg: _Leg | None = None) -> None:
        """Tell an event; ``leg`` says in which call."""
        self._tell("event", phone=phone.key, leg=leg.key if leg else None, event=to_plain(event))

    def _tell(self, what: str, /, **arguments: Any) -> None:
        with contextlib.suppress(OSError):  # the reader sees the end of the line, and acts on it
            self.wire.send("tell", what, arguments)

    def ask(self, name: str, arguments: dict[str, Any]) -> Any:
        """Ask the parent and wait for its answer; None when none comes in time."""
        question = self.new_key()
        try:
            self.wire.send("ask", question, name, arguments)
            while True:
                answer = self._answers.get(timeout=1.0)
                if answer[0] == question:
                    return answer[1]
        except (OSError, queue.Empty):
            return None

    def fault(self, text: str) -> None:
        """A defect of this module: say so; the parent gives this process up."""
        for line in text.splitlines():
            self._ring.write(line)
        print(text, file=sys.stderr, flush=True)
        self._tell("fault", text=text)

    def _read(self) -> None:
        while True:
            try:
                message = self.wire.receive()
            except ValueError:
                message = None
            if message is None:
                break
            if message[0] == "answer":
                self._answers.put(message[1:])
            else:
                self._commands.put(message)
                self.wake()
        self._orphaned.set()
        self.wake()
        # Should the main thread hang, nobody is left to end this process.
        time.sleep(3 * FAREWELL_SECONDS)
        os._exit(2)

    def run(self) -> NoReturn:
        """Serve until the parent's end closes; then say goodbye to every call and registration, and exit."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's business
        signal.signal(signal.SIGTERM, lambda *_: self._orphaned.set())
        threading.Thread(target=self._read, name="commands", daemon=True).start()
        self._tell(
            "ready",
            most_calls=self.most_calls,
            codecs=sorted(self._codecs),
            version=self.stack.libVersion().full,
        )
        next_pulse = next_statistics = 0.0
        while not self._orphaned.is_set():
            now = time.monotonic()
            if now >= next_pulse:
                self._tell("pulse")
                next_pulse = now + PULSE_INTERVAL
            if now >= next_statistics:
                for leg in self.legs.values():
                    leg.tell_statistics()
                next_statistics = now + _STATISTICS_INTERVAL
            until = min(next_pulse, next_statistics) - now
            self._turn(until)
        self._farewell()

    def _turn(self, longest: float) -> None:
        """One round: commands, the stack's events, and what is due."""
        while not self._commands.empty():
            self._obey(self._commands.get())
        now = time.monotonic()
        if self.ending or self._departures:
            longest = min(longest, 0.005)
        for due, _, _ in self._answers_due:
            longest = min(longest, due - now)
        for leg in self.legs.values():
            if leg.player_done:
                longest = min(longest, leg.player_done - now)
        for phone in self.phones.values():
            if phone.refresh_at is not None:
                longest = min(longest, phone.refresh_at - now)
        self.stack.libHandleEvents(max(1, int(longest * 1000)))
        self._settle(time.monotonic())

    def _settle(self, now: float) -> None:
        for call_id in list(self._unbound):  # pjsua refused them without asking
            for at, message in self._unbound.pop(call_id):
                self._tell_message(at, message, self._owner(message), None)
        for entry in list(self._answers_due):
            due, waiting, policy = entry
            if now >= due or waiting.call is None:
                self._answers_due.remove(entry)
                with contextlib.suppress(Refusal):
                    waiting.respond(200, headers=policy.headers)
        for leg in list(self.legs.values()):
            leg.tick(now)
        for phone in self.phones.values():
            if phone.refresh_at is not None and now >= phone.refresh_at:
                phone.refresh_at = None
                phone.account.setRegistration(True)
        for leg in [leg for leg in self.ending if leg.finished(now)]:
            self.ending.remove(leg)
            del self.legs[leg.key]
            if leg.settled:
                self._forget(leg)
            else:
                self._lingering.append((now + _LONGEST_TRANSACTION, leg))
            if leg.recordings:
                received, sent = leg.recordings
                leg.emit(Recorded, path=str(received), sent_path=str(sent))
            self._tell("leg_closed", phone=leg.phone.key, leg=leg.key)
        for over in [entry for entry in self._lingering if entry[1].settled or now >= entry[0]]:
            self._lingering.remove(over)
            self._forget(over[1])
        for departure in list(self._departures):
            self._depart(departure, now)

    def _depart(self, departure: _Departure, now: float) -> None:
        phone = departure.phone
        if now < departure.deadline:
            if any(leg.phone is phone for leg in self.legs.values()):
                return
            if phone.registered and not departure.unregistering:
                departure.unregistering, phone.refresh_at = True, None
                phone.account.setRegistration(False)
            if phone.registered:
                return
        self._departures.remove(departure)
        del self.phones[phone.key]
        phone.close()
        self.wire.send("done", departure.call, None)

    def _farewell(self) -> NoReturn:
        """BYE or CANCEL every call, give registrations back, wait a moment for the answers, and be gone."""
        deadline = time.monotonic() + FAREWELL_SECONDS
        for leg in list(self.legs.values()):
            with contextlib.suppress(pj.Error):
                leg.hang_up()
        for phone in self.phones.values():
            if phone.registered:
                with contextlib.suppress(pj.Error):
                    phone.account.setRegistration(False)
        while time.monotonic() < deadline and (self.legs or any(phone.registered for phone in self.phones.values())):
            self._turn(0.02)
        # Not libDestroy: it takes a second, and aborts on whatever it finds left over.
        os._exit(0)

    # Commands.

    def _obey(self, message: list[Any]) -> None:
        _, call, name, arguments = message
        try:
            value = _COMMANDS[name](self, call=call, **arguments)
        except Refusal as refusal:
            self.wire.send("failed", call, refusal.kind, str(refusal))
        except pj.Error as error:
            kind = "resource" if error.status == _TOO_MANY_CALLS else "misuse"
            self.wire.send("failed", call, kind, f"{name}: {error.reason} ({error.title})")
        except Exception:
            self.wire.send("failed", call, "broken", traceback.format_exc())
        else:
            if value is not _LATER:
                self.wire.send("done", call, value)

    def _phone(self, key: int) -> _Phone:
        try:
            return self.phones[key]
        except KeyError:
            raise misuse("this phone was released") from None

    def _leg(self, key: int) -> _Leg:
        try:
            return self.legs[key]
        except KeyError:
            raise misuse("this leg has ended") from None

    def add(self, call: int, phone: int, config: dict[str, Any], directory: str) -> str:
        """A new phone; returns the address it is bound to."""
        made = PhoneConfig.from_plain(config)
        unknown = [name for name in made.codecs if name.upper() not in self._codecs]
        if unknown:
            have = ", ".join(sorted(self._codecs))
            raise Refusal(
                "resource", f"phone {made.name}: this build of pjsua2 has no {', '.join(unknown)}; it has {have}"
            )
        self.phones[phone] = _Phone(self, phone, made, Path(directory))
        return self.phones[phone].address

    def adopt(self, call: int, phone: int, directory: str) -> tuple[str, bool]:
        """Lease a parked phone again; says its address and whether it is registered."""
        kept = self._phone(phone)
        kept.parked, kept.policy, kept.legs_so_far, kept.directory = False, Ring(), 0, Path(directory)
        return kept.address, kept.registered

    def park(self, call: int, phone: int) -> None:
        """Keep the phone and its registration, but refuse calls."""
        self._phone(phone).parked = True

    def remove(self, call: int, phone: int) -> object:
        """Give the phone up: hang up, un-REGISTER, close."""
        leaving = self._phone(phone)
        for leg in [leg for leg in self.legs.values() if leg.phone is leaving]:
            leg.hang_up()
        departure = _Departure(leaving, call, time.monotonic() + 2 * FAREWELL_SECONDS)
        self._departures.append(departure)
        self._depart(departure, time.monotonic())
        return _LATER

    def set_policy(self, call: int, phone: int, policy: list[Any]) -> None:
        """What to do with calls that come in from now on."""
        self._phone(phone).policy = choice_from_plain(policy)

    def register(self, call: int, phone: int, active: bool) -> None:
        """REGISTER, or take the registration back."""
        asked = self._phone(phone)
        if not (asked.config.registrar or asked.config.proxy):
            raise misuse(f"phone {asked.config.name} has no registrar")
        if not active and not asked.registered:
            raise misuse(f"phone {asked.config.name} is not registered")
        asked.account.setRegistration(active)

    def request(
        self, call: int, phone: int, method: str, uri: str, headers: Headers, body: str, content_type: str
    ) -> object:
        """A request outside any dialog; answered with ``[code, reason]``."""
        self._phone(phone).send_request(call, method, uri, headers, body, content_type)
        return _LATER

    def request_answered(self, token: int, code: int, reason: str) -> None:
        """The final answer to :meth:`request`."""
        if code >= 200 and token in self.requests:
            call, _ = self.requests.pop(token)
            self.wire.send("done", call, [code, reason])

    def dial(
        self, call: int, phone: int, uri: str, headers: Headers, mark: int, source: list[Any], local_uri: str
    ) -> int:
        """Place a call; returns its leg's key."""
        caller = self._phone(phone)
        if self.free_slots() < 1:
            raise Refusal("resource", f"all {self.most_calls} call slots of the phone process are taken")
        if self.stack.utilVerifySipUri(uri) != 0 and not uri.startswith("tel:"):
            raise misuse(f"{caller.config.name} cannot dial {uri!r}: not a URI")
        playing = _playable(source)
        leg = _Leg(caller, _new_call_id(), "outgoing", uri, mark=mark)
        leg.source = playing
        leg.call = _Call(caller, leg)
        parameters = _parameters(headers=headers, settings=True)
        settings, option = parameters.opt, parameters.txOption
        settings.customCallId = leg.call_id
        if local_uri:
            option.localUri = local_uri
        self.prefer(leg.codecs, caller.config.telephone_event)
        try:
            leg.call.makeCall(f"<{uri}>", parameters)
        except pj.Error as error:
            if leg.call is not None:
                leg.emit(CallState, state="disconnected", code=0, reason=error.reason)
                leg.end()
            raise
        return leg.key

    def arm(self, call: int, leg: int, mark: int) -> None:
        """Name the mark of a leg that began by itself."""
        named = self.legs.get(leg)
        if named is not None:
            named.mark = mark
            if isinstance(named.source, Mark) and named.bridged is None:
                named.play(named.source)

    def respond(self, call: int, leg: int, code: int, reason: str, headers: Headers) -> None:
        """Answer an INVITE."""
        self._leg(leg).respond(code, reason, headers)

    def hang_up(self, call: int, leg: int, code: int, reason: str, headers: Headers) -> None:
        """End a call; one that is over already is fine."""
        if leg in self.legs:
            self.legs[leg].hang_up(code, reason, headers)

    def hold(self, call: int, leg: int) -> None:
        """Put the far end on hold."""
        self._leg(leg).hold()

    def resume(self, call: int, leg: int) -> None:
        """Take it back."""
        self._leg(leg).resume()

    def reinvite(self, call: int, leg: int, codecs: list[str]) -> None:
        """Offer again, with other codecs."""
        unknown = [name for name in codecs if name.upper() not in self._codecs]
        if unknown:
            raise Refusal("resource", f"this build of pjsua2 has no {', '.join(unknown)}")
        self._leg(leg).reinvite(tuple(codecs))

    def send_digits(self, call: int, leg: int, digits: str, method: str, duration_ms: int) -> None:
        """DTMF."""
        self._leg(leg).send_digits(digits, method, duration_ms)

    def transfer(self, call: int, leg: int, uri: str, headers: Headers) -> None:
        """REFER."""
        self._leg(leg).transfer(uri, headers)

    def transfer_attended(self, call: int, leg: int, other: int, headers: Headers) -> None:
        """REFER with Replaces."""
        self._leg(leg).transfer_attended(self._leg(other), headers)

    def leg_request(self, call: int, leg: int, method: str, headers: Headers, body: str, content_type: str) -> None:
        """A request within the dialog."""
        self._leg(leg).send_request(method, headers, body, content_type)

    def play(self, call: int, leg: int, source: list[Any]) -> None:
        """Send something else."""
        playing = self._leg(leg)
        playing.live_call()
        chosen = _playable(source)
        if playing.bridged is not None:
            raise misuse(f"{playing.name} is bridged")
        playing.play(chosen)

    def bridge(self, call: int, leg: int, other: int) -> None:
        """Join two legs."""
        self._leg(leg).bridge(self._leg(other))

    def statistics(self, call: int, leg: int) -> bool:
        """Tell a leg's RTP statistics now."""
        return self._leg(leg).tell_statistics()


_LATER: Final = object()  # the answer is sent when it is known
_COMMANDS: Final[dict[str, Callable[..., Any]]] = {
    method.__name__: method
    for method in (
        Child.free_slots,
        Child.add,
        Child.adopt,
        Child.park,
        Child.remove,
        Child.set_policy,
        Child.register,
        Child.request,
        Child.dial,
        Child.arm,
        Child.respond,
        Child.hang_up,
        Child.hold,
        Child.resume,
        Child.reinvite,
        Child.send_digits,
        Child.transfer,
        Child.transfer_attended,
        Child.leg_request,
        Child.play,
        Child.bridge,
        Child.statistics,
    )
}


def _bind(transport: Any, address: str, port: int) -> Any:
    transport.boundAddress, transport.port = address, port
    return transport


def _playable(plain: list[Any]) -> Source:
    """The source, provided that pjmedia can play it: what fails within a callback cannot be refused any more."""
    source: Source = choice_from_plain(plain)
    if isinstance(source, Wav):
        try:
            form = soundfile.info(str(source.path))
        except soundfile.LibsndfileError as error:
            raise misuse(f"{source.path} cannot be played: {error}") from error
        if (form.channels, form.format) != (1, "WAV") or form.subtype not in ("PCM_16", "ULAW", "ALAW"):
            raise misuse(f"{source.path} cannot be played: a mono WAV of 16-bit PCM, µ-law or A-law can")
    return source


def _new_call_id() -> str:
    return uuid.uuid4().hex


def _set_headers(option: Any, headers: Headers) -> None:
    vector = pj.SipHeaderVector()
    for name, value in headers:
        header = pj.SipHeader()
        header.hName, header.hValue = name, value
        vector.append(header)
    option.headers = vector


def _parameters(code: int = 0, reason: str = "", headers: Headers = (), *, settings: bool = False) -> Any:
    """What most operations on a call take; ``settings`` also names the media: one audio stream, no video."""
    parameters = pj.CallOpParam(settings)
    if settings:
        options = parameters.opt
        options.audioCount, options.videoCount = 1, 0
    if code:
        parameters.statusCode = code
    if reason:
        parameters.reason = reason
    if headers:
        _set_headers(parameters.txOption, headers)
    return parameters


def main() -> NoReturn:
    """``python -m harness.phone.child FD DIRECTORY``."""
    faulthandler.enable()
    descriptor, directory = sys.argv[1:]
    Child(Wire(socket.socket(fileno=int(descriptor))), Path(directory)).run()


if __name__ == "__main__":
    main()
