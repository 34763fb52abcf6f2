"""A certificate as PEM."""

from __future__ import annotations

from typing import Any

HOST = "ai.example"


def pem(far: Any, **options: Any) -> str:
    """A certificate with its key in a file."""
    before = set(far.directory.glob("server-*.pem"))
    far.certificate(**{"names": (HOST,), **options})
    (made,) = set(far.directory.glob("server-*.pem")) - before
    return str(made)
