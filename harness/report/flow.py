"""What happened in a case, for its readers: SIP messages from sender to receiver, and what a phone
did between them.

Messages are arrows of a ladder, packets of a capture, and what a finding points to. A message that
the parser refuses is shown as well.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, cached_property, lru_cache
from typing import Any, Literal

from harness.audio.marks import VOICES, replied
from harness.case.events import (
    AskedByOptions,
    CallsRefused,
    CallState,
    DtmfReceived,
    Event,
    LegStarted,
    MediaState,
    MessageInFile,
    NameLookup,
    PasswordWithheld,
    PhoneLost,
    RegistrationState,
    SipMessage,
    StrangerRefused,
    TlsHandshake,
    TransferProgress,
    TransportFailed,
    phone_of,
)
from harness.case.legs import MarkSpan
from harness.case.log import finite
from harness.case.model import CHALLENGES, CallMessage, read
from harness.case.verdict import Finding
from harness.report.evidence import CaseEvidence
from harness.sip.grammar import decimal
from harness.sip.message import Request
from harness.sip.sdp import Description, SdpError


@dataclass(frozen=True, order=True)
class FlowEnd:
    """A transport address."""

    host: str
    port: int

    @classmethod
    @lru_cache(maxsize=512)  # the messages of a run go between few
    def parse(cls, text: str) -> FlowEnd:
        """``host:port`` or ``[IPv6]:port``; a missing port is 0."""
        host, _, port = text.rpartition(":")
        number = decimal(port, most=65535)
        if not host or number is None:
            return cls(text.strip("[]"), 0)
        return cls(host.strip("[]"), number)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}" if self.port else host


@dataclass(frozen=True)
class Arrow:
    """One message on its way."""

    numbers: tuple[str, ...]  #: its number in every report, and those of its retransmissions
    at: float  #: monotonic, seconds
    local: FlowEnd  #: the end that recorded it
    remote: FlowEnd
    transport: str
    text: str
    phone: str  #: the phone, or far end, that recorded it
    sent: bool  #: recorded by its sender
    leg: str | None
    far_end: bool = False  #: known only from the far end's own record
    unread: bool = False  #: the phone's stack dropped it
    file: str = ""  #: the capture that shows it, which is no end of it
    repeats: int = 0  #: how often it was sent again

    @property
    def source(self) -> FlowEnd:
        """Where it was sent from."""
        return self.local if self.sent else self.remote

    @property
    def target(self) -> FlowEnd:
        """Where it was sent to."""
        return self.remote if self.sent else self.local

    @cached_property
    def parsed(self) -> CallMessage | None:
        """The message as the call model has it; None for text that is not a SIP message."""
        if (message := read(self.text)) is None:
            return None
        direction = "sent" if self.sent else "received"
        return CallMessage(message, direction, self.transport, str(self.local), str(self.remote))

    @property
    def start_line(self) -> str:
        """The first line, without its line break."""
        return first_line(self.text)

    @property
    def is_response(self) -> bool:
        """Whether it answers a request."""
        return self.status > 0

    @cached_property
    def status(self) -> int:
        """The status of a response, 0 for a request."""
        return self.parsed.status if self.parsed else 0

    @cached_property
    def method(self) -> str:
        """The method, of a response by its CSeq; empty if it cannot be read."""
        return self.parsed.method if self.parsed else ""

    @cached_property
    def label(self) -> str:
        """The arrow's label: the method, or the status with its method, and how often it was sent."""
        times = f" ×{1 + self.repeats}" if self.repeats else ""
        if not self.is_response:
            return (self.method or self.start_line) + times
        _, _, words = self.start_line.partition(" ")
        if self.method not in ("", "INVITE"):
            words = f"{words} ({self.method})"
        return words + times

    @cached_property
    def detail(self) -> str:
        """What a reader of this message looks for first: its SDP, the target of a REFER, what a
        NOTIFY reports.
        """
        parts = []
        if self.method == "REFER" and (target := self.header("Refer-To")):
            parts.append(f"to {user_of(target)}")
        if self.parsed and self.method == "NOTIFY":
            status, reason = self.parsed.outcome
            if status:
                parts.append(f"{status} {reason}".rstrip())
        if sdp := sdp_summary(self.text):
            parts.append(sdp)
        if self.unread:
            parts.append("which the phone could not read")
        if self.file:
            parts.append(f"by {self.file}")
        return "; ".join(parts)

    def header(self, name: str) -> str | None:
        """The first value of a header, by its long name; None when there is none."""
        return self.parsed.message.get(name) if self.parsed else None

    @property
    def dialled(self) -> str:
        """The user of the Request-URI; empty for a response."""
        message = self.parsed.message if self.parsed else None
        return user_of(message.request_uri) if isinstance(message, Request) else ""


