"""SIP messages as they pass the process, and what pjsua's log says of messages and connections.

A received message is read once, by ``requests``. A sent one is read from pjsua's log, which
contains it in full: the structure of outgoing messages differs between versions of pjproject. The
log is also the only place for messages that pjsip cannot parse.

The header lines are read as everywhere (``harness.sip.message``). Of their values only what
attribution needs is read, by regular expressions, because messages that no parser accepts belong to
a leg as well. They skip display names, which may contain anything. None of them backtracks:
strangers' messages are read too, in the thread that serves every call.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Final
from urllib.parse import unquote

from harness.case.events import Direction
from harness.phone.child.socket_limits import SocketName
from harness.sip.message import Head, Request, Response, read

_SENT: Final = re.compile(
    r"TX \d+ bytes .*? to (?P<transport>UDP|TCP|TLS) (?P<remote>\S+):\n(?P<text>.*)", re.DOTALL
)
_RECEIVED: Final = re.compile(r"RX \d+ bytes ")
_CONNECTING: Final = re.compile(
    r"0x(?P<handle>[0-9a-f]+)\s+\.*(?P<transport>TCP|TLS) transport (?P<local>\S+) is connect(?:ed|ing) to (?P<remote>\S+:\d+)"
)
_ACCEPTED: Final = re.compile(
    r"(?P<transport>TCP|TLS) listener (?P<local>\S+): got incoming \w+ connection from (?P<remote>\S+:\d+)"
)
_REFUSED: Final = re.compile(
    r"Handshake failed on (?P<local>\S+:\d+) in accepting (?P<remote>\S+:\d+)"
)
_DROPPING: Final = re.compile(
    r"Dropping \d+ bytes packet from (?P<transport>UDP|TCP|TLS) (?P<remote>\S+) : (?P<why>.*)"
)
_DROPPED: Final = re.compile(r"Dropped packet:(?P<text>.*)", re.DOTALL)
_UNPROCESSED: Final = re.compile(
    r"Error processing packet from (?P<remote>\S+): (?P<why>.*?)\[code \d+\]:\n(?P<text>.*)",
    re.DOTALL,
)

_CSEQ: Final = re.compile(r"\d+[ \t]+(\S+)")
_VIA: Final = re.compile(r"SIP[ \t]*/[ \t]*2\.0[ \t]*/[ \t]*(\w+)[ \t]+([^\s;,]+)", re.IGNORECASE)
_BRANCH: Final = re.compile(r";[ \t]*branch[ \t]*=[ \t]*([^\s;,]+)", re.IGNORECASE)
_USER_HOST: Final = re.compile(
    r"(?:sips?:(?:([^@>\s]+)@)?|tel:)(\[[^\]]+\]|[^\s;?>:]+)(?::(\d+))?", re.IGNORECASE
)
_TAG: Final = re.compile(r";[ \t]*tag[ \t]*=[ \t]*([^\s;,>]+)", re.IGNORECASE)
#: The group matches an unclosed string to its end, so that it is not searched again.
_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*"|(".*)', re.DOTALL)
_ADDRESS: Final = re.compile(r"<[^>]*>|(<.*)", re.DOTALL)


@dataclass(frozen=True)
class WireMessage:
    """A message that was sent or received, with the fields that attribution needs.

    What the local side is, follows from `ours`: the tag of From in transactions that it began, the
    tag of To in the others (RFC 3261 section 12).
    """

    direction: Direction
    transport: str  #: ``udp``, ``tcp``, ``tls``
    remote: str  #: ``address:port``
    text: str
    head: Head
    call_id: str
    method: str  #: of the CSeq
    status: int  #: 0 for a request
    sent_by: str  #: of the topmost Via
    request_uri: str  #: empty for a response
    unread: str = ""  #: why pjsip dropped it, when it did

    @property
    def parsed(self) -> Request | Response | None:
        """The whole message; None if our parser refuses it."""
        return read(self.text)

    @property
    def body(self) -> str:
        return self.text.partition("\r\n\r\n")[2]

    @property
    def from_uri(self) -> str:
        """The From without its parameters."""
        value = self.head.get("From")
        name = _QUOTED.match(value)
        begin = name.end() if name and name.group(1) is None else 0
        display = value[:begin]
        head, bracket, _ = value[begin:].partition(">")
        if bracket:
            return display + head + bracket
        return display + head.partition(";")[0]

    @property
    def from_user(self) -> str:
        match = _USER_HOST.search(unquoted(self.from_uri).rpartition("<")[2])
        return _user(match.group(1)) if match else ""

    @property
    def ours(self) -> bool:
        """Whether the local side began its transaction: a request sent, or a response received."""
        return (self.direction == "sent") != bool(self.status)

    @property
    def is_last(self) -> bool:
        """Whether it is a final response other than a challenge, which another request answers (RFC
        3261 section 22.2).
        """
        return self.status >= 200 and self.status not in (401, 407)

    @cached_property
    def _from_tag(self) -> str:
        return _tag(self.head.get("From"))

    @cached_property
    def _to_tag(self) -> str:
        return _tag(self.head.get("To"))

    @property
    def local_tag(self) -> str:
        """The local tag of the dialog (RFC 3261 section 12); empty if the message has none."""
        return self._from_tag if self.ours else self._to_tag

    @property
    def remote_tag(self) -> str:
        return self._to_tag if self.ours else self._from_tag

    @property
    def remote_host(self) -> str:
        """The other end's address, without its port and an IPv6 address's brackets."""
        return self.remote.rpartition(":")[0].strip("[]")

    @property
    def next_hop(self) -> str:
        """The host for requests back to the sender: of the topmost Record-Route, else of the
        Contact.
        """
        value = unquoted(self.head.get("Record-Route") or self.head.get("Contact"))
        match = _USER_HOST.search(value)
        return match.group(2).strip("[]").lower() if match else ""

    @cached_property
    def branch(self) -> str:
        """The branch of the topmost Via."""
        match = _BRANCH.search(self.head.get("Via"))
        return match.group(1) if match else ""

    @property
    def begins_call(self) -> bool:
        """Whether this is an INVITE outside any dialog (RFC 3261 section 12.2.2: its To has no
        tag).
        """
        return not self.status and self.method == "INVITE" and not self._to_tag

    def targets(self) -> list[tuple[str, str]]:
        """``(user, host:port)`` of the Request-URI and of the To; the port is left out where the
        URI has none.
        """
        found = []
        for where in (self.request_uri, unquoted(self.head.get("To"))):
            match = _USER_HOST.search(where)
            if match is None:
                continue
            user, host, port = match.groups()
            if match[0].lower().startswith("tel:"):  # a number, and no host
                user, host = host, ""
            found.append((_user(user), f"{host}:{port}" if port else host))
        return found


@dataclass(frozen=True, slots=True)
class Connection:
    """A TCP or TLS connection as the log announces it."""

    transport: str
    local: str  #: for an incoming connection, the address in the phone's messages
    remote: str
    #: The transport's address in the child, when the phone opened the connection itself.
    handle: int | None

    @property
    def name(self) -> SocketName:
        """Of its local end."""
        return SocketName.parse(self.local)


def read_text(
    text: str, *, direction: Direction, transport: str = "", remote: str = "", unread: str = ""
) -> WireMessage:
    """Read a message of known direction; the default ``transport`` is that of its Via."""
    head = Head.read(text)
    start = head.start
    status = _status(start)
    parts = start.split(" ")
    call_id = head.get("Call-ID").split()
    cseq = _CSEQ.match(head.get("CSeq"))
    via = _VIA.match(head.get("Via"))
    return WireMessage(
        direction=direction,
        transport=transport or (via.group(1).lower() if via else ""),
        remote=remote,
        text=text,
        head=head,
        call_id=call_id[0] if call_id else "",
        method=(cseq[1] if cseq else parts[0]).upper(),
        status=status,
        sent_by=via.group(2) if via else "",
        request_uri=parts[1] if not status and len(parts) == 3 else "",
        unread=unread,
    )


def _status(start: str) -> int:
    """The status of a response's first line; 0 for a request's."""
    if not start.startswith("SIP/2.0 "):
        return 0
    code = start[8:11]
    # Only ASCII digits are valid (RFC 3261 section 25.1).
    return int(code) if code.isascii() and code.isdecimal() else 0


def unquoted(value: str) -> str:
    """A header's value without its quoted strings, which may contain anything."""
    return _QUOTED.sub(r"\1", value)


