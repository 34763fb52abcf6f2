"""In words what a leg heard instead of what it should have: echo, another's voice, an announcement,
nothing; and when.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from harness.audio import g711
from harness.audio.classify import Kind, Span, classify, spoken_s
from harness.audio.detector import Heard, marks_heard
from harness.audio.machine import asks_for_message
from harness.audio.marks import SAMPLE_RATE
from harness.audio.mixture import marks_in
from harness.audio.prompts import Matched, find_prompts, prompt_text
from harness.audio.samples import levels, resample
from harness.support.resources import prompt_names

What = Literal[
    "as expected",
    "echo",
    "crossed",
    "another party",
    "other law",
    "other speed",
    "distorted",
    "announcement",
    "voicemail",
    "speech",
    "tone",
    "music",
    "noise",
    "silence",
]


#: By the wrong law of G.711 no mark fits so well (0.962 at most, of 256 at levels 0 to 13 dB below
#: theirs); by the right one each does where nothing else is wrong.
CLEAR: Final = 0.97
_PLAIN: Final = 0.75


@dataclass(frozen=True, slots=True)
class HeardDescription:
    """What was heard in place of the expected marks.

    ``words`` go on after "it heard", with times in seconds of the recording; ``began`` is when what
    they name began, None for silence; ``marks`` are all marks heard, the strongest first.
    """

    what: What
    words: str
    began: float | None
    marks: tuple[int, ...]


def describe(
    audio: NDArray[np.int16],
    *,
    expected: Collection[int],
    own: Collection[int] = (),
    name_of: Callable[[int], str | None] = lambda mark: None,
) -> HeardDescription:
    """Analyse in detail what a leg received (8 kHz) while it should have heard one of the marks
    ``expected``.

    ``own`` are the marks that the leg sent itself; ``name_of`` returns the party of a mark, or None
    if it is not in this call. Costs about 50 ms of CPU per second of audio: for failures only.
    """
    total = len(audio) / SAMPLE_RATE
    spans = classify(audio)
    # The stream's strongest mark by its exact times, and under it what only the deep search finds.
    marks = [(span.mark, span.began, span.ended) for span in spans if span.mark is not None]
    known = {mark for mark, _, _ in marks}
    for fact in marks_in(audio):
        if fact.mark not in known:
            marks.append((fact.mark, fact.began, fact.decided))
    all_marks = tuple(dict.fromkeys(mark for mark, _, _ in marks))
    law = of_the_other_law(audio, expected)
    if law is not None:
        return HeardDescription("other law", law, 0.0, all_marks)
    came = min((began for mark, began, _ in marks if mark in expected), default=None)
    foreign = [entry for entry in marks if entry[0] not in expected]
    if came is not None and not foreign:
        if known.isdisjoint(expected):  # only the deep search, which asks less of a mark, found it
            words = f"it so distorted that it might be another, from {came:.2f} s on"
            return HeardDescription("distorted", words, came, all_marks)
        return HeardDescription("as expected", f"it from {came:.2f} s on", came, all_marks)
    for what in ("crossed", "echo", "another party"):  # the most telling first
        for mark, began, ended in foreign:
            if _whose(mark, own, name_of) != what:
                continue
            beside = "" if came is None else f"it from {came:.2f} s on, and "
            voice = _voice(what, mark, name_of, f"from {began:.2f} to {ended:.2f} s")
            return HeardDescription(what, beside + voice, began, all_marks)
    speed = _speed_of(audio, expected)
    if speed is not None:
        words = f"it at {speed:.0%} of its speed: the rates of sender and player differ"
        return HeardDescription("other speed", words, 0.0, all_marks)
    kind, words, began_at = _without_marks(audio, spans, total)
    return HeardDescription(kind, words, began_at, all_marks)


def of_the_other_law(audio: NDArray[np.int16], expected: Collection[int]) -> str | None:
    """The words, when what was expected is clear once the payload (8 kHz) is read by the other law
    of G.711, and only then.

    At some levels a mark is heard all the same: its tones outlive what makes noise of speech.
    """
    if _clearest(audio, expected) >= CLEAR:
        return None
    as_a = _clearest(g711.decode_alaw(g711.encode_ulaw(audio)), expected)
    as_mu = _clearest(g711.decode_ulaw(g711.encode_alaw(audio)), expected)
    if max(as_a, as_mu) < CLEAR:
        return None
    sent, taken = ("A-law", "µ-law") if as_a > as_mu else ("µ-law", "A-law")
    what = f"it in {sent} that was read as {taken}"
    return f"{what}: the payload is not of the type that RTP and SDP name"


#: Half, as of wideband audio played at 8 kHz; 10 % off; 44.1 kHz and 48 kHz taken for each other.
#: Twice the speed takes most of a voice out of a telephone's band.
_SPEEDS: Final = (0.5, 0.9, 44.1 / 48, 48 / 44.1, 1.1)


def _speed_of(audio: NDArray[np.int16], expected: Collection[int]) -> float | None:
    """The speed at which what was expected is played, if it is clear once that is undone."""
    for speed in _SPEEDS:
        again = resample(audio, SAMPLE_RATE, round(SAMPLE_RATE * speed))
        if _clearest(again, expected) > _PLAIN:
            return speed
    return None


def _clearest(audio: NDArray[np.int16], expected: Collection[int]) -> float:
    """How well the best of the expected marks fits; 0.0 where none is heard."""
    heard = (f for f in marks_heard(audio) if isinstance(f, Heard) and f.mark in expected)
    return max((fact.quality for fact in heard), default=0.0)


def _whose(mark: int, own: Collection[int], name_of: Callable[[int], str | None]) -> What:
    if mark in own:
        return "echo"
    return "crossed" if name_of(mark) is None else "another party"


def _voice(what: What, mark: int, name_of: Callable[[int], str | None], times: str) -> str:
    """Whose voice it is, in words that go on after "it heard"."""
    if what == "echo":
        return f"itself, {times}: an echo"
    if what == "crossed":
        return f"a call that is not this one (mark {mark}), {times}: crossed audio"
    return f"{name_of(mark)}, {times}"


def _without_marks(
    audio: NDArray[np.int16], spans: Sequence[Span], total: float
) -> tuple[What, str, float | None]:
    """What there is when there is no mark; the most telling thing first."""
    tones = {kind: next((span for span in spans if span.kind == kind), None) for kind in TONES}
    speech = [span for span in spans if span.kind == "speech" and span.seconds > 0.4]
    information = tones["sit"]
    if information is not None:
        return _information_tones(information, speech)
    prompts = find_prompts(audio, prompt_names())
    for match in prompts:
        if match.name.startswith(("voicemail", "announcement")):
            return _prompt(match)
    asked = asks_for_message(spans)
    if asked is not None:
        began, beep = asked
        words = f"speech from {began:.2f} s and a beep at {beep:.2f} s, as voicemail does"
        return "voicemail", words, began
    for kind, name in TONES.items():
        span = tones[kind]
        if span is not None:
            return "tone", f"{name} from {span.began:.2f} s ({span.detail})", span.began
    if prompts:
        return _prompt(prompts[0])
    if speech:
        times = f"from {speech[0].began:.2f} to {speech[-1].ended:.2f} s"
        words = f"speech without a mark, {times}: an announcement or a person"
        return "speech", words, speech[0].began
    for span in spans:
        if span.kind == "music" and span.seconds > 0.2:
            return "music", f"music from {span.began:.2f} s", span.began
        if span.kind == "noise" and span.seconds > 0.2 and not _is_hardly_audible(audio, span):
            return "noise", f"noise from {span.began:.2f} s", span.began
    or_noise = " or comfort noise" if any(span.kind == "noise" for span in spans) else ""
    return "silence", f"nothing but silence{or_noise} for {total:.2f} s", None


def _information_tones(tones: Span, speech: Sequence[Span]) -> tuple[What, str, float]:
    words = f"special information tones at {tones.began:.2f} s"
    if any(span.began > tones.began for span in speech):
        words += " and then an announcement"
    return "announcement", f"{words} ({tones.detail})", tones.began


def _is_hardly_audible(audio: NDArray[np.int16], span: Span) -> bool:
    """Whether it is comfort noise (RFC 3389), or the noise of a quiet room."""
    heard = audio[round(span.began * SAMPLE_RATE) : round(span.ended * SAMPLE_RATE)]
    return audible_s(heard) < _MOST_BACKGROUND * span.seconds


TONES: Final[dict[Kind, str]] = {
    "sit": "special information tones",
    "ringback": "ringing tone",
    "busy": "busy tone",
    "fax": "a fax machine's tone",
    "dial": "dial tone",
    "dtmf": "DTMF digits",
    "tone": "a steady tone",
}


def _prompt(match: Matched) -> tuple[What, str, float]:
    """A prompt of the harness, named by what its name says it stands for."""
    # Its first 20 ms may have come before the 200 that the recording begins with.
    began = max(0.0, match.began)
    said = f"“{prompt_text(match.name)}” at {began:.2f} s"
    if match.name.startswith("voicemail"):
        return "voicemail", f"a voicemail greeting, {said}", began
    if match.name.startswith("announcement"):
        return "announcement", f"an announcement, {said}", began
    return "speech", f"the prompt {said}", began


#: Comfort noise (RFC 3389) and the noise of a quiet room are heard for a smaller share of their
#: time than this.
_MOST_BACKGROUND: Final = 0.5
#: So much more speech than music is a voice: codecs make one resemble the other for moments.
_MORE: Final = 1.5
#: A voice that takes its turn is preceded by half a second that is this much quieter, and is loud
#: for 160 ms of the next half second. Syllables leave gaps: these 160 ms need not be consecutive.
_PAUSE_FRAMES: Final = 25
_QUIETER_DB: Final = 12.0
_LOUD_FRAMES: Final = 8
#: Background noise is quieter than speech ever should be (ITU-T P.56: -26 dBov).
_LOUDEST_BACKGROUND_DBOV: Final = -33.0
#: The largest share of audio that may be something else than a tone. Of speech or music, at most
#: half is taken for tones.
_MOST_ELSE: Final = 0.1
_FRAME: Final = 160  # samples, of 20 ms at 8 kHz
_AUDIBLE_DBOV: Final = -45.0
_ENOUGH: Final = 15  # audible frames
_BACKGROUND: Final = 16.0  # 12 dB
#: Telephone channels carry nothing below 200 Hz worth speaking of (ITU-T G.712 section 3); octets
#: read wrongly do not keep to that.
_MOST_DC: Final = 0.5
#: Spectral flatness: speech and music stay below 0.1, white noise has 0.56.
_MOST_FLAT: Final = 0.35


def voiceless(samples: NDArray[np.int16]) -> HeardDescription | None:
    """Describes the samples (8 kHz) if there is no voice in them; None if there is one."""
    return voiceless_spans(samples, classify(samples))


def voiceless_spans(
    samples: NDArray[np.int16], all_spans: Sequence[Span]
) -> HeardDescription | None:
    """The same for samples whose spans are known."""
    spans = [span for span in all_spans if span.kind != "silence"]
    if is_garbled(samples) and not _is_background(samples):
        words = "noise, as of a payload that is not of the codec agreed on"
        return HeardDescription("noise", words, None, ())
    tones = _tones_alone(spans)
    if tones:
        longest = max(tones, key=lambda span: span.seconds)
        words = f"{TONES[longest.kind]} from {tones[0].began:.2f} s ({longest.detail})"
        return HeardDescription("tone", words, tones[0].began, ())
    music = [span for span in spans if span.kind == "music"]
    if spoken_s(spans) > _MORE * _seconds(music):
        return None
    if music:
        return HeardDescription("music", f"music from {music[0].began:.2f} s", music[0].began, ())
    if any(span.kind == "noise" for span in spans):
        return HeardDescription("silence", "nothing but background noise", None, ())
    return HeardDescription("silence", "nothing but silence", None, ())


def begins_after_pause(samples: NDArray[np.int16]) -> bool:
    """Whether the sound begins, or begins again, behind a pause: a voice that takes its turn does,
    babble and music do not.
    """
    level = levels(samples)
    if not len(level):
        return False
    is_loud = level > float(np.percentile(level, 95)) - _QUIETER_DB
    for at in range(_PAUSE_FRAMES, len(level)):
        before, after = is_loud[at - _PAUSE_FRAMES : at], is_loud[at : at + _PAUSE_FRAMES]
        if not before.any() and np.count_nonzero(after) >= _LOUD_FRAMES:
            return True
    return False


def is_ringing(samples: NDArray[np.int16]) -> bool:
    """Whether the audio is a ringback tone (ITU-T E.180)."""
    return any(span.kind == "ringback" for span in _tones_alone(classify(samples)))


def _tones_alone(spans: Iterable[Span]) -> Sequence[Span]:
    heard = [span for span in spans if span.kind != "silence"]
    tones = [span for span in heard if span.kind in TONES]
    return tones if _seconds(tones) > (1 - _MOST_ELSE) * _seconds(heard) else ()


def _seconds(spans: Iterable[Span]) -> float:
    return sum(span.seconds for span in spans)


def is_garbled(samples: NDArray[np.int16]) -> bool:
    """Whether most of what is audible in these samples (8 kHz) is noise or an offset; False where
    too little is audible.
    """
    loud = _audible(samples)
    if len(loud) < _ENOUGH:
        return False
    power = np.square(loud).mean(axis=1)
    # Noise behind a voice is not what it is made of.
    loud = loud[power > np.percentile(power, 95) / _BACKGROUND]
    offset = np.square(loud.mean(axis=1)) / np.square(loud).mean(axis=1)
    is_noise = (offset > _MOST_DC) | (_flatness(loud) > _MOST_FLAT)
    return bool(np.mean(is_noise) > 0.5)


def _flatness(frames: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of each frame's spectrum from 250 to 3450 Hz: its geometric mean over its arithmetic one."""
    spectra = np.fft.rfft(frames * np.hanning(_FRAME), axis=1)
    power = np.square(np.abs(spectra))[:, 5:70] + 1e-9
    geometric = np.exp(np.log(power).mean(axis=1))
    flatness: NDArray[np.float64] = geometric / power.mean(axis=1)
    return flatness


def _is_background(samples: NDArray[np.int16]) -> bool:
    """Whether the loudest of the audio is as quiet as background noise."""
    return len(samples) > 0 and float(np.percentile(levels(samples), 95)) < _LOUDEST_BACKGROUND_DBOV


def audible_s(samples: NDArray[np.int16]) -> float:
    """How many seconds of these samples (8 kHz) can be heard."""
    return len(_audible(samples)) * _FRAME / 8000


def _audible(samples: NDArray[np.int16]) -> NDArray[np.float64]:
    """The frames (20 ms) that can be heard."""
    whole = len(samples) // _FRAME * _FRAME
    frames = samples[:whole].reshape(-1, _FRAME).astype(np.float64)
    power = np.square(frames).mean(axis=1)
    level = 10 * np.log10(power / 32768.0**2 + 1e-12)
    loud: NDArray[np.float64] = frames[level > _AUDIBLE_DBOV]
    return loud
