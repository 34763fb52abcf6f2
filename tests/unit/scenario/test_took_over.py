"""When a fallback took over: by the agent's ring, and behind a queue by the moment at which the
platform gave the AI up.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from harness.audio.prompts import prompt_samples
from harness.audio.wav import to_int16
from harness.case.verdict import Verdict
from harness.deployment import Group
from harness.scenario.call import Call
from harness.scenario.context import CaseContext
from harness.scenario.expect import Expect, ExpectGroup
from harness.scenario.reported import MachineCall
from tests.unit.audio.music import music
from tests.unit.scenario.conftest import MakeContext
from tests.unit.scenario.legs import leg, sounds, states
from tools.accuracy.tones import call_progress

PASSED, FAILED, NOT_OBSERVABLE = Verdict.PASSED, Verdict.FAILED, Verdict.NOT_OBSERVABLE
ROUTED, RING_TIMEOUT_S, QUEUE_S = 100.0, 2.0, 10.0
Span = tuple[float, float] | None
WORDS = np.tile(prompt_samples("connecting-you-en"), 3)  # 3.8 s
SOUNDS = {
    "": WORDS[:0],
    "words": WORDS,
    "music": music(3.8),
    "late words": np.concatenate([np.zeros(32000), WORDS]),
}


def expecting(
    context: CaseContext, rang: float, queue_s: float, telephone: bool, declined: Sequence[Any] = ()
) -> tuple[ExpectGroup, Any]:
    """A group whose agent's phone rang so many seconds after the routing."""
    if telephone:
        phone = next(iter(context.deployment.phones.values())).model_copy(
            update={"number": "+14155550143"}
        )
        context.deployment = context.deployment.model_copy(update={"phones": {"Ödön": phone}})
    entry = Group(did="+13125550142", agents=("Ödön",), queue_s=queue_s)
    group: Any = SimpleNamespace(name="Warteschleife", entry=entry, phones=(), declined=declined)
    return ExpectGroup(context, group), SimpleNamespace(
        label="agent", began=ROUTED + rang, phone_name="Ödön"
    )


def caller(early_s: float | None, routed: float = ROUTED, heard: Any = None) -> Any:
    """A call whose caller was told so late that it rings."""
    told = (
        [] if early_s is None else states("early", "confirmed", began=ROUTED + early_s, apart_s=0.5)
    )
    return SimpleNamespace(
        began=ROUTED, routed=routed, leg=leg(*told, **({"heard": heard} if heard else {}))
    )


def after(seen: Span) -> Span:
    return None if seen is None else (ROUTED + seen[0], ROUTED + seen[1])


@pytest.mark.parametrize(
    ("rang", "seen", "how", "expected"),
    [
        (2.4, (0.0, 2.0), {}, PASSED),
        (3.5, (0.0, 2.0), {}, FAILED),  # no queue: the caller was left alone in between
        (7.0, (0.0, 2.0), {"queue_s": QUEUE_S}, PASSED),
        (
            7.0,
            (0.0, 4.0),
            {"queue_s": QUEUE_S},
            FAILED,
        ),  # the queue does not excuse that the AI rang for too long
        (12.0, None, {"queue_s": QUEUE_S}, PASSED),
        (13.5, None, {"queue_s": QUEUE_S}, FAILED),
        (3.9, (1.8, 3.8), {}, PASSED),  # it rang for 2 s, however late the call came
        (
            6.0,
            (0.0, 2.0),
            {"telephone": True},
            PASSED,
        ),  # a telephone network connects its calls when it does
        (6.0, (0.0, 2.0), {"says": "words"}, PASSED),  # that somebody else will take the call, say
        (7.5, (0.0, 2.0), {"says": "words"}, FAILED),  # and then nothing
        (6.0, (0.0, 2.0), {"says": "music"}, FAILED),  # of a queue, which the file tells
        (6.0, (0.0, 2.0), {"says": "late words"}, FAILED),  # the group rings already
        # where the AI's ringing was not seen, the caller was told at the latest that it rings
        (5.2, None, {"early_s": 2.4}, PASSED),  # a carrier took so long to bring the call in
        (5.5, None, {"early_s": 2.4}, FAILED),
        (
            7.1,
            None,
            {"early_s": 9.0},
            FAILED,
        ),  # no way in takes longer than the deployment's patience
        (3.1, None, {}, FAILED),
        (8.0, None, {"early_s": 3.0, "routed": ROUTED + 4.0}, FAILED),  # the caller had been let in
    ],
)
def test_a_fallback_takes_over_at_the_ring_timeout(
    make_context: MakeContext, rang: float, seen: Span, how: dict[str, Any], expected: Verdict
) -> None:
    context = make_context()
    group, landed = expecting(context, rang, how.get("queue_s", 0.0), how.get("telephone", False))
    said, let_go = SOUNDS[how.get("says", "")].astype(np.int16), ROUTED + (seen[1] if seen else 0.0)
    of = caller(
        how.get("early_s"),
        how.get("routed", ROUTED),
        lambda since: said[max(0, round((since - let_go) * 8000)) :],
    )
    group.took_over(landed, of, RING_TIMEOUT_S, after(seen))
    assert context.evidence.findings[-1].verdict is expected


