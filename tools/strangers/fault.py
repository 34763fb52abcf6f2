"""The faults shown on third-party programs: how each is made, where it shows, and what must be said
of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tools import read_toml

#: The direction over the trunk between platform and AI, or between media relay and agents.
Side = Literal["to-ai", "from-ai", "to-agent", "from-agent"]
SipChange = Literal["drop", "change", "hold", "copy"]
MediaChange = Literal[
    "drop", "stop", "first", "loss", "bursts", "disorder", "delay", "silence", "noise", "type", "quiet", "echo", "mark", "gaps",
    "copy", "no-events", "events-twice", "beneath", "jitter", "hole", "echo-beneath",
]  # fmt: skip


@dataclass(frozen=True)
class Sip:
    """A change of the SIP messages of one kind, on the trunk's wire.

    ``kind`` is a method, or a status with its method (``200 INVITE``); ``INVITE*`` is an INVITE
    within a dialog, ``*`` every message. ``pattern`` is a regular expression over the whole
    message, whose Content-Length is corrected afterwards.
    """

    side: Side
    kind: str
    do: SipChange
    pattern: str = ""
    into: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Media:
    """A change of the RTP on the trunk's wire, or on the agents'. ``amount`` is a share, a number
    of packets, seconds, or decibels; ``sound`` is heard beneath the voice, so much louder than it.
    Nothing is changed in the first ``after_s``.
    """

    side: Side
    do: MediaChange
    amount: float = 0.0
    sound: Literal["music", "voice", "babble", "noise"] = "music"
    after_s: float = 0.0


@dataclass(frozen=True)
class Fault:
    """A row of ``faults.toml``, which explains the fields."""

    name: str
    what: str
    rows: tuple[str, ...]
    causes: tuple[str, ...]
    platform: str = ""
    wire: tuple[Sip | Media, ...] = ()
    axes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    held_out: bool = False
    unseen: str = ""

    @property
    def switch(self) -> str:
        """The platform's: for RTP with agents it has to show them the wire's address."""
        with_agents = any(change.side in ("to-agent", "from-agent") for change in self.wire)
        return "agent-wired" if with_agents else self.platform


def _fault(name: str, plain: dict[str, Any]) -> Fault:
    wire = tuple(
        Sip(**change) if "kind" in change else Media(**change) for change in plain.pop("wire", ())
    )
    axes = {axis: tuple(values) for axis, values in plain.pop("axes", {}).items()}
    return Fault(
        name,
        rows=tuple(plain.pop("rows")),
        causes=tuple(plain.pop("causes")),
        wire=wire,
        axes=axes,
        **plain,
    )


_TABLE = read_toml(Path(__file__).with_name("faults.toml"))
FAULTS = tuple(_fault(name, plain) for name, plain in _TABLE.items())