def _user(written: str | None) -> str:
    """Without a telephone number's parameters and a password, and unescaped (RFC 3261 sections
    19.1.2 and 19.1.6).
    """
    return unquote(re.split("[;:]", written or "", maxsplit=1)[0])


def _tag(value: str) -> str:
    tag = _TAG.search(_ADDRESS.sub(r"\1", unquoted(value)))
    return tag.group(1) if tag else ""


class StackLog:
    """Reads the entries of pjsua's log.

    Entries of one message may be apart, as media threads write to the log, too: `unread` remembers
    the first of two.
    """

    def __init__(self) -> None:
        self._dropping: re.Match[str] | None = None

    @staticmethod
    def holds_received(entry: str) -> bool:
        """Whether an entry holds a received message."""
        return _RECEIVED.search(entry, 0, 80) is not None

    @staticmethod
    def sent(entry: str) -> WireMessage | None:
        """The sent message of an entry, or None."""
        match = _SENT.search(entry)
        if match is None:
            return None
        # pjlib truncates entries at 4000 characters, so a long message has lost its end and the
        # trailer.
        text, trailer, _ = match["text"].rpartition("\n--end msg--")
        if not trailer:
            text = match["text"]
        transport = match["transport"].lower()
        return read_text(text, direction="sent", transport=transport, remote=match["remote"])

    def unread(self, entry: str) -> WireMessage | None:
        """A received message that pjsip could not process, or None.

        A header that pjsip cannot parse makes two entries; the first one says why. A message
        without a mandatory header, or one on a connection that is longer than the buffer, makes one
        entry.
        """
        dropping = _DROPPING.search(entry)
        if dropping is not None:
            self._dropping = dropping  # entries of media threads may come in between
        elif self._dropping is not None:
            dropped = _DROPPED.search(entry)
            if dropped is not None:
                announced, self._dropping = self._dropping, None
                why = announced["why"].strip()
                transport = announced["transport"].lower()
                return _unread(dropped["text"], announced["remote"], why, transport)
        match = _UNPROCESSED.search(entry)
        if match is None:
            return None
        # Only the Via names the transport.
        return _unread(match["text"], match["remote"], match["why"].rstrip(" "))

    @staticmethod
    def connection(entry: str) -> Connection | None:
        """The connection that an entry announces, or None."""
        handle = None
        match = _CONNECTING.search(entry)
        if match is not None:
            handle = int(match["handle"], 16)
        else:
            match = _ACCEPTED.search(entry)
        if match is None:
            return None
        return Connection(match["transport"].lower(), match["local"], match["remote"], handle)

    @staticmethod
    def handshake(entry: str) -> tuple[str, str, bool] | None:
        """The local and remote address of an incoming TLS handshake, and whether it failed; None
        for other entries.
        """
        refused = _REFUSED.search(entry)
        if refused is not None:
            return refused["local"], refused["remote"], True
        accepted = _ACCEPTED.search(entry)
        if accepted is None or accepted["transport"] != "TLS":
            return None
        return accepted["local"], accepted["remote"], False


def _unread(text: str, remote: str, why: str, transport: str = "") -> WireMessage | None:
    text = text.rpartition("\n-- end of packet.")[0] or text
    if "SIP/2.0" not in text.split("\n", 1)[0]:
        return None
    return read_text(text, direction="received", transport=transport, remote=remote, unread=why)
