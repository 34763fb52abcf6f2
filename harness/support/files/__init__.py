"""Files and directories: every read, write and temporary directory of the harness goes through
here.

===================  =========================================================================
``user_files``       reads files that users name: regular files only, with a size limit for each kind
``own_directories``  makes and checks directories that belong to this user alone
``whole_file``       writes files completely or not at all
``json_file``        reads JSON back
===================  =========================================================================

`tests/unit/files/test_file_access.py` finds every other use of ``open`` and its like.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

_UNFIT: Final = re.compile(r"[^\w .@+()'-]|^\.")
_LONGEST: Final = 120  # octets; with endings they stay below the 255 of a name


def stem_of(name: str) -> str:
    """``name`` as a file name without ending, which leads to no other directory; different names
    have different ones.
    """
    stem = _UNFIT.sub(lambda found: f"%{ord(found[0]):02X}", name)
    if len(stem.encode()) > _LONGEST:
        stem = f"{stem[: _LONGEST // 4]}-{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"
    return stem