@lru_cache(maxsize=512)  # as the parsed messages; a page shows each twice
def first_line(text: str) -> str:
    """A message's first line."""
    return next((line.strip() for line in text.splitlines() if line.strip()), "(empty)")


def user_of(uri: str) -> str:
    """The user of a URI, which may stand between ``<`` and ``>``; the whole text if it has none."""
    found = re.search(r"(?:sips?|tel):([^@;?>\s]+)", uri)
    return found[1] if found else uri


@lru_cache(maxsize=512)
def sdp_summary(text: str) -> str:
    """Audio of a message's SDP in short: ``PCMU PCMA · 127.0.0.2:4000 · sendonly · SRTP``; empty
    without SDP.

    The direction is named only when it is not ``sendrecv``, which is what a missing one means (RFC
    3264, 5.1). The lines are taken from the text, since masking changes the length of a body, by
    which the parser would cut it.
    """
    _, begins, rest = text.partition("\nv=0")
    if not begins:  # nearly every message
        return ""
    lines = itertools.takewhile(lambda line: line[1:2] == "=", f"v=0{rest}".splitlines())
    try:
        description = Description.parse("\n".join(lines))
    except SdpError:
        return ""
    audio = next((media for media in description.media if media.kind == "audio"), None)
    if audio is None:
        return ""
    codecs = [codec.name for codec in audio.codecs]
    names = ["DTMF" if name == "telephone-event" else name for name in codecs]
    parts = [" ".join(dict.fromkeys(names))]
    if audio.is_rejected:
        parts.append("refused")
    else:
        parts.append(f"{description.address_of(audio) or '?'}:{audio.port}")
    if (direction := description.direction_of(audio)) != "sendrecv":
        parts.append(direction)
    if audio.is_secure:
        parts.append("SRTP")
    return " · ".join(filter(None, parts))


def arrows(evidence: CaseEvidence) -> list[Arrow]:
    """Every message of the case, by time: those of the harness phones, and those that only a far
    end's record or a capture shows.
    """
    found = [_arrow(message.number, message.event) for message in evidence.messages]
    seen = {(arrow.text, arrow.source, arrow.target) for arrow in found}
    others = (*_in_records(evidence), *_in_captures(evidence))
    found += [arrow for arrow in others if (arrow.text, arrow.source, arrow.target) not in seen]
    return sorted(found, key=lambda arrow: arrow.at)


def _in_records(evidence: CaseEvidence) -> Iterator[Arrow]:
    """The messages that only a far end's record shows, at the times of its clock."""
    recorded = []
    for record in evidence.far_end:
        recorded += [(record, entry) for entry in record.messages if _is_message(entry)]
    for number, (record, entry) in enumerate(recorded, start=1):
        message = SipMessage(
            at=on_our_clock(evidence, entry.get("at"), record.at),
            phone=record.phone,
            direction="sent" if entry.get("direction") == "sent" else "received",
            transport=str(entry.get("transport", "udp")),
            **{name: entry[name] for name in _TEXTS},
        )
        yield _arrow(f"f{number}", message, far_end=True)


def _in_captures(evidence: CaseEvidence) -> Iterator[Arrow]:
    """The messages that captures show, each as its sender sent it."""
    captured = (event for event in evidence.log.added if isinstance(event, MessageInFile))
    for place, event in enumerate(captured):
        message = SipMessage(
            at=event.at,
            phone=event.file,
            direction="sent",
            transport=event.transport,
            local=event.source,
            remote=event.destination,
            text=event.text,
        )
        yield _arrow(captured_number(place), message, far_end=True, file=event.file)


def captured_number(place: int) -> str:
    """The number in every report of a message that a capture shows."""
    return f"h{place + 1}"


def _arrow(number: str, event: SipMessage, *, far_end: bool = False, file: str = "") -> Arrow:
    return Arrow(
        numbers=(number,),
        at=event.at,
        local=FlowEnd.parse(event.local),
        remote=FlowEnd.parse(event.remote),
        transport=event.transport,
        text=event.text,
        phone=event.phone,
        sent=event.direction == "sent",
        leg=event.leg,
        far_end=far_end,
        unread=bool(event.unread),
        file=file,
    )


