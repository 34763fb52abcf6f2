"""How fast a voice agent responds: measured on what the caller's phone sent and received, and held
to the limits of the deployment file.

The times are as exact as the detector of marks and speech, which is 200 ms.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from harness.audio.marks import VOICES
from harness.case import measurement
from harness.case.check_table import RESPONSIVENESS
from harness.case.checks.finding import judged
from harness.case.checks.registry import check
from harness.case.legs import LegEvents, MarkSpan
from harness.case.verdict import Finding

#: A stretch of time in which somebody is heard without a pause, on the case's clock.
Turn = tuple[float, float]
#: The speech in a leg's recording of what it received or sent, by the leg's name.
Words = Callable[[str, Literal["received", "sent"]], Iterable[Turn]]

#: The titles of the figures (:class:`~harness.case.check_table.Held`).
DEAD_AIR, ANSWER = "dead air before the first word", "answer time"
TRANSFER, INTERRUPTION = "silence in the transfer", "stops when interrupted"
#: Shorter silences are pauses between words, and between the turns of an agent's mark and its
#: reply, in seconds.
_PAUSE_S: Final = 0.4


@dataclass(frozen=True)
class ResponseTime:
    """One figure of one call."""

    leg: str
    title: str
    seconds: float | None  #: None when it was looked for and never came
    basis: str  #: what it was measured on

    def __str__(self) -> str:
        value = "never" if self.seconds is None else f"{self.seconds:.2f} s"
        return f"{self.title}: {value} ({self.basis})"


@check("responsiveness")
def responsive(
    check: str, subject: str, seconds: float | None, limit_s: float, basis: str
) -> Finding:
    """The event of the check came within ``limit_s``. ``seconds`` is None when it never came."""
    what = RESPONSIVENESS[check].event
    return judged(
        check,
        subject,
        seconds is not None and seconds <= limit_s,
        expected=f"{what} within {limit_s:g} s",
        actual=f"never: {basis}" if seconds is None else f"it took {seconds:.2f} s {basis}",
        measured=measurement.Duration(what=what, seconds=seconds, limit_s=limit_s),
    )


def response_times(
    legs: Mapping[str, LegEvents], ended: float, words: Words, at_ai: str
) -> list[ResponseTime]:
    """The figures of each answered call of a harness caller; none where no voice agent was heard.

    ``ended``: when the case was over. ``at_ai``: the name of the harness phone that stands in for
    the AI.
    """
    marks = [span for leg in legs.values() for span in leg.marks()]
    stand_ins = {
        begun.mark
        for leg in legs.values()
        if (begun := leg.started) is not None and begun.phone == at_ai
    }
    found: list[ResponseTime] = []
    for name, call in legs.items():
        if not call.is_first_call or call.answered_at is None:
            continue
        heard = [span for span in marks if span.leg == name]
        agent, people = _parties(heard, stand_ins)
        if not agent:
            end = people[0].began if people else ended
            agent = [turn for turn in words(name, "received") if turn[0] < end]
        turns = _joined(agent)
        if turns:
            person = _person(legs, turns, people)
            spoken = _joined(words(name, "sent"))
            found += _of_call(name, call.answered_at, turns, person, spoken)
    return found


@dataclass(frozen=True)
class _Person:
    """The person to whom the call was handed over."""

    heard: float  #: when first
    rang: Turn | None  #: from when until when the person's phone, a harness phone, rang


def _parties(
    heard: Iterable[MarkSpan], stand_ins: Collection[int]
) -> tuple[list[Turn], list[MarkSpan]]:
    """The turns of the voice agent, which is known by its mark (an assistant's own, its replies, a
    stand-in's), and the marks of people.
    """
    ordered = sorted(heard, key=lambda span: span.began)
    is_agents = [span.mark in stand_ins or span.mark >= VOICES.start for span in ordered]
    pairs = list(zip(ordered, is_agents, strict=True))
    agent = [(span.began, span.ended) for span, is_agent in pairs if is_agent]
    return agent, [span for span, is_agent in pairs if not is_agent]


def _person(
    legs: Mapping[str, LegEvents], agent: Sequence[Turn], people: Iterable[MarkSpan]
) -> _Person | None:
    for span in people:
        if span.began > agent[0][0]:
            return _Person(span.began, _rang(legs, span.mark))
    return None


def _rang(legs: Mapping[str, LegEvents], mark: int) -> Turn | None:
    """From when until when the leg that sends this mark rang; None where that is not seen."""
    for leg in legs.values():
        begun, answered = leg.started, leg.answered_at
        if begun is not None and begun.mark == mark and begun.direction == "incoming":
            return None if answered is None else (begun.at, answered)
    return None


def _of_call(
    leg: str, answered: float, agent: Sequence[Turn], person: _Person | None, caller: Sequence[Turn]
) -> Iterator[ResponseTime]:
    yield ResponseTime(leg, DEAD_AIR, max(0.0, agent[0][0] - answered), "from the answer")
    if person is not None:
        yield _in_transfer(leg, agent, person)
    for began, ended in caller:
        if person is not None and ended > person.heard:
            continue
        during = next((turn for turn in agent if turn[0] < began < turn[1]), None)
        after = next((turn for turn in agent if turn[0] >= ended), None)
        if during is not None and during[1] < ended:
            yield ResponseTime(leg, INTERRUPTION, during[1] - began, "from the caller's first word")
        elif during is not None:
            basis = f"the caller spoke for {ended - began:.1f} s"
            yield ResponseTime(leg, INTERRUPTION, None, basis)
        elif after is not None:
            yield ResponseTime(leg, ANSWER, after[0] - ended, "from the caller's last word")


def _in_transfer(leg: str, agent: Sequence[Turn], person: _Person) -> ResponseTime:
    last = max(ended for began, ended in agent if began < person.heard)
    basis = "from its last sound to the person's first"
    rang_s = 0.0
    if person.rang is not None:  # how long a harness phone rings does not count against the AI
        rang_s = max(0.0, person.rang[1] - max(last, person.rang[0]))
        basis += ", without the ring"
    return ResponseTime(leg, TRANSFER, max(0.0, person.heard - last - rang_s), basis)


def _joined(spans: Iterable[Turn]) -> list[Turn]:
    """The spans by time, joined over pauses."""
    found: list[Turn] = []
    for began, ended in sorted(spans):
        if found and began - found[-1][1] < _PAUSE_S:
            found[-1] = (found[-1][0], max(ended, found[-1][1]))
        else:
            found.append((began, ended))
    return found
