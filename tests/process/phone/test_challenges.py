"""Softphones give an answer to a digest challenge in their own realm alone, and to no weaker
algorithm than they may.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.case.checks import dialog
from harness.case.events import Event, PasswordWithheld, RegistrationState
from harness.phone import TlsConfig
from harness.phone.phone import Phone
from harness.phone.waiter import NeverCame
from harness.scenario.case_phones import send_options
from harness.sip.digest import DigestServer, parse
from harness.sip.message import Request, Response
from tests.loopback import fresh_address
from tests.process.phone.conftest import Authority, Desk
from tests.stranger import Stranger, answer_over_tls, talking


def challenges(
    stranger: Stranger, request: Request, *offered: tuple[str, str], proxy: bool = False
) -> None:
    name = "Proxy-Authenticate" if proxy else "WWW-Authenticate"
    headers = [
        (name, f'Digest realm="{realm}", nonce="n", algorithm={algorithm}, qop="auth"')
        for realm, algorithm in offered
    ]
    stranger.respond(request, 407 if proxy else 401, headers)


def registers(
    phone: Phone, stranger: Stranger, offers: Sequence[tuple[str, str]]
) -> list[tuple[str, str]]:
    """The realm and algorithm of each answer to these challenges; the registrar then refuses for
    good.
    """
    asking = threading.Thread(target=phone.register, args=(10.0,))
    asking.start()
    first = stranger.request("REGISTER")
    challenges(stranger, first, *offers)
    found: list[tuple[str, str]] = []
    over = False
    while not over:  # it ends with what the phone made of the challenge, or of the refusal
        ended, answer = not asking.is_alive(), stranger.next(0.05)
        over = ended and answer is None
        if isinstance(answer, Request) and answer.via.branch != first.via.branch:
            found = [
                (p["realm"], p["algorithm"]) for p in map(parse, answer.get_all("Authorization"))
            ]
            stranger.respond(answer, 403)
    asking.join()
    return found


def lease_for(lease: Desk, stranger: Stranger, **options: str) -> Phone:
    return lease(
        "caller",
        registrar=stranger.address,
        proxy=stranger.address,
        username="a",
        password="b",
        **options,
    )


@pytest.mark.parametrize("order", [("MD5", "SHA-256"), ("SHA-256", "MD5")])
def test_sha_256_is_taken_in_whatever_order_and_nothing_weaker_afterwards(
    lease: Desk, stranger: Stranger, order: tuple[str, ...]
) -> None:
    phone = lease_for(lease, stranger)
    assert registers(phone, stranger, [("acme", name) for name in order]) == [("acme", "SHA-256")]
    assert registers(phone, stranger, [("acme", "MD5")]) == []
    state = [event for event in phone.events if isinstance(event, RegistrationState)][-1]
    assert (state.active, state.code) == (False, 401)
    withheld = [event for event in phone.events if isinstance(event, PasswordWithheld)][-1]
    assert withheld.rule == "stronger algorithm"


@pytest.mark.parametrize(("realm", "algorithm"), [("another", "MD5"), ("acme", "SHA-256")])
def test_nothing_is_learnt_of_a_challenge_to_what_was_not_asked(
    lease: Desk, stranger: Stranger, realm: str, algorithm: str
) -> None:
    """Anybody can send one; the realm that asks first would be his, or the platform's own challenge
    the weaker one.
    """
    phone = lease_for(lease, stranger)
    forged = (
        f"SIP/2.0 401 Unauthorized\r\nVia: SIP/2.0/UDP {phone.address};branch=z9hG4bK1\r\nFrom: <sip:a@x>;tag=1\r\n"
        f"To: <sip:a@x>;tag=2\r\nCall-ID: forged-{realm}\r\nCSeq: 1 REGISTER\r\nContent-Length: 0\r\n"
        f'WWW-Authenticate: Digest realm="{realm}", nonce="n", algorithm={algorithm}, qop="auth"\r\n\r\n'
    )
    with contextlib.closing(Stranger(fresh_address())) as other:
        other.sends(phone, forged)
    assert registers(phone, stranger, [("acme", "MD5")]) == [("acme", "MD5")]
    assert not any(isinstance(event, PasswordWithheld) for event in phone.events)


def test_whoever_is_called_gets_no_answer_after_the_proxy_has(
    lease: Desk, stranger: Stranger
) -> None:
    phone = lease_for(lease, stranger)
    for realm in ("acme", "callee"):
        leg = phone.dial("sip:7001@example.com")
        invite = stranger.request("INVITE")
        challenges(stranger, invite, (realm, "MD5"), proxy=realm == "acme")
        stranger.request("ACK")
        if realm == "acme":
            answer = stranger.request("INVITE")
            assert parse(answer.get("Proxy-Authorization") or "")["realm"] == "acme"
            stranger.respond(answer, 480)
            assert leg.wait_state("disconnected", 10).code == 480
        else:
            with pytest.raises(
                NeverCame,
                match=r"401 .*; no password was sent: its realm is callee, and acme asked first",
            ):
                leg.wait_state("early", 10)


def test_a_bye_that_is_challenged_is_sent_again(lease: Desk, stranger: Stranger) -> None:
    phone = lease("agent", username="a", password="b")
    leg, _ = talking(phone, stranger)
    leg.hangup()
    challenges(stranger, stranger.request("BYE"), ("acme", "MD5"), proxy=True)
    again = stranger.request("BYE")
    assert parse(again.get("Proxy-Authorization") or "")["realm"] == "acme"
    stranger.respond(again, 200)

    def is_answered(_: Event) -> bool:
        answer = dialog.answer_to_bye(leg.messages)
        return answer is not None and answer.status == 200

    leg.wait("the answer to its BYE", is_answered, 10, outlives_call=True)


def challenges_over_tls(
    listening: socket.socket, tls: TlsConfig, realm: str, got: list[Request]
) -> None:
    """Challenge the first request of the one connection that comes, and refuse what comes behind
    it.
    """

    def answer(request: Request) -> Response:
        challenge = (
            "WWW-Authenticate",
            f'Digest realm="{realm}", nonce="n", algorithm=MD5, qop="auth"',
        )
        response = Response.to_request(
            request, 403 if got else 401, tag="t", headers=() if got else (challenge,)
        )
        got.append(request)
        return response

    answer_over_tls(listening.accept()[0], tls, answer)


@pytest.mark.parametrize("realm", ["acme", "evil"])
def test_over_tls_a_realm_is_the_only_one_as_well(
    lease: Desk, authority: Authority, realm: str
) -> None:
    """A phone without a certificate names the port of its connection in its Via, and not that of a
    listener.
    """
    host, got = fresh_address(), list[Request]()
    with socket.create_server((host, 0)) as listening:
        address = f"{host}:{listening.getsockname()[1]}"
        registrar = threading.Thread(
            target=challenges_over_tls, args=(listening, authority.server(host), realm, got)
        )
        registrar.start()
        settings = {"registrar": address, "username": "a", "password": "b", "realm": "acme"}
        phone = lease(
            "caller", transport="tls", tls=TlsConfig(ca_file=authority.ca_file), **settings
        )
        assert phone.register(10.0).code == (403 if realm == "acme" else 401)
        phone.release()
        registrar.join()
    shown = [parse(value)["realm"] for request in got for value in request.get_all("Authorization")]
    assert shown == ["acme"] * (realm == "acme")
    assert any(isinstance(event, PasswordWithheld) for event in phone.events) is (realm == "evil")


@pytest.mark.parametrize(
    ("password", "expected"),
    [("b", (200, "OK")), ("not-it", (401, "Unauthorized")), (None, (401, "Unauthorized"))],
)
def test_a_challenge_to_options_is_answered(
    lease: Desk, stranger: Stranger, password: str | None, expected: tuple[int, str]
) -> None:
    """RFC 3261 sections 11 and 22."""
    known = {"username": "a", "password": password} if password else {}
    phone = lease("agent", **known)
    server = DigestServer("acme", {"a": "b"}.get)
    with ThreadPoolExecutor(1) as threads:
        asked = threads.submit(send_options, phone, f"sip:{stranger.address}")
        while not asked.done():
            request = stranger.next(0.05)
            if not isinstance(request, Request):
                continue
            if server.verify(request).accepted:
                stranger.respond(request, 200)
            else:
                stranger.respond(request, 401, [server.challenge()])
    assert asked.result() == expected
