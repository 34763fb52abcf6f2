"""Which digest challenges a password answers, as a softphone would, and what is said of the others."""

from __future__ import annotations

import pytest

from harness.sip.digest import parse
from harness.sip.login import ANY_REALM, Login
from harness.sip.message import Request, Response
from tests.unit.sip.digest_request import REQUEST


def challenged(*values: str, status: int = 401) -> Response:
    name = {401: "WWW-Authenticate", 407: "Proxy-Authenticate"}[status]
    return Response.to_request(REQUEST, status, headers=[(name, value) for value in values])


def challenge(realm: str = "a.example", more: str = 'qop="auth"') -> str:
    return f'Digest realm="{realm}", nonce="n1"' + (f", {more}" if more else "")


def realm_of(answer: Request | None, header: str = "Authorization") -> str | None:
    return None if answer is None else parse(str(answer.get(header)))["realm"]


@pytest.mark.parametrize(("status", "header"), [(401, "Authorization"), (407, "Proxy-Authorization")])
def test_a_challenge_of_its_realm_is_answered(status: int, header: str) -> None:
    login = Login("agent", "secret", "a.example")
    answer = login.answer(REQUEST, challenged(challenge("b.example"), challenge(), status=status))
    assert realm_of(answer, header) == "a.example"
    assert (login.realm, login.unanswered) == ("a.example", None)
    assert login.again(REQUEST).get(header) is not None


@pytest.mark.parametrize(
    ("realm", "asks", "answered", "said"),
    [
        (ANY_REALM, ["b.example"], "b.example", ""),
        (None, ["b.example"], "b.example", ""),  # the one that asks first
        ("a.example", ["b.example"], None, "the realm is b.example, and a.example is configured"),
        ("", ["b.example"], "b.example", ""),
    ],
)
def test_a_realm_is_its_own_any_or_the_first(
    realm: str | None, asks: list[str], answered: str | None, said: str
) -> None:
    login = Login("agent", "secret", realm)
    assert realm_of(login.answer(REQUEST, challenged(*map(challenge, asks)))) == answered
    assert (login.unanswered.why if login.unanswered else "") == said
    assert login.realm == asks[0]


def test_the_realm_that_asked_first_stays_the_only_one() -> None:
    login = Login("agent", "secret", None)
    assert login.answer(REQUEST, challenged(challenge("first.example"))) is not None
    assert login.answer(REQUEST, challenged(challenge("second.example"))) is None
    assert login.unanswered is not None
    assert login.unanswered.why == "the realm is second.example, and first.example asked first"


def test_of_several_realms_that_get_no_answer_the_first_is_told() -> None:
    login = Login("agent", "secret", "a.example")
    assert login.answer(REQUEST, challenged(challenge("b.example"), challenge("c.example"))) is None
    assert login.realm == "b.example"
    assert login.unanswered is not None
    assert login.unanswered.why.startswith("the realm is b.example")


@pytest.mark.parametrize(
    ("more", "wanted"),
    [
        ("", None),
        ('qop="auth"', None),
        ('qop="auth-int, AUTH"', None),
        ("algorithm=md5", None),
        ("algorithm=SHA-256", None),
        ('qop="auth-int"', "MD5 with qop auth-int"),
        ("algorithm=SHA-512-256", "SHA-512-256"),
        ('algorithm=MD5-sess, qop="auth"', "MD5-sess with qop auth"),
    ],
)
def test_what_softphones_compute_is_answered_and_nothing_else(more: str, wanted: str | None) -> None:
    login = Login("agent", "secret", ANY_REALM)
    answer = login.answer(REQUEST, challenged(challenge(more=more)))
    assert (answer is None) == (wanted is not None)
    why = login.unanswered.why if login.unanswered else ""
    assert why == (
        f"it asks for {wanted}; the softphones compute MD5 and SHA-256, with qop auth or none" if wanted else ""
    )


@pytest.mark.parametrize("values", [[], ["Basic realm=x"], ["Digest ="]])
def test_without_a_digest_challenge_there_is_nothing_to_answer(values: list[str]) -> None:
    login = Login("agent", "secret", ANY_REALM)
    assert login.answer(REQUEST, challenged(*values)) is None
    assert login.unanswered is not None
    assert login.unanswered.why == "no digest challenge stands in it"
    assert login.realm is None


def test_of_several_algorithms_the_one_that_softphones_compute_is_answered() -> None:
    login = Login("agent", "secret", "a.example")
    answer = login.answer(REQUEST, challenged(challenge(more="algorithm=SHA-512-256"), challenge(more="algorithm=MD5")))
    assert answer is not None
    assert parse(str(answer.get("Authorization"))).get("algorithm", "MD5") == "MD5"
