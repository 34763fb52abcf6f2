"""Admission of requests: which are passed to pjsip, which are answered here, and which get no
answer.

A phone accepts only the platform's requests (``PhoneConfig.accepts_from``); others get no answer,
and are reported. The check comes before pjsip, which finds dialogs by tag alone and obeys requests
from any source. A forged UDP source address does not receive the answers, so an attacker would have
to guess the Call-ID and tags.

Requests that pjsip cannot handle are answered here. Within a call pjsip would answer them with 500,
on which some SBCs end the call. Outside of a call it would not answer, and a platform that probes a
registered phone this way would consider it dead.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Final, Literal

from harness.case.events import CallsRefused, PasswordWithheld, StrangerRefused
from harness.phone.child import sdp
from harness.phone.child.account import AccountHolder, HostedPhone
from harness.phone.child.attribution import Attribution
from harness.phone.child.digits import NOT_A_DIGIT
from harness.phone.child.leg import CallLeg
from harness.phone.child.legs import Legs
from harness.phone.child.messages import WireMessage
from harness.phone.child.socket_limits import LONGEST_TRANSACTION, SocketName, SocketSlots
from harness.sip.message import Message

PASS: Final = -1
DROP: Final = 0
#: With Retry-After. A 503 would make the platform stop sending calls and treat the trunk as down
#: (RFC 3261 section 21.5.4).
BUSY_HERE: Final = 486
#: The answer to OPTIONS, with the capabilities (RFC 3261 section 11.2).
OK: Final = 200

#: RFC 3261 section 12.2.2; of a subscription, RFC 6665 section 4.1.3.
DOES_NOT_EXIST: Final = 481
#: With Allow (RFC 3261 section 21.4.6).
NOT_ALLOWED: Final = 405
#: With Accept (RFC 3261 section 21.4.13): it is INFO's alone.
UNSUPPORTED_MEDIA_TYPE: Final = 415
#: With Recv-Info, and no package in it (RFC 6086 section 4.2.2).
BAD_INFO_PACKAGE: Final = 469

_REPORTS_EVERY_S: Final = 0.9  # seconds between reports of one kind; checked once a second
_MOST_KINDS: Final = 50  # per phone; further kinds are counted together
_LONGEST: Final = 80  # characters of a stranger's method and User-Agent

_BAD_REQUEST: Final = 400
_FORBIDDEN: Final = 403
_NOT_ACCEPTABLE_HERE: Final = 488  # RFC 3261 section 21.4.26
_BAD_EVENT: Final = 489  # RFC 6665 section 8.3.2
_DECLINE: Final = 603

_OFFERING: Final = ("INVITE", "UPDATE")
_MEDIA: Final = re.compile(r"^m=", re.MULTILINE)
_MOST_MEDIA: Final = 6
#: pjsip uses the last of several such headers, other readers the first; and pjsip starts a new line
#: after a lone CR.
_ONCE: Final = ("call-id", "cseq", "from", "to")
_LONE_CR: Final = re.compile(r"\r(?!\n)")
_OFFER: Final = re.compile(r"^v=0\r?$", re.MULTILINE)

#: Methods that pjsip answers within a dialog, and outside of one; and methods that exist only
#: within a dialog.
_PJSIPS: Final = frozenset(
    ["ACK", "BYE", "CANCEL", "INVITE", "MESSAGE", "PRACK", "REFER", "UPDATE"]
)
_PJSIPS_OUTSIDE: Final = frozenset(["ACK", "CANCEL", "INVITE", "MESSAGE", "OPTIONS"])
_OF_A_CALL: Final = frozenset(["BYE", "INFO", "PRACK", "UPDATE"])
#: Methods that pjsip mishandles while the BYE's transaction of an ended call lasts: it answers 500,
#: and an INVITE not at all. BYE and subscriptions are not among them: both sides may hang up, and
#: subscriptions outlive a call (RFC 5057 section 4.2).
_NOTHING_LEFT: Final = frozenset(["INFO", "INVITE", "MESSAGE", "OPTIONS", "PRACK", "UPDATE"])


@dataclass
class _Count:
    phone: HostedPhone
    count: int = 0
    reported: int = 0
    reported_at: float = 0.0

    @property
    def has_grown(self) -> bool:
        """Since it was reported."""
        return self.count > self.reported


class Admission:
    """Decides on requests and counts those it refuses: the first count is reported at once, then
    one per second. ``passed`` receives each message that is evidence.

    `decide` asks in this order: whether the sender may talk to the phone at all; whether the
    message would crash pjsip; whether its tag and Call-ID belong together; whether it is a copy of
    an INVITE that is over; then what it is: of a call that is up, of one that has ended, the INVITE
    of a new call, or outside of calls.
    """

    def __init__(
        self,
        phones: Callable[[], Iterable[AccountHolder]],
        legs: Legs,
        attribution: Attribution,
        socket_slots: SocketSlots,
        passed: Callable[[WireMessage], None],
    ) -> None:
        self._phones = phones
        self._legs = legs
        self._attribution = attribution
        self._socket_slots = socket_slots
        self.passed = passed
        self._counts: dict[StrangerRefused, _Count] = {}  # by an event without time and count
        # The phone of the INVITE that was last passed to pjsip, and its source.
        self._let_in: tuple[HostedPhone, str] | None = None
        # The time of the ACK, by the INVITE's branch and Call-ID.
        self._accepted: dict[tuple[str, str], float] = {}

    def decide(
        self, message: WireMessage, local: SocketName, body: memoryview, *, ours: bool
    ) -> int:
        """:data:`PASS`, :data:`DROP`, or the status to answer a request with. Strangers' requests
        are no evidence.

        ``local`` is the name of its socket, ``body`` its SDP in pjsip's memory, which is changed in
        place; ``ours``: it came on a connection that this process opened.
        """
        phone = self._at(message, local)
        if phone is not None and not ours and not phone.sources.include(message.remote_host):
            self._refuse(phone, message, "address")
            return DROP
        self.passed(message)
        refusal = _crashes_pjsip(message)
        if refusal:
            # An ACK has no response (RFC 3261 section 17).
            return DROP if "ACK" in (message.method, message.text[:3]) else refusal
        tag = message.local_tag
        leg = self._attribution.leg_of_tag(tag)
        if leg is not None and leg.call_id != message.call_id:
            self._refuse(leg.phone, message, "call-id")
            return DROP if message.method == "ACK" else DOES_NOT_EXIST
        if self._is_late_copy(message, leg):
            return DROP
        if leg is not None and not leg.disconnected:
            return self._within_call(message, body, leg)
        if leg is not None or self._attribution.has_ended(message):
            # RFC 3261 section 12.2.2.
            return DOES_NOT_EXIST if message.method in _NOTHING_LEFT else PASS
        if message.begins_call:
            return self._begins(message, body, phone)
        return PASS if tag else _outside(message)

    def _within_call(self, message: WireMessage, body: memoryview, leg: CallLeg) -> int:
        """Decide on a request of a call that is up."""
        names = sdp.disable_names(body)
        if message.method in _OFFERING:
            if names:
                leg.emit(CallsRefused, source=message.remote_host, why=_unresolved(names))
                return _NOT_ACCEPTABLE_HERE
            if not sdp.has_answer(body, self._legs.endpoint.spoken(leg.codecs)):
                return _NOT_ACCEPTABLE_HERE  # RFC 3261 section 14.2
        self._narrow(message, body, leg.phone, leg.codecs)
        return _within(message, leg)

    def lets_pass(self, message: WireMessage) -> None:
        """Note the request that pjsip handles next."""
        self._attribution.arrived = message

    def withheld(self, message: WireMessage, challenges: Sequence[str]) -> list[bool]:
        """For each challenge of a response, whether it gets no answer."""
        phone = self._attribution.asker_of(message)
        if phone is None:
            return [False for _ in challenges]
        found = phone.challenges.withheld(message.method, challenges)
        for one in filter(None, found):
            leg = self._attribution.leg_of_tag(message.local_tag)
            (leg or phone).emit(PasswordWithheld, **asdict(one))
        return [one is not None for one in found]

    def _is_late_copy(self, message: WireMessage, leg: CallLeg | None) -> bool:
        """Whether an INVITE is a copy of one that was acknowledged: such copies are absorbed (RFC
        6026 section 7.1, Timer L).

        pjsip forgets the transaction with the ACK, and would treat the copy as a new call.
        """
        now = time.monotonic()
        oldest = now - LONGEST_TRANSACTION
        if message.begins_call:
            return self._accepted.get((message.branch, message.call_id), oldest) > oldest
        if message.method == "ACK" and leg is not None and leg.branch:
            while self._accepted:
                first = next(iter(self._accepted))
                if self._accepted[first] >= oldest:
                    break  # those behind it are younger
                del self._accepted[first]
            self._accepted.setdefault((leg.branch, leg.call_id), now)
        return False

    def _begins(self, message: WireMessage, body: memoryview, phone: HostedPhone | None) -> int:
        """Decide on the INVITE of a new call."""
        # Valid, but without media (RFC 3264 section 5); pjsip would answer 400.
        if _OFFER.search(message.text) and not _MEDIA.search(message.text):
            return _NOT_ACCEPTABLE_HERE
        names = sdp.disable_names(body)
        if names:
            if phone is not None:
                phone.emit(CallsRefused, source=message.remote_host, why=_unresolved(names))
            return _NOT_ACCEPTABLE_HERE
        if not self._socket_slots.admits((message.branch, message.sent_by, message.call_id)):
            if phone is not None:
                phone.emit(CallsRefused, source=message.remote_host)
            return BUSY_HERE
        # A phone with one line that is busy refuses another call with 486, unless it replaces the
        # first one (RFC 3891).
        self._let_in = None
        if phone is None:
            return PASS
        has_one_line = phone.config.max_calls == 1
        is_busy = has_one_line and self._legs.calls_up(phone) >= 1
        if not is_busy or message.head.get("Replaces"):
            self._let_in = (phone, message.remote_host)
        unknown = self._narrow(message, body, phone, phone.config.codecs)
        if unknown:
            phone.emit(CallsRefused, source=message.remote_host, why=unknown)
        return PASS

    def found_no_slot(self) -> None:
        """Report that pjsua refused the last admitted call because it has no free call slot."""
        if self._let_in is not None:
            phone, source = self._let_in
            phone.emit(CallsRefused, source=source)

    def _narrow(
        self, message: WireMessage, body: memoryview, phone: HostedPhone, codecs: tuple[str, ...]
    ) -> str:
        """Hide media from pjsip that the phone cannot use; returns the unknown encryption, if that
        leaves no media.
        """
        if not body or message.method not in _OFFERING:
            return ""
        return sdp.narrow(body, self._legs.endpoint.spoken(codecs), phone.config.srtp)

    def refuses_unread(self, message: WireMessage) -> bool:
        """Whether a message that pjsip cannot parse comes from a stranger; such a message is
        counted.
        """
        phone = self._attribution.called(message)
        if phone is None or phone.sources.include(message.remote_host):
            return False
        self._refuse(phone, message, "address")
        return True

    def _refuse(
        self, phone: HostedPhone, message: WireMessage, why: Literal["address", "call-id"]
    ) -> None:
        """Count a refused request."""
        leg = self._attribution.leg_of_tag(message.local_tag)
        kind = StrangerRefused(
            at=0.0,
            phone=phone.config.name,
            leg=leg.name if leg else None,
            why=why,
            source=message.remote_host,
            transport=message.transport,
            method=message.method[:_LONGEST],
            user_agent=message.head.get("User-Agent")[:_LONGEST],
            count=0,
        )
        if kind not in self._counts:
            of_phone = [known for known in self._counts.values() if known.phone is phone]
            if len(of_phone) >= _MOST_KINDS:
                kind = replace(kind, leg=None, source="others", method="", user_agent="")
        count = self._counts.setdefault(kind, _Count(phone))
        count.count += 1
        if not count.reported:
            self._say(kind, count, time.monotonic())

    @property
    def has_more_to_report(self) -> bool:
        """Whether counts have grown since they were reported."""
        return any(count.has_grown for count in self._counts.values())

    def tick(self, now: float) -> None:
        """Report counts that have grown."""
        self._counts = {kind: count for kind, count in self._counts.items() if not count.phone.gone}
        for kind, count in self._counts.items():
            if count.has_grown and now >= count.reported_at + _REPORTS_EVERY_S:
                self._say(kind, count, now)

    def begins_anew(self, phone: HostedPhone) -> None:
        """Reset a phone's counts for another case."""
        self._counts = {
            kind: count for kind, count in self._counts.items() if count.phone is not phone
        }

    def _say(self, kind: StrangerRefused, count: _Count, now: float) -> None:
        count.reported = count.count
        count.reported_at = now
        keys = [leg.key for leg in self._legs.of(count.phone) if leg.name == kind.leg]
        event = replace(kind, at=now, count=count.count)
        self._legs.parent.emit([event], count.phone.key, keys[0] if keys else None)

    def _at(self, message: WireMessage, local: SocketName) -> HostedPhone | None:
        """The phone whose socket received the request."""
        for phone in self._phones():
            if phone.transport_name == message.transport and phone.bound.covers(local):
                return phone
        return None


