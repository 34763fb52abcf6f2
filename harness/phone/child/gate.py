"""Whose requests a phone acts on: the platform's alone (``PhoneConfig.accepts_from``). Others' get no answer, and are told of.

Ahead of pjsip, whose own dialogs are found by their tags alone, and obey a request from anywhere. Over UDP a source
can be forged only by who need not see the answers; a dialog's Call-ID and tags then still have to be guessed.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from harness.calls.events import StrangerRefused
from harness.phone.child import offers, within
from harness.phone.child.account import HostedPhone
from harness.phone.child.attribution import Attribution
from harness.phone.child.leg import CallLeg
from harness.phone.child.places import LONGEST_TRANSACTION, Transaction
from harness.phone.child.requests import BUSY_HERE, DOES_NOT_EXIST, DROP, PASS, Arrival
from harness.phone.child.sip_log import LoggedMessage, read_text

_TOLD_EVERY: Final = 0.9  # seconds, for each kind; it is looked at once a second
_MOST_KINDS: Final = 50  # a phone; what comes beyond is counted together
_LONGEST: Final = 80  # characters of what a stranger says of itself
_USER_AGENT: Final = re.compile(r"^User-Agent[ \t]*:[ \t]*(.*)$", re.IGNORECASE | re.MULTILINE)

_BAD_REQUEST: Final = 400
_NOT_ACCEPTABLE_HERE: Final = 488  # RFC 3261 section 21.4.26


_REPLACES: Final = re.compile(r"^Replaces[ \t]*:", re.IGNORECASE | re.MULTILINE)
_OFFERING: Final = ("INVITE ", "UPDATE ")
_MEDIA: Final = re.compile(r"^m=", re.MULTILINE)
_MOST_MEDIA: Final = 6
#: pjsip goes by the last of several, whoever looks at the text by the first; and it begins another line behind a lone CR.
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


class RequestGate:
    """Decides on requests, and counts those it refuses. ``tell`` gets the counts: the first at once, then one a second."""

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
        # Who may not refuse the INVITE that pjsip has had last, and where that came from.
        self._let_in: tuple[HostedPhone, str] | None = None
        self._accepted: dict[tuple[str, str], float] = {}  # INVITEs whose ACK has come, by branch and Call-ID: when

    def by_source(self, arrival: Arrival) -> int:
        """Drop what comes from an address that is none of the platform's."""
        phone = self._at(arrival)
        if phone is None or arrival.ours or phone.admits(arrival.host, arrival.transport):
            return PASS
        message = read_text(arrival.text, direction="received", transport=arrival.transport, remote=arrival.host)
        self.refuse(phone, message, arrival.host, "address")
        return DROP

    def by_dialog(self, arrival: Arrival) -> int:
        """Refuse what names a dialog of ours by its tag, and another Call-ID, and calls that there is no room for.

        What pjsip has nobody for is answered (:mod:`harness.phone.child.within`).
        """
        message = read_text(arrival.text, direction="received", transport=arrival.transport, remote=arrival.host)
        tag = message.local_tag
        if refusal := _deadly(message):
            # nothing answers an ACK (RFC 3261 section 17)
            return DROP if "ACK" in (message.method, message.text[:3]) else refusal
        leg = self._attribution.leg_of_tag(tag)
        if leg is not None and leg.call_id != message.call_id:
            self.refuse(leg.phone, message, arrival.host, "call-id")
            return DROP if message.method == "ACK" else DOES_NOT_EXIST
        if self._is_late_copy(message, leg):
            return DROP
        if leg is not None and not leg.disconnected:
            self._narrow(arrival, leg.phone, leg.codecs)
            return within.answer(message.text, message.method, leg.media.digits, leg.transfers)
        if leg is not None or self._attribution.has_ended(message):
            return within.after(message.method)
        if message.begins_call and _OFFER.search(message.text) and not _MEDIA.search(message.text):
            return _NOT_ACCEPTABLE_HERE  # in order, though nothing to talk by (RFC 3264 section 5); pjsip would say 400
        if message.begins_call:
            return self._room_for(message, arrival)
        return PASS if tag else within.outside(message.text, message.method)

    def _is_late_copy(self, message: LoggedMessage, leg: CallLeg | None) -> bool:
        """Whether an INVITE is one more copy of one whose ACK has come: absorbed for as long (RFC 6026 section 7.1, Timer L).

        pjsip forgets the transaction with the ACK, and takes what comes then for another call.
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
        # A phone for one call that has it refuses another with 486 in any case, unless that takes its place (RFC 3891).
        refuses = phone is not None and self._is_busy(phone) and not _REPLACES.search(message.head)
        self._let_in = (phone, arrival.host) if phone is not None and not refuses else None
        if phone is not None and (unknown := self._narrow(arrival, phone, phone.config.codecs)):
            self._tell_refused(phone, arrival.host, unknown)
        return PASS

    def found_no_slot(self) -> None:
        """Tell that pjsua has refused the call that was let in last, as it has as many as it holds."""
        if self._let_in is not None:
            self._tell_refused(*self._let_in, "")

    def _narrow(self, arrival: Arrival, phone: HostedPhone, codecs: tuple[str, ...]) -> str:
        """Have pjsip see of an offer what the phone can take; what of its encryption is unknown, where nothing is left for that."""
        if not arrival.sdp or not arrival.text.startswith(_OFFERING):
            return ""
        return offers.narrow(arrival.sdp, phone.host_process.endpoint.spoken(codecs), phone.config.srtp)

    def refuses_unread(self, phone: HostedPhone | None, message: LoggedMessage) -> bool:
        """Whether what pjsip cannot even read comes from a stranger."""
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
        """Tell the counts that have grown."""
        phones = {phone.key: phone for phone in self._phones()}
        for kind, count in list(self._counts.items()):
            phone = phones.get(kind.phone)
            if phone is None:
                del self._counts[kind]
            elif count.count > count.told and now >= count.told_at + _TOLD_EVERY:
                self._say(kind, count, phone, now)

    def begins_anew(self, phone: HostedPhone) -> None:
        """Another case has the phone: forget what it counted."""
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
        """The phone whose socket it came to."""
        for phone in self._phones():
            if phone.transport_name == arrival.transport and phone.bound.covers(arrival.local):
                return phone
        return None


def _deadly(message: LoggedMessage) -> int:
    """The status for a request that pjsip asserts on (2.15.1), found by sending it many; 0 for others."""
    if message.text.split(" ", 1)[0].upper() != message.method:  # RFC 3261 section 8.1.1.5
        return _BAD_REQUEST
    once = [header.lastindex for header in _ONCE.finditer(message.head)]
    if len(once) > len(set(once)) or _LONE_CR.search(message.head):  # RFC 3261 sections 7.3.1 and 25.1
        return _BAD_REQUEST
    # Of a dialog that it knows by the rest. Our final responses have a tag, and an ACK has theirs (section 17.1.1.3).
    if message.method == "ACK" and not message.local_tag:
        return _BAD_REQUEST
    # Each media description takes two of the 64 sockets that pjmedia has room for, even one that is refused.
    if len(_MEDIA.findall(message.text)) > _MOST_MEDIA:
        return _NOT_ACCEPTABLE_HERE
    return 0
