"""Whose calls a file holds: by marks and the times at which legs sent theirs, whatever the clock of
the file is.
"""

from __future__ import annotations

import pytest

from harness.witness.matching import KnownLeg, Stretch, match


def leg(case: str, mark: int, *sent: tuple[float, float], name: str = "caller.1") -> KnownLeg:
    return KnownLeg(case, name, name.partition(".")[0], mark, sent)


#: Mark 7 is sent in three calls; A and C send it alike.
LEGS = [
    leg("A", 7, (100.0, 102.0)),
    leg("A", 8, (100.5, 101.5), name="agent.1"),
    leg("B", 7, (200.0, 200.8), (203.0, 206.0)),
    leg("C", 7, (300.0, 302.0)),
    leg("D", 9, (400.0, 404.0)),
]


@pytest.mark.parametrize(
    ("heard", "cases", "words"),
    [
        ([(9, 3.2, 7.1)], ["D"], []),  # only D sends it
        ([(9, 0.0, 1.5)], ["D"], []),  # the file begins or ends amid the mark
        ([(7, 1.0, 1.8), (7, 4.0, 7.0)], ["B", "B"], []),  # by its times
        ([(7, 5.0, 7.0), (8, 5.5, 6.5)], ["A", "A"], []),  # the agent's mark tells
        (
            [(9, 2.0, 6.0), (7, 20.0, 20.8), (7, 23.0, 26.0)],
            ["D", "B", "B"],
            [],
        ),  # two calls in one file
        ([(7, 5.0, 7.0)], [], ["mark 7 at 5.0 s may be of A or C: these sent it alike"]),
        ([(77, 1.0, 3.0)], [], ["mark 77 is of no call of this run"]),
        (
            [(9, 1.0, 30.0)],
            [],
            ["mark 9 fits the times of no call of this run"],
        ),  # a tape of somebody else
        ([(9, 1.0, 1.2)], [], []),  # a blip
    ],
)
def test_a_file_is_matched_by_marks_and_their_times(
    heard: list[tuple[int, float, float]], cases: list[str], words: list[str]
) -> None:
    found, unmatched = match([Stretch(*one) for one in heard], LEGS)
    assert (sorted(one.leg.case for one in found), unmatched) == (sorted(cases), words)


@pytest.mark.parametrize("ended", [1646.1, 1692.194222458, 1733.7])
def test_a_mark_that_fits_the_beginning_and_the_end_alike_is_laid_on_the_beginning(
    ended: float,
) -> None:
    ((found,), _) = match([Stretch(9, 0.0, 1.91)], [leg("D", 9, (1.5, ended))])
    assert found.offset == 1.5
