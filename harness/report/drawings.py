"""Pictures of a case: the ladder of its messages, as text for a terminal and as SVG, and the time
line of what each leg heard.

In the ladder each phone of the harness is a lifeline, and each address it talks to is another. Time
runs down by message, not to scale: what counts is the order, and a call is quiet for most of its
life. In the time line it runs to the right, to scale.
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

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
from harness.report.markup import render, short

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

    title: str
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
        shown = list(registered)
        folded = {moment.phone for moment in registered}
        for moment in activities(evidence):
            if moment.at < evidence.began:  # a kept registration is older than the case
                continue
            if moment.phone in folded and moment.text.startswith("registered for "):
                continue
            shown.append(moment)
        for moment in shown:
            if moment.phone in place:
                rows.append(Row(moment, place[moment.phone], place[moment.phone]))
        rows.sort(key=lambda row: row.what.at)
        return cls(evidence.id, evidence.began, lifelines, rows, leg_phases(evidence))


def _lifelines(
    evidence: CaseEvidence, flow: Sequence[Arrow]
) -> tuple[list[Lifeline], dict[FlowEnd, str]]:
    """The lifelines, the callers left, then by who first takes part; and the lifeline's key for
    each end of an arrow.
    """
    local = _local_ends(flow)
    far = {arrow.phone for arrow in flow if arrow.far_end}
    hosts: Mapping[object, object] = evidence.case.get("hosts") or {}
    names = {str(host): str(name) for host, name in hosts.items()}
    keys = _keys(flow, local)
    ends: dict[str, list[FlowEnd]] = {}
    for end, key in keys.items():
        ends.setdefault(key, []).append(end)
    found = []
    for key, (first, *others) in ends.items():
        address = first.host if others else str(first)
        title = key if first in local else names.get(first.host, address)
        subtitle = address if address != title else ""
        found.append(Lifeline(key, title, subtitle, ours=first in local and key not in far))
    for phone in dict.fromkeys(event.phone for event in evidence.events if event.leg):
        if phone not in ends and phone not in far:  # it has no arrow
            found.append(Lifeline(phone, phone, "", ours=True))
    callers = _callers(evidence)
    found.sort(key=lambda lifeline: lifeline.key not in callers)  # stable: the others keep theirs
    return found, keys


def _local_ends(flow: Iterable[Arrow]) -> dict[FlowEnd, str]:
    """The phone at each end that the harness, or a far end that told of its own, has."""
    local: dict[FlowEnd, str] = {}
    for arrow in flow:
        if not arrow.file:
            local.setdefault(arrow.local, arrow.phone)
    return local


def _keys(flow: Iterable[Arrow], local: Mapping[FlowEnd, str]) -> dict[FlowEnd, str]:
    """The lifeline's key for each end, by first appearance. A remote host is one party whatever its
    ports are, unless harness phones share its address.
    """
    own_hosts = {end.host for end in local}
    keys: dict[FlowEnd, str] = {}
    for arrow in flow:
        for end in (arrow.source, arrow.target):
            if end in local:
                keys[end] = local[end]
            elif end.host in own_hosts:
                keys[end] = str(end)
            else:
                keys[end] = end.host
    return keys


def _callers(evidence: CaseEvidence) -> set[str]:
    """The phones that place the case's first calls: what is dialled on a REFER comes later."""
    first = next(iter(evidence.events.of(LegStarted)), None)
    if first is None or first.direction != "outgoing" or first.replaces is not None:
        return set()
    return {first.phone}


# -- the ladder as text

_MARGIN = 9  # the column of times
_WIDTH = 26  # from lifeline to lifeline


