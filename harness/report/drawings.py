"""Pictures of a case: the ladder of its messages, as text for a terminal and as SVG, and the time
line of what each leg heard.

In the ladder each phone of the harness is a lifeline, and each address it talks to is another. Time
runs down by message, not to scale: what counts is the order, and a call is quiet for most of its
life. In the time line it runs to the right, to scale.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

from harness.audio.marks import REPLY_OFFSET
from harness.case.events import DtmfReceived, LegStarted, phone_of
from harness.case.legs import MarkSpan
from harness.case.model import CHALLENGES
from harness.report.evidence import CaseEvidence
from harness.report.flow import (
    Activity,
    Arrow,
    FlowEnd,
    LegPhase,
    activities,
    arrows,
    far_end_marks,
    is_foreign,
    leg_phases,
    met_challenges,
    name_mark,
    owners,
    without_repeats,
)
from harness.report.hearing import Hearing
from harness.report.markup import short, xml

#: The colours of a leg's phases.
PHASE_COLOURS = {"ringing": "#fde68a", "talking": "#a6e3c0", "held": "#f5c2c7"}

#: The far end's clock differs by an unknown amount: such a message may have come earlier or later
#: than the ladder shows.
_TOLD = "Dashed (f1, f2 …): as the far end's own record tells it, at the times of its own clock."


@dataclass(frozen=True)
class Lifeline:
    """One party: a harness phone, or an address."""

    key: str
    title: str
    subtitle: str
    ours: bool


@dataclass(frozen=True)
class Row:
    """A message, or what happened at one lifeline, with the places of the lifelines that it
    touches.
    """

    what: Arrow | Activity
    source: int
    target: int


@dataclass(frozen=True)
class Ladder:
    """The diagram's content, before it has a form."""

    began: float
    lifelines: Sequence[Lifeline]
    rows: Sequence[Row]
    leg_phases: Sequence[LegPhase]

    @property
    def is_told(self) -> bool:
        """Whether some of it is known from a far end's record alone."""
        return any(isinstance(row.what, Arrow) and row.what.far_end for row in self.rows)

    @classmethod
    def of(cls, evidence: CaseEvidence, every: Sequence[Arrow] | None = None) -> Ladder:
        """The ladder of a case; ``every`` are its arrows, where they are known."""
        every = arrows(evidence) if every is None else every
        flow, registered = without_registrations(without_repeats(every), evidence.row)
        lifelines, keys = _lifelines(evidence, flow)
        place = {lifeline.key: index for index, lifeline in enumerate(lifelines)}
        rows = [Row(arrow, place[keys[arrow.source]], place[keys[arrow.target]]) for arrow in flow]
        folded = {moment.phone for moment in registered}
        reported = [
            m for m in activities(evidence) if m.at >= evidence.began
        ]  # a kept registration is older than the case
        reported = [
            m for m in reported if not (m.phone in folded and m.text.startswith("registered for "))
        ]
        rows += [
            Row(m, place[m.phone], place[m.phone])
            for m in (*registered, *reported)
            if m.phone in place
        ]
        return cls(
            evidence.began,
            lifelines,
            sorted(rows, key=lambda row: row.what.at),
            leg_phases(evidence),
        )


def _lifelines(
    evidence: CaseEvidence, flow: Sequence[Arrow]
) -> tuple[list[Lifeline], dict[FlowEnd, str]]:
    """The lifelines, the callers left, then by who first takes part; and the lifeline's key for
    each end of an arrow.
    """
    local: dict[
        FlowEnd, str
    ] = {}  # the harness's own ends, and those of a far end that told of them
    for arrow in flow:
        if not arrow.file:
            local.setdefault(arrow.local, arrow.phone)
    own_hosts = {end.host for end in local}
    far = {arrow.phone for arrow in flow if arrow.far_end}
    names: dict[str, str] = {
        str(host): str(name) for host, name in (evidence.case.get("hosts") or {}).items()
    }
    keys: dict[FlowEnd, str] = {}
    ends: dict[str, list[FlowEnd]] = {}
    for arrow in flow:
        for end in (arrow.source, arrow.target):
            if end not in keys:
                # a remote host is one party whatever its ports are, unless harness phones share its
                # address
                keys[end] = (
                    local[end] if end in local else str(end) if end.host in own_hosts else end.host
                )
                ends.setdefault(keys[end], []).append(end)
    found = []
    for key, known in ends.items():
        first = known[0]
        address = first.host if known[1:] else str(first)
        title = key if first in local else names.get(first.host, address)
        found.append(
            Lifeline(
                key, title, address if address != title else "", first in local and key not in far
            )
        )
    quiet = dict.fromkeys(event.phone for event in evidence.events if event.leg)
    found += [
        Lifeline(phone, phone, "", ours=True)
        for phone in quiet
        if phone not in ends and phone not in far
    ]
    callers = _callers(evidence)
    return sorted(
        found, key=lambda lifeline: lifeline.key not in callers
    ), keys  # stable: the others keep their order


