"""One sentence on what a leg heard instead of what it should have: echo, another's voice, an announcement, nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness.audio.classify import Kind, Span, classify
from harness.audio.marks import SAMPLE_RATE, replied
from harness.audio.mixture import marks_in
from harness.audio.prompts import Matched, find_prompts, prompt_names, prompt_text
from harness.audio.resample import resample

What = Literal[
    "as expected",
    "echo",
    "crossed",
    "unknown mark",
    "announcement",
    "voicemail",
    "speech",
    "tone",
    "music",
    "noise",
    "silence",
]


@dataclass(frozen=True, slots=True)
class Description:
    """What was there in place of the expected mark, and the sentence that says so.

    ``marks`` are all marks heard, the strongest first; ``began`` is when what the sentence names began (seconds of the
    recording), None for silence.
    """

    what: What
    sentence: str
    began: float | None
    marks: tuple[int, ...]


def describe(
    samples: NDArray[np.int16],
    rate: int = SAMPLE_RATE,
    *,
    expected: int,
    own: int | None = None,
    others: Mapping[int, str] | None = None,
) -> Description:
    """Look deeply into what a leg received while it should have heard the mark ``expected``.

    ``own`` is the mark the leg sent itself; ``others`` names the legs of the other live marks, the expected one's among
    them if its name is to be said. Costs some 50 ms of CPU for a second of audio: for failures, not for every leg.
    """
    audio = resample(samples, rate, SAMPLE_RATE)
    names = dict(others or {})
    total = len(audio) / SAMPLE_RATE
    wanted = f"expected {_name(expected, names)}"
    spans = classify(audio)
    # The stream's strongest mark by its exact times, and under it what only the deep search finds.
    marks = [(int(span.detail.removeprefix("mark ")), span.began, span.ended) for span in spans if span.kind == "mark"]
    known = {mark for mark, _, _ in marks}
    marks += [(fact.mark, fact.began, fact.decided) for fact in marks_in(audio) if fact.mark not in known]
    all_marks = tuple(dict.fromkeys(mark for mark, _, _ in marks))

    def found(what: What, words: str, began: float | None) -> Description:
        return Description(what, f"{wanted}; {words}", began, all_marks)

    foreign = [entry for entry in marks if entry[0] != expected]
    if expected in all_marks:
        began = min(begin for mark, begin, _ in marks if mark == expected)
        if not foreign:
            return found("as expected", f"heard it from {began:.2f} s", began)
    for mark, began, ended in foreign:
        instead = "beside it" if expected in all_marks else "instead"
        times = f"from {began:.2f} to {ended:.2f} s"
        if mark == own or (own is not None and replied(mark) == own and own == expected):
            return found("echo", f"heard {instead} its own {_name(mark, names)} back, {times}: an echo", began)
        if mark in names:
            return found("crossed", f"heard {instead} {_name(mark, names)}, {times}: crossed audio", began)
        return found(
            "unknown mark",
            f"heard {instead} mark {mark}, {times}, which no leg of this case sends: crossed audio",
            began,
        )
    return found(*_without_marks(audio, spans, total))


def _name(mark: int, names: Mapping[int, str]) -> str:
    return f"mark {mark} of {names[mark]}" if mark in names else f"mark {mark}"


def _without_marks(audio: NDArray[np.int16], spans: Sequence[Span], total: float) -> tuple[What, str, float | None]:
    """What there is when there is no mark; the most telling thing first."""
    tones = {kind: next((span for span in spans if span.kind == kind), None) for kind in _TONES}
    speech = [span for span in spans if span.kind == "speech" and span.ended - span.began > 0.4]
    information = tones["sit"]
    if information is not None:
        then = " and then an announcement" if any(s.began > information.began for s in speech) else ""
        return (
            "announcement",
            f"heard instead special information tones at {information.began:.2f} s{then} ({information.detail})",
            information.began,
        )
    prompts = find_prompts(audio, prompt_names())
    for match in prompts:
        if match.name.startswith(("voicemail", "announcement")):
            return _prompt(match)
    beep = next((span for span in spans if span.kind == "tone"), None)
    if beep is not None and speech and speech[0].began < beep.began:
        return (
            "voicemail",
            f"heard instead speech from {speech[0].began:.2f} s and a beep at {beep.began:.2f} s, as voicemail does",
            speech[0].began,
        )
    for kind, words in _TONES.items():
        span = tones[kind]
        if span is not None:
            return "tone", f"heard instead {words} from {span.began:.2f} s ({span.detail})", span.began
    if prompts:
        return _prompt(prompts[0])
    if speech:
        times = f"from {speech[0].began:.2f} to {speech[-1].ended:.2f} s"
        return "speech", f"heard instead speech without a mark, {times}: an announcement or a person", speech[0].began
    for span in spans:
        if span.kind in ("music", "noise") and span.ended - span.began > 0.2:
            what: What = "music" if span.kind == "music" else "noise"
            return what, f"heard instead {what} from {span.began:.2f} s", span.began
    return "silence", f"heard silence for {total:.2f} s", None


_TONES: dict[Kind, str] = {
    "sit": "special information tones",
    "ringback": "ringing tone",
    "busy": "busy tone",
    "fax": "a fax machine's",
    "dial": "dial tone",
    "dtmf": "DTMF digits",
    "tone": "a steady tone",
}


def _prompt(match: Matched) -> tuple[What, str, float]:
    said = f"“{prompt_text(match.name)}” at {match.began:.2f} s"
    if match.name.startswith("voicemail"):
        return "voicemail", f"heard instead a voicemail greeting, {said}", match.began
    if match.name.startswith("announcement"):
        return "announcement", f"heard instead an announcement, {said}", match.began
    return "speech", f"heard instead the prompt {said}", match.began
