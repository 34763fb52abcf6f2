"""How well a caller hears an AI that names no marks: the limits of a stand-in's voice, as far as
samples and RTCP show them.

What was sent is not known, so neither its level nor the delay of a word is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from harness.audio.classify import Span, classify
from harness.audio.marks import SAMPLE_RATE
from harness.audio.quality import clipped_share
from harness.case.checks import audio
from harness.case.events import Expected, RtpStatistics
from harness.scenario.ends import received_between
from harness.scenario.signs import Look

_NO_SOUND = ("silence", "noise")


def quality(look: Look) -> list[Expected]:
    """The expectations, once the call is over."""
    samples = received_between(look.leg, look.since, look.until)
    spans = classify(samples)
    found: list[Expected] = []
    if not look.again:
        found += _first(look, spans)
    found += _unclipped(look, samples, spans)
    found += _delay(look)
    return found


def _first(look: Look, spans: Iterable[Span]) -> Iterator[Expected]:
    """How long the AI said nothing, unless its first words answered the caller's: some wait to be
    spoken to.
    """
    seconds = next((span.began for span in spans if span.kind not in _NO_SOUND), None)
    if seconds is None:  # that it is not heard is another finding
        return
    if look.greeted_at is not None and look.since + seconds >= look.greeted_at:
        return
    limit_s = look.silent_s
    yield replace(
        audio.first.of(look.talk.label, look.leg.id, seconds, limit_s),
        sound_due=((look.since, look.since + seconds),),
        least_s=max(0.0, seconds - limit_s),
    )


def _unclipped(look: Look, samples: NDArray[np.int16], spans: Iterable[Span]) -> Iterator[Expected]:
    spoken = []
    for span in spans:
        if span.kind == "speech":
            first, last = int(span.began * SAMPLE_RATE), int(span.ended * SAMPLE_RATE)
            spoken.append(samples[first:last])
    if spoken:
        share = clipped_share(np.concatenate(spoken))
        yield audio.clipping.of(look.talk.label, look.leg.id, share)


def _delay(look: Look) -> Iterator[Expected]:
    counters = look.leg.facts.of(RtpStatistics)
    meanwhile = [one for one in counters if look.since <= one.at <= look.until]
    reported = [one.rtt_ms for one in meanwhile if one.rtt_ms]
    if reported:
        yield audio.round_trip.of(look.talk.label, look.leg.id, min(reported))
