"""Memory pools of pjlib."""

from __future__ import annotations

import ctypes
from typing import Final

_OCTETS: Final = 4096  # initial size and increment


def lasting_pool(library: ctypes.CDLL, name: bytes) -> int:
    """A pool (``pj_pool_t *``) that lasts as long as the process."""
    library.pjsua_pool_create.restype = ctypes.c_void_p
    library.pjsua_pool_create.argtypes = (ctypes.c_char_p, ctypes.c_size_t, ctypes.c_size_t)
    pool: int = library.pjsua_pool_create(name, _OCTETS, _OCTETS)
    return pool
