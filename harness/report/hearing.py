"""What each leg received, for a reader: drawn, played and measured.

The picture and the figures are made once, by whoever asks first, and kept beside the recording for the next report.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from harness.audio import quality
from harness.audio.classify import classify
from harness.audio.detector import Heard, marks_heard
from harness.audio.marks import SAMPLE_RATE
from harness.audio.resample import resample
from harness.audio.spectrogram import spectrogram_svg
from harness.audio.speech import SILENCE_DBOV
from harness.audio.wav import WavError, read_wav
from harness.events import MediaState, RtpStatistics
from harness.report import sound
from harness.report.evidence import CaseEvidence, Recording
from harness.report.moments import is_foreign, name_mark, owners


@dataclass(frozen=True)
class Hearing:
    """One leg; without a picture and a player when it received nothing."""

    recording: Recording
    picture: str  #: the spectrogram with marks, speech and tones on it, as SVG
    player: str  #: what was received, as a ``data:`` URI

    @property
    def leg(self) -> str:
        """The leg's name."""
        return self.recording.leg


#: The columns of :func:`figures`, and what each says.
COLUMNS: Final = (
    ("leg", ""),
    ("codec", "as negotiated last"),
    ("received", "the recording's length, and RTP packets"),
    ("lost", "RTP packets that never came, and those that came too late to be played"),
    ("bursts", "losses in a row, and their mean length"),
    ("jitter", "RFC 3550 section 6.4.1, mean"),
    ("round trip", "by RTCP"),
    ("MOS", "conversational, ITU-T G.107 E-model, of codec, loss, bursts, delay and jitter"),
    ("level", "of the active parts, and the highest peak"),
    ("SNR", "by the mark's own match, else active parts over pauses"),
    ("gaps", "silences of 40 ms or more inside the sound, and the longest"),
    ("repeats", "frames of 20 ms that are the one before: concealed losses"),
    ("clipped", "samples at full scale"),
    ("clock", "the sender's against the receiver's"),
)


def hearings(evidence: CaseEvidence) -> list[Hearing]:
    """One entry a leg that has a recording, in order of appearance."""
    return [_hearing(evidence, recording) for recording in evidence.recordings]


def figures(evidence: CaseEvidence) -> list[list[str]]:
    """The quality of each direction, measured where it is received: a header, then a row a leg."""
    rows = [[title for title, _ in COLUMNS]]
    recordings = {recording.leg: recording for recording in evidence.recordings}
    for leg, events in evidence.legs.items():
        statistics = evidence.statistics.get(leg)
        recording = recordings.get(leg)
        measured = _measured(recording.received) if recording and recording.received else None
        if statistics is None and measured is None:
            continue
        codec = next((e.codec for e in reversed(events) if isinstance(e, MediaState) and e.active), "")
        rows.append([leg, codec or "–", *_cells(codec, statistics, measured)])
    return rows


def _hearing(evidence: CaseEvidence, recording: Recording) -> Hearing:
    received = recording.received
    player = sound.data_uri(received) if received else None
    if received is None or player is None:
        return Hearing(recording, "", "")
    kept = received.with_suffix(".svg")
    try:
        picture = kept.read_text(encoding="utf-8")
    except FileNotFoundError:
        picture = _drawn(evidence, recording.leg, received)
        kept.write_text(picture, encoding="utf-8")
    return Hearing(recording, picture, player)


def _drawn(evidence: CaseEvidence, leg: str, wav: Path) -> str:
    samples, rate = read_wav(wav)
    own, voices = owners(evidence), evidence.case.get("voices") or {}
    spans, wrong = [], set()
    for span in classify(samples, rate):
        if (mark := span.mark) is not None:
            span = dataclasses.replace(span, detail=name_mark(mark, own, voices))
            if is_foreign(mark, own) or own.get(mark) == leg:
                wrong.add(span.detail)
        spans.append(span)
    return spectrogram_svg(samples, rate, spans, f"What {leg} received", wrong=wrong)


def _measured(wav: Path) -> dict[str, Any] | None:
    """What the samples tell; None when there is nothing in the file."""
    kept = wav.with_suffix(".json")
    try:
        found: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
    except FileNotFoundError:
        pass
    else:
        return found
    try:
        samples, rate = read_wav(wav)
    except WavError:
        return None
    if not len(samples):
        return None
    audio = resample(samples, rate, SAMPLE_RATE)
    heard = [fact for fact in marks_heard(audio) if isinstance(fact, Heard)]
    found = {"seconds": len(samples) / rate} | quality.figures(audio, heard)
    kept.write_text(json.dumps(found) + "\n", encoding="utf-8")
    return found


def _cells(codec: str, statistics: RtpStatistics | None, measured: dict[str, Any] | None) -> list[str]:
    return [_received(statistics, measured), *_network(codec, statistics), *_sound(measured)]


def _received(statistics: RtpStatistics | None, measured: dict[str, Any] | None) -> str:
    parts = [f"{measured['seconds']:.2f} s"] if measured else []
    return ", ".join(parts + ([f"{statistics.rx_packets} packets"] if statistics else []))


def _network(codec: str, statistics: RtpStatistics | None) -> list[str]:
    expected = statistics.rx_packets + statistics.rx_lost if statistics else 0
    if statistics is None or not expected:
        return ["–"] * 5
    lost = statistics.rx_lost + statistics.rx_discarded
    bursts = f"{statistics.rx_bursts} of {statistics.rx_burst_ms:.0f} ms" if statistics.rx_bursts else "–"
    return [
        f"{lost} ({lost / expected:.1%})",
        bursts,
        f"{statistics.rx_jitter_ms:.1f} ms",
        f"{statistics.rtt_ms:.1f} ms" if statistics.rtt_ms else "–",
        _mos(codec, statistics, min(1.0, lost / expected)),
    ]


def _mos(codec: str, statistics: RtpStatistics, share: float) -> str:
    """What the E-model makes of a codec it knows with so much of it lost.

    The network's delay is half the round trip, as nobody else knows it.
    """
    known = {name.lower(): name for name in quality.CODECS}
    if codec.lower() not in known:
        return "–"
    packet_ms = 20.0  # what all of the codecs' profiles here send by default (RFC 3551 section 4.5)
    mean_burst = statistics.rx_burst_ms / packet_ms
    rating = quality.rate(
        known[codec.lower()],
        loss_percent=100 * share,
        burst_ratio=max(1.0, mean_burst * (1 - share)),
        delay_ms=statistics.rtt_ms / 2,
        jitter_ms=statistics.rx_jitter_ms,
    )
    return f"{rating.mos:.1f}"


def _sound(measured: dict[str, Any] | None) -> list[str]:
    if measured is None:
        return ["–"] * 6
    snr = quality.best_snr(measured)
    gaps, drift = measured["gaps"], measured["clock_drift_ppm"]
    return [
        f"{measured['active_dbov']:.0f} dBov, peak {measured['peak_dbov']:.0f}"
        if measured["active_dbov"] > SILENCE_DBOV
        else "silence",
        "–" if snr is None else f"{snr:.0f} dB",
        f"{len(gaps)}, {1000 * max(gap['seconds'] for gap in gaps):.0f} ms" if gaps else "0",
        str(measured["repeats"]),
        f"{measured['clipped_share']:.2%}" if measured["clipped_share"] else "0",
        "–" if drift is None else f"{drift:+.0f} ppm",
    ]
