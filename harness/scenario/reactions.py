"""An AI that names no marks: whether it is speaking, so that the caller does not interrupt it, and whether it reacts to speech."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from harness.audio import experiment as trial
from harness.audio.classify import classify
from harness.audio.marks import SAMPLE_RATE
from harness.audio.prompts import prompt_samples
from harness.audio.wav import write_wav
from harness.calls.events import Event, Listened, MarkHeard
from harness.phone import recording
from harness.phone.leg import Leg
from harness.phone.protocol import Wav
from harness.phone.recording import ON_DISK_WITHIN_S
from harness.phone.waiter import NeverCame
from harness.scenario.context import CaseContext

#: Speech is louder (ITU-T P.56 puts its active level on telephone lines at -26 dBov), comfort noise is not.
SOUND_DBOV: Final = -45.0
#: A pause between two sentences, not between two words.
PAUSE_S: Final = 0.6
#: A far end that speaks longer without a pause is interrupted.
PAUSES_WITHIN_S: Final = 10.0
#: So much longer caller and agent may be kept apart while the platform tells the agent something: who calls, say, or for whom.
WHISPER_S: Final = 10.0
#: What a pulse of the listener speaks of, up to its moment.
PULSE_S: Final = 0.2
_RECOGNISED_S: Final = 0.4  # a mark is said again every 200 ms
_WORD_S: Final = 0.4  # what is shorter may be a click


def wait_for_pause(leg: Leg, within: float = PAUSES_WITHIN_S) -> bool:
    """Until the far end is not speaking; False when it did not stop. A mark is not speech, and not waited for.

    What was heard just before counts as well, so that a pause which is there already is not waited for again; one that is over does
    not.
    """
    silent_since: float | None = None

    def pauses(event: Event) -> bool:
        nonlocal silent_since
        if not isinstance(event, Listened):
            return False
        if _is_speech(leg, event):
            silent_since = None
        elif silent_since is None:
            silent_since = event.at
        return silent_since is not None and event.at - silent_since >= PAUSE_S - PULSE_S and _is_newest(leg, event)

    return _comes(leg, "a pause of the far end", pauses, within, since=time.monotonic() - PAUSE_S)


def wait_for_speech(leg: Leg, since: float, within: float) -> bool:
    """Until the far end speaks after ``since`` (``time.monotonic()``), or for ``within`` seconds from then; whether it does."""

    def speaks(event: Event) -> bool:
        return isinstance(event, Listened) and event.at >= since + PULSE_S and _is_speech(leg, event)

    return _comes(leg, "the far end speaks", speaks, max(0.0, since + within - time.monotonic()), since)


def last_spoken_to(leg: Leg, since: float) -> float:
    """When a sound other than a mark was last heard after ``since``; ``since`` where there was none."""
    heard = (event for event in leg.events if isinstance(event, Listened) and event.at > since)
    return max((event.at for event in heard if _is_speech(leg, event)), default=since)


def received_between(leg: Leg, since: float, until: float) -> NDArray[np.int16]:
    """What a leg received between two moments, at 8 kHz."""
    return leg.received_since(since)[: max(0, round((until - since) * SAMPLE_RATE))]


def last_words_to(leg: Leg, since: float, until: float | None = None) -> float:
    """When speech was last heard between two moments; ``since`` where there was none. Marks and music are no speech."""
    heard = leg.received_since(since) if until is None else received_between(leg, since, until)
    words = (span for span in classify(heard) if span.kind == "speech" and span.ended - span.began > _WORD_S)
    return since + max((span.ended for span in words), default=0.0)


def _comes(leg: Leg, goal: str, predicate: Callable[[Event], bool], within: float, since: float) -> bool:
    try:
        leg.wait(goal, predicate, within, since=since)
    except NeverCame:
        return False
    return True


def _is_newest(leg: Leg, heard: Listened) -> bool:
    return not any(event.at > heard.at for event in leg.events if isinstance(event, Listened))


def _is_speech(leg: Leg, heard: Listened) -> bool:
    """Whether it is loud, and no mark."""
    if heard.level_dbov <= SOUND_DBOV:
        return False
    marks = (event for event in leg.events if isinstance(event, MarkHeard))
    return not any(abs(mark.at - heard.at) <= _RECOGNISED_S for mark in marks)


_WORDS: Final = "hello-en"
#: An AI answers in 1 s, then in 3, and what fits each time a little says together what one experiment cannot.
_MOST_TRIES: Final = 3
#: What a scenario takes to end its calls.
_TO_END_S: Final = 6.0
#: A chance from which on nothing shows a reaction, and nothing is tried again.
_OPEN: Final = 0.25


@dataclass(frozen=True, slots=True)
class Reaction:
    """The result of speaking to the far end at moments drawn at random; ``at`` is when that was over, monotonic."""

    outcomes: tuple[trial.ExperimentResult, ...]  #: of one try after another
    at: float

    @property
    def echo(self) -> bool:
        """Whether the far end only echoed the caller."""
        return any(outcome.echo for outcome in self.outcomes)

    @property
    def chance(self) -> float:
        """The chance of such a result without hearing, at most, however many tries were made.

        Who may stop after any try has to share the chance of being wrong out among them: the first has half of it, the second
        half of what is left, and so on.
        """
        return min(1.0, 2.0 ** len(self.outcomes) * trial.combined([outcome.chance for outcome in self.outcomes]))

    @property
    def is_one(self) -> bool:
        """Whether the far end must have heard."""
        return not self.echo and self.chance < trial.MOST_CHANCE

    @property
    def words(self) -> str:
        """The result, with the chance of it without hearing."""
        if self.echo:
            return "what came back was an echo of what was said"
        chance = f"1 in {1 / self.chance:,.0f}" if self.chance < 0.5 else "an even one or more"
        times = {1: "", 2: ", twice", 3: ", three times"}[len(self.outcomes)]
        moments = f"spoken to at {trial.SPOKEN} of {trial.SLOTS} moments drawn at random{times}, its sound "
        told = "changed with them" if self.is_one else "did not change with them"
        return f"{moments}{told} (chance of that without hearing: {chance})"


def experiment(context: CaseContext, leg: Leg) -> Reaction:
    """Speak at moments drawn at random, and see whether the far end's sound goes with them.

    Takes ``trial.SECONDS``; so long again where that leaves it open, up to three times, and never so long that the call would be
    hung up (``limits.seconds_per_call``) before the scenario is done with it.
    """
    outcomes: list[trial.ExperimentResult] = []
    while True:
        outcomes.append(_try(context, leg, len(outcomes) + 1))
        found = Reaction(tuple(outcomes), time.monotonic())
        may_tell = not (found.echo or found.is_one) and trial.combined([each.chance for each in outcomes]) < _OPEN
        if not may_tell or len(outcomes) == _MOST_TRIES or not _has_time(context, leg, len(outcomes)):
            context.evidence.note_once(f"{leg.id}: {found.words}")
            return found


def _has_time(context: CaseContext, leg: Leg, tries: int) -> bool:
    """For one more try, and for what the scenario has still to do: before a third, as well for another look at this call."""
    left = leg.events[0].at + context.deployment.limits.seconds_per_call - time.monotonic()
    return left >= trial.SECONDS + (_TO_END_S if tries == 1 else trial.SECONDS)


def _try(context: CaseContext, leg: Leg, number: int) -> trial.ExperimentResult:
    spoken = trial.draw()
    sent = trial.speech(spoken, prompt_samples(_WORDS))
    path = recording.path_of(context.evidence.directory, leg.id, f"-experiment-{number}.wav")
    write_wav(path, sent, SAMPLE_RATE)
    with context.evidence.step(f"{leg.id} speaks at {trial.SPOKEN} of {trial.SLOTS} moments drawn at random"):
        since = time.monotonic()
        leg.play(Wav(path))
        context.pause(trial.SECONDS + ON_DISK_WITHIN_S)
        return trial.judge(spoken, sent, leg.received_since(since))
