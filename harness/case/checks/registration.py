"""Checks of registrations: accepted, refused, refreshed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

from harness.case import measurement
from harness.case.checks import timing
from harness.case.checks.finding import judged, not_observable
from harness.case.checks.registry import check
from harness.case.events import SipMessage
from harness.case.model import Call
from harness.case.verdict import Finding
from harness.sip.grammar import SipSyntaxError
from harness.sip.message import Message
from harness.sip.uri import NameAddr

#: A REGISTER's final answer: its status and reason.
Answer = tuple[int, str]
REFRESHED = "the registration is refreshed"


@check("registration")
def accepted(
    subject: str,
    answer: Answer | None,
    within_s: float,
    unbound: str | None = None,
    *,
    came: bool = True,
) -> Finding:
    """The REGISTER was answered 200, and the Contact is bound. ``answer`` is None when none came in
    time.

    ``unbound`` is the result of :func:`unbound`. ``came``: the answer came from the network; False
    for a status that the phone made up itself, as after a timeout.
    """
    right = answer is not None and answer[0] == 200 and unbound is None
    finding = _judged("registration", subject, right, f"200 within {within_s:g} s", answer, came)
    return (
        replace(finding, actual=f"{finding.actual}, {unbound}") if answer and unbound else finding
    )


def unbound(messages: Sequence[SipMessage]) -> str | None:
    """Why the last 200 to a REGISTER of this phone binds no Contact; None when it binds one.

    The 200 must list the phone's Contact with its remaining time (RFC 3261 section 10.3 step 8). An
    SBC may have changed the user or the address of the Contact, so one of the two is enough to
    recognise it.
    """
    call = Call(messages)
    asked = next((m.message for m in reversed(call.sent) if m.is_request("REGISTER")), None)
    answer = next(
        (m.message for m in reversed(call.messages) if m.answers("REGISTER") == 200), None
    )
    if asked is None or answer is None or asked.contact is None:
        return None
    uri = asked.contact.uri
    listed = list(_readable(answer))
    by_user = [contact for contact in listed if contact.uri.user == uri.user]
    by_place = [
        contact
        for contact in listed
        if (contact.uri.host, contact.uri.port) == (uri.host, uri.port)
    ]
    # Other devices of the same user may be listed too. Ignore them when this phone's Contact is
    # listed unchanged.
    ours = [contact for contact in by_user if contact in by_place] or [*by_user, *by_place]
    if not ours:
        return "which does not list its Contact"
    left = [contact.params.get("expires") or answer.get("Expires") for contact in ours]
    return "which lists its Contact as expired" if all(seconds == "0" for seconds in left) else None


def _readable(answer: Message) -> Iterator[NameAddr]:
    """The Contacts of the answer that can be parsed. Another device may have registered a malformed
    one.
    """
    for value in answer.values("Contact"):
        with suppress(SipSyntaxError):
            yield NameAddr.parse(value)


def came(messages: Sequence[SipMessage], code: int) -> bool:
    """Whether a response with that code was received. A phone reports 408 and 503 also when no response came (RFC 3261 section
    8.1.3.1).
    """
    return any(m.status == code for m in Call(messages).received)


def showed_password(messages: Sequence[SipMessage]) -> bool:
    """Whether the phone sent a REGISTER with credentials."""
    sent = (m.message for m in Call(messages).sent if m.is_request("REGISTER"))
    return any(
        request.has("Authorization") or request.has("Proxy-Authorization") for request in sent
    )


@check("registration.refused")
def refused(
    subject: str,
    answer: Answer | None,
    codes: Sequence[int],
    *,
    came: bool = True,
    showed_password: bool = True,
) -> Finding:
    """The REGISTER was refused with one of ``codes``; ``came`` as for :func:`accepted`.

    ``showed_password``: the phone had sent the password that must be refused. Without it a refusal
    proves nothing.
    """
    right, wanted = answer is not None and answer[0] in codes, " or ".join(map(str, codes))
    finding = _judged("registration.refused", subject, right, wanted, answer, came)
    if not right or showed_password:
        return finding
    why = f"{finding.actual}, and no password had been sent by then"
    return not_observable(
        "registration.refused",
        subject,
        expected=finding.expected,
        why=why,
        measured=finding.measured,
    )


@check("registration.refreshed")
def refreshed(subject: str, seconds: float | None, granted_s: float, asked_s: float) -> Finding:
    """The phone registered again before the granted interval ended; ``seconds`` is None when it
    never did.
    """
    finding = timing.within(subject, REFRESHED, seconds, granted_s)
    assert isinstance(finding.measured, measurement.Duration)
    return replace(
        finding, measured=replace(finding.measured, granted_s=granted_s, asked_s=asked_s)
    )


def _judged(
    check: str, subject: str, right: bool, expected: str, answer: Answer | None, came: bool
) -> Finding:
    code, reason = answer or (0, "")
    words = "it was answered" if came else "it was never answered; the phone itself ended it as"
    return judged(
        check,
        subject,
        right,
        expected=f"REGISTER is answered {expected}",
        actual="it was never answered" if answer is None else f"{words} {code} {reason}".rstrip(),
        measured=measurement.FinalResponse(code=code, reason=reason),
    )
