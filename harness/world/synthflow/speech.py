"""What an assistant sends instead of its mark: speech in turns with the caller, or sounds that do not react to anything."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, cycle, islice, repeat
from typing import Final

import numpy as np
from numpy.typing import NDArray

from harness.world.media import sound
from harness.world.settings import AssistantSettings, Sends

GREETING, ANSWER, HOLD, GOODBYE = "hello-en", "how-can-i-help-en", "connecting-you-en", "goodbye-en"
MACHINE = "voicemail-greeting-en"
#: What it says first, by the prompt's name; the rest says no words.
FIRST_WORDS: Final[dict[Sends, str]] = {"speech": GREETING, "talks-on": GREETING, "machine": MACHINE}
#: Assistants that answer in words.
SPEAKS_ON: Final[tuple[Sends, ...]] = ("speech", "talks-on")
_LOUD = 300.0  # of 32768, root mean square: -41 dBov
_SPEAKS = 15  # frames of sound that is no mark: a mark is recognised within 200 ms
_PAUSE = 30  # frames of silence after which the caller has finished
_REFLECTS = 20  # frames before the answer to that


class Turns:
    """Whether the caller is speaking, or has just finished. Speech is any sound that is no mark."""

    def __init__(self) -> None:
        self._sound = self._silence = 0
        self._finished = False
        self.caller_speaks = False

    def hear(self, samples: NDArray[np.int16], *, mark_present: bool) -> None:
        """The next frame."""
        loud = not mark_present and float(np.sqrt(np.mean(np.square(samples.astype(np.float64))))) > _LOUD
        if loud:
            self._sound, self._silence = self._sound + 1, 0
        else:
            self._silence += 1
            if mark_present or self._silence > 10:  # words have gaps
                self._sound = 0
        if self._sound >= _SPEAKS:
            self.caller_speaks = True
        elif self.caller_speaks and self._silence >= _PAUSE:
            self.caller_speaks, self._finished = False, True

    def take_finished(self) -> bool:
        """Whether the caller has finished since the last call."""
        finished, self._finished = self._finished, False
        return finished


def script(settings: AssistantSettings, voice: int | None, law: str, turns: Turns) -> Iterator[bytes]:
    """The endless frames of an assistant; ``voice`` is its mark."""
    nothing = sound.silence(law)[0]
    match settings.sends:
        case "voice":
            return cycle(sound.mark(voice, law) if voice is not None else sound.silence(law))
        case "speech":
            return _conversation(law, turns, settings.greeting_s, settings.interruptible)
        case "talks-on":
            return cycle(chain(*(sound.prompt(name, law) for name in (GREETING, ANSWER, HOLD))))
        case "tone":
            return cycle(sound.tone(law))
        case "music":
            return cycle(sound.music(law))
        case "silence":
            return repeat(nothing)
        case "machine":
            return chain(sound.prompt(MACHINE, law), sound.beep(law), repeat(nothing))


def _conversation(law: str, turns: Turns, greeting_s: float, interruptible: bool) -> Iterator[bytes]:
    nothing = sound.silence(law)[0]
    greeting = sound.prompt(GREETING, law)
    saying: Iterator[bytes] = islice(cycle(greeting), round(greeting_s * 50)) if greeting_s else iter(greeting)
    while True:
        if turns.caller_speaks and interruptible:
            saying = iter(())
        if turns.take_finished():
            saying = chain(repeat(nothing, _REFLECTS), sound.prompt(ANSWER, law))
        yield next(saying, nothing)
