"""Which calls of a run a file of somebody else's holds: by the marks in it alone, whatever its name
and its clock say.

A mark names a leg, but a run has more legs than there are marks. So stretches of marks are laid
against the times at which legs sent theirs: one offset, of the file's clock to the run's, has to
explain them. What two calls explain equally well is of neither.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

#: A mark is detected this much later than it begins or ends, and its way may take as long.
_SLACK_S: Final = 0.4
#: The share of a stretch that a leg must have sent at that time.
MOSTLY: Final = 0.6
#: Another call explains a stretch as well when it explains this share of what the best one does.
_AS_WELL: Final = 0.85
#: A shorter stretch is not looked at.
LEAST_S: Final = 0.3
#: A mark that was sent for so long is found beneath a voice as loud.
ENOUGH_S: Final = 0.6

Times = tuple[float, float]  #: from when to when, in seconds


@dataclass(frozen=True)
class KnownLeg:
    """A leg of a run, with what can be known of it from outside."""

    case: str  #: the name of the case's directory
    leg: str
    phone: str
    mark: int
    sent: tuple[Times, ...]  #: when it sent its mark, on the run's clock
    is_caller: bool = False  #: it placed its call
    call_ids: frozenset[str] = frozenset()  #: the Call-ID of its dialogs
    #: Of its INVITE, as `capture_calls.numbers_of` gives them.
    numbers: frozenset[str] = frozenset()
    invited: float = 0.0  #: when its INVITE was sent or came, on the run's clock
    media: frozenset[tuple[str, int]] = frozenset()  #: where its phone received RTP
    far_media: frozenset[tuple[str, int]] = frozenset()  #: where its phone sent RTP, by SDP
    ssrcs: frozenset[int] = frozenset()  #: of the RTP that its phone sent
    far_ssrcs: frozenset[int] = frozenset()  #: of the RTP that came to its phone
    told_ids: frozenset[str] = frozenset()  #: ids of other legs of its call, by the AI's record


@dataclass(frozen=True)
class Stretch:
    """A mark in a file, on the file's clock."""

    mark: int
    began: float
    ended: float
    lane: str = ""  #: the channel, or the RTP stream

    @property
    def seconds(self) -> float:
        return self.ended - self.began


@dataclass(frozen=True)
class Match:
    """A stretch and the leg whose mark it is; ``offset`` is added to the file's clock for the
    run's.
    """

    stretch: Stretch
    leg: KnownLeg
    offset: float


def match(stretches: Iterable[Stretch], legs: Iterable[KnownLeg]) -> tuple[list[Match], list[str]]:
    """The stretches with their legs; and in words those that are of no call, or may be of several."""
    by_mark: dict[int, list[KnownLeg]] = {}
    for leg in legs:
        by_mark.setdefault(leg.mark, []).append(leg)
    left = [one for one in stretches if one.seconds >= LEAST_S]
    found: list[Match] = []
    strange = dict.fromkeys(one.mark for one in left if one.mark not in by_mark)
    words = [f"mark {mark} is of no call of this run" for mark in strange]
    left = [one for one in left if one.mark in by_mark]
    while left:
        ranked = [_explained(left, by_mark, offset) for offset in _offsets(left, by_mark)]
        ranked.sort(key=_worth, reverse=True)
        if not ranked or not ranked[0]:
            break
        best = ranked[0]
        taken = {id(one.stretch) for one in best}
        if rival := _rival(best, ranked[1:]):
            first = best[0]
            mark = f"mark {first.stretch.mark} at {first.stretch.began:.1f} s"
            cases = " or ".join(sorted({first.leg.case, rival}))
            words.append(f"{mark} may be of {cases}: these sent it alike")
        else:
            found += best
        left = [one for one in left if id(one) not in taken]
    unfit = dict.fromkeys(one.mark for one in left)
    return found, words + [f"mark {mark} fits the times of no call of this run" for mark in unfit]


def _offsets(
    stretches: Sequence[Stretch], by_mark: Mapping[int, Sequence[KnownLeg]]
) -> list[float]:
    """The offsets that lay the beginning, or the end, of a stretch upon that of a time at which a
    leg sent this mark.
    """
    found: list[float] = []
    for one in stretches:
        for leg in by_mark[one.mark]:
            for began, ended in leg.sent:
                found += (began - one.began, ended - one.ended)
    found.sort()
    apart = [later for earlier, later in pairwise(found) if later - earlier > _SLACK_S / 10]
    return [*found[:1], *apart]


def _explained(
    stretches: Sequence[Stretch], by_mark: Mapping[int, Sequence[KnownLeg]], offset: float
) -> list[Match]:
    """What one offset explains."""
    found = []
    for one in stretches:
        began, ended = one.began + offset, one.ended + offset
        fitting = max(by_mark[one.mark], key=lambda leg: overlap(leg.sent, began, ended))
        if overlap(fitting.sent, began, ended) >= MOSTLY * one.seconds:
            found.append(Match(one, fitting, offset))
    return found


def overlap(sent: Iterable[Times], began: float, ended: float) -> float:
    """How long it was sent within that time, in seconds."""
    return sum(
        max(0.0, min(ended, last + _SLACK_S) - max(began, first - _SLACK_S)) for first, last in sent
    )


def _worth(matches: Sequence[Match]) -> int:
    """How well the matches fit: what was heard while it was sent, less what was sent around it and
    not heard.

    In whole milliseconds, so that offsets that fit alike are equal, and the earliest is taken:
    fractions depend on the clock.
    """
    worth = 0.0
    for one in matches:
        began, ended = one.stretch.began + one.offset, one.stretch.ended + one.offset
        inside = amid = 0.0
        for first, last in one.leg.sent:
            if first < ended and began < last:
                inside += max(0.0, min(ended, last) - max(began, first))
                amid += max(0.0, last - first)
        worth += inside - 0.5 * max(0.0, amid - inside)
    return round(1000 * worth)


def _rival(best: Sequence[Match], others: Iterable[Sequence[Match]]) -> str:
    """Another case that explains the same stretches as well; empty where there is none."""
    taken = {id(one.stretch) for one in best}
    cases = {one.leg.case for one in best}
    for other in others:
        same = [one for one in other if id(one.stretch) in taken]
        strange = next((one.leg.case for one in same if one.leg.case not in cases), "")
        if strange and _worth(same) >= _AS_WELL * _worth(best):
            return strange
    return ""
