"""Answers to requests that pjsip cannot handle.

Within a call pjsip would answer them with 500, on which some SBCs end the call. Outside of a call it would not answer, and a platform
that probes a registered phone this way would consider it dead.
"""

from __future__ import annotations

from typing import Final

from harness.phone.child.digits import NOT_A_DIGIT, Digits
from harness.phone.child.requests import (
    BAD_INFO_PACKAGE,
    DOES_NOT_EXIST,
    NOT_ALLOWED,
    OK,
    PASS,
    UNSUPPORTED_MEDIA_TYPE,
)
from harness.phone.child.transfers import Outcomes
from harness.sip.grammar import SipSyntaxError
from harness.sip.message import Message

_BAD_EVENT: Final = 489  # RFC 6665 section 8.3.2
_BAD_REQUEST: Final = 400
_FORBIDDEN: Final = 403
_DECLINE: Final = 603
#: Methods that pjsip answers within a dialog.
_PJSIPS: Final = frozenset(["ACK", "BYE", "CANCEL", "INVITE", "MESSAGE", "PRACK", "REFER", "UPDATE"])


def answer(text: str, method: str, digits: Digits, transfers: Outcomes) -> int:
    """The status to answer a request within a call; :data:`PASS` if pjsip answers it."""
    if method in _PJSIPS:
        return PASS
    if method == "OPTIONS":
        return OK
    try:
        return _answer(Message.parse(text), method, digits, transfers)
    except SipSyntaxError:  # pjsip could parse it
        return PASS


#: Methods that pjsip mishandles while the BYE's transaction of an ended call lasts: it answers 500, and an INVITE not at all.
#: BYE and subscriptions are not among them: both sides may hang up, and subscriptions outlive a call (RFC 5057 section 4.2).
_NOTHING_LEFT: Final = frozenset(["INFO", "INVITE", "MESSAGE", "OPTIONS", "PRACK", "UPDATE"])


def after(method: str) -> int:
    """The status to answer a request of an ended call; :data:`PASS` if pjsip answers it."""
    return DOES_NOT_EXIST if method in _NOTHING_LEFT else PASS  # RFC 3261 section 12.2.2


def _answer(request: Message, method: str, digits: Digits, transfers: Outcomes) -> int:
    match method:
        case "INFO":
            status = digits.info(request)
            return status if status != NOT_A_DIGIT else _of_other_info(request)
        case "NOTIFY" if _event(request) not in ("refer", ""):
            return _BAD_EVENT  # RFC 6665 section 4.1.3
        case "NOTIFY":  # once there was a REFER, pjsip knows whether a subscription came of it
            return PASS if transfers.has_referred else DOES_NOT_EXIST
        case "SUBSCRIBE":
            return PASS if transfers.was_referred and _event(request) == "refer" else _subscription(request)
    return NOT_ALLOWED  # RFC 3261 section 8.2.1


def _of_other_info(request: Message) -> int:
    """RFC 6086 section 4.2.2; without a package, RFC 2976 section 2.2: an INFO without a body is a keep-alive."""
    if request.get("Info-Package"):
        return BAD_INFO_PACKAGE
    return UNSUPPORTED_MEDIA_TYPE if request.body else OK


#: Methods that pjsip answers outside of a call; and methods that exist only within one.
_PJSIPS_OUTSIDE: Final = frozenset(["ACK", "CANCEL", "INVITE", "MESSAGE", "OPTIONS"])
_OF_A_CALL: Final = frozenset(["BYE", "INFO", "PRACK", "UPDATE"])


def outside(text: str, method: str) -> int:
    """The status to answer a request outside of calls; :data:`PASS` if pjsip answers it."""
    if method in _PJSIPS_OUTSIDE:
        return PASS
    if method in _OF_A_CALL:
        return DOES_NOT_EXIST  # RFC 3261 section 12.2.2
    try:
        request = Message.parse(text)
    except SipSyntaxError:
        return _BAD_REQUEST
    match method:
        case "NOTIFY" if _event(request) == "message-summary":  # unsolicited (RFC 3842); pjsip accepts it
            return PASS
        case "NOTIFY":
            return DOES_NOT_EXIST if _event(request) == "refer" else _BAD_EVENT  # RFC 6665 section 4.1.3
        case "SUBSCRIBE":
            return _subscription(request)
        case "REFER":
            return _DECLINE
    return NOT_ALLOWED  # RFC 3261 section 8.2.1


def _subscription(request: Message) -> int:
    """Refuse a subscription: the phone has no event packages, and only a REFER subscribes to its outcome (RFC 3515 section 2.4.4)."""
    return _FORBIDDEN if _event(request) == "refer" else _BAD_EVENT


def _event(request: Message) -> str:
    """The event package; ``refer`` reports the outcome of a REFER (RFC 3515)."""
    return (request.get("Event") or "").partition(";")[0].strip().lower()
