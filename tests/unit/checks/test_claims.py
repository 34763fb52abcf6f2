"""What an observation is worth is decided in one table, and the document for readers has the same."""

from __future__ import annotations

from pathlib import Path

from harness.checks import audio
from harness.checks.audio import Account, Sound
from harness.checks.claims import STRENGTH, Observation
from harness.verdict import Finding, Strength, Verdict

PAGE = Path(__file__).parents[3] / "docs" / "evidence.md"


def heard(sound: Sound | None, account: Account | None, least: Strength = Strength.CONFIRMED) -> Finding:
    return audio.direction(
        "caller.1", "the AI", sound, account, since=0.0, own=(), least=least, name_of=lambda mark: None, towards="ai"
    )


def test_every_observation_has_its_worth_and_the_page_says_the_same() -> None:
    assert set(STRENGTH) == set(Observation)
    text = PAGE.read_text(encoding="utf-8")
    for observation, strength in STRENGTH.items():
        assert f"| {observation} | {strength.name.lower() if strength > Strength.UNKNOWN else 'nothing'} |" in text


def test_what_was_sent_and_a_single_reaction_say_nothing() -> None:
    assert STRENGTH[Observation.SENT] is STRENGTH[Observation.REACTION] is Strength.UNKNOWN


def test_where_nobody_looked_nothing_is_known() -> None:
    assert heard(None, None).verdict is Verdict.NOT_OBSERVABLE


def test_a_count_of_nothing_speaks_against_it() -> None:
    assert heard(None, Account(2.0, None, rx_packets=0)).verdict is Verdict.FAILED


def test_less_than_is_asked_for_is_not_observable() -> None:
    assert heard(Sound(1.0, Observation.RTCP, "RTCP"), None).verdict is Verdict.NOT_OBSERVABLE
    assert heard(Sound(1.0, Observation.RTCP, "RTCP"), None, Strength.INDICATED).verdict is Verdict.PASSED


def test_unknown_is_never_passed() -> None:
    assert heard(Sound(1.0, Observation.SENT, ""), None, Strength.UNKNOWN).verdict is Verdict.NOT_OBSERVABLE
