"""People's voices, hold music and network tones, as telephone lines deliver them, and what the
harness takes them for.

Debian's prompts and music on hold for Asterisk (`tools/ci/programs.py`), and the tone plans of
`tools/accuracy/tones.py`. Each minute goes through each codec once, at a level and over line noise
that its seed draws, with 2 % of the packets lost.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import soundfile
from numpy.typing import NDArray

from harness.audio.classify import classify
from harness.audio.describe import voiceless
from harness.audio.samples import levels
from harness.audio.wav import to_int16
from tools.accuracy import codecs
from tools.accuracy.channels import lossy
from tools.accuracy.corpus import ITEM_SECONDS, Item
from tools.accuracy.speech import RATE
from tools.accuracy.tones import PLANS, SIT, Progress, call_progress, sit
from tools.ci.programs import HOLD_MUSIC, PROMPTS

Samples = NDArray[np.int16]
#: How many were taken for what, by the length of their window in seconds.
Heard = Counter[tuple[float, str]]

#: The windows that bars count for, in seconds, and others, which are heard through G.711 alone.
JUDGED_S: Final = 3
_OTHERS_S: Final = (1, 2, 5)
#: G.729 needs Debian's libbcg729-0; AMR is the nearest to it that PyAV has.
WAYS: Final[dict[str, Callable[[Samples], Samples]]] = {
    "G.711": codecs.tandem,
    **({"G.729": codecs.g729} if codecs.has_g729() else {"AMR": codecs.amr}),
    "Opus": codecs.opus,
    "GSM": codecs.gsm,
}
TONES: Final = ("ringback", "busy", "sit")
#: What a country's tones of a kind are, and for how many seconds each is heard.
_TONES_OF: Final[Mapping[str, Sequence[tuple[Progress, float]]]] = {
    "ringback": [("ringback", 12.0)],
    "busy": [("busy", 5.0), ("congestion", 5.0)],
}
_LOSS: Final = 0.02
_LEVELS_DBOV: Final = (-40.0, -10.0)
_SNR_DB: Final = (15.0, 40.0)
#: Line noise, and its hum.
_OF_THE_LINE: Final = ("silence", "noise", "music")
#: A window counts if half of it is loud: less than 20 dB below the level of the whole.
_LOUD_SHARE, _LOUD_DB = 0.5, 20.0
#: Prompts that are no speech.
_NO_SPEECH: Final = (
    "beep",
    "silence",
    "tt-monkeys",
    "confbridge-join",
    "confbridge-leave",
    "-tone",
)


@dataclass(frozen=True, slots=True)
class Minute:
    """A minute of one voice (a package), of one piece of music (a file), or of one kind of tone."""

    source: str
    number: int

    @property
    def kind(self) -> str:
        """``voice``, ``music``, or the kind of tone."""
        if self.source in PROMPTS:
            return "voice"
        return self.source if self.source in TONES else "music"


def minutes() -> dict[str, float]:
    """How many minutes each source has; tones are heard five times."""
    sources = [*PROMPTS, *(path.name for path in sorted(HOLD_MUSIC.glob("*.wav")))]
    of_each = {source: len(recorded(source)) / RATE / ITEM_SECONDS for source in sources}
    return of_each | dict.fromkeys(TONES, 5)


def summary(results: Mapping[str, Sequence[Mapping[str, Heard]]]) -> dict[str, Any]:
    """By codec, kind and length of window (0: the whole tone), how many were taken for what."""
    counts: dict[str, Any] = {}
    for source, minutes_heard in results.items():
        kind = Minute(source, 0).kind
        for by_way in minutes_heard:
            for way, found in by_way.items():
                for (seconds, taken_for), count in found.items():
                    window = counts.setdefault(way, {}).setdefault(kind, {})
                    taken = window.setdefault(f"{seconds:g}", {})
                    taken[taken_for] = taken.get(taken_for, 0) + count
    return counts


def rows(counts: Mapping[str, Any]) -> Iterator[tuple[str, str, str, bool | None]]:
    """The lines of the table: what, figure, bar, and whether it is met. The bar of music counts for
    all codecs together.
    """
    judged: Counter[str] = Counter()
    for way, kinds in counts.items():
        for seconds in sorted(kinds["voice"], key=float):
            is_judged = float(seconds) == JUDGED_S
            voices, music = kinds["voice"][seconds], kinds["music"][seconds]
            where = f"{way}, windows of {seconds} s"
            met = _share(voices, "speech") >= 0.995 if is_judged else None
            bar = "≥ 99.5 %" if is_judged else ""
            yield f"voices as speech, {where}", _figure(voices, "speech"), bar, met
            yield f"music on hold as speech, {where}", _figure(music, "speech"), "", None
            if is_judged:
                judged.update(music)
        for tone in TONES:
            found = kinds[tone]["0"]
            met = _share(found, "right") == 1
            yield f"{tone} as itself, {way}", _figure(found, "right"), "100 %", met
    met = _share(judged, "speech") <= 0.01
    what = f"music on hold as speech, all codecs, windows of {JUDGED_S} s"
    yield what, _figure(judged, "speech"), "≤ 1 %", met


def _figure(counts: Mapping[str, int], kind: str) -> str:
    return f"{_share(counts, kind):.2%} of {sum(counts.values())}"


def _share(counts: Mapping[str, int], kind: str) -> float:
    return counts.get(kind, 0) / sum(counts.values())


def heard(minute: Minute) -> dict[str, Heard]:
    """By codec, what is heard of a minute."""
    return {way: _heard(minute, way) for way in WAYS}


def _heard(minute: Minute, way: str) -> Heard:
    """How many windows of each length were taken for what. Of tones, how many of a minute's were
    taken for themselves (``right``) and how many not (``wrong``).
    """
    draw = np.random.default_rng([minute.number, *f"{minute.source} {way}".encode()])
    level = float(draw.uniform(*_LEVELS_DBOV))
    if minute.kind in TONES:
        found = [_tones_of(_delivered(sound, way, level, draw)) for sound in _tones(minute)]
        return Counter((0.0, "right" if one == {minute.kind} else "wrong") for one in found)
    at = minute.number * ITEM_SECONDS * RATE
    sound = recorded(minute.source)[at : at + ITEM_SECONDS * RATE]
    delivered = _delivered(sound, way, level, draw)
    return Counter(
        (float(seconds), _taken_for(window))
        for seconds in (JUDGED_S, *(_OTHERS_S if way == "G.711" else ()))
        for window in windows(delivered, seconds)
    )


def _taken_for(window: Samples) -> str:
    instead = voiceless(window)
    return "speech" if instead is None else instead.what


def windows(sound: Samples, seconds: int) -> Iterator[Samples]:
    """Those of which half is loud."""
    loud = _active_dbov(sound) - _LOUD_DB
    length = seconds * RATE
    for at in range(0, len(sound) - length + 1, length):
        window = sound[at : at + length]
        if np.mean(levels(window) > loud) >= _LOUD_SHARE:
            yield window


def _tones_of(sound: Samples) -> set[str]:
    """Without the line noise, whose hum may be music to the harness."""
    return {span.kind for span in classify(sound) if span.kind not in _OF_THE_LINE}


def _tones(minute: Minute) -> Iterator[Samples]:
    """One of each country's tone, or each of the special information tones."""
    pause = np.zeros(RATE // 2, np.int16)
    if minute.kind == "sit":
        sounds = [sit(kind) for kind in SIT]
    else:
        sounds = [
            call_progress(country, kind, seconds)
            for kind, seconds in _TONES_OF[minute.kind]
            for country in PLANS
        ]
    for each in sounds:
        yield np.concatenate([pause, to_int16(each), pause])


def _delivered(sound: Samples, way: str, level: float, draw: np.random.Generator) -> Samples:
    """Through the codec, at that level (of what is loud), half of it over line noise, with packets
    lost.
    """
    scaled = sound * 10 ** ((level - _active_dbov(sound)) / 20)
    if draw.random() < 0.5:
        noise = np.resize(Item("line noise", int(draw.integers(20))).samples(), len(sound))
        target = level - draw.uniform(*_SNR_DB)
        scaled += noise * 10 ** ((target - _active_dbov(noise)) / 20)
    return lossy(draw, WAYS[way](to_int16(scaled / 32768)), _LOSS)


def _active_dbov(sound: Samples) -> float:
    level = levels(sound)
    loud = level[level > level.max() - _LOUD_DB]
    return float(10 * np.log10(np.mean(10 ** (loud / 10))))


@lru_cache(maxsize=2)
def recorded(source: str) -> Samples:
    """All of a voice's prompts one after another in an order that is drawn once; or a piece of
    music.
    """
    if source not in PROMPTS:
        return _read(HOLD_MUSIC / source)
    files = [
        path
        for path in sorted(PROMPTS[source].rglob("*.wav"))
        if not any(word in str(path) for word in _NO_SPEECH)
    ]
    np.random.default_rng(1).shuffle(files)
    return np.concatenate([_read(path) for path in files])


def _read(path: Path) -> Samples:
    samples: Samples = soundfile.read(path, dtype="int16")[0]
    return samples
