"""File names made of names that customers, or the wire, choose."""

from __future__ import annotations

import hashlib
import re
from typing import Final

_UNFIT: Final = re.compile(r"[^\w .@+()'-]|^\.")
_LONGEST: Final = 120  # octets; with endings they stay below the 255 of a name


def stem_of(name: str) -> str:
    """``name`` as a file name without ending, which leads to no other directory; different names have different ones."""
    stem = _UNFIT.sub(lambda found: f"%{ord(found[0]):02X}", name)
    if len(stem.encode()) > _LONGEST:
        stem = f"{stem[: _LONGEST // 4]}-{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"
    return stem
