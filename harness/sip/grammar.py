"""Lexical rules shared by the header and URI parsers (RFC 3261 section 25.1)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, wraps
from typing import TypeVar

TOKEN = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]+\Z")
#: So many values of a kind are kept, none of them longer: a stranger who sends long ones fills no
#: memory.
_MOST_KEPT, _LONGEST_KEPT = 512, 512
_HOSTNAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9\-_.]*[A-Za-z0-9])?\.?\Z")
_IPV6 = re.compile(r"\[[0-9A-Fa-f:.]+\]\Z")


Kind = TypeVar("Kind")
Read = TypeVar("Read")


def read_once(parse: Callable[[type[Kind], str], Read]) -> Callable[[type[Kind], str], Read]:
    """Of a class' ``parse``: a message's From and To stand in all of its dialog, its Via in each
    answer, and are read once.
    """
    kept: Callable[..., Read] = lru_cache(maxsize=_MOST_KEPT)(parse)

    @wraps(parse)
    def read(kind: type[Kind], text: str) -> Read:
        return kept(kind, text) if len(text) <= _LONGEST_KEPT else parse(kind, text)

    return read


class SipSyntaxError(ValueError):
    """Text that the SIP or SDP grammar does not allow; the message says where."""


def is_token(text: str) -> bool:
    """Whether ``text`` is a ``token``."""
    return TOKEN.match(text) is not None


def decimal(text: str, *, most: int) -> int | None:
    """The number that ``text`` spells in ASCII digits; None when it is none, or more than ``most``.

    ``int()`` and ``str.isdigit()`` disagree (``²`` is a digit and no number), and ``int()`` raises
    beyond 4,300 digits.
    """
    if not (text.isascii() and text.isdecimal()):
        return None
    digits = text.lstrip("0") or "0"
    if len(digits) > len(str(most)):
        return None
    number = int(digits)
    return number if number <= most else None


def split_outside(text: str, separator: str, *, angles: bool = True) -> list[str]:
    """Split at ``separator`` where it stands outside quoted strings and, if ``angles``, outside
    ``<>``.

    The parts are stripped, and empty ones are kept: whether an empty element is an error is the
    caller's business (RFC 3261 section 7.3 allows none, many senders write a trailing comma).
    """
    # As nearly always, there is nothing to stand inside of, or nothing to split at.
    if '"' not in text and (separator not in text or not (angles and "<" in text)):
        return [part.strip() for part in text.split(separator)]
    parts: list[str] = []
    begin = 0
    quoted = angled = escaped = False
    for index, char in enumerate(text):
        if quoted:
            if escaped:
                escaped = False
            elif char == "\\":
                escaped = True
            elif char == '"':
                quoted = False
        elif char == '"':
            # A quote inside <> belongs to the URI, where it is illegal but harmless.
            quoted = not angled
        elif char == "<" and angles:
            angled = True
        elif char == ">" and angles:
            angled = False
        elif char == separator and not angled:
            parts.append(text[begin:index].strip())
            begin = index + 1
    if quoted:
        raise SipSyntaxError(f"quoted string is not closed: {text!r}")
    parts.append(text[begin:].strip())
    return parts


def split_list(text: str) -> list[str]:
    """The elements of a comma-separated header value, without empty ones."""
    return [part for part in split_outside(text, ",") if part]


def quote(text: str) -> str:
    """``text`` as a quoted-string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def unquote(text: str) -> str:
    """The contents of a quoted-string; text without quotes is returned as it is."""
    text = text.strip()
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)
    return text


@dataclass(frozen=True, slots=True)
class Params:
    """Ordered ``;name=value`` parameters; names compare without case, a flag's value is None.

    Values stand as written, quotes and escapes included: a parameter that is passed on must not
    change.
    """

    items: tuple[tuple[str, str | None], ...] = ()

    @classmethod
    def parse(cls, text: str) -> Params:
        """Parse ``a=1;b;c="x;y"`` with or without the leading semicolon. Raises SipSyntaxError."""
        if not text:
            return NO_PARAMS
        found: list[tuple[str, str | None]] = []
        for part in split_outside(text, ";", angles=False):
            if not part:
                continue
            name, equals, value = part.partition("=")
            name = name.strip()
            if not name:
                raise SipSyntaxError(f"parameter without a name: {text!r}")
            found.append((name, value.strip() if equals else None))
        return cls(tuple(found))

    def get(self, name: str, default: str | None = None) -> str | None:
        """The value of the first parameter of that name; ``default`` when absent, "" for a flag."""
        lowered = name.lower()
        for key, value in self.items:
            if key.lower() == lowered:
                return "" if value is None else value
        return default

    def __contains__(self, name: object) -> bool:
        if not isinstance(name, str):
            return False
        lowered = name.lower()
        return any(key.lower() == lowered for key, _ in self.items)

    def __iter__(self) -> Iterator[tuple[str, str | None]]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

    def with_(self, name: str, value: str | None) -> Params:
        """The same with ``name`` set, in its old place where it had one."""
        lowered = name.lower()
        if name not in self:
            return Params((*self.items, (name, value)))
        return Params(tuple((k, value) if k.lower() == lowered else (k, v) for k, v in self.items))

    def without(self, name: str) -> Params:
        """The same lacking ``name``."""
        lowered = name.lower()
        return Params(tuple((k, v) for k, v in self.items if k.lower() != lowered))

    def __str__(self) -> str:
        return "".join(
            f";{name}" if value is None else f";{name}={value}" for name, value in self.items
        )


NO_PARAMS = Params()


def split_host_port(text: str) -> tuple[str, int | None]:
    """``host``, ``host:port`` or ``[v6]:port``, spaces around the colon allowed. Raises
    SipSyntaxError.
    """
    return _read_host_port(text) if len(text) <= _LONGEST_KEPT else _split_host_port(text)


def _split_host_port(text: str) -> tuple[str, int | None]:
    text = text.strip()
    if text.startswith("["):
        inside, closed, rest = text.partition("]")
        host, rest = inside + closed, rest.strip()
        if not _IPV6.match(host):
            raise SipSyntaxError(f"not an IPv6 reference: {text!r}")
    else:
        host, colon, rest = text.partition(":")
        host, rest = host.strip(), colon + rest
        if not _HOSTNAME.match(host):
            raise SipSyntaxError(f"not a host: {text!r}")
    if not rest:
        return host, None
    port = decimal(rest[1:].strip(), most=65535)
    if rest[0] != ":" or port is None:
        raise SipSyntaxError(f"not a port: {text!r}")
    return host, port


#: A case asks a hundred times for each of its few places.
_read_host_port = lru_cache(maxsize=_MOST_KEPT)(_split_host_port)


def host_of(place: str) -> str:
    """The host of what :func:`split_host_port` takes, in lower case and without brackets; empty for
    anything else.
    """
    try:
        return split_host_port(place)[0].strip("[]").lower()
    except SipSyntaxError:
        return ""