_TEXTS = ("text", "local", "remote")


def _is_message(entry: object) -> bool:
    """Whether an entry of a far end's record can be shown as a message."""
    return isinstance(entry, Mapping) and all(isinstance(entry.get(name), str) for name in _TEXTS)


def on_our_clock(evidence: CaseEvidence, at: Any, fallback: float) -> float:
    """A far end's wall-clock time (seconds since the epoch, or ISO 8601) on the case's clock;
    ``fallback`` where it is none, or of no zone: this machine's is not the far end's.
    """
    if isinstance(at, str):
        try:
            moment = datetime.fromisoformat(at)
            at = moment.timestamp() if moment.tzinfo is not None else None
        except (ValueError, OverflowError):
            return fallback
    try:
        return evidence.began + (finite(at) - evidence.began_wall)
    except TypeError:
        return fallback


#: RFC 3261 section 17.1.1.2: Timer B, the longest time over which a message is repeated, in
#: seconds.
_TIMER_B_S = 32.0


def without_repeats(flow: Sequence[Arrow]) -> list[Arrow]:
    """The arrows by time, each retransmission counted in the first (:attr:`Arrow.repeats`)."""
    found: list[Arrow] = []
    latest: dict[tuple[object, ...], int] = {}
    for arrow in flow:
        key = (arrow.source, arrow.target, arrow.transport, arrow.text)
        index = latest.get(key)
        if index is not None and arrow.at - found[index].at <= _TIMER_B_S:
            first = found[index]
            found[index] = dataclasses.replace(
                first,
                repeats=first.repeats + 1 + arrow.repeats,
                numbers=first.numbers + arrow.numbers,
            )
            continue
        latest[key] = len(found)
        found.append(arrow)
    return found


def met_challenges(flow: Sequence[Arrow]) -> frozenset[str]:
    """Numbers of the challenges that were answered with credentials: part of every digest (RFC
    3261, section 22), and no failure.
    """
    met = set()
    for index, arrow in enumerate(flow):
        if arrow.status in CHALLENGES and any(_meets(later, arrow) for later in flow[index + 1 :]):
            met.add(arrow.numbers[0])
    return frozenset(met)


def _meets(request: Arrow, challenge: Arrow) -> bool:
    if request.is_response or request.method != challenge.method:
        return False
    if request.header("Call-ID") != challenge.header("Call-ID"):
        return False
    credentials = request.header("Authorization") or request.header("Proxy-Authorization")
    return credentials is not None


# -- the messages that a finding is about

_NUMBER = re.compile(r"\bm\d+\b")
_MOST = 6


def is_invite(arrow: Arrow) -> bool:
    """Whether it is a request to begin or change a call."""
    return arrow.method == "INVITE" and not arrow.is_response


def _final(arrow: Arrow) -> bool:
    return arrow.method == "INVITE" and arrow.status >= 200


def _set_up(arrow: Arrow) -> bool:
    return is_invite(arrow) or _final(arrow)


def _sdp(arrow: Arrow) -> bool:
    return "\nm=audio " in arrow.text


def _end(arrow: Arrow) -> bool:
    return arrow.method in ("BYE", "CANCEL") or (arrow.method == "INVITE" and arrow.status >= 300)


def _of(*methods: str) -> Callable[[Arrow], bool]:
    return lambda arrow: arrow.method in methods


#: The messages that a check, or all checks with that prefix, looks at.
_ABOUT: Mapping[str, Callable[[Arrow], bool]] = {
    "registration": _of("REGISTER"),
    "ringing": lambda arrow: (
        is_invite(arrow) or (arrow.method == "INVITE" and 100 < arrow.status < 200)
    ),
    "answered.acknowledged": lambda arrow: _final(arrow) or arrow.method == "ACK",
    "answered": _set_up,
    "call.up": _end,
    "landing": _set_up,
    "route": is_invite,
    "codec": _sdp,
    "media": _sdp,
    "audio": _sdp,
    "caller_id": is_invite,
    "header": is_invite,
    "one_call": _set_up,
    "transfer": _of("REFER", "NOTIFY"),
    "released": _end,
    "final_response": _final,
    "timing": _set_up,
    "dtmf": _of("INFO"),
    "session": lambda arrow: _set_up(arrow) or arrow.method == "UPDATE",
    "prack": _of("PRACK"),
}


