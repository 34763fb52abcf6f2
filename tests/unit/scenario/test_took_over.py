"""When a fallback took over: by the agent's ring, and behind a queue by the moment at which the platform gave the AI up."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from harness.audio.prompts import prompt_samples
from harness.audio.wav import to_int16
from harness.calls.events import CallState, Listened
from harness.calls.verdict import Verdict
from harness.deployment import Group
from harness.scenario.call import Call
from harness.scenario.expect import Expect
from harness.scenario.expect_group import ExpectGroup
from tests.unit.scenario.conftest import MakeContext
from tests.unit.scenario.legs import leg
from tools.accuracy.tones import call_progress

ROUTED, RING_TIMEOUT_S, QUEUE_S = 100.0, 2.0, 10.0


def landing(rang: float, entry: Group) -> tuple[Any, Any]:
    """A group without phones of its own, and a leg that began to ring ``rang`` seconds after the routing."""
    group: Any = SimpleNamespace(name="Warteschleife", entry=entry, phones=())
    return group, SimpleNamespace(label="agent", began=ROUTED + rang, phone_name="Ödön")


def caller(*states: tuple[float, str], routed: float = ROUTED) -> Any:
    """A call that got so far at these moments after its INVITE."""
    events = [CallState(at=ROUTED + at, phone="c", leg="c.1", state=state) for at, state in states]  # type: ignore[arg-type]
    silent = SimpleNamespace(events=events, received_since=lambda since: np.zeros(0, np.int16))
    return SimpleNamespace(began=ROUTED, routed=routed, leg=silent)


def verdict(make_context: MakeContext, rang: float, given_up: float | None, queue_s: float) -> Verdict:
    context = make_context()
    group, landed = landing(rang, Group(did="+13125550142", agents=("Ödön",), queue_s=queue_s))
    rang_at_ai = None if given_up is None else (ROUTED, ROUTED + given_up)
    ExpectGroup(context, group).took_over(landed, caller(), RING_TIMEOUT_S, rang_at_ai)
    return context.evidence.findings[-1].verdict


@pytest.mark.parametrize(
    ("rang", "given_up", "queue_s", "expected"),
    [
        (2.4, 2.0, 0.0, Verdict.PASSED),
        (3.5, 2.0, 0.0, Verdict.FAILED),  # no queue: the caller was left alone in between
        (7.0, 2.0, QUEUE_S, Verdict.PASSED),
        (7.0, 4.0, QUEUE_S, Verdict.FAILED),  # the queue does not excuse that the AI rang for too long
        (2.0, 0.5, QUEUE_S, Verdict.FAILED),  # nor that it was let go at once
        (12.0, None, QUEUE_S, Verdict.PASSED),
        (0.5, None, QUEUE_S, Verdict.FAILED),
        (13.5, None, QUEUE_S, Verdict.FAILED),
    ],
)
def test_took_over(
    make_context: MakeContext, rang: float, given_up: float | None, queue_s: float, expected: Verdict
) -> None:
    assert verdict(make_context, rang, given_up, queue_s) is expected


@pytest.mark.parametrize(
    ("way_in_s", "rang", "expected"),
    [
        (0.1, 3.0, Verdict.PASSED),
        (2.4, 5.2, Verdict.PASSED),  # a carrier took so long to bring the call in
        (2.4, 5.5, Verdict.FAILED),
        (2.4, 0.9, Verdict.FAILED),  # whoever was told so late that it rings, it had not rung for long enough
        (9.0, 7.1, Verdict.FAILED),  # no way in takes longer than the deployment's patience
        (None, 3.1, Verdict.FAILED),
    ],
)
def test_where_nobody_saw_the_ai_ring_the_caller_was_told_at_the_latest(
    make_context: MakeContext, way_in_s: float | None, rang: float, expected: Verdict
) -> None:
    context = make_context()
    group, landed = landing(rang, Group(did="+13125550142", agents=("Ödön",)))
    of = caller() if way_in_s is None else caller((way_in_s, "early"), (way_in_s + 0.1, "early"))
    ExpectGroup(context, group).took_over(landed, of, RING_TIMEOUT_S, None)
    assert context.evidence.findings[-1].verdict is expected


@pytest.mark.parametrize(
    ("began", "let_go", "rang", "expected"),
    [
        (1.8, 3.8, 3.9, Verdict.PASSED),  # what rang for 2 s, however late the call came
        (1.8, 3.8, 5.9, Verdict.FAILED),  # nobody rang in between
        (1.8, 5.1, 5.2, Verdict.FAILED),
        (0.1, 0.4, 2.1, Verdict.FAILED),  # it was let go at once, by whomever, and the group rang in time
    ],
)
def test_where_the_ai_was_seen_to_ring_that_is_what_counts(
    make_context: MakeContext, began: float, let_go: float, rang: float, expected: Verdict
) -> None:
    context = make_context()
    group, landed = landing(rang, Group(did="+13125550142", agents=("Ödön",)))
    ExpectGroup(context, group).took_over(landed, caller(), RING_TIMEOUT_S, (ROUTED + began, ROUTED + let_go))
    assert context.evidence.findings[-1].verdict is expected


@pytest.mark.parametrize(
    ("way_in_s", "asked", "rang", "expected"),
    [
        (None, None, 3.1, Verdict.FAILED),
        (
            2.4,
            None,
            5.2,
            Verdict.PASSED,
        ),  # a carrier, or a menu that lets its caller ring, took so long to bring the call in
        (2.4, None, 5.6, Verdict.FAILED),
        (9.0, None, 7.1, Verdict.FAILED),  # no way in takes longer than the deployment's patience
        (None, 4.3, 7.2, Verdict.PASSED),  # the AI itself was asked so late, and refused
        (None, 4.3, 7.4, Verdict.FAILED),
        (2.4, 0.4, 5.2, Verdict.FAILED),  # it was asked at once: the caller was told late that it rings
    ],
)
def test_a_fallback_that_nothing_holds_up_begins_when_the_way_in_ends(
    make_context: MakeContext, way_in_s: float | None, asked: float | None, rang: float, expected: Verdict
) -> None:
    context = make_context()
    group, landed = landing(rang, Group(did="+13125550142", agents=("Ödön",)))
    of = caller() if way_in_s is None else caller((way_in_s, "early"), (way_in_s + 0.5, "confirmed"))
    seen = None if asked is None else (ROUTED + asked, ROUTED + asked + 0.01)
    ExpectGroup(context, group).came_within(landed, of, RING_TIMEOUT_S + 1.0, seen)
    assert context.evidence.findings[-1].verdict is expected


@pytest.mark.parametrize(
    ("way_in_s", "asked", "ended", "expected"),
    [
        (None, None, 2.4, Verdict.PASSED),
        (None, None, 4.6, Verdict.FAILED),
        (2.4, None, 4.6, Verdict.PASSED),
        (None, 2.5, 4.6, Verdict.PASSED),  # a platform that tells its caller of no ringing rang the AI so late
        (None, 2.5, 5.6, Verdict.FAILED),
        (2.4, 0.2, 4.6, Verdict.FAILED),  # the AI rang for too long, whenever the caller was told
        (0.1, 1.5, 2.4, Verdict.FAILED),  # and here not for long enough
    ],
)
def test_an_ai_that_nobody_answers_has_its_ring_timeout_from_when_it_rings(
    make_context: MakeContext, way_in_s: float | None, asked: float | None, ended: float, expected: Verdict
) -> None:
    context = make_context("NOANSWER", "stand-in")
    told: Any = {"phone": "c", "leg": "c.1"}
    states: list[Any] = [CallState(at=ROUTED, state="calling", **told)]
    states += [] if way_in_s is None else [CallState(at=ROUTED + way_in_s, state="early", **told)]
    rang = None if asked is None else (ROUTED + asked, ROUTED + ended)
    of = Call(context, leg(states), "caller")
    Expect(context, of).took("the final response", ROUTED + ended, RING_TIMEOUT_S, rang)
    assert context.evidence.findings[-1].verdict is expected


@pytest.mark.parametrize(
    ("let_go", "speaks_s", "ended", "expected"),
    [
        (
            2.2,
            4.0,
            6.2,
            Verdict.PASSED,
        ),  # "nobody is available", said before the call is refused (RFC 3960 section 3.1)
        (2.2, 0.0, 6.2, Verdict.FAILED),
        (2.2, 0.8, 6.2, Verdict.FAILED),  # and then nothing
        (5.2, 1.0, 6.2, Verdict.FAILED),  # the AI rang for too long all the same
        (0.6, 5.6, 6.2, Verdict.FAILED),
        (0.6, 0.0, 2.2, Verdict.FAILED),  # refused in time, when the AI had been let go long since
    ],
)
def test_what_is_said_when_the_ai_has_been_let_go_is_no_ringing(
    make_context: MakeContext, let_go: float, speaks_s: float, ended: float, expected: Verdict
) -> None:
    context = make_context("NOANSWER", "stand-in")
    told: Any = {"phone": "c", "leg": "c.1"}
    heard = [
        Listened(at=ROUTED + let_go + pulse / 5, seconds=0.2, level_dbov=-20.0, **told)
        for pulse in range(round(speaks_s * 5))
    ]
    made = leg([CallState(at=ROUTED, state="calling", **told), *heard])
    made.received_since = lambda since: np.tile(prompt_samples("connecting-you-en"), 5)
    of = Call(context, made, "caller")
    rang = (ROUTED + 0.2, ROUTED + let_go)
    Expect(context, of).took("the final response", ROUTED + ended, RING_TIMEOUT_S, rang)
    assert context.evidence.findings[-1].verdict is expected


@pytest.mark.parametrize("country", ["gb", "au", "in", "us", "jp"])
def test_a_ringing_tone_is_no_announcement(make_context: MakeContext, country: str) -> None:
    """Where its pauses are of 2 s, as in the United Kingdom, it is heard on as words are; and the caller goes on waiting."""
    context = make_context("NOANSWER", "stand-in")
    told: Any = {"phone": "c", "leg": "c.1"}
    tone = to_int16(call_progress(country, "ringback", 12.0))
    pulses = [tone[at : at + 1600] for at in range(0, len(tone), 1600)]
    heard = [
        Listened(at=ROUTED + 2.2 + number / 5, seconds=0.2, level_dbov=-20.0 if np.any(pulse) else -96.0, **told)
        for number, pulse in enumerate(pulses)
    ]
    made = leg([CallState(at=ROUTED, state="calling", **told), *heard])
    made.received_since = lambda since: tone[max(0, round((since - ROUTED - 2.2) * 8000)) :]
    of = Call(context, made, "caller")
    Expect(context, of).took("the final response", ROUTED + 12.0, RING_TIMEOUT_S, (ROUTED + 0.2, ROUTED + 2.2))
    assert context.evidence.findings[-1].verdict is Verdict.FAILED
