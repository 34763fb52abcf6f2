"""Events of calls: frozen, timed, and plain enough to cross a process border or be stored as JSON.

``at`` is the machine's monotonic clock in seconds (``time.monotonic()``, shared by all processes of
a machine). ``phone`` names a softphone (``caller``), ``leg`` one call of it (``caller.1``), unique
within a case.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final, Literal

from harness.support.field_kinds import require_kinds

DigitMethod = Literal["rfc4733", "info", "inband"]
Direction = Literal["sent", "received"]
#: The rule by which a digest challenge was not answered.
WithheldBy = Literal["realm configured", "first realm", "stronger algorithm"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event at one time, at one phone; ``phone`` is empty for what concerns the whole case."""

    at: float
    phone: str = ""
    leg: str | None = None


def phone_of(leg: str) -> str:
    """The phone whose call it is, of any name: ``desk.2`` of ``desk.2.1``. Empty where it is no
    leg.
    """
    phone, _, number = leg.rpartition(".")
    return phone if number.isdecimal() else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SipMessage(Event):
    """A SIP message, complete, as the phone's transport sent or received it.

    ``unread``: why the phone's stack dropped a received message before the call saw it.
    """

    direction: Direction
    transport: str  #: ``udp``, ``tcp``, ``tls``
    local: str  #: ``address:port``
    remote: str
    text: str
    unread: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LegStarted(Event):
    """A leg began: dialled, received, or placed by the phone on a REFER (then ``replaces`` is the
    old leg).
    """

    direction: Literal["outgoing", "incoming"]
    mark: int  #: the mark that this leg sends
    remote_uri: str
    replaces: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallState(Event):
    """The call's state by RFC 3261's dialog states; ``code`` is the SIP status behind it, 0 when
    none.
    """

    state: Literal["calling", "incoming", "early", "connecting", "confirmed", "disconnected"]
    code: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaState(Event):
    """Media is negotiated, or changed."""

    active: bool
    direction: Literal["sendrecv", "sendonly", "recvonly", "inactive"]
    codec: str = ""  #: ``PCMU``, ``PCMA`` … as SDP spells it
    clock_rate: int = 0
    local_rtp: str = ""
    remote_rtp: str = ""
    secure: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkHeard(Event):
    """A mark was decoded in the received audio; recorded again every 200 ms while it lasts."""

    mark: int
    began: float  #: monotonic time of the first sample that belongs to it
    level_dbov: float
    quality: float  #: 0…1, the correlation with the mark's waveform


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkEnded(Event):
    """A mark that was present is no longer heard."""

    mark: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Listened(Event):
    """How much audio the listener has examined so far, which tells silence from not listening."""

    seconds: float  #: received audio looked at since the leg began
    level_dbov: float  #: of the part since the last pulse; -96.0 is digital silence


@dataclass(frozen=True, slots=True, kw_only=True)
class DtmfReceived(Event):
    """A digit arrived."""

    digit: str
    duration_ms: int  #: 0 when the far end named none
    method: DigitMethod


PACKET_S: Final = 0.02  #: how much audio an RTP packet holds by default (RFC 3551 section 4.2)
_OCTETS_A_SECOND: Final = 8000  # of G.711


