"""The child's interface to pjsua2: safe callbacks and helpers for parameter objects. The only
importer of pjsua2.
"""

from __future__ import annotations

import functools
import traceback
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

import pjsua2 as pj

if TYPE_CHECKING:
    from harness.phone.child.account import AccountHolder
    from harness.phone.child.leg import CallLeg
    from harness.phone.child.service import Service

__all__ = [
    "Account",
    "Call",
    "Headers",
    "Log",
    "Refusal",
    "Stack",
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


class Stack(pj.Endpoint):  # type: ignore[misc]
    """The one Endpoint; it chooses the account of a call that comes in."""

    def __init__(self, listener: Service) -> None:
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


class Log(pj.LogWriter):  # type: ignore[misc]
    """Where pjsua's log goes."""

    def __init__(self, listener: Service) -> None:
        super().__init__()
        self.listener, self.fault = listener, listener.fault

    @_callback
    def write(self, entry: Any) -> None:
        """A line of the log."""
        self.listener.logged(entry.level, entry.msg)


class Account(pj.Account):  # type: ignore[misc]
    """A phone's account; without a listener its callbacks are ignored."""

    listener: Any  #: the :class:`AccountHolder`, or None

    def __init__(self, listener: AccountHolder | None, fault: Callable[[str], None]) -> None:
        super().__init__()
        self.listener, self.fault = listener, fault

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


class Call(pj.Call):  # type: ignore[misc]
    """A leg's call; without a listener its callbacks are ignored."""

    def __init__(self, account: Account, listener: CallLeg | None, *arguments: Any) -> None:
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
        self.listener.rtp.watch(int(prm.mediaTp))  # counts and logs its packets

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
        self.listener.media.digits.event(prm.digit, prm.timestamp, prm.duration, ends=ends)

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