def named_in(lines: Iterable[str], flow: Sequence[Arrow]) -> tuple[str, ...]:
    """Numbers of messages of the case's ``flow`` that the lines name, in order."""
    named: dict[str, None] = {}
    for line in lines:
        named |= dict.fromkeys(_NUMBER.findall(line))
    if not named:  # as of most findings
        return ()
    known: set[str] = set()
    for arrow in flow:
        if not arrow.far_end:
            known.update(arrow.numbers)
    return tuple(number for number in named if number in known)


def messages_of(
    flow: Sequence[Arrow], findings: Iterable[Finding]
) -> list[tuple[Finding, tuple[str, ...]]]:
    """Each finding with numbers of messages of the case's ``flow`` (:func:`arrows`), in order;
    empty where none is about it.
    """

    @cache  # several findings look at the same messages
    def looked_at(test: Callable[[Arrow], bool]) -> list[Arrow]:
        return [arrow for arrow in flow if not arrow.far_end and test(arrow)]

    return [
        (finding, named_in(finding.evidence, flow) or _about(finding, looked_at))
        for finding in findings
    ]


def _about(
    finding: Finding, looked_at: Callable[[Callable[[Arrow], bool]], list[Arrow]]
) -> tuple[str, ...]:
    """Numbers of the messages that the finding's check looks at, of the legs its subject names."""
    test = _test_of(finding.check)
    if test is None:
        return ()
    found = looked_at(test)
    words = _words_in(finding.subject)
    # of the legs or phones that the subject names; all of them when it names none (``the call``)
    named_ones = [arrow for arrow in found if arrow.leg in words or arrow.phone in words]
    return tuple(arrow.numbers[0] for arrow in (named_ones or found)[:_MOST])


@cache
def _test_of(check: str) -> Callable[[Arrow], bool] | None:
    return next((test for name, test in _ABOUT.items() if check.startswith(name)), None)


@lru_cache(maxsize=512)  # the findings of a run have few subjects
def _words_in(subject: str) -> frozenset[str]:
    return frozenset(re.findall(r"[\w.-]+", subject))


# -- what phones did and heard

Phase = Literal["ringing", "talking", "held"]


@dataclass(frozen=True)
class Activity:
    """Something worth a line of its own."""

    at: float
    phone: str
    text: str
    bad: bool = False


@dataclass(frozen=True)
class LegPhase:
    """A leg's state over time, on the monotonic clock, in seconds."""

    leg: str
    phase: Phase
    began: float
    ended: float
    text: str


def name_mark(mark: int, owners: Mapping[int, str], voices: Mapping[str, Any]) -> str:
    """Whose mark it is: ``caller.1``, ``reply to caller.1``, an assistant's own voice, or one of no
    leg of this case.
    """
    if (confirmed := replied(mark)) is not None:
        return f"reply to {owners.get(confirmed, f'mark {confirmed} of another case')}"
    if mark in owners:
        return owners[mark]
    if mark in VOICES:
        return str(voices.get(str(mark)) or f"AI voice {mark}")
    return f"mark {mark} of another case"


def is_foreign(mark: int, owners: Mapping[int, str]) -> bool:
    """Whether a mark is that of a leg, or the reply to one, which this case does not have."""
    confirmed = replied(mark)
    return (mark if confirmed is None else confirmed) not in owners and mark not in VOICES


def owners(evidence: CaseEvidence) -> dict[int, str]:
    """The leg that sends each mark of this case."""
    started = evidence.events.of(LegStarted)
    return {begun.mark: begun.leg for begun in started if begun.leg is not None}


def far_end_marks(evidence: CaseEvidence) -> list[MarkSpan]:
    """The marks a far end says it heard (``witness.marks``: mark, at, until, level_dbov; times by
    its wall clock).
    """
    found = []
    for record in evidence.far_end:
        entries = record.witness("marks")
        for entry in entries if isinstance(entries, list) else []:
            if isinstance(entry, Mapping) and isinstance(entry.get("mark"), int):
                began = on_our_clock(evidence, entry.get("at"), record.at)
                ended = on_our_clock(evidence, entry.get("until"), began)
                ended = max(began, ended)
                level = _level(entry.get("level_dbov"))
                leg = f"{record.phone}'s record"
                found.append(MarkSpan(leg, entry["mark"], began, ended, level, 1.0))
    return found


