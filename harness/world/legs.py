"""The parts of a call through a back-to-back user agent: its legs, their media, and the targets of new legs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from harness.sip.digest import Credentials
from harness.sip.sdp import Description
from harness.sip.uri import NameAddr, Uri
from harness.world.wire.agent import UserAgent
from harness.world.wire.incoming import IncomingCall
from harness.world.wire.outgoing import OutgoingCall
from harness.world.wire.transport import Flow, Hop

Headers = list[tuple[str, str]]


class LegSdp(Protocol):
    """A leg's side of offer and answer (RFC 3264): `LegMedia` where media is anchored, `DirectMedia` where it is not."""

    remote: Description | None
    local: Description | None

    def learn(self, body: bytes) -> Description:
        """Take the peer's description. Raises SdpError."""

    def pass_on(self, other: Description) -> bytes:
        """Another leg's description as this leg's."""

    def pass_answer(self, other: Description) -> bytes:
        """The same, as an answer."""

    def again(self) -> bytes:
        """The description that the peer has now."""

    def restore(self, local: Description | None) -> None:
        """Go back to ``local``: the peer has not accepted the description it was sent last."""

    def close(self) -> None:
        """The leg is over."""


class DirectMedia:
    """Descriptions pass unchanged; media does not come through here."""

    def __init__(self) -> None:
        self.remote: Description | None = None
        self.local: Description | None = None

    def learn(self, body: bytes) -> Description:
        """See `LegSdp`."""
        self.remote = Description.parse(body)
        return self.remote

    def pass_on(self, other: Description) -> bytes:
        """See `LegSdp`."""
        self.local = other
        return bytes(other)

    pass_answer = pass_on

    def again(self) -> bytes:
        """See `LegSdp`."""
        return bytes(self.local) if self.local is not None else b""

    def restore(self, local: Description | None) -> None:
        """See `LegSdp`."""
        self.local = local

    def close(self) -> None:
        """See `LegSdp`."""


@dataclass(eq=False)
class WireLeg:
    """One dialog of the call and its media. ``peer`` says who is at its other end, for the audit."""

    call: IncomingCall | OutgoingCall
    media: LegSdp
    peer: str

    @property
    def is_up(self) -> bool:
        """Whether it was answered and goes on."""
        return self.call.state == "confirmed"


@dataclass(frozen=True, kw_only=True)
class LegTarget:
    """Whom to call for a leg, and how. ``make_offer`` replaces the offer made of the other leg's description."""

    peer: str
    ua: UserAgent
    uri: Uri
    hop: Hop | None = None
    flow: Flow | None = None
    from_: NameAddr
    headers: Headers = field(default_factory=list)
    credentials: Credentials | None = None
    make_media: Callable[[], LegSdp]
    make_offer: Callable[[LegSdp, WireLeg], bytes] | None = None
    #: The digit by which whoever answers takes the call, and how long to wait for it.
    accept: tuple[str, float] | None = None


class LegRefusedError(Exception):
    """A leg could not be had; ``status`` is the final response that says why."""

    def __init__(self, status: int, reason: str | None = None) -> None:
        super().__init__(f"{status} {reason or ''}".strip())
        self.status = status
        self.reason = reason
