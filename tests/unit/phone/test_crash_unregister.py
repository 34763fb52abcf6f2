"""The registration of a phone whose process is gone: what its REGISTER says, and who gets its password."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from harness.calls.events import RegistrationState, SipMessage, to_values
from harness.phone.config import PhoneConfig
from harness.phone.crash_unregister import Registrations, unregister
from tests.loopback import fresh_address
from tests.sip_peer import SipPeer
from tests.unit.phone_events import sip_message

PASSWORD = "correct-horse-battery"


@pytest.fixture
def registrar() -> Iterator[SipPeer]:
    with contextlib.closing(SipPeer(fresh_address())) as peer:
        yield peer


def config(host: str, realm: str = "") -> PhoneConfig:
    return PhoneConfig("desk", "a", "example.com", bind_address=host, username="a", password=PASSWORD, realm=realm)


def asked(host: str, registrar: str, shown: str = "", contact: str = "", expires: str = "300") -> SipMessage:
    """The REGISTER of a phone at ``host``, with the credentials ``shown``."""
    text = (
        "REGISTER sip:example.com SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP {host}:40001;rport;branch=z9hG4bKold\r\n"
        "From: <sip:a@example.com>;tag=f\r\nTo: <sip:a@example.com>\r\nCall-ID: r1\r\nCSeq: 7 REGISTER\r\n"
        f"Contact: {contact or f'<sip:a@{host}:40001>'}\r\nExpires: {expires}\r\n"
        f"{shown}Content-Length: 0\r\n\r\n"
    )
    return replace(sip_message("sent", text, leg="desk", local=f"{host}:40001", remote=registrar), leg=None)


def told(phone: int, *events: SipMessage | RegistrationState) -> Registrations:
    found = Registrations()
    found.added(phone, config("127.0.0.1").to_plain())
    found.take(phone, [to_values(event) for event in events])
    return found


def state(active: bool, code: int = 200) -> RegistrationState:
    return RegistrationState(at=1.0, phone="desk", code=code, reason="", expires=300 if active else 0, active=active)


def test_it_is_the_next_register_of_the_same_binding_for_no_time_at_all(registrar: SipPeer) -> None:
    host = fresh_address()
    register = asked(host, registrar.address, contact=f'"Desk" <sip:a@{host}:40001;ob>;expires=300;q=0.5')
    noted: list[SipMessage] = []
    with ThreadPoolExecutor(1) as threads:
        done = threads.submit(unregister, config(host), register, noted.append)
        request = registrar.request("REGISTER")
        registrar.respond(request, 200)
        assert done.result()
    assert (request.call_id, request.cseq.number, request.from_.tag) == ("r1", 8, "f")
    assert request.get_all("Contact") == [f'"Desk" <sip:a@{host}:40001;ob>;q=0.5']
    assert request.get_all("Expires") == ["0"]
    assert request.via.branch not in (None, "z9hG4bKold")
    assert registrar.peer == (host, 40001), "a registrar may know its phones by where they come from"
    assert [(event.direction, event.phone, event.leg) for event in noted] == [
        ("sent", "desk", None),
        ("received", "desk", None),
    ]


@pytest.mark.parametrize(
    ("configured", "shown", "asks", "is_answered"),
    [
        ("acme", "", "acme", True),
        ("acme", "", "stranger", False),
        ("", "acme", "acme", True),
        ("", "acme", "stranger", False),
        ("", "", "anybody", True),
        ("*", "acme", "stranger", True),
    ],
)
def test_its_password_answers_the_realm_alone_that_the_phones_did(
    registrar: SipPeer, configured: str, shown: str, asks: str, is_answered: bool
) -> None:
    host = fresh_address()
    header = f'Authorization: Digest username="a", realm="{shown}", nonce="old", response="0"\r\n' if shown else ""
    register = asked(host, registrar.address, header)
    with ThreadPoolExecutor(1) as threads:
        done = threads.submit(unregister, config(host, configured), register, lambda _: None)
        first = registrar.request("REGISTER")
        assert not first.has("Authorization"), "its nonce is used up"
        registrar.respond(first, 401, [("WWW-Authenticate", f'Digest realm="{asks}", nonce="new"')])
        if is_answered:
            again = registrar.request("REGISTER")
            assert 'nonce="new"' in str(again.get("Authorization"))
            assert again.cseq.number == first.cseq.number + 1
            registrar.respond(again, 200)
        assert done.result() is is_answered


def test_a_refusal_is_no_end_of_it(registrar: SipPeer) -> None:
    host = fresh_address()
    with ThreadPoolExecutor(1) as threads:
        done = threads.submit(unregister, config(host), asked(host, registrar.address), lambda _: None)
        registrar.respond(registrar.request("REGISTER"), 500)
        assert not done.result()


def test_what_is_no_register_is_given_up() -> None:
    host = fresh_address()
    cut_off = sip_message("sent", "REGISTER sip:example.com SIP/2.0\r\nVia: SIP", local=f"{host}:1", remote=host)
    assert not unregister(config(host), cut_off, lambda _: None)


@pytest.mark.parametrize(
    ("events", "is_left"),
    [
        ([], True),  # a registrar may have it, though its answer has not come
        ([state(True)], True),
        ([state(False, 403)], False),
        ([state(True), state(False)], False),
    ],
)
def test_only_what_may_still_be_there_is_given_back(
    registrar: SipPeer, events: list[RegistrationState], is_left: bool
) -> None:
    host = fresh_address()
    left = told(3, asked(host, registrar.address), *events)
    left.added(3, config(host).to_plain())
    noted: list[tuple[int, SipMessage]] = []
    with ThreadPoolExecutor(1) as threads:
        done = threads.submit(left.withdraw, lambda phone, message: noted.append((phone, message)))
        if is_left:
            registrar.respond(registrar.request("REGISTER"), 200)
        done.result()
    assert [phone for phone, _ in noted] == [3, 3] * is_left


def test_a_phone_that_has_left_has_given_its_own_back() -> None:
    host = fresh_address()
    left = told(3, asked(host, f"{host}:9"), state(True))
    left.removed(3)
    noted: list[int] = []
    left.withdraw(lambda phone, message: noted.append(phone))
    assert not noted
