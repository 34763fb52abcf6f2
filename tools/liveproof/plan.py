"""The worlds: each a kind of witness, a kind of AI and a fault or none, and what a run that is
honest may say of it.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from tools import read_toml
from tools.ci.programs import PROMPTS

Strength = Literal["indicated", "confirmed", "proved"]
Transcript = Literal["none", "after", "during"]

INBOUND, TRANSFER = "TD-INBOUND", "TD-TRANSFER-BLIND"
#: The rows of clean worlds; all that a file like this has.
ROWS: Final = (
    INBOUND, TRANSFER, "HANGUP-CALLER", "HANGUP-AGENT", "REINVITE-CODEC", "NUMBERFORMATS", "XEI", "CONCURRENT", "KEEPALIVE",
)  # fmt: skip


@dataclass(frozen=True)
class Witness:
    """What a customer has to see an AI by, beside its calls' records; ``rtcp`` as the world's
    settings have it.
    """

    name: str
    transcript: Transcript
    rtcp: Literal["passed-on", "terminated", "none"]
    asks: Strength  #: what its file asks for
    recording: str | None = (
        None  #: what the API gives as recording, as the world's settings have it; None: the file asks for none
    )
    recording_after_s: float = 0.0
    captures: Sequence[
        str
    ] = ()  #: the points that the customer captures, as the world's settings have them

    @property
    def proves(self) -> bool:
        """Whether the recording is a good one."""
        return self.recording in ("mono", "stereo", "swapped")


#: With these a healthy call with any voice is known for more than "indicated".
_KNOWS_VOICES: Final = ("late words", "words during the call", "recording")


def _files(voice: Path) -> tuple[str, str]:
    return str(voice / "demo-echodone.wav"), str(voice / "please-try-again.wav")


@dataclass(frozen=True)
class Ai:
    """An AI, as the simulated world's settings make it; an answering machine and a deaf one do not
    hear the caller.
    """

    name: str
    sends: str
    hears: bool = True
    silent_s: float = 0.0
    recorded: tuple[str, str] | None = None  #: greeting and answer, as people recorded them

    @property
    def settings(self) -> dict[str, Any]:
        """In the simulated world."""
        recorded = {"recorded": self.recorded} if self.recorded else {}
        own = {"sends": self.sends, "hears": self.hears, "silent_s": self.silent_s}
        if self.silent_s:  # else its first words may be an answer
            own["interruptible"] = False
        return {**own, "replies": False, **recorded}

    @property
    def speaks(self) -> bool:
        """Whether there are words of its own."""
        return self.sends in ("speech", "talks-on", "machine")

    @property
    def is_well(self) -> bool:
        """Whether it hears, and speaks at once."""
        return self.hears and self.speaks and not self.silent_s


_TABLES: Final = read_toml(Path(__file__).with_suffix(".toml"))
WITNESSES: Final = tuple(Witness(**row) for row in _TABLES["witnesses"])
AIS: Final = tuple(Ai(**row) for row in _TABLES["ais"])
LISTENS: Final = AIS[0]
#: A recorded greeting of each voice of `tools/ci/programs.py`, and an answer.
VOICES: Final = tuple(
    Ai(f"speaks with {voice.name}", "speech", recorded=_files(voice)) for voice in PROMPTS.values()
)
FAULTS: Final[Mapping[str, Sequence[str]]] = _TABLES["faults"]
FAULTS_OF_AUDIO: Final[Sequence[str]] = _TABLES["faults_of_audio"]
LOST: Final = "audio-lost-on-the-way"
DELAY: Final = "high-delay"


@dataclass(frozen=True)
class World:
    """One deployment file, and the tenant it describes."""

    number: int
    witness: Witness
    ai: Ai
    fault: str | None
    rows: tuple[str, ...]

    @property
    def name(self) -> str:
        """The deployment's."""
        return f"live-{self.number}"

    @property
    def title(self) -> str:
        """For tables."""
        return f"{self.witness.name} · AI {self.ai.name} · {self.fault or 'no fault'}"

    @property
    def is_false(self) -> bool:
        """Whether something that a passed case would claim is not so."""
        return self.fault is not None or not self.ai.is_well

    @property
    def allows(self) -> Strength | None:
        """The strength with which both directions can be known where all is well; None where nobody
        can.
        """
        if self.witness.recording is not None:
            return "proved" if self.witness.proves and self.ai.speaks else None
        if self.ai not in (LISTENS, *VOICES):
            return None  # nothing tells one that speaks without end from babble
        if self.witness.transcript != "none":
            return "confirmed"
        return "indicated" if self.witness.rtcp == "passed-on" else None

    @property
    def settings(self) -> dict[str, Any]:
        """Of the tenant."""
        return {
            "rtcp": {"reports": self.witness.rtcp},
            "api": {
                "transcript": self.witness.transcript,
                "transcript_after_s": 1.0,
                "witness": False,
                "recording": self.witness.recording or "404",
                "recording_after_s": self.witness.recording_after_s,
            },
            "captures": list(self.witness.captures),
            "assistants": {"*": self.ai.settings},
        }

    @property
    def lost_between(self) -> frozenset[str]:
        """The ways on which audio is lost between the points that its witness captures."""
        has_both = len(self.witness.captures) > 1 and self.ai is LISTENS
        return frozenset(_TABLES["lost_between"].get(self.fault, ()) if has_both else ())

    @property
    def right_causes(self) -> frozenset[str]:
        """What may be named as certain."""
        named = [self.fault] if self.fault else []
        also = [_TABLES["also_right"].get(wrong, ()) for wrong in (self.ai.name, self.fault)]
        return frozenset(named).union(*also)


