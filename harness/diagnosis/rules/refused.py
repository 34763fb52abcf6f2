"""Why an AI that a call got to refuses it: codec, encryption, credentials, its own limit."""

from __future__ import annotations

from harness.diagnosis.cells import cells
from harness.diagnosis.conditions import not_shown, unless, when
from harness.diagnosis.legs import MALFORMED
from harness.diagnosis.refusals import (
    BUSY,
    CHANNELS,
    CONCURRENCY,
    NOBODY_THERE,
    NUMBER,
    OF_THE_MEDIA,
    ROUTE,
    THE_CODEC,
    THE_ENCRYPTION,
)
from harness.diagnosis.rule import Rule, Symptom

#: A call that is not taken leaves everything after it undone.
ALL_LATER: tuple[Symptom, ...] = (
    "route",
    "codec",
    "audio",
    "quality",
    "caller_id.ai",
    "caller_id.withheld",
    "header.caller",
    "header.selector",
    "transfer",
    "release",
    "final",
    "digits",
    "other",
)

#: Said of a number that nobody has (RFC 3261 sections 21.4.5, 21.4.11 and 21.6.3).
NOBODYS = (404, 410, 604)

#: The call got to the AI, which did not take it.
REFUSED_BY_AI = when("ai.saw", "refused")

_TOLD = (when("caller.end", "refused"), when("final.code", *OF_THE_MEDIA))
#: Who refuses for anything else, and a platform that got to nobody, has no objection to the media.
NOT_FOR_MEDIA = not_shown("final.code", *OF_THE_MEDIA)

#: What an AI's refusal may be about, each with a rule of its own.
_TOLD_ELSEWHERE = (
    *("the user name", "the password", "the transport", "the assistant"),
    *(CONCURRENCY, NUMBER, ROUTE, CHANNELS),
)

#: The caller was told what for, whether or not anybody saw the call at the AI.
TOLD: tuple[Rule, ...] = (
    Rule(
        id="reach.no-g711.told",
        cause="no-g711",
        symptoms=("reach", "codec", "final"),
        cells=cells("codec", "AI"),
        essential=_TOLD,
        conditions=(
            when("ai.offer", "no G.711", "no audio"),
            not_shown("caller.offer", "no G.711"),
            not_shown("final.refusal", THE_ENCRYPTION),
        ),
        consequences=(*ALL_LATER, "fallback"),
        because="the caller was refused for the media of the call, and the offer to the AI has no G.711",
    ),
    Rule(
        id="reach.srtp.told",
        cause="srtp-mismatch",
        symptoms=("reach", "codec", "final"),
        cells=cells("codec", "AI"),
        essential=_TOLD,
        conditions=(
            when("ai.offer", "SRTP alone"),
            not_shown("caller.offer", "SRTP alone"),
            not_shown("final.refusal", THE_CODEC),
        ),
        consequences=(*ALL_LATER, "fallback"),
        because="the caller was refused for the media of the call, and the offer to the AI has nothing but SRTP",
    ),
    Rule(
        id="reach.nobody-there",
        cause="route-missing",
        symptoms=("reach",),
        # What is said of people who are not there or busy, and no fallback would have asked for any.
        essential=(
            when("caller.end", "refused"),
            when("final.code", *NOBODY_THERE),
            when("fallback.configured", False),
        ),
        conditions=(
            when("ai.saw", "nothing"),
            when("instead", "nobody"),
            when("platform.did", "it rang its own agents and tried no trunk"),
        ),
        consequences=(*ALL_LATER, "fallback"),
        because="the caller was told that nobody is there, and without a SIP transfer a number leads to the platform's own people",
        confidence="likely",
    ),
)

