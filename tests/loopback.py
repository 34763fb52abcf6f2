"""Addresses of 127.0.0.0/8 for tests."""

from __future__ import annotations

import itertools
import os

_numbers = itertools.count()
_EACH = 250


def fresh_address() -> str:
    """An address that no other test of this process uses, nor a worker beside it, nor any simulated world (127.64 to 127.127)."""
    third, last = divmod(next(_numbers), _EACH)
    return f"127.{128 + os.getpid() % 120}.{third % 256}.{last + 2}"
