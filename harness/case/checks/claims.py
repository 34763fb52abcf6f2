"""How strongly each observation proves each claim. ``docs/evidence.md`` has the same tables for
readers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from harness.case.verdict import Strength


class Claim(StrEnum):
    """A statement about a call that a finding may make."""

    HEARD = "the listener hears the speaker"
    CALLER_SHOWN = "the AI was shown the caller's number"
    ADDRESSED = "the call was addressed to the assistant's number"
    TRANSFERRED = "the transfer was made"
    RELEASED = "the AI was released from the call"
    CARRIED = "the call came over this transport, with this codec"


class Observation(StrEnum):
    """A kind of evidence about a call. The names are stable: evidence on disk has them
    (``Direction.observation``).
    """

    MARK = "the speaker's mark was decoded at the listener, by us or by a far end that names marks"
    RECORDING = (
        "the AI's recording of the call has the caller's mark, or the voice that the caller heard"
    )
    WORDS = "the listener's transcript has the speaker's words, or the speaker's has its own"
    DIGIT = "the listener acted on a digit that the speaker sent as telephone-event"
    RTCP = "the listener's RTCP reports count the speaker's packets"
    HOP_RTCP = "the RTCP reports of a platform that ends RTCP itself count the speaker's packets"
    SOUND = "speech arrived at the listener that nothing tells from another's"
    OTHER_SOUND = "sound arrived at the listener that is no speech, or speech that does not fit the conversation"
    SENT = "the speaker sent RTP packets"
    MESSAGE = "the SIP message itself, at a harness phone or shown by the far end"
    RANG = "a harness phone rang, and answered"
    RECORD = "the AI's record says so"
    REPORT = "the platform's report says so"
    DECLARED = "the deployment file says so"


#: ``UNKNOWN`` proves nothing: sent packets may be lost.
_HEARD = {
    Observation.MARK: Strength.PROVED,
    Observation.RECORDING: Strength.PROVED,
    Observation.WORDS: Strength.CONFIRMED,
    Observation.DIGIT: Strength.CONFIRMED,
    Observation.RTCP: Strength.INDICATED,
    Observation.SOUND: Strength.INDICATED,
    Observation.HOP_RTCP: Strength.UNKNOWN,
    Observation.OTHER_SOUND: Strength.UNKNOWN,
    Observation.SENT: Strength.UNKNOWN,
    Observation.RECORD: Strength.UNKNOWN,  # an answering machine's call is recorded as answered too
}
#: Facts other than sound: a SIP message shows them, a record reports them, a declaration alone
#: proves nothing.
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
        Claim.CARRIED: {
            Observation.MESSAGE: Strength.PROVED,
            Observation.DECLARED: Strength.UNKNOWN,
        },
    }
)


@dataclass(frozen=True, slots=True)
class Denial:
    """Contrary evidence: a source that should have the fact, and does not.

    A source that has never been seen to have such facts denies nothing.
    """

    observation: Observation
    evidence: str

    @property
    def strength(self) -> Strength:
        """How strongly the absence denies the claim: as strongly as the presence would prove it."""
        return STRENGTH[Claim.HEARD][self.observation]
