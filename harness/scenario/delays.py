"""One-way delay where both ends are ours: each plays the probe, and the other's recording tells when its pulses came."""

from __future__ import annotations

import time
from typing import Final

from harness.audio.delay import PERIOD_SECONDS, one_way_delay, probe
from harness.audio.marks import SAMPLE_RATE
from harness.audio.wav import to_int16, write_wav
from harness.calls.checks import quality
from harness.phone.protocol import Wav
from harness.scenario.context import CaseContext
from harness.scenario.ends import Call

#: For the longest delay worth a figure, and for what a recording has not on disk yet.
_MORE_S: Final = 1.5


def measure(context: CaseContext, one: Call, other: Call) -> None:
    """A finding for each direction. Known to a packet (20 ms): so exactly is known when a phone began to play."""
    path = context.evidence.directory / "delay-probe.wav"
    write_wav(path, to_int16(probe()), SAMPLE_RATE)
    with context.evidence.step(f"{one.label} and {other.label} measure the delay between them"):
        began = {}
        for speaker in (one, other):
            began[speaker.label] = time.monotonic()
            speaker.leg.play(Wav(path))
        listened = PERIOD_SECONDS + _MORE_S
        context.pause(listened)
        context.evidence.scripted(listened, "the delay's probe")
        for speaker, listener in ((one, other), (other, one)):
            since = began[speaker.label]
            heard = listener.leg.received_since(since)
            measured = one_way_delay(heard, SAMPLE_RATE, sent_from=since, received_from=since)
            context.evidence.add(
                quality.one_way_delay(speaker.label, listener.label, measured, len(heard) / SAMPLE_RATE)
            )
