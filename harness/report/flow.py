"""The SIP messages of a case by sender and receiver: arrows of a ladder, packets of a capture, and what a finding points to.

Parsing is lenient: a report must show a message that a parser refuses.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache, cached_property
from typing import Any

from harness.calls.verdict import Finding
from harness.report.case_log import finite
from harness.report.evidence import CaseEvidence
from harness.sip.grammar import decimal

_STATIC_PAYLOADS = {"0": "PCMU", "3": "GSM", "4": "G723", "8": "PCMA", "9": "G722", "18": "G729"}  # RFC 3551, table 4


_DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")


#: RFC 3261 section 7.3.3 and RFC 3515: the forms some stacks send.
_COMPACT = {"call-id": "i", "from": "f", "to": "t", "contact": "m", "content-type": "c", "refer-to": "r", "via": "v"}


@dataclass(frozen=True, order=True)
class FlowEnd:
    """A transport address."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> FlowEnd:
        """``host:port`` or ``[IPv6]:port``; a missing port is 0."""
        host, _, port = text.rpartition(":")
        number = decimal(port, most=65535)
        if not host or number is None:
            return cls(text.strip("[]"), 0)
        return cls(host.strip("[]"), number)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}" if self.port else host


@dataclass(frozen=True)
class Arrow:
    """One message on its way. ``numbers`` has two when both its ends are the harness's own and each recorded it."""

    numbers: tuple[str, ...]
    at: float  #: monotonic, seconds
    source: FlowEnd
    target: FlowEnd
    transport: str
    text: str
    phone: str  #: the phone, or far end, that recorded it
    sent: bool  #: recorded by its sender
    leg: str | None
    far_end: bool = False  #: known only from the far end's own record
    unread: bool = False  #: the phone's stack dropped it
    repeats: int = 0  #: how often it was sent again

    @cached_property
    def start_line(self) -> str:
        """The first line, without its line break."""
        return next((line.strip() for line in self.text.splitlines() if line.strip()), "(empty)")

    @cached_property
    def is_response(self) -> bool:
        """Whether it answers a request."""
        return self.start_line.upper().startswith("SIP/")

    @cached_property
    def status(self) -> int:
        """The status of a response, 0 for a request."""
        found = re.match(r"SIP/\S+\s+(\d{3})", self.start_line, re.IGNORECASE)
        return int(found[1]) if found else 0

    @cached_property
    def method(self) -> str:
        """The method, of a response by its CSeq."""
        if self.is_response:
            return (self.header("CSeq") or "").rpartition(" ")[2]
        return self.start_line.partition(" ")[0]

    @cached_property
    def label(self) -> str:
        """The arrow's label: the method, or the status with its method, and how often it was sent."""
        times = f" ×{1 + self.repeats}" if self.repeats else ""
        if not self.is_response:
            return self.method + times
        reason = self.start_line.split(None, 2)
        words = f"{self.status} {reason[2]}" if len(reason) > 2 else str(self.status)
        return (f"{words} ({self.method})" if self.method not in ("", "INVITE") else words) + times

    @cached_property
    def detail(self) -> str:
        """What a reader of this message looks for first: its SDP, the target of a REFER, what a NOTIFY reports."""
        parts = []
        if self.method == "REFER" and not self.is_response and (target := self.header("Refer-To")):
            parts.append(f"to {_uri_user(target)}")
        if (
            self.method == "NOTIFY"
            and not self.is_response
            and (found := re.search(r"\r?\n\r?\nSIP/\S+ (.+)", self.text))
        ):
            parts.append(found[1].strip())
        if sdp := sdp_summary(self.text):
            parts.append(sdp)
        if self.unread:
            parts.append("which the phone could not read")
        return "; ".join(parts)

    def header(self, name: str) -> str | None:
        """The first value of a header, by its long name; None when there is none."""
        found = _header(name).search(self.text)
        return found[1] if found else None


@cache
def _header(name: str) -> re.Pattern[str]:
    names = "|".join(re.escape(form) for form in (name, _COMPACT.get(name.lower(), name)))
    return re.compile(rf"^(?:{names})[ \t]*:[ \t]*(.*?)\r?$", re.IGNORECASE | re.MULTILINE)


