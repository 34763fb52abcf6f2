"""Why a call does not reach the AI, or reaches another than it should."""

from __future__ import annotations

from collections.abc import Iterator

from harness.diagnosis.answering import PLATFORM, UNSEEN
from harness.diagnosis.cells import cells
from harness.diagnosis.conditions import Condition, not_shown, unless, when
from harness.diagnosis.own import WITHHELD
from harness.diagnosis.reach import DROPPED
from harness.diagnosis.rule import Rule
from harness.diagnosis.rules.refused import ALL_LATER, NOT_FOR_MEDIA, REFUSED, REFUSED_BY_AI, TOLD

_NOT_THE_LINES = ("another assistant's", "nobody's", "the line's, in another form")
_NOTHING = when("ai.saw", "nothing")
_TAKEN = unless("ai.saw", "nothing", "refused", "rang")
_ANSWERING = unless("probe.ai", "silent", "refuses")
_ANSWERING_HERE = unless("probe.termination", "silent", "refuses")
_GOOD_CERTIFICATE = unless("probe.certificate", "expired", "wrong name", "untrusted")

# nothing came, though our own machine gets answers at both ports: the platform tried elsewhere, or not at all
_OPEN_TO_US = (_NOTHING, _ANSWERING, _ANSWERING_HERE, _GOOD_CERTIFICATE)
_OPEN_TO_US_NOT_FOR_MEDIA = (_NOTHING, _ANSWERING, _ANSWERING_HERE, NOT_FOR_MEDIA, _GOOD_CERTIFICATE)

_PORTS = (("udp", 32681), ("tcp", 32681), ("tls", 32682))


def _firewalls() -> Iterator[Rule]:
    for transport, port in _PORTS:
        cause = f"firewall-{transport}-{port}"
        over = when("transport", transport)
        yield from _dropping(cause, over, transport)
        yield from _rejecting(f"{cause}-rejected", over, transport)
    yield Rule(
        id="registration.firewall-udp-32681-rejected.unheard",
        cause="firewall-udp-32681-rejected",
        symptoms=("registration",),
        essential=(when("transport", "udp"), when("registration.answer", "none")),
        conditions=(when("probe.termination", "silent"), not_shown("registration.target", "another host"), _ICMP),
        because="REGISTER was not answered; who rejects UDP says so by ICMP, which may not have got back to the sender",
    )


_ICMP = when("icmp", "rejected")


def _dropping(cause: str, over: Condition, transport: str) -> Iterator[Rule]:
    """Silence. Over UDP a rejection may be as silent, and is told by its speed."""
    waited = (when("instead.when", "after waiting"),) if transport == "udp" else ()
    unheard = (unless("icmp", "rejected"),) if transport == "udp" else ()
    yield Rule(
        id=f"reach.{cause}",
        cause=cause,
        symptoms=("reach",),
        essential=(over,),
        conditions=(_NOTHING, when("probe.ai", "silent"), *waited),
        consequences=ALL_LATER,
        because="nothing reached the AI, and its port, asked directly, answers nothing",
    )
    yield Rule(
        id=f"reach.{cause}.here",
        cause=cause,
        symptoms=("reach",),
        essential=(over,),
        conditions=(_NOTHING, when("probe.termination", "silent"), unless("probe.ai", "silent", "refuses"), *waited),
        consequences=ALL_LATER,
        because="nothing reached the AI, and the platform's own port for it answers nothing",
    )
    yield Rule(
        id=f"registration.{cause}",
        cause=cause,
        symptoms=("registration",),
        essential=(over, when("registration.answer", "none")),
        conditions=(when("probe.termination", "silent"), not_shown("registration.target", "another host"), *unheard),
        because="REGISTER was not answered, and the platform's port answers nothing, asked directly",
    )


