"""Waiting for events, with a goal and a deadline, and why an expected event did not come.

A wait ends at once when its event can no longer come: the call ended, requests were refused, or
pjsua2 could not parse a message. pjsua2 drops messages that it cannot parse. Our parser decides who
is at fault: if it accepts the message, the message is legal and the phone's stack is at fault.
"""

from __future__ import annotations

import contextlib
import math
import re
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from harness.case import measurement
from harness.case.events import (
    CallsRefused,
    CallState,
    Event,
    Listened,
    NameLookup,
    PasswordWithheld,
    PhoneLost,
    RtpStatistics,
    SipMessage,
    StrangerRefused,
    to_plain,
)
from harness.case.legs import EventLog
from harness.case.model import message_of, messages_of
from harness.case.verdict import ExpectationError, Finding, Verdict
from harness.deployment import is_address
from harness.errors import BrokenError, PhoneParseError
from harness.sip.grammar import SipSyntaxError, decimal
from harness.sip.message import Head, Message, Request, Response, parse_once, read
from harness.sip.sdp import Description
from harness.sip.validation import problem_of_request, problem_of_response

T = TypeVar("T")

#: A process that wakes up this late did not run.
_OVERSLEPT_S: Final = 0.1
#: How long its reader thread may take then for the events that came meanwhile.
_AWAKE_S: Final = 0.5
_LONGEST_NAP: Final = 1.0  # on some platforms Ctrl-C is only noticed between waits


class NeverCame(ExpectationError):
    """The expected event never came, so the case fails. The message ends with the log of events
    that came.
    """


def never_came(goal: str, within: float, subject: str, why: str, log: str) -> NeverCame:
    finding = Finding(
        check="phone.wait",
        subject=subject,
        verdict=Verdict.FAILED,
        expected=f"{goal} within {within:g} s",
        actual=f"{why}\n{log}" if log else why,
        at=time.monotonic(),
        measured=measurement.Wait(goal=goal, within_s=within, why=why),
    )
    return NeverCame(finding)


def first(
    events: Sequence[Event],
    predicate: Callable[[Event], bool],
    begin: int = 0,
    since: float | None = None,
) -> Callable[[], Event | None]:
    """A probe for the first event from index ``begin``, and not before ``since`` (monotonic), for
    which ``predicate`` holds. ``events`` may grow; each is checked once.
    """
    seen = begin

    def probe() -> Event | None:
        nonlocal seen
        while seen < len(events):
            event = events[seen]
            seen += 1
            if (since is None or event.at >= since) and predicate(event):
                return event
        return None

    return probe


def wait_for(
    changed: threading.Condition,
    probe: Callable[[], T | None],
    *,
    goal: str,
    within: float,
    subject: str,
    hopeless: Callable[[], str | BaseException | None],
    log: Callable[[], str],
    missed: Callable[[], str | BaseException | None] = lambda: None,
    stalled: Callable[[float, float], float] = lambda begin, end: 0.0,
    meanwhile: contextlib.AbstractContextManager[object] | None = None,
) -> T:
    """Wait until ``probe`` returns something other than None, and return that; ``changed`` triggers
    each attempt.

    ``hopeless`` returns why the goal can no longer be reached: a text ends the wait with
    :class:`NeverCame`, an error is raised. An event that came in time counts even if its peer died
    right after it. At the deadline, ``missed`` is called in the same way, to explain the missing
    event. ``meanwhile`` is entered when there is something to wait for, until it has come.

    The time in which this process did not run, or that ``stalled`` returns between two moments,
    does not count.
    """
    began = time.monotonic()
    deadline = began + within
    overslept_s = 0.0
    due = math.inf  # when this thread should wake up at the latest
    with contextlib.ExitStack() as waiting, changed:
        while True:
            now = time.monotonic()
            if now - due > _OVERSLEPT_S:
                overslept_s += now - due
                deadline = max(began + within + overslept_s, now + _AWAKE_S)
            found = probe()
            if found is not None:
                return found
            end = hopeless()
            if isinstance(end, BaseException):
                raise end
            left = deadline - time.monotonic()
            if end is None and left <= 0:
                slept_s = max(overslept_s, stalled(began, time.monotonic()))
                left = max(deadline, began + within + slept_s) - time.monotonic()
            if end is None and left <= 0:
                end = missed()
                if isinstance(end, BaseException):
                    raise end
            if end is not None or left <= 0:
                raise never_came(goal, within, subject, end or "it never came", log())
            if meanwhile is not None:
                waiting.enter_context(meanwhile)
                meanwhile = None
            due = time.monotonic() + min(left, _LONGEST_NAP)
            changed.wait(min(left, _LONGEST_NAP))


