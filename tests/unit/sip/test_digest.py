"""Digest against the RFCs' own vectors, and its two sides against each other."""

from __future__ import annotations

import pytest

from harness.sip.digest import (
    Algorithm,
    CredentialCheck,
    Credentials,
    DigestClient,
    DigestServer,
    build,
    digest_response,
    parse,
)
from harness.sip.grammar import SipSyntaxError
from harness.sip.message import Request, Response
from tests.unit.sip.digest_request import PASSWORDS, REQUEST, Clock


@pytest.mark.parametrize(
    ("algorithm", "response"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_rfc_7616_section_3_9_1(algorithm: str, response: str) -> None:
    params = {
        "realm": "http-auth@example.org",
        "uri": "/dir/index.html",
        "algorithm": algorithm,
        "nonce": "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
        "nc": "00000001",
        "cnonce": "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
        "qop": "auth",
    }
    assert digest_response(Credentials("Mufasa", "Circle of Life"), params, "GET") == response


def test_rfc_2617_section_3_5() -> None:
    params = {
        "realm": "testrealm@host.com",
        "uri": "/dir/index.html",
        "nonce": "dcd98b7102dd2f0e8b11d0f600bfb0c093",
        "nc": "00000001",
        "cnonce": "0a4f113b",
        "qop": "auth",
    }
    assert digest_response(Credentials("Mufasa", "Circle Of Life"), params, "GET") == "6629fae49393a05397450978507c4ef1"


def test_without_qop_as_rfc_2069_had_it() -> None:
    params = {
        "realm": "testrealm@host.com",
        "uri": "/dir/index.html",
        "nonce": "dcd98b7102dd2f0e8b11d0f600bfb0c093",
    }
    # The value of RFC 2069's erratum 749.
    assert digest_response(Credentials("Mufasa", "CircleOfLife"), params, "GET") == "1949323746fe6a43ef61f9606e7febea"


def test_rfc_3261_style_auth_int_covers_the_body() -> None:
    params = {"realm": "r", "uri": "sip:x", "nonce": "n", "nc": "00000001", "cnonce": "c", "qop": "auth-int"}
    user = Credentials("a", "b")
    assert digest_response(user, params, "INVITE", b"v=0") != digest_response(user, params, "INVITE", b"v=1")


def exchange(server: DigestServer, user: Credentials, request: Request = REQUEST) -> Request | None:
    challenge = Response.to_request(request, server.status, headers=[server.challenge()])
    return DigestClient(user).answer(request, challenge)


@pytest.mark.parametrize("algorithm", ["MD5", "SHA-256", "SHA-512-256"])
@pytest.mark.parametrize("proxy", [False, True])
@pytest.mark.parametrize("username", PASSWORDS)
def test_both_sides_agree(algorithm: Algorithm, proxy: bool, username: str) -> None:
    server = DigestServer("example.com", PASSWORDS.get, algorithm=algorithm, proxy=proxy)
    answered = exchange(server, Credentials(username, PASSWORDS[username]))
    assert answered is not None
    assert answered.has("Proxy-Authorization" if proxy else "Authorization")
    checked = server.verify(answered)
    assert (checked.outcome, checked.username) == (CredentialCheck.ACCEPTED, username)


def tampered(**changes: str) -> CredentialCheck:
    server = DigestServer("example.com", PASSWORDS.get, algorithm="SHA-256")
    answered = exchange(server, Credentials("agent", PASSWORDS["agent"]))
    assert answered is not None
    params = parse(answered.get("Authorization") or "")
    params.update(changes)
    return server.verify(answered.setting("Authorization", build({k: v for k, v in params.items() if v}))).outcome


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({"username": "nobody"}, CredentialCheck.UNKNOWN_USER),
        ({"response": "0" * 64}, CredentialCheck.WRONG_PASSWORD),
        ({"algorithm": "MD5"}, CredentialCheck.WRONG_ALGORITHM),
        ({"algorithm": ""}, CredentialCheck.WRONG_ALGORITHM),
        ({"qop": ""}, CredentialCheck.WRONG_QOP),
        ({"qop": "auth-int"}, CredentialCheck.WRONG_QOP),
        ({"nc": "1"}, CredentialCheck.MALFORMED),
        ({"nc": "00000002"}, CredentialCheck.WRONG_PASSWORD),
        ({"uri": "sip:elsewhere"}, CredentialCheck.WRONG_URI),
        ({"realm": "other"}, CredentialCheck.MISSING),
        ({"nonce": ""}, CredentialCheck.MALFORMED),
    ],
)
def test_nothing_is_taken_on_the_clients_word(changes: dict[str, str], outcome: CredentialCheck) -> None:
    assert tampered(**changes) is outcome


