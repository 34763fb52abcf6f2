"""What a phone of ours in an agent's or a customer's place refuses by itself, before any scenario is asked: media, extensions, form."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from harness.diagnosis.cells import AGENTS, cells
from harness.diagnosis.conditions import when
from harness.diagnosis.legs import EXTENSION, MALFORMED
from harness.diagnosis.rule import Rule, Symptom
from harness.diagnosis.rules.refused import ALL_LATER

AFTER_LANDING: tuple[Symptom, ...] = ("caller_id.agent", "audio.agent", "release", "fallback.time", "final", "other")
AFTER_THE_CUSTOMER: tuple[Symptom, ...] = ("audio", "caller_id.customer")
_LANDINGS: tuple[tuple[Symptom, str], ...] = (("transfer", "transfer.landed"), ("fallback", "fallback.landed"))
_NO_G711 = ("no G.711", "no audio")


def _codec() -> Iterator[Rule]:
    """What a phone of ours was offered, where it refused the media by itself."""
    agent = Rule(
        id="codec.agent",
        cause="agent-no-common-codec",
        symptoms=("transfer", "fallback", "caller_id.agent", "audio.agent", "other"),
        cells=cells("codec", *AGENTS),
        essential=(when("refusal.agent", "its media"),),
        conditions=(when("offer.agent", *_NO_G711),),
        consequences=AFTER_LANDING,
        because="the agent's phone refused the call by itself: what it was offered has no codec that it speaks",
    )
    customer = Rule(
        id="codec.customer",
        cause="customer-no-common-codec",
        symptoms=("reach", "other"),
        cells=cells("codec", "customer"),
        essential=(when("refusal.caller", "its media"),),
        conditions=(when("offer.customer", *_NO_G711),),
        consequences=AFTER_THE_CUSTOMER,
        because="the customer's phone refused the call by itself: what it was offered has no codec that it speaks",
    )
    for rule, role in ((agent, "agent"), (customer, "customer")):
        yield rule
        yield replace(
            rule,
            id=f"encryption.{role}",
            cause="phone-encryption-differs",
            conditions=(when(f"offer.{role}", "SRTP alone"),),
            because=f"the {role}'s phone refused the call by itself: what it was offered is SRTP alone",
            confidence="likely",
        )


def agent_refused(name: str, why: str, cause: str, because: str) -> Iterator[Rule]:
    """The rules ``transfer.NAME`` and ``fallback.NAME``: the call landed nowhere, since the agent's phone refused it for that."""
    for symptom, fact in _LANDINGS:
        yield Rule(
            id=f"{symptom}.{name}",
            cause=cause,
            symptoms=(symptom,),
            essential=(when(fact, "nowhere"), when("refusal.agent", why)),
            conditions=(),
            consequences=AFTER_LANDING,
            because=f"the agent's phone refused the call by itself{because}",
        )


def _customer_refused(name: str, why: str, cause: str, because: str) -> Rule:
    return Rule(
        id=f"customer.{name}",
        cause=cause,
        symptoms=("reach", "other"),
        essential=(when("refusal.caller", why),),
        conditions=(),
        consequences=AFTER_THE_CUSTOMER,
        because=f"the customer's phone refused the INVITE by itself{because}",
    )


def _malformed() -> Iterator[Rule]:
    yield Rule(
        id="reach.malformed",
        cause="request-malformed",
        symptoms=("reach", "fallback", "final"),
        essential=(when("refusal.ai", MALFORMED),),
        conditions=(),
        consequences=(*ALL_LATER, "fallback"),
        because="the phone in the AI's place refused the INVITE by itself with 400: its stack cannot read it, or its SDP",
    )
    yield from agent_refused(
        "malformed", MALFORMED, "request-malformed", " with 400: its stack cannot read the INVITE, or its SDP"
    )
    yield _customer_refused(
        "malformed", MALFORMED, "request-malformed", " with 400: its stack cannot read it, or its SDP"
    )


def _extension() -> Iterator[Rule]:
    required = " with 420: the INVITE requires an extension of SIP that it does not have"
    yield from agent_refused("extension", EXTENSION, "extension-required", required)
    yield _customer_refused("extension", EXTENSION, "extension-required", required)


OWN_REFUSALS: tuple[Rule, ...] = (
    *_codec(),
    *agent_refused("busy", "another call", "agent-in-a-call", " with 486: it had as many calls as it takes"),
    *_malformed(),
    *_extension(),
)
