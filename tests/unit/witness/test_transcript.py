"""What was said, as speech recognition spells it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.witness.call_record import CallRecord
from harness.witness.transcript import has_turn, is_alike, may_name_others, said, times_heard

WORDS = "Hello, who is there?"


@pytest.mark.parametrize(
    "heard",
    [
        "Hello, who is there?",
        "hello who is there",
        "Hello, who's there?",
        "Well, hello, who is there, please?",
        "Hallo who is there",
    ],
)
def test_the_same_words_however_spelled(heard: str) -> None:
    assert is_alike(heard, WORDS)


def test_who_said_what() -> None:
    transcript = "bot: Hello, who is there?\nhuman: hello who is there\nUser: [mark 3]\nnonsense\nbot:\nassistant: yes"
    assert said(transcript, "bot") == ["Hello, who is there?", "yes"]
    assert said(transcript, "human") == ["hello who is there", "[mark 3] nonsense"]


def test_how_often_it_was_said() -> None:
    assert times_heard("bot: Hello, who is there?", WORDS) == 0
    assert times_heard("human: hello\nhuman: who is there", WORDS) == 1
    assert times_heard("human: hello who is there\nhuman: [mark 3]\nhuman: Hello, who is there?", WORDS) == 2
    assert times_heard("", WORDS) == 0


@st.composite
def _greeted(draw: st.DrawFn) -> tuple[int, str]:
    """The words once, which recognition may have broken in two anywhere; or others."""
    words = WORDS.split()
    at = draw(st.integers(0, len(words) - 1))
    halves = [" ".join(half) for half in (words[:at], words[at:]) if half]
    others = st.sampled_from(["human: An agent, please.\n", "human: [mark 3]\n", f"bot: {WORDS}\n"])
    return draw(st.one_of(st.just((1, "".join(f"human: {half}\n" for half in halves))), st.tuples(st.just(0), others)))


@given(st.lists(_greeted(), max_size=6))
def test_each_time_counts_whether_a_pause_broke_it_in_two_or_not(turns: list[tuple[int, str]]) -> None:
    assert times_heard("".join(text for _, text in turns), WORDS) == sum(times for times, _ in turns)


def test_words_on_several_lines_are_one_speakers() -> None:
    transcript = (
        "bot: Guten Tag.\r\n  Wie kann ich helfen?\nhuman:\nHello,\nwho is there?\n\nsystem: transferred\nto nobody"
    )
    assert said(transcript, "human") == ["Hello, who is there?"]
    assert said(transcript, "bot") == ["Guten Tag. Wie kann ich helfen?"]
    assert times_heard(transcript, "Hello, who is there?") == 1


@pytest.mark.parametrize(
    ("role", "words"), [("role", "content"), ("speaker", "text"), ("sender_type", "value"), ("sender", "message")]
)
@pytest.mark.parametrize("names", [("bot", "human"), ("agent", "user"), ("Assistant", "Caller")])
def test_turns_in_a_list(names: tuple[str, str], role: str, words: str) -> None:
    """As other versions, and other makes, tell a transcript."""
    bot, human = names
    turns = [
        {role: bot, words: "Hi there.\nWho are you?", "timestamp": 1},
        {role: human, words: WORDS},
        {role: "tool", words: {"a": 1}},
    ]
    told = CallRecord("c1", {"transcript": turns}).transcript
    assert said(told, "bot") == ["Hi there. Who are you?"]
    assert times_heard(told, WORDS) == 1
    assert not may_name_others(told)
    assert has_turn(CallRecord("c1", {"transcript": [{role: human, words: ""}]}).transcript, "human")


@pytest.mark.parametrize(
    "told",
    [[{"role": "lead", "content": "hello"}], [{"content": "hello"}], [{"role": 7, "content": "hello"}], ["Ann: hello"]],
)
def test_turns_of_nobody_who_is_known(told: list[object]) -> None:
    transcript = CallRecord("c1", {"transcript": told}).transcript
    assert said(transcript, "human") == said(transcript, "bot") == []
    assert may_name_others(transcript)


@pytest.mark.parametrize("told", [None, 7, {}, [], [7, None], [{}], {"text": "bot: Hi."}])
def test_what_is_no_transcript(told: object) -> None:
    assert CallRecord("c1", {"transcript": told}).transcript == ""


@pytest.mark.parametrize("between", [" ", "  \t", "\\n", " \\n ", "\\r\\n"])
@pytest.mark.parametrize("names", [("bot", "human"), ("Assistant", "User"), ("AI ", "caller")])
def test_turns_in_one_line(names: tuple[str, str], between: str) -> None:
    """Whatever lies between them: line breaks that were lost, or written as two characters."""
    bot, human = names
    transcript = between.join([f"{bot}: Hi there, it is 5:30.", f"{human}: {WORDS}", f"{bot}: It is me."])
    assert said(transcript, "human") == [WORDS]
    assert said(transcript, "bot") == ["Hi there, it is 5:30.", "It is me."]
    assert times_heard(transcript, WORDS) == 1
    assert not may_name_others(transcript)


@pytest.mark.parametrize(
    ("transcript", "may"),
    [
        ("", False),
        ("bot: It is 5:30, see https://acme.example\nHuman: Thanks\nand good-bye", False),
        ("Assistant : Hi.\nsystem: transferred\nTool: {}\nUSER: hello", False),
        ("bot: Hi.\nlead: hello", True),
        ("bot: Hi.\nlead:", False),  # said nothing
        ("Anna Smith: Hi.\nuser: hello", True),
        ("[00:01] bot: Hi.\n[00:03] user: hello", True),
        ("bot: Hi there, how can I help?", False),
        ("bot: Hi. lead: hello", True),
        ("bot: Hi. lead:", False),
        ("bot: Hi.|lead: hello", True),
        ("bot:\nHi.\nlead:\nhello", True),
        ("bot:\nHi.\nAnna Smith :\n\nhello", True),
        ("bot:\nHi, here are our hours\nlead:\nhuman:\nhello", False),
        ("bot: Hi.\nbot: Our hours are: 9 to 5, see https://acme.example", False),
    ],
)
def test_speakers_whose_names_are_not_known(transcript: str, may: bool) -> None:
    assert may_name_others(transcript) is may


@pytest.mark.parametrize("between", ["<br>", "<br/>", "|", "", ", ", " ", "\n- ", " • "])
@pytest.mark.parametrize("colon", [": ", ":", " :", ":\n", "："])
@pytest.mark.parametrize("names", [("bot", "human"), ("AI", "User")])
def test_nobody_is_sure_to_be_silent_whose_name_stands_within_a_line(
    names: tuple[str, str], colon: str, between: str
) -> None:
    """Turns may lie between signs that are not known here: then the whole call is one turn of who is named first."""
    for said_by in (names, names[::-1], names * 2):
        transcript = between.join(f"{name}{colon}{WORDS}" for name in said_by)
        sides = [has_turn(transcript, side) for side in ("bot", "human")]
        assert sides in ([True, True], [False, False]) or may_name_others(transcript)


def test_a_turn_in_an_unknown_form_may_be_anybodys() -> None:
    turns = [{"role": "bot", "content": "Hi there."}, {"from": "human", "body": WORDS}]
    assert may_name_others(CallRecord("c1", {"transcript": turns}).transcript)
    parts = [turns[0], {"role": "lead", "content": [{"type": "text", "text": WORDS}]}]
    assert may_name_others(CallRecord("c1", {"transcript": parts}).transcript)
    assert not may_name_others(CallRecord("c1", {"transcript": [*turns[:1], {"timestamp": 7, "body": ""}]}).transcript)


@pytest.mark.parametrize("between", ["\n", " ", "\\n"])
@pytest.mark.parametrize("name", ["human", "User"])
def test_that_nothing_was_heard_is_not_what_somebody_said(name: str, between: str) -> None:
    """As in the example of https://docs.synthflow.ai/api-reference/platform-api/calls/get-phone-call."""
    told = f"{name}: (Now the user has not responded in a while, you would say:)"
    transcript = between.join(["bot: How may I help you?", told, "bot: Hey Eddie, are you still there? "])
    assert not has_turn(transcript, "human")
    assert said(transcript, "human") == []
    assert said(transcript, "bot") == ["How may I help you?", "Hey Eddie, are you still there?"]
    assert not may_name_others(transcript)
    understood = f"{transcript}{between}{name}: Yes."
    assert said(understood, "human") == ["Yes."]


@pytest.mark.parametrize("words", ["(inaudible)", "The user has not responded.", ""])
def test_what_was_heard_and_not_understood_is_a_turn(words: str) -> None:
    assert has_turn(f"bot: Hi.\nhuman: {words}", "human")
