"""The world's certificate authority, made at start, and the certificates that a tenant's servers
show over TLS.
"""

from __future__ import annotations

import datetime
import functools
import ipaddress
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from ssl import SSLContext
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from harness.deployment import Deployment
from harness.world.addresses import Block, Host
from harness.world.wire.transport import TlsIdentity

_DAY = datetime.timedelta(days=1)


Certificate = TlsIdentity
"""What an authority issues: a certificate and its key, as PEM files, with the CA to trust."""


class Authority:
    """A certificate authority that writes into ``directory``; all files are readable by their owner
    only.

    Made anew for each world: no other program trusts it, and nothing that it has signed outlives the
    world.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("Simulated World CA")
        certificate = (
            self._builder(self._name, self._name, self._key, path_length=0)
            .add_extension(_usage(sign=True), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        #: The CA's certificate, which clients must trust.
        self.ca_file = self._write("ca.pem", certificate.public_bytes(serialization.Encoding.PEM))

    def remove(self) -> None:
        """Remove everything that was issued."""
        shutil.rmtree(self._directory, ignore_errors=True)

    def issue(
        self, label: str, names: Sequence[str], *, expired: bool = False, self_signed: bool = False
    ) -> Certificate:
        """A certificate for a server and client of those names (addresses or domains); ``label``
        names its files.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _name(names[0])
        issuer, issuer_key = (subject, key) if self_signed else (self._name, self._key)
        purposes = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        shown = x509.SubjectAlternativeName([_general(name) for name in names])
        certificate = (
            self._builder(subject, issuer, key, expired=expired)
            .add_extension(_usage(sign=False), critical=True)
            .add_extension(shown, critical=False)
            .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
            .sign(issuer_key, hashes.SHA256())
        )
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return Certificate(
            self._write(f"{label}.pem", certificate.public_bytes(serialization.Encoding.PEM)),
            self._write(f"{label}.key", private),
            self.ca_file,
        )

    def bad_certificates(self, label: str, names: Sequence[str]) -> dict[str, Certificate]:
        """Certificates that a client must refuse, by the reason."""
        return {
            "expired": self.issue(f"{label}-expired", names, expired=True),
            "self-signed": self.issue(f"{label}-self-signed", names, self_signed=True),
            "wrong-name": self.issue(f"{label}-wrong-name", ["elsewhere.example"]),
        }

    def _builder(
        self,
        subject: x509.Name,
        issuer: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        *,
        expired: bool = False,
        path_length: int | None = None,
    ) -> x509.CertificateBuilder:
        """With a ``path_length``, of a certificate authority."""
        now = datetime.datetime.now(datetime.UTC)
        if expired:
            begin, end = now - 30 * _DAY, now - _DAY
        else:
            begin, end = now - _DAY, now + 30 * _DAY
        is_authority = path_length is not None
        constraints = x509.BasicConstraints(ca=is_authority, path_length=path_length)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(end)
            .add_extension(constraints, critical=True)
        )

    def _write(self, name: str, data: bytes) -> Path:
        path = self._directory / name
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        return path


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _usage(*, sign: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not sign,
        key_cert_sign=sign,
        crl_sign=sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


class SharedIdentity(TlsIdentity):
    """A certificate that several servers show, with one context, and that can be exchanged while
    they listen.
    """

    @functools.cached_property
    def _context(self) -> SSLContext:
        return super().server_context()

    def server_context(self) -> SSLContext:
        return self._context

    def show(self, certificate: Certificate) -> None:
        """Connections made from now on get to see this one."""
        self._context.load_cert_chain(certificate.certificate, certificate.key)


class Certificates:
    """The certificates of the tenant called ``label``; good ones at first.

    The bad ones are made when a fault first asks for them: keys take time, and each world has many
    tenants. What Synthflow's servers show is exchanged within their TLS context, so that they go
    on listening.
    """

    def __init__(
        self, label: str, deployment: Deployment, block: Block, authority: Authority
    ) -> None:
        self._label = label
        self._block = block
        self._authority = authority
        self.ca_file = str(authority.ca_file)
        trunks = [block[Host.FIRST_TRUNK + i] for i in range(len(deployment.trunks))]
        names = [deployment.platform.domain, block[Host.PLATFORM], *trunks]
        self.platform, _ = self._identity("platform", names)
        first_account = next(iter(deployment.accounts.values()))
        names = [first_account.domain, block[Host.CARRIER]]
        self.carrier, _ = self._identity("carrier", names)
        names = ["sip.synthflow.example", block[Host.SYNTHFLOW], block[Host.OTHER_REGION]]
        self.synthflow, self._good = self._identity("synthflow", names)
        self._make_bad = functools.cache(
            lambda: authority.bad_certificates(f"{label}-synthflow", names)
        )

    def _identity(self, of: str, names: list[str]) -> tuple[SharedIdentity, Certificate]:
        made = self._authority.issue(f"{self._label}-{of}", names)
        return SharedIdentity(made.certificate, made.key, made.trusted), made

    def show_for_synthflow(self, wrong: str | None) -> None:
        """Have Synthflow's servers show a certificate that is wrong in that way; None: the good one
        again.
        """
        self.synthflow.show(self._make_bad()[wrong] if wrong else self._good)

    def for_api(self) -> SSLContext:
        """What its HTTPS server shows: the good one, whatever the others do."""
        return self._good.server_context()

    def for_stand_in(self) -> dict[str, Any]:
        """A good one and bad ones for a stand-in, as a deployment has them."""
        names = ["stand-in.example", self._block[Host.STAND_IN], self._block[Host.STRANGER]]
        label = f"{self._label}-stand-in"
        good = self._authority.issue(label, names)
        bad = self._authority.bad_certificates(label, names)
        return {
            **_files(good),
            "bad_certificates": {kind: _files(certificate) for kind, certificate in bad.items()},
        }


def _files(certificate: Certificate) -> dict[str, Any]:
    return {"certificate": str(certificate.certificate), "private_key": str(certificate.key)}
