"""Reads SIP messages from pjsua's log, which contains each one in full with its direction, transport and peer.

Only the fields that attribution needs are read, by regular expressions: they run on every message of every call, and must cope with
messages that no parser accepts. They search the unfolded headers (RFC 3261 section 7.3.1), and skip display names, which may contain
anything. None of them backtracks: strangers' messages are read too, in the thread that serves every call.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from harness.calls.events import Direction
from harness.phone.child.sockets import SocketName

_MESSAGE: Final = re.compile(
    r"(?P<way>RX|TX) \d+ bytes .*? (?:from|to) (?P<transport>UDP|TCP|TLS) (?P<remote>\S+):\n(?P<text>.*)", re.DOTALL
)
_CONNECTING: Final = re.compile(
    r"0x(?P<handle>[0-9a-f]+)\s+\.*(?P<transport>TCP|TLS) transport (?P<local>\S+) is connect(?:ed|ing) to (?P<remote>\S+:\d+)"
)
_ACCEPTED: Final = re.compile(
    r"(?P<transport>TCP|TLS) listener (?P<local>\S+): got incoming \w+ connection from (?P<remote>\S+:\d+)"
)
_REFUSED: Final = re.compile(r"Handshake failed on (?P<local>\S+:\d+) in accepting (?P<remote>\S+:\d+)")

_CALL_ID: Final = re.compile(r"^(?:Call-ID|i)[ \t]*:[ \t]*(\S+)", re.IGNORECASE | re.MULTILINE)
_CSEQ: Final = re.compile(r"^CSeq[ \t]*:[ \t]*(\d+)[ \t]+(\S+)", re.IGNORECASE | re.MULTILINE)
_VIA: Final = re.compile(
    r"^(?:Via|v)[ \t]*:[ \t]*SIP[ \t]*/[ \t]*2\.0[ \t]*/[ \t]*(\w+)[ \t]+([^\s;,]+)", re.IGNORECASE | re.MULTILINE
)
_FROM: Final = re.compile(r"^(?:From|f)[ \t]*:[ \t]*(.*)$", re.IGNORECASE | re.MULTILINE)
_USER_HOST: Final = re.compile(r"(?:sips?:(?:([^@>\s]+)@)?|tel:)(\[[^\]]+\]|[^\s;?>:]+)(?::(\d+))?", re.IGNORECASE)
_TO: Final = re.compile(r"^(?:To|t)[ \t]*:[ \t]*(.*)$", re.IGNORECASE | re.MULTILINE)
_CONTACT: Final = re.compile(r"^(?:Contact|m)[ \t]*:[ \t]*(.*)$", re.IGNORECASE | re.MULTILINE)
_RECORD_ROUTE: Final = re.compile(r"^Record-Route[ \t]*:[ \t]*(.*)$", re.IGNORECASE | re.MULTILINE)
_TAG: Final = re.compile(r";[ \t]*tag[ \t]*=[ \t]*([^\s;,>]+)", re.IGNORECASE)
_BRANCH: Final = re.compile(
    r"^(?:Via|v)[ \t]*:[^\r\n]*?;[ \t]*branch[ \t]*=[ \t]*([^\s;,]+)", re.IGNORECASE | re.MULTILINE
)
_FOLD: Final = re.compile(r"(?:(?<![ \t])[ \t]+)?\r?\n[ \t]+")
#: The group matches an unclosed string to its end, so that it is not searched again.
_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*"|(".*)', re.DOTALL)
_ADDRESS: Final = re.compile(r"<[^>]*>|(<.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class LoggedMessage:
    """A message of the log, with the fields that attribution needs."""

    direction: Direction
    transport: str  #: ``udp``, ``tcp``, ``tls``
    remote: str  #: ``address:port``
    text: str
    call_id: str
    method: str  #: of the CSeq
    status: int  #: 0 for a request
    sent_by: str  #: of the topmost Via
    request_uri: str  #: empty for a response
    unread: str = ""  #: why pjsip dropped it, when it did
    head: str = ""  #: its start line and headers, a line each

    @property
    def from_uri(self) -> str:
        """The From without its parameters."""
        value = _value(_FROM, self.head)
        name = _QUOTED.match(value)
        begin = name.end() if name and name.group(1) is None else 0
        head, bracket, _ = value[begin:].partition(">")
        return value[:begin] + (head + bracket if bracket else head.partition(";")[0])

    @property
    def from_user(self) -> str:
        """The user of the From."""
        match = _USER_HOST.search(unquoted(self.from_uri).rpartition("<")[2])
        return _user(match.group(1)) if match else ""

    @property
    def ours(self) -> bool:
        """Whether the local side began its transaction: a request sent, or a response received."""
        return (self.direction == "sent") != bool(self.status)

    @property
    def is_last(self) -> bool:
        """Whether it is a final response other than a challenge, which another request answers (RFC 3261 section 22.2)."""
        return self.status >= 200 and self.status not in (401, 407)

    @property
    def local_tag(self) -> str:
        """The local tag of the dialog (RFC 3261 section 12); empty if the message has none."""
        return _tag(_value(_FROM if self.ours else _TO, self.head))

    @property
    def remote_tag(self) -> str:
        """The remote tag of the dialog."""
        return _tag(_value(_TO if self.ours else _FROM, self.head))

    @property
    def remote_host(self) -> str:
        """The other end's address, without its port and an IPv6 address's brackets."""
        return self.remote.rpartition(":")[0].strip("[]")

    @property
    def next_hop(self) -> str:
        """The host for requests back to the sender: of the topmost Record-Route, else of the Contact."""
        value = unquoted(_value(_RECORD_ROUTE, self.head) or _value(_CONTACT, self.head))
        match = _USER_HOST.search(value)
        return match.group(2).strip("[]").lower() if match else ""

    @property
    def branch(self) -> str:
        """The branch of the topmost Via."""
        match = _BRANCH.search(self.head)
        return match.group(1) if match else ""

    @property
    def begins_call(self) -> bool:
        """Whether this is an INVITE outside any dialog (RFC 3261 section 12.2.2: its To has no tag)."""
        if self.status or self.method != "INVITE":
            return False
        return not _tag(_value(_TO, self.head))

    def targets(self) -> list[tuple[str, str]]:
        """``(user, host:port)`` of the Request-URI and of the To; the port is left out where the URI has none."""
        found = []
        for where in (self.request_uri, unquoted(_value(_TO, self.head))):
            if match := _USER_HOST.search(where):
                user, host, port = match.groups()
                if match[0].lower().startswith("tel:"):
                    user, host = host, ""
                found.append((_user(user), f"{host}:{port}" if port else host))
        return found


@dataclass(frozen=True, slots=True)
class Connection:
    """A TCP or TLS connection as the log announces it."""

    transport: str
    local: str  #: for an incoming connection, the address in the phone's messages
    remote: str
    handle: int | None  #: the transport's address in the child, when the phone opened the connection itself

    @property
    def name(self) -> SocketName:
        """Of its local end."""
        return SocketName.parse(self.local)


def read_message(line: str) -> LoggedMessage | None:
    """The message of a log entry, or None when it holds none."""
    match = _MESSAGE.search(line)
    if match is None:
        return None
    # pjlib truncates entries at 4000 characters, so a long message has lost its end and the trailer.
    text, trailer, _ = match["text"].rpartition("\n--end msg--")
    return read_text(
        text if trailer else match["text"],
        direction="received" if match["way"] == "RX" else "sent",
        transport=match["transport"].lower(),
        remote=match["remote"],
    )


def read_text(
    text: str, *, direction: Direction, transport: str = "", remote: str = "", unread: str = ""
) -> LoggedMessage:
    """Read a message of known direction; the default ``transport`` is that of its Via."""
    start = text.split("\r\n", 1)[0].split("\n", 1)[0]
    code = start[8:11]
    # Only ASCII digits are valid (RFC 3261 section 25.1).
    status = int(code) if start.startswith("SIP/2.0 ") and code.isascii() and code.isdecimal() else 0
    parts = start.split(" ")
    head = head_of(text)
    call_id, cseq, via = _CALL_ID.search(head), _CSEQ.search(head), _VIA.search(head)
    return LoggedMessage(
        direction=direction,
        transport=transport or (via.group(1).lower() if via else ""),
        remote=remote,
        text=text,
        call_id=call_id.group(1) if call_id else "",
        method=cseq.group(2).upper() if cseq else parts[0].upper(),
        status=status,
        sent_by=via.group(2) if via else "",
        request_uri=parts[1] if not status and len(parts) == 3 else "",
        unread=unread,
        head=head,
    )


def head_of(text: str) -> str:
    """A message's start line and headers, a line each (RFC 3261 section 7.3.1)."""
    head = text.partition("\r\n\r\n")[0]
    return _FOLD.sub(" ", head) if "\n " in head or "\n\t" in head else head


