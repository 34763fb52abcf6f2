"""What a stranger's fault is: how it is made, where it shows, and what has to be said of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

#: Which way something goes over the trunk between platform and AI.
Side = Literal["to-ai", "from-ai"]


@dataclass(frozen=True)
class Sip:
    """A change of the SIP messages of one kind, on the trunk's wire.

    ``kind`` is a method, or a status with its method (``200 INVITE``); ``INVITE*`` is an INVITE within a dialog, ``*`` every
    message. ``pattern`` is a regular expression over the whole message, whose Content-Length is mended afterwards.
    """

    side: Side
    kind: str
    do: Literal["drop", "change", "hold", "copy"]
    pattern: str = ""
    into: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Media:
    """A change of the RTP that goes over the trunk's wire. ``amount`` is a share, a number of packets, or seconds, by ``do``."""

    side: Side
    do: Literal[
        "drop",
        "stop",
        "first",
        "loss",
        "bursts",
        "disorder",
        "delay",
        "silence",
        "noise",
        "type",
        "quiet",
        "echo",
        "mark",
        "gaps",
        "copy",
        "no-events",
        "events-twice",
    ]
    amount: float = 0.0


@dataclass(frozen=True)
class Fault:
    """One fault. ``platform`` is the switch of Kamailio's (``kamailio.cfg``) that makes it; the wire makes the others.

    ``causes`` are the causes that may be named first: more than one where the same wrong thing has a name by place.
    ``unseen`` says why the harness cannot see the fault, where it cannot.
    """

    name: str
    what: str
    rows: tuple[str, ...]
    causes: tuple[str, ...]
    platform: str = ""
    wire: tuple[Sip | Media, ...] = ()
    axes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    known: bool = False  #: the self-proof's own catalogue has it too
    held_out: bool = False  #: kept aside while rules are written
    unseen: str = ""
