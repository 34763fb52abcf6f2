"""A load as a picture (SVG): calls up over time, how long each took to set up, and what did not pass."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

from harness.calls.verdict import Verdict
from harness.report.markup import xml
from harness.run.load.result import CallResult, LoadResult
from harness.support.files import whole_file

FILE = "load.svg"

_LEFT, _WIDTH, _RIGHT = 64, 820, 24
_CALLS_TOP, _CALLS_HEIGHT = 44, 190  #: the upper part: calls up
_SETUP_TOP, _SETUP_HEIGHT = 278, 150  #: the lower part: setup times
_HEIGHT = 476
_UP, _SETUP, _DELAY, _WRONG = "#175cd3", "#027a48", "#b54708", "#b42318"
_STYLE = (
    ".load text{font:12px system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;fill:#1f2933}"
    ".load .bg{fill:#fff}.load .a{fill:#52606d}.load .g{stroke:#e4e7eb}.load .t{font-weight:600}"
)


def write(run: Path, result: LoadResult) -> Path:
    """Write ``load.svg``; its path."""
    path = run / FILE
    whole_file.write(path, svg(result) + "\n")
    return path


def svg(result: LoadResult) -> str:
    """Calls up above, setup times below, on one time axis in seconds."""
    changes = _changes(result.calls)
    ends = max([at for at, _ in changes] + [call.invited_s or 0.0 for call in result.calls] + [1.0])
    scale = _WIDTH / ends
    most = max([result.asked.calls, 1])
    width = _LEFT + _WIDTH + _RIGHT
    title = f"{result.deployment}: {result.calls_held} of {result.asked.calls} calls held and verified"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="load" viewBox="0 0 {width} {_HEIGHT}" width="{width}" '
        f'height="{_HEIGHT}" role="img" aria-label="{xml(title)}"><style>{_STYLE}</style>'
        f'<rect class="bg" width="{width}" height="{_HEIGHT}"/><text class="t" x="{_LEFT}" y="20">{xml(title)}</text>',
        f'<text class="a" x="{_LEFT}" y="{_CALLS_TOP - 6}">calls up</text>',
        f'<text class="a" x="{_LEFT}" y="{_SETUP_TOP - 6}">setup in ms: INVITE → 200 (green), INVITE → 18x or 200 (brown); '
        "red: did not pass</text>",
        *_grid(ends, scale),
        *_scale(_CALLS_TOP, _CALLS_HEIGHT, most),
        _up(changes, scale, most),
        *_asked(result, most),
        *_setups(result.calls, scale),
    ]
    return "".join(parts) + "</svg>"


def _changes(calls: Iterable[CallResult]) -> list[tuple[float, int]]:
    """When a call came up (+1) or was over (-1), in order."""
    answered = [call for call in calls if call.answered_s is not None]
    changes = [(call.answered_s or 0.0, 1) for call in answered]
    changes += [(call.over_s, -1) for call in answered if call.over_s is not None]
    return sorted(changes)


def _up(changes: list[tuple[float, int]], scale: float, most: float) -> str:
    points, up = [f"{_LEFT},{_CALLS_TOP + _CALLS_HEIGHT}"], 0
    for at, change in changes:
        x = _LEFT + at * scale
        points.append(f"{x:.1f},{_y(_CALLS_TOP, _CALLS_HEIGHT, up, most):.1f}")
        up += change
        points.append(f"{x:.1f},{_y(_CALLS_TOP, _CALLS_HEIGHT, up, most):.1f}")
    return f'<polyline fill="none" stroke="{_UP}" stroke-width="2" points="{" ".join(points)}"/>'


def _asked(result: LoadResult, most: float) -> Iterable[str]:
    """A line at each step's calls; red from the first failing one on."""
    for step in result.steps:
        y = _y(_CALLS_TOP, _CALLS_HEIGHT, step.calls, most)
        colour = _UP if step.verdict is Verdict.PASSED else _WRONG
        yield (
            f'<line x1="{_LEFT}" x2="{_LEFT + _WIDTH}" y1="{y:.1f}" y2="{y:.1f}" stroke="{colour}" stroke-dasharray="2 5"/>'
            f'<text x="{_LEFT + 6}" y="{y - 3:.1f}" style="fill:{colour}">step {step.step} ({step.calls}): '
            f"{xml(str(step.verdict))}</text>"
        )


def _setups(calls: list[CallResult], scale: float) -> Iterable[str]:
    most = _round_up(max([call.setup_ms or 0.0 for call in calls] + [10.0]))
    yield from _scale(_SETUP_TOP, _SETUP_HEIGHT, most)
    for call in calls:
        if call.invited_s is None:
            continue
        x, wrong = _LEFT + call.invited_s * scale, call.verdict is not Verdict.PASSED
        tip = f"<title>call {call.call}: {xml(call.message or str(call.verdict))}</title>"
        if wrong:
            y = _SETUP_TOP + _SETUP_HEIGHT
            yield f'<path d="M{x - 4:.1f} {y - 4}l8 8m0 -8l-8 8" stroke="{_WRONG}" stroke-width="2">{tip}</path>'
        for value, colour in ((call.post_dial_delay_ms, _DELAY), (call.setup_ms, _SETUP)):
            if value is not None:
                y_of = _y(_SETUP_TOP, _SETUP_HEIGHT, value, most)
                yield f'<circle cx="{x:.1f}" cy="{y_of:.1f}" r="3" fill="{colour}" fill-opacity="0.7">{tip}</circle>'


def _grid(ends: float, scale: float) -> Iterable[str]:
    every = _round_up(ends / 8)
    for index in range(int(ends / every) + 1):
        x = _LEFT + index * every * scale
        yield (
            f'<line class="g" x1="{x:.1f}" y1="{_CALLS_TOP}" x2="{x:.1f}" y2="{_SETUP_TOP + _SETUP_HEIGHT}"/>'
            f'<text class="a" x="{x:.1f}" y="{_HEIGHT - 24}" text-anchor="middle">{index * every:g} s</text>'
        )


def _scale(top: int, height: int, most: float) -> Iterable[str]:
    """The value axis: nought, the half and all of ``most``."""
    for value in (0.0, most / 2, most):
        y = _y(top, height, value, most)
        yield (
            f'<line class="g" x1="{_LEFT}" x2="{_LEFT + _WIDTH}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text class="a" x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>'
        )


def _y(top: int, height: int, value: float, most: float) -> float:
    return top + height * (1 - value / most)


def _round_up(value: float) -> float:
    """The next of 1, 2, 5, 10 … that is not below ``value``."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= value)
