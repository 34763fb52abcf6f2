"""What each leg received, for a reader: drawn, played and measured.

The picture, the MP3 and the figures are made once, by the first report that needs them, and kept
beside the recording. For a case that passed they are made on request (:func:`draw`): most of them
are never looked at.

MP3, not Opus: libsndfile takes 6 ms for 4 s of a leg where Opus takes 25 ms (one core, 8 kHz), the
file is smaller (7 KB against 11 KB), and every browser plays it, Safari before 18.4 included. The
WAV stays beside it for measurements.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import soundfile
from numpy.typing import NDArray
from pydantic import ConfigDict, TypeAdapter

from harness.audio import quality
from harness.audio.classify import classify
from harness.audio.detector import Heard, marks_heard
from harness.audio.marks import SAMPLE_RATE
from harness.audio.samples import SILENCE_DBOV, resample
from harness.audio.spectrogram import spectrogram_png
from harness.audio.wav import WavError, read_wav
from harness.case.events import RtpStatistics
from harness.case.log import Recording, finite
from harness.report.evidence import CaseEvidence
from harness.report.flow import name_mark, owners
from harness.support.files import json_file, user_files, whole_file

#: What was kept is not there, or is damaged: then it is made again, of the recording.
_NOT_KEPT: Final = (FileNotFoundError, ValueError, TypeError, KeyError, OverflowError)


@dataclass(frozen=True)
class Sound:
    """A stretch of one kind of sound in a recording, in seconds from its beginning."""

    began: float
    ended: float
    kind: str
    name: str


@dataclass(frozen=True)
class Sounds:
    """What is in a recording, and how long it is, in seconds."""

    __pydantic_config__ = ConfigDict(allow_inf_nan=False)

    seconds: float
    sounds: tuple[Sound, ...]


_HEARD = TypeAdapter(Sounds)


@dataclass(frozen=True)
class Hearing:
    """One leg; without a picture and a player when it received nothing, or as long as it is not
    drawn.
    """

    recording: Recording
    picture: str  #: the spectrogram, as a ``data:`` URI
    player: str  #: what was received, as a ``data:`` URI
    seconds: float = 0.0
    began: float | None = (
        None  #: when its first sample was received, on the case's clock; None when nothing tells
    )
    sounds: tuple[Sound, ...] = ()

    @property
    def leg(self) -> str:
        """The leg's name."""
        return self.recording.leg


#: The columns of :func:`figures`, and what each says.
COLUMNS: Final = (
    ("leg", ""),
    ("codec", "as negotiated last"),
    ("received", "the recording's length, and RTP packets"),
    ("lost", "of the packets that were numbered: those that never came"),
    ("bursts", "losses in a row, and their mean length"),
    ("jitter", "RFC 3550 section 6.4.1, mean"),
    ("round trip", "by RTCP"),
    (
        "MOS",
        "conversational, ITU-T G.107 E-model, of codec, loss, bursts, delay and jitter; only of 2 s of RTP or more",
    ),
    ("level", "of the active parts, and the highest peak"),
    ("SNR", "by the mark's own match, else active parts over pauses"),
    ("gaps", "silences of 40 ms or more inside the sound, and the longest"),
    ("repeats", "frames of 20 ms that are the one before: concealed losses"),
    ("clipped", "samples at full scale"),
    ("clock", "the sender's against the receiver's"),
)


def hearings(evidence: CaseEvidence) -> list[Hearing]:
    """One entry a leg that has a recording, in order of appearance. What did not pass is drawn;
    else, what has been before.
    """
    return [_hearing(evidence, recording) for recording in evidence.recordings]


def draw(evidence: CaseEvidence) -> None:
    """Draw what each leg received, and make it playable, whatever the verdict is."""
    for recording in evidence.recordings:
        if recording.received is not None:
            _draw(evidence, recording.received)


def _draw(evidence: CaseEvidence, received: Path) -> None:
    if _picture_of(received).is_file() or data_uri(received) is None:
        return
    sounds(evidence, received)
    whole_file.write(_picture_of(received), spectrogram_png(*read_wav(received)))


def _picture_of(received: Path) -> Path:
    return received.with_suffix(".png")


def figures(evidence: CaseEvidence) -> list[list[str]]:
    """The quality of each direction, measured where it is received: a header, then a row a leg."""
    rows = [[title for title, _ in COLUMNS]]
    recordings = {recording.leg: recording for recording in evidence.recordings}
    for leg, call in evidence.legs.items():
        statistics = evidence.statistics.get(leg)
        recording = recordings.get(leg)
        measured = _measured(recording.received) if recording and recording.received else None
        if statistics is None and measured is None:
            continue
        codec = call.codec
        seconds = measured["seconds"] if measured else None
        received = [f"{seconds:.2f} s"] if seconds is not None else []
        received += [f"{statistics.rx_packets} packets"] if statistics else []
        network = _network(codec, statistics, seconds)
        rows.append([leg, codec or "–", ", ".join(received), *network, *_sound(measured)])
    return rows


