"""SIP, SIPS and tel URIs, and the name-addr form that carries them (RFC 3261 section 19.1, RFC
3966).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from urllib.parse import quote_from_bytes as percent_encode
from urllib.parse import unquote as percent_decode

from harness.sip.grammar import (
    NO_PARAMS,
    Params,
    SipSyntaxError,
    host_of,
    is_token,
    quote,
    read_once,
    split_host_port,
    unquote,
)

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*\Z")
_MISPLACED = re.compile(r"[<>\x00-\x20\x7f]")
#: What leaves it open where a display name without quotes ends.
_MISPLACED_IN_NAME = re.compile(r'[">\x00-\x08\x0a-\x1f\x7f]')
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_MARKS = "-_.!~*'()"
# Characters besides letters and digits that need no escape, by place (RFC 3261 section 25.1:
# user-unreserved, hnv-unreserved).
_USER_SAFE = _MARKS + "&=+$,;?/"
_PASSWORD_SAFE = _MARKS + "&=+$,"
_HEADER_SAFE = _MARKS + "[]/?:+$"
_SIP_SCHEMES = ("sip", "sips")


def _escape(text: str, safe: str) -> str:
    return percent_encode(text.encode("utf-8", "surrogateescape"), safe)


def _unescape(text: str, *, where: str) -> str:
    if _BAD_ESCAPE.search(text):
        raise SipSyntaxError(f"bad escape in {where}: {text!r}")
    return percent_decode(text, errors="surrogateescape")


@dataclass(frozen=True, slots=True)
class Uri:
    """A URI as SIP uses it. ``user``, ``password`` and header values are held unescaped.

    ``sip`` and ``sips`` fill user, host, port, params and headers; ``tel`` holds its number in
    ``user`` (visual separators kept) and its parameters in ``params``; any other scheme stands
    whole in ``opaque``.
    """

    scheme: str = "sip"
    user: str | None = None
    host: str = ""
    port: int | None = None
    params: Params = NO_PARAMS
    headers: tuple[tuple[str, str], ...] = ()
    password: str | None = None
    opaque: str | None = None

    @classmethod
    @read_once
    def parse(cls, text: str) -> Uri:
        """Parse a URI without angle brackets. Raises SipSyntaxError."""
        text = text.strip()
        scheme, colon, rest = text.partition(":")
        if not colon or not _SCHEME.match(scheme) or not rest:
            raise SipSyntaxError(f"not a URI: {text!r}")
        if _MISPLACED.search(text):
            raise SipSyntaxError(f"space, bracket or control character inside a URI: {text!r}")
        scheme = scheme.lower()
        if scheme == "tel":
            number, _, params = rest.partition(";")
            if not number:
                raise SipSyntaxError(f"tel URI without a number: {text!r}")
            return cls("tel", user=_unescape(number, where="tel URI"), params=Params.parse(params))
        if scheme not in _SIP_SCHEMES:
            return cls(scheme, opaque=rest)
        return cls._parse_sip(scheme, rest)

    @classmethod
    def _parse_sip(cls, scheme: str, rest: str) -> Uri:
        # An unescaped "@" may stand only before the host, so the last one ahead of any URI header
        # divides: ";" and "?" are legal inside the user part (user-unreserved).
        user = password = None
        at = _userinfo_end(rest)
        if at != -1:
            userinfo, rest = rest[:at], rest[at + 1 :]
            if "@" in userinfo:
                raise SipSyntaxError(f"more than one '@' in a URI: {userinfo!r}")
            name, colon, secret = userinfo.partition(":")
            if not name:
                raise SipSyntaxError("empty user part in a URI")
            user = _unescape(name, where="user part")
            password = _unescape(secret, where="password") if colon else None
        rest, question, header_text = rest.partition("?")
        hostport, _, param_text = rest.partition(";")
        host, port = split_host_port(hostport)
        headers: list[tuple[str, str]] = []
        for part in header_text.split("&") if question else ():
            name, equals, value = part.partition("=")
            if not name or not equals:
                raise SipSyntaxError(f"bad URI header: {part!r}")
            headers.append(
                (_unescape(name, where="URI header"), _unescape(value, where="URI header"))
            )
        return cls(scheme, user, host, port, Params.parse(param_text), tuple(headers), password)

    @property
    def transport(self) -> str:
        """The ``transport`` parameter in lower case, else what the scheme implies: tls for sips,
        else udp.
        """
        given = self.params.get("transport")
        if given:
            return given.lower()
        return "tls" if self.scheme == "sips" else "udp"

    @property
    def asked_transport(self) -> str:
        """The one that it asks for in so many words, where ``sips`` is for TLS; empty where it asks
        for none.
        """
        return "tls" if self.scheme == "sips" else (self.params.get("transport") or "").lower()

    @property
    def address(self) -> str:
        """The host without the brackets of an IPv6 reference."""
        return self.host[1:-1] if self.host.startswith("[") else self.host

    @property
    def effective_port(self) -> int:
        """The port, or the default of the transport: 5061 for TLS, else 5060."""
        if self.port is not None:
            return self.port
        return 5061 if self.scheme == "sips" or self.transport == "tls" else 5060

    def header(self, name: str) -> str | None:
        """The value of a URI header (``?Replaces=…``), unescaped; names compare without case."""
        for key, value in self.headers:
            if key.lower() == name.lower():
                return value
        return None

    def with_param(self, name: str, value: str | None) -> Uri:
        """The same with a parameter set."""
        return replace(self, params=self.params.with_(name, value))

    def with_header(self, name: str, value: str) -> Uri:
        """The same with one more URI header."""
        return replace(self, headers=(*self.headers, (name, value)))

    def without_headers(self) -> Uri:
        """The same lacking URI headers: what a Request-URI may hold (RFC 3261 section 19.1.1, table
        1).
        """
        return replace(self, headers=())

    def __str__(self) -> str:
        if self.opaque is not None:
            return f"{self.scheme}:{self.opaque}"
        user = "" if self.user is None else _escape(self.user, _USER_SAFE)
        if self.scheme == "tel":
            return f"tel:{user}{self.params}"
        if self.password is not None:
            user += ":" + _escape(self.password, _PASSWORD_SAFE)
        text = f"{self.scheme}:" + (f"{user}@" if self.user is not None else "") + self.host
        if self.port is not None:
            text += f":{self.port}"
        text += str(self.params)
        if self.headers:
            text += "?" + "&".join(
                f"{_escape(name, _HEADER_SAFE)}={_escape(value, _HEADER_SAFE)}"
                for name, value in self.headers
            )
        return text


def registrar_uri(domain: str, place: str, transport: str) -> str:
    """The Request-URI of a REGISTER sent to ``place`` (``host:port``): that host, or ``domain`` if
    it differs.

    A registrar refuses an address of record outside the domain of the Request-URI (RFC 3261 section
    10.3 step 5).
    """
    asked = place if host_of(place).lower() == domain.strip("[]").lower() else domain
    return f"sip:{asked}" + ("" if transport == "udp" else f";transport={transport}")


def _userinfo_end(rest: str) -> int:
    """Index of the "@" that ends the userinfo, or -1.

    A "?" may be in the user part or start the URI headers, whose values escape "@". So the last "@"
    before the first "?" divides, or else the last "@" of all.
    """
    before, _, _ = rest.partition("?")
    return before.rfind("@") if "@" in before else rest.rfind("@")


@dataclass(frozen=True, slots=True)
class NameAddr:
    """``"Display" <uri>;params``, the form of From, To, Contact, Route, Refer-To and their like."""

    uri: Uri
    display: str | None = None
    params: Params = NO_PARAMS

    @classmethod
    @read_once
    def parse(cls, text: str) -> NameAddr:
        """Parse name-addr or addr-spec.

        Without angle brackets, parameters belong to the header, not to the URI (RFC 3261 section
        20.10). A display name that lacks its quotes is read all the same (RFC 4475 section
        3.1.2.15): :func:`lacks_quotes`. Raises SipSyntaxError.
        """
        text = text.strip()
        display: str | None = None
        rest = text
        if text.startswith('"'):
            end = _end_of_quotes(text)
            display, rest = unquote(text[: end + 1]), text[end + 1 :].lstrip()
            if not rest.startswith("<"):
                raise SipSyntaxError(f"a display name needs '<' after it: {text!r}")
        before, bracket, inside = rest.partition("<")
        if not bracket:
            uri, semicolon, params = rest.partition(";")
            if semicolon and "@" in params and "@" not in uri:
                # ";" in the user part: the bare form cannot hold it legally, but the "@" shows the
                # intent.
                at = rest.rindex("@")
                host, semicolon, params = rest[at:].partition(";")
                uri = rest[:at] + host
            return cls(Uri.parse(uri), None, Params.parse(params))
        if before:
            if _MISPLACED_IN_NAME.search(before):
                raise SipSyntaxError(f"not a display name: {text!r}")
            display = " ".join(before.split())
        addr_spec, closed, tail = inside.partition(">")
        if not closed:
            raise SipSyntaxError(f"'<' is not closed: {text!r}")
        tail = tail.strip()
        if tail and not tail.startswith(";"):
            raise SipSyntaxError(f"unexpected text after '>': {text!r}")
        return cls(Uri.parse(addr_spec), display, Params.parse(tail))

    @classmethod
    def parse_list(cls, values: Iterable[str]) -> tuple[NameAddr, ...]:
        """Parse each of the already separated values."""
        return tuple(cls.parse(value) for value in values)

    @property
    def tag(self) -> str | None:
        """The ``tag`` parameter; None when absent."""
        return self.params.get("tag")

    def with_tag(self, tag: str | None) -> NameAddr:
        """The same with another tag, or with none."""
        params = self.params.without("tag") if tag is None else self.params.with_("tag", tag)
        return replace(self, params=params)

    def with_param(self, name: str, value: str | None) -> NameAddr:
        """The same with a header parameter set."""
        return replace(self, params=self.params.with_(name, value))

    def __str__(self) -> str:
        shown = "" if self.display is None else quote(self.display) + " "
        return f"{shown}<{self.uri}>{self.params}"


def lacks_quotes(text: str) -> bool:
    """Whether a name-addr has a display name that would need quotes (RFC 3261 section 25.1)."""
    before, bracket, _ = text.strip().partition("<")
    return (
        bool(bracket)
        and not before.startswith('"')
        and not all(is_token(word) for word in before.split())
    )


def _end_of_quotes(text: str) -> int:
    escaped = False
    for index in range(1, len(text)):
        if escaped:
            escaped = False
        elif text[index] == "\\":
            escaped = True
        elif text[index] == '"':
            return index
    raise SipSyntaxError(f"quoted string is not closed: {text!r}")
