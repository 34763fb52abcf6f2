"""What an observation is worth: how strongly it says that a claim is true, or that it says nothing of it.

The one place that decides it; ``docs/evidence.md`` has the same tables for readers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from harness.calls.verdict import Strength


class Claim(StrEnum):
    """What a finding may say of a call."""

    HEARD = "the listener hears the speaker"
    CALLER_SHOWN = "the AI was shown the caller's number"
    ADDRESSED = "the call was addressed to the assistant's number"
    TRANSFERRED = "the transfer was made"
    RELEASED = "the AI was released from the call"
    CARRIED = "the call came over this transport, with this codec"


class Observation(StrEnum):
    """Something that was seen of a call. The names are stable: findings go by them (``Direction.observation``)."""

    MARK = "the speaker's mark was decoded at the listener, by us or by a far end that names marks"
    WORDS = "the listener's transcript has the speaker's words, or the speaker's has its own"
    DIGIT = "the listener acted on a digit that the speaker sent as telephone-event"
    EXPERIMENT = "the listener reacted each time it was spoken to, at moments drawn at random, and not at others"
    RTCP = "the listener's RTCP reports count the speaker's packets"
    HOP_RTCP = "the RTCP reports of a platform that ends RTCP itself count the speaker's packets"
    SOUND = "sound arrived at the listener that nothing tells from another's"
    REACTION = "the listener fell silent, or began to speak, once, when it was spoken to"
    SENT = "the speaker sent RTP packets"
    MESSAGE = "the SIP message itself, at a phone of ours or shown by the far end"
    RANG = "a phone of ours rang, and answered"
    RECORD = "the AI's record says so"
    REPORT = "the platform's report says so"
    DECLARED = "the deployment file says so"


#: ``UNKNOWN``: it says nothing. One change from sound to silence happens by itself in every talk, and what was sent may be lost.
_HEARD = {
    Observation.MARK: Strength.PROVED,
    Observation.WORDS: Strength.CONFIRMED,
    Observation.DIGIT: Strength.CONFIRMED,
    Observation.EXPERIMENT: Strength.CONFIRMED,
    Observation.RTCP: Strength.INDICATED,
    Observation.SOUND: Strength.INDICATED,
    Observation.HOP_RTCP: Strength.UNKNOWN,
    Observation.REACTION: Strength.UNKNOWN,
    Observation.SENT: Strength.UNKNOWN,
    Observation.RECORD: Strength.UNKNOWN,  # that it was answered, an answering machine's says as well
}
#: What is no sound is seen in a message or told by somebody; what is declared was not seen at all.
_TOLD = {
    Observation.MESSAGE: Strength.PROVED,
    Observation.RECORD: Strength.CONFIRMED,
    Observation.DECLARED: Strength.UNKNOWN,
}
STRENGTH: Mapping[Claim, Mapping[Observation, Strength]] = MappingProxyType(
    {
        Claim.HEARD: _HEARD,
        Claim.CALLER_SHOWN: _TOLD,
        Claim.ADDRESSED: _TOLD,
        Claim.TRANSFERRED: {
            Observation.RANG: Strength.PROVED,
            Observation.RECORD: Strength.CONFIRMED,
            Observation.REPORT: Strength.CONFIRMED,
        },
        Claim.RELEASED: _TOLD,
        Claim.CARRIED: {Observation.MESSAGE: Strength.PROVED, Observation.DECLARED: Strength.UNKNOWN},
    }
)


@dataclass(frozen=True, slots=True)
class Denial:
    """Something that speaks against a claim: a source that can tell, and does not have what it should.

    A source that was never seen to have the thing denies nothing by not having it.
    """

    observation: Observation
    evidence: str

    @property
    def strength(self) -> Strength:
        """How strongly it speaks against it: as strongly as its presence would speak for it."""
        return STRENGTH[Claim.HEARD][self.observation]
