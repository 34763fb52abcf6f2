"""The worlds: each a kind of witness, a kind of AI and a fault or none, and what a run that is
honest may say of it.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

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
    captures: tuple[
        str, ...
    ] = ()  #: the points that the customer captures, as the world's settings have them

    @property
    def proves(self) -> bool:
        """Whether the recording is a good one."""
        return self.recording in ("mono", "stereo", "swapped")


#: Files that ask for ``confirmed`` have a transcript: without one, nothing confirms audio, and the
#: plan leaves such rows out.
WITNESSES: Final = (
    Witness("record, packets asked for", "none", "none", "indicated"),
    Witness("record and RTCP", "none", "passed-on", "indicated"),
    Witness("record and a platform's RTCP", "none", "terminated", "indicated"),
    Witness("late words", "after", "none", "confirmed"),
    Witness("late words and RTCP", "after", "passed-on", "confirmed"),
    Witness("words during the call", "during", "none", "confirmed"),
    Witness("words during the call and RTCP", "during", "passed-on", "confirmed"),
    Witness("recording", "none", "none", "proved", "mono"),
    Witness("recording, stereo", "none", "none", "proved", "stereo"),
    Witness("recording, late", "none", "none", "proved", "mono", 2.0),
    Witness("no recording", "none", "none", "proved", "404"),
    Witness("another call's recording", "none", "none", "proved", "another-call"),
    Witness("broken recording", "none", "none", "proved", "broken"),
    Witness("capture at the trunk", "after", "passed-on", "confirmed", captures=("trunk",)),
    Witness("capture at the carrier", "after", "passed-on", "confirmed", captures=("carrier",)),
    Witness(
        "captures at trunk and carrier",
        "after",
        "passed-on",
        "confirmed",
        captures=("trunk", "carrier"),
    ),
)
#: With these a healthy call with any voice is known for more than "indicated".
_KNOWS_VOICES: Final = ("late words", "words during the call", "recording")
#: Only these are tried with the witnesses whose recording differs from the first one's.
FAULTS_OF_AUDIO: Final = (
    "rtp-blocked-to-ai", "rtp-blocked-to-caller", "rtp-one-packet-to-caller", "audio-replayed", "audio-echoed",
)  # fmt: skip


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


LISTENS: Final = Ai("listens and answers", "speech")
#: A recorded greeting of each voice of `tools/ci/programs.py`, and an answer.
VOICES: Final = tuple(
    Ai(f"speaks with {voice.name}", "speech", recorded=_files(voice)) for voice in PROMPTS.values()
)
AIS: Final = (
    LISTENS,
    Ai("deaf, a tone", "tone", hears=False),
    Ai("deaf, speaks without end", "talks-on", hears=False),
    Ai("music", "music"),
    Ai("speaks without end", "talks-on"),
    Ai("silent", "silence"),
    Ai("answering machine", "machine", hears=False),
    Ai("babble of an office", "babble"),
    Ai("silent at first", "speech", silent_s=4.0),
)

#: What falsifies a claim, by row. What only the INVITE at the AI shows (an anonymous From)
#: falsifies nothing that a record claims.
FAULTS: Final[Mapping[str, Sequence[str]]] = {
    INBOUND: (
        "rtp-blocked-to-ai", "rtp-blocked-to-caller", "rtp-blocked-both", "sdp-private-address", "rtp-one-packet-to-caller",
        "g711-one-side", "payload-mismatch", "heavy-loss", "route-wrong-did", "route-missing", "assistant-not-attached",
        "concurrency-exhausted", "no-g711", "codecs-stripped-to-ai", "from-trunk-did", "from-other-number", "audio-replayed",
        "audio-echoed", "voices-too-loud", "high-delay",
    ),
    TRANSFER: (
        "telephone-event-stripped-to-ai", "group-did-wrong", "group-wrong", "trunk-inactive", "refer-rejected",
        "refer-accepted-then-failed", "refer-never-notified", "transfer-no-audio", "ai-leg-left-behind", "group-answered-by-others",
        "caller-id-lost-on-transfer", "agent-audio-stops",
    ),
    "HANGUP-CALLER": ("caller-hangup-not-passed-on",),
    "HANGUP-AGENT": ("agent-hangup-not-passed-on",),
    "XEI": ("x-headers-stripped",),
}  # fmt: skip
LOST: Final = "audio-lost-on-the-way"
DELAY: Final = "high-delay"
#: Faults that lose audio between the two points of capture: the ways of which one at least shows
#: it.
LOST_BETWEEN: Final[Mapping[str, frozenset[str]]] = {
    "rtp-blocked-to-ai": frozenset({"to_ai"}),
    "rtp-blocked-to-caller": frozenset({"to_caller"}),
    "rtp-blocked-both": frozenset({"to_ai", "to_caller"}),
    "rtp-one-packet-to-caller": frozenset({"to_caller"}),
    "sdp-private-address": frozenset({"to_caller"}),
}
#: What diagnosis calls it, where that is not the name of what was made wrong.
ALSO_RIGHT: Final[Mapping[str, frozenset[str]]] = {
    **dict.fromkeys((*LOST_BETWEEN, "payload-mismatch"), frozenset({LOST})),
    "silent": frozenset({"ai-silent"}),
    "silent at first": frozenset({"ai-too-slow"}),
    "voices-too-loud": frozenset({"level-wrong"}),
    "audio-replayed": frozenset({"audio-crossed", LOST}),
    "audio-echoed": frozenset({"echo"}),
    "telephone-event-stripped-to-ai": frozenset({"dtmf-not-negotiated"}),
    "caller-hangup-not-passed-on": frozenset({"hangup-not-passed-on"}),
    "ai-hangup-not-passed-on": frozenset({"hangup-not-passed-on"}),
    "agent-hangup-not-passed-on": frozenset({"hangup-not-passed-on"}),
}


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
        return (
            self.fault is not None
            or not self.ai.hears
            or not self.ai.speaks
            or self.ai.silent_s > 0
        )

    @property
    def allows(self) -> Strength | None:
        """The strength with which both directions can be known where all is well; None where nobody
        can.
        """
        if self.witness.recording is not None:
            return "proved" if self.witness.proves and self.ai.speaks else None
        if self.witness.transcript != "none":
            return (
                "confirmed" if self.ai in (LISTENS, *VOICES) else None
            )  # one that speaks without end does not fit its transcript
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
        return LOST_BETWEEN.get(self.fault or "", frozenset()) if has_both else frozenset()

    @property
    def right_causes(self) -> frozenset[str]:
        """What may be named as certain."""
        named = {self.fault} if self.fault else set()
        return frozenset(named).union(
            *(ALSO_RIGHT.get(wrong, ()) for wrong in (self.ai.name, self.fault or ""))
        )


@dataclass
class Numbered:
    """Gives worlds their numbers."""

    worlds: list[World] = field(default_factory=list)

    def add(self, witness: Witness, ai: Ai, fault: str | None, *rows: str) -> None:
        """One more."""
        self.worlds.append(World(len(self.worlds), witness, ai, fault, rows))


def wrong() -> list[World]:
    """Every fault with every witness, the AI in its best state; every other AI with every witness."""
    made = Numbered()
    for witness in WITNESSES:
        for row, faults in FAULTS.items():
            for fault in faults:
                if fault == DELAY and witness.rtcp == "none":
                    continue  # nothing tells of it
                if (
                    witness.recording is None
                    or witness.name == "recording"
                    or fault in FAULTS_OF_AUDIO
                ):
                    made.add(witness, LISTENS, fault, row)
        for ai in AIS[1:]:
            made.add(witness, ai, None, INBOUND)
            if witness.rtcp != "terminated" and not ai.hears:
                made.add(witness, ai, "rtp-blocked-to-ai", INBOUND)
    return [world for world in made.worlds if not _is_what_was_asked(world)]


def _is_what_was_asked(world: World) -> bool:
    """Where packets that arrive are all that is asked for, a deaf AI that speaks on is as good as
    another; and where its recording proves what it says, any sound is.
    """
    heard_as_asked = world.ai.speaks and world.ai.sends != "machine"  # a machine answers nobody
    if (
        world.ai.sends == "babble" and world.witness.proves
    ):  # the AI's recording has the babble, too
        return True
    return (
        world.witness.asks == "indicated"
        and world.fault is None
        and not world.ai.hears
        and heard_as_asked
    )


def clean(cases: int, witnesses: Sequence[str] = ()) -> Iterator[tuple[Witness, Ai]]:
    """Witnesses and AIs of clean worlds, as often as it takes to come to so many cases of a world
    with 17.
    """
    asked = [witness for witness in WITNESSES if not witnesses or witness.name in witnesses]
    kinds = [(witness, LISTENS) for witness in asked]
    for at in range(-(-cases // 17)):
        yield kinds[at % len(kinds)]


def voiced(witnesses: Sequence[str] = ()) -> Iterator[tuple[Witness, Ai]]:
    """Recorded voices, each with witnesses that know it."""
    for witness in WITNESSES:
        if witness.name in _KNOWS_VOICES and (not witnesses or witness.name in witnesses):
            yield from ((witness, voice) for voice in VOICES)


def worlds(
    sample: int | None,
    cases: int,
    dice: random.Random,
    faults: Sequence[str] = (),
    witnesses: Sequence[str] = (),
) -> list[World]:
    """All worlds, or ``sample`` of the wrong ones, with these ``faults`` and ``witnesses`` if any
    are named; and clean ones for so many cases.
    """
    every = [
        world
        for world in wrong()
        if (not faults or world.fault in faults)
        and (not witnesses or world.witness.name in witnesses)
    ]
    chosen = every if sample is None else dice.sample(every, min(sample, len(every)))
    made = Numbered()
    for world in chosen:
        made.add(world.witness, world.ai, world.fault, *world.rows)
    for witness, ai in clean(cases, witnesses):
        made.add(witness, ai, None, *ROWS)
    for witness, ai in voiced(witnesses):
        made.add(witness, ai, None, INBOUND)
    return made.worlds
