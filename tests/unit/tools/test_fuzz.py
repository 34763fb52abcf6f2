"""The fuzzer finds what is planted, and its targets read what they should."""

from __future__ import annotations

import time

from tools.fuzz.run import Result, by_hypothesis, trial
from tools.fuzz.targets import TARGETS, Target


def test_every_target_reads_its_seeds() -> None:
    for target in TARGETS.values():
        for seed in target.seeds:
            target.ask(seed)


def planted(data: bytes) -> None:
    if "²".encode() in data and data.startswith(b"v=0"):
        int("²")


def test_a_planted_exception_is_found_and_said_where() -> None:
    result = Result()
    by_hypothesis(Target(planted, (b"v=0\r\nm=audio 1",)), 250, result)
    assert result.inputs >= 200
    (found,) = result.uncaught
    assert "ValueError at planted" in found


def test_an_input_that_takes_too_long_is_found() -> None:
    def slow(data: bytes) -> None:
        end = time.process_time() + 1.05
        while time.process_time() < end:
            pass

    result = Result()
    trial(Target(slow, (b"",)), b"x", result)
    assert len(result.too_slow) == 1
    assert result.slowest_s > 1.0