def _level(given: object) -> float:
    try:
        return finite(given)
    except TypeError:
        return 0.0


def activities(evidence: CaseEvidence) -> list[Activity]:
    """What happened besides messages, by time."""
    own = owners(evidence)
    voices = evidence.case.get("voices") or {}
    found = []
    for event in evidence.events:
        if said := said_of(event):
            found.append(Activity(event.at, event.phone, *said))
    for span in evidence.marks:
        heard = f"{span.leg} hears {name_mark(span.mark, own, voices)}"
        found.append(Activity(span.began, phone_of(span.leg), heard))
    return sorted(found, key=lambda moment: moment.at)


def said_of(event: Event) -> tuple[str, bool] | None:
    """What an event is called, and whether it is bad; None for one that is not shown."""
    match event:
        case MediaState(active=False):
            return f"{event.leg} has no media", True
        case MediaState():
            secure = ", SRTP" if event.secure else ""
            return f"{event.leg} media {event.codec or '?'} {event.direction}{secure}", False
        case RegistrationState(active=True):
            return f"registered for {event.expires} s", False
        case RegistrationState():
            return f"not registered: {event.code} {event.reason}".rstrip(), event.code >= 300
        case DtmfReceived():
            return f"{event.leg} receives digit {event.digit} ({event.method})", False
        case TransferProgress():
            return f"{event.leg} transfer: {event.code} {event.reason}".rstrip(), event.code >= 300
        case TransportFailed():
            return f"{event.transport.upper()} to {event.remote} failed: {event.reason}", True
        case AskedByOptions() if event.answered or event.every_s:
            there = f"the {event.phone} has been there for {event.there_s:.1f} s"
            seen = "has answered" if event.answered else "has got no"
            return f"{there}, and {seen} OPTIONS of the platform's", False
        case TlsHandshake():
            failed = " failed" if event.failed else ""
            return f"TLS handshake of {event.remote}{failed}", event.failed
        case StrangerRefused():
            requests = f"{event.count}× {event.method} of {event.source}"
            agent = event.user_agent or "no user agent"
            why = "it names a call of the harness wrongly"
            if event.why == "address":
                why = "none of the platform's addresses"
            return f"{requests} ({agent}) refused: {why}", False
        case NameLookup():
            found = event.problem or "found"
            said = f"DNS, {event.name}: {found} after {event.seconds:.1f} s"
            return said, bool(event.problem)
        case PasswordWithheld():
            return f"no password for a challenge: {event.why}", True
        case CallsRefused():
            why = f"does not know {event.why}" if event.why else "had no room for it then"
            return f"a call from {event.source} refused: {event.phone} {why}", True
        case PhoneLost():
            return f"phone lost: {event.reason}", True
    return None


def leg_phases(evidence: CaseEvidence) -> list[LegPhase]:
    """When each leg rang, talked and was on hold."""
    found = []
    for leg, call in evidence.legs.items():
        changes: list[_Change] = [*_changes(call), (evidence.ended, None, "")]
        for (began, phase, text), (ended, *_) in itertools.pairwise(changes):
            if phase is not None and ended > began:
                found.append(LegPhase(leg, phase, began, ended, text))
    return found


_Change = tuple[float, Phase | None, str]


def _changes(events: Iterable[Event]) -> Iterator[_Change]:
    """When a leg's state changes, and to what; None when it is over."""
    rang = confirmed = False
    media: MediaState | None = None
    for event in events:
        if isinstance(event, MediaState):
            media = event
            if confirmed:
                yield event.at, *_talk(media)
        elif isinstance(event, CallState):
            if event.state == "disconnected":
                yield event.at, None, ""
                return
            if event.state == "confirmed" and not confirmed:
                confirmed = True
                yield event.at, *_talk(media)
            elif not (confirmed or rang):
                rang = True
                yield event.at, "ringing", event.state


def _talk(media: MediaState | None) -> tuple[Phase, str]:
    if media is None:
        return "talking", "confirmed"
    words = [media.codec, media.direction]
    if media.secure:
        words.append("SRTP")
    is_talking = media.active and media.direction == "sendrecv"
    return ("talking" if is_talking else "held"), " ".join(filter(None, words))
