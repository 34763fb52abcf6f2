"""Whom this machine trusts on TLS: pjsip is told a file of certificates, or trusts nobody."""

from __future__ import annotations

import ssl
from pathlib import Path

#: All of them in one file, beside the single ones: Debian's and Ubuntu's, Fedora's, SUSE's.
_WHOLE_LISTS = ("ca-certificates.crt", "ca-bundle.crt", "ca-bundle.pem")


def systems_list() -> str | None:
    """The file of the system's own list of authorities; None where there is none, and so nobody is trusted."""
    paths = ssl.get_default_verify_paths()
    if paths.cafile:
        return paths.cafile
    inside = [Path(paths.capath) / name for name in _WHOLE_LISTS] if paths.capath else []
    return next((str(path) for path in inside if path.is_file()), None)
