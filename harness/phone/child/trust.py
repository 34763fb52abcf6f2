"""Whom a phone trusts that others connect to.

pjsip (2.15.1) names all of them to whoever connects (RFC 5246 section 7.4.4, which allows to name none), and a handshake of more
than 8,192 octets never ends. OpenSSL reads a certificate with the label of its own for one that is trusted, too, and names none such.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from harness.support.files import user_files, whole_file

_LABELS = ((b"BEGIN CERTIFICATE-", b"BEGIN TRUSTED CERTIFICATE-"), (b"END CERTIFICATE-", b"END TRUSTED CERTIFICATE-"))


def unnamed(ca_file: str, directory: Path) -> str:
    """A copy of a file of authorities, in ``directory``, that pjsip trusts and names to nobody. Raises OSError."""
    certificates = user_files.read(Path(ca_file), user_files.PEM)
    for label, own in _LABELS:
        certificates = certificates.replace(label, own)
    copy = directory / f"authorities-{hashlib.sha256(certificates).hexdigest()[:16]}.pem"
    if not copy.exists():
        whole_file.write(copy, certificates)  # other processes write the same
    return str(copy)
