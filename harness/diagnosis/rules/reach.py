"""Why a call does not reach the AI, or reaches another than it should."""

from __future__ import annotations

from dataclasses import replace

from harness.diagnosis.ai_side import NO_CALL_CAME
from harness.diagnosis.answering import PLATFORM, UNSEEN
from harness.diagnosis.caller_end import DROPPED
from harness.diagnosis.cells import cells
from harness.diagnosis.conditions import not_shown, unless, when
from harness.diagnosis.messages import CHALLENGES
from harness.diagnosis.refusals import (
    ABOUT,
    BUSY,
    IN_A_CIRCLE,
    NO_SUCH_NUMBER,
    NOT_CARRIED,
    NUMBER,
    OF_A_SERVER,
    OF_THE_MEDIA,
    REDIRECTED,
    ROUTE,
    THE_CODEC,
    THE_ENCRYPTION,
)
from harness.diagnosis.rule import Confidence, Rule
from harness.diagnosis.rules.callers import CALLERS
from harness.diagnosis.rules.firewalls import BETWEEN, FIREWALLS, NOBODY_INSTEAD, NOTHING, OPEN_TO_US, UNREACHED
from harness.diagnosis.rules.refused import ALL_LATER, NOBODYS, NOT_FOR_MEDIA, REFUSED, REFUSED_BY_AI, TOLD
from harness.diagnosis.rules.ringing import ANSWERS_ARRIVE, RINGING

NOT_THE_LINES = ("another assistant's", "nobody's", "the line's, in another form")
_TAKEN = unless("ai.saw", "nothing", "refused", "rang")
_CERTIFICATES: tuple[tuple[str, str, Confidence], ...] = (
    ("expired", "the certificate its port shows has expired", "certain"),
    ("wrong name", "the certificate its port shows is for another name", "certain"),
    # the platform may trust others
    ("untrusted", "no authority that this machine trusts has signed the certificate its port shows", "likely"),
)

_NUMBER_FORM = Rule(
    id="reach.number-form",
    cause="request-uri-form",
    symptoms=("route",),
    cells=cells("number", "AI"),
    essential=(when("ai.did", "the line's, in another form"),),
    conditions=(),
    consequences=ALL_LATER,
    because="the AI was asked for the line's number, written in another form than E.164",
)

