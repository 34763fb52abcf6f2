"""Who sent which SIP message to whom: the arrows of a ladder, and the packets of a capture.

Lenient throughout: a report has to show the message that a parser refuses.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache, cached_property
from typing import Any

from harness.calls.events import FarEndRecord
from harness.report.evidence import CaseEvidence
from harness.report.told import finite
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
    far_end: bool  #: known only from the far end's own record
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
        """What stands on the arrow: method, or status with its method; and how often it was sent."""
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
    """Every message of the case once, by time: our own, and those a far end's record holds."""
    found: list[Arrow] = []
    for message in evidence.messages:
        event = message.event
        local, remote = FlowEnd.parse(event.local), FlowEnd.parse(event.remote)
        sent = event.direction == "sent"
        source, target = (local, remote) if sent else (remote, local)
        arrow = Arrow(
            (message.number,),
            event.at,
            source,
            target,
            event.transport,
            event.text,
            event.phone,
            sent,
            event.leg,
            False,
            bool(event.unread),
        )
        twin = next((index for index, other in enumerate(found) if _same(other, arrow)), None)
        if twin is None:
            found.append(arrow)
        else:
            found[twin] = _joined(found[twin], arrow)
    count = 0
    for record in evidence.far_end:
        listed = _far_end_arrows(evidence, record, count)
        count += len(listed)
        for arrow in listed:
            if not any(_same(other, arrow) for other in found):
                found.append(arrow)
    return sorted(found, key=lambda arrow: arrow.at)


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
    return Arrow(
        first.numbers + second.numbers,
        first.at,
        first.source,
        first.target,
        first.transport,
        first.text,
        first.phone,
        True,
        first.leg,
        False,
        second.unread,
    )


def _far_end_arrows(evidence: CaseEvidence, record: FarEndRecord, count: int) -> list[Arrow]:
    """The messages a far end witnessed (``witness.messages``, or ``messages``); those without text are left out."""
    found = []
    for index, entry in enumerate(record.messages, start=count + 1):
        if not isinstance(entry, Mapping) or not all(
            isinstance(entry.get(k), str) for k in ("text", "local", "remote")
        ):
            continue
        local, remote = FlowEnd.parse(entry["local"]), FlowEnd.parse(entry["remote"])
        sent = entry.get("direction") == "sent"
        source, target = (local, remote) if sent else (remote, local)
        found.append(
            Arrow(
                (f"f{index}",),
                on_our_clock(evidence, entry.get("at"), record.at),
                source,
                target,
                str(entry.get("transport", "udp")),
                entry["text"],
                record.phone,
                sent,
                None,
                True,
            )
        )
    return found


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
