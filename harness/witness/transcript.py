"""What a transcript shows to have been said: "bot: …" and "human: …", a line each, as speech recognition spelled it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from itertools import pairwise
from typing import Literal

#: Recognition drops and bends words; of other sentences of the same length hardly half is alike.
_ALIKE = 0.72
Side = Literal["human", "bot"]
_SPEAKERS: Mapping[Side, Sequence[str]] = {
    "human": ("human", "user", "customer", "caller"),
    "bot": ("bot", "assistant", "agent", "ai"),
}
_SIDE_OF = {name: side for side, names in _SPEAKERS.items() for name in names}
#: Speakers of lines that were not said on the call.
_NOT_SPOKEN = ("system", "tool", "function", "action")
_LINE = re.compile(r"^\s*(\w+)\s*:\s*(.*)$")
#: What may be a speaker's name, of several words too, and something that was said.
_NAMED = re.compile(r"^\s*([^:]{1,40}?)\s*:\s*\S")
_NAME_ALONE = re.compile(r"^[^:]{1,40}:\s*$")
#: Line breaks may be written as two characters each, or be lost: then a word with a colon begins a turn.
_WRITTEN_BREAK = re.compile(r"(\\r)?\\n")
_BEFORE_NAME = re.compile(r"(?<=\s)(?=[^\W\d]\w*\s*:(?:\s|$))")
#: A word with a colon, wherever it stands: "：" is that of East Asia.
_WITH_COLON = re.compile(r"\b([^\W\d]\w*+)\s*+[:：]")
#: How the model is told, as if by the human, that nothing was heard, so that it asks again: the example of Get a call has such a turn.
_NOTHING_HEARD = "user has not responded"


#: What a turn calls its speaker and what was said, where a transcript is a list of them.
_WHOSE, _WORDS = ("role", "speaker", "sender_type", "sender"), ("content", "text", "message", "value")


def as_text(told: object) -> str:
    """A transcript as lines with their speakers' names, from a text or a list of turns; empty where it is neither."""
    if isinstance(told, str):
        return told
    turns = told if isinstance(told, list) else []
    return "\n".join(filter(None, map(_as_line, turns)))


def _as_line(turn: object) -> str:
    if not isinstance(turn, dict):
        return turn if isinstance(turn, str) else ""
    words, whose = (
        next((turn[key] for key in keys if isinstance(turn.get(key), str)), "") for keys in (_WORDS, _WHOSE)
    )
    told = turn.values() if not whose else [turn.get(key) for key in _WORDS]
    if (
        not words
        and whose.lower() not in _SIDE_OF
        and any(isinstance(each, str | list | dict) and each for each in told)
    ):
        words = "…"  # something in a form that is not known, by somebody who may be anybody
    return f"{whose or 'somebody'}: {' '.join(words.split())}" if words or whose else ""


def said(transcript: str, who: Side) -> list[str]:
    """The words of one side, in order. A line without a speaker continues the line before."""
    return [words for side, words in _turns(transcript) if side == who and words]


def has_turn(transcript: str, who: Side) -> bool:
    """Whether one side spoke, even if no word was understood."""
    return any(side == who for side, _ in _turns(transcript))


def _turns(transcript: str) -> list[tuple[Side | None, str]]:
    turns: list[tuple[str, str]] = []
    for line in _lines(transcript):
        if match := _LINE.match(line):
            turns.append((match[1].lower(), match[2].strip()))
        elif turns:
            speaker, begun = turns[-1]
            turns[-1] = speaker, f"{begun} {line.strip()}".strip()
    return [(None if _says_nothing_was_heard(words) else _SIDE_OF.get(speaker), words) for speaker, words in turns]


def _says_nothing_was_heard(words: str) -> bool:
    return words[:1] == "(" and words[-1:] == ")" and _NOTHING_HEARD in words.lower()


def may_name_others(transcript: str) -> bool:
    """Whether the transcript may use an unknown speaker's name, so that silence of either side is not certain.

    A continuation line with a colon also counts, and so do names within a line. Missing a denial this way does no harm.
    """
    known, lines = {*_NOT_SPOKEN, *_SIDE_OF}, [line for line in _lines(transcript) if line.strip()]
    # a name may stand in a line of its own
    turns = (
        f"{line} {after}" if _NAME_ALONE.match(line) and ":" not in after else line
        for line, after in pairwise([*lines, ""])
    )
    if any((match := _NAMED.match(turn)) and match[1].lower() not in known for turn in turns):
        return True
    within = [
        match[1].lower() for line in lines for match in _WITH_COLON.finditer(line) if line[: match.start()].strip()
    ]
    return any(len(lines) == 1 or name in _SIDE_OF for name in within)


def _lines(transcript: str) -> list[str]:
    lines = _WRITTEN_BREAK.sub("\n", transcript).strip().splitlines()
    return lines if len(lines) > 1 else _BEFORE_NAME.split("".join(lines))


def times_heard(transcript: str, words: str) -> int:
    """How often the human is transcribed with these words, or something much like them; a line may hold more than them."""
    return _times(said(transcript, "human"), words)


def answers(transcript: str, words: str, times: int) -> bool:
    """Whether the AI speaks after the human has said ``words`` for occurrence number ``times``."""
    human: list[str] = []
    for side, told in _turns(transcript):
        if side == "human" and told:
            human.append(told)
        elif side == "bot" and told and _times(human, words) >= times:
            return True
    return False


def _times(lines: Sequence[str], words: str) -> int:
    whole = [is_alike(line, words) for line in lines]
    count = at = 0
    while at < len(lines):
        # a pause makes recognition break a sentence in two
        is_broken = not any(whole[at : at + 2]) and is_alike(" ".join(lines[at : at + 2]), words)
        count += whole[at] or is_broken
        at += 2 if is_broken else 1
    return count


@lru_cache(maxsize=4096)  # a transcript is asked again and again while it grows
def is_alike(heard: str, words: str) -> bool:
    """Whether ``heard`` is, or contains, ``words``."""
    ours, theirs = _words(words), _words(heard)
    if not ours or not theirs:
        return False
    size = min(len(ours), len(theirs))
    wanted = " ".join(ours)
    spans = (" ".join(theirs[at : at + size]) for at in range(len(theirs) - size + 1))
    return max(SequenceMatcher(None, span, wanted).ratio() for span in spans) >= _ALIKE


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower().replace("'", ""))
