"""Why a voice agent behaves worse than its deployment allows: late, silent, or deaf to the caller."""

from __future__ import annotations

from harness.diagnosis.audio import NO_VOICE
from harness.diagnosis.cells import cells
from harness.diagnosis.conditions import not_shown, when
from harness.diagnosis.rule import Rule

_LATE = ("late", "never")
#: What takes long on the way is not the agent's own time.
_NO_DELAY = not_shown("delay", "high")

#: None is certain: what the recordings show may also come of a network that swallows the beginning or the end of a sound.
MANNERS: tuple[Rule, ...] = (
    Rule(
        id="manners.dead_air",
        cause="ai-speaks-late",
        symptoms=("manners",),
        cells=cells("timing", "AI"),
        essential=(when("manners.dead_air", *_LATE),),
        conditions=(_NO_DELAY,),
        because="the call was answered, and the AI's first word came later than the deployment allows",
        confidence="likely",
    ),
    Rule(
        id="manners.answer",
        cause="ai-answers-late",
        symptoms=("manners",),
        cells=cells("timing", "AI"),
        essential=(when("manners.answer", *_LATE),),
        conditions=(_NO_DELAY,),
        because="the caller had finished, and the AI's answer came later than the deployment allows",
        confidence="likely",
    ),
    Rule(
        id="manners.transfer",
        cause="silence-in-transfer",
        symptoms=("manners",),
        cells=cells("timing", "REFER", "AI's call"),
        essential=(when("manners.transfer", *_LATE),),
        conditions=(_NO_DELAY,),
        because="after the AI's last sound nobody was heard for longer than the deployment allows",
        confidence="likely",
    ),
    Rule(
        id="transfer.untold",
        cause="caller-not-told",
        symptoms=("manners",),
        cells=cells("release", "AI"),
        essential=(when("caller.told", False),),
        conditions=(not_shown("audio.to_caller", *NO_VOICE, "crossed"),),
        because="the transfer found nobody, and the caller's call ended without a word behind it",
        confidence="likely",
    ),
    Rule(
        id="manners.interruption",
        cause="ai-not-interruptible",
        symptoms=("manners",),
        essential=(when("manners.interruption", *_LATE),),
        conditions=(_NO_DELAY, not_shown("audio.to_ai", *NO_VOICE, "crossed")),
        because="the caller spoke while the AI did, nothing shows that the AI could not hear it, and the AI went on",
        confidence="likely",
    ),
)