def unquoted(value: str) -> str:
    """A header's value without its quoted strings, which may contain anything."""
    return _QUOTED.sub(r"\1", value)


def _value(header: re.Pattern[str], head: str) -> str:
    match = header.search(head)
    return match.group(1).rstrip(" \t\r") if match else ""


def _user(written: str | None) -> str:
    """Without a telephone number's parameters and a password, and unescaped (RFC 3261 sections 19.1.2 and 19.1.6)."""
    return unquote(re.split("[;:]", written or "", maxsplit=1)[0])


def _tag(value: str) -> str:
    tag = _TAG.search(_ADDRESS.sub(r"\1", unquoted(value)))
    return tag.group(1) if tag else ""


def read_connection(line: str) -> Connection | None:
    """The connection a log entry announces, or None."""
    match = _CONNECTING.search(line)
    if match is not None:
        return Connection(match["transport"].lower(), match["local"], match["remote"], int(match["handle"], 16))
    match = _ACCEPTED.search(line)
    if match is not None:
        return Connection(match["transport"].lower(), match["local"], match["remote"], None)
    return None


def read_handshake(line: str) -> tuple[str, str, bool] | None:
    """The local and remote address of an incoming TLS handshake, and whether it failed; None for other log entries."""
    if (match := _REFUSED.search(line)) is not None:
        return match["local"], match["remote"], True
    match = _ACCEPTED.search(line)
    return (match["local"], match["remote"], False) if match is not None and match["transport"] == "TLS" else None
