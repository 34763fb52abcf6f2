"""Measurements of findings: one class for each kind of check, with typed fields and units.

A finding has at most one (:attr:`harness.case.verdict.Finding.measured`). The table of checks
(:mod:`harness.case.check_table`) names each check's class, so ``events.jsonl`` stores only the
fields. A field that could not be measured keeps its default.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """The measurement of one check."""

    def plain(self) -> dict[str, Any]:
        """JSON-ready fields."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in values.items()
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class BetweenEnds(Measurement):
    """A measurement of one direction of a conversation, with the labels that findings use."""

    speaker: str = ""
    listener: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Direction(BetweenEnds):
    """Whether the listener heard the speaker, or what it heard instead."""

    towards: str = ""  #: the listener's role: ``ai``, ``caller``, ``agent``
    again: bool = False  #: after a change of the call
    delay_ms: float | None = None  #: until the speaker was heard
    #: What arrived instead: ``crossed``, ``echo``, ``no-rtp``, ``undeciphered``, ``silence`` …;
    #: ``unheard`` where only words tell; ``silent RTP`` where packets are counted, and a recording
    #: lacks the speaker; ``contradictory``.
    kind: str | None = None
    #: The evidence that it was heard: the name of a
    #: :class:`harness.case.checks.claims.Observation`, in lower case.
    observation: str = ""
    denied_by: str = ""  #: the contrary evidence, likewise
    instead: str | None = None  #: what the recording holds in the speaker's place
    rx_packets: int | None = None
    tx_packets: int | None = None
    level_dbov: float | None = None
    listened_s: float | None = None
    echo: bool = False
    foreign: tuple[int, ...] = ()  #: marks of other calls


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlyMedia(BetweenEnds):
    """Audio before the answer."""

    provisional: int = 0  #: 183s with SDP
    early: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence(BetweenEnds):
    """Whether a party was heard that must not be heard."""

    listened_s: float | None = None
    heard: tuple[int, ...] = ()  #: marks
    discarded: int | None = None  #: RTP packets received by a phone that holds the call


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing(Measurement):
    """Voices of other calls."""

    foreign: tuple[int, ...] = ()  #: marks
    echo: bool = False
    heard: int = 0  #: different marks


@dataclass(frozen=True, slots=True, kw_only=True)
class Level(BetweenEnds):
    """How loud a mark arrived."""

    level_dbov: float | None = None
    change_db: float | None = None
    clipped: float = 0.0  #: share of samples at full scale


@dataclass(frozen=True, slots=True, kw_only=True)
class Beneath(Measurement):
    """What sounds beneath the marks at a leg, level relative to the mark."""

    kind: str = ""  #: ``voice`` for an AI that has handed the call over; empty for nothing
    seconds: float = 0.0
    relative_db: float | None = None
    listened_s: float = 0.0  #: of marks that were taken out
    floor_db: float | None = None  #: what the codecs on the way leave


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss(Measurement):
    """RTP packets lost, how often some in a row (``bursts``), how many beside telephone-events
    (``events``), or too late to be played; if too few were sent, how much of the time their audio
    filled; and those that cannot be put in order (``turns`` of two sources, timestamps that stand
    ``still``).
    """

    lost: int = 0
    late: int = 0
    bursts: int = 0
    events: int = 0
    expected: int = 0
    share: float | None = None
    spanned_s: float | None = None
    filled_s: float | None = None
    turns: int = 0
    still: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Delay(BetweenEnds):
    """How long a voice took to arrive; None when it was not heard."""

    delay_ms: float | None = None
    limit_ms: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Duration(Measurement):
    """When something happened; ``seconds`` is None when it never did."""

    what: str = ""
    seconds: float | None = None
    limit_s: float | None = None
    expected_s: float | None = None
    since_invite_s: float | None = None  #: of an answer
    granted_s: float | None = None  #: of a registration's refresh
    asked_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lasted(Measurement):
    """A call that ended by itself."""

    ended_after_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers(Measurement):
    """The parties that answered one INVITE."""

    parties: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeated(Measurement):
    """Number of repetitions of a 200 after its ACK."""

    repeated: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweredBy(Measurement):
    """The parties that answered, or how an unanswered call ended."""

    answered: tuple[str, ...] = ()
    wanted: str = ""
    code: int | None = None
    state: str | None = None
    attempted: tuple[str, ...] = ()  #: what the AI's side saw: ``status:number``
    unseen: bool = False  #: the AI's side was not observable: attempts there are unknown
    called: tuple[str, ...] = ()  #: other assistants that the call was sent to, answered or not


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached(Measurement):
    """The numbers the AI got calls for."""

    reached: tuple[str, ...] = ()
    wanted: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestUser(Measurement):
    """The number a call was addressed to."""

    request_user: str = ""
    number: str = ""
    record: bool = False  #: read in the far end's record, not in the INVITE


