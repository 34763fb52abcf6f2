"""What is known of a call whose AI names no marks: signs for and against each direction, and how
they are waited for.
"""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any, Literal, cast

import numpy as np
import pytest

from harness.audio.classify import classify, spoken_s
from harness.audio.marks import SAMPLE_RATE
from harness.audio.prompts import prompt_samples
from harness.case.checks.claims import Observation
from harness.case.events import FarEndReport
from harness.case.legs import LegEvents
from harness.case.verdict import Verdict
from harness.deployment import Escalation, Handover
from harness.scenario.call import Call
from harness.scenario.expect_audio import ExpectAudio
from harness.scenario.signs import Look
from tests.unit.phone_events import rtp_statistics
from tests.unit.scenario.conftest import MakeContext, busy, judged
from tests.unit.scenario.sign_cases import HELLO, Caller, Case
from tests.unit.scenario.sign_cases import at_once as at_once

#: What Synthflow's example of a record has in the human's place when the AI was not answered (Get a
#: call).
REMINDED = "(Now the user has not responded in a while, you would say:)"


@pytest.mark.parametrize("come", ["during", "after"])
@pytest.mark.parametrize(
    ("transcript", "by_ai", "by_caller"),
    [
        (f"bot: Hi.\n{HELLO}", ("WORDS", ""), ("WORDS", "")),
        (
            "bot: Hi.",
            ("", "WORDS"),
            ("WORDS", ""),
        ),  # it can tell words, and has none of the caller's
        (
            HELLO,
            ("WORDS", ""),
            ("SOUND", "WORDS"),
        ),  # answered and silent, says the record; and sound arrives
        ("", ("", ""), ("SOUND", "")),  # never seen to have any word
        ("bot: Hi.\nhuman: something else entirely was said", ("", ""), ("WORDS", "")),
        (
            "bot: Hi.\nhuman:\nbot: Pardon?",
            ("", ""),
            ("WORDS", ""),
        ),  # it heard somebody, and understood nothing
        (
            f"bot: Hi.\nhuman: {REMINDED}\nbot: Are you there?",
            ("", "WORDS"),
            ("WORDS", ""),
        ),  # nobody said that
        (
            "bot: Hi.\nlead: something else entirely",
            ("", ""),
            ("WORDS", ""),
        ),  # it may be the caller's
        (f"{HELLO}\nAnna from Acme: Hi.", ("WORDS", ""), ("SOUND", "")),
    ],
)
def test_words(
    make_context: MakeContext,
    come: Literal["during", "after"],
    transcript: str,
    by_ai: tuple[str, str],
    by_caller: tuple[str, str],
) -> None:
    case = Case(make_context, Caller(), transcript, strength="confirmed", transcript=come).settle()
    # what an AI says is no sign that its transcript has the caller's words by now
    assert case.caller.did == [
        "says hello-en",
        *(["lets the AI answer"] if come == "after" else []),
    ]
    assert (case.heard_by_ai, case.heard_by_caller) == (by_ai, by_caller)


@pytest.mark.parametrize(
    ("transcript", "share", "caller", "to_ai"),
    [
        ("bot: Hi.", 0.05, Caller(), Verdict.FAILED),
        ("bot: Hi.", 0.5, Caller(), Verdict.BROKEN),
        ("", 0.5, Caller(), Verdict.BROKEN),  # nobody can tell, and this machine may be why
        (f"bot: Hi.\n{HELLO}\n{HELLO}", 0.5, Caller(), Verdict.PASSED),
        (
            "bot: Hi.",
            0.5,
            Caller(counts=(200, 0)),
            Verdict.FAILED,
        ),  # no packet of 200: that is not for want of words
    ],
)
def test_words_that_a_busy_machine_may_have_spoilt_blame_nobody(
    make_context: MakeContext, transcript: str, share: float, caller: Caller, to_ai: Verdict
) -> None:
    case = Case(make_context, caller, transcript, strength="confirmed", transcript="after").settle()
    busy(case.context.evidence, starved_s=lambda begin, end: share * (end - begin))
    ExpectAudio(case.context, cast("Any", caller))._look(
        cast("Any", caller), case.look.talk, 0.0, False
    )
    caller.looks[-1].settle()
    found = case.context.evidence.expect_if(case.context.looks_when_over[-1]()[0])
    assert found is not None
    assert (found.subject, found.verdict) == ("caller.1 → assistant main", to_ai)
    assert ("kept the harness waiting" in found.actual) is (to_ai is Verdict.BROKEN)


