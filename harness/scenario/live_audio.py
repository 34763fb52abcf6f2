"""How well a caller hears an AI that names no marks: the limits of a stand-in's voice, as far as
samples and RTCP show them.

What was sent is not known, so neither its level nor the delay of a word is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from harness.audio.classify import Span, classify
from harness.audio.marks import SAMPLE_RATE
from harness.audio.quality import clipped_share
from harness.calls.checks import audio
from harness.calls.checks.finding import hindered
from harness.calls.events import RtpStatistics
from harness.calls.verdict import Finding, Verdict
from harness.phone.leg import Leg
from harness.scenario.context import CaseContext
from harness.scenario.ends import received_between
from harness.scenario.signs import LISTEN_S

if TYPE_CHECKING:
    from harness.scenario.ai_calls import SynthflowCall

_NO_SOUND = ("silence", "noise")


@dataclass(frozen=True)
class Heard:
    """The part of a call in which a caller listened to an AI."""

    leg: Leg
    talk: SynthflowCall
    since: float
    until: float
    greeted_at: float | None  #: when the caller's words had been said
    again: bool  #: behind a change of the call


def quality(context: CaseContext, heard: Heard) -> list[Finding]:
    """The findings, once the call is over."""
    samples = received_between(heard.leg, heard.since, heard.until)
    spans = classify(samples)
    first = () if heard.again else _first(context, heard, spans)
    return [*first, *_unclipped(heard, samples, spans), *_delay(heard)]


def _first(context: CaseContext, heard: Heard, spans: Iterable[Span]) -> Iterator[Finding]:
    """How long the AI said nothing, unless its first words answered the caller's: some wait to be
    spoken to.
    """
    seconds = next((span.began for span in spans if span.kind not in _NO_SOUND), None)
    if seconds is None:  # that it is not heard is another finding
        return
    if heard.greeted_at is not None and heard.since + seconds >= heard.greeted_at:
        return
    limit_s = max(LISTEN_S, context.deployment.responsiveness.dead_air_s or 0.0)
    found = audio.first(heard.talk.label, heard.leg.id, seconds, limit_s)
    starved_s = context.evidence.starved(heard.since, heard.since + seconds)
    if found.verdict is Verdict.FAILED and starved_s >= seconds - limit_s:
        found = hindered(found, starved_s)
    yield found


def _unclipped(
    heard: Heard, samples: NDArray[np.int16], spans: Iterable[Span]
) -> Iterator[Finding]:
    spoken = [
        samples[int(span.began * SAMPLE_RATE) : int(span.ended * SAMPLE_RATE)]
        for span in spans
        if span.kind == "speech"
    ]
    if spoken:
        share = clipped_share(np.concatenate(spoken))
        yield audio.clipping(heard.talk.label, heard.leg.id, share)


def _delay(heard: Heard) -> Iterator[Finding]:
    counters = heard.leg.facts.of(RtpStatistics)
    meanwhile = [one for one in counters if heard.since <= one.at <= heard.until]
    told = [one.rtt_ms for one in meanwhile if one.rtt_ms]
    if told:
        yield audio.round_trip(heard.talk.label, heard.leg.id, min(told))
