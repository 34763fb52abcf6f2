"""Requests that cannot be sent, and whom a client trusts."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import ssl
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness import http_client
from harness.http_client import HttpClient, HttpError
from harness.simulation.pki import Authority
from tests.unit.far_end.conftest import Web, answer, listening, serving


@pytest.fixture
def client() -> Iterator[HttpClient]:
    made = HttpClient(verify=False)
    yield made
    made.close()


@pytest.mark.parametrize("value", ["tök", "half\ud800", "two\nlines", "a\0"])
@pytest.mark.parametrize("where", ["client", "request"])
def test_a_header_that_cannot_be_sent_is_not_shown(value: str, where: str) -> None:
    headers = {"Authorization": f"Bearer {value}"}
    client = HttpClient(verify=False, headers=headers if where == "client" else None)
    with serving(Web([answer("200 OK")])) as web, pytest.raises(HttpError) as caught:
        client.request("GET", web.base, 30.0, headers=headers if where == "request" else None)
    client.close()
    assert (caught.value.trouble, str(caught.value)) == ("unusable", "a header of the request cannot be sent")
    assert web.requests == []


def test_a_requests_header_is_sent_in_the_clients_stead() -> None:
    client = HttpClient(verify=False, headers={"X-A": "client", "X-B": "client"})
    with serving(Web([answer("200 OK")])) as web:
        assert client.request("GET", web.base, 30.0, headers={"X-A": "request"}).is_success
    client.close()
    lines = web.requests[0].lower().split(b"\r\n")
    assert {b"x-a: request", b"x-b: client", b"accept-encoding: identity"} <= set(lines)


@pytest.mark.parametrize("url", ["http://127.0.0.1:70000/", "http://[::zz]/", "http:///x", "ftp://127.0.0.1/", "x"])
def test_a_url_that_nobody_can_be_asked_by(client: HttpClient, url: str) -> None:
    with pytest.raises(HttpError) as caught:
        client.request("GET", url, 30.0)
    assert caught.value.trouble == "unusable"


@pytest.mark.parametrize("trusted", ["nobody", "by the system", "by a file"])
def test_whom_a_client_trusts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trusted: str) -> None:
    authority = Authority(tmp_path / "ca")
    certificate = authority.issue("web", ["127.0.0.1"])
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate.certificate, certificate.key)
    if trusted == "by the system":  # OpenSSL's own variable for its list
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.ca_file))
        monkeypatch.setattr(http_client, "_system_trust", ssl.create_default_context)  # not what was read before
    client = HttpClient(ssl.create_default_context(cafile=authority.ca_file) if trusted == "by a file" else True)

    def serve(connection: socket.socket, _ended: threading.Event) -> None:
        try:
            with context.wrap_socket(connection, server_side=True) as secured:
                secured.recv(65536)
                secured.sendall(answer("200 OK"))
        except OSError:
            return

    with listening(serve) as base:
        url = base.replace("http:", "https:")
        if trusted == "nobody":
            with pytest.raises(HttpError, match="CERTIFICATE_VERIFY_FAILED") as caught:
                client.request("GET", url, 30.0)
            assert caught.value.trouble == "refused"
        else:
            assert client.request("GET", url, 30.0).is_success
    client.close()


class StoppedError(Exception):
    """Raised by a signal's handler, as that of a run's watch is."""


def test_who_stops_waiting_asks_no_further(client: HttpClient) -> None:
    ended, here = threading.Event(), threading.get_ident()

    async def asked() -> None:
        while sys._current_frames()[here].f_code.co_filename != threading.__file__:  # it does not wait yet
            pass
        os.kill(os.getpid(), signal.SIGUSR1)
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    def stop(*_: object) -> None:
        raise StoppedError

    before = signal.signal(signal.SIGUSR1, stop)
    try:
        with pytest.raises(StoppedError):
            client.wait(asked())
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert ended.wait(10)
