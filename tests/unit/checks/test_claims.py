"""What an observation is worth is decided in one place, and the document for readers has the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.calls.checks import audio
from harness.calls.checks.audio import ListenerReport, Sound
from harness.calls.checks.claims import STRENGTH, Claim, Denial, Observation
from harness.calls.measurement import Direction
from harness.calls.verdict import Finding, Strength, Verdict

PAGE = Path(__file__).parents[3] / "docs" / "evidence.md"
HEARD = STRENGTH[Claim.HEARD]


def heard(
    sound: Sound | None,
    account: ListenerReport | None = None,
    least: Strength = Strength.CONFIRMED,
    denial: Denial | None = None,
) -> Finding:
    more: dict[str, Any] = {"since": 0.0, "own": (), "least": least, "names": {}, "towards": "ai"}
    return audio.direction("caller.1", "the AI", sound, account, denial=denial, **more)


def by(observation: Observation) -> Sound:
    return Sound(1.0, observation, f"a sign: {observation.name}")


def against(observation: Observation) -> Denial:
    return Denial(observation, f"a silence: {observation.name}")


def measured(finding: Finding) -> Direction:
    assert isinstance(finding.measured, Direction)
    return finding.measured


def test_every_observation_has_its_worth_and_the_page_says_the_same() -> None:
    assert set(STRENGTH) == set(Claim)
    assert set().union(*STRENGTH.values()) == set(Observation)
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    rows = {line for line in lines if line.startswith("| ") and not line.startswith(("| observation", "| claim"))}
    wanted = set()
    for claim, worth in STRENGTH.items():
        for observation, strength in worth.items():
            said = strength.name.lower() if strength > Strength.UNKNOWN else "nothing"
            wanted.add(
                f"| {observation} | {said} |" if claim is Claim.HEARD else f"| {claim} | {observation} | {said} |"
            )
    assert rows == wanted


@pytest.mark.parametrize("worthless", ["SENT", "REACTION", "HOP_RTCP", "RECORD"])
def test_what_says_nothing_of_what_was_heard(worthless: str) -> None:
    """What was sent; one reaction; a hop's own counts; that it was answered: 200 packets sent, once, were "the AI hears the caller"."""
    assert HEARD[Observation[worthless]] is Strength.UNKNOWN
    assert heard(by(Observation[worthless]), least=Strength.INDICATED).verdict is Verdict.NOT_OBSERVABLE


def test_where_nobody_looked_nothing_is_known() -> None:
    assert heard(None).verdict is Verdict.NOT_OBSERVABLE


def test_a_count_of_nothing_speaks_against_it() -> None:
    assert heard(None, ListenerReport(2.0, None, rx_packets=0)).verdict is Verdict.FAILED


def test_less_than_is_asked_for_is_not_observable() -> None:
    assert heard(by(Observation.RTCP)).verdict is Verdict.NOT_OBSERVABLE
    assert heard(by(Observation.RTCP), least=Strength.INDICATED).verdict is Verdict.PASSED


@pytest.mark.parametrize("observation", HEARD)
def test_unknown_is_never_passed(observation: Observation) -> None:
    passed = heard(by(observation), least=Strength.UNKNOWN).verdict is Verdict.PASSED
    assert passed is (HEARD[observation] > Strength.UNKNOWN)


def test_a_finding_says_what_it_is_known_by() -> None:
    found = measured(heard(by(Observation.WORDS)))
    assert (found.observation, found.denied_by) == ("words", "")


@pytest.mark.parametrize("denied", [Observation.RTCP, Observation.WORDS])
@pytest.mark.parametrize("sign", [o for o in HEARD if HEARD[o] > Strength.UNKNOWN])
def test_nothing_passes_on_the_weaker_of_two_that_disagree(sign: Observation, denied: Observation) -> None:
    found = heard(by(sign), least=Strength.INDICATED, denial=against(denied))
    assert (found.verdict is Verdict.PASSED) is (HEARD[sign] > HEARD[denied])
    assert found.verdict in (Verdict.PASSED, Verdict.NOT_OBSERVABLE), "they only disagree"
    for words in (f"sign: {sign.name}", f"silence: {denied.name}"):
        assert words in " ".join((found.actual, *found.evidence))
    assert measured(found).denied_by == denied.name.lower()


def test_a_denial_alone_fails() -> None:
    found = heard(None, denial=against(Observation.WORDS))
    assert found.verdict is Verdict.FAILED
    assert "a silence: WORDS" in found.actual
    assert measured(found).kind == "unheard"


def test_a_denial_by_counters_shows_what_arrived_as_well() -> None:
    found = heard(None, ListenerReport(2.0, None, rx_packets=0), denial=against(Observation.RTCP))
    assert measured(found).kind == "no-rtp"
    assert "no RTP packet arrived" in found.actual