@dataclass(frozen=True, slots=True, kw_only=True)
class RtpStatistics(Event):
    """RTP and RTCP counters of the leg so far (RFC 3550)."""

    tx_packets: int
    tx_bytes: int
    rx_packets: int
    rx_bytes: int
    rx_lost: int
    rx_discarded: int  #: by pjmedia: the first packet after a jump in the sequence numbers, and packets that are not RTP
    rx_reordered: int
    rx_duplicated: int
    rx_jitter_ms: float
    tx_lost: int  #: as the far end reports by RTCP
    tx_jitter_ms: float
    rtt_ms: float  #: by RTCP; 0.0 when none came
    rx_bursts: int = 0  #: how often one or more packets in a row were lost
    rx_burst_ms: float = 0.0  #: how much audio was missing each time, on average
    rx_other_type: int = (
        0  #: packets of another codec than the one agreed on, by their payload type
    )
    rx_spanned_ms: int = 0  #: between packets of one source, pauses and announced silence left out
    rx_filled_ms: int = (
        0  #: the part of ``rx_spanned_ms`` filled with audio, lost and reordered packets included
    )
    #: Packets that came too late for a jitter buffer: by 100 ms more than those around them.
    rx_late: int = 0
    rx_events_missing: int = 0  #: of the lost packets, those next to telephone-events
    rx_turns: int = 0  #: how often the source (SSRC) of the audio changed back to the one before
    rx_still: int = 0  #: packets of audio with the timestamp of the one before
    tx_offered: int = (
        0  #: packets given to the transport; ``tx_packets`` excludes those that it could not send
    )
    rx_elsewhere: str = ""  #: the source host of all RTP, if the far end's SDP names another
    #: ``address:port`` of a host named in SDP or signalling that sent SRTP when the key decrypted
    #: no packet of any source.
    undeciphered_from: str = ""

    @property
    def rx_expected(self) -> int:
        """Packets expected. Duplicates (RFC 7198), which ``rx_packets`` includes, count once."""
        return max(0, self.rx_packets - self.rx_duplicated) + self.rx_lost

    @property
    def packet_s(self) -> float:
        """Seconds of audio in a received packet: 20 ms, or more by G.711's octets (RFC 3551
        sections 4.2 and 4.5.14).
        """
        octets = self.rx_bytes / self.rx_packets if self.rx_packets else 0
        return max(PACKET_S, octets / _OCTETS_A_SECOND)


#: A longer pause, in seconds, is hold or a change of party, and not a dropout within speech.
LONGEST_DROPOUT_S: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RtpPaused(Event):
    """One source paused for 200 ms to 1 s, with no packet lost and no silence announced (RFC 3551
    section 4.1).
    """

    began: float  #: arrival of the last packet before the pause, monotonic like ``at``
    ended: float  #: arrival of the first packet after it


@dataclass(frozen=True, slots=True, kw_only=True)
class FarEndReport(Event):
    """The far end's RTCP report on the stream that it receives from the phone (RFC 3550 section
    6.4).
    """

    sent: int  #: packets sent by then
    received: int  #: packets received of these; unchanged when this report does not name the phone's stream
    lost: int
    fraction_lost: float  #: since its last report, 0…1
    jitter_ms: float
    #: False: no packet of the phone's stream arrived since the last report. Only reports of the
    #: source that named the stream last count: other sources may name none (RFC 8861), and pjsua2
    #: keeps naming the first stream it heard.
    names_us: bool
    reporter: int = 0  #: its SSRC


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignRtp(Event):
    """RTP from a host that neither the SDP nor the signalling of the call names. It is not heard,
    nor counted elsewhere.
    """

    source: str  #: ``address:port``; ``others`` when there are too many to tell apart
    packets: int  #: so far


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationState(Event):
    """A registration succeeded, was refused, was refreshed or ended."""

    code: int
    reason: str
    expires: int
    active: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferProgress(Event):
    """A NOTIFY for the phone's REFER (RFC 3515), or the final response to the REFER when it is not
    2xx.
    """

    code: int
    reason: str
    final: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportFailed(Event):
    """A connection could not be made or was lost: refused, TLS verification, handshake."""

    transport: str
    remote: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsHandshake(Event):
    """A far end connected to the phone over TLS and was shown its certificate; with ``failed``, the
    handshake did not complete.
    """

    remote: str  #: ``address:port``
    failed: bool  #: the handshake did not complete, for example because the far end refused the certificate


