"""What a file of others is, by its first octets: a capture, or something that is neither a capture
nor a sound file.
"""

from __future__ import annotations

import gzip
import re
from io import BufferedReader
from pathlib import Path
from typing import Final

from harness.support.files import user_files

#: How a capture begins: pcap with times in µs or ns, or of a modified kernel, in both orders of
#: octets, and pcapng.
_CAPTURES: Final = (
    *(b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\xc3\xd4", b"\x4d\x3c\xb2\xa1", b"\xa1\xb2\x3c\x4d"),
    *(b"\x34\xcd\xb2\xa1", b"\xa1\xb2\xcd\x34", b"\x0a\x0d\x0d\x0a"),
)
_LOG: Final = (
    "text, perhaps a log; of calls, captures (pcap, pcapng) of tcpdump, Wireshark, sngrep or Homer "
    "are read"
)
#: How other files begin (the first row that matches), and what they are.
_OTHERS: Final = tuple(
    (re.compile(rb"(\xef\xbb\xbf)?\s*(%b)" % beginning, re.IGNORECASE), words)
    for beginning, words in (
        (rb"PK\x03\x04", "a ZIP archive; unpack it"),
        (rb"\x1f\x8b", "a gzip file; unpack it"),
        (rb"%PDF", "a PDF"),
        (rb"(<\?xml[^>]*>\s*)?<(!doctype )?html", "a web page, perhaps to sign in at"),
        (rb"<\?xml|<[a-z]", "XML, perhaps an error of the server it came from"),
        (rb"\{\s*[\"}]|\[\s*[\"{]", "JSON, perhaps an error of the server it came from"),
        (rb"[\t\n\r\x1b -\x7e\x80-\xff]+\Z", _LOG),
    )
)
_BEGINNING: Final = 1024

Unpacked = BufferedReader | gzip.GzipFile


def unpacked(file: BufferedReader) -> Unpacked:
    """The file, decompressed if it is gzip's (RFC 1952)."""
    return gzip.GzipFile(fileobj=file) if file.peek(2)[:2] == b"\x1f\x8b" else file


def is_capture(path: Path) -> bool:
    """Whether a file begins as a capture does, compressed or not."""
    with user_files.opened(path) as file:
        try:
            return unpacked(file).read(4) in _CAPTURES
        except (EOFError, OSError):  # no gzip file
            return False


def other_kind(content: bytes) -> str:
    """What a file is that is neither a capture nor a sound file; empty where that is not known."""
    beginning = content[:_BEGINNING]
    return next((words for pattern, words in _OTHERS if pattern.match(beginning)), "")