def _crashes_pjsip(message: WireMessage) -> int:
    """The status for a request that makes pjsip (2.15.1) assert, as found by a fuzzer; 0 for other
    requests.
    """
    if message.text.split(" ", 1)[0].upper() != message.method:  # RFC 3261 section 8.1.1.5
        return _BAD_REQUEST
    once = [header.key for header in message.head.headers if header.key in _ONCE]
    head = message.text.partition("\r\n\r\n")[0]
    if len(once) > len(set(once)) or _LONE_CR.search(head):  # RFC 3261 sections 7.3.1 and 25.1
        return _BAD_REQUEST
    # pjsip would match it to a dialog. The phone's final responses have a tag, so their ACK has it
    # too (section 17.1.1.3).
    if message.method == "ACK" and not message.local_tag:
        return _BAD_REQUEST
    # Each media description, even a refused one, takes two of pjmedia's 64 sockets.
    if len(_MEDIA.findall(message.text)) > _MOST_MEDIA:
        return _NOT_ACCEPTABLE_HERE
    return 0


def _unresolved(names: list[str]) -> str:
    return f"host names in SDP ({names[0]})"


def _within(message: WireMessage, leg: CallLeg) -> int:
    """The status to answer a request within a call; :data:`PASS` if pjsip answers it."""
    if message.method in _PJSIPS:
        return PASS
    if message.method == "OPTIONS":
        return OK
    request = message.parsed
    if request is None:  # pjsip could parse it
        return PASS
    event = _event(request)
    match message.method:
        case "INFO":
            status = leg.media.digits.info(request)
            return status if status != NOT_A_DIGIT else _of_other_info(request)
        case "NOTIFY" if event not in ("refer", ""):
            return _BAD_EVENT  # RFC 6665 section 4.1.3
        case "NOTIFY":  # once there was a REFER, pjsip knows whether a subscription came of it
            return PASS if leg.has_referred else DOES_NOT_EXIST
        case "SUBSCRIBE":
            return PASS if leg.was_referred and event == "refer" else _subscription(event)
    return NOT_ALLOWED  # RFC 3261 section 8.2.1