REACH: tuple[Rule, ...] = (
    *TOLD,
    Rule(
        id="reach.another-assistant",
        cause="route-wrong-did",
        symptoms=("reach", "route"),
        cells=cells("number", "AI"),
        conditions=(when("ai.did", "another assistant's"), _TAKEN, NOT_FOR_MEDIA),
        consequences=("transfer", "audio", "release", "header.caller", "header.selector"),
        because="the AI was asked for another assistant's number than the line's",
    ),
    Rule(
        id="reach.another-trunk",
        cause="route-wrong-trunk",
        symptoms=("reach", "route"),
        conditions=(unless("ai.saw", "nothing"), when("ai.trunk", "another")),
        because="the call reached the AI from another trunk of the platform than the line's",
    ),
    Rule(
        id="reach.another-transport",
        cause="route-wrong-trunk",
        symptoms=("reach", "route"),
        essential=(unless("integration", "gladly"),),
        conditions=(when("ai.transport", "another"), not_shown("ai.trunk", "the right one", "another"), _TAKEN),
        because="the call reached the AI over another transport than its trunk's",
        confidence="likely",
    ),
    Rule(
        id="reach.not-attached",
        cause="assistant-not-attached",
        symptoms=("reach", "final"),
        conditions=(
            REFUSED_BY_AI,
            when("ai.code", *NOBODYS),
            not_shown("ai.did", *NOT_THE_LINES),
            not_shown("ai.refusal", ROUTE),
            NOT_FOR_MEDIA,
        ),
        consequences=ALL_LATER,
        favours=(when("final.code", *NO_SUCH_NUMBER),),
        because="the call got there with the right number, and Synthflow answered 404, not saying why, as for a number without "
        "assistant; a server of its own that cannot route the call answers so, too",
        confidence="likely",
    ),
    Rule(
        id="reach.nobodys-number",
        cause="route-wrong-did",
        symptoms=("reach", "final"),
        cells=cells("number", "AI"),
        conditions=(
            REFUSED_BY_AI,
            when("ai.code", *NOBODYS),
            when("ai.did", "another assistant's", "nobody's"),
            NOT_FOR_MEDIA,
        ),
        consequences=ALL_LATER,
        favours=(when("final.code", *NO_SUCH_NUMBER),),
        because="the call got there with a number that is not the line's assistant's, and Synthflow answered 404",
    ),
    _NUMBER_FORM,
    replace(
        _NUMBER_FORM,
        id="reach.number-form.refused",
        symptoms=("reach", "final"),
        # Who says what else a refusal is for does not object to the number.
        conditions=(
            not_shown("ai.code", *CHALLENGES, 403, 429, *BUSY, *OF_THE_MEDIA, *OF_A_SERVER, 503),
            not_shown("ai.refusal", *(what for what in ABOUT if what not in (NUMBER, "the assistant"))),
        ),
    ),
    Rule(
        id="reach.nobodys-number.answered",
        cause="route-wrong-did",
        symptoms=("reach", "route"),
        cells=cells("number", "AI"),
        essential=(when("ai.did", "nobody's"), when("ai.saw", "answered")),
        conditions=(),
        consequences=("transfer", "audio", "release", "header.caller", "header.selector"),
        because="the AI was asked for a number that is no assistant's",
    ),
    *REFUSED,
    Rule(
        id="reach.answered-first",
        cause="platform-answers-first",
        symptoms=("answered.first",),
        cells=cells("timing", "caller"),
        essential=(when("answered.first", PLATFORM),),
        conditions=(),
        consequences=(
            "reach",
            "final",
            "fallback.time",
        ),  # what it plays first lies between the INVITE and the ring timeout
        because="the caller was answered while nobody whom the platform had called had",
    ),
    Rule(
        id="reach.answered-first.unseen",
        cause="platform-answers-first",
        symptoms=("reach", "final"),
        cells=cells("timing", "caller"),
        essential=(when("answered.first", UNSEEN),),
        conditions=(when("ai.saw", "rang", "refused"),),
        consequences=(),
        confidence="likely",  # where the AI is seen, and whoever takes over for it is not
        because="the caller was answered, and nobody who was seen had answered",
    ),
    Rule(
        id="reach.answered-first.unseen.early",
        cause="platform-answers-first",
        symptoms=("other",),  # no reliable provisional response came, or no early media
        cells=cells("timing", "caller"),
        essential=(when("answered.first", UNSEEN), when("ai.saw", "rang", "refused")),
        conditions=(),
        consequences=(),
        confidence="likely",
        because="the caller was answered before anything else came, and nobody who was seen had answered",
    ),
    *RINGING,
    Rule(
        id="reach.answer.kept",
        cause="answer-not-passed-on",
        symptoms=("reach",),
        cells=cells("timing", "caller"),
        essential=(when("ai.saw", "answered"), when("caller.end", "still ringing")),
        conditions=(ANSWERS_ARRIVE, not_shown("prack.lost", True)),
        consequences=ALL_LATER,
        because="the AI answered, and as long as the case went on the caller was not told so",
    ),
    Rule(
        id="reach.answer.refused",
        cause="answer-not-passed-on",
        symptoms=("reach",),
        essential=(when("ai.saw", "answered"), when("caller.end", "refused")),
        conditions=(ANSWERS_ARRIVE, not_shown("final.code", *OF_THE_MEDIA)),
        consequences=(*ALL_LATER, "fallback"),
        because="the AI answered, and the caller was refused all the same",
    ),
    *(
        Rule(
            id=f"reach.certificate.{shown.removeprefix('wrong ')}",
            cause=f"certificate-{shown.replace(' ', '-')}",
            symptoms=("reach",),
            essential=(when("transport", "tls"),),
            conditions=(NOTHING, when("probe.certificate", shown)),
            consequences=ALL_LATER,
            because=f"nothing reached the AI over TLS, and {said}",
            confidence=sure,
        )
        for shown, said, sure in _CERTIFICATES
    ),
    *FIREWALLS,
    Rule(
        id="reach.turned-away",
        cause="platform-refuses-caller",
        symptoms=("reach",),
        essential=(
            when("caller.end", "refused"),
            unless("final.code", 401, 407, *NO_SUCH_NUMBER, *OF_THE_MEDIA, *REDIRECTED),
        ),
        conditions=(
            NOTHING,
            when("instead", "nobody"),
            not_shown("final.refusal", "the connection", "no such trunk"),  # it tried to go on with the call
            when("platform.did", "it turned the caller away"),
        ),
        consequences=("fallback", "final"),
        favours=(when("final.code", 403, 603),),
        because="the caller was refused, and nothing shows that the AI or anybody else was tried",
    ),
    Rule(
        id="reach.own-agents",
        cause="route-missing",
        symptoms=("reach",),
        conditions=(
            *OPEN_TO_US,
            unless("instead", "nobody"),
            when("instead.when", "at once"),
            when("platform.did", "it rang its own agents and tried no trunk"),
        ),
        consequences=ALL_LATER,
        favours=(when("instead", "the fallback group", "another group", "an agent"),),
        because="the platform's agents rang at once, and nothing shows that the AI was tried",
        confidence="likely",
    ),
    Rule(
        id="reach.own-agents.unasked",
        cause="route-missing",
        symptoms=("reach",),
        essential=(when("fallback.configured", False),),
        conditions=(
            *OPEN_TO_US,
            unless("instead", "nobody"),
            when("instead.when", "at once"),
        ),
        consequences=ALL_LATER,
        because="the platform's agents rang at once, though the number has no fallback that would ring them for want of the AI",
        confidence="likely",
    ),
    Rule(
        id="reach.no-such-trunk",
        cause="route-wrong-trunk",
        symptoms=("reach",),
        essential=(when("caller.end", "refused"), when("final.refusal", "no such trunk")),
        conditions=(not_shown("ai.saw", "answered", "another assistant answered", "refused", "rang"),),
        consequences=(*ALL_LATER, "fallback"),
        because="the caller was refused, and told that the platform knows no such trunk",
        confidence="likely",
    ),
    Rule(
        id="reach.wrong-port",
        cause="trunk-transport-mismatch",
        symptoms=("reach",),
        conditions=(
            *OPEN_TO_US,
            UNREACHED,
            when("platform.did", "it tried the AI's other port"),
        ),
        consequences=ALL_LATER,
        favours=(when("final.code", *OF_A_SERVER),),
        because="the AI's port answers us and got nothing, as when the trunk's port does not belong to its transport",
        confidence="likely",
    ),
    Rule(
        id="reach.trunk-elsewhere",
        cause="route-wrong-trunk",
        symptoms=("reach",),
        conditions=(
            *OPEN_TO_US,
            NOT_FOR_MEDIA,
            when("platform.did", "it used another trunk"),
        ),
        consequences=ALL_LATER,
        because="the AI's port answers us and got nothing, as when the call leaves by a trunk that leads elsewhere",
        confidence="likely",
    ),
    Rule(
        id="reach.unknown-number",
        cause="number-unknown-at-platform",
        symptoms=("reach",),
        cells=cells("number", "caller"),
        essential=(when("caller.end", "refused"), when("final.code", *NO_SUCH_NUMBER)),
        conditions=(
            NOTHING,
            NOBODY_INSTEAD,
            not_shown("dialled.form", "another form"),
            not_shown("final.refusal", *NOT_CARRIED),
        ),
        consequences=("fallback", "final"),
        favours=(when("final.code", *NO_SUCH_NUMBER),),
        because="the platform itself answered as for a number it does not know, and tried neither the AI nor anybody else; a number "
        "without a route looks so, too",
        confidence="likely",
    ),
    Rule(
        id="reach.form",
        cause="number-form-refused",
        symptoms=("reach", "final"),
        cells=cells("number", "caller"),
        essential=(
            when("caller.end", "refused"),
            when("final.code", *NO_SUCH_NUMBER),
            when("dialled.form", "another form"),
        ),
        conditions=(
            NOTHING,
            NOBODY_INSTEAD,
            not_shown("again.form", "taken", "refused"),
        ),
        consequences=("fallback", "final"),
        because="the number was not dialled in E.164, and the platform answered that it does not know it",
        confidence="likely",
    ),
    Rule(
        id="reach.form.again",
        cause="number-form-refused",
        symptoms=("reach", "final"),
        cells=cells("number", "caller"),
        essential=(
            when("caller.end", "refused"),
            when("dialled.form", "another form"),
            when("again.form", "taken"),
        ),
        conditions=(),
        consequences=("fallback", "final"),
        because="the number was refused as it was dialled, and a second call to it in E.164 was taken",
    ),
    Rule(
        id="reach.unknown-number.again",
        cause="number-unknown-at-platform",
        symptoms=("reach", "final"),
        cells=cells("number", "caller"),
        essential=(
            when("caller.end", "refused"),
            when("final.code", *NO_SUCH_NUMBER),
            when("dialled.form", "another form"),
            when("again.form", "refused"),
        ),
        conditions=(),
        consequences=("fallback", "final"),
        because="the number was refused as it was dialled, and a second call to it in E.164 was refused as well",
        confidence="likely",
    ),
    Rule(
        id="reach.codec.again",
        cause="codec-not-taken",
        symptoms=("reach", "codec", "final"),
        cells=cells("codec", "caller"),
        essential=(when("caller.end", "refused"), when("again.codec", "taken")),
        conditions=(),
        consequences=("fallback", "final", "audio", "other"),
        because="the call was refused, and a second one to the same number with the other G.711 law alone was taken",
        confidence="likely",
    ),
    Rule(
        id="reach.circle",
        cause="routed-in-a-circle",
        symptoms=("reach", "final"),
        essential=(when("caller.end", "refused"), when("final.code", *IN_A_CIRCLE)),
        conditions=(not_shown("ai.saw", "refused", "rang", "answered", "another assistant answered"),),
        consequences=("fallback", "final"),
        because="the caller was told that the call came back to where it had been, or went over too many hops, and nothing shows that "
        "it reached the AI",
        confidence="likely",
    ),
    *CALLERS,
    Rule(
        id="reach.redirected",
        cause="caller-redirected",
        symptoms=("reach", "final"),
        essential=(when("caller.end", "refused"), when("final.code", *REDIRECTED)),
        conditions=(NOTHING, NOBODY_INSTEAD),
        consequences=("fallback", "final"),
        favours=(when("final.code", *REDIRECTED),),
        because="the caller was told to ask elsewhere (3xx), and nothing reached the AI",
        confidence="likely",  # the platform may hand on what somebody behind it says
    ),
    Rule(
        id="reach.caller-media",
        cause="caller-media-refused",
        symptoms=("reach", "codec", "final"),
        cells=cells("codec", "caller"),
        essential=(when("caller.end", "refused"), when("final.code", *OF_THE_MEDIA)),
        conditions=(
            NOTHING,
            NOBODY_INSTEAD,
            when("ai.offer", NO_CALL_CAME),
            not_shown("again.codec", "taken"),
            not_shown("final.refusal", *NOT_CARRIED),
        ),
        consequences=("fallback", "final", "audio", "other"),
        because="the caller was refused for the media of the call, and nobody else had been called who could have refused it",
        confidence="likely",
    ),
    Rule(
        id="reach.caller-media.by-bye",
        cause="caller-media-refused",
        symptoms=("reach", "codec", "final"),
        essential=(when("caller.end", "answered", DROPPED), when("final.refusal", THE_CODEC, THE_ENCRYPTION)),
        conditions=(NOTHING, NOBODY_INSTEAD, when("ai.offer", NO_CALL_CAME)),
        consequences=("fallback", "final", "audio", "other"),
        because="the platform answered and hung up for the media of the call, and nobody else had been called",
        confidence="likely",
    ),
    Rule(
        id="reach.kept",
        cause="route-missing",
        symptoms=("reach",),
        essential=(when("caller.end", "answered", DROPPED), when("instead", "nobody")),
        conditions=(*OPEN_TO_US, when("platform.did", "it kept the call")),
        consequences=ALL_LATER,
        because="the platform answered the caller itself, and nothing shows that it tried the AI or rang anybody",
    ),
    *BETWEEN,
)