REFUSED: tuple[Rule, ...] = (
    Rule(
        id="reach.concurrency",
        cause="concurrency-exhausted",
        symptoms=("reach", "final"),
        cells=cells("limit", "AI"),
        conditions=(REFUSED_BY_AI, when("ai.code", 429), not_shown("ai.refusal", CONCURRENCY), NOT_FOR_MEDIA),
        consequences=ALL_LATER,
        # In SIP it is what a referrer's identity is asked for with (RFC 3892 section 5).
        favours=(when("final.code", 429, *BUSY),),
        because="Synthflow answered 429, its status for too many calls at once, or in too short a time, and not which",
        confidence="likely",
    ),
    Rule(
        id="reach.concurrency.busy",
        cause="concurrency-exhausted",
        symptoms=("reach", "final"),
        essential=(REFUSED_BY_AI, when("ai.code", *BUSY)),
        conditions=(not_shown("ai.refusal", CONCURRENCY, *_TOLD_ELSEWHERE),),
        consequences=ALL_LATER,
        because="Synthflow answered as who has calls enough (RFC 3261 sections 21.4.24 and 21.6.1)",
        confidence="likely",
    ),
    Rule(
        id="reach.no-g711",
        cause="no-g711",
        symptoms=("reach", "codec", "final"),
        cells=cells("codec", "AI"),
        conditions=(
            REFUSED_BY_AI,
            when("ai.code", *OF_THE_MEDIA),
            when("ai.offer", "no G.711", "no audio"),
            not_shown("caller.offer", "no G.711"),
        ),
        consequences=ALL_LATER,
        because="the offer has no G.711, and the AI refused its media (415, 488, 606)",
    ),
    Rule(
        id="reach.srtp",
        cause="srtp-mismatch",
        symptoms=("reach", "codec", "final"),
        cells=cells("codec", "AI"),
        conditions=(REFUSED_BY_AI, when("ai.code", *OF_THE_MEDIA), when("ai.offer", "SRTP alone")),
        consequences=ALL_LATER,
        because="the offer has nothing but SRTP, and the AI refused its media (415, 488, 606)",
    ),
    Rule(
        id="reach.no-g711.recorded",
        cause="no-g711",
        symptoms=("reach",),
        cells=cells("codec", "AI"),
        essential=(REFUSED_BY_AI, when("ai.refusal", THE_CODEC)),
        conditions=(not_shown("ai.offer", "G.711", "SRTP alone"), not_shown("caller.offer", "no G.711")),
        consequences=ALL_LATER,
        because="the call got there, and the AI's record says that it was refused for its codecs: it speaks G.711",
        confidence="likely",
    ),
    Rule(
        id="reach.srtp.recorded",
        cause="srtp-mismatch",
        symptoms=("reach",),
        cells=cells("codec", "AI"),
        essential=(REFUSED_BY_AI, when("ai.refusal", THE_ENCRYPTION)),
        conditions=(not_shown("ai.offer", "G.711", "no G.711", "no audio"), not_shown("caller.offer", "SRTP alone")),
        consequences=ALL_LATER,
        because="the call got there, and the AI's record says that it was refused for the encryption of its media",
        confidence="likely",
    ),
    Rule(
        id="fallback.no-g711",
        cause="no-g711",
        symptoms=("fallback",),
        cells=cells("codec", "AI"),
        essential=(REFUSED_BY_AI, when("ai.code", *OF_THE_MEDIA), when("ai.offer", "no G.711", "no audio")),
        conditions=(not_shown("caller.offer", "no G.711"),),
        consequences=ALL_LATER,
        because="the AI refused an offer without G.711, and no fallback came of it",
    ),
    Rule(
        id="fallback.srtp",
        cause="srtp-mismatch",
        symptoms=("fallback",),
        cells=cells("codec", "AI"),
        essential=(REFUSED_BY_AI, when("ai.code", *OF_THE_MEDIA), when("ai.offer", "SRTP alone")),
        conditions=(),
        consequences=ALL_LATER,
        because="the AI refused an offer of SRTP alone, and no fallback came of it",
    ),
    Rule(
        id="reach.user",
        cause="trunk-username-wrong",
        symptoms=("reach",),
        cells=cells("credentials", "AI"),
        essential=(when("authentication", "digest"),),
        conditions=(REFUSED_BY_AI, when("ai.challenge", "credentials refused"), when("ai.refusal", "the user name")),
        consequences=ALL_LATER,
        because="the AI refused the credentials that the platform showed, and says that it does not know the user",
    ),
    Rule(
        id="reach.password",
        cause="trunk-password-wrong",
        symptoms=("reach",),
        cells=cells("credentials", "AI"),
        essential=(when("authentication", "digest"),),
        conditions=(REFUSED_BY_AI, when("ai.challenge", "credentials refused"), when("ai.refusal", "the password")),
        consequences=ALL_LATER,
        because="the AI refused the credentials that the platform showed, and says that the password is wrong",
    ),
    Rule(
        id="reach.no-credentials",
        cause="credentials-not-sent",
        symptoms=("reach",),
        cells=cells("credentials", "AI"),
        conditions=(
            REFUSED_BY_AI,
            when("ai.challenge", "not answered"),
            not_shown("ai.trunk", "another"),
            NOT_FOR_MEDIA,
        ),
        consequences=ALL_LATER,
        favours=(when("final.code", 401, 403, 407),),
        because="the AI challenged the call, and the platform never showed credentials",
    ),
    Rule(
        id="reach.refused",
        cause="ai-refuses",
        symptoms=("reach",),
        essential=(REFUSED_BY_AI,),
        conditions=(
            unless("ai.code", *NOBODYS, *BUSY, 429, *OF_THE_MEDIA),
            not_shown("refusal.ai", MALFORMED),
            not_shown("ai.challenge", "credentials refused", "not answered"),
            not_shown("ai.refusal", "the transport", CONCURRENCY, "the assistant", ROUTE, CHANNELS),
        ),
        consequences=ALL_LATER,
        because="the call got there and was refused for a reason that no other rule knows",
        confidence="likely",
    ),
    Rule(
        id="reach.refused.known",
        cause="ai-refuses",
        symptoms=("reach",),
        essential=(
            REFUSED_BY_AI,
            when("ai.challenge", "credentials refused"),
            unless("ai.refusal", *_TOLD_ELSEWHERE),
        ),
        conditions=(unless("ai.code", *NOBODYS, *BUSY, 429, *OF_THE_MEDIA), not_shown("refusal.ai", MALFORMED)),
        consequences=ALL_LATER,
        because="the AI was shown credentials, and says that it refuses the call for something else",
        confidence="likely",
    ),
    Rule(
        id="reach.refused.transport",
        cause="ai-refuses",
        symptoms=("reach",),
        # Where the address decides on the transport, what it lacks is told.
        essential=(REFUSED_BY_AI, when("ai.refusal", "the transport"), unless("integration", "gladly")),
        conditions=(),
        consequences=ALL_LATER,
        because="the call got there, and the AI's side says that it takes calls over another transport",
        confidence="likely",
    ),
    Rule(
        id="reach.refused.media",
        cause="ai-refuses",
        symptoms=("reach",),
        essential=(REFUSED_BY_AI, when("ai.code", *OF_THE_MEDIA)),
        conditions=(when("ai.offer", "G.711"),),
        consequences=ALL_LATER,
        because="the offer has G.711, as agreed, and the AI refused its media all the same (415, 488, 606)",
        confidence="likely",
    ),
    Rule(
        id="reach.caller-media.answered",
        cause="caller-media-refused",
        symptoms=("reach",),
        essential=(when("ai.saw", "answered"), when("caller.end", "refused"), when("final.code", *OF_THE_MEDIA)),
        conditions=(),
        consequences=(*ALL_LATER, "fallback"),
        because="the AI answered, and the caller was refused for the media of its own call",
        confidence="likely",
    ),
)
