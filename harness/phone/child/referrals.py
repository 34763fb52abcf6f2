"""REFERs as pjsip (2.15.1) reads them: it knows two headers by their long names alone, and no parameter behind an address.

The compact forms, and parameters, are legal (RFC 3515 section 2.1, RFC 3892 section 3): it would answer 400, or call nobody.
"""

from __future__ import annotations

import re
from typing import Final

#: As they may be written, and as pjsip looks for them.
NAMES: Final = (
    (b"Refer-To", b"Refer-To"),
    (b"r", b"Refer-To"),
    (b"b", b"Referred-By"),
)

_ADDRESS: Final = re.compile(r'[^"<]*(?:"(?:[^"\\]|\\.)*"\s*)?(<[^>]*>)', re.DOTALL)


def plain(name: bytes, value: str) -> str:
    """The header's value as pjsip may see it: a Refer-To's address without a name before it and parameters behind it."""
    address = _ADDRESS.match(value) if name == b"Refer-To" else None
    return address[1] if address else value.strip()
