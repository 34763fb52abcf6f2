"""Requests that pjsip has nobody for. Within a call it would answer them with 500, on which some SBCs end a call; outside of one with
nothing, and who asks a registered phone so whether it is there takes it for dead.
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
#: What pjsip, or its user agent, answers within a dialog.
_PJSIPS: Final = frozenset(["ACK", "BYE", "CANCEL", "INVITE", "MESSAGE", "PRACK", "REFER", "UPDATE"])


def answer(text: str, method: str, digits: Digits, transfers: Outcomes) -> int:
    """The status to answer a request within a call with; :data:`PASS` where pjsip is to."""
    if method in _PJSIPS:
        return PASS
    if method == "OPTIONS":
        return OK
    try:
        return _answer(Message.parse(text), method, digits, transfers)
    except SipSyntaxError:  # pjsip could read it
        return PASS


#: What pjsip has for a call that is over, for as long as it has the BYE's transaction: 500, and to an INVITE no answer at all.
#: Not among them: what ends a call from the other side as well, and subscriptions, which outlive one (RFC 5057 section 4.2).
_NOTHING_LEFT: Final = frozenset(["INFO", "INVITE", "MESSAGE", "OPTIONS", "PRACK", "UPDATE"])


def after(method: str) -> int:
    """The status to answer a request with that is of a call which is over; :data:`PASS` where pjsip is to."""
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
    """RFC 6086 section 4.2.2, and where no package is named, RFC 2976 section 2.2: one without a body asks whether the call lives."""
    if request.get("Info-Package"):
        return BAD_INFO_PACKAGE
    return UNSUPPORTED_MEDIA_TYPE if request.body else OK


#: What pjsip, or its user agent, answers outside of a call; and what there is for a call alone.
_PJSIPS_OUTSIDE: Final = frozenset(["ACK", "CANCEL", "INVITE", "MESSAGE", "OPTIONS"])
_OF_A_CALL: Final = frozenset(["BYE", "INFO", "PRACK", "UPDATE"])


def outside(text: str, method: str) -> int:
    """The status to answer a request with that names no call; :data:`PASS` where pjsip is to."""
    if method in _PJSIPS_OUTSIDE:
        return PASS
    if method in _OF_A_CALL:
        return DOES_NOT_EXIST  # RFC 3261 section 12.2.2
    try:
        request = Message.parse(text)
    except SipSyntaxError:
        return _BAD_REQUEST
    match method:
        case "NOTIFY" if _event(request) == "message-summary":  # which some send unasked (RFC 3842), and pjsip takes
            return PASS
        case "NOTIFY":
            return DOES_NOT_EXIST if _event(request) == "refer" else _BAD_EVENT  # RFC 6665 section 4.1.3
        case "SUBSCRIBE":
            return _subscription(request)
        case "REFER":
            return _DECLINE
    return NOT_ALLOWED  # RFC 3261 section 8.2.1


def _subscription(request: Message) -> int:
    """There is nothing here to subscribe to; to the outcome of a REFER, the REFER alone subscribes (RFC 3515 section 2.4.4)."""
    return _FORBIDDEN if _event(request) == "refer" else _BAD_EVENT


def _event(request: Message) -> str:
    """Its event package; the one that a call has is ``refer``: what became of its REFER (RFC 3515)."""
    return (request.get("Event") or "").partition(";")[0].strip().lower()
