"""``harness listen``: what a recording holds, and when."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, NotRequired, cast

import numpy as np
import typer
from numpy.typing import NDArray
from typing_extensions import TypedDict

from harness.audio.classify import Kind, Span, classify
from harness.audio.detector import Heard, marks_heard
from harness.audio.marks import SAMPLE_RATE, replied
from harness.audio.mixture import marks_in
from harness.audio.prompts import Matched, find_prompts, prompt_text
from harness.audio.quality import Figures, best_snr, figures
from harness.audio.spectrogram import spectrogram_svg
from harness.audio.wav import MOST_SECONDS
from harness.errors import MistakeError, writing
from harness.run.cli.app import AsJson, echo_json
from harness.support.files import whole_file
from harness.support.resources import prompt_names
from harness.support.terminal import SafeConsole, plain_table
from harness.witness.sound_file import Sound, read_sound

#: A compressed file may be small and yet hold hours of sound, which take memory and time.
MaxHours = Annotated[
    float,
    typer.Option("--max-hours", metavar="N", min=0.0, help="Refuse longer sound files."),
]


class SpanDocument(TypedDict):
    """A span of one kind of sound, in seconds of the recording."""

    kind: Kind
    began: float
    ended: float
    detail: str  # which mark, digit or tone
    network: bool  # a tone that networks signal with
    level_dbov: NotRequired[float]  # of a mark
    match: NotRequired[float]  # of a mark: the correlation with its waveform


@dataclass(frozen=True, slots=True)
class PromptFound(Matched):
    """A complete prompt with its text; times in seconds of the recording."""

    text: str


class ListenDocument(TypedDict):
    """What ``harness listen --json`` prints."""

    file: str
    rate: int  # samples a second in the file
    seconds: float
    spans: list[SpanDocument]
    prompts: list[PromptFound]
    mixed_marks: list[Heard] | None  # None without --deep
    quality: Figures
    channel: NotRequired[str]  # left or right, in `channels`
    # of a stereo file, which the rest describes as both together
    channels: NotRequired[list[ListenDocument]]


def listen(
    path: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="A sound file, mono or stereo: WAV, MP3, Ogg, FLAC."),
    ],
    as_json: AsJson = False,
    deep: Annotated[
        bool, typer.Option("--deep", help="Also search for marks that sound under others.")
    ] = False,
    picture: Annotated[
        Path | None,
        typer.Option("--picture", metavar="FILE.svg", help="Write the spectrogram there."),
    ] = None,
    max_hours: MaxHours = MOST_SECONDS / 3600,
) -> None:
    """Say what a recording holds and when: marks, speech, prompts, digits, tones, music, noise,
    silence.
    """
    if picture is not None and picture.suffix.lower() != ".svg":
        only = "the spectrogram is drawn as SVG; allowed: FILE.svg"
        raise MistakeError(f"--picture {picture}: {only}")
    sound = read_sound(path, max_hours * 3600)
    report = _report(sound, sound.mixed, deep)
    if len(sound.channels) > 1:
        report["channels"] = []
        for number, samples in enumerate(sound.channels):
            of_channel = _report(sound, samples, deep)
            of_channel["channel"] = sound.channel_name(number)
            report["channels"].append(of_channel)
    if picture is not None:
        with writing(picture):
            spans = classify(sound.mixed)
            svg = spectrogram_svg(sound.mixed, SAMPLE_RATE, spans, path.name)
            whole_file.write(picture, svg)
    if as_json:
        echo_json(report)
    else:
        for part in report.get("channels", [report]):
            _show(part)


def _report(sound: Sound, audio: NDArray[np.int16], deep: bool) -> ListenDocument:
    """What one channel, or all mixed, holds."""
    heard = [fact for fact in marks_heard(audio) if isinstance(fact, Heard)]
    return {
        "file": sound.name,
        "rate": sound.file_rate,
        "seconds": sound.seconds,
        "spans": [_span(span, heard) for span in classify(audio)],
        "prompts": [_prompt(match) for match in find_prompts(audio, prompt_names())],
        "mixed_marks": marks_in(audio) if deep else None,
        "quality": figures(audio, heard),
    }


def _prompt(match: Matched) -> PromptFound:
    text = prompt_text(match.name)
    return PromptFound(match.name, match.began, match.ended, match.score, text)


def _span(span: Span, heard: list[Heard]) -> SpanDocument:
    """The span; a mark's has the median level and match of its detections."""
    found = cast("SpanDocument", asdict(span))
    if span.kind != "mark":
        return found
    facts = [fact for fact in heard if span.began <= fact.decided <= span.ended + 0.3]
    if facts:
        found["level_dbov"] = float(np.median([fact.level_dbov for fact in facts]))
        found["match"] = float(np.median([fact.quality for fact in facts]))
    return found


def _show(report: ListenDocument) -> None:
    """Print a channel as a table, and its quality in a line."""
    console = SafeConsole()
    if "channel" in report:
        console.print(f"{report['channel']} channel:")
    table = plain_table()
    for heading, justify in (
        ("from s", "right"),
        ("to s", "right"),
        ("what", "left"),
        ("detail", "left"),
    ):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]
    for span in report["spans"]:
        table.add_row(f"{span['began']:.2f}", f"{span['ended']:.2f}", span["kind"], _detail(span))
    for match in report["prompts"]:
        words = f"{match.name}: “{match.text}”, match {match.score:.2f}"
        table.add_row(f"{match.began:.2f}", f"{match.ended:.2f}", "prompt", words)
    for fact in report["mixed_marks"] or []:
        words = f"mark {fact.mark}, {fact.level_dbov:.0f} dBov"
        table.add_row(f"{fact.began:.2f}", f"{fact.decided:.2f}", "deep search", words)
    console.print(table)
    console.print(_quality_line(asdict(report["quality"])))


def _detail(span: SpanDocument) -> str:
    if span["kind"] != "mark" or "match" not in span:
        return str(span["detail"])
    original = replied(int(span["detail"].removeprefix("mark ")))
    reply = f" (“I hear mark {original}”)" if original is not None else ""
    return f"{span['detail']}{reply}, {span['level_dbov']:.0f} dBov, match {span['match']:.2f}"


def _quality_line(quality: dict[str, Any]) -> str:
    """The figures that were measured, and those of faults only where there are some."""
    parts = [
        f"level {quality['active_dbov']:.0f} dBov active",
        f"peak {quality['peak_dbov']:.0f} dBov",
    ]
    snr = best_snr(quality)
    if snr is not None:
        parts.append(f"SNR {snr:.0f} dB")
    if quality["clipped_share"] > 0:
        parts.append(f"{quality['clipped_share']:.2%} clipped")
    if quality["gaps"]:
        longest = max(gap["seconds"] for gap in quality["gaps"])
        parts.append(f"{len(quality['gaps'])} gaps (longest {longest:.2f} s)")
    if quality["repeats"]:
        parts.append(f"{quality['repeats']} frames repeated")
    if quality["clock_drift_ppm"] is not None:
        parts.append(f"sender's clock {quality['clock_drift_ppm']:+.0f} ppm")
    return "; ".join(parts)
