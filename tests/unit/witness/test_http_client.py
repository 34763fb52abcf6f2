"""What is sent and what is not, whom a client trusts, and what is told of an answer that is none."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from harness.errors import FarEndError
from harness.support.http_client import HttpClient, HttpError
from harness.witness.synthflow import SynthflowApi
from harness.world.pki import Authority
from tests.unit.witness.conftest import Web, answer, listening, serving


def ready() -> AbstractContextManager[Web]:
    """A server that answers."""
    return serving(Web([answer("200 OK")]))


@pytest.fixture
def client() -> Iterator[HttpClient]:
    made = HttpClient()
    yield made
    made.close()


@pytest.mark.parametrize("value", ["tök", "two\nlines"])
@pytest.mark.parametrize("where", ["client", "request"])
def test_a_header_that_cannot_be_sent_is_not_shown(value: str, where: str) -> None:
    headers = {"Authorization": f"Bearer {value}"}
    client = HttpClient(headers=headers if where == "client" else None)
    with ready() as web, pytest.raises(HttpError) as caught:
        client.request("GET", web.base, 30.0, headers=headers if where == "request" else None)
    client.close()
    assert (caught.value.trouble, str(caught.value)) == (
        "unusable",
        "a header of the request cannot be sent",
    )
    assert web.requests == []


def test_a_requests_header_is_sent_in_the_clients_stead() -> None:
    client = HttpClient(headers={"X-A": "client", "X-B": "client"})
    with ready() as web:
        assert client.request("GET", web.base, 30.0, headers={"X-A": "request"}).is_success
    client.close()
    lines = web.requests[0].lower().split(b"\r\n")
    assert {b"x-a: request", b"x-b: client", b"accept-encoding: identity"} <= set(lines)


@contextmanager
def secured(directory: Path) -> Iterator[tuple[str, str]]:
    """A server by TLS: its address, and the file of the authority that its certificate is by."""
    authority = Authority(directory / "ca")
    certificate = authority.issue("web", ["127.0.0.1"])
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate.certificate, certificate.key)

    def serve(connection: socket.socket, _ended: threading.Event) -> None:
        with suppress(OSError), context.wrap_socket(connection, server_side=True) as secured:
            while secured.recv(65536):
                secured.sendall(kept())

    with listening(serve) as base:
        yield base.replace("http:", "https:"), str(authority.ca_file)


def kept(*headers: str) -> bytes:
    """An answer whose connection is used again."""
    return answer("200 OK", "{}", *headers).replace(b"Connection: close\r\n", b"")


def in_a_process(text: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What a process says in which every warning is an error.

    Not in development mode: asyncio would tell of each step of 0.1 s, which a busy machine makes of
    any.
    """
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(text)]
    return subprocess.run(
        command,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_a_client_trusts_nobody_whom_the_system_does_not(
    client: HttpClient, tmp_path: Path
) -> None:
    with secured(tmp_path) as (url, _):
        with pytest.raises(HttpError, match=r"ConnectError: .*CERTIFICATE_VERIFY_FAILED") as caught:
            client.request("GET", url.replace("https", "HTTPS"), 30.0)
    assert caught.value.trouble == "refused"


@pytest.mark.parametrize("ends", ["client.close()", ""], ids=["closed", "not closed"])
def test_a_client_trusts_whom_the_system_does_and_ends_without_a_word(
    tmp_path: Path, ends: str
) -> None:
    with secured(tmp_path) as (url, authority):
        asked = f"""
            from harness.support.http_client import HttpClient

            client = HttpClient()
            for _ in range(2):
                assert client.request("GET", {url!r}, 30.0).is_success
            {ends}
        """
        done = in_a_process(asked, SSL_CERT_FILE=authority)  # OpenSSL's own variable for its list
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def head(client: HttpClient, path: str, **arguments: Any) -> list[str]:
    """The request that a server then has, by lines."""
    with ready() as web:
        client.request("GET", web.base + path, 30.0, **arguments)
    return (
        web.requests[0]
        .decode("ascii")
        .replace(web.base.removeprefix("http://"), "HOST")
        .split("\r\n")
    )


@pytest.mark.parametrize(
    ("path", "asked_for"),
    [
        ("", "/"),
        ("?a=1", "/?a=1"),
        ("/calls/..%2F..%2Fadmin%2Fdelete%3Fx%3D", "/calls/..%2F..%2Fadmin%2Fdelete%3Fx%3D"),
        ("/calls/a:b@c/./..;x=1,2/%7Eme/%2e", "/calls/a:b@c/./..;x=1,2/%7Eme/%2e"),
        (
            "/a b/ä/100%/%zz?q=a+b%20c&q=ä|&r=#part",
            "/a%20b/%C3%A4/100%25/%25zz?q=a+b%20c&q=%C3%A4%7C&r=",
        ),
    ],
)
def test_a_path_and_a_query_are_asked_for_as_they_stand(
    client: HttpClient, path: str, asked_for: str
) -> None:
    request, *lines = head(client, path)
    assert request == f"GET {asked_for} HTTP/1.1"
    assert "Host: HOST" in lines


def test_a_body_is_sent_as_it_is(client: HttpClient) -> None:
    with ready() as web:
        client.request("POST", web.base, 30.0, content="{grüße}")
        client.request("POST", web.base, 30.0, json={"a": "ü"})
    plain, told = (request.partition(b"\r\n\r\n") for request in web.requests)
    assert plain[2] == "{grüße}".encode()
    assert b"content-type" not in plain[0].lower()
    assert json.loads(told[2]) == {"a": "ü"}
    assert b"content-type: application/json" in told[0].lower()


def test_nothing_is_read_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("default login u password s3cret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with (
        serving(Web([answer("502 Bad Gateway")])) as proxy,
        ready() as web,
    ):
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.base)
        client = HttpClient()
        assert client.request("GET", web.base, 30.0).is_success
        client.close()
    assert proxy.requests == []
    assert b"authorization" not in web.requests[0].lower()