def event_lines(events: Sequence[Event]) -> str:
    """One line per event, with the seconds since the first one; RTP statistics and audio pulses are
    left out.
    """
    if not events:
        return "nothing happened"
    begin = min(event.at for event in events)
    lines = []
    for event in events:
        if not isinstance(event, Listened | RtpStatistics):
            lines.append(f"{event.at - begin:8.3f}  {_line(event)}")
    return "\n".join(lines)


def _line(event: Event) -> str:
    who = event.leg or event.phone
    if isinstance(event, SipMessage):
        arrow = "→" if event.direction == "sent" else "←"
        unread = f" (not read: {event.unread})" if event.unread else ""
        start = Head.read(event.text).start
        return f"{who} {arrow} {event.transport} {event.remote} {start}{unread}"
    facts = to_plain(event)
    for name in ("kind", "at", "phone", "leg"):
        facts.pop(name, None)
    if isinstance(event, PhoneLost):
        del facts["log"]
    values = " ".join(f"{name}={value}" for name, value in facts.items())
    return f"{who} {type(event).__name__} {values}"


#: pjlib truncates a log entry, and with it the message, after about this many characters.
_LONG_ENTRY = 3500
#: ``PJSIP_MAX_PKT_LEN`` of pjsua2 2.15.1: longer messages are truncated, also over UDP, where RFC
#: 3261 section 18.1.1 requires 65,535 octets.
LONGEST_MESSAGE = 4000
_MOST_OCTETS = 10**9 - 1  # that a Content-Length may sensibly declare
_SEVERAL = re.compile(r",\s*(?:Digest|Basic|NTLM|Kerberos|Negotiate)\s", re.I)


def why_nothing_came(events: EventLog) -> str | BrokenError | None:
    """Why a wait may have timed out: a text if the far end is at fault, an error if the harness is;
    else None.
    """
    refused = events.of(CallsRefused)
    if refused:
        last_call = refused[-1]
        which = f"{len(refused)} calls, the last from {last_call.source}"
        if last_call.why:
            lacks = f"the phone's stack does not support {last_call.why}"
            return BrokenError(f"{which}, were refused with 488: {lacks}")
        return BrokenError(f"{which}, were refused with 486: the phone's process had no free call")
    own = why_no_address(events) or _beyond_the_stack(events) or too_long(events)
    if own is not None:
        return own
    unread = [message for message in events.of(SipMessage) if message.unread]
    if not unread:
        return _refused(events)
    last = unread[-1]
    start = Head.read(last.text).start
    problem = _problem(last)
    if problem is not None:
        return f"{start!r} came, but is malformed: {problem}"
    valid = f"though it is valid: {last.unread}"
    if _is_request_in_dialog(read(last.text)):
        # The call went on, so the unread message does not excuse the missing event.
        return f"{start!r} came within the call; the phone's stack cannot parse it, {valid}"
    who = last.leg or last.phone
    return PhoneParseError(f"{who} got {start!r} and could not parse it, {valid}")


def why_no_address(events: EventLog) -> str | BrokenError | None:
    """The last failed DNS lookup: a text if the name does not exist, an error if no name server
    answered; else None.
    """
    last = events.last(NameLookup)
    if last is None or not last.problem:
        return None
    if last.denied:
        return f"DNS has no address for {last.name}: {last.problem}"
    return BrokenError(f"DNS: {last.name} was looked up for {last.seconds:.1f} s: {last.problem}")


def why_it_ended(events: EventLog) -> str | BrokenError:
    """Why a call ended while an event was still expected: a text, or an error if the harness is at
    fault.
    """
    return (
        too_long(events)
        or why_no_address(events)
        or _beyond_the_stack(events)
        or how_it_ended(events)
    )


