"""Whether a firewall between platform and AI is why nothing reached the AI, by what the ports between them answer us."""

from __future__ import annotations

from collections.abc import Iterator

from harness.diagnosis.conditions import Condition, not_shown, unless, when
from harness.diagnosis.refusals import DECIDED
from harness.diagnosis.registration import NONE, REFUSED, UNCLEAR
from harness.diagnosis.rule import Rule
from harness.diagnosis.rules.refused import ALL_LATER

NOTHING = when("ai.saw", "nothing")
NOBODY_INSTEAD = unless("instead", "the fallback group", "another group", "an agent")
_ANSWERING = unless("probe.ai", "silent", "refuses")
_ANSWERING_HERE = unless("probe.termination", "silent", "refuses")
_GOOD_CERTIFICATE = unless("probe.certificate", "expired", "wrong name", "untrusted")

# nothing came, though our own machine gets answers at both ports: the platform tried elsewhere, or not at all
OPEN_TO_US = (NOTHING, _ANSWERING, _ANSWERING_HERE, _GOOD_CERTIFICATE)
#: The caller's refusal, where there is one, may be for a next hop that the platform did not get to.
UNREACHED = not_shown("final.code", *DECIDED)

_PORTS = (("udp", 32681), ("tcp", 32681), ("tls", 32682))


def _firewalls() -> Iterator[Rule]:
    for transport, port in _PORTS:
        cause = f"firewall-{transport}-{port}"
        over = when("transport", transport)
        yield from _dropping(cause, over, transport)
        yield from _rejecting(f"{cause}-rejected", over, transport)
    yield Rule(
        id="reach.firewall-udp-32681.unheard",
        cause="firewall-udp-32681",
        symptoms=("reach", "fallback"),
        essential=(when("transport", "udp"), when("ai.unheard", True)),
        conditions=(),
        consequences=ALL_LATER,
        because="the INVITE got there, and came again and again though it had been answered: no answer gets back to the platform",
        confidence="likely",  # or they are sent where the Via's address leads, and that is another host
    )
    yield Rule(
        id="registration.firewall-udp-32681-rejected.unheard",
        cause="firewall-udp-32681-rejected",
        symptoms=("registration",),
        essential=(when("transport", "udp"), _UNANSWERED),
        conditions=(when("probe.termination", "silent"), not_shown("registration.target", "another host"), _ICMP),
        because="no answer to REGISTER was seen; who rejects UDP says so by ICMP, which may not have got back to the sender",
    )


_ICMP = when("icmp", "rejected")
#: A port that answers us nothing has not answered REGISTER with the 503 that may be the stack's own.
_UNANSWERED = when("registration.answer", NONE, UNCLEAR)


def _silent_to_us() -> Iterator[Rule]:
    """A port that only the other side has to reach may drop whatever comes from elsewhere, and so from us."""
    for end, others in (("ai", ()), ("termination", (_ANSWERING,))):
        yield Rule(
            id=f"reach.own-agents.silent-{end}",
            cause="route-missing",
            symptoms=("reach",),
            essential=(when(f"probe.{end}", "silent"), when("instead.when", "at once")),
            conditions=(NOTHING, unless("instead", "nobody"), *others),
            consequences=ALL_LATER,
            because="the platform's agents rang at once; a port that answers us nothing may let in the other side alone",
            confidence="possible",
        )


def _dropping(cause: str, over: Condition, transport: str) -> Iterator[Rule]:
    """Silence. Over UDP a rejection may be as silent, and is told by its speed."""
    waited = (when("instead.when", "after waiting"),) if transport == "udp" else ()
    unheard = (unless("icmp", "rejected"),) if transport == "udp" else ()
    yield Rule(
        id=f"reach.{cause}",
        cause=cause,
        symptoms=("reach",),
        essential=(over,),
        conditions=(NOTHING, when("probe.ai", "silent"), UNREACHED, *waited),
        consequences=ALL_LATER,
        because="nothing reached the AI, and its port, asked directly, answers nothing",
        confidence="likely",
    )
    yield Rule(
        id=f"reach.{cause}.here",
        cause=cause,
        symptoms=("reach",),
        essential=(over,),
        conditions=(NOTHING, when("probe.termination", "silent"), _ANSWERING, UNREACHED, *waited),
        consequences=ALL_LATER,
        because="nothing reached the AI, and the platform's own port for it answers nothing",
        confidence="likely",
    )
    yield Rule(
        id=f"registration.{cause}",
        cause=cause,
        symptoms=("registration",),
        essential=(over, _UNANSWERED),
        conditions=(when("probe.termination", "silent"), not_shown("registration.target", "another host"), *unheard),
        because="no answer to REGISTER was seen, and the platform's port answers nothing, asked directly",
        confidence="likely",  # nobody need listen there
    )
    yield Rule(
        id=f"registration.{cause}.between",
        cause=cause,
        symptoms=("registration",),
        essential=(over, when("registration.answer", NONE), when("probe.termination", "answers")),
        conditions=(not_shown("probe.ai", "ours"), not_shown("registration.target", "another host")),
        because="REGISTER was not answered, and the same port answers us; a firewall may stand between the two of them alone",
        confidence="possible",
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
        conditions=(NOTHING, when("probe.ai", *told), *at_once),
        consequences=ALL_LATER,
        because="nothing reached the AI, and its port is refused at once",
        confidence="likely",  # nobody need listen there, or answer us
    )
    yield Rule(
        id=f"reach.{cause}.here",
        cause=cause,
        symptoms=("reach",),
        essential=(over,),
        conditions=(NOTHING, when("probe.termination", *told), _ANSWERING, *at_once),
        consequences=ALL_LATER,
        because="nothing reached the AI, and the platform's own port for it is refused at once",
        confidence="likely",  # nobody need listen there, or answer us
    )
    yield Rule(
        id=f"registration.{cause}",
        cause=cause,
        symptoms=("registration",),
        essential=(over, when("registration.answer", REFUSED, UNCLEAR)),
        conditions=(when("probe.termination", *told), not_shown("registration.target", "another host")),
        because="no server is known to have answered REGISTER, and the platform's port is refused, asked directly",
        confidence="likely",
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
                    *OPEN_TO_US,
                    UNREACHED,
                    when("instead.when", moment),
                    when("platform.did", f"it {met} at the AI's port"),
                ),
                consequences=ALL_LATER,
                because="both ports answer us, but a firewall may stand between the two of them alone",
                confidence="possible",
            )


FIREWALLS: tuple[Rule, ...] = (*_firewalls(), *_silent_to_us())
#: Named last: nothing but what the platform itself says speaks for them.
BETWEEN: tuple[Rule, ...] = tuple(_between())
