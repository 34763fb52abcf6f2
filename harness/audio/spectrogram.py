"""A picture of what a leg heard: frequency over time, with marks, speech and tones drawn on it, as
one SVG file.

The picture proper is a palette PNG of some 40 kB, written here (a PNG of that kind is three chunks
around zlib, which is less than a dependency); time, frequencies and spans are SVG around it, so
they can be read and searched.
"""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from html import escape
from typing import Final

import numpy as np
from numpy.typing import NDArray

from harness.audio.classify import Span
from harness.audio.marks import SAMPLE_RATE
from harness.audio.samples import resample

_WINDOW: Final = 256
_HOP: Final = 80
_MOST_COLUMNS: Final = 1200
_FLOOR_DB, _TOP_DB = -95.0, -25.0  # of a bin, in dBov: what is black and what is brightest
_HEIGHT: Final = 128  #: pixels of the spectrogram, one a bin (31 Hz)
_LANE: Final = 16  #: pixels of the line of spans above it
_LEFT, _BELOW = 44, 18
_PIXELS_A_SECOND, _NARROWEST, _WIDEST = 300, 360, 1100
#: From one label of the time to the next.
_STEPS_S: Final = (0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800)
_WRONG: Final = "#d92d20"
_COLOURS: Final = {
    "mark": "#1a9850",
    "speech": "#4575b4",
    "dtmf": "#984ea3",
    "ringback": "#e08214",
    "busy": "#d73027",
    "sit": "#d73027",
    "fax": "#b2182b",
    "dial": "#e08214",
    "tone": "#e08214",
    "music": "#8073ac",
    "noise": "#999999",
}


def spectrogram_svg(
    samples: NDArray[np.int16],
    rate: int = SAMPLE_RATE,
    spans: Iterable[Span] = (),
    title: str = "",
    *,
    wrong: Collection[str] = (),
) -> str:
    """An SVG image of a recording; ``spans`` (as :func:`harness.audio.classify.classify` gives
    them) stand above it.

    Spans whose ``detail`` is in ``wrong`` should not be there, and are red. Silence is not drawn.
    The width follows the length: 300 pixels a second, 360 at least and 1100 at most.
    """
    seconds = max(len(samples) / rate, 0.1)
    png = base64.b64encode(spectrogram_png(samples, rate)).decode("ascii")
    across = round(min(max(_PIXELS_A_SECOND * seconds, _NARROWEST), _WIDEST))
    width, height = _LEFT + across + 8, _LANE + _HEIGHT + _BELOW
    scale = across / seconds
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="10" role="img">',
        f"<title>{escape(title)}</title>" if title else "",
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        f'<image x="{_LEFT}" y="{_LANE}" width="{across}" height="{_HEIGHT}" preserveAspectRatio="none" '
        f'href="data:image/png;base64,{png}"/>',
        *_frequencies(),
        *_times(seconds, scale),
    ]
    parts += [_span(span, scale, span.detail in wrong) for span in spans if span.kind in _COLOURS]
    parts.append("</svg>")
    return "".join(parts)


def _frequencies() -> Iterator[str]:
    """The labels beside the picture, whose top is at 4 kHz."""
    for khz in (1, 2, 3):
        y = _LANE + _HEIGHT * (1 - khz / 4)
        yield f'<text x="{_LEFT - 4}" y="{y + 3:.0f}" text-anchor="end">{khz} kHz</text>'


def _times(seconds: float, scale: float) -> Iterator[str]:
    """The labels below it, a dozen at most."""
    step = next((step for step in _STEPS_S if seconds / step <= 12), _STEPS_S[-1])
    bottom = _LANE + _HEIGHT
    at = 0.0
    while at <= seconds:
        x = _LEFT + at * scale
        yield f'<path d="M{x:.1f} {bottom}v4" stroke="#000"/>'
        yield f'<text x="{x:.1f}" y="{bottom + _BELOW - 4}" text-anchor="middle">{at:g} s</text>'
        at += step


def spectrogram_png(samples: NDArray[np.int16], rate: int = SAMPLE_RATE) -> bytes:
    """The picture alone: frequency (to 4 kHz) over the recording's whole length."""
    return _png(_picture(resample(samples, rate, SAMPLE_RATE)))


def _span(span: Span, scale: float, wrong: bool) -> str:
    """A span as a bar above the picture, with a line down through it where it began."""
    x, width = _LEFT + span.began * scale, max(1.0, span.seconds * scale)
    colour = _WRONG if wrong else _COLOURS[span.kind]
    words = span.detail if span.kind == "mark" else f"{span.kind} {span.detail}".strip()
    said = f"{escape(words)}: {span.began:.2f} to {span.ended:.2f} s"
    label = escape(span.detail) if span.kind in ("mark", "dtmf") else span.kind
    text = ""
    if width > 6.5 * len(label):  # else it would stand over its neighbour
        text = f'<text x="{x + 2:.1f}" y="{_LANE - 4}" fill="#fff">{label}</text>'
    return (
        f"<g><title>{said}</title>"
        f'<rect x="{x:.1f}" y="1" width="{width:.1f}" height="{_LANE - 2}" fill="{colour}"/>'
        f'{text}<path d="M{x:.1f} {_LANE}v{_HEIGHT}" stroke="{colour}" stroke-opacity="0.8"/></g>'
    )


def _picture(audio: NDArray[np.int16]) -> NDArray[np.uint8]:
    """(128, columns): 0 for what is faint to 255 for what is loud, high frequencies first."""
    missing = _WINDOW - len(audio)
    if missing > 0:
        audio = np.concatenate([audio, np.zeros(missing, np.int16)])
    places = len(audio) - _WINDOW + 1
    hop = max(_HOP, -(-places // _MOST_COLUMNS))
    windows = np.lib.stride_tricks.sliding_window_view(audio, _WINDOW)[::hop]
    spectrum = np.fft.rfft(windows * _HANN, axis=1)
    spectrum = spectrum[:, 1 : _HEIGHT + 1]  # a DC offset is not heard
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    above_floor = 10 * np.log10(power + 1e-12) - _FLOOR_DB
    shade = above_floor * (255 / (_TOP_DB - _FLOOR_DB))
    columns = np.clip(shade, 0, 255).astype(np.uint8)
    return columns.T[::-1]


def _png(picture: NDArray[np.uint8]) -> bytes:
    """A palette image as PNG (ISO/IEC 15948)."""
    height, width = picture.shape
    rows = np.zeros((height, width + 1), np.uint8)  # each row begins with its filter, 0 for none
    rows[:, 1:] = picture
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
            _chunk(b"PLTE", _PALETTE),
            _chunk(b"IDAT", zlib.compress(rows.tobytes(), 1)),
            _chunk(b"IEND", b""),
        ]
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _palette(stops: Sequence[tuple[int, int, int]]) -> bytes:
    """256 colours that run through the stops, from faint to loud, ever brighter, so that it reads
    in grey too.
    """
    places = np.linspace(0, 255, len(stops))
    channels = [np.interp(np.arange(256), places, [stop[k] for stop in stops]) for k in range(3)]
    return np.stack(channels, axis=1).astype(np.uint8).tobytes()


_PALETTE: Final = _palette(
    [
        (0, 0, 8),
        (40, 11, 84),
        (120, 28, 109),
        (188, 55, 84),
        (237, 105, 37),
        (251, 180, 26),
        (252, 255, 200),
    ]
)
_HANN: Final = (
    np.hanning(_WINDOW + 2)[1:-1] / (32768.0 * np.sum(np.hanning(_WINDOW + 2)) / 2)
).astype(np.float32)