def test_a_wrong_password_is_tried_once() -> None:
    server = DigestServer("example.com", PASSWORDS.get)
    client = DigestClient(Credentials("agent", "wrong"))
    first = client.answer(REQUEST, Response.to_request(REQUEST, 401, headers=[server.challenge()]))
    assert first is not None
    checked = server.verify(first)
    assert (checked.outcome, checked.stale) == (CredentialCheck.WRONG_PASSWORD, False)
    again = Response.to_request(first, 401, headers=[server.challenge(stale=checked.stale)])
    assert client.answer(first, again) is None


def test_a_replayed_request_is_refused_and_the_next_count_taken() -> None:
    server = DigestServer("example.com", PASSWORDS.get)
    client = DigestClient(Credentials("agent", PASSWORDS["agent"]))
    first = client.answer(REQUEST, Response.to_request(REQUEST, 401, headers=[server.challenge()]))
    assert first is not None
    assert server.verify(first).accepted
    replayed = server.verify(first)
    assert (replayed.outcome, replayed.stale) == (CredentialCheck.REPLAYED, True)
    second = client.again(REQUEST)
    assert parse(second.get("Authorization") or "")["nc"] == "00000002"
    assert server.verify(second).accepted


def test_an_old_nonce_is_stale_and_answered_anew() -> None:
    clock = Clock()
    server = DigestServer("example.com", PASSWORDS.get, lifetime=60, clock=clock)
    client = DigestClient(Credentials("agent", PASSWORDS["agent"]))
    first = client.answer(REQUEST, Response.to_request(REQUEST, 401, headers=[server.challenge()]))
    assert first is not None
    clock.now += 61
    checked = server.verify(first)
    assert (checked.outcome, checked.stale) == (CredentialCheck.STALE, True)
    again = client.answer(first, Response.to_request(first, 401, headers=[server.challenge(stale=True)]))
    assert again is not None
    assert len(again.get_all("Authorization")) == 1
    assert server.verify(again).accepted


def test_the_strongest_challenge_understood_is_answered() -> None:
    challenges = [
        ("WWW-Authenticate", 'Digest realm="r", nonce="md5", algorithm=MD5, qop="auth"'),
        ("WWW-Authenticate", 'Digest realm="r", nonce="sha", algorithm=SHA-256, qop="auth,auth-int"'),
        ("WWW-Authenticate", 'Digest realm="r", nonce="new", algorithm=SHA3-512, qop="auth"'),
        ("WWW-Authenticate", "NoOneKnowsThisScheme opaque-data=here"),
    ]
    client = DigestClient(Credentials("a", "b"))
    answered = client.answer(REQUEST, Response.to_request(REQUEST, 401, headers=challenges))
    assert answered is not None
    assert parse(answered.get("Authorization") or "")["nonce"] == "sha"
    assert client.answer(REQUEST, Response.to_request(REQUEST, 401, headers=challenges[2:])) is None


def test_opaque_is_returned_and_legacy_servers_are_answered() -> None:
    headers = [("WWW-Authenticate", 'Digest realm="r", nonce="n", opaque="o\\"p"')]
    answered = DigestClient(Credentials("a", "b")).answer(REQUEST, Response.to_request(REQUEST, 401, headers=headers))
    assert answered is not None
    params = parse(answered.get("Authorization") or "")
    assert params["opaque"] == 'o"p'
    assert not params.keys() & {"qop", "nc", "cnonce", "algorithm"}


def test_no_password_is_ever_shown() -> None:
    assert "hunter2" not in repr(Credentials("a", "hunter2"))


@pytest.mark.parametrize("text", ["Basic abc", "Digest", 'Digest realm="x', "Digest realm"])
def test_what_is_no_digest(text: str) -> None:
    if text == "Digest":
        assert parse(text) == {}
    else:
        with pytest.raises(SipSyntaxError):
            parse(text)
