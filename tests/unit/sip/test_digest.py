"""Digest against the RFCs' own vectors, its two sides against each other, and a softphone's
answers.
"""

from __future__ import annotations

import pytest

from harness.sip.digest import (
    ANY_REALM,
    Algorithm,
    CredentialCheck,
    Credentials,
    DigestClient,
    DigestServer,
    Login,
    build,
    digest_response,
    parse,
)
from harness.sip.grammar import SipSyntaxError
from harness.sip.message import Request, Response
from tests.unit.clock import Clock
from tests.unit.sip.sip_requests import request

REQUEST = request()
PASSWORDS = {"agent": "correct horse", "ümlaut": "pässwörd"}
AGENT = Credentials("agent", PASSWORDS["agent"])
REALM = "example.com"


@pytest.mark.parametrize(
    ("password", "params", "response"),
    [
        (  # RFC 7616 section 3.9.1
            "Circle of Life",
            {"realm": "http-auth@example.org", "algorithm": "MD5", "nonce": "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
             "nc": "00000001", "cnonce": "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", "qop": "auth"},
            "8ca523f5e9506fed4657c9700eebdbec",
        ),
        (
            "Circle of Life",
            {"realm": "http-auth@example.org", "algorithm": "SHA-256", "nonce": "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
             "nc": "00000001", "cnonce": "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", "qop": "auth"},
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
        ),
        (  # RFC 2617 section 3.5
            "Circle Of Life",
            {"realm": "testrealm@host.com", "nonce": "dcd98b7102dd2f0e8b11d0f600bfb0c093", "nc": "00000001",
             "cnonce": "0a4f113b", "qop": "auth"},
            "6629fae49393a05397450978507c4ef1",
        ),
        (  # without qop as RFC 2069 had it: the value of its erratum 749
            "CircleOfLife",
            {"realm": "testrealm@host.com", "nonce": "dcd98b7102dd2f0e8b11d0f600bfb0c093"},
            "1949323746fe6a43ef61f9606e7febea",
        ),
    ],
)  # fmt: skip
def test_vectors_of_the_rfcs(password: str, params: dict[str, str], response: str) -> None:
    uri = {"uri": "/dir/index.html"}
    assert digest_response(Credentials("Mufasa", password), params | uri, "GET") == response


def answered(
    server: DigestServer, client: DigestClient, asked: Request = REQUEST, *, stale: bool = False
) -> Request:
    challenge = Response.to_request(asked, server.status, headers=[server.challenge(stale=stale)])
    found = client.answer(asked, challenge)
    assert found is not None
    return found


def challenged(*values: str, status: int = 401) -> Response:
    name = {401: "WWW-Authenticate", 407: "Proxy-Authenticate"}[status]
    return Response.to_request(REQUEST, status, headers=[(name, value) for value in values])


def given(answer: Request | None, header: str = "Authorization") -> dict[str, str]:
    """The credentials in an answer."""
    assert answer is not None
    return parse(answer.get(header) or "")


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256"])
@pytest.mark.parametrize(("proxy", "status", "side"), [(False, 401, "WWW-"), (True, 407, "Proxy-")])
@pytest.mark.parametrize("username", PASSWORDS)
def test_both_sides_agree(
    algorithm: Algorithm, proxy: bool, status: int, side: str, username: str
) -> None:
    server = DigestServer(REALM, PASSWORDS.get, algorithm=algorithm, proxy=proxy)
    name, value = server.challenge()
    assert (server.status, name) == (status, f"{side}Authenticate")
    nonce = parse(value)["nonce"]
    assert value == f'Digest realm="{REALM}", nonce="{nonce}", algorithm={algorithm}, qop="auth"'
    checked = server.verify(
        answered(server, DigestClient(Credentials(username, PASSWORDS[username])))
    )
    assert (checked.outcome, checked.username) == (CredentialCheck.ACCEPTED, username)


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({"username": "nobody"}, CredentialCheck.UNKNOWN_USER),
        ({"response": "0" * 64}, CredentialCheck.WRONG_PASSWORD),
        ({"response": "é"}, CredentialCheck.WRONG_PASSWORD),
        ({"algorithm": "MD5"}, CredentialCheck.WRONG_ALGORITHM),
        ({"algorithm": ""}, CredentialCheck.WRONG_ALGORITHM),
        ({"qop": ""}, CredentialCheck.WRONG_QOP),
        ({"qop": "auth-int"}, CredentialCheck.WRONG_QOP),
        ({"cnonce": ""}, CredentialCheck.WRONG_QOP),
        ({"cnonce": "\udcff"}, CredentialCheck.WRONG_PASSWORD),
        ({"nc": ""}, CredentialCheck.WRONG_QOP),
        ({"nc": "1"}, CredentialCheck.MALFORMED),
        ({"nc": "00000002"}, CredentialCheck.WRONG_PASSWORD),
        ({"uri": "sip:elsewhere"}, CredentialCheck.WRONG_URI),
        ({"realm": "other"}, CredentialCheck.MISSING),
        ({"nonce": ""}, CredentialCheck.MALFORMED),
    ],
)
def test_nothing_is_taken_on_the_clients_word(
    changes: dict[str, str], outcome: CredentialCheck
) -> None:
    server = DigestServer(REALM, PASSWORDS.get, algorithm="SHA-256")
    found = answered(server, DigestClient(AGENT))
    params = {name: value for name, value in (given(found) | changes).items() if value}
    assert server.verify(found.setting("Authorization", build(params))).outcome is outcome