def _callers(evidence: CaseEvidence) -> set[str]:
    """The phones that place the case's first calls: what is dialled on a REFER comes later."""
    started = evidence.events.of(LegStarted)
    placed = [
        event for event in started if event.direction == "outgoing" and event.replaces is None
    ]
    return {placed[0].phone} if placed and placed[0] is started[0] else set()


# -- the ladder as text

_MARGIN = 9  # the column of times


def ladder_text(
    evidence: CaseEvidence, width: int = 26, every: Sequence[Arrow] | None = None
) -> str:
    """The ladder as plain text, ``width`` characters from lifeline to lifeline; times in seconds
    from the case's start.
    """
    ladder = Ladder.of(evidence, every)
    count = len(ladder.lifelines)
    if not count:
        return "(no SIP message was recorded)\n"
    centres = [_MARGIN + width // 2 + index * width for index in range(count)]
    total = _MARGIN + count * width

    def blank() -> list[str]:
        line = [" "] * total
        for centre in centres:
            line[centre] = "│"
        return line

    lines = []
    for words in ("title", "subtitle"):
        line = [" "] * total
        for centre, lifeline in zip(centres, ladder.lifelines, strict=True):
            _put(line, centre, getattr(lifeline, words)[: width - 2], centred=True)
        lines.append(line)
    for row in ladder.rows:
        what, source, target = row.what, centres[row.source], centres[row.target]
        line = blank()
        line[: _MARGIN - 1] = f"{what.at - ladder.began:8.3f}"
        lines.append(line)
        if isinstance(what, Activity):
            _put(line, source + 2, f"· {what.text}")
            continue
        _text_arrow(line, what, source, target)
        if what.detail:
            lines.append(blank())
            _put(lines[-1], min(source, target) + 2, what.detail)
    note = f"\n{_TOLD}\n" if ladder.is_told else ""
    return "\n".join("".join(line).rstrip() for line in lines) + "\n" + note


def _text_arrow(line: list[str], arrow: Arrow, source: int, target: int) -> None:
    numbers = _numbers(arrow)
    left, right = sorted((source, target))
    for column in range(left + 1, right):
        line[column] = "─" if not arrow.far_end else "╌"
    if target > source:
        line[right - 1] = "▶"
    else:
        line[left + 1] = "◀"
    room = right - left - 4
    label = f" {short(arrow.label, room - len(numbers) - 3)} {numbers} "  # a number is what findings point to
    _put(line, left + 2 + max(0, (room - len(label)) // 2), label)


def _put(line: list[str], column: int, words: str, *, centred: bool = False) -> None:
    start = max(0, column - len(words) // 2) if centred else column
    line.extend(" " * max(0, start + len(words) - len(line)))
    line[start : start + len(words)] = words


# -- the ladder as SVG

_LEFT, _TOP, _COLUMN, _BOX, _ROW, _NOTE = 64, 58, 224, 186, 38, 26


#: The widest that a character of a label, and of the line below it, is on average in the fonts that
#: draw them.
_LABEL_WIDTH, _DETAIL_WIDTH = 7.2, 5.8


#: Rules of an inline picture hold for the whole page, so each is bound to the picture's own class.
_STYLE = """
.ladder text{font:12px system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;fill:var(--ink,#1f2933)}
.ladder .bg{fill:var(--card,#fff)}
.ladder .t,.ladder .n,.ladder .d,.ladder .m{fill:var(--soft,#52606d);font-size:11px}
.ladder .d{font-size:10px}
.ladder .h{font-weight:600;font-size:13px}
.ladder .n{font-size:10px;font-weight:400}
.ladder .m{font-style:italic}
.ladder .b{fill:var(--failed,#b42318)}
.ladder .box{fill:var(--ground,#f5f7fa);stroke:var(--line,#cbd2d9)}
.ladder .ours{fill:var(--tint,#eef4ff)}
.ladder .l{stroke:var(--line,#cbd2d9);stroke-dasharray:3 3}
.ladder .rq,.ladder .pr,.ladder .ok,.ladder .er{stroke-width:1.5}
.ladder .rq{stroke:var(--link,#175cd3)}
.ladder .ok{stroke:var(--passed,#027a48)}
.ladder .pr{stroke:var(--soft,#52606d)}
.ladder .er{stroke:var(--failed,#b42318)}
.ladder .hrq{fill:var(--link,#175cd3)}
.ladder .hok{fill:var(--passed,#027a48)}
.ladder .hpr{fill:var(--soft,#52606d)}
.ladder .her{fill:var(--failed,#b42318)}
.ladder .far{stroke-dasharray:5 3}
.ladder .cursor{stroke:var(--failed,#b42318);stroke-width:1.5}
.ladder a:hover text{text-decoration:underline}
"""


_HEADS = ("rq", "ok", "pr", "er")


def ladder_svg(
    evidence: CaseEvidence, *, anchors: str = "", every: Sequence[Arrow] | None = None
) -> str:
    """The ladder as SVG. With ``anchors``, each arrow links to ``#<anchors><number>`` in the page
    that holds it.

    ``every`` are the case's arrows, where they are known.
    """
    ladder = Ladder.of(evidence, every)
    met = met_challenges([row.what for row in ladder.rows if isinstance(row.what, Arrow)])
    count = max(1, len(ladder.lifelines))
    width = _LEFT + count * _COLUMN + 20
    places: list[float] = []
    y = float(_TOP + 20)
    for row in ladder.rows:
        places.append(y)
        y += _NOTE if isinstance(row.what, Activity) else _ROW
    height = y + (36 if ladder.is_told else 16)
    moved = [
        [round(row.what.at - ladder.began, 3), place]
        for row, place in zip(ladder.rows, places, strict=True)
    ]
    centres = [_LEFT + _COLUMN // 2 + index * _COLUMN for index in range(count)]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="ladder" viewBox="0 0 {width} {height:.0f}" width="{width}" '
        f'height="{height:.0f}" role="{"group" if anchors else "img"}" aria-label="Ladder of {xml(evidence.id)}" '
        f'data-places="{xml(json.dumps(moved))}">'
        f"<style>{_STYLE}</style><defs>"
        + "".join(
            f'<marker id="{xml(anchors)}a-{name}" viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="8" markerHeight="8" '
            f'orient="auto-start-reverse"><path d="M0 0L8 4L0 8z" class="h{name}"/></marker>'
            for name in _HEADS
        )
        + f'</defs><rect class="bg" width="{width}" height="{height:.0f}"/>'
    ]
    parts += _svg_lifelines(ladder, centres, height)
    parts += _svg_bars(ladder, centres, places, height)
    for row, place in zip(ladder.rows, places, strict=True):
        what, source, target = row.what, centres[row.source], centres[row.target]
        at = f"{what.at - ladder.began:.3f}"
        parts.append(
            f'<text class="t" x="{_LEFT - 8}" y="{place + 4:.0f}" text-anchor="end">{at}</text>'
        )
        if isinstance(what, Activity):
            parts.append(
                _svg_moment(what, source, place, is_last=row.source == count - 1 and count > 1)
            )
        else:
            parts.append(_svg_arrow(what, _kind(what, met), source, target, place, anchors))
    if ladder.is_told:
        parts.append(f'<text class="t" x="{_LEFT}" y="{height - 8:.0f}">{xml(_TOLD)}</text>')
    parts.append(f'<line class="cursor" x1="0" x2="{width}" y1="-9" y2="-9"/></svg>')
    return "".join(parts)


def _svg_moment(moment: Activity, centre: int, y: float, *, is_last: bool) -> str:
    """What happened at a lifeline, beside it: at the last one there is no room to the right."""
    x, anchor = (centre - 12, "end") if is_last else (centre + 12, "start")
    bad = " b" if moment.bad else ""
    return f'<text class="m{bad}" x="{x}" y="{y + 4:.0f}" text-anchor="{anchor}">{xml(moment.text)}</text>'


def _svg_lifelines(ladder: Ladder, centres: list[int], height: float) -> list[str]:
    parts = []
    for centre, lifeline in zip(centres, ladder.lifelines, strict=False):
        ours = " ours" if lifeline.ours else ""
        parts.append(
            f'<rect x="{centre - _BOX // 2}" y="8" width="{_BOX}" height="40" rx="6" class="box{ours}"/>'
            f'<text class="h" x="{centre}" y="{25 if lifeline.subtitle else 33}" text-anchor="middle">'
            f"{xml(short(lifeline.title, 24))}</text>"
            + (
                f'<text class="n" x="{centre}" y="41" text-anchor="middle">{xml(lifeline.subtitle)}</text>'
                * bool(lifeline.subtitle)
            )
            + f'<line class="l" x1="{centre}" y1="48" x2="{centre}" y2="{height - 8:.0f}"/>'
        )
    return parts


def _svg_bars(ladder: Ladder, centres: list[int], places: list[float], height: float) -> list[str]:
    """Bars along a phone's lifeline: when each of its legs rang, talked, was on hold."""
    times = [row.what.at for row in ladder.rows]
    column = {
        lifeline.key: centre for lifeline, centre in zip(ladder.lifelines, centres, strict=False)
    }
    legs: dict[str, list[str]] = {}
    parts = []
    for stretch in ladder.leg_phases:
        phone = phone_of(stretch.leg)
        if phone not in column:
            continue
        order = legs.setdefault(phone, [])
        if stretch.leg not in order:
            order.append(stretch.leg)
        x = column[phone] - 4 + 9 * order.index(stretch.leg)
        top = _place(stretch.began, times, places, height)
        bottom = max(top + 3, _place(stretch.ended, times, places, height))
        parts.append(
            f'<rect x="{x}" y="{top:.1f}" width="8" height="{bottom - top:.1f}" rx="2" fill="{PHASE_COLOURS[stretch.phase]}">'
            f"<title>{xml(f'{stretch.leg} {stretch.phase}: {stretch.text}')}</title></rect>"
        )
    return parts


def _place(at: float, times: list[float], places: list[float], height: float) -> float:
    """The height of a moment between the rows around it."""
    after = bisect_right(times, at)
    if after == 0:
        return places[0] if places else _TOP
    if after == len(times):
        return min(places[-1] + (_ROW / 2 if at > times[-1] else 0), height - 10)
    span = times[after] - times[after - 1]
    share = (at - times[after - 1]) / span if span else 0.0
    return places[after - 1] + share * (places[after] - places[after - 1])


def _kind(arrow: Arrow, met: Container[str]) -> str:
    """The arrow's colour: a request, an end or what is provisional, a success, a failure."""
    if not arrow.is_response:
        return "pr" if arrow.method in ("BYE", "CANCEL") else "rq"
    if arrow.status < 200 or arrow.numbers[0] in met:
        return "pr"
    return "ok" if arrow.status < 300 else "er"


def _svg_arrow(arrow: Arrow, kind: str, source: int, target: int, y: float, anchors: str) -> str:
    inset = 6 if target > source else -6
    line = (
        f'<line x1="{source + inset}" y1="{y:.0f}" x2="{target - inset}" y2="{y:.0f}" '
        f'class="{kind}{" far" if arrow.far_end else ""}" marker-end="url(#{xml(anchors)}a-{kind})"/>'
    )
    middle = (source + target) // 2
    room = max(_COLUMN, abs(target - source)) - 24
    detail = short(arrow.detail, int(room / _DETAIL_WIDTH))
    label = short(arrow.label, int(room / _LABEL_WIDTH) - len(_numbers(arrow)))
    # in a page the message itself is a click away; alone, the picture carries it
    tip = "" if anchors else f"<title>{xml(arrow.text)}</title>"
    body = (
        f"{tip}{line}"
        f'<text x="{middle}" y="{y - 4:.0f}" text-anchor="middle">{xml(label)} '
        f'<tspan class="n">{xml(_numbers(arrow))}</tspan></text>'
        + (
            f'<text class="d" x="{middle}" y="{y + 12:.0f}" text-anchor="middle">{xml(detail)}</text>'
            if detail
            else ""
        )
    )
    if anchors and not arrow.far_end:
        return f'<a href="#{xml(anchors + arrow.numbers[0])}" tabindex="-1">{body}</a>'
    return f"<g>{body}</g>"


def _numbers(arrow: Arrow) -> str:
    """The number, of a message that was repeated the first and the last."""
    first, last = arrow.numbers[0], arrow.numbers[-1]
    return f"{first}…{last}" if arrow.repeats else first


def without_registrations(flow: Sequence[Arrow], row: str) -> tuple[list[Arrow], list[Activity]]:
    """The other arrows, and a moment for the registrations of each phone that succeeded; a row
    about them shows them whole.
    """
    if "REGISTER" in row:
        return list(flow), []
    by_phone: dict[str, list[Arrow]] = {}
    for arrow in flow:
        if arrow.method == "REGISTER" and not arrow.far_end:
            by_phone.setdefault(arrow.phone, []).append(arrow)
    folded = {phone: arrows for phone, arrows in by_phone.items() if _succeeded(arrows)}
    rest = [a for a in flow if a.method != "REGISTER" or a.far_end or a.phone not in folded]
    return rest, [_registered(phone, arrows) for phone, arrows in folded.items()]


def _succeeded(arrows: Sequence[Arrow]) -> bool:
    statuses = [arrow.status for arrow in arrows if arrow.is_response and arrow.status >= 200]
    return (
        bool(statuses)
        and 200 <= statuses[-1] < 300
        and all(s < 300 or s in CHALLENGES for s in statuses)
    )


def _registered(phone: str, arrows: Sequence[Arrow]) -> Activity:
    numbers = [number for arrow in arrows for number in arrow.numbers]
    last = [arrow for arrow in arrows if arrow.is_response][-1]
    shown = numbers[0] if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}"
    return Activity(arrows[0].at, phone, f"registered: {last.status} ({shown})")


# -- the time line

_AXIS_LEFT, _AXIS_WIDTH, _AXIS_TOP, _AXIS_BELOW = 130, 820, 12, 24
_LANE, _STRIP = (
    46,
    52,
)  #: pixels of a leg's marks and states; of the spectrogram below them, where there is one
_COLOURS = ("#175cd3", "#027a48", "#b54708", "#6941c6", "#0e7090", "#c11574", "#3b7c0f", "#444ce7")
_FOREIGN = "#b42318"
_SOUNDS = {
    "speech": "#93c5fd",
    "dtmf": "#d8b4fe",
    "music": "#c4b5fd",
    "noise": "#cbd5e1",
}  #: else a network's tone
_TONE = "#fdba74"
_TIMELINE_STYLE = """
.timeline text{font:11px system-ui,-apple-system,'Segoe UI',Roboto,sans-serif;fill:var(--ink,#1f2933)}
.timeline .bg{fill:var(--card,#fff)}
.timeline .a{fill:var(--soft,#52606d)}
.timeline .w{fill:#fff}
.timeline .k{fill:#1f2933;font-size:10px}
.timeline .g{stroke:var(--line,#e4e7eb)}
.timeline .cursor{stroke:var(--failed,#b42318);stroke-width:1.5}
"""


class _Axis:
    """The case's time on the picture's width, and each leg's place in its height."""

    def __init__(
        self, evidence: CaseEvidence, legs: Sequence[str], drawn: Mapping[str, Hearing]
    ) -> None:
        self.began, self.ended = evidence.began, max(evidence.ended, evidence.began + 0.1)
        self.scale = _AXIS_WIDTH / (self.ended - self.began)
        self.tops: dict[str, int] = {}
        y = _AXIS_TOP
        for leg in legs:
            self.tops[leg] = y
            y += _LANE + (_STRIP if leg in drawn else 0)
        self.height = max(y, _AXIS_TOP + _LANE) + _AXIS_BELOW

    def x(self, at: float) -> float:
        """The place of a moment."""
        return _AXIS_LEFT + (min(max(at, self.began), self.ended) - self.began) * self.scale


def timeline_svg(evidence: CaseEvidence, hearings: Iterable[Hearing] = ()) -> str:
    """One lane a leg, and one for what a far end says it heard; a leg that heard nothing keeps its
    empty lane.

    The spectrograms of ``hearings`` stand in their legs' lanes, on the same time axis.
    """
    drawn = {
        hearing.leg: hearing
        for hearing in hearings
        if hearing.picture and hearing.began is not None
    }
    far = far_end_marks(evidence)
    legs = list(dict.fromkeys([*evidence.legs, *(span.leg for span in far)]))
    axis = _Axis(evidence, legs, drawn)
    width = _AXIS_LEFT + _AXIS_WIDTH + 20
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="timeline" viewBox="0 0 {width} {axis.height}" width="{width}" '
        f'height="{axis.height}" role="img" aria-label="What each leg heard in {xml(evidence.id)}" '
        f'data-left="{_AXIS_LEFT}" data-scale="{axis.scale:.3f}">'
        f"<style>{_TIMELINE_STYLE}</style>"
        f'<rect class="bg" width="{width}" height="{axis.height}"/>',
        *_grid(axis, legs),
    ]
    for hearing in drawn.values():
        parts += _strip(axis, hearing)
    for stretch in leg_phases(evidence):
        left, right, y = axis.x(stretch.began), axis.x(stretch.ended), axis.tops[stretch.leg] + 28
        parts.append(
            _bar(
                left, right, y, 7, PHASE_COLOURS[stretch.phase], f"{stretch.phase}: {stretch.text}"
            )
        )
    parts += _marks(evidence, axis, (*evidence.marks, *far))
    for digit in evidence.events.of(DtmfReceived):
        if digit.leg is not None:
            parts.append(_digit(axis.x(digit.at), axis.tops[digit.leg], digit))
    parts.append(f'<line class="cursor" x1="-9" x2="-9" y1="0" y2="{axis.height - 20}"/>')
    return "".join(parts) + "</svg>"


def _grid(axis: _Axis, legs: Sequence[str]) -> Iterable[str]:
    bottom = axis.height - 20
    for second in _ticks(axis.ended - axis.began):
        place = _AXIS_LEFT + second * axis.scale
        yield (
            f'<line class="g" x1="{place:.1f}" y1="4" x2="{place:.1f}" y2="{bottom}"/>'
            f'<text class="a" x="{place:.1f}" y="{axis.height - 6}" text-anchor="middle">{second:g} s</text>'
        )
    for leg in legs:
        top = axis.tops[leg]
        yield (
            f'<text x="{_AXIS_LEFT - 10}" y="{top + 20}" text-anchor="end">{xml(leg)}</text>'
            f'<line class="g" x1="{_AXIS_LEFT}" y1="{top - 2}" x2="{_AXIS_LEFT + _AXIS_WIDTH}" y2="{top - 2}"/>'
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
    left, width = (
        _AXIS_LEFT + (hearing.began - axis.began) * axis.scale,
        hearing.seconds * axis.scale,
    )
    title = xml(f"What {hearing.leg} received, to 4 kHz")
    yield (
        f'<text class="a" x="{_AXIS_LEFT - 10}" y="{top + 26}" text-anchor="end">received</text>'
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


def _ticks(seconds: float) -> list[float]:
    """Round times, at most a dozen of them."""
    step = next(
        (
            s
            for s in (0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600, 86_400)
            if seconds / s <= 12
        ),
        seconds / 12,
    )
    return [round(step * index, 3) for index in range(int(seconds / step) + 1)]
