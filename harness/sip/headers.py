"""Header names, and the values that are neither lists of tokens nor name-addr (RFC 3261 section
20).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

from harness.sip.grammar import (
    NO_PARAMS,
    Params,
    SipSyntaxError,
    decimal,
    is_token,
    read_once,
    split_host_port,
)

# RFC 3261 section 7.3.3 and the registrations since: 3515 (r), 3841 (a, d, j), 3892 (b), 4028 (x),
# 6665 (o, u), 8224 (y).
COMPACT = {
    "a": "Accept-Contact",
    "b": "Referred-By",
    "c": "Content-Type",
    "d": "Request-Disposition",
    "e": "Content-Encoding",
    "f": "From",
    "i": "Call-ID",
    "j": "Reject-Contact",
    "k": "Supported",
    "l": "Content-Length",
    "m": "Contact",
    "o": "Event",
    "r": "Refer-To",
    "s": "Subject",
    "t": "To",
    "u": "Allow-Events",
    "v": "Via",
    "x": "Session-Expires",
    "y": "Identity",
}
_KEYS = {short: name.lower() for short, name in COMPACT.items()}
_VIA = re.compile(
    r"\s*([^\s/;,]+)\s*/\s*([^\s/;,]+)\s*/\s*([^\s/;,]+)\s+([^;]+)(;.*)?\Z", re.DOTALL
)
_CSEQ = re.compile(r"(\d+)\s+(\S+)\Z", re.ASCII)
# A CR that folds no line is none of a value (RFC 3261 section 25.1).
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n[ \t])")
MAGIC_COOKIE = "z9hG4bK"


@lru_cache(maxsize=1024)
def key(name: str) -> str:
    """The form in which header names compare: lower case, compact forms expanded."""
    lowered = name.lower()
    return _KEYS.get(lowered, lowered)


class Header(NamedTuple):
    """One header field line: its name as written, its value unfolded and stripped."""

    name: str
    value: str

    @property
    def key(self) -> str:
        """The name for comparing."""
        return key(self.name)


@dataclass(frozen=True, slots=True)
class Via:
    """One Via value: where a response has to go (RFC 3261 section 20.42, rport of RFC 3581)."""

    transport: str
    host: str
    port: int | None = None
    params: Params = NO_PARAMS
    version: str = "SIP/2.0"

    @classmethod
    @read_once
    def parse(cls, text: str) -> Via:
        """Parse one value; spaces around the slashes are legal. Raises SipSyntaxError."""
        match = _VIA.match(text)
        # `isprintable` is the faster search, and nearly always the only one.
        if match is None or (not text.isprintable() and _CONTROL.search(text)):
            raise SipSyntaxError(f"not a Via: {text!r}")
        name, version, transport, sent_by, params = match.groups()
        host, port = split_host_port(sent_by)
        return cls(transport.upper(), host, port, Params.parse(params or ""), f"{name}/{version}")

    @property
    def branch(self) -> str:
        """The branch parameter; empty when absent."""
        return self.params.get("branch") or ""

    @property
    def sent_by(self) -> tuple[str, int]:
        """Host in lower case and port, the transport's default where none is given."""
        default = 5061 if self.transport == "TLS" else 5060
        return self.host.lower(), self.port if self.port is not None else default

    def stamped(self, address: str, port: int) -> Via:
        """As the receiving server notes the source in it (RFC 3261 section 18.2.1, RFC 3581 section
        4).
        """
        params = self.params
        host = self.host[1:-1] if self.host.startswith("[") else self.host
        if "rport" in params:
            params = params.with_("rport", str(port)).with_("received", address)
        elif host != address:
            params = params.with_("received", address)
        return replace(self, params=params)

    def __str__(self) -> str:
        port = "" if self.port is None else f":{self.port}"
        return f"{self.version}/{self.transport} {self.host}{port}{self.params}"


@dataclass(frozen=True, slots=True)
class CSeq:
    """Sequence number (below 2**31, RFC 3261 section 8.1.1.5) and method."""

    number: int
    method: str

    @classmethod
    def parse(cls, text: str) -> CSeq:
        """Raises SipSyntaxError."""
        match = _CSEQ.match(text.strip())
        # RFC 4475 section 3.1.2.4: a larger number is malformed, not to be wrapped.
        number = decimal(match[1], most=2**31 - 1) if match else None
        if match is None or number is None or not is_token(match[2]):
            raise SipSyntaxError(f"not a CSeq: {text!r}")
        return cls(number, match[2])

    def __str__(self) -> str:
        return f"{self.number} {self.method}"


def parse_number(text: str, *, name: str, most: int = 2**32 - 1) -> int:
    """A decimal header value such as Max-Forwards, its parameters ignored. Raises SipSyntaxError."""
    number = decimal(text.partition(";")[0].strip(), most=most)
    if number is None:
        raise SipSyntaxError(f"{name} is not a number in range: {text!r}")
    return number
