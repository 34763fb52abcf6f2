"""SIP requests and responses: parsed once, never changed, kept to the byte (RFC 3261 sections 7 and
8).

Parsing is lenient where the intent is plain and lazy elsewhere: only a bad start line or a header
line without a colon stop it. Values are parsed when asked for and raise SipSyntaxError then;
`harness.sip.validation` asks for all that a receiver has to check.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import Self

from harness.sip.grammar import Params, SipSyntaxError, decimal, is_token, split_list, unquote
from harness.sip.headers import CSeq, Header, Via, key, parse_number
from harness.sip.uri import NameAddr, Uri

VERSION = "SIP/2.0"
_MOST_HEADERS = 512  # hostile input, not a message
_STATUS_LINE = re.compile(
    r"(SIP/\d+\.\d+) (\d{3})(?: (.*))?\Z", re.ASCII | re.IGNORECASE | re.DOTALL
)
_REQUEST_VERSION = re.compile(r"SIP/\d+\.\d+\Z", re.ASCII | re.IGNORECASE)
_FORBIDDEN = re.compile(r"[\r\n\x00]")

HeaderPairs = Iterable[tuple[str, str] | Header]


def as_headers(pairs: HeaderPairs) -> tuple[Header, ...]:
    """Header lines as they can be sent. Raises ValueError for a name or value that would break out
    of its line.
    """
    headers = tuple(pair if isinstance(pair, Header) else Header(*pair) for pair in pairs)
    for header in headers:
        # A value with a line break would smuggle in further headers (CWE-93).
        if not is_token(header.name) or _FORBIDDEN.search(header.value):
            raise ValueError(f"not a header that can be sent: {header.name!r}: {header.value!r}")
    return headers


@dataclass(frozen=True, eq=False)
class Message:
    """What requests and responses share. `Message.parse` gives one or the other."""

    headers: tuple[Header, ...]
    body: bytes = b""
    version: str = VERSION
    received: bytes | None = field(default=None, repr=False)
    """The bytes as they came, for a message that was parsed; None for one that was built or
    changed.
    """

    @staticmethod
    def parse(data: bytes | str) -> Request | Response:
        """Parse one whole message. Bytes after Content-Length are cut off (RFC 3261 section 18.3).

        Text may hold bytes that are no UTF-8, such as a display name in Latin-1, as lone
        surrogates. Raises SipSyntaxError when it has no valid start line or a header line has no
        name.
        """
        raw = _octets(data) if isinstance(data, str) else bytes(data)
        head, body = split_head(raw.lstrip(b"\r\n"))
        start, headers = _parse_head(head)
        declared = {header.value for header in headers if header.key == "content-length"}
        if len(declared) == 1 and (length := decimal(declared.pop(), most=len(body))) is not None:
            body = body[:length]
        status = _STATUS_LINE.match(start)
        if status:
            code = int(status[2])
            if not 100 <= code <= 699:
                raise SipSyntaxError(f"not a status code: {start!r}")
            return Response(headers, body, status[1].upper(), raw, code, status[3] or "")
        method, _, rest = start.partition(" ")
        uri, _, version = rest.rpartition(" ")
        if not is_token(method) or not uri or not _REQUEST_VERSION.match(version):
            raise SipSyntaxError(f"not a start line: {start!r}")
        return Request(headers, body, version.upper(), raw, method, uri)

    @property
    def start_line(self) -> str:
        """The first line, without its line break."""
        raise NotImplementedError

    @cached_property
    def raw(self) -> bytes:
        """The bytes on the wire: as received, or as `serialize` makes them."""
        return self.received if self.received is not None else self.serialize()

    def serialize(self) -> bytes:
        """The message as bytes, headers in their order and case, Content-Length right and last."""
        lines = [self.start_line]
        lines += [
            f"{name}: {value}" for name, value in self.headers if key(name) != "content-length"
        ]
        lines += [f"Content-Length: {len(self.body)}", "", ""]
        return "\r\n".join(lines).encode("utf-8", "surrogateescape") + self.body

    def __bytes__(self) -> bytes:
        return self.raw

    def __str__(self) -> str:
        return self.raw.decode("utf-8", "replace")

    @cached_property
    def _by_key(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for header in self.headers:
            found.setdefault(key(header.name), []).append(header.value)
        return found

    # --- reading -----------------------------------------------------------------------------------

    def get(self, name: str, default: str | None = None) -> str | None:
        """The value of the first header line of that name, whole; case and compact forms are one."""
        values = self._by_key.get(key(name))
        return values[0] if values else default

    def get_all(self, name: str) -> list[str]:
        """The value of each header line of that name, in order, commas untouched."""
        return list(self._by_key.get(key(name), ()))

    def values(self, name: str) -> list[str]:
        """The elements of a list header over all its lines, in order. Raises SipSyntaxError."""
        return [element for line in self.get_all(name) for element in split_list(line)]

    def tokens(self, name: str) -> frozenset[str]:
        """The elements of a list of tokens (Require, Allow …), in lower case, without parameters."""
        return frozenset(value.partition(";")[0].strip().lower() for value in self.values(name))

    def has(self, name: str) -> bool:
        """Whether a header line of that name exists."""
        return self.count(name) > 0

    def count(self, name: str) -> int:
        """The number of header lines of that name."""
        return len(self._by_key.get(key(name), ()))

    def _need(self, name: str) -> str:
        value = self.get(name)
        if value is None:
            raise SipSyntaxError(f"{name} is missing")
        return value

    @cached_property
    def call_id(self) -> str:
        """Call-ID; empty when missing."""
        return self.get("Call-ID") or ""

    @cached_property
    def cseq(self) -> CSeq:
        """CSeq. Raises SipSyntaxError when missing or malformed, like the properties below."""
        return CSeq.parse(self._need("CSeq"))

    @cached_property
    def from_(self) -> NameAddr:
        """From."""
        return NameAddr.parse(self._need("From"))

    @cached_property
    def to(self) -> NameAddr:
        """To."""
        return NameAddr.parse(self._need("To"))

    @property
    def refer_to(self) -> NameAddr:
        """Where a REFER sends its recipient (RFC 3515 section 2.1). Headers for the target stand in
        its URI (RFC 3261 19.1.1).
        """
        return NameAddr.parse(self._need("Refer-To"))

    @cached_property
    def vias(self) -> tuple[Via, ...]:
        """All Via values, the topmost first; empty when there is none."""
        return tuple(Via.parse(value) for value in self.values("Via"))

    @cached_property
    def via(self) -> Via:
        """The topmost Via. It alone says where an answer goes, so the others may be unreadable."""
        values = self.values("Via")
        if not values:
            raise SipSyntaxError("Via is missing")
        return Via.parse(values[0])

    @property
    def vias_are_plain(self) -> bool:
        """Whether no Via line holds an empty element or parameter, ``;;`` or ``,,`` (RFC 4475
        3.1.2.1).
        """
        lines = self.get_all("Via")
        return all(
            part for line in lines for value in line.split(",") for part in value.strip().split(";")
        )

    @property
    def contact_is_star(self) -> bool:
        """``Contact: *``, which removes all bindings (RFC 3261 section 10.2.2) and is no address."""
        return [value.strip() for value in self.get_all("Contact")] == ["*"]

    @cached_property
    def contacts(self) -> tuple[NameAddr, ...]:
        """Contact addresses; none for ``*``."""
        return () if self.contact_is_star else NameAddr.parse_list(self.values("Contact"))

    @property
    def contact(self) -> NameAddr | None:
        """The first Contact."""
        return self.contacts[0] if self.contacts else None

    @cached_property
    def routes(self) -> tuple[NameAddr, ...]:
        """Route values, the topmost first."""
        return NameAddr.parse_list(self.values("Route"))

    @cached_property
    def record_routes(self) -> tuple[NameAddr, ...]:
        """Record-Route values, the topmost first."""
        return NameAddr.parse_list(self.values("Record-Route"))

    @property
    def content_type(self) -> str:
        """Content-Type without parameters, in lower case; empty when there is none."""
        return type_of(self.get("Content-Type") or "")

    @property
    def expires(self) -> int | None:
        """Expires in seconds; None when missing or malformed; too large a value is the largest one."""
        text = (self.get("Expires") or "").strip()
        if not (text.isascii() and text.isdecimal()):
            return None
        most = 2**32 - 1
        return most if (seconds := decimal(text, most=most)) is None else seconds

    @property
    def max_forwards(self) -> int | None:
        """Max-Forwards (0 to 255); None when missing."""
        value = self.get("Max-Forwards")
        return None if value is None else parse_number(value, name="Max-Forwards", most=255)

    def part(self, content_type: str) -> bytes | None:
        """The body if it is of that type, or the first such part of a multipart one (RFC 5621);
        else None.

        A body without any Content-Type counts as the type asked for: nothing else can be meant by
        it.
        """
        if not self.body:
            return None
        if self.content_type in ("", content_type):
            return self.body
        return part_of(self.get("Content-Type") or "", self.body, content_type)

    # --- changing: each gives a new message --------------------------------------------------------

    def adding(self, name: str, value: str, *, top: bool = False) -> Self:
        """The same with one more header line, after the others or, for Via and Record-Route, on
        top.
        """
        new = as_headers([(name, value)])
        return replace(
            self, headers=new + self.headers if top else self.headers + new, received=None
        )

    def setting(self, name: str, value: str) -> Self:
        """The same with exactly one header line of that name, in the place of the first, else at
        the end.
        """
        (new,) = as_headers([(name, value)])
        wanted, headers, placed = key(name), [], False
        for header in self.headers:
            if header.key != wanted:
                headers.append(header)
            elif not placed:
                headers.append(new)
                placed = True
        if not placed:
            headers.append(new)
        return replace(self, headers=tuple(headers), received=None)

    def without(self, *names: str) -> Self:
        """The same lacking every header line of those names."""
        dropped = {key(name) for name in names}
        kept = tuple(header for header in self.headers if header.key not in dropped)
        return replace(self, headers=kept, received=None)

    def with_top_via(self, via: Via) -> Self:
        """The same with its topmost Via value replaced."""
        # The other Via values belong to other hops, and may contain characters that cannot be sent.
        values = [str(via), *(_FORBIDDEN.sub(" ", value) for value in self.values("Via")[1:])]
        vias = as_headers(("Via", value) for value in values)
        at = next((i for i, header in enumerate(self.headers) if header.key == "via"), 0)
        others = (header for header in self.headers[at:] if header.key != "via")
        return replace(self, headers=(*self.headers[:at], *vias, *others), received=None)


@dataclass(frozen=True, eq=False)
class Request(Message):
    """A request. ``request_uri`` is the text of the start line; `uri` is it parsed."""

    method: str = ""
    request_uri: str = ""

    @classmethod
    def build(
        cls, method: str, uri: Uri | str, headers: HeaderPairs, body: bytes | str = b""
    ) -> Request:
        """A request of these header lines, in this order. Raises ValueError on what cannot be sent."""
        text = str(uri)
        if not is_token(method) or not text or any(char in " \r\n\x00" for char in text):
            raise ValueError(f"not a start line that can be sent: {method!r} {text!r}")
        raw = body.encode() if isinstance(body, str) else body
        return cls(as_headers(headers), raw, method=method, request_uri=text)

    @property
    def start_line(self) -> str:
        """Method, Request-URI and version."""
        return f"{self.method} {self.request_uri} {self.version}"

    @cached_property
    def uri(self) -> Uri:
        """The Request-URI. Raises SipSyntaxError."""
        return Uri.parse(self.request_uri)


@dataclass(frozen=True, eq=False)
class Response(Message):
    """A response."""

    status: int = 0
    reason: str = ""

    @classmethod
    def build(
        cls, status: int, headers: HeaderPairs, body: bytes | str = b"", reason: str | None = None
    ) -> Response:
        """A response of these header lines, with the usual phrase unless ``reason`` says otherwise."""
        if not 100 <= status <= 699:
            raise ValueError(f"not a status code: {status}")
        phrase = REASONS.get(status, "") if reason is None else reason
        if _FORBIDDEN.search(phrase):
            raise ValueError(f"not a reason phrase that can be sent: {phrase!r}")
        raw = body.encode() if isinstance(body, str) else body
        return cls(as_headers(headers), raw, status=status, reason=phrase)

    @classmethod
    def to_request(
        cls,
        request: Request,
        status: int,
        reason: str | None = None,
        *,
        tag: str | None = None,
        headers: HeaderPairs = (),
        body: bytes | str = b"",
    ) -> Response:
        """The answer to ``request``: Via, From, To, Call-ID and CSeq of it (RFC 3261 section
        8.2.6.2).

        ``tag`` goes into To unless the request has one there, or the status is 100. Copies header
        lines as they came, so even a request with broken ones can be answered 400.
        """
        copied: list[Header] = []
        for header in request.headers:
            if header.key in ("via", "from", "call-id", "cseq"):
                copied.append(Header(header.name, _FORBIDDEN.sub(" ", header.value)))
            elif header.key == "to":
                value = _FORBIDDEN.sub(" ", header.value)
                if tag and status > 100 and not _has_tag(value):
                    value += f";tag={tag}"
                copied.append(Header(header.name, value))
            elif header.key == "timestamp" and status == 100:
                copied.append(header)
        return cls.build(status, [*copied, *as_headers(headers)], body, reason)

    @property
    def start_line(self) -> str:
        """Version, status and reason phrase."""
        return f"{self.version} {self.status} {self.reason}"

    @property
    def method(self) -> str:
        """The method it answers, by its CSeq."""
        return self.cseq.method

    @property
    def is_final(self) -> bool:
        """Whether the status is 200 or above."""
        return self.status >= 200

    @property
    def is_success(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300

    @property
    def is_challenge(self) -> bool:
        """Whether it asks for the request once more, with credentials (RFC 3261 section 22)."""
        return self.status in (401, 407)


def _has_tag(to: str) -> bool:
    try:
        return NameAddr.parse(to).tag is not None
    except SipSyntaxError:
        return ";tag=" in to.replace(" ", "").lower()


@lru_cache(maxsize=512)  # some kilobytes each; a case has a hundred
def parse_once(text: str) -> Request | Response:
    """As :meth:`Message.parse`, which is called once for equal texts. Raises SipSyntaxError."""
    return Message.parse(text)


def read(text: str) -> Request | Response | None:
    """The message, or None for text that is not a SIP message."""
    try:
        return parse_once(text)
    except SipSyntaxError:
        return None


@dataclass(frozen=True)
class Head:
    """The start line and header lines of a message, also of one that does not parse: lines that are
    no header are left out.
    """

    start: str
    headers: tuple[Header, ...]

    @classmethod
    def read(cls, text: str) -> Head:
        """The head of a message or of its beginning."""
        head, blank, _ = text.lstrip("\r\n").partition("\r\n\r\n")
        if not blank:
            head, _, _ = head.partition("\n\n")
        start, *lines = _unfolded(head)
        return cls(start, tuple(filter(None, map(_header, lines))))

    @cached_property
    def _first(self) -> dict[str, str]:
        return {header.key: header.value for header in reversed(self.headers)}

    def get(self, name: str) -> str:
        """The value of the first header of that name; empty without one."""
        return self._first.get(key(name), "")


def split_head(data: bytes) -> tuple[bytes, bytes]:
    """Head and body at the first empty line; lone LF line ends are tolerated."""
    head, blank, body = data.partition(b"\r\n\r\n")
    if not blank:
        head, _, body = data.partition(b"\n\n")
    return head, body


def _octets(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # half of a pair, which stands for no octet
        raise SipSyntaxError("text that is of no octets") from None


def _parse_head(head: bytes) -> tuple[str, tuple[Header, ...]]:
    # surrogateescape: bytes that are not UTF-8 survive a round trip.
    start, *lines = _unfolded(head.decode("utf-8", "surrogateescape"))
    if len(lines) > _MOST_HEADERS:
        raise SipSyntaxError(f"more than {_MOST_HEADERS} header lines")
    headers = []
    for line in lines:
        header = _header(line)
        if header is None:
            raise SipSyntaxError(f"not a header line: {line!r}")
        headers.append(header)
    return start, tuple(headers)


def _unfolded(head: str) -> list[str]:
    """The start line and the header lines, each in one line (RFC 3261 section 7.3.1)."""
    lines = head.replace("\r\n", "\n").split("\n")
    unfolded = lines[:1]
    for line in lines[1:]:
        if line[:1] in (" ", "\t") and len(unfolded) > 1:
            unfolded[-1] = f"{unfolded[-1].rstrip()} {line.strip()}"
        elif line:
            unfolded.append(line)
    return unfolded


def _header(line: str) -> Header | None:
    return _short_header(line) if len(line) <= _SHORT else _split_header(line)


def _split_header(line: str) -> Header | None:
    name, colon, value = line.partition(":")
    name = name.rstrip(" \t")
    return Header(name, value.strip()) if colon and is_token(name) else None


_SHORT = 200
#: Most lines of a call's messages are those of the message before.
_short_header = lru_cache(maxsize=512)(_split_header)


# Bodies of several parts (RFC 5621, RFC 2046 section 5.1). The standard library's mail parser is
# not used: its time grows with the square of the input, and deeply nested bodies crash it.
_LONGEST_BOUNDARY = 70  # RFC 2046 section 5.1.1
_DEEPEST = 8  # levels of nested parts; real messages have at most two
_DASHES = re.compile(rb"(?:\A|\r?\n)--([^\r\n]*)(?=\r?\n|\Z)")
_BLANK = re.compile(rb"(?:\A|\r?\n)\r?\n")
_FOLD = re.compile(rb"\r?\n[ \t]+")
_KIND = re.compile(rb"^(?:content-type|c)[ \t]*:([^\r\n]*)", re.IGNORECASE | re.MULTILINE)
_ENCODING = re.compile(
    rb"^content-transfer-encoding[ \t]*:([^\r\n]*)", re.IGNORECASE | re.MULTILINE
)


def type_of(content: str) -> str:
    """A Content-Type without its parameters, in lower case."""
    return content.partition(";")[0].strip().lower()


def part_of(content: str, body: bytes, wanted: str, deepest: int = _DEEPEST) -> bytes | None:
    """The first part of the type ``wanted``; None where there is none. ``content`` is the body's
    Content-Type.
    """
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
        boundary = unquote(Params.parse(params).get("boundary") or "").encode(
            "utf-8", "surrogateescape"
        )
    except SipSyntaxError:
        return b""
    return boundary if len(boundary) <= _LONGEST_BOUNDARY else b""


def _parts(boundary: bytes, body: bytes) -> Iterator[bytes]:
    """The parts between the boundary lines; the last part of a truncated body has no boundary after
    it.
    """
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


#: Reason phrases of the IANA registry of SIP response codes.
REASONS: dict[int, str] = {
    100: "Trying",
    180: "Ringing",
    181: "Call Is Being Forwarded",
    182: "Queued",
    183: "Session Progress",
    199: "Early Dialog Terminated",
    200: "OK",
    202: "Accepted",
    204: "No Notification",
    300: "Multiple Choices",
    301: "Moved Permanently",
    302: "Moved Temporarily",
    305: "Use Proxy",
    380: "Alternative Service",
    400: "Bad Request",
    401: "Unauthorized",
    402: "Payment Required",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    407: "Proxy Authentication Required",
    408: "Request Timeout",
    410: "Gone",
    412: "Conditional Request Failed",
    413: "Request Entity Too Large",
    414: "Request-URI Too Long",
    415: "Unsupported Media Type",
    416: "Unsupported URI Scheme",
    420: "Bad Extension",
    421: "Extension Required",
    422: "Session Interval Too Small",
    423: "Interval Too Brief",
    428: "Use Identity Header",
    429: "Provide Referrer Identity",
    430: "Flow Failed",
    433: "Anonymity Disallowed",
    436: "Bad Identity Info",
    437: "Unsupported Credential",
    438: "Invalid Identity Header",
    439: "First Hop Lacks Outbound Support",
    440: "Max-Breadth Exceeded",
    469: "Bad Info Package",
    470: "Consent Needed",
    480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist",
    482: "Loop Detected",
    483: "Too Many Hops",
    484: "Address Incomplete",
    485: "Ambiguous",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    489: "Bad Event",
    491: "Request Pending",
    493: "Undecipherable",
    494: "Security Agreement Required",
    500: "Server Internal Error",
    501: "Not Implemented",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Server Time-out",
    505: "Version Not Supported",
    513: "Message Too Large",
    555: "Push Notification Service Not Supported",
    580: "Precondition Failure",
    600: "Busy Everywhere",
    603: "Decline",
    604: "Does Not Exist Anywhere",
    606: "Not Acceptable",
    607: "Unwanted",
    608: "Rejected",
}
