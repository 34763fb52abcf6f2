"""The order of a case's attempts, and their limits."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.case.events import PhoneLost
from harness.case.verdict import CaseOutcome, Finding, Verdict
from harness.run.plugin import cases
from harness.run.plugin.cases import Attempt

#: How an attempt may end; any of them may also be a guess.
ENDS = ("passed", "failed", "broken", "starved", "lost", "not observable")
LOST = PhoneLost(at=1.0, phone="caller", reason="its process ended by SIGABRT", log="")


def outcome(end: str) -> CaseOutcome:
    verdict = Verdict.BROKEN if end in ("starved", "lost") else Verdict(end)
    starved_s = 0.5 if end == "starved" else None
    return CaseOutcome(
        [Finding("seen", "x", verdict, "it", "so", time.monotonic(), starved_s=starved_s)]
    )


class Item:
    """Plays a case whose attempts end in this order; the last end repeats."""

    def __init__(self, ends: list[tuple[str, bool]], retries: int) -> None:
        self._ends = ends
        self.stash = pytest.Stash()
        self.config = SimpleNamespace(getoption=lambda name: retries)
        self.ihook = SimpleNamespace(pytest_runtest_protocol=lambda item, nextitem: self.play())
        self.played: list[tuple[int, str, bool, bool]] = []  #: number, end, guessed, alone

    def play(self) -> None:
        attempt: Attempt = self.stash[cases._UNDERWAY]
        end, guessed = self._ends[min(len(self.played), len(self._ends) - 1)]
        alone = bool(attempt.leased)
        attempt.outcome = outcome(end)
        attempt.recorder = SimpleNamespace(events=[LOST] if end == "lost" else [])  # type: ignore[assignment]
        attempt.guessed = guessed and not alone  # alone, nothing has to be guessed
        attempt.conclusion = attempt.outcome.conclusion
        self.played.append((attempt.number, end, attempt.guessed, alone))


@pytest.fixture(autouse=True)
def nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def leased(run: Any, case: Any, *, alone: bool = False) -> Iterator[bool]:
        yield alone

    monkeypatch.setattr(cases, "leased", leased)
    monkeypatch.setattr(cases, "place", lambda most: nullcontext())
    monkeypatch.setattr(cases, "monitor", lambda: SimpleNamespace(settle=lambda: None))


@given(
    st.lists(st.tuples(st.sampled_from(ENDS), st.booleans()), min_size=1, max_size=8),
    st.integers(0, 3),
)
def test_attempts_are_limited_for_each_reason(ends: list[tuple[str, bool]], retries: int) -> None:
    item: Any = Item(ends, retries)
    steps = cases._attempts(item, None, SimpleNamespace(slots=1), SimpleNamespace())  # type: ignore[arg-type]
    next(steps)
    item.play()
    with pytest.raises(StopIteration):
        steps.send("the result")
    played = item.played
    assert [number for number, *_ in played] == list(range(1, len(played) + 1))
    guesses = [at for at, (_, _, guessed, _) in enumerate(played) if guessed]
    assert len(guesses) <= 1
    # after a guess the case runs alone
    assert [alone for *_, alone in played] == [
        bool(guesses) and at > guesses[0] for at in range(len(played))
    ]
    counting = [end for _, end, guessed, _ in played if not guessed]
    assert 1 <= len(counting) <= 1 + retries + 2 + 1
    starved, lost = counting.count("starved"), counting.count("lost")
    last, earlier = counting[-1], counting[:-1]
    assert all(end in ("failed", "broken", "starved", "lost") for end in earlier)
    if last == "starved":
        assert starved >= 3  # it had its two further attempts
    elif last in ("failed", "broken", "lost"):
        others = [end for end in earlier if end not in ("starved", "lost")]
        of_lost = lost - (last == "lost")
        assert len(others) + max(0, starved - 2) + max(0, of_lost - 1) == retries
        assert last != "lost" or of_lost, "it had its further attempt"


def reported(attempt: Attempt, when: str, outcome: str) -> str:
    """The outcome that pytest gets for a phase of the attempt."""
    item: Any = SimpleNamespace(stash=pytest.Stash())
    item.stash[cases._UNDERWAY] = attempt
    call: Any = SimpleNamespace(when=when, excinfo=None)
    report = pytest.TestReport("t.py::t[x]", ("t.py", 1, "t"), {}, outcome, None, when)  # type: ignore[arg-type]
    steps = cases.pytest_runtest_makereport(item, call)
    next(steps)
    with pytest.raises(StopIteration):
        steps.send(report)
    return report.outcome


@pytest.mark.parametrize(
    ("left", "is_guess", "stays", "call", "teardown"),
    [
        ({"failed": 1}, False, False, "rerun", "passed"),
        ({"failed": 0}, False, False, "failed", "passed"),
        ({"failed": 0, "guessed": 1}, True, True, "rerun", "passed"),
        ({"guessed": 1}, True, False, "rerun", "failed"),  # it may have been a guess until its end
    ],
)
def test_failure_of_an_attempt_that_another_one_follows_is_a_rerun(
    left: dict[str, int], is_guess: bool, stays: bool, call: str, teardown: str
) -> None:
    """pytest's -x and --maxfail count failures."""
    case: Any = SimpleNamespace(id="x", row=SimpleNamespace(id="X"))
    leased: Any = SimpleNamespace(replica=SimpleNamespace(kind="simulated"))
    attempt = Attempt(case, leased, left=left, outcome=outcome("failed"))
    attempt.is_guess = lambda: is_guess
    assert reported(attempt, "call", "failed") == call
    attempt.is_guess = lambda: stays
    attempt.guessed, attempt.conclusion = stays, attempt.outcome.conclusion
    assert reported(attempt, "teardown", "passed") == teardown
