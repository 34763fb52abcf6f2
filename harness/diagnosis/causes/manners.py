"""How a voice agent may behave worse than its deployment allows."""

from __future__ import annotations

from collections.abc import Mapping

from harness.diagnosis.causes import described as at
from harness.diagnosis.causes.described import Described

MANNERS: Mapping[str, Described] = {
    "ai-speaks-late": Described(
        "the AI says nothing for too long after it has answered",
        at.MANNERS_ISSUE,
        "Give the assistant a greeting that it speaks by itself as soon as the call is up, and shorten what it does before that.",
        "AI side",
        at.TROUBLE,
    ),
    "ai-answers-late": Described(
        "the AI takes too long to answer what the caller says",
        at.MANNERS_ISSUE,
        "Shorten how long the assistant waits for the end of a sentence, and what it looks up before it speaks; or have it say at once "
        "that it is looking.",
        "AI side",
        at.TROUBLE,
    ),
    "silence-in-transfer": Described(
        "nobody is heard for too long while the AI hands over",
        at.MANNERS_ISSUE,
        "Have the AI announce the transfer, and {platform} play ringback or music until somebody of the group answers.",
        "platform routing",
        at.BACK,
    ),
    "caller-not-told": Described(
        "a caller whose transfer finds nobody is released without a word",
        at.TRANSFER_ISSUE,
        "Have the assistant say that nobody is available before it hangs up, or {platform} play an announcement; where callers are to "
        'stay with the AI, say transfer_unavailable = "returns" in [expect].',
        "AI side",
        at.BACK,
    ),
    "ai-not-interruptible": Described(
        "the AI does not stop when the caller speaks over it",
        at.MANNERS_ISSUE,
        "Allow the caller to interrupt the assistant (barge-in), for its greeting too, and make it more sensitive to speech.",
        "AI side",
        at.TROUBLE,
    ),
}
