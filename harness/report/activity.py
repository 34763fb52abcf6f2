"""What a phone did between its messages: what it heard, its media, its registrations, and the phases of its legs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from harness.audio.marks import VOICES, replied
from harness.calls.events import (
    AskedByOptions,
    CallsRefused,
    CallState,
    DtmfReceived,
    Event,
    MediaState,
    NameLookup,
    PasswordWithheld,
    PhoneLost,
    RegistrationState,
    StrangerRefused,
    TlsHandshake,
    TransferProgress,
    TransportFailed,
    phone_of,
)
from harness.calls.events import LegStarted as _LegStarted
from harness.report.case_log import finite
from harness.report.evidence import CaseEvidence, MarkSpan
from harness.report.flow import on_our_clock

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
    """Whose mark it is: ``caller.1``, ``reply to caller.1``, an assistant's own voice, or one of no leg of this case."""
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


def far_end_marks(evidence: CaseEvidence) -> list[MarkSpan]:
    """The marks a far end says it heard (``witness.marks``: mark, at, until, level_dbov; times by its wall clock)."""
    found = []
    for record in evidence.far_end:
        entries = record.witness("marks")
        for entry in entries if isinstance(entries, list) else []:
            if isinstance(entry, Mapping) and isinstance(entry.get("mark"), int):
                began = on_our_clock(evidence, entry.get("at"), record.at)
                ended = on_our_clock(evidence, entry.get("until"), began)
                found.append(
                    MarkSpan(
                        f"{record.phone}'s record",
                        entry["mark"],
                        began,
                        max(began, ended),
                        _level(entry.get("level_dbov")),
                        1.0,
                    )
                )
    return found


def _level(told: object) -> float:
    try:
        return finite(told)
    except TypeError:
        return 0.0


def owners(evidence: CaseEvidence) -> dict[int, str]:
    """The leg that sends each mark of this case."""
    return {event.mark: event.leg for event in evidence.events if isinstance(event, _LegStarted) and event.leg}


def activities(evidence: CaseEvidence) -> list[Activity]:
    """What happened besides messages, by time."""
    own = owners(evidence)
    voices = evidence.case.get("voices") or {}
    found = [moment for event in evidence.events if (moment := activity_of(event)) is not None]
    for span in evidence.marks:
        found.append(Activity(span.began, phone_of(span.leg), f"{span.leg} hears {name_mark(span.mark, own, voices)}"))
    return sorted(found, key=lambda moment: moment.at)


def activity_of(event: Event) -> Activity | None:
    """What an event says in words; None where others show it."""
    words: Callable[[Any], tuple[str, bool] | None] | None = _WORDS.get(type(event))
    said = words(event) if words else None
    return Activity(event.at, event.phone, said[0], said[1]) if said else None


def _asked(event: AskedByOptions) -> tuple[str, bool]:
    seen = "has answered" if event.answered else "has got no"
    return f"the {event.phone} has been there for {event.there_s:.1f} s, and {seen} OPTIONS of the platform's", False


def _media(event: MediaState) -> tuple[str, bool]:
    if not event.active:
        return f"{event.leg} has no media", True
    secure = ", SRTP" if event.secure else ""
    return f"{event.leg} media {event.codec or '?'} {event.direction}{secure}", False


def _registration(event: RegistrationState) -> tuple[str, bool]:
    if event.active:
        return f"registered for {event.expires} s", False
    return f"not registered: {event.code} {event.reason}".rstrip(), event.code >= 300


_WORDS: dict[type[Event], Callable[[Any], tuple[str, bool] | None]] = {
    MediaState: _media,
    RegistrationState: _registration,
    DtmfReceived: lambda event: (f"{event.leg} receives digit {event.digit} ({event.method})", False),
    TransferProgress: lambda event: (f"{event.leg} transfer: {event.code} {event.reason}".rstrip(), event.code >= 300),
    TransportFailed: lambda event: (f"{event.transport.upper()} to {event.remote} failed: {event.reason}", True),
    AskedByOptions: lambda event: _asked(event) if event.answered or event.every_s else None,
    TlsHandshake: lambda event: (f"TLS handshake of {event.remote}{' failed' * event.failed}", event.failed),
    StrangerRefused: lambda event: (
        f"{event.count}× {event.method} of {event.source} ({event.user_agent or 'no user agent'}) refused: "
        + ("none of the platform's addresses" if event.why == "address" else "it names a call of the harness wrongly"),
        False,
    ),
    NameLookup: lambda event: (
        f"DNS, {event.name}: {event.problem or 'found'} after {event.seconds:.1f} s",
        bool(event.problem),
    ),
    PasswordWithheld: lambda event: (f"no password for a challenge: {event.why}", True),
    CallsRefused: lambda event: (
        f"a call from {event.source} refused: {event.phone} "
        + (f"does not know {event.why}" if event.why else "had no room for it then"),
        True,
    ),
    PhoneLost: lambda event: (f"phone lost: {event.reason}", True),
}


def leg_phases(evidence: CaseEvidence) -> list[LegPhase]:
    """When each leg rang, talked and was on hold."""
    return [stretch for leg, events in evidence.legs.items() for stretch in _of_leg(leg, events, evidence.ended)]


def _of_leg(leg: str, events: list[Event], end: float) -> list[LegPhase]:
    found: list[LegPhase] = []
    phase: Phase | None = None
    began = 0.0
    text = ""
    confirmed = False
    media: MediaState | None = None

    def turn(at: float, to: Phase | None, words: str = "") -> None:
        nonlocal phase, began, text
        if phase is not None and at > began:
            found.append(LegPhase(leg, phase, began, at, text))
        phase, began, text = to, at, words

    for event in events:
        if isinstance(event, CallState):
            if event.state == "confirmed" and not confirmed:
                confirmed = True
                turn(event.at, *_talk(media))
            elif event.state == "disconnected":
                turn(event.at, None)
            elif not confirmed and phase is None:
                turn(event.at, "ringing", event.state)
        elif isinstance(event, MediaState):
            media = event
            if confirmed and phase is not None:
                turn(event.at, *_talk(media))
    if phase is not None:
        turn(end, None)
    return found


def _talk(media: MediaState | None) -> tuple[Phase, str]:
    if media is None:
        return "talking", "confirmed"
    text = " ".join(filter(None, (media.codec, media.direction, "SRTP" if media.secure else "")))
    return ("talking" if media.active and media.direction == "sendrecv" else "held"), text
