"""What a transcript shows to have been said: "bot: …" and "human: …", a line each, as speech
recognition spelled it.

A call's record is read until its transcript is complete, however many findings ask.
"""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Callable, Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from harness.witness.call_record import CallRecord

#: Recognition drops and bends words; of other sentences of the same length hardly half is alike.
_ALIKE = 0.72
Side = Literal["human", "bot"]
Transcript = Literal["during", "after", "none"]
#: A transcript is complete when it has stayed the same this long after the call: during the call it
#: may only have been waiting for the end.
SETTLED_S = 2.0
_LINE = re.compile(r"\s*(\w+)\s*:\s*(.*)$")
#: A side's name with a colon, wherever it stands.
_SIDE = re.compile(r"\b(?:bot|human)\s*:", re.IGNORECASE)
_TOKEN = re.compile(r"\d|[^\W\d]+")
#: Seconds a word, and for pauses, that no voice needs.
_SLOWEST_S, _PAUSES_S = 0.7, 1.5
#: A prompt to the model in the human's name, so that it asks again when nothing was heard (example
#: of Get a call).
_NOTHING_HEARD = "user has not responded"


def as_text(value: object) -> str:
    """A record's transcript, which is text; empty if it is anything else."""
    return value if isinstance(value, str) else ""


def said(transcript: str, who: Side) -> list[str]:
    """The words of one side, in order. A line without a speaker continues the line before."""
    return [words for side, words in _turns(transcript) if side == who and words]


def has_turn(transcript: str, who: Side) -> bool:
    """Whether one side spoke, even if no word was understood."""
    return any(side == who for side, _ in _turns(transcript))


def _turns(transcript: str) -> list[tuple[str, str]]:
    """Speaker and words of each turn. A prompt that the model got in the human's name is no turn of
    either side.
    """
    turns: list[tuple[str, str]] = []
    for line in transcript.strip().splitlines():
        if match := _LINE.match(line):
            turns.append((match[1].lower(), match[2].strip()))
        elif turns:
            speaker, begun = turns[-1]
            turns[-1] = speaker, f"{begun} {line.strip()}".strip()
    return [("" if _says_nothing_was_heard(words) else speaker, words) for speaker, words in turns]


def _says_nothing_was_heard(words: str) -> bool:
    return words[:1] == "(" and words[-1:] == ")" and _NOTHING_HEARD in words.lower()


def is_as_documented(transcript: str) -> bool:
    """Whether each line with a colon begins with a side's name, and names no side further on.

    Only then does it say something that a side has no turn: other names, or turns in one line, may
    be anybody's.
    """
    lines = [line for line in transcript.splitlines() if ":" in line]
    return all(_SIDE.match(line.strip()) and len(_SIDE.findall(line)) == 1 for line in lines)


def times_heard(transcript: str, words: str) -> int:
    """How often the human is transcribed with these words, or something much like them; a line may
    hold more than them.
    """
    return _times(said(transcript, "human"), words)


def answers(transcript: str, words: str, times: int) -> bool:
    """Whether the AI speaks after the human has said ``words`` for occurrence number ``times``."""
    human: list[str] = []
    for side, reported in _turns(transcript):
        if side == "human" and reported:
            human.append(reported)
        elif side == "bot" and reported and _times(human, words) >= times:
            return True
    return False


def takes_as_long(transcript: str, seconds: float) -> bool:
    """Whether the AI's words before the human's first may have taken so long to say; True if there
    are none.

    Voice agents say two to four words a second; the limit is wide. A digit is a word, and so are
    five letters.
    """
    before = itertools.takewhile(lambda turn: turn[0] != "human", _turns(transcript))
    said_first = " ".join(words for side, words in before if side == "bot")
    words = 0.0
    for token in _TOKEN.findall(said_first):
        words += 1.0 if token.isdigit() else max(1.0, len(token) / 5)
    return not words or seconds <= _PAUSES_S + words * _SLOWEST_S


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


class RecordReader:
    """Reads a call's record by ``read``, which raises nothing, until its transcript is complete.

    ``is_blind``: whether the last read failed, and gave what was known before. ``within_s`` is how
    long after a call's end its transcript may come: once for the call, not for each who asks.
    """

    def __init__(
        self,
        read: Callable[[], CallRecord],
        *,
        transcript: Transcript,
        within_s: float,
        is_down: Callable[[], bool] = lambda: False,
        is_blind: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._transcript = transcript
        self._within_s = within_s
        self._is_down = is_down
        self._is_blind = is_blind
        self._clock = clock
        self._over_since: float | None = None
        self._asked_since: float | None = None
        self._was_read = False
        self._text = ""
        self._text_since = 0.0
        self._seen_at = 0.0  # when the record was last read from the interface

    @property
    def is_final(self) -> bool:
        """Whether no more words will come: there are none, their time is over, or the transcript
        has settled.
        """
        if self._transcript == "none" or self._is_down():
            return True
        still_since = self._still_since
        if still_since is not None and self._seen_at - still_since >= SETTLED_S:
            return True
        now = self._clock()
        begun = self._asked_since if self._over_since is None else self._over_since
        return self._was_read and begun is not None and now - begun >= self._within_s

    @property
    def _still_since(self) -> float | None:
        """Since when the transcript of a call that is over has stayed the same; None if there is
        none yet.

        One that comes after the call is not what the call had of it while it went on.
        """
        ended = self._over_since
        if ended is None or not self._text:
            return None
        if self._transcript == "after" and self._text_since < ended:
            return None
        return max(self._text_since, ended)

    @property
    def has_told_all(self) -> bool:
        """Whether the call is over and its words are complete: only then does a missing word say
        something.
        """
        is_complete = self._over_since is not None and self.is_final
        return is_complete and not self._is_down() and not self._is_blind()

    def look(self) -> CallRecord:
        """The record, read anew."""
        record, now = self._read(), self._clock()
        self._was_read = True
        if self._is_blind():
            return record
        self._seen_at = now
        if record.over and self._over_since is None:
            self._over_since = now
        if record.transcript != self._text:
            self._text, self._text_since = record.transcript, now
        return record

    def find(self, wanted: Callable[[str], bool], pause: Callable[[], None]) -> bool:
        """Whether the transcript has what is wanted, waiting for it as long as it may still come."""
        if self._asked_since is None:
            self._asked_since = self._clock()
        if wanted(self._text):
            return True
        while not self.is_final:
            if wanted(self.look().transcript):
                return True
            if not self.is_final:
                pause()
        return False