@pytest.mark.parametrize(
    ("rang", "seen", "how", "expected"),
    [
        (2.9, None, {}, PASSED),
        (3.1, None, {}, FAILED),
        (6.9, None, {"telephone": True}, PASSED),
        (5.2, None, {"early_s": 2.4}, PASSED),  # the way in
        (5.6, None, {"early_s": 2.4}, FAILED),
        (7.2, (4.3, 4.31), {}, PASSED),  # the AI was asked so late, and refused
        (7.4, (4.3, 4.31), {}, FAILED),
        (5.2, (0.4, 0.41), {"early_s": 2.4}, FAILED),  # it was asked at once
    ],
)
def test_a_fallback_that_nothing_holds_up_begins_at_once(
    make_context: MakeContext, rang: float, seen: Span, how: dict[str, Any], expected: Verdict
) -> None:
    context = make_context()
    group, landed = expecting(context, rang, how.get("queue_s", 0.0), how.get("telephone", False))
    of = caller(how.get("early_s"), how.get("routed", ROUTED))
    group.came_within(landed, of, RING_TIMEOUT_S + 1.0, after(seen))
    assert context.evidence.findings[-1].verdict is expected


def test_a_turn_that_the_case_declined_was_the_fallback(make_context: MakeContext) -> None:
    """A group is told from one of the same people by its second turn; the fallback took over with
    the first.
    """
    context = make_context()
    of_a_call_before, declined = (leg(*states("incoming", began=ROUTED + at)) for at in (-9.0, 2.1))
    group, landed = expecting(
        context, 3.5, 0.0, telephone=False, declined=(of_a_call_before, declined)
    )
    group.took_over(landed, caller(None), RING_TIMEOUT_S, after((0.0, 2.0)))
    group.came_within(landed, caller(None), 2.5, after((0.0, 2.0)))
    assert [finding.verdict for finding in context.evidence.findings] == [PASSED, PASSED]


def refused(
    context: CaseContext, seen: Span, ended: float, *told: Any, heard: Any = None
) -> Verdict:
    made = leg(*states("calling", began=ROUTED), *told, **({"heard": heard} if heard else {}))
    Expect(context, Call(context, made, "caller")).took(
        "the final response", ROUTED + ended, RING_TIMEOUT_S, after(seen)
    )
    return context.evidence.findings[-1].verdict


@pytest.mark.parametrize(
    ("early_s", "seen", "speaks_s", "ended", "expected"),
    [
        (None, None, 0.0, 2.4, PASSED),
        (None, None, 0.0, 4.6, FAILED),
        (
            None,
            (2.5, 4.6),
            0.0,
            4.6,
            PASSED,
        ),  # a platform that tells its caller of no ringing rang the AI so late
        (
            2.4,
            (0.2, 4.6),
            0.0,
            4.6,
            FAILED,
        ),  # the AI rang for too long, whenever the caller was told
        (0.1, (1.5, 2.4), 0.0, 2.4, FAILED),  # and here not for long enough
        (
            None,
            (0.2, 2.2),
            4.0,
            6.2,
            PASSED,
        ),  # "nobody is available", before the refusal (RFC 3960 section 3.1)
        (None, (0.2, 2.2), 0.0, 6.2, FAILED),
        (None, (0.2, 5.2), 1.0, 6.2, FAILED),
    ],
)
def test_an_ai_that_does_not_answer_rings_for_the_ring_timeout(
    make_context: MakeContext,
    early_s: float | None,
    seen: Span,
    speaks_s: float,
    ended: float,
    expected: Verdict,
) -> None:
    told: Sequence[Any] = [] if early_s is None else states("early", began=ROUTED + early_s)
    spoken = sounds(ROUTED + seen[1] - 0.2, speaks_s) if seen else []
    context = make_context("NOANSWER", "stand-in")
    assert (
        refused(context, seen, ended, *told, *spoken, heard=lambda since: np.tile(WORDS, 2))
        is expected
    )


def test_a_ringing_tone_is_no_announcement(make_context: MakeContext) -> None:
    """Where its pauses are of 2 s, as in the United Kingdom, it is heard on as words are; and the
    caller goes on waiting.
    """
    tone = to_int16(call_progress("gb", "ringback", 12.0))
    pulses = sounds(
        ROUTED + 2.2,
        12.0,
        lambda at: bool(np.any(tone[round((at - 0.2) * 8000) : round(at * 8000)])),
    )
    heard = lambda since: tone[max(0, round((since - ROUTED - 2.2) * 8000)) :]  # noqa: E731
    context = make_context("NOANSWER", "stand-in")
    assert refused(context, (0.2, 2.2), 12.0, *pulses, heard=heard) is FAILED


@pytest.mark.parametrize(
    ("spoke_s", "rang", "timed", "came"),
    [
        (2.3, None, PASSED, PASSED),
        (4.0, None, NOT_OBSERVABLE, NOT_OBSERVABLE),  # it may have been there before it spoke
        (None, None, NOT_OBSERVABLE, NOT_OBSERVABLE),
        (4.0, (0.0, 2.0), PASSED, NOT_OBSERVABLE),
        (4.0, (0.0, 0.5), FAILED, NOT_OBSERVABLE),
    ],
)
def test_a_machine_behind_a_platform_that_had_answered_is_timed_by_its_words(
    make_context: MakeContext, spoke_s: float | None, rang: Span, timed: Verdict, came: Verdict
) -> None:
    context = make_context()
    words = np.concatenate(
        [np.zeros(round((spoke_s or 0.0) * 8000), np.int16), WORDS if spoke_s else WORDS[:0]]
    )
    of: Any = SimpleNamespace(
        routed=ROUTED,
        began=ROUTED,
        leg=leg(heard=lambda since: words),
        answered_at=lambda: ROUTED - 1,
        is_over=lambda: True,
    )
    entry = Group(did="+13125550142", empty=True, announcement=True)
    group: Any = SimpleNamespace(name="Mailbox", entry=entry, phones=(), declined=(), before=None)
    machine = MachineCall(context, group, of, 0.0)
    machine.listen()
    ExpectGroup(context, group).took_over(machine, of, RING_TIMEOUT_S, after(rang))
    ExpectGroup(context, group).came_within(machine, of, 3.0, after(rang))
    assert [finding.verdict for finding in context.evidence.findings] == [timed, came]