def ladder_text(ladder: Ladder) -> str:
    """The ladder as plain text; times in seconds from the case's start."""
    count = len(ladder.lifelines)
    if not count:
        return "(no SIP message was recorded)\n"
    centres = [_MARGIN + _WIDTH // 2 + index * _WIDTH for index in range(count)]
    total = _MARGIN + count * _WIDTH

    def blank() -> list[str]:
        line = [" "] * total
        for centre in centres:
            line[centre] = "│"
        return line

    lines = []
    for words in ("title", "subtitle"):
        line = [" "] * total
        for centre, lifeline in zip(centres, ladder.lifelines, strict=True):
            _put(line, centre, getattr(lifeline, words)[: _WIDTH - 2], centred=True)
        lines.append(line)
    for row in ladder.rows:
        what = row.what
        source, target = centres[row.source], centres[row.target]
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
    """Draw the arrow from column to column, its label in the middle."""
    left, right = sorted((source, target))
    for column in range(left + 1, right):
        line[column] = "╌" if arrow.far_end else "─"
    if target > source:
        line[right - 1] = "▶"
    else:
        line[left + 1] = "◀"
    room = right - left - 4
    numbers = _numbers(arrow)  # never shortened: findings point to them
    label = f" {short(arrow.label, room - len(numbers) - 3)} {numbers} "
    _put(line, left + 2 + max(0, (room - len(label)) // 2), label)


def _put(line: list[str], column: int, words: str, *, centred: bool = False) -> None:
    start = max(0, column - len(words) // 2) if centred else column
    line.extend(" " * max(0, start + len(words) - len(line)))
    line[start : start + len(words)] = words


# -- the ladder as SVG

#: Pixels from the top to the first row, and what a message and a moment take.
_TOP, _ROW, _NOTE = 78, 38, 26


def ladder_svg(ladder: Ladder, *, anchors: str = "") -> str:
    """The ladder as SVG. With ``anchors``, each arrow links to ``#<anchors><number>`` in the page
    that holds it.
    """
    shown = [row.what for row in ladder.rows if isinstance(row.what, Arrow)]
    met = met_challenges(shown)
    rows: list[tuple[Row, int, str, str]] = []  # with its height, and an arrow's colour and numbers
    y = _TOP
    for row in ladder.rows:
        if isinstance(row.what, Activity):
            rows.append((row, y, "", ""))
            y += _NOTE
        else:
            rows.append((row, y, _kind(row.what, met), _numbers(row.what)))
            y += _ROW
    height = y + (36 if ladder.is_told else 16)
    heights = [y for _, y, *_ in rows]
    moments = [[round(row.what.at - ladder.began, 3), y] for row, y, *_ in rows]
    return render(
        "ladder.svg.j2",
        title=ladder.title,
        ladder=ladder,
        rows=rows,
        bars=_phase_bars(ladder, heights, height),
        height=height,
        moments=json.dumps(moments),
        anchors=anchors,
        note=_TOLD,
    )


@dataclass(frozen=True)
class _PhaseBar:
    """When a leg rang, talked or was on hold, along its phone's lifeline."""

    lifeline: int
    leg: int  #: its place among the legs of the phone
    top: float
    bottom: float
    colour: str
    tip: str


def _phase_bars(ladder: Ladder, heights: Sequence[int], height: int) -> Iterator[_PhaseBar]:
    """A bar for each phase of a leg; legs of one phone lie beside each other."""
    times = [row.what.at for row in ladder.rows]
    places = {lifeline.key: place for place, lifeline in enumerate(ladder.lifelines)}
    legs: dict[str, list[str]] = {}
    for stretch in ladder.leg_phases:
        phone = phone_of(stretch.leg)
        if phone not in places:
            continue
        order = legs.setdefault(phone, [])
        if stretch.leg not in order:
            order.append(stretch.leg)
        top = _height_of(stretch.began, times, heights, height)
        bottom = _height_of(stretch.ended, times, heights, height)
        yield _PhaseBar(
            lifeline=places[phone],
            leg=order.index(stretch.leg),
            top=top,
            bottom=max(top + 3, bottom),
            colour=PHASE_COLOURS[stretch.phase],
            tip=f"{stretch.leg} {stretch.phase}: {stretch.text}",
        )


def _height_of(at: float, times: list[float], heights: Sequence[int], height: int) -> float:
    """The height of a moment between the rows around it."""
    if not times:
        return _TOP - 20
    if at > times[-1]:
        return min(heights[-1] + _ROW / 2, height - 10)
    return min(float(np.interp(at, times, heights)), height - 10)


def _kind(arrow: Arrow, met: Container[str]) -> str:
    """The arrow's colour: a request, an end or what is provisional, a success, a failure."""
    if not arrow.is_response:
        return "pr" if arrow.method in ("BYE", "CANCEL") else "rq"
    if arrow.status < 200 or arrow.numbers[0] in met:
        return "pr"
    return "ok" if arrow.status < 300 else "er"


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
    rest = []
    for arrow in flow:
        is_folded = arrow.method == "REGISTER" and arrow.phone in folded
        if not is_folded or arrow.far_end:
            rest.append(arrow)
    return rest, [_registered(phone, arrows) for phone, arrows in folded.items()]


def _succeeded(arrows: Sequence[Arrow]) -> bool:
    """Whether the last final answer accepts, and every earlier one accepts or challenges."""
    statuses = [arrow.status for arrow in arrows if arrow.is_response and arrow.status >= 200]
    if not statuses or statuses[-1] >= 300:
        return False
    return all(status < 300 or status in CHALLENGES for status in statuses)


def _registered(phone: str, arrows: Sequence[Arrow]) -> Activity:
    numbers = [number for arrow in arrows for number in arrow.numbers]
    last = [arrow for arrow in arrows if arrow.is_response][-1]
    shown = numbers[0] if len(numbers) == 1 else f"{numbers[0]} to {numbers[-1]}"
    return Activity(arrows[0].at, phone, f"registered: {last.status} ({shown})")


# -- the time line

_COLOURS = ("#175cd3", "#027a48", "#b54708", "#6941c6", "#0e7090", "#c11574", "#3b7c0f", "#444ce7")
_FOREIGN, _UNKNOWN = "#b42318", "#52606d"
_SOUNDS = {
    "speech": "#93c5fd",
    "dtmf": "#d8b4fe",
    "music": "#c4b5fd",
    "noise": "#cbd5e1",
}
#: A network's tone: any other sound.
_TONE = "#fdba74"


class _Axis:
    """The case's time on the picture's width, and each leg's place in its height."""

    left, width = 130, 820
    _TOP, _BELOW = 12, 24
    #: Pixels of a leg's marks and states, and of the spectrogram below them, where there is one.
    _LANE, _STRIP = 46, 52

    def __init__(self, evidence: CaseEvidence, legs: Iterable[str], drawn: Container[str]) -> None:
        self.began = evidence.began
        self.ended = max(evidence.ended, evidence.began + 0.1)
        self.scale = self.width / (self.ended - self.began)
        self.tops: dict[str, int] = {}
        y = self._TOP
        for leg in legs:
            self.tops[leg] = y
            y += self._LANE + (self._STRIP if leg in drawn else 0)
        self.height = max(y, self._TOP + self._LANE) + self._BELOW

    def x(self, at: float) -> float:
        """The place of a moment."""
        return self.unbounded(min(max(at, self.began), self.ended))

    def unbounded(self, at: float) -> float:
        """The place of a moment, which may be before or after the case."""
        return self.left + (at - self.began) * self.scale

    def strip(self, leg: str) -> int:
        """The upper edge of a leg's spectrogram."""
        return self.tops[leg] + self._LANE - 6

    @property
    def ticks(self) -> list[float]:
        """Round times, at most a dozen of them."""
        seconds = self.ended - self.began
        steps = (0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600, 86_400)
        step = next((step for step in steps if seconds / step <= 12), seconds / 12)
        count = int(seconds / step) + 1
        return [round(step * index, 3) for index in range(count)]


@dataclass(frozen=True)
class _Bar:
    """A stretch of time in a lane, in pixels."""

    left: float
    right: float
    y: int
    height: int
    colour: str
    tip: str
    label: str = ""
    is_mark: bool = False

    @property
    def width(self) -> float:
        """As wide as it is long, but wide enough to be seen."""
        return max(2.0, self.right - self.left)


def timeline_svg(evidence: CaseEvidence, hearings: Iterable[Hearing] = ()) -> str:
    """One lane a leg, and one for what a far end says it heard; a leg that heard nothing keeps its
    empty lane.

    The spectrograms of ``hearings`` stand in their legs' lanes, on the same time axis.
    """
    drawn = [one for one in hearings if one.picture and one.began is not None]
    far = far_end_marks(evidence)
    legs = dict.fromkeys([*evidence.legs, *(span.leg for span in far)])
    axis = _Axis(evidence, legs, {hearing.leg for hearing in drawn})
    bars: list[_Bar] = []
    for hearing in drawn:
        bars += _sounds(axis, hearing)
    for stretch in leg_phases(evidence):
        bar = _Bar(
            left=axis.x(stretch.began),
            right=axis.x(stretch.ended),
            y=axis.tops[stretch.leg] + 28,
            height=7,
            colour=PHASE_COLOURS[stretch.phase],
            tip=f"{stretch.phase}: {stretch.text}",
        )
        bars.append(bar)
    bars += _marks(evidence, axis, (*evidence.marks, *far))
    digits = [digit for digit in evidence.events.of(DtmfReceived) if digit.leg is not None]
    return render(
        "timeline.svg.j2", title=evidence.id, axis=axis, drawn=drawn, bars=bars, digits=digits
    )


def _marks(evidence: CaseEvidence, axis: _Axis, spans: Iterable[MarkSpan]) -> Iterator[_Bar]:
    """A bar for each mark that was heard, in the colour of the leg that sends it."""
    own = owners(evidence)
    voices = evidence.case.get("voices") or {}
    colours = {mark: _COLOURS[index % len(_COLOURS)] for index, mark in enumerate(own)}
    for span in spans:
        name = name_mark(span.mark, own, voices)
        foreign = is_foreign(span.mark, own)
        colour = _FOREIGN if foreign else colours.get(span.mark % REPLY_OFFSET, _UNKNOWN)
        began, ended = span.began - axis.began, span.ended - axis.began
        tip = (
            f"{name} (mark {span.mark}) {began:.3f}–{ended:.3f} s, "
            f"{span.level_dbov:.0f} dBov, quality {span.quality:.2f}"
        )
        yield _Bar(
            left=axis.x(span.began),
            right=axis.x(span.ended),
            y=axis.tops[span.leg] + 4,
            height=22,
            colour=colour,
            tip=tip,
            label=name,
            is_mark=True,
        )


def _sounds(axis: _Axis, hearing: Hearing) -> Iterator[_Bar]:
    """What a leg received that is neither a mark nor silence, at the top of its spectrogram."""
    assert hearing.began is not None  # the caller asked
    y = axis.strip(hearing.leg) - 2
    for sound in hearing.sounds:
        if sound.kind in ("mark", "silence"):
            continue
        yield _Bar(
            left=axis.unbounded(hearing.began + sound.began),
            right=axis.unbounded(hearing.began + sound.ended),
            y=y,
            height=10,
            colour=_SOUNDS.get(sound.kind, _TONE),
            tip=f"{sound.kind} {sound.name}".strip(),
            label=sound.kind,
        )