@dataclass(frozen=True, slots=True, kw_only=True)
class StrangerRefused(Event):
    """Requests were ignored: they came from an address that is not the platform's, or named a call
    wrongly.

    Recorded with the first of a kind, then once a second while more come. ``leg`` is the call that
    they named.
    """

    source: str  #: address; ``others`` when there are too many to tell apart
    transport: str
    method: str
    user_agent: str
    count: int  #: of this kind so far
    why: Literal["address", "call-id"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedByOptions(Event):
    """Whether the platform sent the phone an OPTIONS before the case began (RFC 3261 section 11)."""

    there_s: float  #: how long the phone had been at its address
    answered: bool  #: the phone answered an OPTIONS of the platform in that time
    #: The interval of the platform's OPTIONS, from the deployment file or as observed; None if
    #: unknown.
    every_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NameLookup(Event):
    """A slow or failed look-up of a host name. Recorded after a second, and at the end.

    ``leg`` is set when an INVITE waits for the name. If no known request waits for it, every phone
    of the process records it.
    """

    name: str
    seconds: float  #: so far
    problem: str  #: empty when the name was resolved
    denied: bool  #: the name server says that the name does not exist or has no address


@dataclass(frozen=True, slots=True, kw_only=True)
class PasswordWithheld(Event):
    """A digest challenge was not answered: the password must not be used for its realm or
    algorithm.
    """

    realm: str
    algorithm: str
    why: str
    rule: WithheldBy | None = None  #: the rule; None in older evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class CallsRefused(Event):
    """The phone refused an INVITE: it had no room for the call, or its stack lacks a feature. Not a
    platform fault.
    """

    source: str  #: address
    why: str = ""  #: the missing feature; empty when it had no room


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded(Event):
    """The leg's received audio is complete on disk."""

    path: str
    sent_path: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneLost(Event):
    """The phone's process died or stopped answering; ``log`` holds its last lines."""

    reason: str
    log: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FarEndRecord(Event):
    """The complete record of a call from the far end's interface; ``phone`` names the far end."""

    source: str  #: the request, e.g. ``GET /v2/calls/{id}``
    record: dict[str, Any]

    def witness(self, what: str) -> Any:
        """A field that the far end reports beyond the documented record, None if absent."""
        witness = self.record.get("witness")
        return witness.get(what) if isinstance(witness, dict) else None

    @property
    def messages(self) -> list[Any]:
        """The SIP messages in the witness part, or without one those of the record itself."""
        with_witness = isinstance(self.record.get("witness"), dict)
        found = self.witness("messages") if with_witness else self.record.get("messages")
        return found if isinstance(found, list) else []


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkInFile(Event):
    """What a file that others made holds of the mark that ``leg`` sent; ``phone`` sent it.

    ``at`` is when the mark was first heard there; without a mark, the beginning of the time that
    the file covers.
    """

    file: str  #: its name
    sha256: str
    made_at: str  #: where the sound was recorded: ``ai``, ``platform``, or ``source → destination`` of an RTP stream
    mark: int
    file_s: float  #: where ``at`` is in the file, in seconds from its beginning
    heard_s: float  #: from the first to the last time that it was heard; 0: never
    covered_s: float  #: how much of the leg's call the file covers, from ``at`` on
    call_id: str = ""  #: of the captured call; empty for a recording, and where no SIP shows it


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceInFile(Event):
    """Whether a recording that others made of a call has what ``leg`` received; ``at`` is when that
    was compared.
    """

    file: str  #: its name
    sha256: str
    made_at: str  #: as of :class:`MarkInFile`
    found: bool
    match: float  #: the correlation of the parts that agree on one place, 0…1
    parts: int  #: of half a second, that were looked for
    agreeing: int  #: of these, the most that agree
    round_trip_s: (
        float | None
    )  #: the delays of both directions together, where the caller's mark is there as well
    #: Speech in it beside the caller's own. 0: it has a side for the AI, which is silent
    #: throughout; None: not known.
    spoken_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageInFile(Event):
    """A SIP message of the call of ``leg`` in a capture that others made; ``phone`` made that call."""

    file: str  #: its name
    sha256: str
    transport: str
    source: str  #: ``address:port``
    destination: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RtpInFile(Event):
    """How much RTP towards ``leg`` passed the point of a capture that others made; ``at`` is when
    its call could carry sound. ``is_own``: the RTP that ``leg`` sent, whose sound is not known.
    """

    file: str  #: its name
    sha256: str
    made_at: str  #: ``source → destination``, of the RTP or, without any, of the signalling
    packets: int
    is_own: bool = False


Span = tuple[float, float]  #: from when to when, monotonic


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected(Event):
    """What the scenario expects, and what it saw of it: the judge makes a finding of it.

    ``given`` are the arguments of the check: JSON-ready, except for events and SIP messages
    (:mod:`harness.case.checks.registry`).
    """

    check: str  #: the stable name of the check function
    given: Mapping[str, Any]
    began: float | None = None  #: when its call of a load began; None: with the case
    dated_at: float | None = None  #: the time of the finding, where that is earlier than ``at``
    dispensable: bool = False  #: the deployment allows that this is not observable
    since: float | None = (
        None  #: from when its time runs, where it is judged long after that is over
    )
    #: When the sound was due. A failure is excused if this machine kept the harness from sending or
    #: hearing it each time, for ``least_s`` at a stretch.
    sound_due: Sequence[Span] = ()
    least_s: float | None = None
    #: When words had to be understood, where a busy machine makes them unclear rather than absent.
    words_due: Span | None = None
    #: The numbers shown by the calls that it rests on, where each of them may be a stranger's.
    strangers: Sequence[str] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineAsked(Event):
    """How busy this machine was between two moments: what its processes were kept from.

    A stall is a time in which a process did not run at all; waiting is for a processor.
    """

    began: float
    ended: float
    stalled_s: float = 0.0  #: added up over the processes of the case
    longest_stall_s: float = 0.0
    starved_s: float = 0.0  #: by the worst process: waiting, or audio that stood still
    starved_at_once_s: float = 0.0  #: the longest of these
    stood_still_s: float = 0.0  #: by the worst: audio of a softphone or of the simulated world
    share_waited: float = 0.0  #: by the worst, 0…1

    @property
    def is_idle(self) -> bool:
        """Whether nothing was kept from anything."""
        kept = self.stalled_s, self.starved_s, self.starved_at_once_s, self.stood_still_s
        return not any((*kept, self.share_waited))


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost(Event):
    """A part of the harness, or its simulated world, broke, or works again."""

    what: str  #: a line; empty: everything works


#: What files that others made show.
FileEvent = MarkInFile | VoiceInFile | MessageInFile | RtpInFile


_KINDS: dict[str, type[Event]] = {kind.__name__: kind for kind in Event.__subclasses__()}
_NAMES = {
    name: tuple(field.name for field in dataclasses.fields(kind)) for name, kind in _KINDS.items()
}
_VALUES = {name: attrgetter(*fields) for name, fields in _NAMES.items()}


def to_plain(event: Event) -> dict[str, Any]:
    """The event as JSON-ready data; ``kind`` names its class."""
    kind = type(event).__name__
    return {"kind": kind, **dict(zip(_NAMES[kind], _VALUES[kind](event), strict=True))}


def to_values(event: Event) -> list[Any]:
    """The class name and the field values in order: a compact form for pipes with many events a
    second.
    """
    kind = type(event).__name__
    return [kind, *_VALUES[kind](event)]


def from_values(kind_and_values: Sequence[Any]) -> Event:
    """The inverse of :func:`to_values`. Raises ``KeyError`` for an unknown kind, ``ValueError`` for
    a wrong number of values.
    """
    kind, *values = kind_and_values
    return _KINDS[kind](**dict(zip(_NAMES[kind], values, strict=True)))


def from_plain(plain: dict[str, Any]) -> Event:
    """The inverse of :func:`to_plain`. Raises ``KeyError`` for an unknown kind, ``TypeError`` for
    unknown fields.
    """
    values = dict(plain)
    kind = _KINDS[values.pop("kind")]
    require_kinds(kind, values)
    return kind(**values)
