"""The digest server's challenge as it goes out, its nonces' life, and credentials next to what it takes; a stream's limits."""

from __future__ import annotations

import pytest

from harness.sip.digest import CredentialCheck, Credentials, DigestClient, DigestServer, build, parse
from harness.sip.framing import MOST_BODY, MOST_HEAD, FramingError, StreamFramer
from harness.sip.message import Request, Response
from tests.unit.sip.digest_request import PASSWORDS, REQUEST, Clock

AGENT = Credentials("agent", PASSWORDS["agent"])


def answered(server: DigestServer, client: DigestClient, request: Request = REQUEST) -> Request:
    found = client.answer(request, Response.to_request(request, server.status, headers=[server.challenge()]))
    assert found is not None
    return found


@pytest.mark.parametrize(("proxy", "status", "header"), [(False, 401, "WWW-"), (True, 407, "Proxy-")])
def test_a_challenge_has_its_status_its_header_and_qop_as_a_quoted_list(proxy: bool, status: int, header: str) -> None:
    server = DigestServer("example.com", PASSWORDS.get, proxy=proxy)
    name, value = server.challenge()
    assert (server.status, name) == (status, f"{header}Authenticate")
    params = parse(value)
    nonce = params["nonce"]
    assert len(nonce) == 32
    assert value == f'Digest realm="example.com", nonce="{nonce}", algorithm=MD5, qop="auth"'
    assert server.challenge(stale=True)[1].endswith(", stale=true")


def test_credentials_have_qop_as_a_token_and_a_cnonce_of_their_own() -> None:
    value = answered(DigestServer("example.com", PASSWORDS.get), DigestClient(AGENT)).get("Authorization") or ""
    assert ", qop=auth, nc=00000001, " in value
    assert len(parse(value)["cnonce"]) == 16
    assert build({"qop": "auth", "nc": "00000001"}) == "Digest qop=auth, nc=00000001"


def test_a_session_algorithm_needs_a_cnonce_without_qop() -> None:
    headers = [("WWW-Authenticate", 'Digest realm="r", nonce="n", algorithm=MD5-sess')]
    found = DigestClient(AGENT).answer(REQUEST, Response.to_request(REQUEST, 401, headers=headers))
    assert found is not None
    params = parse(found.get("Authorization") or "")
    assert len(params["cnonce"]) == 16
    assert "nc" not in params


@pytest.mark.parametrize(("after", "outcome"), [(300.0, CredentialCheck.ACCEPTED), (300.5, CredentialCheck.STALE)])
def test_a_nonce_lives_five_minutes(after: float, outcome: CredentialCheck) -> None:
    clock = Clock()
    server = DigestServer("example.com", PASSWORDS.get, clock=clock)
    found = answered(server, DigestClient(AGENT))
    clock.now += after
    assert server.verify(found).outcome is outcome


def test_a_challenge_forgets_the_nonces_that_are_over_and_no_others() -> None:
    clock = Clock()
    server = DigestServer("example.com", PASSWORDS.get, lifetime=60, clock=clock)
    server.challenge()
    clock.now += 60
    server.challenge()
    assert len(server._nonces) == 2
    clock.now += 1
    server.challenge()
    assert len(server._nonces) == 2


def test_counts_are_hexadecimal() -> None:
    server, client = DigestServer("example.com", PASSWORDS.get), DigestClient(AGENT)
    assert server.verify(answered(server, client)).accepted
    for _ in range(16):
        again = client.again(REQUEST)
        assert server.verify(again).accepted
    assert parse(again.get("Authorization") or "")["nc"] == "00000011"
    assert {count for _, used in server._nonces.values() for count in used} == set(range(1, 18))


@pytest.mark.parametrize("missing", ["cnonce", "nc"])
def test_qop_needs_both_count_and_cnonce(missing: str) -> None:
    server = DigestServer("example.com", PASSWORDS.get)
    found = answered(server, DigestClient(AGENT))
    params = parse(found.get("Authorization") or "")
    del params[missing]
    assert server.verify(found.setting("Authorization", build(params))).outcome is CredentialCheck.WRONG_QOP


def test_credentials_for_one_realm_answer_no_other_and_pass_over_what_is_no_digest() -> None:
    ours = Credentials("agent", PASSWORDS["agent"], realm="ours")
    others = ("WWW-Authenticate", 'Digest realm="others", nonce="x", qop="auth"')
    nonsense = ("WWW-Authenticate", "Digest what is this")
    mine = ("WWW-Authenticate", 'Digest realm="ours", nonce="y", qop="auth"')
    client = DigestClient(ours)
    assert client.answer(REQUEST, Response.to_request(REQUEST, 401, headers=[others])) is None
    found = client.answer(REQUEST, Response.to_request(REQUEST, 401, headers=[nonsense, others, mine]))
    assert found is not None
    assert parse(found.get("Authorization") or "")["nonce"] == "y"


def test_a_challenge_whose_protection_nobody_here_has_is_not_answered() -> None:
    headers = [("WWW-Authenticate", 'Digest realm="r", nonce="n", qop="token"')]
    assert DigestClient(AGENT).answer(REQUEST, Response.to_request(REQUEST, 401, headers=headers)) is None


def test_a_server_finds_its_credentials_behind_others_and_behind_nonsense() -> None:
    server = DigestServer("example.com", PASSWORDS.get)
    found = answered(server, DigestClient(AGENT))
    mine = found.get("Authorization") or ""
    several = found.without("Authorization")
    for value in ("Digest what is this", 'Digest realm="others", username="x"', mine):
        several = several.adding("Authorization", value)
    assert server.verify(several).accepted


def head(length: int, body: int = 0) -> bytes:
    """A head of so many bytes, its empty line not counted."""
    start = f"OPTIONS sip:x SIP/2.0\r\nContent-Length: {body}\r\nX: ".encode()
    return start + b"a" * (length - len(start)) + b"\r\n\r\n"


def test_a_head_may_be_64_kb_while_it_comes() -> None:
    assert MOST_HEAD == 65_536
    framer = StreamFramer()
    assert list(framer.feed(head(MOST_HEAD)[:-4])) == []
    assert len(list(framer.feed(b"\r\n\r\n"))) == 1
    with pytest.raises(FramingError, match="more than 65536 bytes"):
        list(StreamFramer().feed(head(MOST_HEAD + 1)[:-4]))


def test_a_body_may_be_a_megabyte() -> None:
    assert MOST_BODY == 1_048_576
    framer = StreamFramer()
    assert list(framer.feed(head(100, MOST_BODY))) == []
    assert len(list(framer.feed(b"b" * MOST_BODY))) == 1
    with pytest.raises(FramingError, match="unusable Content-Length: b'1048577'"):
        list(StreamFramer().feed(head(100, MOST_BODY + 1)))


def test_a_long_content_length_is_shown_in_part() -> None:
    with pytest.raises(FramingError) as told:
        list(StreamFramer().feed(b"OPTIONS sip:x SIP/2.0\r\nContent-Length: " + b"9" * 40 + b"\r\n\r\n"))
    assert str(told.value) == f"unusable Content-Length: b'{'9' * 20}'"