Kind = tuple[Witness, Ai, str | None, tuple[str, ...]]


def _numbered(kinds: Iterable[Kind]) -> list[World]:
    return [World(number, *kind) for number, kind in enumerate(kinds)]


def wrong() -> list[World]:
    """Every fault with every witness, the AI in its best state; every other AI with every witness."""
    every = _numbered(kind for witness in WITNESSES for kind in _wrong_with(witness))
    return [world for world in every if not _is_what_was_asked(world)]


def _wrong_with(witness: Witness) -> Iterator[Kind]:
    for row, faults in FAULTS.items():
        for fault in faults:
            if fault == DELAY and witness.rtcp == "none":
                continue  # nothing tells of it
            sees_all = witness.recording is None or witness.name == "recording"
            if sees_all or fault in FAULTS_OF_AUDIO:
                yield witness, LISTENS, fault, (row,)
    for ai in AIS[1:]:
        yield witness, ai, None, (INBOUND,)
        if witness.rtcp != "terminated" and not ai.hears:
            yield witness, ai, "rtp-blocked-to-ai", (INBOUND,)


def _is_what_was_asked(world: World) -> bool:
    """Where packets that arrive are all that is asked for, a deaf AI that speaks on is as good as
    another; and where its recording proves what it says, any sound is.
    """
    if world.ai.sends == "babble" and world.witness.proves:
        return True  # the AI's recording has the babble, too
    heard_as_asked = world.ai.speaks and world.ai.sends != "machine"  # a machine answers nobody
    deaf_alone = world.fault is None and not world.ai.hears
    return world.witness.asks == "indicated" and deaf_alone and heard_as_asked


def clean(cases: int) -> Iterator[Kind]:
    """Clean worlds, as often as it takes to come to so many cases of a world with 17."""
    for at in range(-(-cases // 17)):
        yield WITNESSES[at % len(WITNESSES)], LISTENS, None, ROWS


def voiced() -> Iterator[Kind]:
    """Recorded voices, each with witnesses that know it."""
    for witness in WITNESSES:
        if witness.name in _KNOWS_VOICES:
            yield from ((witness, voice, None, (INBOUND,)) for voice in VOICES)


def worlds(sample: int | None, cases: int, dice: random.Random) -> list[World]:
    """All worlds, or ``sample`` of the wrong ones; and clean ones for so many cases."""
    every = wrong()
    chosen = every if sample is None else dice.sample(every, min(sample, len(every)))
    wrong_kinds = ((one.witness, one.ai, one.fault, one.rows) for one in chosen)
    return _numbered([*wrong_kinds, *clean(cases), *voiced()])