def test_a_look_names_the_leg_that_talked_to_the_ai(make_context: MakeContext) -> None:
    """The caller's phone followed a REFER before the finding was made."""
    caller = Caller()
    case = Case(
        make_context,
        caller,
        f"bot: Hi.\n{HELLO}\n{HELLO}",
        strength="confirmed",
        transcript="after",
    ).settle()
    ExpectAudio(case.context, cast("Any", caller))._look(
        cast("Any", caller), case.look.talk, 0.0, False
    )
    caller.looks[-1].settle()
    caller.label = "caller.2"
    subjects = [judged(expected).subject for expected in case.context.looks_when_over[-1]()]
    assert subjects[:2] == ["caller.1 → assistant main", "assistant main → caller.1"]
    assert set(subjects[2:]) == {"assistant main → caller.1"}


def test_a_call_is_changed_when_whoever_looks_at_it_is_done(make_context: MakeContext) -> None:
    """A digit, a hold, words, a hang-up and a new codec wait; and asking by a digit says so."""
    did: list[str] = []
    leg: Any = SimpleNamespace(
        events=[],
        facts=LegEvents(),
        id="caller.1",
        successor=None,
        hangup=lambda: did.append("BYE"),
    )
    leg.send_digits = lambda digits, method: did.append(digits)
    call = Call(make_context(escalation=Escalation(digit="5")), leg, "caller")
    call.looks.append(
        cast("Any", SimpleNamespace(settle=lambda asking: did.append(f"settles {asking}")))
    )
    call.press("1")
    call.hang_up()
    call.ask_for_a_person(once=True)
    assert did == [
        "settles False",
        "1",
        "settles False",
        "BYE",
        "settles True",
        "settles False",
        "5",
    ]


# -- A digit that the AI acted on: a sign that it hears, and where it is none


SILENT = Handover.model_validate(
    {"transfer": "cold", "transfer_to": "billing", "ways": ["silence"]}
)


@pytest.mark.parametrize(
    ("ways", "named", "tells"),
    [
        (["digit"], {}, True),
        (["digit", "silence"], {}, False),
        (["digit"], {"sales": SILENT}, False),
    ],
    ids=["digit", "digit, silence", "another's silence"],
)
def test_a_digit_tells_nothing_where_the_ai_hands_over_who_says_nothing(
    make_context: MakeContext, ways: list[str], named: dict[str, Handover], tells: bool
) -> None:
    """To a deaf AI everybody says nothing: it hands over as well, and whoever looks has to look for
    something else.
    """
    settled: list[bool] = []
    context = make_context(escalation=Escalation.model_validate({"ways": ways, "digit": "5"}))
    deployment = context.deployment
    front = deployment.lines[str(context.case.line)].assistant
    assistants = {
        name: entry.model_copy(update={"handovers": named}) if name == front else entry
        for name, entry in deployment.assistants.items()
    }
    context.deployment = deployment.model_copy(update={"assistants": assistants})
    leg: Any = SimpleNamespace(
        events=[],
        facts=LegEvents(),
        id="caller.1",
        successor=None,
        send_digits=lambda digits, method: None,
    )
    call = Call(context, leg, "caller")
    call.looks.append(cast("Any", SimpleNamespace(settle=lambda asking: settled.append(asking))))
    call.ask_for_a_person(once=True)
    call.obeyed(5.0)
    assert settled[0] is tells
    assert (call.obeyed_digit is not None) is tells


# -- The far end's counters of our stream (RTCP): a sign that it hears, what speaks against it, and how long they are waited for


@pytest.mark.parametrize(
    ("counts", "by_ai"),
    [
        ((200, 198), ("RTCP", "")),
        ((200, 90), ("", "RTCP")),
        ((200, 0), ("", "RTCP")),
        ((20, 5), ("RTCP", "")),
        ((20, 0), ("", "")),
        (None, ("", "")),
    ],
)
def test_counters(
    make_context: MakeContext, counts: tuple[int, int] | None, by_ai: tuple[str, str]
) -> None:
    caller = Caller(counts=counts)
    case = Case(make_context, caller, "", strength="indicated", transcript="none").settle()
    assert caller.did == ["says hello-en", "waits for RTCP"]
    assert case.heard_by_ai == by_ai