def sdp_summary(text: str) -> str:
    """Audio of a message's SDP in short: ``PCMU PCMA · 127.0.0.2:4000 · sendonly · SRTP``; empty without SDP.

    The direction is named only when it is not ``sendrecv``, which is what a missing one means (RFC 3264, 5.1).
    """
    if "m=audio " not in text:  # nearly every message
        return ""
    head, _, body = text.replace("\r\n", "\n").partition("\n\n")
    media = re.search(r"^m=audio (\d+)(?:/\d+)? (\S+) (.+)$", body, re.MULTILINE)
    if not media or "sdp" not in head.lower():
        return ""
    port, profile, payloads = media.groups()
    audio = re.split(r"^m=", body[media.end() :], maxsplit=1, flags=re.MULTILINE)[0]
    names = dict(re.findall(r"^a=rtpmap:(\d+) ([^/\s]+)", audio, re.MULTILINE))
    codecs = [names.get(payload) or _STATIC_PAYLOADS.get(payload, payload) for payload in payloads.split()]
    address = re.search(r"^c=IN IP[46] (\S+)", audio, re.MULTILINE) or re.search(
        r"^c=IN IP[46] (\S+)", body, re.MULTILINE
    )
    parts = [" ".join("DTMF" if codec == "telephone-event" else codec for codec in dict.fromkeys(codecs))]
    parts.append(f"{address[1] if address else '?'}:{port}" if port != "0" else "refused")
    found = re.findall(rf"^a=({'|'.join(_DIRECTIONS)})$", audio, re.MULTILINE) or re.findall(
        rf"^a=({'|'.join(_DIRECTIONS)})$", body, re.MULTILINE
    )
    if found and found[0] != "sendrecv":
        parts.append(found[0])
    if "SAVP" in profile:
        parts.append("SRTP")
    return " · ".join(parts)


def arrows(evidence: CaseEvidence) -> list[Arrow]:
    """Every message of the case once, by time: those of the harness phones, and those in a far end's record."""
    found: list[Arrow] = []
    for message in evidence.messages:
        event = message.event
        source, target = _way(event.direction, event.local, event.remote)
        arrow = Arrow(
            numbers=(message.number,),
            at=event.at,
            source=source,
            target=target,
            transport=event.transport,
            text=event.text,
            phone=event.phone,
            sent=event.direction == "sent",
            leg=event.leg,
            unread=bool(event.unread),
        )
        twin = next((index for index, other in enumerate(found) if _same(other, arrow)), None)
        if twin is None:
            found.append(arrow)
        else:
            found[twin] = _joined(found[twin], arrow)
    recorded = [(record, entry) for record in evidence.far_end for entry in record.messages if _is_message(entry)]
    for number, (record, entry) in enumerate(recorded, start=1):
        source, target = _way(entry.get("direction"), entry["local"], entry["remote"])
        arrow = Arrow(
            numbers=(f"f{number}",),
            at=on_our_clock(evidence, entry.get("at"), record.at),
            source=source,
            target=target,
            transport=str(entry.get("transport", "udp")),
            text=entry["text"],
            phone=record.phone,
            sent=entry.get("direction") == "sent",
            leg=None,
            far_end=True,
        )
        if not any(_same(other, arrow) for other in found):
            found.append(arrow)
    return sorted(found, key=lambda arrow: arrow.at)


def _way(direction: object, local: str, remote: str) -> tuple[FlowEnd, FlowEnd]:
    """From where to where a message went."""
    here, there = FlowEnd.parse(local), FlowEnd.parse(remote)
    return (here, there) if direction == "sent" else (there, here)


def _is_message(entry: object) -> bool:
    """Whether an entry of a far end's record can be shown as a message."""
    return isinstance(entry, Mapping) and all(isinstance(entry.get(key), str) for key in ("text", "local", "remote"))


def _same(one: Arrow, other: Arrow) -> bool:
    """Whether two records are one message seen from both its ends."""
    return (
        one.text == other.text  # nearly all that are compared differ in it
        and one.sent != other.sent
        and abs(one.at - other.at) < 1.0
        and (one.source, one.target) == (other.source, other.target)
    )


def _joined(one: Arrow, other: Arrow) -> Arrow:
    first, second = (one, other) if one.sent else (other, one)
    return dataclasses.replace(first, numbers=first.numbers + second.numbers, unread=second.unread)


def on_our_clock(evidence: CaseEvidence, at: Any, fallback: float) -> float:
    """A far end's wall-clock time (seconds since the epoch, or ISO 8601) on the case's clock; ``fallback`` where it is none, or of
    no zone: this machine's is not the far end's.
    """
    if isinstance(at, str):
        try:
            moment = datetime.fromisoformat(at)
            at = moment.timestamp() if moment.tzinfo is not None else None
        except (ValueError, OverflowError):
            return fallback
    try:
        return evidence.began + (finite(at) - evidence.began_wall)
    except TypeError:
        return fallback


def _uri_user(value: str) -> str:
    found = re.search(r"(?:sips?|tel):([^@;?>\s]+)", value)
    return found[1] if found else value


