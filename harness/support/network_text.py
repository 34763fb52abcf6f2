"""Text from the network before anything keeps or shows it: decoded, limited, known secrets
redacted, control characters escaped.

A server that receives a secret may send it back: an API quotes the token that it refuses. So all
text from the network passes this module: HTTP answers (``http_client``), SIP messages of softphones
(``phone/process.py``), preflight's answers, call reports, Redis errors.
"""

from __future__ import annotations

import html
import json
import re
import sys
from array import array
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Final
from unicodedata import category
from urllib.parse import quote, quote_plus, unquote

#: Stands for a secret; a token of SIP, and no markup anywhere.
REDACTED = "REDACTED"
#: Shorter secrets are not looked for: they are parts of ordinary words and numbers.
SHORTEST_SECRET = 6
#: So many octets of a secret are looked up at once: few texts without one hold such a piece.
_PIECE: Final = 6
#: Longest text that is kept of one line: a status' reason, a header, an error.
MOST_CHARACTERS = 1000

#: Left as they are: a line break and a tab only lay text out.
_LAYOUT = "\n\t"
#: Categories of what steers a terminal, turns the order of what is shown around (Unicode UAX #9), so
#: that a number could read as another, or is not seen, so that two names look the same; and halves
#: of surrogate pairs.
_HIDDEN = frozenset({"Cc", "Cf", "Zl", "Zp", "Cs", "Co", "Cn"})
#: Characters that are not seen though Unicode calls them letters, marks or signs (its property
#: Default_Ignorable_Code_Point, blank Braille, and the placeholder of an object).
_IGNORABLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\ufffc\U000e0100-\U000e01ef]"
)

#: A text in which what is escaped is escaped as ``json.dumps`` does it.
_USUAL_ESCAPES: Final = re.compile(r'(?:[^\\]++|\\[nrt"\\])*+')

#: RFC 3986 section 2.1, and HTML's numeric character references.
_ESCAPE: Final = re.compile(rb"%([0-9A-Fa-f]{2})|&#(?:([0-9]{1,7})|[xX]([0-9A-Fa-f]{1,6}));")

_secrets: set[str] = set()


class _Search:
    """Looks for secrets. That hardly any text has one is known without comparing it with each of
    hundreds.

    A secret lies within a run of characters that secrets are made of. Of every ``_step`` pieces in
    a row one that it would consist of is looked up.
    """

    def __init__(self, secrets: Collection[str]) -> None:
        spelled = [secret.encode("utf-8", "surrogatepass") for secret in secrets]
        self._spelled = spelled
        self._least = min(map(len, spelled))
        characters = re.escape(bytes(sorted({octet for secret in spelled for octet in secret})))
        self._runs = re.compile(b"[%b]{%d,}" % (characters, self._least))
        self._piece = min(_PIECE, self._least)
        self._step = self._least - self._piece + 1
        self._pieces = {
            secret[at : at + self._piece] for secret in spelled for at in range(self._step)
        }

    @cached_property  # each process would spend 35 ms on it, and hardly any finds a secret
    def _any(self) -> re.Pattern[bytes]:
        longest_first = sorted(self._spelled, key=lambda one: (-len(one), one))
        return re.compile(b"|".join(map(re.escape, longest_first)))

    def may_find(self, raw: bytes) -> bool:
        """Whether one may stand there; never False where one does."""
        return self._may_stand_in(raw) or (
            _ESCAPE.search(raw) is not None and self._may_stand_in(_unescaped(raw)[0])
        )

    def _may_stand_in(self, raw: bytes) -> bool:
        piece, step, pieces = self._piece, self._step, self._pieces
        return any(
            run[at : at + piece] in pieces
            for run in self._runs.findall(raw)
            for at in range(0, len(run) - piece + 1, step)
        )

    def redacted(self, text: str) -> str:
        raw = text.encode("utf-8", "surrogatepass")
        if not self.may_find(raw):
            return text
        raw = self._any.sub(REDACTED.encode(), raw)
        plain, places = _unescaped(raw)
        clean, at = bytearray(), 0
        for found in self._any.finditer(plain):
            clean += raw[at : places[found.start()]] + REDACTED.encode()
            at = places[found.end()]
        return (clean + raw[at:]).decode("utf-8", "surrogatepass")


def _unescaped(raw: bytes) -> tuple[bytes, Sequence[int]]:
    """Octets without the escapes of URLs and HTML, and where in ``raw`` each of them begins, and
    the last one ends. An API may escape any character that it echoes, not only those that need it.
    """
    plain, places, at = bytearray(), array("L"), 0
    for escape in _ESCAPE.finditer(raw):
        plain += raw[at : escape.start()]
        places.extend(range(at, escape.start()))
        octet, decimal, hexadecimal = escape.groups()
        if octet:
            character = bytes.fromhex(octet.decode())
        else:
            code = int(decimal or hexadecimal, 10 if decimal else 16)
            character = chr(min(code, sys.maxunicode)).encode("utf-8", "surrogatepass")
        plain += character
        places.extend([escape.start()] * len(character))
        at = escape.end()
    plain += raw[at:]
    places.extend(range(at, len(raw) + 1))
    return bytes(plain), places