def _rejecting(cause: str, over: Condition, transport: str) -> Iterator[Rule]:
    """A refusal at once, by RST or ICMP."""
    told = ("silent", "refuses") if transport == "udp" else ("refuses",)
    at_once = (when("instead.when", "at once"),) if transport == "udp" else ()
    yield Rule(
        id=f"reach.{cause}",
        cause=cause,
        symptoms=("reach",),
        essential=(over,),
        conditions=(_NOTHING, when("probe.ai", *told), *at_once),
        consequences=ALL_LATER,
        because="nothing reached the AI, and its port is refused at once",
    )
    yield Rule(
        id=f"reach.{cause}.here",
        cause=cause,
        symptoms=("reach",),
        essential=(over,),
        conditions=(_NOTHING, when("probe.termination", *told), unless("probe.ai", "silent", "refuses"), *at_once),
        consequences=ALL_LATER,
        because="nothing reached the AI, and the platform's own port for it is refused at once",
    )
    yield Rule(
        id=f"registration.{cause}",
        cause=cause,
        symptoms=("registration",),
        essential=(over, when("registration.answer", "connection refused")),
        conditions=(when("probe.termination", *told), not_shown("registration.target", "another host")),
        because="REGISTER was refused on the way, and so is the platform's port, asked directly",
    )


