"""An AI that names no marks: whether it is speaking, so that nobody speaks over it, and whether it reacts to being spoken to."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

from harness.audio import experiment as trial
from harness.audio.marks import SAMPLE_RATE
from harness.audio.prompts import prompt_samples
from harness.audio.wav import write_wav
from harness.events import Event, Listened, MarkHeard
from harness.phone.leg import Leg
from harness.phone.protocol import Wav
from harness.phone.waiter import NeverCame
from harness.scenario.context import CaseContext

#: Speech is louder (ITU-T P.56 puts its active level on telephone lines at -26 dBov), comfort noise is not.
SOUND_DBOV: Final = -45.0
#: A pause between two sentences, not between two words.
PAUSE_S: Final = 0.6
#: Whoever speaks longer without a pause is spoken over.
PAUSES_WITHIN_S: Final = 10.0
_RECOGNISED_S: Final = 0.4  # a mark is said again every 200 ms


def wait_for_pause(leg: Leg, within: float = PAUSES_WITHIN_S) -> bool:
    """Until the far end is not speaking; False when it did not stop. A mark is no speech: nobody waits for its end."""
    silent_since: float | None = None

    def pauses(event: Event) -> bool:
        nonlocal silent_since
        if not isinstance(event, Listened):
            return False
        if event.level_dbov > SOUND_DBOV and not _is_mark(leg, event.at):
            silent_since = None
        elif silent_since is None:
            silent_since = event.at
        return (
            silent_since is not None and event.at - silent_since >= PAUSE_S - 0.2
        )  # a pulse speaks for 200 ms before it

    try:
        leg.wait("a pause of the far end", pauses, within, since=time.monotonic() - PAUSE_S)
    except NeverCame:
        return False
    return True


def _is_mark(leg: Leg, at: float) -> bool:
    return any(isinstance(event, MarkHeard) and abs(event.at - at) <= _RECOGNISED_S for event in leg.events)


#: What a recording has not on disk yet.
_ON_DISK_S: Final = 0.4
_WORDS: Final = "hello-en"
#: A chance from which on nothing speaks for a reaction.
_OPEN: Final = 0.1


@dataclass(frozen=True, slots=True)
class Reaction:
    """What came of speaking to the far end at moments drawn at random; ``at`` is when that was over, monotonic."""

    outcome: trial.ExperimentResult
    at: float
    tries: int = 1  #: of which this was the last

    @property
    def chance(self) -> float:
        """Of such a result in so many tries without hearing, at most."""
        return min(1.0, self.tries * self.outcome.chance)

    @property
    def is_one(self) -> bool:
        """Whether it must have heard."""
        return self.outcome.reacts and self.chance < trial.MOST_CHANCE

    @property
    def words(self) -> str:
        """The result, with the chance of it without hearing."""
        if self.outcome.echo:
            return "what came back was an echo of what was said"
        chance = f"1 in {1 / self.chance:,.0f}" if self.chance < 0.5 else "an even one or more"
        moments = f"spoken to at {trial.SPOKEN} of {trial.SLOTS} moments drawn at random, its sound "
        told = "changed with them" if self.is_one else "did not change with them"
        return f"{moments}{told} (chance of that without hearing: {chance})"


def experiment(context: CaseContext, leg: Leg) -> Reaction:
    """Speak at moments drawn at random, and see whether the far end's sound goes with them.

    Takes ``trial.SECONDS``; twice that where the first time leaves it open. Two tries double the chance that is stated.
    """
    found = _experiment(context, leg, 1)
    if not found.is_one and not found.outcome.echo and found.chance < _OPEN:
        found = _experiment(context, leg, 2)
    context.evidence.note_once(f"{leg.id}: {found.words}")
    return found


def _experiment(context: CaseContext, leg: Leg, tries: int) -> Reaction:
    spoken = trial.draw()
    sent = trial.speech(spoken, prompt_samples(_WORDS))
    path = context.evidence.directory / f"{leg.id}-experiment-{tries}.wav"
    write_wav(path, sent, SAMPLE_RATE)
    with context.evidence.step(f"{leg.id} speaks at {trial.SPOKEN} of {trial.SLOTS} moments drawn at random"):
        since = time.monotonic()
        leg.play(Wav(path))
        context.pause(trial.SECONDS + _ON_DISK_S)
        outcome = trial.judge(spoken, sent, leg.received_since(since))
        return Reaction(outcome, time.monotonic(), tries)
