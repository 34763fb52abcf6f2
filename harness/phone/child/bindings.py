"""The child's interface to pjsua2: safe callbacks and helpers for parameter objects. The only
importer of pjsua2.

Each subclass of a pjsua2 class passes its callbacks to a listener, whose methods its protocol
names.
"""

from __future__ import annotations

import functools
import traceback
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

import pjsua2 as pj

__all__ = [
    "Headers",
    "PjAccount",
    "PjCall",
    "PjEndpoint",
    "PjLog",
    "Refusal",
    "misuse",
    "parameters",
    "pj",
    "set_headers",
]

Headers = Sequence[Sequence[str]]

FRAME_MS: Final = 20
_DTMF_ENDS: Final = 2  # PJMEDIA_STREAM_DTMF_IS_END


class Refusal(Exception):
    """A command was refused; ``kind`` names the error that the parent raises."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


def misuse(text: str) -> Refusal:
    """A refusal because of the state of the phone or call."""
    return Refusal("misuse", text)


def _callback(method: Callable[..., None]) -> Callable[..., None]:
    """Ignore a callback of an object without a listener, and keep its exceptions: pjsua2's C++
    would end in ``std::terminate``.
    """

    @functools.wraps(method)
    def wrapped(self: Any, *arguments: Any) -> None:
        try:
            if self.listener is not None:
                method(self, *arguments)
        except Exception:
            self.fault(traceback.format_exc())

    return wrapped


class EndpointListener(Protocol):
    """Follows the one Endpoint, and chooses the account of an incoming call."""

    def fault(self, text: str, /) -> None: ...
    def logged(self, level: int, entry: str) -> None: ...
    def select_account(self, prm: Any) -> None: ...
    def transport_failed(self, handle: int, error: int, tls: Any) -> None: ...


class PjEndpoint(pj.Endpoint):  # type: ignore[misc]
    """Has one instance in the process."""

    def __init__(self, listener: EndpointListener) -> None:
        super().__init__()
        self.listener, self.fault = listener, listener.fault

    @_callback
    def onSelectAccount(self, prm: Any) -> None:
        """An INVITE came in."""
        self.listener.select_account(prm)

    @_callback
    def onTransportState(self, prm: Any) -> None:
        """A connection changed its state."""
        if prm.state == pj.PJSIP_TP_STATE_DISCONNECTED and prm.lastError:
            self.listener.transport_failed(int(prm.hnd), prm.lastError, prm.tlsInfo)


class PjLog(pj.LogWriter):  # type: ignore[misc]
    """Receives pjsua's log."""

    def __init__(self, listener: EndpointListener) -> None:
        super().__init__()
        self.listener, self.fault = listener, listener.fault

    @_callback
    def write(self, entry: Any) -> None:
        """A line of the log."""
        self.listener.logged(entry.level, entry.msg)


class AccountListener(Protocol):
    def incoming(self, call_id: int) -> None: ...
    def registration_changed(self, code: int, reason: str, expires: int) -> None: ...
    def request_answered(self, token: int, code: int, reason: str) -> None: ...


class PjAccount(pj.Account):  # type: ignore[misc]
    """A phone's account; without a listener its callbacks are ignored."""

    def __init__(self, listener: AccountListener, fault: Callable[[str], None]) -> None:
        super().__init__()
        self.listener: Any = listener  # or None; only _callback has to know
        self.fault = fault

    @_callback
    def onIncomingCall(self, prm: Any) -> None:
        """A call came in."""
        self.listener.incoming(prm.callId)

    @_callback
    def onRegState(self, prm: Any) -> None:
        """A REGISTER was answered."""
        self.listener.registration_changed(prm.code, prm.reason, prm.expiration)

    @_callback
    def onSendRequest(self, prm: Any) -> None:
        """A request outside dialogs was answered."""
        event = prm.e
        body = event.body
        tsx_state = body.tsxState
        tsx = tsx_state.tsx
        self.listener.request_answered(int(prm.userData), tsx.statusCode, tsx.statusText)


class CallListener(Protocol):
    def state_changed(self) -> None: ...
    def media_opened(self, transport: int) -> None: ...
    def media_changed(self) -> None: ...
    def stream_ends(self, index: int) -> None: ...
    def digit(self, digit: str, timestamp: int, duration: int, *, ends: bool) -> None: ...
    def transfer_asked(self, prm: Any) -> None: ...
    def replacement_asked(self, prm: Any) -> None: ...
    def offer_comes(self) -> None: ...


class PjCall(pj.Call):  # type: ignore[misc]
    """A leg's call; without a listener its callbacks are ignored."""

    def __init__(self, account: PjAccount, listener: CallListener | None, *arguments: Any) -> None:
        super().__init__(account, *arguments)
        self.listener: Any = listener
        self.fault = account.fault

    @_callback
    def onCallState(self, prm: Any) -> None:
        """The call has another state."""
        self.listener.state_changed()

    @_callback
    def onCreateMediaTransport(self, prm: Any) -> None:
        """RTP's sockets are open."""
        self.listener.media_opened(int(prm.mediaTp))

    @_callback
    def onCallMediaState(self, prm: Any) -> None:
        """Media was negotiated."""
        self.listener.media_changed()

    @_callback
    def onStreamDestroyed(self, prm: Any) -> None:
        """A stream is about to go."""
        self.listener.stream_ends(prm.streamIdx)

    @_callback
    def onDtmfEvent(self, prm: Any) -> None:
        """A digit begins, goes on, or has ended."""
        ends = bool(prm.flags & _DTMF_ENDS)
        self.listener.digit(prm.digit, prm.timestamp, prm.duration, ends=ends)

    @_callback
    def onCallTransferRequest(self, prm: Any) -> None:
        """A REFER came in."""
        self.listener.transfer_asked(prm)

    @_callback
    def onCallReplaceRequest(self, prm: Any) -> None:
        """An INVITE with Replaces came in."""
        self.listener.replacement_asked(prm)

    def onCallRedirected(self, prm: Any) -> int:
        """Do not follow a 3xx. REJECT ends the call with the 3xx; STOP would end it with a 487 by
        pjsip.
        """
        return int(pj.PJSIP_REDIRECT_REJECT)

    @_callback
    def onCallRxOffer(self, prm: Any) -> None:
        """A later offer came in, by re-INVITE, UPDATE or PRACK."""
        self.listener.offer_comes()

    @_callback
    def onCallTxOffer(self, prm: Any) -> None:
        """A re-INVITE without an offer came in, so the response must contain one."""
        self.listener.offer_comes()


def set_headers(option: Any, headers: Headers) -> None:
    """Put headers into a ``SipTxOption``."""
    vector = pj.SipHeaderVector()
    for name, value in headers:
        header = pj.SipHeader()
        header.hName, header.hValue = name, value
        vector.append(header)
    option.headers = vector


def only_audio(settings: Any) -> None:
    """One audio stream and nothing else; pjproject 2.16 and newer would offer text beside it (RFC
    4103).
    """
    settings.audioCount, settings.videoCount = 1, 0
    if hasattr(settings, "textCount"):
        settings.textCount = 0


def parameters(
    code: int = 0, reason: str = "", headers: Headers = (), *, settings: bool = False
) -> Any:
    """Parameters of a call operation; ``settings`` adds the media: one audio stream, no video."""
    made = pj.CallOpParam(settings)
    if settings:
        only_audio(made.opt)
    if code:
        made.statusCode = code
    if reason:
        made.reason = reason
    if headers:
        set_headers(made.txOption, headers)
    return made
