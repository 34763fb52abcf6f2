"""The media of one call leg, negotiated by offer and answer (RFC 3264), and the relay between two
legs.

The relay works as an SBC that anchors media does: no transcoding, no mixing.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from harness.sip import offer_answer
from harness.sip.grammar import decimal
from harness.sip.sdp import PCMA, PCMU, TELEPHONE_EVENT, Codec, Crypto, Description, Media, SdpError
from harness.world.media.rtp import RtpPort, with_payload_type
from harness.world.settings import RtcpSettings

Send = Callable[[bytes], None]
Impairment = Callable[[bytes, Send], None]
"""Changes, delays or drops the packets of one direction, as a bad network does; passes them on with
the given function.
"""


def _path(send: Send, renumbering: Mapping[int, int], impair: Impairment | None) -> Send:
    """``send``, with other payload types and an impairment before it; as few calls for each packet
    as these need.
    """
    changed = {old: new for old, new in renumbering.items() if old != new}

    def renumber(data: bytes) -> None:
        new = changed.get(data[1] & 0x7F) if len(data) > 1 else None
        send(data if new is None else with_payload_type(data, new))

    onward: Send = renumber if changed else send
    return onward if impair is None else lambda data: impair(data, onward)


def is_event(codec: Codec) -> bool:
    """Whether it carries digits (RFC 4733)."""
    return codec.is_same(TELEPHONE_EVENT)


def is_g711(codec: Codec) -> bool:
    """Whether it is one of the two laws of G.711."""
    return codec.is_same(PCMU) or codec.is_same(PCMA)


def carried(codec: Codec) -> bool:
    """Whether a platform that carries G.711 lets it through an offer."""
    return is_g711(codec) or is_event(codec)


def audio_of(description: Description) -> Media:
    """The audio of a description. Raises `SdpError` when there is none."""
    audio = description.audio
    if audio is None:
        raise SdpError("no audio in the session description")
    return audio


class LegMedia:
    """An anchored leg's end of the media path. ``shown`` is the address its SDP names when that is
    not its own.

    It takes part in offer and answer (RFC 3264) in one of two ways. A relay hands another party's
    description on with `pass_on` and `pass_answer`: two legs agree, and `couple` joins their ports.
    A node that speaks itself makes its own, with `offer` and `answer`. What the peer says comes
    with `learn`. Each description sent has a version above the last one's (RFC 3264 section 8).
    """

    def __init__(
        self, address: str, shown: str | None = None, rtcp: RtcpSettings | None = None
    ) -> None:
        self.rtcp = rtcp or RtcpSettings()
        self.port = RtpPort(address, None if self.rtcp.reports == "none" else self.rtcp.interval_s)
        self._shown = shown or address
        self._session = random.getrandbits(31)
        self._version = 0
        self.remote: Description | None = None  #: the peer's last description
        self.local: Description | None = None  #: the last description sent to the peer
        # Derived from the two whenever they change, and read for every packet:
        self.codec: Codec | None = None  #: the agreed codec, with the peer's payload type
        self.event: Codec | None = None  #: the peer's telephone-event format
        self.held = False  #: the peer has put the call on hold
        #: Payload types of the voice that the peer may send …
        self.voice_types: frozenset[int] = frozenset()
        self.event_type: int | None = None  #: … and of its telephone-events

    def _changed(self) -> None:
        """Work out once, at each change, what is read for every packet."""
        self.held = self.remote is not None and self.remote.is_hold
        if self.local is None:
            return
        # A peer sends with the payload types of our description (RFC 3264 section 5.1).
        ours = audio_of(self.local)
        self.voice_types = frozenset(codec.payload_type for codec in ours.voice)
        event = ours.telephone_event
        self.event_type = event.payload_type if event is not None else None
        if self.remote is None:
            return
        self.codec = offer_answer.agreed(self.local, self.remote)
        self.event = None
        if self.event_type is not None:
            self.event = audio_of(self.remote).telephone_event

    def learn(self, body: bytes) -> Description:
        """Take the peer's description: the port sends there from now on. Raises `SdpError`."""
        remote = Description.parse(body)
        if not audio_of(remote).voice:
            raise SdpError("no known codec in the session description")
        self.remote = remote
        address, port = remote.rtp or ("0.0.0.0", 0)
        self.port.aim(address, port, _control_port(audio_of(remote)))
        self._changed()
        return remote

    def pass_on(self, other: Description, wanted: Callable[[Codec], bool] = carried) -> bytes:
        """Another party's description with this leg's address: same formats and direction.

        Raises `SdpError` when no codec is left.
        """
        codecs = [codec for codec in audio_of(other).codecs if wanted(codec)]
        if all(is_event(codec) for codec in codecs):
            raise SdpError("no codec that this platform carries")
        moved = other.with_codecs(codecs).with_rtp(self._shown, self.port.port)
        audio = moved.audio
        self._version += 1
        origin = ("o", f"- {self._session} {self._version} IN IP4 {self._shown}")
        lines = [origin if line[0] == "o" else line for line in moved.lines]
        # Video and second audio get port zero: one port is all that is relayed.
        media = [each if each is audio else each.rejected() for each in moved.media]
        return self._say(Description(tuple(lines), tuple(media)))

    def pass_answer(self, other: Description) -> bytes:
        """As :meth:`pass_on`, reduced to one codec and its digits: with several, each side may
        switch as it likes.
        """
        chosen = next((codec for codec in audio_of(other).codecs if is_g711(codec)), None)
        return self.pass_on(other, lambda codec: codec == chosen or is_event(codec))

    def offer(self, codecs: Sequence[Codec] = (PCMU, PCMA, TELEPHONE_EVENT)) -> bytes:
        """An offer of its own."""
        self._version += 1
        offered = offer_answer.offer(
            self._shown, self.port.port, codecs, session_id=self._session, version=self._version
        )
        return self._say(offered)

    def answer(self, body: bytes) -> bytes:
        """Take an offer and answer it: its first G.711 codec, its digits. Raises `SdpError`,
        `NoAgreementError`.
        """
        self._version += 1
        answered = offer_answer.answer(
            Description.parse(body),
            self._shown,
            self.port.port,
            session_id=self._session,
            version=self._version,
        )
        self.learn(body)
        return self._say(answered)

    def again(self) -> bytes:
        """The description sent last: for a peer that asks for an offer, or refreshes the session
        (RFC 4028).
        """
        if self.local is None:
            return self.offer()
        return bytes(self.local)

    def restore(self, local: Description | None) -> None:
        """Return to that description: the peer has refused the last one."""
        self.local = local
        self._changed()

    def _say(self, description: Description) -> bytes:
        self.local = description
        self._changed()
        return bytes(description)

    def silent_for(self) -> float:
        return time.monotonic() - self.port.last_received

    def close(self) -> None:
        self.port.close()


