"""Addresses of 127.0.0.0/8 for tests."""

from __future__ import annotations

import itertools
import os
import socket
from functools import cache

_EACH = 250


def fresh_address() -> str:
    """An address that no other test uses, of this process or of any other, nor any simulated world
    (127.64 to 127.127).
    """
    second, numbers = _block(os.getpid())
    third, last = divmod(next(numbers), _EACH)
    return f"127.{second}.{third % 256}.{last + 2}"


@cache
def _block(process: int) -> tuple[int, itertools.count[int]]:
    """A second octet of the process' own for as long as it lives (a fork is another), and which of
    its addresses are taken.
    """
    for second in range(128, 248):
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0harness-tests-127.{second}")
        except OSError:  # another process has it
            claim.close()
            continue
        claim.detach()  # stays open until the process ends
        return second, itertools.count()
    raise RuntimeError("127.128 to 127.247: all are taken by other processes of tests")