#: RFC 3261 section 17.1.1.2: Timer B, the longest time over which a message is repeated, in seconds.
_TIMER_B_S = 32.0


CHALLENGES = (401, 407)


def without_repeats(flow: Sequence[Arrow]) -> list[Arrow]:
    """The arrows by time, each retransmission counted in the first (:attr:`Arrow.repeats`)."""
    found: list[Arrow] = []
    latest: dict[tuple[object, ...], int] = {}
    for arrow in flow:
        key = (arrow.source, arrow.target, arrow.transport, arrow.text)
        index = latest.get(key)
        if index is not None and arrow.at - found[index].at <= _TIMER_B_S:
            first = found[index]
            found[index] = dataclasses.replace(
                first, repeats=first.repeats + 1 + arrow.repeats, numbers=first.numbers + arrow.numbers
            )
            continue
        latest[key] = len(found)
        found.append(arrow)
    return found


def met_challenges(flow: Sequence[Arrow]) -> frozenset[str]:
    """Numbers of the challenges that were answered with credentials: part of every digest (RFC 3261, section 22), and no failure."""
    return frozenset(
        arrow.numbers[0]
        for index, arrow in enumerate(flow)
        if arrow.status in CHALLENGES and any(_meets(later, arrow) for later in flow[index + 1 :])
    )


def _meets(request: Arrow, challenge: Arrow) -> bool:
    credentials = request.header("Authorization") or request.header("Proxy-Authorization")
    same = (request.method, request.header("Call-ID")) == (challenge.method, challenge.header("Call-ID"))
    return not request.is_response and same and credentials is not None


_NUMBER = re.compile(r"\bm\d+\b")


_MOST = 6


def _invite(arrow: Arrow) -> bool:
    return arrow.method == "INVITE" and not arrow.is_response


def _final(arrow: Arrow) -> bool:
    return arrow.method == "INVITE" and arrow.status >= 200


def _set_up(arrow: Arrow) -> bool:
    return _invite(arrow) or _final(arrow)


def _sdp(arrow: Arrow) -> bool:
    return "\nm=audio " in arrow.text


def _end(arrow: Arrow) -> bool:
    return arrow.method in ("BYE", "CANCEL") or (arrow.method == "INVITE" and arrow.status >= 300)


def _of(*methods: str) -> Callable[[Arrow], bool]:
    return lambda arrow: arrow.method in methods


#: The messages that a check, or all checks with that prefix, looks at.
_ABOUT: Mapping[str, Callable[[Arrow], bool]] = {
    "registration": _of("REGISTER"),
    "ringing": lambda arrow: _invite(arrow) or (arrow.method == "INVITE" and 100 < arrow.status < 200),
    "answered.acknowledged": lambda arrow: _final(arrow) or arrow.method == "ACK",
    "answered": _set_up,
    "call.up": _end,
    "landing": _set_up,
    "route": _invite,
    "codec": _sdp,
    "media": _sdp,
    "audio": _sdp,
    "caller_id": _invite,
    "header": _invite,
    "one_call": _set_up,
    "transfer": _of("REFER", "NOTIFY"),
    "released": _end,
    "final_response": _final,
    "timing": _set_up,
    "dtmf": _of("INFO"),
    "session": lambda arrow: _set_up(arrow) or arrow.method == "UPDATE",
    "prack": _of("PRACK"),
}


def named_in(lines: Iterable[str], flow: Sequence[Arrow]) -> tuple[str, ...]:
    """Numbers of messages of the case's ``flow`` that the lines name, in order."""
    known = {number for arrow in flow if not arrow.far_end for number in arrow.numbers}
    return tuple(dict.fromkeys(number for line in lines for number in _NUMBER.findall(line) if number in known))


def messages_of(flow: Sequence[Arrow], finding: Finding) -> tuple[str, ...]:
    """Numbers of messages of the case's ``flow`` (:func:`harness.report.flow.arrows`), in order; empty where none is about it."""
    if named := named_in(finding.evidence, flow):
        return named
    about = next((test for check, test in _ABOUT.items() if finding.check.startswith(check)), None)
    if about is None:
        return ()
    ours = [arrow for arrow in flow if not arrow.far_end and about(arrow)]
    return tuple(arrow.numbers[0] for arrow in _on_the_subject(ours, finding.subject)[:_MOST])


def _on_the_subject(found: Sequence[Arrow], subject: str) -> Sequence[Arrow]:
    """Those of the legs or phones that the subject names; all of them when it names none (``the call``)."""
    words = set(re.findall(r"[\w.-]+", subject))
    named = [arrow for arrow in found if arrow.leg in words or arrow.phone in words]
    return named or list(found)