@pytest.mark.parametrize("said", ["GZIP", "utf-8, deflate"])
def test_a_coding_that_was_not_asked_for(client: HttpClient, said: str) -> None:
    coded = answer("200 OK", "{}", f"Content-Encoding: {said}")
    with serving(Web([coded])) as web, pytest.raises(HttpError, match="compressed"):
        client.request("GET", web.base, 30.0)


@pytest.mark.parametrize(
    "wrong",
    [
        None,  # the request itself, sent back
        b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\nContent-Length: 8\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000 + b"\r\n\r\n",
        b"",
    ],
)
def test_an_answer_that_is_none_says_nothing_of_the_request(
    client: HttpClient, wrong: bytes | None
) -> None:
    def serve(connection: socket.socket, _ended: threading.Event) -> None:
        request = connection.recv(65536)
        connection.sendall(request if wrong is None else wrong)

    with listening(serve) as base, pytest.raises(HttpError) as caught:
        client.request(
            "GET", f"{base}/?account=acme", 30.0, headers={"Authorization": "Bearer s3cret"}
        )
    assert caught.value.trouble == "unusable"
    said = str(caught.value)
    assert "s3cret" not in said
    assert "acme" not in said
    assert "\n" not in said
    assert len(said) < 300
    assert caught.value.__cause__ is caught.value.__context__ is None, "aiohttp's hold the request"


@contextmanager
def breaking_off() -> Iterator[tuple[str, list[bytes]]]:
    """A server that keeps its first connection, and closes it at the second request there; and what
    it was asked.
    """
    asked = list[bytes]()

    def serve(connection: socket.socket, _ended: threading.Event) -> None:
        first = not asked
        while received := connection.recv(65536):
            asked.append(received)
            if first and len(asked) > 1:
                return
            connection.sendall(kept())

    with listening(serve) as base:
        yield base, asked


def test_a_connection_is_kept_and_a_question_on_a_stale_one_asked_again() -> None:
    with breaking_off() as (base, asked):
        api = SynthflowApi(base, "t0ken")
        for _ in range(3):
            assert api.ask("GET", "/calls") == {}
        api.close()
    assert len(asked) == 4


def test_what_changes_something_is_sent_once() -> None:
    with breaking_off() as (base, asked):
        api = SynthflowApi(base, "t0ken")
        api.ask("POST", "/prepare_inbound", json={})
        with pytest.raises(FarEndError, match="closed without a whole answer"):
            api.ask("POST", "/prepare_inbound", json={})
        api.close()
    assert len(asked) == 2


class StoppedError(Exception):
    """Raised by a signal's handler, as that of a run's watch is."""


@pytest.mark.parametrize("reaches", ["who waits", "another thread"])
def test_who_stops_waiting_asks_no_further(client: HttpClient, reaches: str) -> None:
    """A signal that reaches another thread, or who is about to wait, does not end the wait itself."""
    ended, here = threading.Event(), threading.get_ident()

    async def asked() -> None:
        while (
            sys._current_frames()[here].f_code.co_filename != threading.__file__
        ):  # it does not wait yet
            pass
        signal.pthread_kill(
            here if reaches == "who waits" else threading.get_ident(), signal.SIGUSR1
        )
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
