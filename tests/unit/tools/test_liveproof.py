"""The live proof: which worlds there are, what counts against the harness, and what the page says
of it.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from harness.case.verdict import Verdict
from tools.liveproof.plan import (
    AIS,
    DELAY,
    FAULTS,
    FAULTS_OF_AUDIO,
    INBOUND,
    LISTENS,
    LOST,
    ROWS,
    VOICES,
    WITNESSES,
    World,
    clean,
    worlds,
    wrong,
)
from tools.liveproof.results import Proof, Result
from tools.liveproof.run import again

BY_NAME = {witness.name: witness for witness in WITNESSES}
WAYS = ("to_ai", "to_caller")
DEAF = next(ai for ai in AIS if not ai.hears)


def world(witness: str = "late words", ai: Any = LISTENS, fault: str | None = None) -> World:
    return World(0, BY_NAME[witness], ai, fault, (INBOUND,))


def result(of: World, verdict: Verdict, *certain: str) -> Result:
    return Result(
        of, f"{INBOUND}[{of.name}]", INBOUND, verdict, "", certain, (0.0, 2.0), (0.0, 3.0), 2.0
    )


def counted(*found: Result) -> dict[str, Any]:
    return Proof(found, len(found), 0, 1.0).plain()


def test_every_fault_meets_every_witness_and_so_does_every_ai() -> None:
    met = {(one.witness.name, one.fault) for one in wrong() if one.ai is LISTENS}
    every = {fault for faults in FAULTS.values() for fault in faults}
    assert met >= {
        (witness.name, fault)
        for witness in WITNESSES
        for fault in (
            every if witness.recording is None or witness.name == "recording" else FAULTS_OF_AUDIO
        )
        if fault != DELAY or witness.rtcp != "none"
    }
    told = {(one.witness.name, one.ai.name) for one in wrong()}
    asked = [witness for witness in WITNESSES if witness.asks == "confirmed"]
    assert told >= {(witness.name, ai.name) for witness in asked for ai in AIS}


def test_a_sample_has_as_many_wrong_worlds_as_are_asked_for_and_clean_ones() -> None:
    chosen = worlds(5, 40, random.Random(1))
    assert [one.number for one in chosen] == list(range(len(chosen)))
    voiced = [one for one in chosen if one.ai in VOICES]
    assert sum(one.rows != ROWS for one in chosen) == 5 + len(voiced)
    assert sum(one.rows == ROWS for one in chosen) == len(list(clean(40))) == 3


@pytest.mark.parametrize(
    ("of", "verdict", "counts"),
    [
        (world(fault="rtp-blocked-to-ai"), Verdict.PASSED, {"false_pass": 1}),
        (world(fault="rtp-blocked-to-ai"), Verdict.FAILED, {"failed": 1}),
        (world(fault="rtp-blocked-to-ai"), Verdict.NOT_OBSERVABLE, {"not_observable": 1}),
        (world(fault="rtp-blocked-to-ai"), Verdict.BROKEN, {"broken": 1}),
        (world(ai=DEAF), Verdict.PASSED, {"false_pass": 1}),
        (world(), Verdict.PASSED, {"clean_passed": 1}),
        (world(), Verdict.FAILED, {"false_alarms": 1}),
        (world(), Verdict.NOT_OBSERVABLE, {"false_alarms": 1}),  # the witness could have told
        (world("record, packets asked for"), Verdict.NOT_OBSERVABLE, {}),  # it cannot
        (world("record, packets asked for"), Verdict.FAILED, {"false_alarms": 1}),
    ],
)
def test_what_counts_against_it(of: World, verdict: Verdict, counts: dict[str, int]) -> None:
    plain = counted(result(of, verdict))
    keys = (
        "false_pass",
        "failed",
        "not_observable",
        "broken",
        "clean_passed",
        "false_alarms",
        "wrong_certain",
    )
    assert {key: plain[key] for key in keys if plain[key]} == counts
    assert (plain["injected"], plain["clean_cases"]) == (int(of.is_false), int(not of.is_false))
    proof = Proof([result(of, verdict)], 1, 0, 1.0)
    assert bool(proof.shortfalls) is bool(counts.keys() & {"false_pass", "false_alarms", "broken"})


@pytest.mark.parametrize(
    ("of", "certain", "is_wrong"),
    [
        (world(fault="rtp-blocked-to-caller"), ["rtp-blocked-to-caller"], False),
        (world(fault="rtp-blocked-to-caller"), ["ai-silent"], True),
        (world(fault="rtp-blocked-to-caller"), [], False),
        (world(ai=next(ai for ai in AIS if ai.name == "silent")), ["ai-silent"], False),
        (world(), ["rtp-blocked-to-caller"], True),
    ],
)
def test_a_cause_is_certain_only_where_it_is_the_one(
    of: World, certain: Sequence[str], is_wrong: bool
) -> None:
    found = result(of, Verdict.FAILED, *certain)
    assert found.is_wrong_certain is is_wrong
    assert counted(found)["wrong_certain"] == int(is_wrong)


def test_audio_lost_between_two_captures_is_localised_where_the_right_way_is_named() -> None:
    both, one = (
        world(witness, fault="rtp-blocked-to-ai")
        for witness in ("captures at trunk and carrier", "capture at the trunk")
    )
    named, other = (
        replace(result(both, Verdict.FAILED, LOST), lost_between=frozenset({way})) for way in WAYS
    )
    assert not named.is_wrong_certain
    assert [counted(*found)["localised"] for found in ((named,), (named, other))] == [1.0, 0.5]
    assert [line.rpartition(": ")[2] for line in Proof([named, other], 2, 0, 1.0).shortfalls] == [
        "not localised"
    ]
    assert counted(result(one, Verdict.FAILED))["localised"] is None


@pytest.mark.parametrize(
    ("of", "verdict", "still", "is_void"),
    [
        (world(), Verdict.FAILED, 0.2, True),  # the world itself stuttered: it is no false alarm
        (world(), Verdict.FAILED, 0.01, False),
        (world(), Verdict.PASSED, 0.9, False),
        (world(), Verdict.BROKEN, 0.0, True),  # the harness says of itself that it could not judge
        (world(fault="no-g711"), Verdict.BROKEN, 0.0, True),
        (world(fault="no-g711"), Verdict.PASSED, 0.9, False),  # nothing excuses that
    ],
)
def test_what_says_nothing_is_made_once_more(
    of: World, verdict: Verdict, still: float, is_void: bool
) -> None:
    found = replace(result(of, verdict), still=still)
    assert found.is_void is is_void
    assert [(batch.rows, batch.worlds) for batch in again([found])] == (
        [((INBOUND,), [of])] if is_void else []
    )


def test_world_without_processor_time_excuses_only_the_cause_that_is_true_of_it() -> None:
    """It did send too little RTP. Any other cause that is called certain is wrong, whatever the
    machine did.
    """
    assert not replace(result(world(), Verdict.FAILED, "ai-silent"), still=0.9).is_void
    starved = replace(result(world(), Verdict.FAILED, "rtp-not-sent"), still=0.9)
    assert starved.is_void
    assert not starved.is_wrong_certain
    assert replace(starved, still=0.01).is_wrong_certain
