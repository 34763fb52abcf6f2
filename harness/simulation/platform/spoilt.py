"""What the faults of a line do to the media between caller and AI: what is offered, and what becomes of the packets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from harness.simulation.faults import Fault
from harness.simulation.legs import Side, WireLeg
from harness.simulation.media import spoil
from harness.simulation.media.leg import LegMedia, audio_of, encrypted, is_g711
from harness.simulation.media.relay import Spoiler
from harness.sip.sdp import G722, G729, PCMA, PCMU, TELEPHONE_EVENT

_NO_G711: Final = (G722, G729, TELEPHONE_EVENT)

IsOn = Callable[[Fault], bool]
MakeOffer = Callable[[Side, WireLeg], bytes]


def spoilt_offer(wrong: IsOn, plain: MakeOffer) -> MakeOffer | None:
    """How the AI is offered something else than ``plain``; None where no such fault is on."""

    def without_g711(side: Side, toward: WireLeg) -> bytes:
        assert isinstance(side, LegMedia)
        return side.offer(_NO_G711)

    def the_other_law(side: Side, toward: WireLeg) -> bytes:
        assert isinstance(side, LegMedia)
        assert isinstance(toward.media, LegMedia)
        offered = audio_of(toward.media.remote).voice if toward.media.remote else ()
        first = toward.media.codec or next(iter(offered), PCMU)
        return side.offer((PCMU if first.is_same(PCMA) else PCMA, TELEPHONE_EVENT))

    def with_srtp(side: Side, toward: WireLeg) -> bytes:
        return encrypted(plain(side, toward))

    def without_voice(side: Side, toward: WireLeg) -> bytes:
        assert isinstance(side, LegMedia)
        return side.offer((TELEPHONE_EVENT,))

    def without_events(side: Side, toward: WireLeg) -> bytes:
        assert isinstance(side, LegMedia)
        if toward.media.remote is None:
            return side.offer((PCMU, PCMA))
        agreed = toward.media.codec if isinstance(toward.media, LegMedia) else None
        return side.pass_on(toward.media.remote, lambda codec: is_g711(codec) and (not agreed or codec.is_same(agreed)))

    spoilt = {
        Fault.CODECS_STRIPPED: without_voice,
        Fault.TELEPHONE_EVENT_STRIPPED: without_events,
        Fault.NO_G711: without_g711,
        Fault.G711_ONE_SIDE: the_other_law,
        Fault.SRTP_MISMATCH: with_srtp,
    }
    return next((make for fault, make in spoilt.items() if wrong(fault)), None)


def spoilers_with_ai(wrong: IsOn) -> tuple[Spoiler | None, Spoiler | None]:
    """What happens to RTP on its way to the AI, and on its way to the caller."""
    makers: dict[Fault, Callable[[], tuple[Spoiler | None, Spoiler | None]]] = {
        Fault.RTP_BLOCKED_TO_AI: lambda: (spoil.blocked, None),
        Fault.RTP_BLOCKED_TO_CALLER: lambda: (None, spoil.blocked),
        Fault.RTP_ONE_PACKET: lambda: (None, spoil.only(1)),
        Fault.RTP_BLOCKED_BOTH: lambda: (spoil.blocked, spoil.blocked),
        Fault.RTP_BLOCKED_LATER: lambda: (spoil.blocked_after(10.0), spoil.blocked_after(10.0)),
        # The AI's RTP goes to a network that is not there; what the relay sends still arrives.
        Fault.SDP_PRIVATE_ADDRESS: lambda: (None, spoil.blocked),
        Fault.PAYLOAD_MISMATCH: lambda: (spoil.noise, spoil.noise),
        Fault.AUDIO_CROSSED: lambda: (spoil.crossed(), spoil.crossed()),
        Fault.HEAVY_LOSS: lambda: (spoil.lossy(0.3, seed=2525), spoil.lossy(0.3, seed=1006)),
        Fault.HIGH_DELAY: lambda: (spoil.delayed(0.7), spoil.delayed(0.7)),
    }
    return next((make() for fault, make in makers.items() if wrong(fault)), (None, None))
