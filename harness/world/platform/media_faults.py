"""Faults of the media between caller and AI: what is offered to the AI, and the impairments of the packets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from harness.sip.sdp import G722, G729, PCMA, PCMU, TELEPHONE_EVENT
from harness.world.faults import Fault
from harness.world.legs import LegSdp, WireLeg
from harness.world.media import impairments
from harness.world.media.leg import LegMedia, audio_of, encrypted, is_g711
from harness.world.media.relay import Impairment

_NO_G711: Final = (G722, G729, TELEPHONE_EVENT)

IsOn = Callable[[Fault], bool]
MakeOffer = Callable[[LegSdp, WireLeg], bytes]


def faulty_offer(wrong: IsOn, plain: MakeOffer) -> MakeOffer | None:
    """Makes the offer to the AI instead of ``plain``; None unless a fault of the offer is on."""

    def without_g711(media: LegSdp, toward: WireLeg) -> bytes:
        assert isinstance(media, LegMedia)
        return media.offer(_NO_G711)

    def the_other_law(media: LegSdp, toward: WireLeg) -> bytes:
        assert isinstance(media, LegMedia)
        assert isinstance(toward.media, LegMedia)
        offered = audio_of(toward.media.remote).voice if toward.media.remote else ()
        first = toward.media.codec or next(iter(offered), PCMU)
        return media.offer((PCMU if first.is_same(PCMA) else PCMA, TELEPHONE_EVENT))

    def with_srtp(media: LegSdp, toward: WireLeg) -> bytes:
        return encrypted(plain(media, toward))

    def without_voice(media: LegSdp, toward: WireLeg) -> bytes:
        assert isinstance(media, LegMedia)
        return media.offer((TELEPHONE_EVENT,))

    def without_events(media: LegSdp, toward: WireLeg) -> bytes:
        assert isinstance(media, LegMedia)
        if toward.media.remote is None:
            return media.offer((PCMU, PCMA))
        agreed = toward.media.codec if isinstance(toward.media, LegMedia) else None
        return media.pass_on(
            toward.media.remote, lambda codec: is_g711(codec) and (not agreed or codec.is_same(agreed))
        )

    offers = {
        Fault.CODECS_STRIPPED: without_voice,
        Fault.TELEPHONE_EVENT_STRIPPED: without_events,
        Fault.NO_G711: without_g711,
        Fault.G711_ONE_SIDE: the_other_law,
        Fault.SRTP_MISMATCH: with_srtp,
    }
    return next((make for fault, make in offers.items() if wrong(fault)), None)


def impairments_with_ai(wrong: IsOn) -> tuple[Impairment | None, Impairment | None]:
    """The impairments of RTP to the AI, and to the caller."""
    impairments_of: dict[Fault, Callable[[], tuple[Impairment | None, Impairment | None]]] = {
        Fault.RTP_BLOCKED_TO_AI: lambda: (impairments.blocked, None),
        Fault.RTP_BLOCKED_TO_CALLER: lambda: (None, impairments.blocked),
        Fault.RTP_ONE_PACKET: lambda: (None, impairments.only(1)),
        Fault.RTP_BLOCKED_BOTH: lambda: (impairments.blocked, impairments.blocked),
        Fault.RTP_BLOCKED_LATER: lambda: (impairments.blocked_after(10.0), impairments.blocked_after(10.0)),
        # The AI's RTP goes to a network that is not there; what the relay sends still arrives.
        Fault.SDP_PRIVATE_ADDRESS: lambda: (None, impairments.blocked),
        Fault.PAYLOAD_MISMATCH: lambda: (impairments.noise, impairments.noise),
        Fault.AUDIO_CROSSED: lambda: (impairments.crossed(), impairments.crossed()),
        Fault.AUDIO_REPLAYED: impairments.replayed,
        Fault.AUDIO_ECHOED: impairments.echoed,
        Fault.HEAVY_LOSS: lambda: (impairments.lossy(0.3, seed=2525), impairments.lossy(0.3, seed=1006)),
        Fault.HIGH_DELAY: lambda: (impairments.delayed(0.7), impairments.delayed(0.7)),
    }
    return next((make() for fault, make in impairments_of.items() if wrong(fault)), (None, None))
