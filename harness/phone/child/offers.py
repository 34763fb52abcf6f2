"""Which offers within a call there is an answer to. pjsip refuses the others with 500, once it has begun to change the media."""

from __future__ import annotations

from collections.abc import Sequence

from harness.sip.sdp import Codec, Description, SdpError

#: Its RTP clock is not its sampling rate (RFC 3551 section 4.5.2).
_RTP_CLOCKS = {"G722": 8000}


def codec_of(name: str) -> Codec:
    """The codec that pjmedia names so: ``PCMU/8000/1``."""
    encoding, rate, channels = name.split("/")[:3]
    return Codec(encoding, _RTP_CLOCKS.get(encoding.upper(), int(rate)), channels=int(channels))


def has_answer(offer: str, own: Sequence[Codec]) -> bool:
    """Whether ``offer`` has audio in one of ``own``, or switches everything off: it is to be refused otherwise (RFC 3261 section 14.2).

    What cannot be read is for pjsip to say.
    """
    try:
        media = Description.parse(offer).media
    except SdpError:
        return True
    offered = [stream for stream in media if not stream.is_rejected]
    spoken = (codec for stream in offered if stream.kind == "audio" for codec in stream.voice)
    return not offered or any(codec.is_same(one) for codec in spoken for one in own)
