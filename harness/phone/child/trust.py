"""The certificate authorities of a phone that accepts TLS connections.

pjsip (2.15.1) lists all of them to each client (RFC 5246 section 7.4.4 allows an empty list), and a handshake of more than 8,192
octets never completes. OpenSSL trusts certificates labelled TRUSTED CERTIFICATE as well, but does not list them.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from harness.support.files import user_files, whole_file

_LABELS = ((b"BEGIN CERTIFICATE-", b"BEGIN TRUSTED CERTIFICATE-"), (b"END CERTIFICATE-", b"END TRUSTED CERTIFICATE-"))


def unnamed(ca_file: str, directory: Path) -> str:
    """A copy of a file of authorities, in ``directory``, that pjsip trusts but does not list to clients. Raises OSError."""
    certificates = user_files.read(Path(ca_file), user_files.PEM)
    for label, own in _LABELS:
        certificates = certificates.replace(label, own)
    copy = directory / f"authorities-{hashlib.sha256(certificates).hexdigest()[:16]}.pem"
    if not copy.exists():
        whole_file.write(copy, certificates)  # other processes write the same content
    return str(copy)
