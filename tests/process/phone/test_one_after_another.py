"""Phones that follow each other at once, in one process and at one address, as those of cases do."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
from collections.abc import Iterator

import pytest

from harness.phone import TlsConfig
from harness.sip.message import Request, Response
from tests.loopback import fresh_address
from tests.process.phone.conftest import Authority, Desk
from tests.stranger import answer_over_tls, invite_over_tcp

#: Each opens two sockets, of which pjlib has 64, and keeps the places of closed ones for half a
#: second.
_PHONES = 40


@pytest.fixture
def registrar(authority: Authority) -> Iterator[tuple[str, list[int]]]:
    """Refuses all over TLS, on however many connections; its address, and the number of each
    request's connection.
    """
    host, came, numbers = fresh_address(), list[int](), itertools.count()
    tls = authority.server(host)

    def refuse(plain: socket.socket) -> None:
        number = next(numbers)

        def answer(request: Request) -> Response:
            came.append(number)
            return Response.to_request(request, 403, tag="t")

        with contextlib.suppress(OSError):
            answer_over_tls(plain, tls, answer)

    def accept(listening: socket.socket) -> None:
        with contextlib.suppress(OSError):  # it is shut down
            while True:
                threading.Thread(target=refuse, args=(listening.accept()[0],)).start()

    with socket.create_server((host, 0)) as listening:
        accepts = threading.Thread(target=accept, args=(listening,))
        accepts.start()
        yield "{}:{}".format(*listening.getsockname()), came
        listening.shutdown(socket.SHUT_RDWR)
        accepts.join()


@pytest.mark.parametrize("has_certificate", [True, False])
def test_each_has_a_connection_of_its_own(
    lease: Desk, authority: Authority, registrar: tuple[str, list[int]], has_certificate: bool
) -> None:
    """One that the phone before has left is closed, though pjsip may take the new listener for the
    old one.
    """
    address, came = registrar
    here = fresh_address()
    tls = authority.server(here) if has_certificate else TlsConfig(ca_file=authority.ca_file)
    for _ in range(_PHONES):
        phone = lease(
            "caller",
            transport="tls",
            tls=tls,
            bind_address=here,
            registrar=address,
            username="a",
            password="b",
        )
        assert phone.register(10.0).code == 403
        phone.release()
    assert len(set(came)) == len(came) == _PHONES


@pytest.mark.parametrize(
    "place", [{}, {"bind_address": "0.0.0.0"}, {"public_address": "203.0.113.5"}]
)  # RFC 5737
def test_a_connection_that_a_phone_has_accepted_goes_with_it(
    lease: Desk, place: dict[str, str]
) -> None:
    """pjsip would keep it for as long as it waits for the ACK of a refusal, 32 s (RFC 3261 section
    17.2.1, timer H).
    """
    here = fresh_address()
    phone = lease("callee", transport="tcp", **{"bind_address": here} | place)
    with invite_over_tcp(phone, (here, int(phone.address.rpartition(":")[2]))) as caller:
        phone.expect_call(10, answer=None)
        phone.release()
        while caller.recv(4096):
            pass
