"""What was said, as speech recognition spells it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.witness.call_record import CallRecord
from harness.witness.transcript import (
    has_turn,
    is_alike,
    is_as_documented,
    said,
    takes_as_long,
    times_heard,
)

WORDS = "Hello, who is there?"


@pytest.mark.parametrize(
    "heard", ["Hello, who's there?", "Well, hello, who is there, please?", "Hallo who is there"]
)
def test_recognition_bends_words_and_adds_others(heard: str) -> None:
    assert is_alike(heard, WORDS)
    assert not is_alike("I would like to speak to a person", WORDS)


def test_who_said_what() -> None:
    transcript = "bot: Guten Tag.\r\n  Wie kann ich helfen?\nHuman : hello who is there\nhuman:\nHello,\nwho is there?\nnurse: no\nbot:"
    assert said(transcript, "human") == ["hello who is there", WORDS]
    assert said(transcript, "bot") == ["Guten Tag. Wie kann ich helfen?"]
    assert times_heard(transcript, WORDS) == 2


@pytest.mark.parametrize(
    ("greeting", "seconds", "fits"),
    [
        ("Hello, this is Robin. How can I help you?", 3.0, True),
        ("Hello, this is Robin. How can I help you?", 0.6, True),  # its end was heard
        ("Hello, this is Robin. How can I help you?", 12.0, False),  # somebody else's announcement
        ("Call 312 555 0100.", 6.0, True),
        ("Hi.", 0.4, True),
    ],
)
def test_speech_fits_the_ai_s_greeting_by_its_length(
    greeting: str, seconds: float, fits: bool
) -> None:
    assert (
        takes_as_long(
            f"bot: {greeting}\nhuman: Hello\nbot: And much more, which came later", seconds
        )
        is fits
    )
    assert takes_as_long("human: Hello\nbot: Hi", seconds), "it did not speak first"


@st.composite
def _greeted(draw: st.DrawFn) -> tuple[int, str]:
    """The words once, which recognition may have broken in two anywhere; or others."""
    words = WORDS.split()
    at = draw(st.integers(0, len(words) - 1))
    halves = [" ".join(half) for half in (words[:at], words[at:]) if half]
    others = st.sampled_from(["human: An agent, please.\n", "human: [mark 3]\n", f"bot: {WORDS}\n"])
    return draw(
        st.one_of(
            st.just((1, "".join(f"human: {half}\n" for half in halves))),
            st.tuples(st.just(0), others),
        )
    )


@given(st.lists(_greeted(), max_size=6))
def test_each_time_counts_whether_a_pause_broke_it_in_two_or_not(
    turns: list[tuple[int, str]],
) -> None:
    assert times_heard("".join(text for _, text in turns), WORDS) == sum(
        times for times, _ in turns
    )


@pytest.mark.parametrize("told", [None, 7, {}, [{"role": "human", "content": WORDS}]])
def test_a_transcript_is_text(told: object) -> None:
    assert CallRecord("c1", {"transcript": told}).transcript == ""


@pytest.mark.parametrize(
    ("transcript", "is_documented"),
    [
        ("", True),
        ("bot: It is 5:30, see https://acme.example\nHuman : Thanks\nand good-bye", True),
        ("bot: Hi.\nlead: hello", False),
        ("bot: Hi. human: hello", False),
        ("[00:01] bot: Hi.", False),
    ],
)
def test_only_a_transcript_with_known_speakers_tells_who_was_silent(
    transcript: str, is_documented: bool
) -> None:
    assert is_as_documented(transcript) is is_documented


def test_that_nothing_was_heard_is_not_what_somebody_said() -> None:
    """As in the example of https://docs.synthflow.ai/api-reference/platform-api/calls/get-phone-call."""
    told = "bot: Hi.\nhuman: (Now the user has not responded in a while, you would say:)\nbot: Hey Eddie, are you there?"
    assert not has_turn(told, "human")
    assert said(f"{told}\nhuman: Yes.", "human") == ["Yes."]


@pytest.mark.parametrize("words", ["(inaudible)", "The user has not responded.", ""])
def test_what_was_heard_and_not_understood_is_a_turn(words: str) -> None:
    assert has_turn(f"bot: Hi.\nhuman: {words}", "human")
