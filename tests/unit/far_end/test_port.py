"""A port asked directly: what answers, what is silent, what refuses, and what a certificate is worth."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from harness.far_end.port import Port, ask

HOST = "127.0.0.1"
OK = b"SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"


@contextmanager
def udp(answer: Callable[[bytes], bytes | None]) -> Iterator[int]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((HOST, 0))

        def serve() -> None:
            while True:
                try:
                    request, sender = sock.recvfrom(65536)
                except OSError:
                    return
                if not request:
                    return
                if reply := answer(request):
                    sock.sendto(reply, sender)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield sock.getsockname()[1]
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bye:
                bye.sendto(b"", sock.getsockname())
            thread.join()


@contextmanager
def stream(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    listening = socket.create_server((HOST, 0))

    def accept() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                try:
                    serve(connection)
                except OSError:
                    continue

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


def test_a_server_that_answers_options() -> None:
    asked: list[bytes] = []

    def answer(request: bytes) -> bytes:
        asked.append(request)
        return OK

    with udp(answer) as port:
        assert ask(Port(HOST, port, "udp")) == {"reach": "answers", "detail": "SIP/2.0 200 OK"}
    (request,) = asked
    assert request.startswith(b"OPTIONS sip:127.0.0.1:")
    assert request.endswith(b"\r\n\r\n")


def test_any_answer_is_one_but_silence_is_none() -> None:
    with udp(lambda _: b"SIP/2.0 403 Forbidden\r\n\r\n") as port:
        assert ask(Port(HOST, port, "udp"))["reach"] == "answers"
    with udp(lambda _: None) as port:
        assert ask(Port(HOST, port, "udp"), patience=0.3)["reach"] == "silent"


def test_a_datagram_port_where_nobody_is_refuses() -> None:
    with udp(lambda _: OK) as port:
        pass
    assert ask(Port(HOST, port, "udp"))["reach"] == "refuses"


def test_a_connection_that_is_taken_is_not_enough() -> None:
    with stream(lambda c: (c.recv(65536), c.sendall(OK))) as port:  # type: ignore[arg-type, func-returns-value, return-value]
        assert ask(Port(HOST, port, "tcp"))["reach"] == "answers"
    with stream(lambda c: c.recv(65536) and c.recv(1)) as port:  # type: ignore[arg-type, return-value]
        assert ask(Port(HOST, port, "tcp"), patience=0.3)["reach"] == "silent"
    with stream(lambda c: None) as port:
        assert ask(Port(HOST, port, "tcp"))["reach"] == "refuses"
    assert ask(Port(HOST, port, "tcp"))["reach"] == "refuses"


def test_a_refusal_is_asked_for_twice() -> None:
    turns = iter((False, True))

    def serve(connection: socket.socket) -> None:
        if next(turns):
            connection.recv(65536)
            connection.sendall(OK)

    with stream(serve) as port:
        assert ask(Port(HOST, port, "tcp"))["reach"] == "answers"


def test_a_name_that_does_not_resolve() -> None:
    assert ask(Port("nowhere.invalid", 5060, "udp"))["reach"] == "unresolved"


# -- certificates


def _certificate(directory: Path, name: str, *, host: str = HOST, days: int = 1, ca: bool = False) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    begin = now - datetime.timedelta(days=2)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = directory / f"{name}.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.mark.parametrize(
    ("host", "days", "trusted", "worth"),
    [
        (HOST, 1, True, "valid"),
        (HOST, -1, True, "expired"),
        ("127.9.9.9", 1, True, "wrong name"),
        (HOST, 1, False, "untrusted"),
    ],
)
def test_what_a_certificate_is_worth(tmp_path: Path, host: str, days: int, trusted: bool, worth: str) -> None:
    own = _certificate(tmp_path, "own", host=host, days=days, ca=True)
    other = _certificate(tmp_path, "other", ca=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own)

    def serve(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secured:
            if secured.recv(65536):
                secured.sendall(OK)

    with stream(serve) as port:
        told = ask(Port(HOST, port, "tls", str(own if trusted else other)))
    assert told["reach"] == "answers"
    assert told["certificate"] == worth


def test_plain_speech_on_a_tls_port_is_no_answer() -> None:
    with stream(lambda c: c.recv(65536) and None) as port:
        assert ask(Port(HOST, port, "tls"), patience=0.5)["reach"] == "refuses"
