"""Bodies of several parts (RFC 5621, RFC 2046 section 5.1).

The standard library's mail parser is not used: its time grows with the square of the input, and deeply nested bodies crash it.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator

from harness.sip.grammar import Params, SipSyntaxError, unquote

_LONGEST_BOUNDARY = 70  # RFC 2046 section 5.1.1
_DEEPEST = 8  # levels of nested parts; real messages have at most two
_DASHES = re.compile(rb"(?:\A|\r?\n)--([^\r\n]*)(?=\r?\n|\Z)")
_BLANK = re.compile(rb"(?:\A|\r?\n)\r?\n")
_FOLD = re.compile(rb"\r?\n[ \t]+")
_KIND = re.compile(rb"^(?:content-type|c)[ \t]*:([^\r\n]*)", re.IGNORECASE | re.MULTILINE)
_ENCODING = re.compile(rb"^content-transfer-encoding[ \t]*:([^\r\n]*)", re.IGNORECASE | re.MULTILINE)


def type_of(content: str) -> str:
    """A Content-Type without its parameters, in lower case."""
    return content.partition(";")[0].strip().lower()


def part_of(content: str, body: bytes, wanted: str, deepest: int = _DEEPEST) -> bytes | None:
    """The first part of the type ``wanted``; None where there is none. ``content`` is the body's Content-Type."""
    boundary = _boundary(content)
    for part in _parts(boundary, body) if boundary and deepest else ():
        blank = _BLANK.search(part)
        head = _FOLD.sub(b" ", part[: blank.start()] if blank else part)
        text = part[blank.end() :] if blank else b""
        kind = _text(_KIND.search(head)) or "text/plain"  # RFC 2046 section 5.1
        if type_of(kind) == wanted:
            return _decoded(text, _text(_ENCODING.search(head)).lower())
        if (found := part_of(kind, text, wanted, deepest - 1)) is not None:
            return found
    return None


def _boundary(content: str) -> bytes:
    """Empty where there is none, or one that cannot be."""
    kind, _, params = content.partition(";")
    if not type_of(kind).startswith("multipart/"):
        return b""
    try:
        boundary = unquote(Params.parse(params).get("boundary") or "").encode("utf-8", "surrogateescape")
    except SipSyntaxError:
        return b""
    return boundary if len(boundary) <= _LONGEST_BOUNDARY else b""


def _parts(boundary: bytes, body: bytes) -> Iterator[bytes]:
    """The parts between the boundary lines; the last part of a truncated body has no boundary after it."""
    begin: int | None = None
    for line in _DASHES.finditer(body):
        said = line[1].rstrip(b" \t")
        if said not in (boundary, boundary + b"--"):
            continue
        if begin is not None:
            yield _without_break(body[begin : line.start()])
        begin = line.end()
        if said != boundary:
            return
    if begin is not None:
        yield _without_break(body[begin:])


def _without_break(part: bytes) -> bytes:
    """Without the end of the boundary's line."""
    return part.removeprefix(b"\r").removeprefix(b"\n")


def _text(match: re.Match[bytes] | None) -> str:
    return match[1].decode("utf-8", "surrogateescape").strip() if match else ""


def _decoded(text: bytes, encoding: str) -> bytes:
    if encoding == "quoted-printable":
        return binascii.a2b_qp(text)
    if encoding == "base64":
        try:
            return binascii.a2b_base64(text)
        except binascii.Error:
            return text
    return text