def couple(
    a: LegMedia, b: LegMedia, a_to_b: Impairment | None = None, b_to_a: Impairment | None = None
) -> Callable[[], None]:
    """Relay media between two legs that have negotiated, each with the payload types of its own
    description.

    RTCP is relayed as well, unless it ends here. Returns what stops the relay; a port that has
    since been coupled anew stays so.
    """
    ports = (a.port, b.port)
    handlers = (
        _path(b.port.send, _renumbering(a, b), a_to_b),
        _path(a.port.send, _renumbering(b, a), b_to_a),
    )
    a.port.on_packet, b.port.on_packet = handlers
    passes_reports_on = "terminated" not in (a.rtcp.reports, b.rtcp.reports)
    a.port.passes_reports_on = b.port.passes_reports_on = passes_reports_on
    if passes_reports_on:
        a.port.on_control = _path(b.port.send_control, {}, a_to_b)
        b.port.on_control = _path(a.port.send_control, {}, b_to_a)

    def uncouple() -> None:
        for port, handler in zip(ports, handlers, strict=True):
            if port.on_packet is handler:
                port.on_packet = port.on_control = None
                port.passes_reports_on = False

    return uncouple


def encrypted(description: bytes) -> bytes:
    """The offer with SRTP and nothing else (RFC 4568)."""
    offered = Description.parse(description)
    audio = replace(audio_of(offered), protocol="RTP/SAVP")
    audio = audio.with_attribute("crypto", str(Crypto.fresh()))
    return bytes(offered.with_audio(audio))


def _renumbering(source: LegMedia, target: LegMedia) -> dict[int, int]:
    # A peer sends with the payload types of our description (RFC 3264 section 5.1), and expects
    # those of its own.
    if source.local is None or target.remote is None:
        return {}
    renumbering = {}
    for codec in audio_of(source.local).codecs:
        for same in audio_of(target.remote).codecs:
            if codec.is_same(same):
                renumbering[codec.payload_type] = same.payload_type
    return renumbering


def _control_port(audio: Media) -> int | None:
    """The port of RTCP, where it is not the one above that of RTP (RFC 3605)."""
    port, _, _ = (audio.attribute("rtcp") or "").partition(" ")
    return decimal(port, most=65535)
