"""Which digest challenges a phone's password answers."""

from __future__ import annotations

import pytest

from harness.case.events import WithheldBy
from harness.phone.child.header_rewrites import Challenges


def challenge(realm: str = "carrier.example", algorithm: str | None = "MD5") -> str:
    named = f", algorithm={algorithm}" if algorithm else ""
    return f'WWW-Authenticate: Digest realm="{realm}", nonce="n", qop="auth"{named}'


def answered(challenges: Challenges, *offered: str, method: str = "REGISTER") -> list[bool]:
    return [why is None for why in challenges.withheld(method, offered)]


def test_a_realm_that_is_configured_is_the_only_one() -> None:
    challenges = Challenges("carrier.example")
    assert answered(challenges, challenge("evil.example"), challenge()) == [False, True]
    assert answered(challenges, challenge("evil.example"), method="INVITE") == [False]


@pytest.mark.parametrize(
    "strong",
    [
        'WWW-Authenticate: Digest realm="acme", nonce="n", algorithm=SHA-256-sess, qop="auth"',
        'WWW-Authenticate: Digest realm="acme", nonce="n", algorithm=SHA-256, qop="auth-int"',
    ],
)
def test_a_weaker_algorithm_is_answered_if_pjsip_cannot_compute_the_stronger(strong: str) -> None:
    """RFC 7616 section 3.7: the strongest that the client supports, as preflight tries it
    (docs/interop.md).
    """
    challenges = Challenges("acme")
    weak = 'WWW-Authenticate: Digest realm="acme", nonce="n", algorithm=MD5, qop="auth-int, auth"'
    assert answered(challenges, strong, weak) == [True, True]
    assert answered(challenges, weak) == [True]
    both = strong.replace("-sess", "").replace('"auth-int"', '"auth-int,auth"')
    assert answered(challenges, both, weak) == [True, False]


@pytest.mark.parametrize(
    "text",
    [
        'WWW-Authenticate: Digest nonce="realm=evil.example", realm="carrier.example"',
        'Proxy-Authenticate: Digest Realm = "carrier.example",Algorithm = MD5',
        'WWW-Authenticate:Digest opaque="a, realm=x",realm="carrier.example"',
    ],
)
def test_a_realm_is_read_in_every_legal_form(text: str) -> None:
    assert answered(Challenges("carrier.example"), text) == [True]


@pytest.mark.parametrize(
    ("realm", "first", "then", "rule", "why"),
    [
        (
            "acme",
            None,
            challenge("evil"),
            "realm configured",
            "its realm is evil, and acme is configured",
        ),
        (
            "",
            challenge("acme"),
            challenge("evil"),
            "first realm",
            "its realm is evil, and acme asked first",
        ),
        (
            "acme",
            challenge("acme", "SHA-256"),
            challenge("acme"),
            "stronger algorithm",
            "it asks for MD5, and has asked for a stronger algorithm",
        ),
    ],
)
def test_a_withheld_challenge_names_its_rule_and_why(
    realm: str, first: str | None, then: str, rule: WithheldBy, why: str
) -> None:
    challenges = Challenges(realm)
    if first is not None:
        assert answered(challenges, first) == [True]
    (withheld,) = challenges.withheld("REGISTER", [then])
    assert withheld is not None
    assert (withheld.rule, withheld.why) == (rule, why)
