"""Certificate authorities that exist only for a test."""

from __future__ import annotations

import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID


class Authority:
    """A certificate authority whose files are in ``directory``."""

    def __init__(self, directory: Path, name: str = "Test CA") -> None:
        self._directory = directory
        self._key = _ec_key()
        self._name = _name(name)
        certificate = _builder(self._name, self._name, self._key, (-400, 400)).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        path = directory / f"{name}.pem"
        path.write_bytes(
            certificate.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
        )
        self.ca_file = str(path)

    def issue(
        self,
        *names: str,
        days: tuple[int, int] = (-1, 30),
        common_name: str = "",
        self_signed: bool = False,
        rsa_key: bool = False,
    ) -> tuple[Path, Path]:
        """The PEM files of a certificate for ``names`` (addresses and domains), and of its key.

        It is valid from and until so many ``days`` from now.
        """
        key = rsa.generate_private_key(65537, 2048) if rsa_key else _ec_key()
        subject = _name(common_name or names[0])
        builder = _builder(subject, subject if self_signed else self._name, key, days)
        if names:
            general = x509.SubjectAlternativeName([_general(name) for name in names])
            builder = builder.add_extension(general, critical=False)
        certificate = builder.sign(key if self_signed else self._key, hashes.SHA256())
        path = self._directory / f"{certificate.serial_number:x}.pem"
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        path.with_suffix(".key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return path, path.with_suffix(".key")


def _ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey,
    days: tuple[int, int],
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + datetime.timedelta(days=days[0]))
        .not_valid_after(now + datetime.timedelta(days=days[1]))
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