def _between() -> Iterator[Rule]:
    for transport, port in _PORTS:
        for suffix, moment, met in (("", "after waiting", "got no answer"), ("-rejected", "at once", "was refused")):
            yield Rule(
                id=f"reach.firewall-{transport}-{port}{suffix}.between",
                cause=f"firewall-{transport}-{port}{suffix}",
                symptoms=("reach",),
                essential=(when("transport", transport),),
                conditions=(
                    *_OPEN_TO_US_NOT_FOR_MEDIA,
                    when("instead.when", moment),
                    when("platform.did", f"it {met} at the AI's port"),
                ),
                consequences=ALL_LATER,
                because="both ports answer us, but a firewall may stand between the two of them alone",
                confidence="possible",
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
        conditions=(REFUSED_BY_AI, when("ai.code", 404), not_shown("ai.did", *_NOT_THE_LINES), NOT_FOR_MEDIA),
        consequences=ALL_LATER,
        because="the call got there with the right number, and Synthflow answered 404: it knows no assistant for it",
    ),
    Rule(
        id="reach.nobodys-number",
        cause="route-wrong-did",
        symptoms=("reach", "final"),
        cells=cells("number", "AI"),
        conditions=(
            REFUSED_BY_AI,
            when("ai.code", 404),
            when("ai.did", "another assistant's", "nobody's"),
            NOT_FOR_MEDIA,
        ),
        consequences=ALL_LATER,
        because="the call got there with a number that is not the line's assistant's, and Synthflow answered 404",
    ),
    Rule(
        id="reach.number-form",
        cause="request-uri-form",
        symptoms=("reach", "route", "final"),
        cells=cells("number", "AI"),
        essential=(when("ai.did", "the line's, in another form"),),
        conditions=(),
        consequences=ALL_LATER,
        because="the AI was asked for the line's number, written in another form than E.164",
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
        consequences=("reach", "final"),
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
        id="reach.rang",
        cause="ai-never-answers",
        symptoms=("reach",),
        cells=cells("timing", "AI"),
        conditions=(when("ai.saw", "rang"), unless("instead.when", "at once")),
        consequences=ALL_LATER,
        because="the call got there and rang until the platform gave up",
    ),
    Rule(
        id="reach.answer.kept",
        cause="answer-not-passed-on",
        symptoms=("reach",),
        cells=cells("timing", "caller"),
        essential=(when("ai.saw", "answered"), when("caller.end", "still ringing")),
        conditions=(),
        consequences=ALL_LATER,
        because="the AI answered, and as long as the case went on the caller was not told so",
    ),
    Rule(
        id="reach.answer.refused",
        cause="answer-not-passed-on",
        symptoms=("reach",),
        essential=(when("ai.saw", "answered"), when("caller.end", "refused")),
        conditions=(),
        consequences=(*ALL_LATER, "fallback"),
        because="the AI answered, and the caller was refused all the same",
    ),
    Rule(
        id="reach.certificate.expired",
        cause="certificate-expired",
        symptoms=("reach",),
        essential=(when("transport", "tls"),),
        conditions=(_NOTHING, when("probe.certificate", "expired")),
        consequences=ALL_LATER,
        because="nothing reached the AI over TLS, and the certificate its port shows has expired",
    ),
    Rule(
        id="reach.certificate.name",
        cause="certificate-wrong-name",
        symptoms=("reach",),
        essential=(when("transport", "tls"),),
        conditions=(_NOTHING, when("probe.certificate", "wrong name")),
        consequences=ALL_LATER,
        because="nothing reached the AI over TLS, and the certificate its port shows is for another name",
    ),
    Rule(
        id="reach.certificate.untrusted",
        cause="certificate-untrusted",
        symptoms=("reach",),
        essential=(when("transport", "tls"),),
        conditions=(_NOTHING, when("probe.certificate", "untrusted")),
        consequences=ALL_LATER,
        because="nothing reached the AI over TLS, and no trusted authority has signed the certificate its port shows",
    ),
    *_firewalls(),
    Rule(
        id="reach.turned-away",
        cause="platform-refuses-caller",
        symptoms=("reach",),
        essential=(when("caller.end", "refused"), unless("final.code", 401, 404, 407, 484, 604)),
        conditions=(
            _NOTHING,
            when("instead", "nobody"),
            not_shown("final.refusal", "the connection", "no such trunk"),  # it tried to go on with the call
            when("platform.did", "it turned the caller away"),
        ),
        consequences=("fallback", "final"),
        because="the caller was refused, and nothing shows that the AI or anybody else was tried",
    ),
    Rule(
        id="reach.own-agents",
        cause="route-missing",
        symptoms=("reach",),
        conditions=(
            *_OPEN_TO_US,
            unless("instead", "nobody"),
            when("instead.when", "at once"),
            when("platform.did", "it rang its own agents and tried no trunk"),
        ),
        consequences=ALL_LATER,
        because="the platform's agents rang at once, and nothing shows that the AI was tried",
        confidence="likely",
    ),
    Rule(
        id="reach.own-agents.unasked",
        cause="route-missing",
        symptoms=("reach",),
        essential=(when("fallback.configured", False),),
        conditions=(
            *_OPEN_TO_US,
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
            *_OPEN_TO_US_NOT_FOR_MEDIA,
            when("platform.did", "it tried the AI's other port"),
        ),
        consequences=ALL_LATER,
        because="the AI's port answers us and got nothing, as when the trunk's port does not belong to its transport",
        confidence="likely",
    ),
    Rule(
        id="reach.trunk-elsewhere",
        cause="route-wrong-trunk",
        symptoms=("reach",),
        conditions=(
            *_OPEN_TO_US_NOT_FOR_MEDIA,
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
        essential=(when("caller.end", "refused"), when("final.code", 404, 604)),
        conditions=(
            _NOTHING,
            unless("instead", "the fallback group", "another group", "an agent"),
            not_shown("dialled.form", "another form"),
        ),
        consequences=("fallback", "final"),
        because="the platform itself answered 404, and tried neither the AI nor anybody else",
    ),
    Rule(
        id="reach.form",
        cause="number-form-refused",
        symptoms=("reach", "final"),
        cells=cells("number", "caller"),
        essential=(
            when("caller.end", "refused"),
            when("final.code", 404, 484, 604),
            when("dialled.form", "another form"),
        ),
        conditions=(
            _NOTHING,
            unless("instead", "the fallback group", "another group", "an agent"),
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
            when("final.code", 404, 604),
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
        id="reach.caller-credentials",
        cause="caller-credentials-refused",
        symptoms=("reach", "final"),
        cells=cells("credentials", "caller"),
        essential=(when("caller.end", "refused"), when("final.code", 401, 407)),
        conditions=(_NOTHING, not_shown("password.withheld", *WITHHELD)),
        consequences=("fallback", "final"),
        because="the caller's INVITE was challenged, and its credentials were not accepted",
        confidence="likely",
    ),
    Rule(
        id="reach.kept",
        cause="route-missing",
        symptoms=("reach",),
        essential=(when("caller.end", "answered", DROPPED), when("instead", "nobody")),
        conditions=(*_OPEN_TO_US, when("platform.did", "it kept the call")),
        consequences=ALL_LATER,
        because="the platform answered the caller itself, and nothing shows that it tried the AI or rang anybody",
    ),
    *_between(),
)