def test_a_wrong_password_is_tried_once() -> None:
    server, client = DigestServer(REALM, PASSWORDS.get), DigestClient(Credentials("agent", "wrong"))
    first = answered(server, client)
    checked = server.verify(first)
    assert (checked.outcome, checked.stale) == (CredentialCheck.WRONG_PASSWORD, False)
    assert (
        client.answer(first, Response.to_request(first, 401, headers=[server.challenge()])) is None
    )


def test_a_replayed_request_is_refused_and_each_count_taken_once() -> None:
    server, client = DigestServer(REALM, PASSWORDS.get), DigestClient(AGENT)
    first = answered(server, client)
    assert server.verify(first).accepted
    replayed = server.verify(first)
    assert (replayed.outcome, replayed.stale) == (CredentialCheck.REPLAYED, True)
    for _ in range(16):
        again = client.again(REQUEST)
        assert server.verify(again).accepted
    assert given(again)["nc"] == "00000011"  # hexadecimal


@pytest.mark.parametrize(
    ("after", "outcome"), [(300.0, CredentialCheck.ACCEPTED), (300.5, CredentialCheck.STALE)]
)
def test_a_nonce_lives_five_minutes_and_a_stale_one_is_answered_anew(
    after: float, outcome: CredentialCheck
) -> None:
    clock = Clock()
    server, client = DigestServer(REALM, PASSWORDS.get, clock=clock.monotonic), DigestClient(AGENT)
    first = answered(server, client)
    clock.now += after
    checked = server.verify(first)
    assert (checked.outcome, checked.stale) == (outcome, outcome is CredentialCheck.STALE)
    again = answered(server, client, first, stale=True)
    assert len(again.get_all("Authorization")) == 1
    assert server.verify(again).accepted


def test_the_strongest_challenge_understood_is_answered_and_never_a_weaker_one_afterwards() -> None:
    md5, sha = (
        f'Digest realm="r", nonce="{name}", algorithm={name}, qop="auth,auth-int"'
        for name in ("MD5", "SHA-256")
    )
    unknown = [
        'Digest realm="r", nonce="new", algorithm=SHA3-512, qop="auth"',
        "NoOneKnowsThisScheme opaque-data=here",
    ]
    client = DigestClient(AGENT)
    assert (
        client.answer(
            REQUEST, challenged(*unknown, 'Digest realm="r", nonce="n", qop="token"', "Digest what")
        )
        is None
    )
    assert given(client.answer(REQUEST, challenged(md5, sha, *unknown)))["nonce"] == "SHA-256"
    assert client.answer(REQUEST, challenged(md5)) is None, "a downgrade (RFC 7616 section 5.7)"


def test_credentials_have_what_the_challenge_asks_for() -> None:
    found = DigestClient(AGENT).answer(
        REQUEST, challenged('Digest realm="r", nonce="n", qop="auth"')
    )
    assert ", qop=auth, nc=00000001, " in str(found and found.get("Authorization"))
    assert len(given(found)["cnonce"]) == 16
    legacy = given(
        DigestClient(AGENT).answer(
            REQUEST, challenged('Digest realm="r", nonce="n", opaque="o\\"p"')
        )
    )
    assert legacy["opaque"] == 'o"p'
    assert not legacy.keys() & {"qop", "nc", "cnonce", "algorithm"}


