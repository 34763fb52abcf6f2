"""Rewrites a REFER's headers for pjsip (2.15.1), which knows only their long names and no parameters after the address.

Compact forms and parameters are legal (RFC 3515 section 2.1, RFC 3892 section 3), but pjsip would answer 400 or place no call.
"""

from __future__ import annotations

import re
from typing import Final

#: The received header name, and the name that pjsip looks for.
NAMES: Final = (
    (b"Refer-To", b"Refer-To"),
    (b"r", b"Refer-To"),
    (b"b", b"Referred-By"),
)

_ADDRESS: Final = re.compile(r'[^"<]*(?:"(?:[^"\\]|\\.)*"\s*)?(<[^>]*>)', re.DOTALL)


def plain(name: bytes, value: str) -> str:
    """The header's value for pjsip: a Refer-To keeps only its address, without display name and parameters."""
    address = _ADDRESS.match(value) if name == b"Refer-To" else None
    return address[1] if address else value.strip()
