"""What each leg heard, and when: marks, call states and digits on one time axis, as SVG."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from harness.audio.marks import REPLY_OFFSET
from harness.calls.events import DtmfReceived, Event
from harness.report.case_log import MarkSpan
from harness.report.evidence import CaseEvidence
from harness.report.flow import far_end_marks, is_foreign, leg_phases, name_mark, owners
from harness.report.hearing import Hearing
from harness.report.markup import PHASE_COLOURS, xml

_LEFT, _WIDTH, _TOP, _BELOW = 130, 820, 12, 24
_LANE, _STRIP = 46, 52  #: pixels of a leg's marks and states; of the spectrogram below them, where there is one
_COLOURS = ("#175cd3", "#027a48", "#b54708", "#6941c6", "#0e7090", "#c11574", "#3b7c0f", "#444ce7")
_FOREIGN = "#b42318"
_SOUNDS = {"speech": "#93c5fd", "dtmf": "#d8b4fe", "music": "#c4b5fd", "noise": "#cbd5e1"}  #: else a network's tone
_TONE = "#fdba74"
_STYLE = (  # bound to the picture's own class, since the rules of an inline picture hold for the whole page
    ".timeline text{font:11px system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;fill:var(--ink,#1f2933)}"
    ".timeline .bg{fill:var(--card,#fff)}.timeline .a{fill:var(--soft,#52606d)}.timeline .w{fill:#fff}"
    ".timeline .k{fill:#1f2933;font-size:10px}.timeline .g{stroke:var(--line,#e4e7eb)}"
    ".timeline .cursor{stroke:var(--failed,#b42318);stroke-width:1.5}"
)


class _Axis:
    """The case's time on the picture's width, and each leg's place in its height."""

    def __init__(self, evidence: CaseEvidence, legs: Sequence[str], drawn: Mapping[str, Hearing]) -> None:
        self.began, self.ended = evidence.began, max(evidence.ended, evidence.began + 0.1)
        self.scale = _WIDTH / (self.ended - self.began)
        self.tops: dict[str, int] = {}
        y = _TOP
        for leg in legs:
            self.tops[leg] = y
            y += _LANE + (_STRIP if leg in drawn else 0)
        self.height = max(y, _TOP + _LANE) + _BELOW

    def x(self, at: float) -> float:
        """The place of a moment."""
        return _LEFT + (min(max(at, self.began), self.ended) - self.began) * self.scale


def svg(evidence: CaseEvidence, hearings: Iterable[Hearing] = ()) -> str:
    """One lane a leg, and one for what a far end says it heard; a leg that heard nothing keeps its empty lane.

    The spectrograms of ``hearings`` stand in their legs' lanes, on the same time axis.
    """
    drawn = {hearing.leg: hearing for hearing in hearings if hearing.picture and hearing.began is not None}
    far = far_end_marks(evidence)
    legs = list(dict.fromkeys([*evidence.legs, *(span.leg for span in far)]))
    axis = _Axis(evidence, legs, drawn)
    width = _LEFT + _WIDTH + 20
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="timeline" viewBox="0 0 {width} {axis.height}" width="{width}" '
        f'height="{axis.height}" role="img" aria-label="What each leg heard in {xml(evidence.id)}" '
        f'data-left="{_LEFT}" data-scale="{axis.scale:.3f}">'
        f"<style>{_STYLE}</style>"
        f'<rect class="bg" width="{width}" height="{axis.height}"/>',
        *_grid(axis, legs),
    ]
    for hearing in drawn.values():
        parts += _strip(axis, hearing)
    for stretch in leg_phases(evidence):
        parts.append(
            _bar(
                axis.x(stretch.began),
                axis.x(stretch.ended),
                axis.tops[stretch.leg] + 28,
                7,
                PHASE_COLOURS[stretch.phase],
                f"{stretch.phase}: {stretch.text}",
            )
        )
    parts += _marks(evidence, axis, (*evidence.marks, *far))
    parts += [_digit(axis.x(event.at), axis.tops[event.leg or ""], event) for event in _digits(evidence.events)]
    parts.append(f'<line class="cursor" x1="-9" x2="-9" y1="0" y2="{axis.height - 20}"/>')
    return "".join(parts) + "</svg>"


