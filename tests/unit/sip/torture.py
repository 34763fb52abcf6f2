"""The torture messages of RFC 4475, and how each is to be taken."""

from __future__ import annotations

import re
from pathlib import Path

FILE = Path(__file__).with_name("rfc4475.txt")


def _wire(text: str) -> bytes:
    text = re.sub(r"<repeat (\d+) (\w+)>", lambda m: m[2] * int(m[1]), text)
    text = re.sub(
        r"<allOneLine>\n(.*?)\n</allOneLine>", lambda m: m[1].replace("\n", ""), text, flags=re.S
    )
    raw = text.replace("\n", "\r\n").encode()
    return re.sub(rb"<hex ([0-9A-Fa-f]+)>", lambda m: bytes.fromhex(m[1].decode()), raw)


def load() -> dict[str, tuple[str, bytes]]:
    """Name to expectation and octets."""
    found = {}
    for section in FILE.read_text(encoding="utf-8").split("\n### ")[1:]:
        title, _, text = section.partition("\n")
        name, _, expectation = title.split()
        # The line break ahead of the next "###" belongs to the message where it ends in an empty
        # line or a body.
        found[name] = (
            expectation,
            _wire(text.rstrip("\n") + ("\n\n" if "\n\n" not in text else "\n")),
        )
    return found


MESSAGES = load()