def test_a_report_has_its_time_from_when_it_can_tell_of_what_is_asked(
    make_context: MakeContext,
) -> None:
    """Of what comes 0.36 s after a change, say; 7.5 s may lie between two reports (RFC 3550 section
    6.3.1).
    """
    caller = Caller()
    case = Case(make_context, caller, "", strength="indicated", transcript="none")
    later = time.monotonic() + 2.0
    look = Look(case.context, case.look.talk, cast("Any", caller), later)
    look.begin()
    busy(case.context.evidence, starved_s=lambda begin, end: 3.0)
    look.settle()
    assert [since for since, _ in caller.waited] == [later, later]
    ends = [until - later for _, until in caller.waited]
    assert ends == pytest.approx([8.5, 11.5], abs=1.0), "and as long as this machine was busy"


def test_a_platforms_own_counters_say_nothing_for_it_and_all_against_it(
    make_context: MakeContext,
) -> None:
    caller = Caller(counts=(200, 200))
    case = Case(
        make_context, caller, "", strength="indicated", transcript="none", rtcp="by-hop"
    ).settle()
    assert case.heard_by_ai == ("HOP_RTCP", "")
    caller.counts = (200, 0)
    assert case.heard_by_ai == ("", "RTCP")


def test_speech_that_is_too_short_is_measured_in_words(make_context: MakeContext) -> None:
    """In a call that ended before the caller had spoken."""
    caller = Caller()
    caller.is_over = lambda: True  # type: ignore[method-assign]
    spoken = prompt_samples("how-can-i-help-en")[: round(1.5 * SAMPLE_RATE)]
    caller.leg.received_since = lambda since: spoken
    case = Case(make_context, caller, "", strength="confirmed", transcript="none").settle()
    sound, _, _ = case.look.to_caller()
    assert sound is not None
    length_s = spoken_s(classify(spoken))
    assert 0.4 < length_s < 1.6
    assert sound.evidence.startswith(f"{length_s:.1f} s of speech without a pause behind it")


@pytest.mark.parametrize(("rtt_ms", "waits"), [(0.0, True), (80.0, False)])
def test_a_far_end_that_reports_is_asked_for_the_round_trip(
    make_context: MakeContext, rtt_ms: float, waits: bool
) -> None:
    """Its first report may come ahead of the caller's."""
    caller = Caller(counts=(200, 200))
    report = FarEndReport(
        at=time.monotonic(),
        phone="caller",
        sent=100,
        received=100,
        lost=0,
        fraction_lost=0.0,
        jitter_ms=0.0,
        names_us=True,
    )
    caller.leg.facts = LegEvents([report, rtp_statistics(rtt_ms=rtt_ms)])
    asked: list[str] = []
    caller.leg.wait_for = lambda kind, *_, **__: asked.append(kind.__name__)
    Case(make_context, caller, "", strength="confirmed", transcript="none").settle()
    assert asked == ["RtpStatistics"] * waits


@pytest.mark.parametrize("strength", ["indicated", "confirmed"])
def test_a_voice_that_does_not_pause_indicates_nothing(
    make_context: MakeContext, strength: Literal["indicated", "confirmed"]
) -> None:
    """An office's babble, for one: seconds of speech, none of it to the caller."""
    caller = Caller()
    sentence = prompt_samples("how-can-i-help-en")
    caller.leg.received_since = lambda since: np.tile(sentence, 3)
    case = Case(make_context, caller, "", strength=strength, transcript="none").settle()
    sound, _, _ = case.look.to_caller()
    assert sound is not None
    assert sound.observation is Observation.OTHER_SOUND
    assert sound.evidence == "speech that does not pause for the caller's words, at caller.1"


# -- After a change of the call the AI's words of before confirm nothing: music on hold may go on


FIRST = f"bot: Hi.\n{HELLO}\nbot: It is me."


@pytest.mark.parametrize("come", ["during", "after"])
@pytest.mark.parametrize(
    ("then", "by_ai", "by_caller"),
    [
        (f"{HELLO}\nbot: Still me.", "WORDS", "WORDS"),
        (HELLO, "WORDS", "SOUND"),
        ("human: something else\nbot: Pardon?", "", "SOUND"),
        ("", "", "SOUND"),
    ],
)
def test_words_behind_a_change_are_those_behind_its_greeting(
    make_context: MakeContext, come: str, then: str, by_ai: str, by_caller: str
) -> None:
    told: Any = {"strength": "confirmed", "transcript": come}
    case = Case(make_context, Caller(), f"{FIRST}\n{then}", **told).settle()
    assert case.heard_by_caller == ("WORDS", "")
    case.look = Look(case.context, case.look.talk, case.caller, 0.0, again=True)  # type: ignore[arg-type]
    case.look.begin()
    case.settle()
    assert (case.heard_by_ai[0], case.heard_by_caller[0]) == (by_ai, by_caller)
    assert case.caller.did[-1] == "lets the AI answer"