_search: list[_Search] = []  #: for all of them; made when it is needed first


def keep_secret(secret: str | None) -> None:
    """Redact this secret from now on, wherever text from the network enters this process.

    Of an HTTP credential (``Basic …``, ``Bearer …``) its last word is a secret too, of a URL its
    password.
    """
    words = (secret or "").strip()
    password = re.match(r"[a-z][a-z0-9+.-]*://[^/@\s:]*:([^/@\s]+)@", words, re.IGNORECASE)
    parts = {words, words.rpartition(" ")[2]} | (
        {password[1], unquote(password[1])} if password else set()
    )
    new = {
        spelling for part in parts if len(part) >= SHORTEST_SECRET for spelling in _spellings(part)
    }
    if not new <= _secrets:
        _secrets.update(new)
        _search.clear()


def _searched() -> _Search | None:
    found = next(iter(_search), None)
    if found is None and _secrets:
        _search.append(found := _Search(_secrets))
    return found


def _spellings(secret: str) -> Iterator[str]:
    """As it is, and as URLs, HTML, JSON and base64 have it."""
    yield from (
        secret,
        quote(secret, safe=""),
        quote_plus(secret),
        quote(secret, safe="").lower(),
        html.escape(secret),
    )
    yield from (json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1])
    yield from _in_base64(secret.encode("utf-8", "surrogatepass"))


def _in_base64(secret: bytes) -> Iterator[str]:
    """By itself, and behind any other octets, as in ``Basic`` of user and password: then without
    the characters at both ends that hold bits of its neighbours.
    """
    for encode in (b64encode, urlsafe_b64encode):
        yield encode(secret).decode().rstrip("=")
        for before in range(3):
            first, last = -(-before * 8 // 6), (before + len(secret)) * 8 // 6
            yield encode(bytes(before) + secret).decode()[first:last]


def redacted(text: str) -> str:
    """``text`` without the secrets that this process knows."""
    search = _searched() if len(text) >= SHORTEST_SECRET else None
    return search.redacted(text) if search else text


def may_quote_secret(raw: bytes) -> bool:
    """Whether a known secret may stand in octets of UTF-8 without escapes; if not, nothing in them
    needs to be redacted.
    """
    search = _searched()
    return search is not None and search.may_find(raw)


def redacted_plain(value: Any) -> Any:
    """Plain data (of JSON, or of another process) with every string in it redacted, keys included."""
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, Mapping):
        return {redacted_plain(key): redacted_plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [redacted_plain(item) for item in value]
    return value


def redacted_bytes(raw: bytes) -> bytes:
    """Octets of a message that is parsed as such (SIP), without known secrets."""
    text = raw.decode("utf-8", "surrogateescape")
    clean = redacted(text)
    return raw if clean == text else clean.encode("utf-8", "surrogateescape")


def line(text: str) -> str:
    """Text for one line, as a status' reason is: redacted, cut, and printable."""
    clean = redacted(text.encode("utf-8", "surrogateescape").decode("utf-8", "replace"))
    return printable(clean[:MOST_CHARACTERS].replace("\r", " ").replace("\n", " "))


def read_json(raw: bytes) -> Any:
    """What JSON holds, redacted. Raises ``ValueError`` for what is no JSON, also where it nests
    without end.
    """
    try:
        text = raw.decode("utf-8")
        plain = json.loads(text)
        if _USUAL_ESCAPES.fullmatch(text) and not may_quote_secret(raw):
            return plain  # a secret in it would stand there as one of its spellings
        if "\\u" in text:
            # half of a surrogate pair is JSON, but no text that a file could hold
            plain = json.loads(json.dumps(plain, ensure_ascii=False).encode("utf-8", "replace"))
        return redacted_plain(plain)
    except RecursionError as error:
        raise ValueError("nested without end") from error


def hidden(text: str) -> Iterator[int]:
    """Where characters stand that are not seen, or change how others are; and blanks that are not
    U+0020, which look like it.
    """
    if not _is_seen(text):
        for at, sign in enumerate(text):
            if _is_hidden(sign) or (category(sign) == "Zs" and sign != " "):
                yield at


def _is_seen(text: str) -> bool:
    return text.isprintable() and (text.isascii() or not _IGNORABLE.search(text))


def _is_hidden(sign: str) -> bool:
    return category(sign) in _HIDDEN or bool(_IGNORABLE.match(sign))


def escaped(sign: str) -> str:
    """One character as its escape, e.g. ``\\x1b``."""
    code = ord(sign)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def printable(text: str) -> str:
    """``text`` with every character that would steer a terminal or is not seen shown as its escape,
    e.g. ``\\x1b`` (CWE-150).
    """
    if _is_seen(text):
        return text
    found = {sign for sign in set(text) if sign not in _LAYOUT and _is_hidden(sign)}
    return text.translate({ord(sign): escaped(sign) for sign in found}) if found else text