def _beyond_the_stack(events: EventLog) -> BrokenError | None:
    """An error when the SDP of an answer is valid, and the phone's stack cannot use it and ends the
    call.
    """
    for answer in messages_of(events):
        if not answer.received or not answer.status:
            continue
        try:
            lacking = _unsupported(Description.parse(answer.sdp))
        except SipSyntaxError:
            continue
        if lacking:
            got = f"{answer.leg or answer.phone} got {answer.message.start_line!r}"
            return BrokenError(f"{got} with {lacking}, which the phone's stack does not support")
    return None


def _unsupported(described: Description) -> str:
    """What of a valid answer the phone's stack cannot use; empty if it can use all of it."""
    for media in described.media:
        address = described.address_of(media)
        if address and not is_address(address):
            return f"the host name {address} in its SDP (RFC 4566 section 5.7)"
    audio = described.audio
    if audio and audio.crypto and all(key.has_mki for key in audio.crypto):
        return "a master key identifier in its SRTP key (RFC 4568 section 6.1)"
    return ""


def how_it_ended(events: EventLog) -> str:
    """How the call ended: the final response if it was refused. A status in no message comes from
    the phone itself.
    """
    ends = [event for event in events.of(CallState) if event.state == "disconnected"]
    refusals = [event for event in ends if event.code >= 300]
    if not refusals:
        return "the call has ended"
    code = refusals[-1].code
    reason = refusals[-1].reason
    withheld = events.last(PasswordWithheld)
    if withheld and code in (401, 407):
        reason += f"; no password was sent: {withheld.why}"
    statuses = {message.status for message in map(message_of, events) if message is not None}
    if code in statuses:
        return f"the call has ended with {code} {reason}"
    return f"the phone itself ended the call: {code} {reason}"


def too_long(events: EventLog) -> PhoneParseError | None:
    """An error when a received message was longer than the phone's stack accepts, and was
    truncated.
    """
    for event in events.of(SipMessage):
        if event.direction != "received":
            continue
        if len(event.text.encode("utf-8", "surrogateescape")) < _LONG_ENTRY:
            continue  # not truncated: a larger Content-Length is simply wrong
        text, end, _ = event.text.partition("\r\n\r\n")
        head = Head.read(event.text)
        declared = decimal(head.get("Content-Length"), most=_MOST_OCTETS) or 0
        octets = len(text.encode("utf-8", "surrogateescape")) + 4 + declared
        # Headers alone that are longer than a log entry were followed by a body.
        if octets > LONGEST_MESSAGE or (not end and octets > _LONG_ENTRY):
            return PhoneParseError(
                f"{event.leg or event.phone} got {head.start!r} of {octets} octets or more; its "
                f"stack accepts {LONGEST_MESSAGE} and drops the rest"
            )
    return None


def headers_cut_off(event: SipMessage) -> PhoneParseError | None:
    """An error when a received message was truncated within its headers, so that no header is known
    to be absent.
    """
    return None if "\r\n\r\n" in event.text else too_long(EventLog([event]))


def _refused(events: EventLog) -> str | None:
    invites = [event for event in events.of(StrangerRefused) if event.method == "INVITE"]
    if not invites:
        return None
    sources = ", ".join(dict.fromkeys(event.source for event in invites))
    refused = f"INVITEs from {sources} were refused"
    return f"it never came; {refused}: not an address of the platform (accepts_from)"


def _is_request_in_dialog(message: Message | None) -> bool:
    return isinstance(message, Request) and message.to.tag is not None


def _problem(event: SipMessage) -> str | None:
    """What is wrong with a message that the phone's stack could not parse; None if it is valid."""
    try:
        message = parse_once(event.text)
    except SipSyntaxError as error:
        return str(error)
    if event.transport != "udp" and not message.has("Content-Length"):
        return "it has no Content-Length, which TCP and TLS require (RFC 3261 section 18.3)"
    if isinstance(message, Request):
        problem = problem_of_request(message)
        return problem.reason if problem else None
    return problem_of_response(message) or _problem_of_challenges(message)


def _problem_of_challenges(response: Response) -> str | None:
    for name in ("WWW-Authenticate", "Proxy-Authenticate"):
        for value in response.get_all(name):
            if value[:6].lower() == "basic ":
                return f"{name} asks for Basic, which SIP forbids (RFC 3261 section 22)"
            if _SEVERAL.search(value):
                return f"several challenges share one {name} (RFC 3261 section 7.3.1)"
    return None
