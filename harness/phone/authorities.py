"""The system's certificate authorities for TLS. pjsip trusts no certificate unless it is given a file of authorities."""

from __future__ import annotations

import ssl
from pathlib import Path

#: Bundle files that hold all authorities: Debian and Ubuntu, Fedora, SUSE.
_WHOLE_LISTS = ("ca-certificates.crt", "ca-bundle.crt", "ca-bundle.pem")


def systems_list() -> str | None:
    """The path of the system's bundle of authorities; None when the system has none, and then no certificate is trusted."""
    paths = ssl.get_default_verify_paths()
    if paths.cafile:
        return paths.cafile
    inside = [Path(paths.capath) / name for name in _WHOLE_LISTS] if paths.capath else []
    return next((str(path) for path in inside if path.is_file()), None)
