"""A disk that takes no more: files of this process may grow to a size, whoever writes them."""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Iterator


@contextlib.contextmanager
def full_beyond(octets: int) -> Iterator[None]:
    """No file grows beyond that meanwhile: a write takes what has room, and the next one fails
    (setrlimit(2)).
    """
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (octets, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