def test_a_realms_credentials_answer_no_other_and_are_found_behind_others() -> None:
    ours = DigestClient(Credentials("agent", PASSWORDS["agent"], realm=REALM))
    others = 'Digest realm="others", nonce="x", qop="auth"'
    assert ours.answer(REQUEST, challenged(others)) is None
    server = DigestServer(REALM, PASSWORDS.get)
    found = ours.answer(REQUEST, challenged("Digest what is this", others, server.challenge()[1]))
    assert found is not None
    mine, several = found.get("Authorization") or "", found.without("Authorization")
    for value in ("Digest what is this", 'Digest realm="others", username="x"', mine):
        several = several.adding("Authorization", value)
    assert server.verify(several).accepted


def test_no_password_is_ever_shown() -> None:
    assert "hunter2" not in repr(Credentials("a", "hunter2"))


@pytest.mark.parametrize("text", ["Basic abc", 'Digest realm="x', "Digest realm"])
def test_what_is_no_digest(text: str) -> None:
    assert parse("Digest") == {}
    with pytest.raises(SipSyntaxError):
        parse(text)


# -- as a softphone answers


def challenge(realm: str = "a.example", more: str = 'qop="auth"') -> str:
    return f'Digest realm="{realm}", nonce="n1"' + (f", {more}" if more else "")


@pytest.mark.parametrize(
    ("realm", "asks", "answered", "said"),
    [
        (ANY_REALM, ["b"], "b", ""),
        (None, ["b"], "b", ""),  # the one that asks first
        ("", ["b"], "b", ""),
        ("a", ["b", "a"], "a", ""),
        ("a", ["b", "c"], None, "the realm is b, and a is configured"),
    ],
)
@pytest.mark.parametrize(
    ("status", "header"), [(401, "Authorization"), (407, "Proxy-Authorization")]
)
def test_a_realm_is_its_own_any_or_the_first(
    realm: str | None, asks: list[str], answered: str | None, said: str, status: int, header: str
) -> None:
    login = Login("agent", "secret", realm)
    found = login.answer(REQUEST, challenged(*map(challenge, asks), status=status))
    assert (given(found, header)["realm"] if found else None) == answered
    assert (login.unanswered.why if login.unanswered else "") == said
    assert login.realm == (answered or asks[0])
    assert login.again(REQUEST).has(header) is (answered is not None)


def test_the_realm_that_asked_first_stays_the_only_one() -> None:
    login = Login("agent", "secret", None)
    assert login.answer(REQUEST, challenged(challenge("first.example"))) is not None
    assert login.answer(REQUEST, challenged(challenge("second.example"))) is None
    assert login.unanswered is not None
    assert login.unanswered.why == "the realm is second.example, and first.example asked first"


@pytest.mark.parametrize(
    ("more", "wanted"),
    [
        ([""], None),
        (['qop="auth-int, AUTH"'], None),
        (["algorithm=md5"], None),
        (["algorithm=SHA-256"], None),
        (["algorithm=SHA-512-256", "algorithm=MD5"], None),
        (['qop="auth-int"'], "MD5 with qop auth-int"),
        (["algorithm=SHA-512-256"], "SHA-512-256"),
        (['algorithm=MD5-sess, qop="auth"'], "MD5-sess with qop auth"),
    ],
)
def test_what_softphones_compute_is_answered_and_nothing_else(
    more: list[str], wanted: str | None
) -> None:
    login = Login("agent", "secret", ANY_REALM)
    answer = login.answer(REQUEST, challenged(*(challenge(more=each) for each in more)))
    assert (answer is None) == (wanted is not None)
    why = login.unanswered.why if login.unanswered else ""
    said = f"it asks for {wanted}; the softphones compute MD5 and SHA-256, with qop auth or none"
    assert why == (said if wanted else "")


@pytest.mark.parametrize("values", [[], ["Basic realm=x"], ["Digest ="]])
def test_without_a_digest_challenge_there_is_nothing_to_answer(values: list[str]) -> None:
    login = Login("agent", "secret", ANY_REALM)
    assert login.answer(REQUEST, challenged(*values)) is None
    assert login.unanswered is not None
    assert login.unanswered.why == "no digest challenge stands in it"
    assert login.realm is None
