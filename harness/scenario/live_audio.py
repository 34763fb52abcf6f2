"""How well a caller hears an AI that names no marks: the limits of a stand-in's voice, as far as
samples and RTCP show them.

What was sent is not known, so neither its level nor the delay of a word is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from harness.audio.classify import Span, classify
from harness.audio.marks import SAMPLE_RATE
from harness.audio.quality import clipped_share
from harness.case.checks import audio
from harness.case.events import Expected, RtpStatistics
from harness.phone.leg import Leg

_NO_SOUND = ("silence", "noise")


@dataclass(frozen=True)
class Heard:
    """The part of a call in which a caller listened to an AI."""

    leg: Leg
    speaker: str  #: the AI, as findings call it
    since: float
    until: float
    greeted_at: float | None  #: when the caller's words had been said
    again: bool  #: behind a change of the call
    samples: NDArray[np.int16]  #: received from ``since`` until ``until``, at 8 kHz
    first_within_s: float  #: the most that the AI may say nothing


def quality(heard: Heard) -> list[Expected]:
    """The expectations, once the call is over."""
    spans = classify(heard.samples)
    first = () if heard.again else _first(heard, spans)
    return [*first, *_unclipped(heard, spans), *_delay(heard)]


def _first(heard: Heard, spans: Iterable[Span]) -> Iterator[Expected]:
    """How long the AI said nothing, unless its first words answered the caller's: some wait to be
    spoken to.
    """
    seconds = next((span.began for span in spans if span.kind not in _NO_SOUND), None)
    if seconds is None:  # that it is not heard is another finding
        return
    if heard.greeted_at is not None and heard.since + seconds >= heard.greeted_at:
        return
    limit_s = heard.first_within_s
    yield replace(
        audio.first.of(heard.speaker, heard.leg.id, seconds, limit_s),
        sound_due=((heard.since, heard.since + seconds),),
        least_s=max(0.0, seconds - limit_s),
    )


def _unclipped(heard: Heard, spans: Iterable[Span]) -> Iterator[Expected]:
    spoken = [
        heard.samples[int(span.began * SAMPLE_RATE) : int(span.ended * SAMPLE_RATE)]
        for span in spans
        if span.kind == "speech"
    ]
    if spoken:
        share = clipped_share(np.concatenate(spoken))
        yield audio.clipping.of(heard.speaker, heard.leg.id, share)


def _delay(heard: Heard) -> Iterator[Expected]:
    counters = heard.leg.facts.of(RtpStatistics)
    meanwhile = [one for one in counters if heard.since <= one.at <= heard.until]
    reported = [one.rtt_ms for one in meanwhile if one.rtt_ms]
    if reported:
        yield audio.round_trip.of(heard.speaker, heard.leg.id, min(reported))
