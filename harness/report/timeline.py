"""What each leg heard, and when: marks, call states and digits on one time axis, as SVG."""

from __future__ import annotations

from collections.abc import Iterable

from harness.events import DtmfReceived, Event
from harness.report.evidence import CaseEvidence
from harness.report.markup import xml
from harness.report.moments import REPLY, far_end_marks, is_foreign, name_mark, owners, stretches

_LEFT, _WIDTH, _LANE, _TOP = 130, 820, 46, 26
_COLOURS = ("#2e90fa", "#12b76a", "#f79009", "#7a5af8", "#06aed4", "#ee46bc", "#66c61c", "#6172f3")
_FOREIGN = "#d92d20"
_STATES = {"ringing": "#fde68a", "talking": "#a6e3c0", "held": "#f5c2c7"}
_STYLE = (  # bound to the picture's own class, since the rules of an inline picture hold for the whole page
    ".timeline text{font:11px system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;fill:#1f2933}"
    ".timeline .a{fill:#7b8794}.timeline .w{fill:#fff}.timeline .g{stroke:#e4e7eb}"
)


def svg(evidence: CaseEvidence) -> str:
    """One lane a leg, and one for what a far end says it heard; a leg that heard nothing keeps its empty lane."""
    began, end = evidence.began, max(evidence.ended, evidence.began + 0.1)
    scale = _WIDTH / (end - began)
    far = far_end_marks(evidence)
    legs = list(dict.fromkeys([*evidence.legs, *(span.leg for span in far)]))
    height = _TOP + max(1, len(legs)) * _LANE + 24
    width = _LEFT + _WIDTH + 20
    own = owners(evidence)
    voices = evidence.case.get("voices") or {}
    colours = {mark: _COLOURS[index % len(_COLOURS)] for index, mark in enumerate(own)}

    def x(at: float) -> float:
        return _LEFT + (min(max(at, began), end) - began) * scale

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="timeline" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'style="min-width:{width * 0.6:.0f}px" role="img" aria-label="What each leg heard in {xml(evidence.id)}">'
        f"<style>{_STYLE}</style>"
        f'<rect width="{width}" height="{height}" fill="#fff"/>'
    ]
    for second in _ticks(end - began):
        place = _LEFT + second * scale
        parts.append(
            f'<line class="g" x1="{place:.1f}" y1="{_TOP - 6}" x2="{place:.1f}" y2="{height - 20}"/>'
            f'<text class="a" x="{place:.1f}" y="{height - 6}" text-anchor="middle">{second:g} s</text>'
        )
    for index, leg in enumerate(legs):
        top = _TOP + index * _LANE
        parts.append(
            f'<text x="{_LEFT - 10}" y="{top + 20}" text-anchor="end">{xml(leg)}</text>'
            f'<line class="g" x1="{_LEFT}" y1="{top + _LANE - 8}" x2="{_LEFT + _WIDTH}" y2="{top + _LANE - 8}"/>'
        )
    for stretch in stretches(evidence):
        top = _TOP + legs.index(stretch.leg) * _LANE
        parts.append(
            _bar(
                x(stretch.began),
                x(stretch.ended),
                top + 28,
                7,
                _STATES[stretch.phase],
                f"{stretch.phase}: {stretch.text}",
            )
        )
    for span in (*evidence.marks, *far):
        top = _TOP + legs.index(span.leg) * _LANE
        name = name_mark(span.mark, own, voices)
        foreign = is_foreign(span.mark, own)
        colour = _FOREIGN if foreign else colours.get(span.mark % REPLY, "#52606d")
        tip = (
            f"{name} (mark {span.mark}) {span.began - began:.3f}–{span.ended - began:.3f} s, "
            f"{span.level_dbov:.0f} dBov, quality {span.quality:.2f}"
        )
        left, right = x(span.began), x(span.ended)
        parts.append(_bar(left, right, top + 4, 22, colour, tip, faint=span.mark >= REPLY and not foreign))
        if right - left > 7 * len(name):
            parts.append(f'<text class="w" x="{left + 6:.1f}" y="{top + 19}">{xml(name)}</text>')
    parts += [
        _digit(x(event.at), _TOP + legs.index(event.leg or "") * _LANE, event) for event in _digits(evidence.events)
    ]
    return "".join(parts) + "</svg>"


def heard_in_words(evidence: CaseEvidence) -> list[str]:
    """What each leg heard, a line each, for where no picture can be."""
    own, voices = owners(evidence), evidence.case.get("voices") or {}
    lines = []
    for leg in evidence.legs:
        spans = [span for span in evidence.marks if span.leg == leg]
        if spans:
            heard = ", ".join(
                f"{name_mark(span.mark, own, voices)} {span.began - evidence.began:.2f}–{span.ended - evidence.began:.2f} s"
                for span in spans
            )
            lines.append(f"{leg} heard {heard}")
        else:
            lines.append(f"{leg} heard no mark")
    return lines


def _bar(left: float, right: float, y: int, height: int, colour: str, tip: str, *, faint: bool = False) -> str:
    opacity = ' fill-opacity="0.72"' if faint else ""
    return (
        f'<rect x="{left:.1f}" y="{y}" width="{max(2.0, right - left):.1f}" height="{height}" rx="3" fill="{colour}"{opacity}>'
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
    step = next(s for s in (0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600, 86_400) if seconds / s <= 12)
    return [round(step * index, 3) for index in range(int(seconds / step) + 1)]