def _hearing(evidence: CaseEvidence, recording: Recording) -> Hearing:
    received = recording.received
    if received is None:
        return Hearing(recording, "", "")
    if not evidence.passed:
        _draw(evidence, received)
    kept = _picture_of(received)
    player = data_uri(received) if kept.is_file() else None
    began = evidence.legs[recording.leg].first_sample_at
    if player is None:
        return Hearing(recording, "", "", began=began)
    heard = sounds(evidence, received)
    picture = _as_uri("image/png", user_files.read(kept, user_files.EVIDENCE))
    return Hearing(recording, picture, player, heard.seconds, began, heard.sounds)


def sounds(evidence: CaseEvidence, received: Path) -> Sounds:
    """How long the recording of what a leg received is, and what is in it. Raises :class:`WavError`
    when it is no recording.
    """
    kept = received.with_suffix(".sounds.json")
    with contextlib.suppress(*_NOT_KEPT):
        return json_file.read_as(kept, _HEARD)
    samples, rate = read_wav(received)
    found = Sounds(len(samples) / rate, tuple(_sounds(evidence, samples, rate)))
    whole_file.write(kept, json_file.text(found) + "\n")
    return found


def _sounds(evidence: CaseEvidence, samples: NDArray[np.int16], rate: int) -> Iterator[Sound]:
    own, voices = owners(evidence), evidence.case.get("voices") or {}
    for span in classify(samples, rate):
        name = span.detail if span.mark is None else name_mark(span.mark, own, voices)
        yield Sound(round(span.began, 3), round(span.ended, 3), span.kind, name)


def _measured(wav: Path) -> dict[str, Any] | None:
    """What the samples tell; None when there is nothing in the file."""
    kept = wav.with_suffix(".json")
    with contextlib.suppress(*_NOT_KEPT):
        found: dict[str, Any] = json_file.read(kept)
        finite(found["seconds"])
        _sound(found)
        return found
    if (recorded := _recorded(wav)) is None:
        return None
    samples, rate = recorded
    audio = resample(samples, rate, SAMPLE_RATE)
    heard = [fact for fact in marks_heard(audio) if isinstance(fact, Heard)]
    found = {"seconds": len(samples) / rate} | dataclasses.asdict(quality.figures(audio, heard))
    whole_file.write(kept, json.dumps(found) + "\n")
    return found


def _network(codec: str, statistics: RtpStatistics | None, seconds: float | None) -> list[str]:
    expected = statistics.rx_expected if statistics else 0
    if statistics is None or not expected:
        return ["–"] * 5
    share = statistics.rx_lost / expected
    bursts = (
        f"{statistics.rx_bursts} of {statistics.rx_burst_ms:.0f} ms"
        if statistics.rx_bursts
        else "–"
    )
    return [
        f"{statistics.rx_lost} of {expected} ({share:.1%})",
        bursts,
        f"{statistics.rx_jitter_ms:.1f} ms",
        f"{statistics.rtt_ms:.1f} ms" if statistics.rtt_ms else "–",
        _mos(codec, statistics, share, seconds),
    ]


#: Fewer packets (2 s) rate nothing; nor do packets for less than this share of what was listened
#: to, since the E-model's loss is by sequence numbers and knows no packets that were never sent.
_LEAST_PACKETS, _LEAST_SHARE = 100, 0.8


def _mos(codec: str, statistics: RtpStatistics, share: float, seconds: float | None) -> str:
    """What the E-model makes of a codec it knows with so much of it lost, and what that is based
    on.

    The network's delay is taken as half the round trip.
    """
    known = {name.lower(): name for name in quality.CODECS}
    if codec.lower() not in known:
        return "–"
    packets = statistics.rx_expected
    if packets < _LEAST_PACKETS:
        return f"– (too few packets: {packets})"
    heard = packets * statistics.packet_s
    if seconds is not None and heard < _LEAST_SHARE * seconds:
        return f"– (RTP for {heard:.1f} of {seconds:.1f} s)"
    mean_burst = statistics.rx_burst_ms / (1000 * statistics.packet_s)
    r = quality.rate(
        known[codec.lower()],
        loss_percent=100 * share,
        burst_ratio=max(1.0, mean_burst * (1 - share)),
        delay_ms=statistics.rtt_ms / 2,
        jitter_ms=statistics.rx_jitter_ms,
    )
    return f"{quality.mos_of(r):.1f} ({packets} packets)"


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


def data_uri(wav: Path) -> str | None:
    """The recording as MP3 in a ``data:`` URI; made once, and kept beside the WAV for the next
    report.

    None when there is nothing in it, or it is no sound file (a killed phone leaves such).
    """
    kept = wav.with_suffix(".mp3")
    try:
        raw = user_files.read(kept, user_files.EVIDENCE)
    except FileNotFoundError:
        if (recorded := _recorded(wav)) is None:
            return None
        buffer = io.BytesIO()
        soundfile.write(buffer, *recorded, format="MP3", subtype="MPEG_LAYER_III")
        raw = buffer.getvalue()
        whole_file.write(kept, raw)
    return _as_uri("audio/mpeg", raw)


def _as_uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _recorded(wav: Path) -> tuple[NDArray[np.int16], int] | None:
    """Samples and rate; None for a file without any, or that is no sound file."""
    try:
        samples, rate = read_wav(wav)
    except WavError:
        return None
    return (samples, rate) if len(samples) else None