@dataclass(frozen=True, slots=True, kw_only=True)
class Transport(Measurement):
    """The transport and port of a call."""

    transport: str = ""
    port: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trunk(Measurement):
    """The trunk a call came over."""

    trunk: str = ""
    wanted: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Codec(Measurement):
    """The codec negotiated by SDP."""

    codec: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Encryption(Measurement):
    """Whether the media is SRTP; None without media."""

    secure: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerId(Measurement):
    """The caller as From and P-Asserted-Identity name it."""

    from_user: str | None = None
    from_host: str | None = None
    from_e164: str | None = None
    unreadable: bool = False  #: From is no name and address (RFC 3261 section 20.20)
    asserted: tuple[str | None, ...] = ()
    anonymous: bool = False
    number: str = ""  #: the caller's
    record: bool = False  #: read in the far end's record, not in the INVITE


@dataclass(frozen=True, slots=True, kw_only=True)
class Withheld(Measurement):
    """How a message hides the caller's number."""

    anonymous: bool = False
    asserted: tuple[str | None, ...] = ()
    privacy: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()  #: headers that show the number nevertheless


@dataclass(frozen=True, slots=True, kw_only=True)
class Header(Measurement):
    """A header's values."""

    header: str = ""
    values: tuple[str, ...] = ()
    value: str | None = None  #: the one it should have
    record: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Landing(Measurement):
    """Where a call rang."""

    wanted: str = ""
    rang: tuple[str, ...] = ()  #: groups
    phones: tuple[str, ...] = ()  #: agents' phones
    alike: tuple[str, ...] = ()  #: other groups for which the same phones would have rung


@dataclass(frozen=True, slots=True, kw_only=True)
class StopsRinging(Measurement):
    """Whether a phone stops ringing when another agent answers."""

    stopped: bool = False
    limit_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ringing(Measurement):
    """How often a phone rang."""

    rang: int = 0
    watched: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferMode(Measurement):
    """A platform's treatment of the AI's REFER, declared and seen: ``consumed`` or ``passed-on``."""

    declared: str
    seen: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CallsUp(Measurement):
    """The legs that are up at a phone."""

    up: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FinalResponse(Measurement):
    """A final status; 0 when none came."""

    code: int | None = None
    reason: str = ""
    wanted: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Digits(Measurement):
    """DTMF digits."""

    sent: str = ""
    seen: str = ""
    methods: tuple[str, ...] = ()
    method: str = ""  #: by which they were sent: ``rfc4733`` or ``info``


@dataclass(frozen=True, slots=True, kw_only=True)
class DigitDurations(Measurement):
    """How long each digit lasted."""

    durations_ms: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionInterval(Measurement):
    """A session timer as agreed (RFC 4028)."""

    agreed_s: int | None = None
    min_se_s: int = 0
    refused: int = 0  #: 422s


@dataclass(frozen=True, slots=True, kw_only=True)
class Provisional(Measurement):
    """Provisional responses, and which were sent reliably (RFC 3262)."""

    provisional: tuple[int, ...] = ()
    reliable: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine(Measurement):
    """An answering machine, in seconds after the call was answered."""

    speech_s: float | None = None
    tone_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken(Measurement):
    """Seconds between the last word and the end of the call; None without a voice."""

    before_end_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait(Measurement):
    """A wait that ended without its event."""

    goal: str = ""
    within_s: float | None = None
    why: str = ""
