"""Registration with digest, its refusals, its refreshes, and what is kept between two leases."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from harness.sip.framing import StreamFramer
from harness.sip.message import Message, Request, Response
from tests.loopback import fresh_address
from tests.process.phone.conftest import Desk, connect, hears, told
from tests.registrar import PASSWORD, Registrar
from tests.stranger import Stranger, talking


@pytest.fixture
def registrar() -> Iterator[Registrar]:
    registrar = Registrar(fresh_address())
    yield registrar
    registrar.close()


@pytest.mark.parametrize("behind", [True, False])
def test_a_register_asks_for_the_domain_that_its_proxy_serves(
    own: Desk, registrar: Registrar, behind: bool
) -> None:
    """As its calls do. For another domain a registrar has to refuse the address of record (RFC 3261
    section 10.3 step 5).
    """
    domain = "example.com" if behind else registrar.address.partition(":")[0]
    way = {"proxy": registrar.address, "registrar": registrar.address}
    alice = own("alice", domain=domain, **way, username="alice", password=PASSWORD)
    assert alice.register().active
    alice.release()
    assert [request.get("Expires") for request in registrar.requests][-1] == "0"
    asked = {request.request_uri for request in registrar.requests}
    assert asked == {"sip:example.com" if behind else f"sip:{registrar.address}"}
    assert {request.to.uri.host for request in registrar.requests} == {domain}
    assert not any(request.has("Route") for request in registrar.requests)


@pytest.mark.parametrize("call_up", [False, True])
def test_a_registrar_that_is_mute_from_the_refresh_on_keeps_nobody_from_giving_the_phone_back(
    own: Desk, registrar: Registrar, call_up: bool
) -> None:
    """pjsip sends no REGISTER while another waits for its answer, up to 32 s (RFC 3261 section
    17.1.2.2).
    """
    registrar.grants = "9"  # refreshed after five
    alice = own("alice", registrar=registrar.address, username="alice", password=PASSWORD)
    alice.register()
    registrar.mute, seen = True, len(registrar.requests)
    bob = own("bob")
    if call_up:
        connect(alice, bob)
    registrar.until("300", since=seen)
    alice.release()
    told(bob)
    assert alice.process is bob.process
    assert bob.process.lost is None


def test_a_registered_phone_keeps_the_way_to_it_open(own: Desk, registrar: Registrar) -> None:
    """A router may forget who has sent nothing for half a minute, and a call would find nobody (RFC
    4787 section 4.3).
    """
    alice = own(
        "alice", registrar=registrar.address, username="alice", password=PASSWORD, keep_alive_s=2
    )
    alice.register()
    registrar.until_pinged(2)
    bob = own("bob")
    alice.release()
    told(bob)
    assert alice.process is bob.process
    assert bob.process.lost is None


def test_no_registrar_has_itself_flooded(own: Desk, registrar: Registrar) -> None:
    """pjsip waits for nothing between the pings of a Flow-Timer (RFC 5626 section 4.4) of one
    second: 40,000 a second.
    """
    registrar.more = [("Flow-Timer", "1")]
    alice = own("alice", registrar=registrar.address, username="alice", password=PASSWORD)
    alice.register()
    out, back = connect(alice, own("bob"))
    hears(out, back)
    assert registrar.pings == []


def registers(connection: socket.socket) -> str:
    """Answer the REGISTER that comes over a connection; its Expires."""
    framer, whole = StreamFramer(), list[bytes]()
    while not whole:
        data = connection.recv(65536)
        assert data, "no REGISTER came"
        whole = [raw for raw in framer.feed(data) if raw.strip()]
    request = Message.parse(whole[0])
    assert isinstance(request, Request)
    expires = request.get("Expires") or ""
    headers = [("Contact", f"{request.contact};expires={expires}")] if expires != "0" else []
    connection.sendall(Response.to_request(request, 200, tag="r", headers=headers).serialize())
    return expires


def test_a_phone_whose_connection_is_closed_registers_over_another(own: Desk) -> None:
    """Its calls would come over the one that is gone: an SBC may know no other way to it (RFC 5626
    section 4.3).
    """
    with socket.create_server((fresh_address(), 0)) as listener:
        listener.settimeout(20)
        address = "{}:{}".format(*listener.getsockname())
        alice = own("alice", transport="tcp", proxy=address, registrar=address)
        alice.command("register", phone=alice.key)
        for _ in range(2):
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(20)
                assert registers(connection) == "300"
        connection, _ = listener.accept()
        with connection, ThreadPoolExecutor(1) as threads:
            connection.settimeout(20)
            assert registers(connection) == "300"
            released = threads.submit(alice.release)
            assert registers(connection) == "0"
            released.result()


@pytest.mark.parametrize("whose", ["the phone that was kept", "another"])
def test_who_comes_next_has_all_its_calls_though_nobody_answers_the_last_ones_bye(
    own: Desk, registrar: Registrar, stranger: Stranger, whose: str
) -> None:
    """pjsua keeps the place of such a call for 32 s (RFC 3261 section 17.1.2.2), in the process
    that keeps the registration, too.
    """
    account: dict[str, Any] = {
        "registrar": registrar.address,
        "username": "alice",
        "password": PASSWORD,
    }
    kept = own("alice", **account, max_calls=own.process_holds)
    kept.register()
    leg, _ = talking(kept, stranger)
    leg.hangup()
    kept.release(keep_registration=True)
    stranger.request("BYE")
    again = (
        own.of(kept.config)
        if whose == "the phone that was kept"
        else own("bob", max_calls=own.process_holds)
    )
    with contextlib.closing(Stranger(fresh_address())) as elsewhere:
        for _ in range(own.process_holds):
            again.dial(f"sip:1@{elsewhere.address}")
    assert again.process is not kept.process
