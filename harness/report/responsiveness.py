"""How the voice agent responds in a call, measured on what the caller's phone sent and received.

Figures; where the deployment sets a limit to one, a finding is made of it. They come from the marks that were heard and from the
speech in what the caller sent, so they are as exact as the detector, which is 200 ms.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from harness.audio.classify import Span, classify
from harness.audio.marks import PERIOD_SECONDS, VOICES
from harness.audio.wav import WavError, read_wav
from harness.calls.checks.timing import responsive
from harness.calls.events import LegStarted
from harness.calls.verdict import Finding
from harness.deployment import STAND_IN, Manners
from harness.report.case_log import answered_at, started
from harness.report.evidence import CaseEvidence
from harness.report.hearing import first_sample, sounds

#: Silences shorter than this are pauses between words, and between the turns of an agent's mark and its reply, in seconds.
_PAUSE_S = 0.4


@dataclass(frozen=True)
class ResponseTime:
    """One figure of one call."""

    leg: str
    title: str
    seconds: float | None  #: None when it was looked at and never came
    basis: str  #: what it was measured on

    def __str__(self) -> str:
        value = "never" if self.seconds is None else f"{self.seconds:.2f} s"
        return f"{self.title}: {value} ({self.basis})"


DEAD_AIR, TRANSFER = "dead air before the first word", "silence in the transfer"


INTERRUPTION, ANSWER = "stops when interrupted", "answer time"


def findings(evidence: CaseEvidence, limits: Manners) -> Iterator[Finding]:
    """A finding of each figure that the deployment sets a limit to."""
    held = {
        DEAD_AIR: ("manners.dead_air", limits.dead_air_s),
        ANSWER: ("manners.answer", limits.answer_s),
        TRANSFER: ("manners.transfer", limits.transfer_silence_s),
        INTERRUPTION: ("manners.interruption", limits.interruption_s),
    }
    if not any(limit for _, limit in held.values()):
        return
    for one in response_times(evidence):
        check, limit = held[one.title]
        if limit is not None:
            yield responsive(check, one.leg, one.seconds, limit, one.basis)


#: A stretch of time in which somebody is heard without a pause, on the case's clock.
Turn = tuple[float, float]


def response_times(evidence: CaseEvidence) -> list[ResponseTime]:
    """The figures of each answered call of a harness caller; none where no voice agent was heard."""
    found: list[ResponseTime] = []
    for leg, events in evidence.legs.items():
        begun, answered = started(events), answered_at(events)
        if begun is None or begun.direction != "outgoing" or begun.replaces is not None or answered is None:
            continue
        agent, person = _heard(evidence, leg)
        if agent:
            found += _of_call(leg, answered, agent, person, list(_spoken(evidence, leg)))
    return found


@dataclass(frozen=True)
class _Person:
    """The person to whom the call was handed over."""

    heard: float  #: when first
    rang: Turn | None  #: from when until when the person's phone, a harness phone, rang


def _heard(evidence: CaseEvidence, leg: str) -> tuple[list[Turn], _Person | None]:
    """The voice agent's turns, and the person whom the call was handed to.

    An agent is known by its mark (an assistant's own, its replies, a stand-in's); one without a mark by speech, up to the hand-over.
    """
    stand_ins = {
        event.mark
        for event in evidence.events
        if isinstance(event, LegStarted) and event.phone == STAND_IN and event.leg
    }
    spans = sorted((span for span in evidence.marks if span.leg == leg), key=lambda span: span.began)
    agent = [(s.began, s.ended) for s in spans if s.mark in stand_ins or s.mark >= VOICES.start]
    others = [s for s in spans if s.mark not in stand_ins and s.mark < VOICES.start]
    if not agent:
        end = others[0].began if others else evidence.ended
        agent = [turn for turn in _words(evidence, leg, "received") if turn[0] < end]
    turns = _turns(agent)
    person = next((s for s in others if turns and s.began > turns[0][0]), None)
    return turns, _Person(person.began, _rang(evidence, person.mark)) if person else None


def _rang(evidence: CaseEvidence, mark: int) -> Turn | None:
    """From when until when the leg that sends this mark rang; None where that is not seen."""
    for events in evidence.legs.values():
        begun, answered = started(events), answered_at(events)
        if begun is not None and begun.mark == mark and begun.direction == "incoming":
            return (begun.at, answered) if answered is not None else None
    return None


def _of_call(
    leg: str, answered: float, agent: Sequence[Turn], person: _Person | None, caller: Sequence[Turn]
) -> Iterator[ResponseTime]:
    yield ResponseTime(leg, DEAD_AIR, max(0.0, agent[0][0] - answered), "from the answer")
    if person is not None:
        last = max(ended for began, ended in agent if began < person.heard)
        # how long the harness phone rings does not count against the AI
        rang = max(0.0, person.rang[1] - max(last, person.rang[0])) if person.rang else 0.0
        basis = "from its last sound to the person's first" + (", without the ring" if person.rang else "")
        yield ResponseTime(leg, TRANSFER, max(0.0, person.heard - last - rang), basis)
    for began, ended in caller:
        if person is not None and ended > person.heard:
            continue
        during = next((turn for turn in agent if turn[0] < began < turn[1]), None)
        after = next((turn for turn in agent if turn[0] >= ended), None)
        if during is not None and during[1] < ended:
            yield ResponseTime(leg, INTERRUPTION, during[1] - began, "from the caller's first word")
        elif during is not None:
            yield ResponseTime(leg, INTERRUPTION, None, f"the caller spoke for {ended - began:.1f} s")
        elif after is not None:
            yield ResponseTime(leg, ANSWER, after[0] - ended, "from the caller's last word")


def _turns(spans: Iterable[Turn]) -> list[Turn]:
    """The spans by time, joined over pauses."""
    found: list[Turn] = []
    for began, ended in sorted(spans):
        if found and began - found[-1][1] < _PAUSE_S:
            found[-1] = (found[-1][0], max(ended, found[-1][1]))
        else:
            found.append((began, ended))
    return found


def _spoken(evidence: CaseEvidence, leg: str) -> list[Turn]:
    """When the caller spoke (words, no marks), by what its phone sent."""
    return _turns(_words(evidence, leg, "sent"))


def _words(evidence: CaseEvidence, leg: str, which: Literal["received", "sent"]) -> Iterator[Turn]:
    """The speech in one of the leg's recordings. Both of them begin with the leg's media."""
    recording = next((recording for recording in evidence.recordings if recording.leg == leg), None)
    path = getattr(recording, which) if recording else None
    began = first_sample(evidence, leg)
    if path is None or began is None:
        return
    try:
        spans = sounds(evidence, leg, path)[1] if which == "received" else _sent(path)
    except WavError:
        return
    for span in spans:
        if span.kind == "speech":
            yield began + span.began, began + span.ended


def _sent(path: Path) -> list[Span]:
    """What a harness phone sent, span by span; empty where it sent only its mark, which is no speech.

    A mark repeats itself sample by sample, since the recording is of what was sent, before it was encoded.
    """
    samples, rate = read_wav(path)
    period = round(PERIOD_SECONDS * rate)
    return [] if np.array_equal(samples[period:], samples[:-period]) else classify(samples, rate)
