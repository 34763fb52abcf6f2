"""Admission of requests: a phone accepts only the platform's (``PhoneConfig.accepts_from``). Others get no answer, and are reported.

The check comes before pjsip, which finds dialogs by tag alone and obeys requests from any source. A forged UDP source address does
not receive the answers, so an attacker would have to guess the Call-ID and tags.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from harness.calls.events import StrangerRefused
from harness.phone.child import dialog_requests, offers
from harness.phone.child.account import HostedPhone
from harness.phone.child.attribution import Attribution
from harness.phone.child.leg import CallLeg
from harness.phone.child.requests import BUSY_HERE, DOES_NOT_EXIST, DROP, PASS, Arrival
from harness.phone.child.sip_log import LoggedMessage, read_text
from harness.phone.child.socket_slots import LONGEST_TRANSACTION, Transaction

_TOLD_EVERY: Final = 0.9  # seconds between reports of one kind; checked once a second
_MOST_KINDS: Final = 50  # per phone; further kinds are counted together
_LONGEST: Final = 80  # characters of a stranger's method and User-Agent
_USER_AGENT: Final = re.compile(r"^User-Agent[ \t]*:[ \t]*(.*)$", re.IGNORECASE | re.MULTILINE)

_BAD_REQUEST: Final = 400
_NOT_ACCEPTABLE_HERE: Final = 488  # RFC 3261 section 21.4.26


_REPLACES: Final = re.compile(r"^Replaces[ \t]*:", re.IGNORECASE | re.MULTILINE)
_OFFERING: Final = ("INVITE ", "UPDATE ")
_MEDIA: Final = re.compile(r"^m=", re.MULTILINE)
_MOST_MEDIA: Final = 6
#: pjsip uses the last of several such headers, other readers the first; and pjsip starts a new line after a lone CR.
_ONCE: Final = re.compile(r"^(?:(Call-ID|i)|(CSeq)|(From|f)|(To|t))[ \t]*:", re.IGNORECASE | re.MULTILINE)
_LONE_CR: Final = re.compile(r"\r(?!\n)")
_OFFER: Final = re.compile(r"^v=0\r?$", re.MULTILINE)


class _Kind(NamedTuple):
    phone: int
    leg: str | None
    why: Literal["address", "call-id"]
    source: str
    transport: str
    method: str
    user_agent: str


@dataclass
class _Count:
    count: int = 0
    told: int = 0
    told_at: float = 0.0


class Admission:
    """Decides on requests and counts those it refuses. ``tell`` receives the first count at once, then one per second."""

    def __init__(
        self,
        phones: Callable[[], Iterable[HostedPhone]],
        attribution: Attribution[HostedPhone, CallLeg],
        tell: Callable[[StrangerRefused, HostedPhone, str | None], None],
        has_room: Callable[[Transaction], bool],
        is_busy: Callable[[HostedPhone], bool],
        tell_refused: Callable[[HostedPhone, str, str], None],
    ) -> None:
        self._phones, self._attribution, self._tell = phones, attribution, tell
        self._has_room, self._is_busy, self._tell_refused = has_room, is_busy, tell_refused
        self._counts: dict[_Kind, _Count] = {}
        # The phone of the INVITE that was last passed to pjsip, and its source.
        self._let_in: tuple[HostedPhone, str] | None = None
        self._accepted: dict[tuple[str, str], float] = {}  # time of the ACK, by the INVITE's branch and Call-ID

    def by_source(self, arrival: Arrival) -> int:
        """Drop requests from addresses that the phone does not accept."""
        phone = self._at(arrival)
        if phone is None or arrival.ours or phone.admits(arrival.host, arrival.transport):
            return PASS
        message = read_text(arrival.text, direction="received", transport=arrival.transport, remote=arrival.host)
        self.refuse(phone, message, arrival.host, "address")
        return DROP

    def by_dialog(self, arrival: Arrival) -> int:
        """Refuse requests with a dialog's tag but another Call-ID, and calls for which there is no slot.

        Answer requests that pjsip cannot handle (:mod:`harness.phone.child.dialog_requests`).
        """
        message = read_text(arrival.text, direction="received", transport=arrival.transport, remote=arrival.host)
        tag = message.local_tag
        if refusal := _crashes_pjsip(message):
            # An ACK has no response (RFC 3261 section 17).
            return DROP if "ACK" in (message.method, message.text[:3]) else refusal
        leg = self._attribution.leg_of_tag(tag)
        if leg is not None and leg.call_id != message.call_id:
            self.refuse(leg.phone, message, arrival.host, "call-id")
            return DROP if message.method == "ACK" else DOES_NOT_EXIST
        if self._is_late_copy(message, leg):
            return DROP
        if leg is not None and not leg.disconnected:
            self._narrow(arrival, leg.phone, leg.codecs)
            return dialog_requests.answer(message.text, message.method, leg.media.digits, leg.transfers)
        if leg is not None or self._attribution.has_ended(message):
            return dialog_requests.after(message.method)
        if message.begins_call and _OFFER.search(message.text) and not _MEDIA.search(message.text):
            return _NOT_ACCEPTABLE_HERE  # valid, but without media (RFC 3264 section 5); pjsip would answer 400
        if message.begins_call:
            return self._room_for(message, arrival)
        return PASS if tag else dialog_requests.outside(message.text, message.method)

    def _is_late_copy(self, message: LoggedMessage, leg: CallLeg | None) -> bool:
        """Whether an INVITE is a copy of one that was acknowledged: such copies are absorbed (RFC 6026 section 7.1, Timer L).

        pjsip forgets the transaction with the ACK, and would treat the copy as a new call.
        """
        now = time.monotonic()
        if message.begins_call:
            return (
                self._accepted.get((message.branch, message.call_id), -LONGEST_TRANSACTION) > now - LONGEST_TRANSACTION
            )
        if message.method == "ACK" and leg is not None and leg.branch:
            while self._accepted and next(iter(self._accepted.values())) < now - LONGEST_TRANSACTION:
                del self._accepted[next(iter(self._accepted))]
            self._accepted.setdefault((leg.branch, leg.call_id), now)
        return False

    def _room_for(self, message: LoggedMessage, arrival: Arrival) -> int:
        phone = self._at(arrival)
        if not self._has_room((message.branch, message.sent_by, message.call_id)):
            if phone is not None:
                self._tell_refused(phone, arrival.host, "")
            return BUSY_HERE
        # A phone with one line that is busy refuses another call with 486, unless it replaces the first one (RFC 3891).
        refuses = phone is not None and self._is_busy(phone) and not _REPLACES.search(message.head)
        self._let_in = (phone, arrival.host) if phone is not None and not refuses else None
        if phone is not None and (unknown := self._narrow(arrival, phone, phone.config.codecs)):
            self._tell_refused(phone, arrival.host, unknown)
        return PASS

    def found_no_slot(self) -> None:
        """Report that pjsua refused the last admitted call because it has no free call slot."""
        if self._let_in is not None:
            self._tell_refused(*self._let_in, "")

    def _narrow(self, arrival: Arrival, phone: HostedPhone, codecs: tuple[str, ...]) -> str:
        """Hide media from pjsip that the phone cannot use; returns the unknown encryption, if that leaves no media."""
        if not arrival.sdp or not arrival.text.startswith(_OFFERING):
            return ""
        return offers.narrow(arrival.sdp, phone.host_process.endpoint.spoken(codecs), phone.config.srtp)

    def refuses_unread(self, phone: HostedPhone | None, message: LoggedMessage) -> bool:
        """Whether a message that pjsip cannot parse comes from a stranger; such a message is counted."""
        host = message.remote_host
        if phone is None or phone.admits(host, message.transport):
            return False
        self.refuse(phone, message, host, "address")
        return True

    def refuse(self, phone: HostedPhone, message: LoggedMessage, host: str, why: Literal["address", "call-id"]) -> None:
        """Count a refused request."""
        leg = self._attribution.leg_of_tag(message.local_tag)
        agent = _USER_AGENT.search(message.text)
        kind = _Kind(
            phone.key,
            leg.name if leg else None,
            why,
            host,
            message.transport,
            message.method[:_LONGEST],
            agent.group(1).rstrip(" \t\r")[:_LONGEST] if agent else "",
        )
        if kind not in self._counts and sum(known.phone == phone.key for known in self._counts) >= _MOST_KINDS:
            kind = _Kind(phone.key, None, why, "others", message.transport, "", "")
        count = self._counts.setdefault(kind, _Count())
        count.count += 1
        if not count.told:
            self._say(kind, count, phone, time.monotonic())

    def tick(self, now: float) -> None:
        """Report counts that have grown."""
        phones = {phone.key: phone for phone in self._phones()}
        for kind, count in list(self._counts.items()):
            phone = phones.get(kind.phone)
            if phone is None:
                del self._counts[kind]
            elif count.count > count.told and now >= count.told_at + _TOLD_EVERY:
                self._say(kind, count, phone, now)

    def begins_anew(self, phone: HostedPhone) -> None:
        """Reset a phone's counts for another case."""
        self._counts = {kind: count for kind, count in self._counts.items() if kind.phone != phone.key}

    def _say(self, kind: _Kind, count: _Count, phone: HostedPhone, now: float) -> None:
        count.told, count.told_at = count.count, now
        event = StrangerRefused(
            at=now,
            phone=phone.config.name,
            leg=kind.leg,
            source=kind.source,
            transport=kind.transport,
            method=kind.method,
            user_agent=kind.user_agent,
            count=count.count,
            why=kind.why,
        )
        self._tell(event, phone, kind.leg)

    def _at(self, arrival: Arrival) -> HostedPhone | None:
        """The phone whose socket received the request."""
        for phone in self._phones():
            if phone.transport_name == arrival.transport and phone.bound.covers(arrival.local):
                return phone
        return None


def _crashes_pjsip(message: LoggedMessage) -> int:
    """The status for a request that makes pjsip (2.15.1) assert, as found by a fuzzer; 0 for other requests."""
    if message.text.split(" ", 1)[0].upper() != message.method:  # RFC 3261 section 8.1.1.5
        return _BAD_REQUEST
    once = [header.lastindex for header in _ONCE.finditer(message.head)]
    if len(once) > len(set(once)) or _LONE_CR.search(message.head):  # RFC 3261 sections 7.3.1 and 25.1
        return _BAD_REQUEST
    # pjsip would match it to a dialog. The phone's final responses have a tag, so their ACK has it too (section 17.1.1.3).
    if message.method == "ACK" and not message.local_tag:
        return _BAD_REQUEST
    # Each media description, even a refused one, takes two of pjmedia's 64 sockets.
    if len(_MEDIA.findall(message.text)) > _MOST_MEDIA:
        return _NOT_ACCEPTABLE_HERE
    return 0