def _grid(axis: _Axis, legs: Sequence[str]) -> Iterable[str]:
    bottom = axis.height - 20
    for second in _ticks(axis.ended - axis.began):
        place = _LEFT + second * axis.scale
        yield (
            f'<line class="g" x1="{place:.1f}" y1="4" x2="{place:.1f}" y2="{bottom}"/>'
            f'<text class="a" x="{place:.1f}" y="{axis.height - 6}" text-anchor="middle">{second:g} s</text>'
        )
    for leg in legs:
        top = axis.tops[leg]
        yield (
            f'<text x="{_LEFT - 10}" y="{top + 20}" text-anchor="end">{xml(leg)}</text>'
            f'<line class="g" x1="{_LEFT}" y1="{top - 2}" x2="{_LEFT + _WIDTH}" y2="{top - 2}"/>'
        )


def _marks(evidence: CaseEvidence, axis: _Axis, spans: Iterable[MarkSpan]) -> Iterable[str]:
    own = owners(evidence)
    voices = evidence.case.get("voices") or {}
    colours = {mark: _COLOURS[index % len(_COLOURS)] for index, mark in enumerate(own)}
    for span in spans:
        top = axis.tops[span.leg]
        name = name_mark(span.mark, own, voices)
        foreign = is_foreign(span.mark, own)
        colour = _FOREIGN if foreign else colours.get(span.mark % REPLY_OFFSET, "#52606d")
        tip = (
            f"{name} (mark {span.mark}) {span.began - axis.began:.3f}–{span.ended - axis.began:.3f} s, "
            f"{span.level_dbov:.0f} dBov, quality {span.quality:.2f}"
        )
        left, right = axis.x(span.began), axis.x(span.ended)
        yield _bar(left, right, top + 4, 22, colour, tip)
        if right - left > 7 * len(name):
            yield f'<text class="w" x="{left + 6:.1f}" y="{top + 19}">{xml(name)}</text>'


def _strip(axis: _Axis, hearing: Hearing) -> Iterable[str]:
    """What a leg received: its spectrogram, and above it what is neither a mark nor silence."""
    assert hearing.began is not None  # the caller asked
    top = axis.tops[hearing.leg] + _LANE - 6
    left, width = _LEFT + (hearing.began - axis.began) * axis.scale, hearing.seconds * axis.scale
    title = xml(f"What {hearing.leg} received, to 4 kHz")
    yield (
        f'<text class="a" x="{_LEFT - 10}" y="{top + 26}" text-anchor="end">received</text>'
        f'<image x="{left:.1f}" y="{top}" width="{width:.1f}" height="{_STRIP - 4}" preserveAspectRatio="none" '
        f'href="{hearing.picture}"><title>{title}</title></image>'
    )
    for sound in hearing.sounds:
        if sound.kind in ("mark", "silence"):
            continue
        began, ended = left + sound.began * axis.scale, left + sound.ended * axis.scale
        words = f"{sound.kind} {sound.name}".strip()
        yield _bar(began, ended, top - 2, 10, _SOUNDS.get(sound.kind, _TONE), words)
        if ended - began > 6 * len(sound.kind):
            yield f'<text class="k" x="{began + 3:.1f}" y="{top + 6.5:.1f}">{xml(sound.kind)}</text>'


def _bar(left: float, right: float, y: int, height: int, colour: str, tip: str) -> str:
    return (
        f'<rect x="{left:.1f}" y="{y}" width="{max(2.0, right - left):.1f}" height="{height}" rx="3" fill="{colour}">'
        f"<title>{xml(tip)}</title></rect>"
    )


def _digit(x: float, top: int, event: DtmfReceived) -> str:
    return (
        f'<circle cx="{x:.1f}" cy="{top + 15}" r="9" fill="#1f2933"><title>{xml(f"{event.digit} by {event.method}")}</title>'
        f'</circle><text class="w" x="{x:.1f}" y="{top + 19}" text-anchor="middle">{xml(event.digit)}</text>'
    )


def _digits(events: Iterable[Event]) -> Iterable[DtmfReceived]:
    return (event for event in events if isinstance(event, DtmfReceived) and event.leg)


def _ticks(seconds: float) -> list[float]:
    """Round times, at most a dozen of them."""
    step = next(
        (s for s in (0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600, 86_400) if seconds / s <= 12), seconds / 12
    )
    return [round(step * index, 3) for index in range(int(seconds / step) + 1)]
