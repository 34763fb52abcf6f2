"""What an observation is worth: how strongly it says that one end hears the other, or that it says nothing of it.

The one place that decides it; ``docs/evidence.md`` has the same table for readers.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from harness.verdict import Strength


class Observation(StrEnum):
    """Something that was seen of one direction of a conversation."""

    MARK = "the speaker's mark was decoded at the listener, by us or by a far end that names marks"
    WORDS = "the listener's transcript has the speaker's words, or the speaker's has its own"
    DIGIT = "the listener acted on a digit that the speaker sent as telephone-event"
    RTCP = "the listener's RTCP reports count the speaker's packets"
    SOUND = "sound arrived at the listener that nothing tells from another's"
    REACTION = "the listener fell silent, or began to speak, once, when it was spoken to"
    SENT = "the speaker sent RTP packets"


#: ``UNKNOWN``: it says nothing. One change from sound to silence happens by itself in every talk, and what was sent may be lost.
STRENGTH: Mapping[Observation, Strength] = {
    Observation.MARK: Strength.PROVED,
    Observation.WORDS: Strength.CONFIRMED,
    Observation.DIGIT: Strength.CONFIRMED,
    Observation.RTCP: Strength.INDICATED,
    Observation.SOUND: Strength.INDICATED,
    Observation.REACTION: Strength.UNKNOWN,
    Observation.SENT: Strength.UNKNOWN,
}