def _of_other_info(request: Message) -> int:
    """RFC 6086 section 4.2.2; without a package, RFC 2976 section 2.2: an INFO without a body is a
    keep-alive.
    """
    if request.get("Info-Package"):
        return BAD_INFO_PACKAGE
    return UNSUPPORTED_MEDIA_TYPE if request.body else OK


def _outside(message: WireMessage) -> int:
    """The status to answer a request outside of calls; :data:`PASS` if pjsip answers it."""
    if message.method in _PJSIPS_OUTSIDE:
        return PASS
    if message.method in _OF_A_CALL:
        return DOES_NOT_EXIST  # RFC 3261 section 12.2.2
    request = message.parsed
    if request is None:
        return _BAD_REQUEST
    event = _event(request)
    match message.method:
        case "NOTIFY" if event == "message-summary":  # unsolicited (RFC 3842); pjsip accepts it
            return PASS
        case "NOTIFY":
            return DOES_NOT_EXIST if event == "refer" else _BAD_EVENT  # RFC 6665 section 4.1.3
        case "SUBSCRIBE":
            return _subscription(event)
        case "REFER":
            return _DECLINE
    return NOT_ALLOWED  # RFC 3261 section 8.2.1


def _subscription(event: str) -> int:
    """Refuse a subscription: the phone has no event packages, and only a REFER subscribes to its
    outcome (RFC 3515 section 2.4.4).
    """
    return _FORBIDDEN if event == "refer" else _BAD_EVENT


def _event(request: Message) -> str:
    """The event package; ``refer`` reports the outcome of a REFER (RFC 3515)."""
    return (request.get("Event") or "").partition(";")[0].strip().lower()
