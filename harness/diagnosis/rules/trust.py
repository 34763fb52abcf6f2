"""Whom the platform trusts: who registers, the certificate that the AI shows, and who may see a number that is withheld."""

from __future__ import annotations

from harness.diagnosis.conditions import when
from harness.diagnosis.rule import Rule
from harness.diagnosis.rules.firewalls import NOTHING
from harness.diagnosis.rules.refused import ALL_LATER

TRUST: tuple[Rule, ...] = (
    Rule(
        id="registration.unguarded",
        cause="registration-unguarded",
        symptoms=("registration",),
        essential=(when("registration.taken", True),),
        conditions=(),
        because="a REGISTER with a wrong password, or from an address that is not allowed, was answered 200",
    ),
    Rule(
        id="reach.certificate.refused",
        cause="certificate-refused",
        symptoms=("reach",),
        essential=(when("transport", "tls"), when("ai.handshake", True)),
        conditions=(NOTHING,),
        consequences=ALL_LATER,
        because="a connection over TLS came from the platform, was shown the certificate of the phone in the AI's place, and brought "
        "no INVITE",
        confidence="likely",  # a connection of another call's, or one that only looks whether the port answers, is no refusal
    ),
    Rule(
        id="reach.certificate.unchecked",
        cause="certificate-unchecked",
        symptoms=("other",),
        essential=(when("certificate.taken", True),),
        conditions=(),
        because="the phone in the AI's place showed a certificate that is not in order, and the INVITE came all the same",
    ),
    Rule(
        id="caller_id.not-withheld",
        cause="withheld-number-shown",
        symptoms=("caller_id.withheld",),
        essential=(when("caller_id.ai", "shown, though withheld"),),
        conditions=(),
        because="the caller's INVITE asks for privacy (RFC 3323), and the one to the AI shows the number",
    ),
)
