"""Asks a SIP port itself, when calls or registrations over it fail: does it answer, and what certificate does it show?

From here, that is: a firewall may let this machine through and not the platform, or the other way round.
"""

from __future__ import annotations

import ipaddress
import secrets
import socket
import ssl
import time
from dataclasses import dataclass
from typing import Any

from cryptography import x509

#: How long a port may take to answer.
PATIENCE_S = 1.5
_AGAIN_S = 0.5  # T1: RFC 3261 section 17.1.2.2

#: OpenSSL's X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED.
_NOT_NOW = (9, 10)


@dataclass(frozen=True)
class Port:
    """Where a trunk's traffic goes."""

    host: str
    port: int
    transport: str
    ca_file: str | None = None

    def __str__(self) -> str:
        return f"{self.transport} {self.host}:{self.port}"


def ask(port: Port, patience: float = PATIENCE_S) -> dict[str, Any]:
    """``reach``, for TLS ``certificate`` (``valid``, ``expired``, ``wrong name``, ``untrusted``), and ``detail``.

    OPTIONS (RFC 3261 section 11) has to be answered by anything but silence; on a connection, that it is taken is not enough.
    A refusal is asked for twice: a connection may break by chance.
    """
    told = _asked(port, patience)
    return _asked(port, patience) if told["reach"] == "refuses" else told


def _asked(port: Port, patience: float) -> dict[str, Any]:
    try:
        if port.transport == "udp":
            return _by_datagram(port, patience)
        return _by_connection(port, patience)
    except socket.gaierror as error:
        return {"reach": "unresolved", "detail": f"{port.host} does not resolve: {error.strerror}"}
    except (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError) as error:
        return {"reach": "refuses", "detail": f"{type(error).__name__}: {error}"}
    except (TimeoutError, OSError) as error:
        return {"reach": "silent", "detail": str(error) or "no answer in time"}


def _by_datagram(port: Port, patience: float) -> dict[str, Any]:
    with socket.socket(socket.AF_INET6 if ":" in port.host else socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect((port.host, port.port))  # so that an ICMP "port unreachable" is told
        sock.settimeout(_AGAIN_S)
        request = _options(port, sock.getsockname())
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            sock.send(request)
            try:
                return _answered(sock.recv(65536))
            except TimeoutError:
                continue
        raise TimeoutError("no answer to OPTIONS")


def _by_connection(port: Port, patience: float) -> dict[str, Any]:
    with socket.create_connection((port.host, port.port), timeout=patience) as plain:
        if port.transport != "tls":
            return _on_stream(plain, port)
        context = ssl.create_default_context(cafile=port.ca_file)
        context.check_hostname = False  # the name is judged apart from the chain
        try:
            with context.wrap_socket(plain, server_hostname=port.host) as secured:
                return {"certificate": _named(secured.getpeercert(binary_form=True), port.host)} | _on_stream(
                    secured, port
                )
        except ssl.SSLCertVerificationError as error:
            worth = "expired" if error.verify_code in _NOT_NOW else "untrusted"
            return {"reach": "answers", "certificate": worth, "detail": error.verify_message}


def _on_stream(sock: socket.socket, port: Port) -> dict[str, Any]:
    sock.sendall(_options(port, sock.getsockname()))
    received = sock.recv(65536)
    if not received:
        raise ConnectionResetError("the connection was closed")
    return _answered(received)


def _answered(received: bytes) -> dict[str, Any]:
    return {"reach": "answers", "detail": received.split(b"\r\n", 1)[0].decode("utf-8", "replace")}


def _options(port: Port, local: tuple[Any, ...]) -> bytes:
    host = f"[{port.host}]" if ":" in port.host else port.host
    parameter = "" if port.transport == "udp" else f";transport={port.transport}"
    lines = (
        f"OPTIONS sip:{host}:{port.port}{parameter} SIP/2.0",
        f"Via: SIP/2.0/{port.transport.upper()} {local[0]}:{local[1]};rport;branch=z9hG4bK{secrets.token_hex(8)}",
        "Max-Forwards: 70",
        f"From: <sip:probe@{local[0]}>;tag={secrets.token_hex(4)}",
        f"To: <sip:{host}:{port.port}>",
        f"Call-ID: {secrets.token_hex(12)}",
        "CSeq: 1 OPTIONS",
        f"Contact: <sip:probe@{local[0]}:{local[1]}{parameter}>",
        "Content-Length: 0",
        "",
        "",
    )
    return "\r\n".join(lines).encode()


# -- what the certificate is worth


def _named(der: bytes | None, host: str) -> str:
    """By subjectAltName alone (RFC 5922 section 7.2; an address is no name there, but deployments use them)."""
    try:
        assert der is not None
        certificate = x509.load_der_x509_certificate(der)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return "wrong name"
    try:
        right = ipaddress.ip_address(host) in names.get_values_for_type(x509.IPAddress)
    except ValueError:
        wanted = host.lower().rstrip(".")
        right = wanted in {name.lower().rstrip(".") for name in names.get_values_for_type(x509.DNSName)}
    return "valid" if right else "wrong name"
